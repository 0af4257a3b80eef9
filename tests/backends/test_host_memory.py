"""A JAX array in the host's memory: does ``auto`` compute with NumPy, and is speed all that the caller sees of it?"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matfun
from matfun import ConvergenceError, ConvergenceWarning, Status
from matfun.providers import ops_for

jax = pytest.importorskip("jax", reason="jax is not installed")
jnp = jax.numpy

DTYPES = ("float32", "float64", "complex64", "complex128")
SHAPES = ((5, 5), (9, 4), (4, 9), (3, 4, 4), (2, 1, 7, 3))


def matrix(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return A.astype(dtype)


def definite(shape, dtype="float64"):
    A = matrix(shape, dtype)
    A = A @ A.swapaxes(-1, -2).conj() + np.eye(shape[-1])
    return ((A + A.swapaxes(-1, -2).conj()) / 2).astype(dtype)


def same(x, y):
    """The same digits, as an array of JAX of the same dtype and shape."""
    assert isinstance(x, jax.Array)
    assert (x.dtype, x.shape) == (np.dtype(y.dtype), np.shape(y))
    np.testing.assert_array_equal(np.asarray(x), y)


# ---- what comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_polar_has_the_digits_of_numpy_in_arrays_of_jax(dtype, shape, side):
    given = jnp.asarray(matrix(shape, dtype))
    result = matfun.polar(given, side, rng=3)
    expected = matfun.polar(np.asarray(given), side, rng=3)
    for ours, theirs in zip(result, expected, strict=True):
        same(ours, theirs)
        assert ours.devices() == given.devices()
        assert not ours.committed
    info, wanted = result.info, expected.info
    assert (info.method, info.backend, info.products) == (wanted.method, "numpy", wanted.products)
    for name in ("status", "steps", "residual", "backward_error", "orthogonality", "lower"):
        np.testing.assert_array_equal(getattr(info, name), getattr(wanted, name), err_msg=name)
    if side == "right":  # the scale is that of A whatever the side
        own = matfun.polar(given, side, rng=3, backend="jax").info
        assert own.backend == "jax"
        assert type(info.scale) is type(own.scale)
        assert (info.scale.dtype, info.scale.shape) == (own.scale.dtype, own.scale.shape)
        np.testing.assert_allclose(info.scale, own.scale, rtol=1e-5)  # one sum of squares, in another order
    np.testing.assert_array_equal(np.asarray(given), matrix(shape, dtype))


CALLS = {
    "sqrtm": lambda A, **how: matfun.sqrtm(A, full_output=True, **how),
    "invsqrtm": lambda A, **how: matfun.invsqrtm(A, full_output=True, **how),
    "signm": lambda A, **how: matfun.signm(A, full_output=True, **how),
    "invrootm": lambda A, **how: matfun.invrootm(A, 3, full_output=True, **how),
    "invm": lambda A, **how: matfun.invm(A, full_output=True, **how),
}


@pytest.mark.parametrize("kind", ["Hermitian", "general"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CALLS)
def test_functions_of_square_matrices_too(name, dtype, kind):
    A = definite((2, 4, 4), dtype)
    if kind == "general":
        A[..., 0, 1] += 1
    X, info = CALLS[name](jnp.asarray(A), rng=0)
    Y, wanted = CALLS[name](A, rng=0)
    same(X, Y)
    assert (info.method, info.backend) == (wanted.method, "numpy")
    np.testing.assert_array_equal(info.forward_error, wanted.forward_error)
    assert isinstance(info.scale, jax.Array)


def test_what_was_added_to_the_diagonal_and_pairs_come_back_too():
    A = jnp.asarray(definite((2, 3, 3), "float32"))
    _, info = matfun.invsqrtm(A, ridge=1e-2, rng=0, full_output=True)
    _, own = matfun.invsqrtm(A, ridge=1e-2, rng=0, full_output=True, backend="jax")
    assert type(info.ridge) is type(own.ridge)
    assert info.ridge.dtype == own.ridge.dtype
    np.testing.assert_allclose(info.ridge, own.ridge, rtol=1e-5)
    pair = matfun.sqrtm_pair(A)
    assert all(isinstance(x, jax.Array) for x in pair)
    assert pair.info.backend == "numpy"


def test_a_scale_that_single_precision_cannot_represent_is_infinite():
    A = jnp.full((3, 3), 3e38, jnp.float32)
    result = matfun.polar(A)
    assert result.info.scale == matfun.polar(A, backend="jax").info.scale == np.inf
    assert result.info.ok


def test_nothing_is_copied_on_the_way_in():
    A = jnp.asarray(matrix((64, 64)))
    lent = ops_for(A).lend(A)
    assert lent.ctypes.data == A.unsafe_buffer_pointer()
    assert not lent.flags.writeable


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_failure_carries_arrays_of_jax():
    A = jnp.asarray(matrix((3, 4, 4))).at[1, 0, 0].set(jnp.nan)
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(A, check_finite=False)
    with pytest.warns(ConvergenceWarning) as warned:
        result = matfun.polar(A, check_finite=False, on_failure="warn")
    assert warned[0].filename == __file__
    for found in (caught.value.result, result):
        assert all(isinstance(x, jax.Array) for x in found)
        assert list(found.info.status) == [Status.CONVERGED, Status.NOT_FINITE, Status.CONVERGED]
        np.testing.assert_array_equal(np.isnan(np.asarray(found.U)).all(axis=(-2, -1)), [False, True, False])
    with pytest.raises(ConvergenceError) as caught:
        matfun.invm(jnp.zeros((2, 2)))
    assert isinstance(caught.value.result[0], jax.Array)
    with pytest.raises(ValueError, match="smallest eigenvalue"):
        matfun.sqrtm(-jnp.eye(3))


def test_a_fall_back_is_in_arrays_of_jax(monkeypatch):
    monkeypatch.setattr("matfun.functions.polar.choose_polar", lambda *a: matfun.Muon())  # noqa: ARG005
    result = matfun.polar(jnp.asarray(matrix((2, 4, 4))))
    assert all(isinstance(x, jax.Array) for x in result)
    assert (result.info.status == Status.FELL_BACK).all()


# ---- who stays with JAX --------------------------------------------------------------------------


def test_what_the_caller_decides_is_left_alone():
    A = jnp.asarray(definite((4, 4)))
    for how in ({"method": "svd"}, {"method": matfun.NewtonSchulz()}, {"steps": 3}, {"backend": "jax"}):
        assert matfun.polar(A, **how).info.backend == "jax", how
    X0 = jnp.linalg.inv(A)
    for how in ({"method": "newton-schulz"}, {"steps": 3}, {"backend": "jax"}, {"initial": X0}):
        assert matfun.invm(A, full_output=True, **how)[1].backend == "jax", how
    assert matfun.polar(jnp.zeros((2, 0))).info.backend == "jax"


def test_16_bits_and_traced_arrays_stay():
    for dtype in (jnp.bfloat16, jnp.float16):
        A = jnp.asarray(definite((3, 3))).astype(dtype)
        result = matfun.polar(A)
        assert (result.info.backend, result.U.dtype) == ("jax", dtype)
        X, info = matfun.sqrtm(A, full_output=True)
        assert (info.backend, X.dtype) == ("jax", dtype)
    backends = []

    def traced(A):
        result = matfun.polar(A)
        backends.append(result.info.backend)
        return result.U

    jax.jit(traced)(jnp.eye(3))
    assert backends == ["jax"]


def test_torch_tensors_stay_with_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert matfun.polar(torch.eye(3)).info.backend == "torch"
    assert matfun.sqrtm(torch.eye(3), full_output=True)[1].backend == "torch"


def test_integers_become_the_default_float():
    U, H = result = matfun.polar(jnp.asarray([[0, -3], [2, 0]]))
    assert result.info.backend == "numpy"
    assert U.dtype == H.dtype == jnp.asarray(0.0).dtype


def test_a_known_matrix_under_jit_is_computed_while_tracing():
    C = matrix((4, 4))
    A = jnp.asarray(C)
    found = jax.jit(lambda x: x @ matfun.polar(A).U)(jnp.eye(4))
    np.testing.assert_allclose(found, matfun.polar(C).U, rtol=0, atol=1e-14)


DEVICES = """
import jax, numpy as np, matfun
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import jax.numpy as jnp
A = np.random.default_rng(0).standard_normal((2, 4, 4))
single = jnp.asarray(A)
assert single.dtype == jnp.float32 and matfun.polar(single).U.dtype == jnp.float32
there = jax.device_put(A, jax.devices()[1])
U, H = result = matfun.polar(there)
assert result.info.backend == "numpy"
for x in (U, H, result.info.scale):
    assert x.devices() == {jax.devices()[1]} and x.committed, x.sharding
split = jax.device_put(A, NamedSharding(Mesh(jax.devices(), "i"), PartitionSpec("i")))
assert matfun.polar(split).info.backend == "jax"
with jax.enable_x64(True):
    double = jnp.asarray(A, dtype=jnp.float64)
    assert matfun.polar(double).U.dtype == jnp.float64
    assert matfun.providers.ops_for(double).lend(double) is not None
assert matfun.providers.ops_for(double).lend(double) is None
"""


def test_devices_and_the_switch_for_double_precision():
    root = Path(__file__).parents[2]
    path = os.pathsep.join(map(str, (root, root / "backends")))
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": path}
    environment.pop("JAX_ENABLE_X64", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DEVICES], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
