"""Does polar satisfy the identities of Higham's MFToolbox (mft_test.m, polar part)?

n = 8, Gaussian A, all residuals scaled, tolerance 200 n eps there; the two methods must agree with each other.
"""

import numpy as np
import pytest

import matfun
from matfun.rules.rule import registered

N = 8
EPS = float(np.finfo(np.float64).eps)
TOL = 200 * N * EPS
METHODS = [name for name in matfun.methods("polar") if registered()[name].converges]


def gaussian(m, n, *, is_complex=False, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n))
    return A + 1j * rng.standard_normal((m, n)) if is_complex else A


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("method", METHODS)
def test_iteration_against_svd(method, is_complex):
    A = gaussian(N, N, is_complex=is_complex)
    U, H = matfun.polar(A, method=method, rng=0)
    V, K = matfun.polar(A, method="svd", rng=0)
    scale = np.linalg.norm(A, 1)
    kappa = np.linalg.cond(A)
    assert kappa < 100  # the comparison below is worth something
    assert np.linalg.norm(A - U @ H, 1) / scale <= TOL
    assert np.linalg.norm(U.conj().T @ U - np.eye(N), 1) <= TOL
    assert np.array_equal(H, H.conj().T)
    assert np.linalg.norm(U - V, 1) <= TOL * kappa
    assert np.linalg.norm(H - K, 1) / scale <= TOL


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("method", METHODS)
def test_rectangular_its_transpose_and_a_zeroed_column(method, is_complex):
    A = gaussian(N + 2, N, is_complex=is_complex)
    zeroed = A.copy()
    zeroed[:, 2] = 0
    for B in (A, A.conj().T, zeroed, zeroed.conj().T):
        U, H = matfun.polar(B, method=method, rng=0)
        assert np.linalg.norm(B - U @ H, 1) / np.linalg.norm(B, 1) <= TOL
        gram = U.conj().T @ U if B.shape[0] >= B.shape[1] else U @ U.conj().T
        assert np.linalg.norm(gram - np.eye(N), 1) <= TOL
        assert np.array_equal(H, H.conj().T)
        assert np.linalg.eigvalsh(H).min() >= -TOL * np.linalg.norm(B, 1)
        # (H^2 - B^H B) / ||B||^2: H is the root of the Gram matrix
        assert np.linalg.norm(H @ H - B.conj().T @ B, 1) / np.linalg.norm(B, 1) ** 2 <= TOL


@pytest.mark.parametrize("method", METHODS)
def test_factors_of_a_sequence_of_products(method):
    # polar of U H is (U, H) again, for every H that is not nearly singular
    U = matfun.polar(gaussian(N, N)).U
    for seed in range(5):
        B = gaussian(N, N, seed=seed + 1)
        H = B @ B.T / N + np.eye(N)
        V, K = matfun.polar(U @ H, method=method, rng=0)
        assert np.linalg.norm(V - U, 1) <= TOL
        assert np.linalg.norm(K - H, 1) / np.linalg.norm(H, 1) <= TOL
