"""Zolotarev: the best rational approximant of sign, of type (2r + 1, 2r), for the interval [l, 1] of this step.

r shifted inverses, independent of each other, where QDWH (r = 1) takes one after the other.  Needs sigma <= 1.
Rate, region and price: theory/zolotarev.py.  Source: Nakatsukasa and Freund, SIAM Review 58(3), 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from matfun.polynomials.update import Update
from matfun.polynomials.zolotarev import MOST_TERMS, SMALLEST_LOWER, terms_for, zolotarev_fractions
from matfun.rules.rule import ResidualView, require, rule


@rule("zolotarev", problems=("polar", "sqrt"))
@dataclass(frozen=True)
class Zolotarev:
    """Zolotarev's functions, composed: two steps in double precision with 8 terms.

    Parameters
    ----------
    lower : float, optional
        Lower bound on the singular values of the scaled matrix; values below 1e-20 count as 1e-20.  Default: what the
        caller knows, else half the spacing of 1, the worst case.
    terms : int, optional
        r in 1..8.  Default: the fewest with which two steps reach 1 in the dtype of the products.

    Notes
    -----
    1 product and r factorisations a step.  The error after k steps is that of the best approximant of degree
    (2r + 1)^k.  More work than QDWH, and more of it in parallel.

    References
    ----------
    Nakatsukasa and Freund, Computing fundamental matrix decompositions accurately via the matrix sign function in
    two iterations, SIAM Review 58(3), 2016.

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.Zolotarev(lower=1e-16), [1e-16, 1e-8, 1.0], steps=2)
    >>> bool(curve.errors[-1] < 1e-14)
    True
    """

    lower: float | None = None
    terms: int | None = None

    follows_lower = True

    def __post_init__(self) -> None:
        lower, terms = self.lower, self.terms
        require(lower is None or (isinstance(lower, Real) and 0 < lower <= 1), "lower", "a number in (0, 1]", lower)
        within = isinstance(terms, int) and 1 <= terms <= MOST_TERMS
        require(terms is None or within, "terms", f"an integer from 1 to {MOST_TERMS}", terms)

    @property
    def wants_lower(self) -> bool:
        """Whether an estimate of the smallest singular value saves terms or steps."""
        return self.lower is None

    def next(self, view: ResidualView) -> Update:
        """Follow the lower bound to this step; close to 1 the function is the Padé approximant [r/r]."""
        lower = min(max(self.lower or view.lower or view.eps / 2, SMALLEST_LOWER), 1.0)
        terms = self.terms or terms_for(lower, 4 * view.eps)
        h, lower = zolotarev_fractions(lower, terms)
        for _ in range(view.step):
            h, lower = zolotarev_fractions(lower, terms)
        return h
