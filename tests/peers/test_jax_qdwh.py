"""Does polar pass what JAX asks of its QDWH (tests/qdwh_test.py, tests/linalg_test.py)?

Shapes, conditions, rank defects and the tiny element are JAX's; its tolerances are 13 eps (factors of full rank), 60
eps (reconstruction with a rank defect) and 10 eps (symmetry), relative; ours are the documented (12 + sqrt k) eps.
"""

import numpy as np
import pytest

import matfun
from matfun.rules.rule import registered

METHODS = ["auto", *(name for name in matfun.methods("polar") if registered()[name].converges)]
SHAPES = ((8, 6), (10, 10), (20, 18))
DTYPES = ("float32", "float64")


def limit(A, method):
    """In eps.  The SVD of a library may have several times the error of an iteration, as documented."""
    return (12 + min(A.shape[-2:]) ** 0.5) * (8 if method in ("svd", "auto") else 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_upper_triangular_ones(measure, method, shape, dtype):
    A = np.triu(np.ones(shape)).astype(dtype)
    U, H = result = matfun.polar(A, method=method, rng=0)
    assert result.info.ok
    errors = measure(A, U, H)
    assert max(errors.orthonormality, errors.reconstruction) <= limit(A, method)
    assert errors.asymmetry == 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (300, 300)])
@pytest.mark.parametrize("method", METHODS)
def test_prescribed_condition(measure, with_spectrum, method, shape, dtype):
    eps = float(np.finfo(dtype).eps)
    large = shape == (300, 300)
    for kappa in np.geomspace(1, 1 / eps, 4)[3 if large else 0 :]:
        A = with_spectrum(*shape, np.geomspace(1, 1 / kappa, min(shape)), is_complex=False, seed=1).astype(dtype)
        for side in ("right",) if large else ("right", "left"):
            U, H = result = matfun.polar(A, side, method, rng=0)
            assert result.info.ok
            errors = measure(A, U, H, side, fast=large)
            measuring = min(shape) ** 0.5 / 2 if large else 0
            assert max(errors.orthonormality, errors.reconstruction) <= limit(A, method) + measuring
            assert errors.indefiniteness <= limit(A, method)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("m", "n", "rank"), [(10, 10, 8), (8, 8, 7), (12, 8, 5)])
@pytest.mark.parametrize("method", METHODS)
def test_rank_deficient(measure, method, m, n, rank, dtype):
    A = np.triu(np.ones((m, n))).astype(dtype)
    u, s, vh = np.linalg.svd(A, full_matrices=False)
    A = (u[:, :rank] * s[:rank] @ vh[:rank]).astype(dtype)
    U, H = result = matfun.polar(A, method=method, rng=0)
    assert result.info.ok
    errors = measure(A, U, H)
    assert errors.reconstruction <= 60
    assert errors.asymmetry <= 10
    # JAX asks for orthonormality on the range only; the whole of U is an isometry here
    assert errors.orthonormality <= limit(A, method)
    on_range = U.astype(float) @ vh[:rank].T.astype(float)
    assert np.linalg.norm(on_range.T @ on_range - np.eye(rank)) <= 60 * float(np.finfo(dtype).eps) * rank**0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_one_tiny_element(method, dtype):
    tiny = float(np.finfo(dtype).tiny)
    eps = float(np.finfo(dtype).eps)
    for shape in ((1, 1), (3, 3), (5, 3)):
        A = np.zeros(shape, dtype)
        A[0, 0] = tiny
        U, H = matfun.polar(A, method=method, rng=0)
        # the one determined element of U is 1, and H is A's element, to the bit that subnormal neighbours allow
        assert abs(float(U[0, 0]) - 1) <= 14 * eps
        assert abs(float(H[0, 0]) / tiny - 1) <= 14 * eps
        rest = H.copy()
        rest[0, 0] = 0
        assert np.max(np.abs(rest)) <= 14 * eps * tiny + float(np.finfo(dtype).smallest_subnormal)
        gram = U.T.astype(float) @ U
        assert np.linalg.norm(gram - np.eye(shape[1])) <= 14 * 8 * eps


@pytest.mark.parametrize(
    ("shape", "side"),
    [((3, 4, 4), "right"), ((3, 5, 3), "right"), ((3, 3, 5), "left"), ((3, 3, 5), "right"), ((3, 5, 3), "left")],
)
@pytest.mark.parametrize("method", METHODS)
def test_polar_batch(measure, method, shape, side):
    # JAX's QDWH refuses the last two combinations
    A = np.random.default_rng(0).standard_normal(shape)
    U, H = matfun.polar(A, side, method, rng=0)
    for a, u, h in zip(A, U, H, strict=True):
        errors = measure(a, u, h, side)
        assert max(errors.orthonormality, errors.reconstruction) <= limit(a, method)


def test_max_iterations_is_passed_on():
    # JAX accepts the argument and ignores it
    A = np.diag([1.0, 1e-8])
    with pytest.raises(matfun.ConvergenceError) as caught:
        matfun.polar(A, method="newton-schulz", max_steps=3)
    assert caught.value.result.info.steps == 3


@pytest.mark.parametrize("method", METHODS)
def test_agrees_with_jaxs_own_qdwh(with_spectrum, method):
    jax = pytest.importorskip("jax")
    from jax.scipy.linalg import polar

    for shape, kappa in (((8, 6), 10), ((10, 10), 100), ((20, 18), 1e4)):
        A = with_spectrum(*shape, np.geomspace(1, 1 / kappa, min(shape)))
        U, H = matfun.polar(jax.numpy.asarray(A), method=method, rng=0)
        V, K = polar(jax.numpy.asarray(A))
        eps = 2.3e-16
        assert np.linalg.norm(np.asarray(U - V), 2) <= 2 * limit(A, method) * eps * min(shape) ** 0.5 * kappa
        assert np.linalg.norm(np.asarray(H - K), 2) <= 3 * limit(A, method) * eps * min(shape) ** 0.5
