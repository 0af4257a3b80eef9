r"""Window: the minimax polynomial for where the singular values are, as a few thin products show it at every step.

No bound enters.  From the residual that the step needs anyway, Lanczos from one small block finds the smallest and the
largest value [l, u] of the spectrum; the next polynomial is the best one for [max(l, cushion u), u], which turns into
the Taylor polynomial as the window closes.

The two ends are treated differently.  u is what the polynomial before promised, 1 + E, unless Lanczos proves a smaller
bound or has seen a larger value; a value above u would be thrown far out.  l is the smallest Ritz value, which can only
be too large: values below it grow more slowly and nothing else happens to them, since x h(x^p) <= 1 + E on all of
[0, u].  What is proved, what is conjectured, and the steps it takes: theory/window.py.
Sources: the polynomials, Amsel, Persson, Musco, Gower, arXiv 2505.16932; the bound, Hochstenbach, J. Sci. Comput. 57,
2013; the rule is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from math import inf
from numbers import Integral, Real
from typing import ClassVar

from matfun.host import host_constant
from matfun.polynomials.composition import DEFAULT_LOWER, compose, stage_of
from matfun.polynomials.update import Basis, Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule

EMPIRICAL_CUSHION = 0.05
"""Least l/u that a polynomial is made for: a compromise.

Tiny values grow by 4.06 a step, against 4.26 without a cushion, and p(x)/x stays above a quarter of its largest value
relative to u, which backward stability needs (benchmarks/window.py measures both).
"""

EMPIRICAL_COLUMNS, EMPIRICAL_PRODUCTS = 4, 8
"""Size of the block and of the Krylov spaces, a compromise: more products see more of spectra with a thin lower tail
(docs/window.md has both in a table)."""

SMALLEST_UPPER = 1e-4
"""No u of a first step is below it: a scaled start has a largest value of at least n^(-1/2), unless it is zero.

In later steps none is below 1, where 1 + E would be anyway: on a window far below 1 h, as a polynomial in R, would have
no digits.
"""

LARGEST_MARGIN = 1 / 16
"""Of the safety factor."""


def safety_of(eps: float) -> float:
    """1 plus 8 sqrt(eps), far more than a step rounds; in 16 bits 17/16, where published lists have 1.01 to 1.05."""
    return float(1 + min(8 * eps**0.5, LARGEST_MARGIN))


@rule("window", problems=("polar", "sign", "sqrt", "invroot"))
@dataclass(frozen=True)
class Window:
    r"""Minimax polynomials for a window that is seen, not told.

    Parameters
    ----------
    columns : int or None
        Columns of the Gaussian block that Lanczos starts from, drawn once per call with ``rng=``; None computes all
        eigenvalues in every step, which is the reference that Lanczos is measured against.
    products : int
        Thin products of a step.
    cushion : float
        No polynomial is designed for an interval wider than [cushion u, u]; for other p than 2, cushion to the power
        2/p.
    lower : float, optional
        Smallest singular value of the scaled matrix that has to be waited for; where values are smaller, the window
        closes without them.  Default: what the caller knows (the unit roundoff in accuracy-driven calls), else 1e-3
        to the power 2/p.
    safety : float, optional
        u is moved up by ``safety`` - 1 times u - l, against what rounding pushes above it.  Default: 1 + 8 sqrt(eps),
        at most 17/16.

    Notes
    -----
    3 products a step of the polar factor, and ``products`` thin ones: below 1/90 of its flops for n = 1024.  Tiny
    values grow by 4.06 a step.  Each matrix of a stack has its own window, and nothing waits for the device.
    Hermitian matrices only, but for the polar factor: a window is an interval of real numbers.
    ``history.updates[-1].image`` says where the singular values are after the last step, in exact arithmetic and but
    for a probability of 1e-9 over the block, if those of the start were at least ``lower``.

    The degree is 5 in X.  Beyond the window polynomials of degree 3 or 7 would change signs; degree 9 saves 2 % of the
    products and is not backward stable with this cushion (docs/window.md).

    References
    ----------
    Amsel, Persson, Musco, Gower, The Polar Express, arXiv 2505.16932; Hochstenbach, Probabilistic upper bounds for the
    matrix two-norm, J. Sci. Comput. 57, 2013.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> A = np.random.default_rng(0).standard_normal((300, 300))
    >>> [matfun.polar(A, method=m, rng=0).info.products for m in ("window", "prism", "newton-schulz")]
    [29, 32, 50]
    """

    columns: int | None = EMPIRICAL_COLUMNS
    products: int = EMPIRICAL_PRODUCTS
    cushion: float = EMPIRICAL_CUSHION
    lower: float | None = None
    safety: float | None = None

    degree: ClassVar[int] = 5  # in X; see the notes
    forms_square = True
    hermitian_only = ("sign", "sqrt", "invroot")

    def __post_init__(self) -> None:
        b, k, cushion, lower, safety = self.columns, self.products, self.cushion, self.lower, self.safety
        require(b is None or (isinstance(b, Integral) and b >= 1), "columns", "a count or None", b)
        require(isinstance(k, Integral) and k >= 1, "products", "a count", k)
        require(isinstance(cushion, Real) and 0 < cushion < 1, "cushion", "a number in (0, 1)", cushion)
        require(lower is None or (isinstance(lower, Real) and 0 < lower <= 1), "lower", "a number in (0, 1]", lower)
        require(
            safety is None or (isinstance(safety, Real) and 1 <= safety < 2), "safety", "a number in [1, 2)", safety
        )

    def steepest(self, view: ResidualView) -> Polynomial:
        """For a window that is as wide as the bound that is waited for."""
        safety = float(self.safety or safety_of(view.eps))
        basis, coefficients = _composed(self._start(view), self.degree, self.cushion, safety, view.p, view.step)
        return Polynomial(coefficients, basis)

    def next(self, view: ResidualView) -> Update:
        """Look, and return the minimax polynomial for the window."""
        narrowest, safety = float(self.cushion) ** (2 / view.p), float(self.safety or safety_of(view.eps))
        promised = getattr(view.previous, "image", None)
        waited_for, highest = promised or (self._start(view), view.largest)
        seen = view.ends(self.columns, self.products)
        floor = 1.0 if view.step else SMALLEST_UPPER
        upper = view.clip(view.clip(highest, seen.largest, seen.most), floor, inf)
        lower = view.clip(seen.smallest, narrowest * upper, upper)
        upper = upper + (safety - 1) * (upper - lower)
        lower = view.clip(view.clip(lower, narrowest * upper, upper), waited_for, upper)
        h = view.minimax(self.degree, lower, upper, narrowest, "residual" if view.step else "gram")
        assert h.image is not None
        low = view.clip(waited_for * h(1 - waited_for**view.p), 0.0, h.image[1])
        return replace(h, image=(low, h.image[1]))

    def _start(self, view: ResidualView) -> float:
        return float(self.lower or view.lower or DEFAULT_LOWER ** (2 / view.p))


@host_constant
def _composed(
    lower: float, degree: int, cushion: float, safety: float, p: int, step: int
) -> tuple[Basis, tuple[float, ...]]:
    """Plain values, as a trace needs them."""
    h = stage_of(compose(lower, 1.0, repeat(degree), cushion, safety, p), step).polynomial()
    return h.basis, h.coefficients
