r"""How large a Lanczos polynomial has to be at a point before no eigenvalue can be there, but for a stated probability.

A start column v, uniform on the sphere, gives the eigenvector $q_i$ the weight $w_i = |q_i^H v|^2$, and the orthonormal
polynomial $p_k$ of k Lanczos products satisfies $w_i p_k(\lambda_i)^2 \le \|p_k(R) v\|^2 = 1$ (Hochstenbach,
J. Sci. Comput. 57, 2013).  For b independent columns $\sum_j \log p_k^{(j)}(\lambda_i)^2 \le -\sum_j \log w_{ij}$, and
the right-hand side exceeds C with a probability that Chernoff's bound makes small: the $w_{ij}$ are
independent and $w \sim$ Beta(1/2, (n-1)/2).  Complex eigenvectors and real columns: w is a convex combination of two
such variables, and $E w^{-s}$, convex in it, is largest at the ends.  Proof and check: theory/window.py.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, log

from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from matfun.host import host_constant

FAILURE = 1e-9
"""Probability, over the start block, that any bound of a run is wrong: a choice.  The block is drawn once and the
eigenvectors do not change from step to step, so that this is one event for all of them."""


@host_constant
def exclusion_threshold(n: int, columns: int, failure: float = FAILURE, vectors: int | None = None) -> float:
    """C for which any of the eigenvectors has sum_j log w_ij < -C with at most this probability.

    Parameters
    ----------
    n : int
        Size of the matrix.
    columns : int
        Independent start columns.
    failure : float
    vectors : int, optional
        How many eigenvectors are meant; default: all n.
    """
    return _threshold(n, columns, log(failure) - log(n if vectors is None else vectors))


@lru_cache(maxsize=2**12)
def _threshold(n: int, columns: int, log_failure: float) -> float:
    if n == 1:
        return 0.0  # the one weight is 1

    def bound(s: float) -> float:  # P(sum log w <= -C) <= E[w^-s]^columns e^(-s C)
        moment = gammaln(0.5 - s) + gammaln(n / 2) - gammaln(0.5) - gammaln(n / 2 - s)
        value = float(columns * moment - log_failure) / s
        return value if value > 0 else inf

    return float(minimize_scalar(bound, bounds=(1e-3, 0.5 - 1e-6), method="bounded").fun)
