"""``matfun.estimate_trace``: traces of matrices that are known by their products."""

from __future__ import annotations

from typing import Any

from matfun.functions.inputs import check_choice, check_matrix
from matfun.functions.sketch import check_distribution
from matfun.ops import Ops
from matfun.sketching.checks import check_integer
from matfun.sketching.distributions import Distribution, Rademacher
from matfun.sketching.trace import TraceEstimate, hutchinson, hutchpp

METHODS = {"hutch++": (hutchpp, 3), "hutchinson": (hutchinson, 1)}
"""Estimator, and the fewest products it can do with."""


def estimate_trace(
    A: Any,
    method: str = "hutch++",
    *,
    products: int,
    distribution: Distribution | None = None,
    like: Any = None,
    rng: Any = None,
    backend: str | Ops | None = None,
) -> TraceEstimate:
    r"""Unbiased estimate of tr A from a few products with vectors.

    Parameters
    ----------
    A : array_like, shape (..., n, n), or callable
        A stack, all of which see the same probes; never modified.  Or a function that returns A Z, shape (..., n, j),
        for a block Z of shape (n, j) or (..., n, j).
    method : {"hutch++", "hutchinson"}
        Hutch++ is exact for a rank of at most a third of ``products``, and better than Hutchinson's estimate where the
        spectrum decays; where it is flat, Hutchinson's has up to three times the probes for the same price.
    products : int
        With vectors.  For a wanted error: ``hutchinson_size``, ``hutchinson_size_indefinite`` and ``hutchpp_size`` of
        ``matfun.sketching``.
    distribution : Gaussian, Rademacher, SparseSign, Srht or RowSampling, optional
        Of the probes, from ``matfun.sketching``.  Default: ``Rademacher()``, the smallest variance of independent
        probes.
    like : array_like, shape (..., n, j), optional
        Where A is callable, and only then: any array of its n, library, device and dtype.
    rng : numpy.random.Generator, seed or None
        The same seed gives the same probes for every library and dtype.
    backend : str or Ops, optional
        Provider other than that of the array's own library.

    Returns
    -------
    TraceEstimate
        With ``value``, ``standard_error`` and ``products``.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.

    Notes
    -----
    Variance of Hutchinson's estimate: $2\|B\|_F^2/m$ for Gaussian probes and $2(\|B\|_F^2 - \sum b_{ii}^2)/m$ for
    Rademacher ones, B the real symmetric part of A.  Hutch++ besides takes one QR factorisation of n x products/3
    and the projection of as many probes.  Waits for nothing.  16-bit matrices are computed with in float32.

    References
    ----------
    Hutchinson, Commun. Statist. Simula. 18 (1989).  Meyer, Musco, Musco, Woodruff, Hutch++, SOSA 2021.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.diag(1 / np.arange(1.0, 201) ** 2)
    >>> plain = estimate_trace(A, "hutchinson", products=30, rng=0)  # signs see a diagonal matrix exactly
    >>> bool(abs(plain.value - np.trace(A)) < 1e-12)
    True
    >>> Q = np.linalg.qr(np.random.default_rng(0).standard_normal((200, 200)))[0]
    >>> found = estimate_trace(lambda Z: Q.T @ (A @ (Q @ Z)), products=30, like=A, rng=0)
    >>> bool(abs(found.value - np.trace(A)) < 0.01), found.products
    (True, 30)
    """
    check_choice("method", method, tuple(METHODS))
    estimator, least = METHODS[method]
    check_integer("products", products, least=least)
    distribution = Rademacher() if distribution is None else distribution
    check_distribution(distribution)
    if callable(A) and like is None:
        raise ValueError("like: expected an array of shape (..., n, j) where A is callable, got None")
    if not callable(A) and like is not None:
        raise ValueError(f"like: expected None where A is an array, got {type(like).__name__}")
    given = check_matrix(like if callable(A) else A, backend)
    ops, W = given.ops, given.ops.widen(given.A)
    if W.shape[-2] == 0 or not (callable(A) or W.shape[-1] == W.shape[-2]):
        wanted = "at least one row" if callable(A) else "square matrices (..., n, n) with n > 0"
        raise ValueError(f"{'like' if callable(A) else 'A'}: expected {wanted}, got shape {tuple(W.shape)}")
    if ops.library == "mpmath":
        raise TypeError("A: expected an array of floats for estimate_trace, got an object array of numbers")
    return estimator(ops, A if callable(A) else lambda Z: ops.thin_matmul(W, Z), W, products, distribution, rng)
