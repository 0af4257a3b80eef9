r"""Condition numbers of the functions: $\max \|L(E)\|_F\,\|A\|_F / \|f(A)\|_F$ over $\|E\|_F = 1$, estimated.

For Hermitian A the Frechet derivative L is largest where the derivative of f is, so that one extreme eigenvalue
decides: it is found by a few steps of a block power method, from below.  For general A a power method runs on L itself,
which for the square root and the sign solves a Sylvester equation, by Newton's iteration for the sign of its
coefficient.
Source: Higham, Functions of Matrices (2008), sec. 3.3, 5.1, 6.1, 7.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar

PROBES = 8

POWER_STEPS = 6
"""Steps of the block power method; a norm is underestimated by a few per cent where the spectrum has no gap."""

FRECHET_STEPS = 2
"""Applications of L and of its adjoint; more than one seldom changes the first digit (Higham 2008, sec. 3.4)."""

SYLVESTER_STEPS = 60
"""Scaled Newton takes less than 10 where the spectrum is real, more where eigenvalues are near the imaginary axis."""

SYLVESTER_TOLERANCE = 1e-3


def two_norm(ops: Ops, X: Array, rng: np.random.Generator) -> Scalar:
    """Estimate ||X||_2 per matrix from below.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., n, n)
    rng : numpy.random.Generator
    """
    Z = ops.normal(rng, (X.shape[-1], PROBES), X)
    Xh = ops.adjoint(X)
    for _ in range(POWER_STEPS):
        Z = _unit_columns(ops, Z)
        Y = ops.matmul(X, Z)
        Z = ops.matmul(Xh, Y)
    return ops.xp.max(_column_norms(ops, Y), axis=-1)


def _column_norms(ops: Ops, Z: Array) -> Array:
    return ops.xp.linalg.vector_norm(ops.widen(Z), axis=-2)


def _unit_columns(ops: Ops, Z: Array) -> Array:
    largest = ops.positive_or_one(ops.max_abs(Z))
    Z = ops.scale(Z, 1 / largest)  # first, so that nothing underflows
    return Z / ops.xp.astype(ops.positive_or_one(_column_norms(ops, Z)), Z.dtype)[..., None, :]


def frechet_norm(
    ops: Ops,
    A: Array,
    derivative: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    rng: np.random.Generator,
) -> Scalar:
    """Estimate the norm of a linear map of matrices from below, by the power method.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., n, n)
        Gives shape, dtype and device.
    derivative, adjoint : callables
        The map and its adjoint.
    rng : numpy.random.Generator
    """
    n = A.shape[-1]
    E = ops.xp.broadcast_to(ops.normal(rng, (n, n), A), A.shape)
    for step in range(FRECHET_STEPS + 1):
        E = ops.scale(E, 1 / ops.positive_or_one(ops.norm_fro(E)))
        L = derivative(E)
        if step < FRECHET_STEPS:
            E = adjoint(L)
    return ops.norm_fro(L)


class Sylvester:
    """X L + L X = E for one X with its spectrum in the right half-plane and any number of E.

    sign([[X, -E], [0, -X]]) = [[I, -2 L], [0, -I]] (Roberts 1980; Higham 2008, sec. 2.4): Newton's iteration needs the
    inverses of the iterates from X only, which are kept.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., n, n)

    Attributes
    ----------
    converged : numpy array of bool, shape of the stack
        Whether X has a sign that is I; otherwise no solution means anything.
    """

    def __init__(self, ops: Ops, X: Array) -> None:
        self.ops = ops
        self.converged = np.zeros(X.shape[:-2], dtype=bool)
        self._steps: list[tuple[Scalar, Array]] = []
        n = X.shape[-1]
        for _ in range(SYLVESTER_STEPS):
            inverse = ops.inverse(X)
            mu = (ops.plain_norm_fro(inverse) / ops.plain_norm_fro(X)) ** 0.5
            self._steps.append((mu, inverse))
            X = ops.scale(X, mu / 2) + ops.scale(inverse, 1 / (2 * mu))
            distance = ops.as_host(ops.plain_norm_fro(ops.add_diagonal(X, -1.0)))
            self.converged = np.asarray(distance <= SYLVESTER_TOLERANCE * n**0.5)
            if not np.any(distance > SYLVESTER_TOLERANCE * n**0.5):  # NaN ends it too
                break

    def solve(self, E: Array) -> Array:
        """Return L."""
        ops = self.ops
        for mu, inverse in self._steps:
            E = ops.scale(E, mu / 2) + ops.scale(ops.matmul(inverse, ops.matmul(E, inverse)), 1 / (2 * mu))
        return E * 0.5

    def solve_adjoint(self, E: Array) -> Array:
        """Return L of X^H L + L X^H = E."""
        return self.ops.adjoint(self.solve(self.ops.adjoint(E)))


def divided_differences(ops: Ops, A: Array, power: float) -> np.ndarray[Any, Any]:
    """Largest |f[a, b]| over the eigenvalues of A, for f(z) = z^power: the spectral radius of the derivative of f at A.

    Its norm where A is normal, less than its norm otherwise.  From eigenvalues on the host.
    """
    host = ops.as_host(A)
    found = np.empty(host.shape[:-2])
    for index in np.ndindex(found.shape):
        try:
            a = np.linalg.eigvals(host[index].astype(np.complex128))
        except np.linalg.LinAlgError:
            found[index] = np.inf
            continue
        with np.errstate(all="ignore"):
            f, slope = a**power, np.abs(power * a ** (power - 1))
            difference = a[:, None] - a[None, :]
            quotient = np.abs((f[:, None] - f[None, :]) / difference)
            near = np.abs(difference) <= 1e-8 * np.abs(a)[:, None]  # there the slope has more digits
            near &= np.abs(f[:, None] - f[None, :]) <= 1e-4 * np.abs(f)[:, None]
            quotient = np.where(near, slope[:, None], quotient)
        found[index] = np.max(np.where(np.isnan(quotient), np.inf, quotient))
    return found


def error_of_root(ops: Ops, A: Array, R: Array, Z: Array) -> Scalar:
    """First-order bound on ||R - A^(1/2)||_F / ||R||_F for Hermitian R with the inverse Z.

    R^2 - A = D has the error D_ij / (x_i + x_j) in the basis of eigenvectors, of modulus at most |D_ij| / (2 sqrt(x_i
    x_j)), and ||Z^(1/2) D Z^(1/2)||_F^2 = tr (Z D)^2.  Two products.
    """
    G = ops.matmul(Z, ops.matmul(R, R) - A)
    return _root_of_trace_square(ops, G) / (2 * ops.positive_or_one(ops.plain_norm_fro(R)))


def error_of_power(ops: Ops, A: Array, X: Array, p: int) -> Scalar:
    """First-order bound on ||X - A^(-1/p)||_F / ||X||_F for Hermitian X.

    With y = 1/x, A - X^-p = D has the error x_i x_j D_ij / sum y_i^a y_j^(p-1-a), and that sum is at least p (y_i
    y_j)^((p-1)/2); X^(p+1) D = X (X^p A - I).  About log2 p + 3 products.
    """
    E = ops.add_diagonal(ops.matmul(matrix_power(ops, X, p), A), -1.0)
    return _root_of_trace_square(ops, ops.matmul(X, E)) / (p * ops.positive_or_one(ops.plain_norm_fro(X)))


def _root_of_trace_square(ops: Ops, G: Array) -> Scalar:
    return ops.xp.abs(ops.dot(ops.adjoint(G), G)) ** 0.5


def matrix_power(ops: Ops, X: Array, k: int) -> Array:
    """X^k by repeated squaring, k >= 1."""
    result = X
    for bit in bin(k)[3:]:
        result = ops.matmul(result, result)
        if bit == "1":
            result = ops.matmul(result, X)
    return result


def relative(ops: Ops, absolute: Scalar, A: Array, X: Array) -> Any:
    """Condition number relative to the Frobenius norms of A and f(A), on the host; infinite where it is not finite."""
    value = ops.as_host(absolute * ops.plain_norm_fro(A) / ops.positive_or_one(ops.plain_norm_fro(X)))
    return np.where(np.isfinite(value), value, np.inf).astype(np.float64)
