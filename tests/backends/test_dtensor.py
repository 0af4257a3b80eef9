"""DTensors of two processes against one process: what is sharded where, and that both end in the same way."""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matfun

torch = pytest.importorskip("torch", reason="torch is not installed")
if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("torch.distributed has no gloo", allow_module_level=True)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORLD = 2
SECONDS = 90
"""More than two processes need on a busy core; a deadlock ends after the 20 of the collectives."""


def _load():
    spec = importlib.util.spec_from_file_location("dtensor_process", HERE / "dtensor_process.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


process = _load()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Outcomes of all checks, one dictionary a process."""
    folder = tmp_path_factory.mktemp("dtensor")
    path = os.pathsep.join(map(str, (ROOT, ROOT / "backends")))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    results = [folder / f"{rank}.pickle" for rank in range(WORLD)]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                HERE / "dtensor_process.py",
                str(rank),
                str(WORLD),
                folder / "store",
                result,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, result in enumerate(results)
    ]
    try:
        said = [one.communicate(timeout=SECONDS)[0] for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()
    assert [one.returncode for one in running] == [0] * WORLD, "\n".join(said)
    return [pickle.loads(result.read_bytes()) for result in results]


@pytest.fixture
def both(found):
    """Outcome of one check, which has to be that of every process to the last bit."""

    def outcome(name):
        first, *others = (one[name] for one in found)
        for other in others:
            assert len(first) == len(other)
            for a, b in zip(first, other, strict=True):
                assert np.array_equal(a, b)
        return first

    return outcome


def limit(A):
    return (12 + min(A.shape[-2:]) ** 0.5) * float(torch.finfo(A.dtype).eps)


def close(found, expected, tolerance):
    expected = expected.resolve_conj().numpy()
    assert found.dtype == expected.dtype
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


def test_every_check_was_made(found):
    assert [set(one) for one in found] == [set(process.CHECKS)] * WORLD


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(31, 6), (6, 31), (8, 8), (3, 2), (1, 1)])
def test_polar_of_rows(both, shape, dtype):
    A = process.known(shape, dtype)
    wide = shape[0] < shape[1]
    U, H, local, status, where, small = both(f"polar {shape} {dtype}")
    u, h = matfun.polar(A, "left" if wide else "right", method="svd")
    close(U, u, 4 * limit(A))  # condition 4
    close(H, h, 4 * limit(A))
    assert np.array_equal(local, H)
    assert status == "CONVERGED"
    assert where == f"(Shard(dim={int(wide)}),)"
    assert small == "(Replicate(),)"
    product = H @ U if wide else U @ H
    assert np.linalg.norm(product - A.numpy()) <= 2.1 * limit(A) * np.linalg.norm(A.numpy())  # an SVD's; semantics.md


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("shape", [(31, 6), (6, 31)])
@pytest.mark.parametrize("method", ["polar-express", "prism", "window", "newton"])
def test_steps_of_rows(both, method, shape, dtype):
    A = process.known(shape, dtype)
    wide = shape[0] < shape[1]
    X, U, H, backend, where = both(f"steps {method} {shape} {dtype}")
    tolerance = 10 * limit(A)
    # draws are those of a generator in one place, which a seed is not
    if method in ("polar-express", "newton"):
        method = process.EXPRESS if method == "polar-express" else method
        close(X, matfun.orthogonalize(A, method, 4), tolerance)
        u, h = matfun.polar(A, "left" if wide else "right", method, steps=4)
        close(U, u, tolerance)
        close(H, h, tolerance)
    else:
        gram = X @ X.conj().T if wide else X.conj().T @ X
        assert np.linalg.norm(gram - np.eye(6)) <= 0.1
    assert backend == "dtensor"
    assert where == f"(Shard(dim={int(wide)}),)"


def test_bfloat16(both):
    A = process.known((64, 6)).to(torch.bfloat16)
    U, H, X = both("bfloat16")
    u, h = matfun.polar(A.double(), method="svd")
    eps = float(torch.finfo(torch.bfloat16).eps)
    close(U, u.float(), eps)  # computed in float32, so that it is rounded once
    close(H, h.float(), eps)
    # products in bfloat16: singular values at 1/4 rounded by eps of the largest, lifted by 4
    assert np.linalg.norm(X - u.numpy()) <= 4 * limit(A) * 6**0.5


@pytest.mark.parametrize("name", ["square_by_columns", "negative_axis"])
def test_unusual_placements(both, name):
    A = process.known((8, 8) if name == "square_by_columns" else (9, 4))
    U, H, *_ = both(name)
    u, h = matfun.polar(A, "left" if name == "square_by_columns" else "right", method="svd")
    close(U, u, 4 * limit(A))
    close(H, h, 4 * limit(A))


@pytest.mark.parametrize("row", [1, 5, 7])
def test_uneven_and_empty_shards(both, row):
    A = process.known((7, 3))
    U, H, X = both(f"cut at {row}")
    u, h = matfun.polar(A, method="svd")
    close(U, u, 4 * limit(A))
    close(H, h, 4 * limit(A))
    close(X, matfun.orthogonalize(A, process.EXPRESS, 4), 10 * limit(A))


def test_no_elements(both):
    assert both("no_elements") == ("torch.Size([5, 0])", "torch.Size([0, 0])", "torch.Size([5, 0])")


def test_zero(both):
    U, H, _, status, _, _, by_steps, null = both("zero")
    assert np.array_equal(U, np.eye(9, 4))
    assert np.array_equal(by_steps, np.eye(9, 4))
    assert not H.any()
    assert not null.any()
    assert status == "COMPLETED"


@pytest.mark.parametrize("kind", ["condition 1e12", "half null", "rank one"])
def test_ill_conditioned_and_rank_deficient(both, kind):
    A = process.deficient(kind).numpy()
    U, H, local, status, _, _ = both(f"deficient {kind}")
    small = limit(torch.from_numpy(A))
    assert np.array_equal(local, H)
    assert status == ("CONVERGED" if kind == "condition 1e12" else "COMPLETED")
    assert np.linalg.norm(U.T @ U - np.eye(12)) <= small * 12**0.5
    assert np.linalg.norm(U @ H - A) <= small * np.linalg.norm(A)


@pytest.mark.parametrize("name", ["drawn_without_a_seed", "replicated_draws"])
def test_what_is_drawn_is_the_same_in_every_process(both, name):
    (X,) = both(name)
    assert np.linalg.norm(X.T @ X - np.eye(20)) < 20**0.5


def test_what_is_agreed_on_is_the_first_process_s(both):
    assert np.array_equal(both("agreed")[0], [0.0, 0.0])


def test_replicated(both):
    U, H, status = both("replicated")
    A = process.known((9, 4)).numpy()
    A[:, 1] = 0
    assert status == "COMPLETED"  # by a random isometry
    assert np.linalg.norm(U @ H - A) <= limit(torch.from_numpy(A)) * np.linalg.norm(A)


@pytest.mark.parametrize(("name", "count"), [("stack", 3), ("stack_shorter_than_the_mesh", 1)])
def test_stack(both, name, count):
    A = process.known((count, 7, 4))
    U, H, X = both(name)
    for i in range(count):
        u, h = matfun.polar(A[i], method="svd")
        close(U[i], u, 4 * limit(A))
        close(H[i], h, 4 * limit(A))
        close(X[i], matfun.orthogonalize(A[i]), 4 * limit(A))


def test_a_failure_of_one_member_is_everyones(found):
    assert [one["failure_of_one_member"][1:] for one in found] == [("DTensor", False), ("DTensor", True)]
    for one in found:
        assert "MAX_STEPS" in one["failure_of_one_member"][0]
    assert "(part 0 of 2)" in found[1]["failure_of_one_member"][0]


REFUSED = {
    "nan_in_one_process": ("ValueError", "A: expected finite elements"),
    "nan_goes_through": ("ConvergenceError", "NOT_FINITE"),
    "nan_in_one_member": ("ValueError", "A: expected finite elements"),
    "failure_of_rows": ("ConvergenceError", "'muon'"),
    "small_side": ("ValueError", "Shard(dim=1)", "redistribute", "Replicate()"),
    "matrix_axis_of_a_stack": ("ValueError", "(3, 9, 4)", "Shard(dim=1)", "redistribute"),
    "partial_sums": ("ValueError", "Partial", "redistribute"),
    "two_axes_of_the_mesh": ("ValueError", "a mesh of shape (2, 1)", "redistribute"),
    "other_side": ("ValueError", "side: expected 'right'", "9 x 9"),
    "gradient": ("ValueError", "requires_grad", "detach"),
    "other_function": ("TypeError", "A: expected an array in one place", "DTensor"),
    "other_backend": ("ValueError", "backend: expected a provider for arrays of dtensor, got 'torch'"),
    "unknown_method": ("ValueError", "method", "nonsense"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_process_raises_the_same(found, name):
    kind, *parts = REFUSED[name]
    for one in found:
        raised, message = one[name]
        assert raised == kind
        for part in parts:
            assert part in message
