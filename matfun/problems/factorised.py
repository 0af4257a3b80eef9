"""The exact functions through a factorisation: eigenvalues for Hermitian matrices, Schur on the host for the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from matfun.ops import Array, Ops


def eigen_function(ops: Ops, S: Array, *functions: Callable[[Array], Array]) -> tuple[Array, ...]:
    """Q f(L) Q^H for each f, Hermitian to the last bit.

    Eigenvalues at or below zero give NaN for roots; the functions look for that before they call.

    Parameters
    ----------
    ops : Ops
    S : array, shape (..., n, n)
        Hermitian.
    functions : callables
        Of the eigenvalues, shape (..., n).
    """
    values, Q = ops.eigh(S)
    with ops.quiet():
        return tuple(
            ops.hermitian_part(ops.matmul(Q * ops.xp.astype(f(values), Q.dtype)[..., None, :], ops.adjoint(Q)))
            for f in functions
        )


def _on_host(ops: Ops, A: Array, function: Callable[[Any], Any]) -> Array:
    """Apply a SciPy function to each matrix of a stack, in the dtype of A; NaN where it fails."""
    host = ops.as_host(A)
    result = np.empty_like(host)
    for index in np.ndindex(host.shape[:-2]):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # SciPy's, of singular matrices: the certificate will say it
                value = function(host[index])
        except (np.linalg.LinAlgError, ValueError):
            value = np.full(host.shape[-2:], np.nan)
        if not np.iscomplexobj(host):  # real A without eigenvalues on the cut has a real function
            size = float(np.linalg.norm(value)) if np.all(np.isfinite(value)) else 0.0
            bad = float(np.linalg.norm(value.imag)) > np.sqrt(np.finfo(host.dtype).eps) * size
            value = np.full(host.shape[-2:], np.nan) if bad else value.real
        result[index] = value
    return ops.from_host(result, A)


def square_root_by_schur(ops: Ops, A: Array) -> Array:
    """Principal square root by SciPy's blocked Schur method (Deadman, Higham, Ralha 2013)."""
    import scipy.linalg

    return _on_host(ops, A, scipy.linalg.sqrtm)


def power_by_schur(ops: Ops, A: Array, power: float) -> Array:
    """Principal fractional power by SciPy's Schur-Pade method (Higham, Lin 2013)."""
    import scipy.linalg

    return _on_host(ops, A, lambda X: scipy.linalg.fractional_matrix_power(X, power))


def sign_by_schur(ops: Ops, A: Array) -> Array:
    """Sign by an ordered Schur form and one Sylvester equation."""
    return _on_host(ops, A, _sign)


def _sign(A: Any) -> Any:
    """Q [[-I, W], [0, I]] Q^H with T11 W - W T22 = -2 T12 (Higham, Functions of Matrices, 2008, sec. 5.2)."""
    import scipy.linalg

    T, Q, left = scipy.linalg.schur(A, output="complex", sort="lhp")
    n = A.shape[-1]
    S = np.eye(n, dtype=T.dtype)
    S[:left, :left] *= -1
    if 0 < left < n:
        S[:left, left:] = scipy.linalg.solve_sylvester(T[:left, :left], -T[left:, left:], -2 * T[:left, left:])
    return Q @ S @ Q.conj().T
