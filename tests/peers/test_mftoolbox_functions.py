"""Do the functions of square matrices satisfy the identities of Higham's MFToolbox (mft_test.m)?

n = 8, Gaussian A, B = A^2 and the scaled residuals are theirs, with their tolerance 200 n eps for what is backward
stable; identities that hold only as well as the problem is conditioned are multiplied by the condition number.
"""

import numpy as np
import pytest
import scipy.linalg

import matfun
from matfun import ConvergenceError

N = 8
EPS = float(np.finfo(np.float64).eps)
TOL = 200 * N * EPS
SEEDS = range(3)
STABLE_SQRT = ["auto", "schur", "newton", "prism-newton", "halley", "pade", "iannazzo", "qdwh", "zolotarev"]
STABLE_SIGN = ["auto", "schur", "newton", "prism-newton", "halley", "pade"]
DEFINITE = ["auto", *matfun.methods("sqrt")]

each_seed = pytest.mark.parametrize("seed", SEEDS)


def norm(X):
    return np.linalg.norm(X, 1)


def gaussian(seed=0, *, is_complex=False):
    """A matrix with eigenvalues away from the imaginary axis, so that A^2 has roots."""
    for offset in range(1000):
        rng = np.random.default_rng([seed, offset])
        A = rng.standard_normal((N, N))
        A = A + 1j * rng.standard_normal((N, N)) if is_complex else A
        w = np.linalg.eigvals(A)
        if np.min(abs(w.real)) > 0.1 * np.max(abs(w)):
            return A
    raise AssertionError


def definite(seed=0):
    G = np.random.default_rng(seed).standard_normal((N, N))
    return G @ G.T + np.eye(N) / 10


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("p", [2, 5, 10, 16])
@each_seed
def test_inverse_pth_roots(seed, p, is_complex):
    A = gaussian(seed, is_complex=is_complex)
    B = A @ A
    X, info = matfun.invrootm(B, p, full_output=True)
    assert info.ok
    assert X.dtype == B.dtype
    # the root itself is Y = X^-1; rounding of the two inverses is amplified by the condition number of X
    Y = np.linalg.inv(X)
    kappa = np.linalg.cond(X)
    powers = np.linalg.matrix_power(Y, p)
    assert norm(powers - B) / (norm(Y) ** p + norm(B)) <= TOL * max(kappa, info.condition)
    assert norm(X @ Y - np.eye(N)) <= TOL * kappa
    # principal: within the angle pi/p of the positive axis
    assert np.max(abs(np.angle(np.linalg.eigvals(X)))) < np.pi / p
    expected = scipy.linalg.fractional_matrix_power(B, -1 / p)
    assert norm(X - expected) / norm(expected) <= TOL * max(1.0, info.condition)


@pytest.mark.parametrize("p", [2, 5, 10, 16])
@pytest.mark.parametrize("method", ["newton-schulz", "prism", "pade", "schur", "eigh"])
@each_seed
def test_inverse_pth_roots_of_definite_matrices(seed, p, method):
    B = definite(seed)
    X, info = matfun.invrootm(B, p, method, rng=0, full_output=True)
    assert info.ok
    assert np.array_equal(X, X.T)
    w, V = np.linalg.eigh(B)
    expected = V * w ** (-1 / p) @ V.T
    assert norm(X - expected) / norm(expected) <= TOL * max(1.0, info.condition)
    assert norm(np.linalg.matrix_power(X, p) @ B - np.eye(N)) / (norm(X) ** p * norm(B)) <= TOL


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("method", STABLE_SIGN)
@each_seed
def test_sign(seed, method, is_complex):
    A = gaussian(seed, is_complex=is_complex)
    S, info = matfun.signm(A, method, rng=0, full_output=True)
    assert info.ok
    size = norm(S)
    assert norm(S @ S - np.eye(N)) / (size**2 + 1) <= TOL
    # A = S N with N = (A^2)^(1/2)
    M = matfun.sqrtm(A @ A)
    loss = max(1.0, info.condition)
    assert norm(A - S @ M) / (norm(A) + size * norm(M)) <= TOL * loss
    assert norm(S @ M - M @ S) / (size * norm(M)) <= TOL * loss
    assert np.round(np.trace(S).real) == np.sum(np.sign(np.linalg.eigvals(A).real))


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("method", STABLE_SQRT)
@each_seed
def test_denman_beavers_pair(seed, method, is_complex):
    # DB: P^2 = B, Q^2 = B^-1; the product form: M = P Q = I.  Newton's rule is that product form.
    A = gaussian(seed, is_complex=is_complex)
    B = A @ A
    P, Q = pair = matfun.sqrtm_pair(B, method, rng=0)
    assert pair.info.ok
    loss = max(1.0, pair.info.condition)
    inverse = np.linalg.inv(B)
    assert norm(P @ P - B) / (norm(P) ** 2 + norm(B)) <= TOL * loss
    assert norm(Q @ Q - inverse) / (norm(Q) ** 2 + norm(inverse)) <= TOL * loss
    assert norm(P @ Q - np.eye(N)) / (norm(P) * norm(Q)) <= TOL * loss
    # the principal root of A^2 is sign(A) A
    assert norm(matfun.signm(A) @ A - P) / norm(P) <= TOL * loss * norm(matfun.signm(A))
    # alone they are the same numbers
    assert norm(matfun.sqrtm(B, method, rng=0) - P) / norm(P) <= TOL * loss
    assert norm(matfun.invsqrtm(B, method, rng=0) - Q) / norm(Q) <= TOL * loss


def test_product_form_leaves_m_at_the_identity():
    # the residual of the loop is I - M; the last step squares it for the price of a product
    for seed in SEEDS:
        A = gaussian(seed)
        _, info = matfun.sqrtm(A @ A, "newton", rng=0, full_output=True)
        assert info.residual <= EPS**0.5
        assert info.steps <= 20


@pytest.mark.parametrize("method", DEFINITE)
@each_seed
def test_sqrtm_of_definite_matrices_is_symmetric_to_the_last_bit(seed, method):
    # sqrtm_pd
    B = definite(seed)
    R, Z = pair = matfun.sqrtm_pair(B, method, rng=0)
    assert pair.info.ok
    for X in (R, Z):
        assert np.array_equal(X, X.T)
        assert np.linalg.eigvalsh(X).min() > 0
    assert norm(R @ R - B) / norm(R) ** 2 <= TOL
    assert norm(Z @ Z @ B - np.eye(N)) / (norm(Z) ** 2 * norm(B)) <= TOL
    assert norm(R @ Z - np.eye(N)) / (norm(R) * norm(Z)) <= TOL


@pytest.mark.parametrize("method", DEFINITE)
def test_pulays_matrix(method):
    # tridiag(1, 4, 1): diagonally dominant; eigenvalues 4 + 2 cos(k pi / 9)
    k = np.arange(1, N + 1)
    B = 4 * np.eye(N) + np.eye(N, k=1) + np.eye(N, k=-1)
    V = np.sin(np.outer(k, k) * np.pi / (N + 1)) * (2 / (N + 1)) ** 0.5
    expected = V * (4 + 2 * np.cos(k * np.pi / (N + 1))) ** 0.5 @ V
    assert norm(matfun.sqrtm(B, method, rng=0) - expected) / norm(expected) <= TOL


@each_seed
def test_sylvester_through_the_sign(seed):
    # A X + X E = C with spectra in the right half-plane: sign [[A, -C], [0, -E]] = [[I, -2 X], [0, -I]]
    rng = np.random.default_rng(seed)
    A, E = (rng.standard_normal((N, N)) / 4 + 2 * np.eye(N) for _ in range(2))
    C = rng.standard_normal((N, N))
    for method in STABLE_SIGN:
        S = matfun.signm(np.block([[A, -C], [np.zeros((N, N)), -E]]), method, rng=0)
        X = -S[:N, N:] / 2
        assert norm(A @ X + X @ E - C) / ((norm(A) + norm(E)) * norm(X) + norm(C)) <= TOL


@each_seed
def test_riccati(seed):
    # X A X = B of definite A, B: X = A^(-1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2), the geometric mean of A^-1 and B
    A, B = definite(seed), definite(seed + 10)
    R, Z = matfun.sqrtm_pair(A)
    middle = R @ B @ R
    X = Z @ matfun.sqrtm((middle + middle.T) / 2) @ Z
    kappa = np.linalg.cond(A) * np.linalg.cond(B)
    assert norm(X @ A @ X - B) / (norm(X) ** 2 * norm(A) + norm(B)) <= TOL * kappa**0.5


def exact_condition(function, A, f):
    """Relative condition number through the Kronecker form of the Frechet derivative by block matrices."""
    n = len(A)
    K = np.empty((n * n, n * n))
    for j in range(n * n):
        E = np.zeros(n * n)
        E[j] = 1
        block = np.block([[A, E.reshape(n, n)], [np.zeros((n, n)), A]])
        K[:, j] = function(block)[:n, n:].ravel()
    return np.linalg.norm(K, 2) * np.linalg.norm(A) / np.linalg.norm(f)


@each_seed
def test_condition_estimates(seed):
    # theirs must lie within [c/10, 2 c]
    A = gaussian(seed)
    for B in (A @ A, definite(seed)):
        R, info = matfun.sqrtm(B, full_output=True, rng=0)
        exact = exact_condition(scipy.linalg.sqrtm, B, R)
        assert exact / 10 <= info.condition <= 2 * exact
    V, info = matfun.invm(A, full_output=True, rng=0)
    exact = np.linalg.norm(V, 2) ** 2 * np.linalg.norm(A) / np.linalg.norm(V)
    assert exact / 10 <= info.condition <= 2 * exact


@each_seed
def test_condition_estimate_of_the_sign(seed):
    A = gaussian(seed)
    S, info = matfun.signm(A, full_output=True, rng=0)
    exact = exact_condition(matfun.signm, A, S)
    assert exact / 10 <= info.condition <= 2 * exact


@pytest.mark.parametrize("method", ["lu", "newton-schulz", "prism"])
@each_seed
def test_inverse(seed, method):
    A = gaussian(seed)
    V, info = matfun.invm(A, method, rng=0, full_output=True)
    assert info.ok
    kappa = np.linalg.cond(A)
    assert norm(A @ V - np.eye(N)) / (norm(A) * norm(V)) <= TOL
    assert norm(V - np.linalg.inv(A)) / norm(V) <= TOL * kappa


def test_what_has_no_root_is_not_given_one():
    # B = A^2 of A with eigenvalues on the imaginary axis has them on the negative axis
    A = np.zeros((N, N))
    A[:2, :2] = [[0, 1], [-1, 0]]
    A[2:, 2:] = np.diag(np.arange(1.0, N - 1))
    A = A + np.triu(np.ones((N, N)), 2)  # not normal, so that A^2 is general
    for method in STABLE_SQRT:
        with pytest.raises(ConvergenceError, match="closed negative axis"):
            matfun.sqrtm(A @ A, method, rng=0)
