"""Do the inverse roots pass what the Shampoo repositories ask of theirs, and where those have no guarantee, is it said?

facebookresearch/optimizers (matrix_functions_test.py), optax (linear_algebra_test.py), NVIDIA Emerging-Optimizers
(test_matrix_root_inverse_utils.py); inputs and, where they are the tighter, tolerances are theirs.
"""

from fractions import Fraction

import numpy as np
import pytest

import matfun
from matfun import ConvergenceError

EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
METHODS = ["auto", *matfun.methods("invroot")]
ITERATIONS = ["newton-schulz", "prism", "pade"]

each_method = pytest.mark.parametrize("method", METHODS)


def documented(info, n, eps):
    """Documented limit of the relative error: 8 times (50 + sqrt n) eps times the condition number."""
    return 8 * (50 + n**0.5) * eps * np.maximum(info.condition, 1.0)


def method_for(method, p):
    """The registered names of the problem that serves p."""
    problem = {1: "inv", 2: "sqrt"}.get(Fraction(p).numerator, "invroot")
    return method if method == "auto" or method in matfun.methods(problem) else "auto"


def root_of(A, p, method, dtype="float64"):
    X, info = matfun.invrootm(A.astype(dtype), p, method_for(method, p), rng=0, full_output=True)
    assert info.ok
    assert X.dtype == dtype
    return X, info


# ---- facebookresearch/optimizers -----------------------------------------------------------------

INTEGERS = np.array([[1195.0, -944, -224], [-944, 746, 177], [-224, 177, 42]])
"""Eigenvalues 2.9e-3, 0.174 and 1983, so that kappa is 7e5."""
ITS_INVERSE_ROOT = np.array([[1.0, 1, 1], [1, 2, -3], [1, -3, 18]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_method
def test_fb_diagonal(method, dtype):
    X, _ = root_of(np.diag([1.0, 4.0]), 2, method, dtype)
    np.testing.assert_allclose(X, np.diag([1, 0.5]), rtol=0, atol=60 * float(np.finfo(dtype).eps))
    X, _ = root_of(np.diag([1.0, 4.0]), 1, method, dtype)
    np.testing.assert_allclose(X, np.diag([1, 0.25]), rtol=0, atol=60 * float(np.finfo(dtype).eps))
    X, _ = root_of(np.diag([1.0, 16.0]), 4, method, dtype)
    np.testing.assert_allclose(X, np.diag([1, 0.5]), rtol=0, atol=60 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("exponent", [1, 2])
@pytest.mark.parametrize("method", ["auto", *(m for m in matfun.methods("sqrt") if m != "iannazzo")])
def test_fb_integer_matrix(method, exponent):
    p = Fraction(2, exponent)
    X, info = matfun.invrootm(INTEGERS, p, method_for(method, p), rng=0, full_output=True)
    assert info.ok
    expected = np.linalg.matrix_power(ITS_INVERSE_ROOT, exponent)
    error = np.linalg.norm(X - expected) / np.linalg.norm(expected)
    assert error <= documented(info, 3, EPS)
    assert error <= 1e-8  # 0.05 and 1e-2 in float32 there


def test_fb_integer_matrix_by_iannazzos_iteration():
    X, info = matfun.invsqrtm(INTEGERS, "iannazzo", full_output=True)
    assert np.linalg.norm(X - ITS_INVERSE_ROOT) / np.linalg.norm(ITS_INVERSE_ROOT) <= documented(info, 3, EPS)


@pytest.mark.parametrize("method", ["auto", *matfun.methods("sqrt")])
def test_fb_integer_matrix_in_float32(method):
    # kappa eps is 0.08: their tolerance of 1e-2, or an error that says it
    try:
        X, info = matfun.invsqrtm(INTEGERS.astype(np.float32), method, rng=0, full_output=True)
    except ConvergenceError:
        return
    assert info.ok
    assert np.linalg.norm(X - ITS_INVERSE_ROOT) / np.linalg.norm(ITS_INVERSE_ROOT) <= min(
        1.0, documented(info, 3, EPS32)
    )


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_fb_higher_orders(degree):
    # their orders 2 to 6
    for A, expected in ((np.diag([1.0, 4.0]), np.diag([1, 0.5])), (INTEGERS, ITS_INVERSE_ROOT)):
        rule = next_degree(degree)
        X, info = matfun.invsqrtm(A, rule, full_output=True)
        assert np.linalg.norm(X - expected) / np.linalg.norm(expected) <= documented(info, len(A), EPS)


def next_degree(degree):
    """Newton-Schulz with h of this degree in the residual."""

    class Taylor:
        def next(self, view):
            coefficients = [1.0]
            for k in range(degree):
                coefficients.append(coefficients[-1] * (1 / view.p + k) / (k + 1))
            return matfun.Polynomial(tuple(coefficients))

    return Taylor()


@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("p", [1, 2, 4, 8])
@each_method
def test_fb_identity(method, p, n):
    X, info = root_of(np.eye(n), p, method)
    np.testing.assert_allclose(X, np.eye(n), rtol=0, atol=30 * EPS)
    assert info.steps <= 9  # an iteration starts from the identity divided by a bound on its norm, which is 1


def toeplitz(n, alpha, beta, corner):
    """Tridiagonal, alpha on the diagonal, beta beside it, corner added to its ends; with its eigensystem."""
    A = alpha * np.eye(n) + beta * (np.eye(n, k=1) + np.eye(n, k=-1))
    A[0, 0] += corner
    A[-1, -1] += corner
    if corner == 0:
        angles = np.arange(1, n + 1) * np.pi / (n + 1)
        V = np.sin(np.outer(np.arange(1, n + 1), angles))
    elif corner == beta:
        angles = np.arange(n) * np.pi / n
        V = np.cos(np.outer(np.arange(1, n + 1) - 0.5, angles))
    else:
        angles = np.arange(1, n + 1) * np.pi / n
        V = np.sin(np.outer(np.arange(1, n + 1) - 0.5, angles))
    return A, alpha + 2 * beta * np.cos(angles), V / np.linalg.norm(V, axis=0)


@pytest.mark.parametrize(("alpha", "beta"), [(0.001499, 0.0007486), (2.0, 0.99), (1.0, -0.25)])
@pytest.mark.parametrize("n", [10, 100])
@pytest.mark.parametrize("p", [2, 4, 8])
@each_method
def test_fb_tridiagonal_toeplitz(method, p, n, alpha, beta):
    for corner in (0.0, beta, -beta):
        A, w, V = toeplitz(n, alpha, beta, corner)
        np.testing.assert_allclose(V * w @ V.T, A, rtol=0, atol=30 * n * EPS * alpha)
        X, info = root_of(A, p, method)
        expected = V * w ** (-1 / p) @ V.T
        error = np.linalg.norm(X - expected) / np.linalg.norm(expected)
        assert error <= documented(info, n, EPS)
        assert error <= 1e-4
        # theirs for M = X^p A
        assert np.max(abs(np.linalg.matrix_power(X, p) @ A - np.eye(n))) <= 1e-6


RANK_ONE = np.array([[2.0, 1.0], [2.0, 1.0]])


def test_fb_rank_one():
    # theirs is [[2, 1], [2, 1]], of which the eigensolver sees the lower triangle; no such guess here
    for method in ("auto", "schur", "newton-schulz"):
        with pytest.raises(ConvergenceError, match="closed negative axis"):
            matfun.invrootm(RANK_ONE, 4, method)
    with pytest.raises(ValueError, match=r"^A: expected Hermitian matrices because of pinv="):
        matfun.invrootm(RANK_ONE, 4, pinv=1e-10)
    A = np.outer([2.0, 1], [2.0, 1])
    with pytest.raises(ValueError, match="smallest eigenvalue"):
        matfun.invrootm(A, 4)
    # pseudo-inverse: 5^(-1/4) on the range
    for p in (1, 2, 4, Fraction(4, 3)):
        X, info = matfun.invrootm(A, p, pinv=1e-10, full_output=True)
        assert info.ok
        np.testing.assert_allclose(X, A / 5 * 5.0 ** (-1 / p), rtol=0, atol=30 * EPS)


@pytest.mark.parametrize("ridge", [1e-12, 1e-8, 1e-6, 1e-3])
@each_method
def test_fb_rank_one_with_a_ridge(method, ridge):
    # A + ridge lambda_max I has the eigenvalues 5 (1 + ridge) and 5 ridge
    A = np.outer([2.0, 1], [2.0, 1])
    for p in (2, 4):
        X, info = matfun.invrootm(A, p, method_for(method, p), ridge=ridge, rng=0, full_output=True)
        assert info.ok
        assert float(info.ridge) == pytest.approx(5 * ridge, rel=1e-3)
        shift = float(info.ridge)
        null = np.eye(2) - A / 5
        expected = A / 5 * (5 + shift) ** (-1 / p) + null * shift ** (-1 / p)
        assert np.linalg.norm(X - expected) / np.linalg.norm(expected) <= documented(info, 2, EPS)


@pytest.mark.parametrize("method", ["auto", "lu", "newton-schulz", "prism"])
def test_fb_root_of_a_twentieth(method):
    # theirs must raise, since 1e80 is no float32; in double it is a number, and right
    A = np.diag([1.0, 1e-4])
    X, info = matfun.invrootm(A, Fraction(1, 20), method, rng=0, full_output=True)
    assert info.ok
    np.testing.assert_allclose(X, np.diag([1.0, 1e80]), rtol=documented(info, 2, EPS))
    with pytest.raises(ConvergenceError):
        matfun.invrootm(A.astype(np.float32), Fraction(1, 20), method, rng=0)
    with pytest.raises(ConvergenceError):
        matfun.invrootm(A, Fraction(1, 100), method, rng=0)  # 1e400 is no double


@each_method
def test_fb_infinite_elements_are_refused(method):
    torch = pytest.importorskip("torch")
    A = torch.eye(3)
    A[0, 0] = float("inf")
    before = torch.backends.cuda.matmul.allow_tf32
    with pytest.raises(ValueError, match=r"^A: expected finite elements"):
        matfun.invrootm(A, 4, method)
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_fb_eigenvalues_of_either_sign_below_rounding():
    # huge beside +-eps: theirs takes what the eigensolver made of them
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    A = Q * np.array([1e10, 1.0, 1e-7, -1e-7]) @ Q.T
    A = (A + A.T) / 2
    with pytest.raises((ValueError, ConvergenceError)):
        matfun.invrootm(A, 2)
    X = matfun.invrootm(A, 2, pinv=1e-14)
    assert np.isfinite(X).all()
    assert np.linalg.norm(X, 2) == pytest.approx(1.0, rel=1e-5)
    X = matfun.invrootm(A, 2, ridge=1e-12)
    assert np.isfinite(X).all()


# ---- optax ---------------------------------------------------------------------------------------


def with_condition(kappa, n=16, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    w = kappa ** (-np.arange(n) / (n - 1))
    A = Q * w @ Q.T
    return (A + A.T) / 2, w, Q


@pytest.mark.parametrize("p", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("exponent", range(2, 12))
@each_method
def test_optax_in_double(method, exponent, p):
    A, w, Q = with_condition(10.0**exponent)
    X, info = root_of(A, p, method)
    expected = Q * w ** (-1 / p) @ Q.T
    # the matrix itself is known to eps ||A|| only, hence eps kappa in the expected value too
    assert np.linalg.norm(X - expected) / np.linalg.norm(expected) <= 2 * documented(info, 16, EPS)
    assert np.array_equal(X, X.T)


@pytest.mark.parametrize("p", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("exponent", range(2, 12))
@each_method
def test_optax_in_single(method, exponent, p):
    # theirs: error below 0.1 for exponents below 7, no guarantee beyond; here beyond it is said
    A, w, Q = with_condition(10.0**exponent)
    A = A.astype(np.float32)
    try:
        X, info = matfun.invrootm(A, p, method, rng=0, full_output=True)
    except (ConvergenceError, ValueError):
        assert exponent >= 6
        return
    expected = Q * w ** (-1 / p) @ Q.T
    error = np.linalg.norm(X - expected) / np.linalg.norm(expected)
    assert error <= 2 * documented(info, 16, EPS32)
    assert exponent < 8
    if exponent < 6:
        assert error <= 0.1


@pytest.mark.parametrize("p", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("exponent", range(2, 12))
def test_optax_with_a_ridge_in_single(exponent, p):
    # a ridge of 1e-6 in place of their 1e-12, which float32 does not see, makes every one of them good
    A, w, Q = with_condition(10.0**exponent)
    for method in ITERATIONS:
        X, info = matfun.invrootm(A.astype(np.float32), p, method, ridge=1e-5, rng=0, full_output=True)
        assert info.ok
        expected = Q * (w + float(info.ridge)) ** (-1 / p) @ Q.T
        assert np.linalg.norm(X - expected) / np.linalg.norm(expected) <= 0.1


@pytest.mark.parametrize("p", [3, 4, 5, 6, 7])
@each_method
def test_exact_pth_powers(method, p):
    # of a matrix with integer elements: B^p is exact in double
    B = np.array([[3.0, 1, 0], [1, 3, 1], [0, 1, 3]])
    A = np.linalg.matrix_power(B, p)
    X, info = root_of(A, p, method)
    expected = np.linalg.inv(B)
    assert np.linalg.norm(X - expected) / np.linalg.norm(expected) <= documented(info, 3, EPS)


# ---- NVIDIA Emerging-Optimizers ------------------------------------------------------------------


@pytest.mark.parametrize("p", [2, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_method
def test_eo_batched_toeplitz(method, p, dtype):
    eps = float(np.finfo(dtype).eps)
    pairs = [(2.0, 0.5), (1.0, -0.25), (4.0, 1.0), (1.0, 0.49)]
    systems = [toeplitz(12, alpha, beta, 0.0) for alpha, beta in pairs]
    A = np.stack([s[0] for s in systems]).astype(dtype)
    X, info = matfun.invrootm(A, p, method_for(method, p), rng=0, full_output=True)
    assert info.ok
    for i, (_, w, V) in enumerate(systems):
        expected = V * w ** (-1 / p) @ V.T
        error = np.linalg.norm(X[i] - expected) / np.linalg.norm(expected)
        assert error <= 8 * (50 + 12**0.5) * eps * max(info.condition[i], 1.0)
        assert error <= 2e-4  # theirs, of CANS
