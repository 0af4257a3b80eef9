"""Does a call need the memory that docs/speed.md says: matrices of the size of A and of the Gram matrix at its peak?

NumPy's allocations are counted by tracemalloc, torch's by the storages that its operations make, A not included.
"""

import re
import tracemalloc
import weakref
from pathlib import Path

import numpy as np
import pytest

import matfun

PAGE = Path(__file__).parents[2] / "docs" / "speed.md"

SHAPE = (2048, 256)

CALLS = {
    "`orthogonalize`, standard form": lambda A: matfun.orthogonalize(A, form="standard"),
    "`orthogonalize`, Gram form": lambda A: matfun.orthogonalize(A, form="gram"),
    '`orthogonalize(method="window")`, standard form': lambda A: matfun.orthogonalize(
        A, "window", form="standard", rng=0
    ),
    '`orthogonalize(method="prism")`, standard form': lambda A: matfun.orthogonalize(
        A, "prism", form="standard", rng=0
    ),
    '`polar(method="svd")`': lambda A: matfun.polar(A, method="svd", rng=0),
    '`polar(method="window")`': lambda A: matfun.polar(A, method="window", rng=0),
    '`polar(method="qdwh")`': lambda A: matfun.polar(A, method="qdwh", rng=0),
}


def table():
    """(call, library) to the numbers of large and small matrices, from the page."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"\d+", cells[1]):
            call, *numbers = cells
            for library, large, small in zip(("numpy", "torch"), numbers[::2], numbers[1::2], strict=True):
                found[call, library] = int(large), int(small)
    return found


def numpy_peak(call):
    A = np.random.default_rng(0).standard_normal(SHAPE)
    call(A)  # what is filled once is not counted
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    call(A)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


def torch_peak(call):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten

    A = torch.from_numpy(np.random.default_rng(0).standard_normal(SHAPE))
    call(A)

    class Storages(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.alive, self.now, self.peak = {A.untyped_storage()._cdata: 0}, 0, 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for tensor in tree_flatten(out)[0]:
                storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
                if storage is None or storage._cdata in self.alive:
                    continue
                self.alive[storage._cdata] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.freed, storage._cdata)
            return out

        def freed(self, key):
            self.now -= self.alive.pop(key, 0)

    with Storages() as storages:
        call(A)
    return storages.peak


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("call", CALLS)
def test_the_peak_is_that_of_the_table(call, library):
    large, small = table()[call, library]
    peak = (numpy_peak if library == "numpy" else torch_peak)(CALLS[call])
    m, n = SHAPE
    expected = 8 * (large * m * n + small * n * n)
    # vectors, blocks of a few columns and of rows that stay in the cache: less than a Gram matrix
    assert expected - 8 * n * n < peak < expected + 8 * n * n


def test_every_line_of_the_table_is_measured():
    assert {call for call, _ in table()} == set(CALLS)


def test_a_stack_takes_no_more_than_the_results_and_a_part():
    """Members are worked on as they fit the cache, here two at a time."""
    A = np.random.default_rng(0).standard_normal((16, 128, 128))
    matfun.orthogonalize(A)
    tracemalloc.start()
    matfun.orthogonalize(A)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matfun.providers.ops_for(A).members_at_once(A) == 2
    # of a part the answer, its square matrices, and sums that are formed at once in so small ones
    assert A.nbytes < peak < A.nbytes + 8 * 2 * A[0].nbytes


def peak_over_A(A, **options):
    matfun.polar(A, rng=0, **options)
    tracemalloc.start()
    matfun.polar(A, rng=0, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / A.nbytes


def test_a_tall_matrix_of_even_spectrum_takes_its_result_alone():
    """One pass forms no Q_1; the rest is matrices of 1/128 of the size, and blocks of a few columns."""
    A = np.random.default_rng(0).standard_normal((128 * 128, 128))
    assert peak_over_A(A, method="svd") < 1.5
    assert peak_over_A(A * np.linspace(1, 4, 128), method="svd") > 2


def test_the_conjugate_of_a_wide_matrix_is_not_kept():
    """It is a copy, where that of a tall one is not."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 220)) + 1j * rng.standard_normal((200, 220))
    wide, tall = peak_over_A(A, side="left", method="newton-schulz"), peak_over_A(A.mT.copy(), method="newton-schulz")
    assert wide < tall + 0.5
