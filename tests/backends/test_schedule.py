"""Does the kernel with divided warps visit every tile that it should, and no other twice?

Its device functions are run as Python, with numbers in the place of what Triton knows.
"""

from importlib.util import find_spec
from math import ceil, isqrt
from types import FunctionType, SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")


def of_python(function):
    """A device function of whole numbers, whose places in grids are counted row by row."""

    def in_triangle(t, rows, band):
        r = (isqrt(8 * t + 1) - 1) // 2
        assert 0 <= r < rows  # the schedule divides by the height of a band, which is 0 beyond
        return r, t - r * (r + 1) // 2

    def in_rectangle(t, rows, columns, band):
        return divmod(t, columns)

    language = SimpleNamespace(where=lambda c, a, b: a if c else b, minimum=min, maximum=max)
    names = {
        "gl": language, "place_in_triangle": in_triangle, "place_in_rectangle": in_rectangle,
        "BAND": 8, "ROWS": 128, "COLUMNS": 256,
    }  # fmt: skip
    return FunctionType(function.fn.__code__, names)


@pytest.mark.parametrize("n", [64, 256, 257, 512, 1000, 2048, 2304, 2560, 4096])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_symmetric(n, batch):
    from matfun_backends.kernels import specialised, tiles

    count, place, corner = map(of_python, (specialised.count, specialised.place, specialised.corner))
    rows = ceil(n / 256)
    wholes, corners, turns = count(rows, rows, batch, True)
    assert turns == tiles.symmetric_count(n, batch, tiles.DIVIDED)
    squares = []
    for t in range(wholes):
        which, row, column = place(t, rows, rows, True)
        squares += [(which, row, column), (which, row, column + 128)]
    for t in range(wholes, turns):
        pair = [corner(t, wholes, corners, rows, group) for group in (0, 1)]
        squares += [(which, row, row) for which, row in (pair if t < turns - 1 or corners % 2 == 0 else pair[:1])]
        assert all(which < batch and row < n for which, row in pair)  # also where one square is that of both groups
    side = 2 * rows
    wanted = [(b, 128 * r, 128 * c) for b in range(batch) for r in range(side) for c in range(r + 1)]
    assert sorted(squares) == wanted


@pytest.mark.parametrize(("m", "n"), [(64, 64), (500, 1000), (2048, 2048), (4096, 11008)])
def test_product(m, n):
    from matfun_backends.kernels import specialised, tiles

    count, place = map(of_python, (specialised.count, specialised.place))
    rows, columns = ceil(m / 128), ceil(n / 256)
    wholes, corners, turns = count(rows, columns, 2, False)
    assert (wholes, corners) == (turns, 0)
    assert turns == tiles.product_count(m, n, 2, tiles.DIVIDED)
    found = sorted(place(t, rows, columns, False) for t in range(turns))
    assert found == [(b, 128 * r, 256 * c) for b in range(2) for r in range(rows) for c in range(columns)]
