"""What the eigenvalues say when a function has no answer, or a wrong one: looked at on the host, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar

POWER_STEPS = 16
PROBES = 8


def largest_eigenvalue(ops: Ops, A: Array, rng: np.random.Generator) -> Scalar:
    """Estimate max |lambda| of a Hermitian matrix from below by a block power method, per matrix.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., n, n)
    rng : numpy.random.Generator
    """
    prescaled, exponent = ops.prescale(A)
    Z = ops.normal(rng, (A.shape[-1], PROBES), A)
    for _ in range(POWER_STEPS):
        Z = Z / ops.positive_or_one(ops.xp.linalg.vector_norm(Z, axis=-2, keepdims=True))
        Z = ops.matmul(prescaled, Z)
    return ops.xp.max(ops.xp.linalg.vector_norm(Z, axis=-2), axis=-1) * ops.power_of_two(exponent)


def smallest_eigenvalues(ops: Ops, A: Array, index: tuple[int, ...]) -> tuple[float, float]:
    """Smallest and largest eigenvalue of one Hermitian matrix of a stack."""
    values = np.linalg.eigvalsh(_member(ops, A, index))
    return float(values[0]), float(values[-1])


def spectrum_is_principal(ops: Ops, X: Array, branch: int, *, hermitian: bool) -> np.ndarray[Any, Any]:
    """Whether every eigenvalue of X lies within the angle pi / branch of the positive axis, per matrix.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., n, n)
    branch : int
    hermitian : bool
    """
    if hermitian:
        return np.asarray(ops.positive_definite(ops.hermitian_part(X)))
    host = ops.as_host(X)
    principal = np.zeros(host.shape[:-2], dtype=bool)
    for index in np.ndindex(principal.shape):
        if np.isfinite(host[index]).all():
            angles = np.abs(np.angle(np.linalg.eigvals(host[index])))
            principal[index] = np.max(angles) < np.pi / branch
    return principal


def distance_text(ops: Ops, A: Array, index: tuple[int, ...], problem: str) -> str:
    """Say how near the spectrum of one matrix comes to where the function is not defined."""
    values = np.linalg.eigvals(_member(ops, A, index))
    size = float(np.max(np.abs(values)))
    if size == 0:
        return "  A is zero."
    if problem == "sign":
        nearest = values[np.argmin(np.abs(values.real))]
        distance, place = abs(nearest.real), "the imaginary axis"
    elif problem == "inv":
        nearest = values[np.argmin(np.abs(values))]
        distance, place = abs(nearest), "zero"
    else:
        apart = np.where(values.real > 0, np.abs(values), np.abs(values.imag))
        nearest = values[np.argmin(apart)]
        distance, place = float(np.min(apart)), "the closed negative axis"
    return f"  The eigenvalue {nearest:.3e} is at {distance / size:.1e} of the largest modulus from {place}."


def _member(ops: Ops, A: Array, index: tuple[int, ...]) -> Any:
    host = ops.as_host(A)[index]
    return host.astype(np.result_type(host.dtype, np.float64))
