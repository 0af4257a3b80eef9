"""Are the functions of square matrices right to their condition, do their error bounds hold, is each Status reached?

The truth is the eigendecomposition of the stored matrix in 40 digits.
"""

from functools import cache

import numpy as np
import pytest
import scipy.linalg
from mpmath import mp

import matfun
from matfun import Polynomial, Status
from matfun.functions.square_run import ACCURACY
from matfun.lab import truth
from matfun.lab.spectra import log_spaced, with_singular_values
from matfun.rules.rule import registered
from tests.exam.walk import each_library, library_called
from theory import qdwh

N = 6

FUNCTIONS = {
    "sqrtm": ("sqrt", matfun.sqrtm, lambda x: mp.sqrt(x)),
    "invsqrtm": ("sqrt", matfun.invsqrtm, lambda x: 1 / mp.sqrt(x)),
    "invrootm-3": ("invroot", lambda A, **k: matfun.invrootm(A, 3, **k), lambda x: 1 / mp.root(x, 3)),
    "invrootm-4": ("invroot", lambda A, **k: matfun.invrootm(A, 4, **k), lambda x: 1 / mp.root(x, 4)),
    "invrootm-8": ("invroot", lambda A, **k: matfun.invrootm(A, 8, **k), lambda x: 1 / mp.root(x, 8)),
    "signm": ("sign", matfun.signm, lambda x: mp.sign(mp.re(x))),
    "invm": ("inv", matfun.invm, lambda x: 1 / x),
}

KINDS = {
    "definite-10": (10.0, "float64"),
    "definite-1e6": (1e6, "float64"),
    "definite-1e12": (1e12, "float64"),
    "definite-1e5": (1e5, "float32"),
    "hermitian-1e4": (1e4, "complex128"),
    "general": (100.0, "float64"),
    "general-complex": (100.0, "complex128"),
}

EVERY = [
    pytest.param(name, method, id=f"{name}-{method}")
    for name, (problem, _, _) in FUNCTIONS.items()
    for method in matfun.methods(problem)
]


@cache
def matrix(kind, sign):
    kappa, dtype = KINDS[kind]
    rng = np.random.default_rng(7)
    Z = rng.standard_normal((N, N)) + (1j * rng.standard_normal((N, N)) if dtype == "complex128" else 0)
    Q = np.linalg.qr(Z)[0]
    values = 3.0 * np.geomspace(1 / kappa, 1, N) * (np.resize([1, -1], N) if sign else 1)
    if kind.startswith("general"):
        V = Q @ (np.eye(N) + np.triu(rng.uniform(-0.4, 0.4, (N, N)), 1))
        return ((V * values) @ np.linalg.inv(V)).astype(dtype)
    A = ((Q * values) @ Q.conj().T).astype(dtype)
    return (A + A.conj().T) / 2


@cache
def eigen(kind, sign):
    A = matrix(kind, sign)
    with mp.workdps(40):
        M = mp.matrix(A.astype(np.complex128).tolist())
        if kind.startswith("general"):
            values, V = mp.eig(M)
            return list(values), V, V**-1
        values, V = mp.eighe(M)
        return list(values), V, V.H


@cache
def truth_of(name, kind):
    values, V, W = eigen(kind, name == "signm")
    with mp.workdps(40):
        X = V * mp.diag([FUNCTIONS[name][2](v) for v in values]) * W
    found = np.array([[complex(X[i, j]) for j in range(N)] for i in range(N)])
    return found if np.iscomplexobj(matrix(kind, False)) else found.real


def hermitian_only(method):
    return getattr(registered()[method].make(), "hermitian_only", ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "method"), EVERY)
def test_the_error_is_that_of_the_condition(name, method, kind):
    A = matrix(kind, name == "signm")
    if kind.startswith("general") and FUNCTIONS[name][0] in hermitian_only(method):
        pytest.skip("for Hermitian matrices only")
    X, info = FUNCTIONS[name][1](A, method=method, certificate="exact", rng=0, full_output=True)
    eps = float(np.finfo(A.dtype).eps)
    want = truth_of(name, kind)
    error = float(np.linalg.norm(X - want) / np.linalg.norm(want))
    assert info.status is Status.CONVERGED
    assert X.dtype == A.dtype
    assert error <= (ACCURACY + N**0.5) * max(1.0, float(info.condition)) * eps
    # the bound is first-order, and evaluated in the dtype of A: its own rounding has the size of the condition
    assert error <= 1.1 * float(info.forward_error) + 4 * N**0.5 * max(1.0, float(info.condition)) * eps
    assert info.forward_error <= 8 * (ACCURACY + N**0.5) * max(1.0, float(info.condition)) * eps
    if not kind.startswith("general"):
        assert np.array_equal(X, X.conj().T)


@pytest.mark.parametrize("name", FUNCTIONS)
@each_library
def test_every_library(library_name, name):
    library = library_called(library_name)
    problem, function, _ = FUNCTIONS[name]
    for kind in ("definite-1e5", "general-complex"):
        A = matrix(kind, name == "signm")
        eps, want = float(np.finfo(A.dtype).eps), truth_of(name, kind)
        for method in matfun.methods(problem):
            if kind.startswith("general") and problem in hermitian_only(method):
                continue
            X, info = function(library.put(A), method=method, rng=0, full_output=True)
            error = float(np.linalg.norm(library.get(X) - want) / np.linalg.norm(want))
            assert error <= (ACCURACY + N**0.5) * max(1.0, float(info.condition)) * eps, (kind, method)


# ---- every Status ---------------------------------------------------------------------------------


def turned(*values, general=False):
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((len(values), len(values))))[0]
    if general:
        Q = Q @ (np.eye(len(values)) + np.diag(np.full(len(values) - 1, 0.3), 1))
    A = (Q * np.array(values)) @ np.linalg.inv(Q)
    return A if general else (A + A.T) / 2


class BeyondTheRegion:
    """Newton-Schulz with the largest eigenvalue of M put beyond the zero p + 1 of its polynomial."""

    def largest(self, p, lower):  # noqa: ARG002
        return (p + 2) / 0.95

    def next(self, view):
        return Polynomial((1.0, 1 / view.p))


class ToInfinity:
    def next(self, view):
        return Polynomial((1e200,)) if view.step >= 2 else Polynomial((1.0, 0.3))


class Steep:
    """A first polynomial of moderate values on the spectrum {a, b} of R and huge coefficients: rounding swamps X."""

    def __init__(self, a, b):
        self.a, self.b = a, b

    def next(self, view):
        if view.step:
            return Polynomial((1.0, 1 / view.p))
        return Polynomial((1 + 1e9 * self.a * self.b, -1e9 * (self.a + self.b), 1e9))


MILD = turned(1.0, 0.5)
SIZE_OF_MILD = min(np.linalg.norm(MILD), np.abs(MILD).sum(axis=0).max())

REACHED = {
    Status.CONVERGED: lambda **k: matfun.sqrtm(turned(3, 2, 1), method="newton", **k),
    Status.UNCHECKED: lambda **k: matfun.sqrtm(turned(3, 2, 1), steps=2, **k),
    Status.FELL_BACK: lambda **k: matfun.invrootm(
        turned(3, 2, 1), 3, method="newton-schulz", max_steps=1, **(k | {"on_failure": "fallback"})
    ),
    Status.STAGNATED: lambda **k: matfun.signm(turned(3, 2, -1), method=matfun.Muon(), **k),
    Status.MAX_STEPS: lambda **k: matfun.invm(turned(3, 2, 1e-6), method="newton-schulz", max_steps=3, **k),
    Status.NOT_FINITE: lambda **k: matfun.invm(turned(3, 2, 1, general=True), method=ToInfinity(), **k),
    Status.INACCURATE: lambda **k: matfun.invrootm(
        MILD, 3, method=Steep(1 - 1 / SIZE_OF_MILD, 1 - 0.5 / SIZE_OF_MILD), **k
    ),
    Status.INDEFINITE: lambda **k: matfun.sqrtm(turned(3, 2, -1), method="newton", **k),
    Status.SINGULAR: lambda **k: matfun.invm(np.array([[1.0, 2.0], [2.0, 4.0]]), method="newton-schulz", **k),
    Status.ILL_CONDITIONED: lambda **k: matfun.invm(np.diag([1.0, 1e-17]), method="lu", **k),
    Status.WRONG_BRANCH: lambda **k: matfun.invrootm(np.diag([1.0, 0.1]), 4, method=BeyondTheRegion(), **k),
}


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.COMPLETED], ids=lambda s: s.name)  # polar's
def test_every_status_is_reached(status):
    try:
        _, info = REACHED[status](on_failure="raise", full_output=True)
    except matfun.ConvergenceError as error:
        info = error.result[-1]
    except ValueError as error:
        assert status is Status.INDEFINITE
        assert "smallest eigenvalue is -1.0" in str(error)  # noqa: PT017 - only one status has no result
        return
    assert info.status is status


@pytest.mark.parametrize(("method", "status"), [("eigh", Status.CONVERGED), ("newton", Status.FELL_BACK)])
def test_root_of_a_singular_semidefinite_matrix(method, status):
    X, info = matfun.sqrtm(np.diag([3.0, 2.0, 0.0]), method=method, full_output=True)
    assert info.status is status
    assert np.allclose(X, np.diag([3.0, 2.0, 0.0]) ** 0.5, rtol=1e-15, atol=0)


def test_wrong_branch_is_one_that_satisfies_the_equation():
    A = np.diag([1.0, 0.1])
    with pytest.warns(matfun.ConvergenceWarning):
        X, info = matfun.invrootm(A, 4, method=BeyondTheRegion(), on_failure="warn", full_output=True)
    assert np.linalg.norm(np.linalg.matrix_power(X, 4) @ A - np.eye(2)) < 1e-10
    assert np.min(np.linalg.eigvals(X).real) < 0
    assert info.residual < 1e-7


# ---- QDWH and Zolotarev ---------------------------------------------------------------------------

SIDE = 32


def two_level(kappa):
    H = scipy.linalg.hadamard(SIDE) / SIDE**0.5
    return (H * np.resize([1.0, 1 / kappa], SIDE)) @ H[::-1].T


def graded(kappa):
    rng = np.random.default_rng(5)
    return np.geomspace(1, 1 / kappa, SIDE), rng.standard_normal((SIDE, SIDE))


HARD = {
    "hadamard": two_level,
    "rows": lambda kappa: graded(kappa)[0][:, None] * graded(kappa)[1],
    "columns": lambda kappa: graded(kappa)[1] * graded(kappa)[0],
    "log-spaced": lambda kappa: with_singular_values(log_spaced(SIDE, kappa), SIDE, SIDE, 0),
}


@pytest.mark.parametrize("kappa", [1e4, 1e8, 1e16])
@pytest.mark.parametrize("kind", HARD)
@each_library
def test_hard_polar_factors(library_name, kind, kappa):
    library = library_called(library_name)
    A = HARD[kind](kappa)
    eps = 2.0**-52
    for method in ("qdwh", "zolotarev"):
        U, H = (result := matfun.polar(library.put(A), method=method, rng=0))
        U, H, info = library.get(U), library.get(H), result.info
        assert info.status is Status.CONVERGED
        bound = (12 + SIDE**0.5) * eps
        assert truth.backward_error(A, U, H) <= bound
        assert np.linalg.norm(U.T @ U - np.eye(SIDE), 2) <= bound
        assert np.array_equal(H, H.T)
        smallest = np.linalg.svd(A, compute_uv=False)[-1] / float(library.get(info.scale))
        lower = max(smallest / SIDE**0.5, eps / 4)  # the estimate is at most sqrt n too small
        # some more where singular values are below eps/4, the least bound, and have to be lifted to it
        noise = 3 * (kappa > 1 / eps)
        if method == "qdwh":
            assert info.steps <= qdwh.steps_to(lower, eps**0.5 / (4 * SIDE**0.5)) + 1 + noise
        else:
            assert info.steps <= 2 + 1 + noise


@pytest.mark.parametrize(("kappa", "more"), [(30.0, 2), (1e4, 1), (1e8, 1)])
def test_a_bound_that_is_far_too_small_costs_little(kappa, more):
    A = with_singular_values(log_spaced(SIDE, kappa), SIDE, SIDE, 0)
    scale = float(matfun.polar(A, method="qdwh").info.scale)
    good, small = (matfun.polar(A, method=matfun.Qdwh(lower=f / kappa / scale)).info.steps for f in (1.0, 1e-6))
    assert good <= small <= good + more
