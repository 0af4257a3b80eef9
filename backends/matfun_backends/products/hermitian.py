"""X^H X of complex NumPy matrices by BLAS's rank-k update: half the flops, one triangle, mirrored in blocks.

NumPy itself calls it for real matrices only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import blas

EMPIRICAL_SMALLEST = 64
"""Below it the calls take as long as a plain product."""

EMPIRICAL_MIRRORED = 256
"""Rows mirrored at a time, so that both places of a block stay in the cache."""


def worthwhile(X: np.ndarray[Any, Any]) -> bool:
    """Whether the rank-k update is the faster way to X^H X."""
    return bool(X.dtype.kind == "c" and X.ndim == 2 and X.shape[1] >= EMPIRICAL_SMALLEST)


def gram(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """X^H X, Hermitian to the last bit.

    Parameters
    ----------
    X : array, shape (m, n)
        Complex, of either order.
    """
    (rank_k,) = blas.get_blas_funcs(("herk",), (X,))
    # BLAS reads columns: a matrix stored by rows is its transpose, whose product with its adjoint is conj(X^H X)
    G: np.ndarray[Any, Any] = rank_k(1.0, X, trans=2, lower=0) if X.flags.f_contiguous else rank_k(1.0, X.T, lower=1).T
    n = len(G)
    for start in range(0, n, EMPIRICAL_MIRRORED):
        end = min(start + EMPIRICAL_MIRRORED, n)
        diagonal = G[start:end, start:end]
        diagonal += np.triu(diagonal, 1).conj().T
        G[end:, start:end] = G[start:end, end:].conj().T
    return G
