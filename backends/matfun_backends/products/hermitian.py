"""X^H X of complex NumPy matrices by real products, one of them a rank-k update: half the flops of a complex one.

$(R + i S)^H (R + i S) = R^T R + S^T S + i (T - T^T)$ with $T = R^T S$.  NumPy itself calls BLAS's rank-k update for
real matrices only, and the complex one of SciPy is on other threads (factorisations/native.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

EMPIRICAL_SMALLEST = 512
"""Below it the copies take what the flops save."""


def worthwhile(X: np.ndarray[Any, Any]) -> bool:
    """Whether that is the faster way to X^H X."""
    return bool(X.dtype.kind == "c" and X.ndim == 2 and X.shape[1] >= EMPIRICAL_SMALLEST)


def gram(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """X^H X, Hermitian to the last bit.

    Parameters
    ----------
    X : array, shape (m, n)
        Complex.
    """
    m, n = X.shape
    parts = np.empty((2 * m, n), dtype=X.real.dtype)
    parts[:m], parts[m:] = X.real, X.imag
    G = np.empty((n, n), dtype=X.dtype)
    G.real = parts.T @ parts
    T = parts[:m].T @ parts[m:]
    np.subtract(T, T.T, out=G.imag)
    return G
