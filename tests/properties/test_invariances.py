"""Does the answer move with its matrix: under unitary equivalence, scaling, transposition, permutation, change of side?

Two runs of a backward stable method on matrices that differ by rounding differ by the condition number of the unitary
factor, 1/sigma_min relative to ||A||_2, times twice the backward error (12 + sqrt k) eps sqrt k.  With
kappa = 10 and k <= 6 that is 700 eps; measured differences are below a tenth of it, and the limit of the tests is 350.
"""

import numpy as np
import pytest

import matfun
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)
METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]
SHAPES = ((6, 6), (9, 5), (4, 7))
SPECTRUM = np.geomspace(0.1, 1.0, 6)
CLOSE = 350 * EPS

each_kind = pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
each_method = pytest.mark.parametrize("method", METHODS)
each_converging = pytest.mark.parametrize("method", ["auto", *CONVERGING])


def steps_close(method, steps=5):
    """Difference that rounding may make in a fixed number of steps: see tests/backends/test_agreement.py."""
    updates = matfun.simulate(method, SPECTRUM / np.linalg.norm(SPECTRUM), steps=steps, rng=0).updates
    sums = [sum(abs(float(c)) for c in getattr(h, "coefficients", (10.0,))) for h in updates]
    # growth of 10 x sqrt(6) to reach 1, in place of the 8 of that test
    return 90 * max(sums) * EPS


def polar_of(A, method, **how):
    return matfun.polar(A, method=method, rng=0, **how)


# ---- unitary equivalence, permutation ------------------------------------------------------------


@each_kind
@each_converging
def test_unitary_equivalence(with_spectrum, unitary, method, is_complex):
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[: min(m, n)] / SPECTRUM[min(m, n) - 1], is_complex=is_complex)
        P, Q = unitary(m, is_complex=is_complex, seed=1), unitary(n, is_complex=is_complex, seed=2)
        U, H = polar_of(A, method)
        V, K = polar_of(P @ A @ Q, method)
        np.testing.assert_allclose(V, P @ U @ Q, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(K, Q.conj().T @ H @ Q, rtol=0, atol=CLOSE)


@each_kind
@pytest.mark.parametrize("method", [*(m for m in METHODS if m != "prism"), matfun.Prism(sketch_size=None)], ids=str)
def test_unitary_equivalence_of_a_few_steps(with_spectrum, unitary, method, is_complex):
    # not of a sketched fit: the sketch does not turn with the matrix
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=is_complex)
        P, Q = unitary(m, is_complex=is_complex, seed=1), unitary(n, is_complex=is_complex, seed=2)
        X = matfun.orthogonalize(A, method, rng=0)
        Y = matfun.orthogonalize(P @ A @ Q, method, rng=0)
        np.testing.assert_allclose(Y, P @ X @ Q, rtol=0, atol=steps_close(method))


@each_converging
def test_permutations_and_signs(with_spectrum, method):
    rng = np.random.default_rng(5)
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :])
        rows, columns = rng.permutation(m), rng.permutation(n)
        signs = rng.choice([-1.0, 1.0], n)
        U, H = polar_of(A, method)
        V, K = polar_of(A[rows][:, columns] * signs, method)
        np.testing.assert_allclose(V, U[rows][:, columns] * signs, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(K, signs[:, None] * H[columns][:, columns] * signs, rtol=0, atol=CLOSE)


# ---- scale ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "exponents"),
    [
        ("float64", (-1000, -500, -340, -332, -57, -1, 1, 63, 498, 510, 1000)),
        ("complex128", (-1000, -333, 7, 499, 1000)),
        ("float32", (-110, -50, -40, -13, -12, -11, -3, 1, 13, 14, 49, 64, 120)),
        ("complex64", (-110, -39, 5, 50, 120)),
    ],
)
@each_method
def test_powers_of_two_change_no_bit(with_spectrum, method, dtype, exponents):
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=dtype.startswith("complex")).astype(dtype)
        X = matfun.orthogonalize(A, method, rng=0)
        result = matfun.polar(A, method=method, rng=0, on_failure="svd")
        for e in exponents:
            scaled = A * np.asarray(2.0**e, A.real.dtype)
            assert np.array_equal(matfun.orthogonalize(scaled, method, rng=0), X), e
            U, H = moved = matfun.polar(scaled, method=method, rng=0, on_failure="svd")
            assert np.array_equal(U, result.U), e
            assert np.array_equal(H, result.H * np.asarray(2.0**e, A.real.dtype)), e
            assert moved.info.steps == result.info.steps


@pytest.mark.parametrize(
    ("dtype", "limit"), [("float64", 300), ("complex128", 300), ("float32", 30), ("complex64", 30)]
)
@each_method
def test_any_scale(with_spectrum, method, dtype, limit):
    eps = float(np.finfo(dtype).eps)
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=dtype.startswith("complex"))
        X = matfun.orthogonalize(A.astype(dtype), method, rng=0)
        result = matfun.polar(A.astype(dtype), method=method, rng=0, on_failure="svd")
        for exponent in (-limit, -limit // 2, -12, -1, 3, 20, limit // 2, limit):
            c = 10.0**exponent
            scaled = (c * A).astype(dtype)
            Y = matfun.orthogonalize(scaled, method, rng=0)
            np.testing.assert_allclose(Y, X, rtol=0, atol=steps_close(method) / EPS * eps)
            U, H = moved = matfun.polar(scaled, method=method, rng=0, on_failure="svd")
            np.testing.assert_allclose(U, result.U, rtol=0, atol=CLOSE / EPS * eps)
            np.testing.assert_allclose(H.astype(result.H.dtype) / c, result.H, rtol=0, atol=CLOSE / EPS * eps)
            assert moved.info.status is result.info.status


@pytest.mark.parametrize("library", ["array_api_strict", "torch", "jax.numpy"])
def test_any_scale_on_every_library(with_spectrum, library):
    xp = pytest.importorskip(library)
    A = with_spectrum(5, 4, SPECTRUM[-4:])
    U = np.asarray(matfun.polar(A, rng=0).U)
    for method in CONVERGING:
        for c in (1e-300, 1e-160, 1e-30, 1e30, 1e160, 1e300):
            V, H = matfun.polar(xp.asarray(c * A), method=method, rng=0)
            np.testing.assert_allclose(np.asarray(V), U, rtol=0, atol=CLOSE)
            np.testing.assert_allclose(np.asarray(H) / c, U.T @ A, rtol=0, atol=CLOSE)
        for c in (1e-30, 1e-10, 1e10, 1e30):
            V = matfun.polar(xp.asarray((c * A).astype(np.float32)), method=method, rng=0).U
            np.testing.assert_allclose(np.asarray(V), U, rtol=0, atol=CLOSE / EPS * float(np.finfo(np.float32).eps))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_converging
def test_the_ends_of_the_number_range(with_spectrum, method, dtype):
    info = np.finfo(dtype)
    eps = float(info.eps)
    A = with_spectrum(4, 4, SPECTRUM[-4:])
    A /= np.max(np.abs(A))
    exact = matfun.polar(A, method="svd").U
    # the largest singular value must be a number too, for H to be one: 4 elements of max / 8 at most make max / 2
    for top in (float(info.max) / 8, float(info.tiny), float(info.tiny) * 2**-5):
        given = (A * top).astype(dtype)
        # below tiny a number keeps fewer digits: the smallest subnormal is its rounding unit
        rounding = max(eps, float(info.smallest_subnormal) / top)
        U, H = matfun.polar(given, method=method, rng=0)
        np.testing.assert_allclose(U, exact, rtol=0, atol=CLOSE / EPS * rounding)
        assert np.isfinite(H).all()
        X = matfun.orthogonalize(given, "polar-express", steps=8)
        assert np.linalg.norm(X - U, 2) <= 1e-3


@each_converging
def test_rows_of_very_different_scale(method):
    if method in ("newton", "prism-newton"):
        pytest.skip("a method that inverts needs a matrix that is not singular to working precision")
    # graded, not badly scaled as a whole: the small row is below rounding and only its existence counts
    A = np.diag([1.0, 1e-200])
    U, H = polar_of(A, method)
    assert np.linalg.norm(U.T @ U - np.eye(2)) <= 30 * EPS
    assert abs(H[0, 0] - 1) <= 30 * EPS


# ---- transposition, side -------------------------------------------------------------------------


@each_kind
@each_converging
def test_transposition_exchanges_the_sides(with_spectrum, method, is_complex):
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=is_complex)
        U, H = polar_of(A, method)
        V, K = polar_of(A.conj().T, method, side="left")
        np.testing.assert_allclose(V, U.conj().T, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(K, H, rtol=0, atol=CLOSE)


@each_kind
@each_method
def test_transposition_of_a_few_steps(with_spectrum, method, is_complex):
    for m, n in ((9, 5), (4, 7)):  # a square matrix is not iterated on as its adjoint: other Gram matrix, same numbers
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=is_complex)
        X, Y = (matfun.orthogonalize(B, method, rng=0) for B in (A, A.conj().T))
        np.testing.assert_allclose(Y, X.conj().T, rtol=0, atol=steps_close(method))


@each_kind
@each_converging
def test_the_side_does_not_touch_the_unitary_factor(with_spectrum, method, is_complex):
    for m, n in SHAPES:
        A = with_spectrum(m, n, SPECTRUM[-min(m, n) :], is_complex=is_complex)
        U, H = polar_of(A, method)
        V, K = polar_of(A, method, side="left")
        assert np.array_equal(U, V)
        assert H.shape == (n, n)
        assert K.shape == (m, m)
        # two products of 3-digit multiples of eps each
        np.testing.assert_allclose(K, U @ H @ U.conj().T, rtol=0, atol=CLOSE)


@each_converging
def test_conjugation(with_spectrum, method):
    A = with_spectrum(6, 4, SPECTRUM[-4:], is_complex=True)
    U, H = polar_of(A, method)
    V, K = polar_of(A.conj(), method)
    np.testing.assert_allclose(V, U.conj(), rtol=0, atol=CLOSE)
    np.testing.assert_allclose(K, H.conj(), rtol=0, atol=CLOSE)


@each_method
def test_a_real_matrix_in_complex_clothes(with_spectrum, method):
    A = with_spectrum(6, 4, SPECTRUM[-4:])
    X = matfun.orthogonalize(A, method, rng=0)
    Y = matfun.orthogonalize(A.astype(complex), method, rng=0)
    np.testing.assert_allclose(Y, X, rtol=0, atol=steps_close(method))


# ---- what the factors must be --------------------------------------------------------------------


@each_kind
@each_converging
def test_fixed_points(with_spectrum, unitary, method, is_complex):
    Q = unitary(5, is_complex=is_complex)
    U, H = polar_of(3 * Q[:, :4], method)
    np.testing.assert_allclose(U, Q[:, :4], rtol=0, atol=40 * EPS)
    np.testing.assert_allclose(H, 3 * np.eye(4), rtol=0, atol=120 * EPS)
    B = with_spectrum(5, 5, SPECTRUM[-5:], is_complex=is_complex)
    positive = B.conj().T @ B
    U, H = polar_of(positive, method)  # kappa 100 / 1.6^2: 40
    np.testing.assert_allclose(U, np.eye(5), rtol=0, atol=4 * CLOSE)
    np.testing.assert_allclose(H, positive, rtol=0, atol=CLOSE)
    again = polar_of(polar_of(B, method).U, method)
    np.testing.assert_allclose(again.U, polar_of(B, method).U, rtol=0, atol=40 * EPS)


@each_converging
def test_no_other_isometry_is_nearer(with_spectrum, unitary, method):
    A = with_spectrum(6, 4, SPECTRUM[-4:])
    U = polar_of(A, method).U
    nearest = np.linalg.norm(A - U)
    assert nearest == pytest.approx(np.linalg.norm(1 - SPECTRUM[-4:]), rel=1e-12)
    for seed in range(20):
        for size in (1e-3, 1.0):
            V = matfun.polar(U + size * np.random.default_rng(seed).standard_normal((6, 4))).U
            assert np.linalg.norm(A - V) > nearest


@each_converging
def test_the_trace_of_h_is_the_nuclear_norm(with_spectrum, method):
    for m, n in SHAPES:
        s = SPECTRUM[-min(m, n) :]
        H = polar_of(with_spectrum(m, n, s), method).H
        assert np.trace(H) == pytest.approx(s.sum(), rel=1e-13)
        eigenvalues = np.linalg.eigvalsh(H)
        np.testing.assert_allclose(eigenvalues[-len(s) :], s, rtol=0, atol=CLOSE)
        np.testing.assert_allclose(eigenvalues[: -len(s)], 0, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shape", [(90, 70), (70, 90)])
def test_the_order_in_memory_does_not_matter(shape, is_complex):
    """Large enough for BLAS's rank-k update, whose result is stored as its operand is."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if is_complex else 0)
    X, Y = (matfun.orthogonalize(np.asarray(A, order=order), "newton-schulz", 5) for order in "CF")
    # two orders of summation, and steps that lift nothing by more than h(1)^5 = (15/8)^5
    np.testing.assert_allclose(X, Y, rtol=0, atol=(15 / 8) ** 5 * (12 + 70**0.5) * np.finfo(float).eps)
