r"""PRISM's Newton step: h = (1 - a) mu + (a / mu) / g with a fitted to the spectrum at every step.

With m' = mu^2 g = 1 - r' the next residual is -r' + 2 a r' + a^2 r'^2 / m', whose sum of squares is a quartic in a; a =
1/2 is Newton's own.  mu is Newton's Frobenius scaling, without which the best a would be far from 1/2.
Scalar map: theory/prism_newton.py.  Source: PRISM, arXiv 2601.22137 (product form of the Denman-Beavers iteration).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from matfun.polynomials.update import PartialFractions, Update
from matfun.rules.rule import ResidualView, require, rule

EMPIRICAL_INTERVAL = (1 / 64, 63 / 64)
"""Where a may lie; one eigenvalue m' alone would take sqrt(m') / (1 + sqrt(m')), which is in (0, 1)."""


@rule("prism-newton", problems=("polar", "sign", "sqrt"))
@dataclass(frozen=True)
class PrismNewton:
    """Newton's iteration with PRISM's fitted parameter.

    Parameters
    ----------
    sketch_size : int or None
        Columns of the Gaussian sketch, drawn once per call with ``rng=``; None fits on the exact Frobenius norm, which
        costs two more products a step, three for polar and sign.

    Notes
    -----
    One inverse a step, the products of Newton's iteration, and three thin ones (four for polar and sign).
    Singular matrices as for Newton.

    References
    ----------
    PRISM, arXiv 2601.22137 (2026); the fit is derived in theory/prism_newton.py.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> bool(abs(matfun.sqrtm(np.diag([4.0, 9.0]), method="prism-newton") - np.diag([2, 3])).max() < 1e-14)
    True
    """

    sketch_size: int | None = 8

    needs_square = True

    def __post_init__(self) -> None:
        size = self.sketch_size
        require(size is None or (isinstance(size, Integral) and size >= 1), "sketch_size", "a count or None", size)

    def next(self, view: ResidualView) -> Update:
        """Fit a and return h."""
        mu = view.newton_scaling("frobenius")
        a = view.argmin(view.newton_fit(mu, self.sketch_size), *EMPIRICAL_INTERVAL)
        return PartialFractions((1 - a) * mu, (a / mu,), (0,))
