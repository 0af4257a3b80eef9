"""One of the processes of test_dtensor.py: runs every check of ``CHECKS`` and writes down what became of it.

Run as ``python dtensor_process.py RANK WORLD STORE RESULT``.  A check gives a tuple of NumPy arrays and strings; what
it raises is written down as well, so that the test can see that every process raises the same.
"""

import pickle
import sys
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

import matfun
from matfun.providers import ops_for

CHECKS = {}

EXPRESS = matfun.PolarExpress(lower=0.1)
"""No singular value is lifted, and no rounding error, by more than some 1/lower."""


def check(function):
    CHECKS[function.__name__] = function
    return function


def known(shape, dtype="float64", seed=0):
    """Condition 4, the same in every process and in the test."""
    *stack, m, n = shape
    rng = np.random.default_rng(seed)
    k = min(m, n)

    def orthonormal(rows):
        Z = rng.standard_normal((*stack, rows, k))
        return np.linalg.qr(Z + 1j * rng.standard_normal(Z.shape) if np.dtype(dtype).kind == "c" else Z)[0]

    A = orthonormal(m) * np.linspace(0.25, 1, k) @ orthonormal(n).conj().mT
    return torch.from_numpy(A.astype(dtype))


def full(X):
    return X.full_tensor().resolve_conj().numpy()


def outcome(result):
    """U, H, what this process has of H, status, and where they are."""
    U, H = result
    return full(U), full(H), H.to_local().numpy(), result.info.status.name, str(U.placements), str(H.placements)


def rows(A, mesh, axis=None):
    axis = int(A.shape[-2] < A.shape[-1]) if axis is None else axis
    return distribute_tensor(A, mesh, [Shard(axis)])


def polar_of(shape, dtype):
    def run(mesh):
        A = rows(known(shape, dtype), mesh)
        before = A.to_local().clone()
        result = matfun.polar(A, "right" if shape[0] >= shape[1] else "left", rng=0)
        assert torch.equal(before, A.to_local())
        assert result.U.shape == A.shape
        assert result.U.stride() == A.stride()
        return outcome(result)

    return run


for _shape in ((31, 6), (6, 31), (8, 8), (3, 2), (1, 1)):
    for _dtype in ("float32", "float64", "complex64", "complex128"):
        CHECKS[f"polar {_shape} {_dtype}"] = polar_of(_shape, _dtype)


def steps_of(name, shape, dtype):
    def run(mesh):
        A = rows(known(shape, dtype), mesh)
        method = EXPRESS if name == "polar-express" else name
        X, info = matfun.orthogonalize(A, method, 4, rng=0, full_output=True)
        side = "right" if shape[0] >= shape[1] else "left"
        U, H = matfun.polar(A, side, method, steps=4, rng=0)
        return full(X), full(U), full(H), info.backend, str(X.placements)

    return run


for _method in ("polar-express", "prism", "window", "newton"):
    for _shape in ((31, 6), (6, 31)):
        for _dtype in ("float32", "complex128"):
            CHECKS[f"steps {_method} {_shape} {_dtype}"] = steps_of(_method, _shape, _dtype)


@check
def bfloat16(mesh):
    A = rows(known((64, 6)).to(torch.bfloat16), mesh)
    U, H = matfun.polar(A)
    X = matfun.orthogonalize(A, steps=6)
    assert U.dtype == H.dtype == X.dtype == torch.bfloat16
    return tuple(full(Y.float()) for Y in (U, H, X))


@check
def square_by_columns(mesh):
    return outcome(matfun.polar(rows(known((8, 8)), mesh, 1), "left", rng=0))


def gathered(X):
    """What is cut otherwise than DTensor would cut it, full_tensor cannot put together."""
    parts = [None] * dist.get_world_size()
    dist.all_gather_object(parts, X.to_local().numpy())
    return np.concatenate(parts)


def cut_at(row):
    def run(mesh):
        A = known((7, 3))
        local = (A[:row] if dist.get_rank() == 0 else A[row:]).clone()
        D = DTensor.from_local(local, mesh, [Shard(0)], run_check=False, shape=A.shape, stride=A.stride())
        U, H = matfun.polar(D, rng=0)
        return gathered(U), H.to_local().numpy(), gathered(matfun.orthogonalize(D, EXPRESS, 4))

    return run


for _row in (1, 5, 7):  # 7 leaves nothing to the other process
    CHECKS[f"cut at {_row}"] = cut_at(_row)


@check
def no_elements(mesh):
    D = distribute_tensor(torch.zeros(5, 0), mesh, [Shard(0)])
    return tuple(map(str, (matfun.polar(D).U.shape, matfun.polar(D).H.shape, matfun.orthogonalize(D).shape)))


@check
def zero(mesh):
    D = distribute_tensor(torch.zeros(9, 4), mesh, [Shard(0)])
    steps = matfun.polar(D, steps=2)
    return (*outcome(matfun.polar(D)), full(steps.U), full(matfun.orthogonalize(D)))


def deficient(kind):
    A = known((60, 12))
    U, _, Vh = torch.linalg.svd(A, full_matrices=False)
    values = {
        "condition 1e12": np.geomspace(1, 1e-12, 12),
        "half null": np.r_[np.ones(6), np.zeros(6)],
        "rank one": np.r_[1.0, np.zeros(11)],
    }[kind]
    return U * torch.from_numpy(values) @ Vh


for _kind in ("condition 1e12", "half null", "rank one"):
    # without a seed: what is drawn has to be agreed on
    CHECKS[f"deficient {_kind}"] = lambda mesh, kind=_kind: outcome(
        matfun.polar(rows(deficient(kind), mesh), method="qdwh")
    )


@check
def drawn_without_a_seed(mesh):
    A = known((40, 20))
    return (full(matfun.orthogonalize(rows(A, mesh), "prism", 2)),)


@check
def replicated(mesh):
    A = known((9, 4))
    A[:, 1] = 0
    U, H = result = matfun.polar(distribute_tensor(A, mesh, [Replicate()]), method="newton-schulz")
    assert U.placements == H.placements == (Replicate(),)
    return U.to_local().numpy(), H.to_local().numpy(), result.info.status.name


@check
def replicated_draws(mesh):
    X = matfun.orthogonalize(distribute_tensor(known((40, 20)), mesh, [Replicate()]), "prism", 2)
    return (X.to_local().numpy(),)


@check
def agreed(mesh):
    D = rows(known((9, 4)), mesh)
    blocks = ops_for(D).spread(D)
    return (blocks.agree(torch.full((2,), float(dist.get_rank())))[0].numpy(),)


@check
def stack(mesh):
    D = distribute_tensor(known((3, 7, 4)), mesh, [Shard(0)])
    U, H = result = matfun.polar(D, rng=0)
    X = matfun.orthogonalize(D)
    assert U.placements == H.placements == X.placements == D.placements
    assert len(np.atleast_1d(result.info.status)) == len(D.to_local())
    return full(U), full(H), full(X)


@check
def stack_shorter_than_the_mesh(mesh):
    D = distribute_tensor(known((1, 7, 4)), mesh, [Shard(0)])
    U, H = matfun.polar(D, rng=0)
    return full(U), full(H), full(matfun.orthogonalize(D))


@check
def negative_axis(mesh):
    return outcome(matfun.polar(distribute_tensor(known((9, 4)), mesh, [Shard(-2)]), rng=0))


@check
def nan_in_one_process(mesh):
    A = known((9, 4))
    A[8, 1] = torch.nan
    matfun.polar(rows(A, mesh))


@check
def nan_goes_through(mesh):
    A = known((9, 4))
    A[0, 1] = torch.inf
    matfun.polar(rows(A, mesh), check_finite=False)


@check
def nan_in_one_member(mesh):
    A = known((2, 9, 4))
    A[1, 0, 0] = torch.nan
    matfun.polar(distribute_tensor(A, mesh, [Shard(0)]))


@check
def failure_of_rows(mesh):
    matfun.polar(rows(known((9, 4)), mesh), method="muon")


@check
def failure_of_one_member(mesh):
    A = known((2, 9, 4))
    A[1] = 0  # which needs no steps, the other one more than there are
    try:
        matfun.polar(distribute_tensor(A, mesh, [Shard(0)]), method="newton-schulz", max_steps=2)
    except matfun.ConvergenceError as error:
        return str(error), type(error.result.U).__name__, error.result.info.ok
    return None


@check
def small_side(mesh):
    matfun.polar(rows(known((9, 4)), mesh, 1))


@check
def matrix_axis_of_a_stack(mesh):
    matfun.orthogonalize(rows(known((3, 9, 4)), mesh, 1))


@check
def partial_sums(mesh):
    matfun.orthogonalize(DTensor.from_local(known((9, 4)), mesh, [Partial()]))


@check
def two_axes_of_the_mesh(mesh):
    wide = init_device_mesh("cpu", (dist.get_world_size(), 1))
    matfun.polar(distribute_tensor(known((9, 4)), wide, [Shard(0), Replicate()]))


@check
def other_side(mesh):
    matfun.polar(rows(known((9, 4)), mesh), "left")


@check
def gradient(mesh):
    D = rows(known((9, 4)), mesh).requires_grad_()
    with torch.no_grad():
        matfun.orthogonalize(D)
    matfun.orthogonalize(D)


@check
def other_function(mesh):
    matfun.signm(rows(known((4, 4)), mesh))


@check
def other_backend(mesh):
    matfun.polar(rows(known((9, 4)), mesh), backend="torch")


@check
def unknown_method(mesh):
    matfun.polar(rows(known((9, 4)), mesh), method="nonsense")


def main(rank, world, store, result):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=timedelta(seconds=20)
    )
    mesh = init_device_mesh("cpu", (world,))
    found = {}
    for name, run in CHECKS.items():
        try:
            found[name] = run(mesh)
        except (ValueError, TypeError, matfun.ConvergenceError) as error:
            found[name] = (type(error).__name__, str(error))
        dist.barrier()  # fails, and with it every test, if a process is behind in its collectives
    with open(result, "wb") as file:
        pickle.dump(found, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
