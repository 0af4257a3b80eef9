"""What only complex matrices, or stacks of unequal ones, can tell: conjugates, schedules, condition estimates."""

import numpy as np
import pytest
import scipy.linalg

import matfun

EPS = float(np.finfo(np.float64).eps)
SCHEDULED = ["polar-express", "chen-chow", "qdwh", "zolotarev"]


def spd(kappa, seed, n=8):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    A = (Q * np.geomspace(1 / kappa, 1.0, n)) @ Q.T
    return (A + A.T) / 2


@pytest.mark.parametrize("method", ["newton-schulz", "prism", "lu"])
def test_the_start_of_the_inverse_is_the_adjoint(method):
    # from A^T instead of A^H the residual of the first element would be 1 - (-1) = 2
    A = np.diag([1j, 0.5 - 0.5j, 1.0])
    V = matfun.invm(A, method, rng=0)
    np.testing.assert_allclose(V, np.diag(1 / np.diagonal(A)), rtol=0, atol=20 * EPS)


@pytest.mark.parametrize("method", SCHEDULED)
def test_every_member_of_a_stack_follows_its_own_schedule(method):
    A = np.stack([spd(10.0, 0), spd(1e9, 1), spd(1e3, 2)])
    roots = matfun.sqrtm(A, method)
    factors = matfun.polar(A, method=method).U
    for i in range(3):
        assert np.array_equal(roots[i], matfun.sqrtm(A[i], method))
        # a lone matrix has faster evaluations of the polar step, with other roundings; a stack of one has not
        assert np.array_equal(factors[i], matfun.polar(A[i : i + 1], method=method).U[0])


def derivative(function, A):
    """Matrix of the Frechet derivative of a function at A, by f([[A, E], [0, A]]) = [[f(A), L(E)], [0, f(A)]]."""
    n = A.shape[0]
    columns = []
    for k in range(n * n):
        E = np.zeros(n * n)
        E[k] = 1.0
        block = np.block([[A, E.reshape(n, n)], [np.zeros((n, n)), A]])
        columns.append(function(block)[:n, n:].ravel())
    return np.array(columns).T


def sign(A):
    """A (A^2)^(-1/2)."""
    return A @ np.linalg.inv(scipy.linalg.sqrtm(A @ A))


FUNCTIONS = {
    "signm": (matfun.signm, sign),
    "sqrtm": (matfun.sqrtm, scipy.linalg.sqrtm),
    "invsqrtm": (matfun.invsqrtm, lambda A: np.linalg.inv(scipy.linalg.sqrtm(A))),
    "invm": (matfun.invm, np.linalg.inv),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_the_condition_of_a_complex_matrix(name, seed):
    """From below, and within a factor 2 after two applications of the derivative and its adjoint."""
    rng = np.random.default_rng(seed)
    N = np.triu(rng.standard_normal((4, 4)) + 1j * rng.standard_normal((4, 4)), 1)
    eigenvalues = np.array([1 + 1j, 2 - 0.5j, 0.5 + 0.3j, 1.5]) * (np.array([1, -1, 1, -1]) if name == "signm" else 1)
    A = np.diag(eigenvalues) + 2 * N
    call, function = FUNCTIONS[name]
    X, info = call(A, "lu" if name == "invm" else "newton", full_output=True, rng=0)
    true = np.linalg.norm(derivative(function, A), 2) * np.linalg.norm(A) / np.linalg.norm(X)
    assert true / 2 <= info.condition <= 1.01 * true
