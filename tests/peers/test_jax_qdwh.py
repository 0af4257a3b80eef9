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
    inverts = getattr(registered()[method].make(), "needs_square", False) if method != "auto" else False
    for shape in ((1, 1),) if inverts else ((1, 1), (3, 3), (5, 3)):  # a singular matrix has no inverse
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


# ---- the two methods of Nakatsukasa and his co-authors, at fixed steps and under jit ------------

ENOUGH_STEPS = {"qdwh": 6, "zolotarev": 3}
"""For condition numbers to 1/eps: QDWH's six (Nakatsukasa, Bai, Gygi 2010); Zolotarev's two leave 1e-15 in exact
arithmetic (Nakatsukasa, Freund 2016), and a third removes what rounding adds."""

each_rational = pytest.mark.parametrize("method", ENOUGH_STEPS)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((8, 6), "float32"), ((10, 10), "complex128"), ((20, 18), "float64")], ids=str
)
@each_rational
def test_steps_that_are_enough_under_jit(measure, with_spectrum, method, shape, dtype):
    jax = pytest.importorskip("jax")
    steps = ENOUGH_STEPS[method]
    compiled = jax.jit(lambda A: tuple(matfun.polar(A, method=method, steps=steps)))
    is_complex = dtype.startswith("complex")
    for kappa in np.geomspace(1, 1 / float(np.finfo(dtype).eps), 4):
        A = with_spectrum(*shape, np.geomspace(1, 1 / kappa, min(shape)), is_complex=is_complex, seed=1).astype(dtype)
        U, H = map(np.asarray, compiled(jax.numpy.asarray(A)))
        assert U.dtype == H.dtype == dtype
        errors = measure(A, U, H)
        assert max(errors.orthonormality, errors.reconstruction) <= limit(A, method)
        assert errors.asymmetry == 0
        assert errors.indefiniteness <= limit(A, method)
        # eagerly the same to rounding, which the condition number of U amplifies on the small singular vectors alone
        K = matfun.polar(jax.numpy.asarray(A), method=method, steps=steps).H
        eps = float(np.finfo(dtype).eps)
        assert np.linalg.norm(np.asarray(K) - H) <= 2 * limit(A, method) * eps * np.linalg.norm(A)


@pytest.mark.parametrize("dtype", DTYPES)
@each_rational
def test_the_steps_are_those_of_the_theory(with_spectrum, method, dtype):
    # JAX's default limit is 10; the number of steps follows from the lower bound on the singular values
    for shape in SHAPES:
        for kappa in np.geomspace(1, 1 / float(np.finfo(dtype).eps), 4):
            A = with_spectrum(*shape, np.geomspace(1, 1 / kappa, min(shape)), seed=1).astype(dtype)
            assert matfun.polar(A, method=method, rng=0).info.steps <= ENOUGH_STEPS[method]


@pytest.mark.parametrize(("m", "n", "rank", "dtype"), [(10, 10, 8, "float32"), (12, 8, 5, "float64")])
@each_rational
def test_rank_deficient_under_jit(method, m, n, rank, dtype):
    # fixed steps complete nothing: reconstruction and the range are right, the null space is JAX's business too
    jax = pytest.importorskip("jax")
    eps = float(np.finfo(dtype).eps)
    u, s, vh = np.linalg.svd(np.triu(np.ones((m, n))), full_matrices=False)
    A = (u[:, :rank] * s[:rank] @ vh[:rank]).astype(dtype)
    U, H = jax.jit(lambda A: tuple(matfun.polar(A, method=method, steps=ENOUGH_STEPS[method])))(jax.numpy.asarray(A))
    U, H = np.asarray(U, float), np.asarray(H, float)
    assert np.linalg.norm(U @ H - A) <= 60 * eps * np.linalg.norm(A)
    assert np.array_equal(H, H.T)
    on_range = U @ vh[:rank].T
    assert np.linalg.norm(on_range.T @ on_range - np.eye(rank)) <= 60 * eps * rank**0.5


@pytest.mark.parametrize("dtype", DTYPES)
@each_rational
def test_one_tiny_element_under_jit(method, dtype):
    jax = pytest.importorskip("jax")
    eps, tiny = float(np.finfo(dtype).eps), np.finfo(dtype).tiny
    A = np.zeros((3, 3), dtype)
    A[0, 0] = tiny
    compiled = jax.jit(lambda A: tuple(matfun.polar(A, method=method, steps=ENOUGH_STEPS[method])))
    U, H = compiled(jax.numpy.asarray(A))
    assert abs(float(U[0, 0]) - 1) <= 14 * eps
    # XLA flushes what is below tiny to zero: H is A's element or, one ulp below it, zero
    assert abs(float(H[0, 0]) / float(tiny) - 1) <= 14 * eps or float(H[0, 0]) == 0
