"""PRISM: Newton-Schulz with its last coefficient fitted, at every step, to the spectrum at hand.

With h = (Taylor polynomial of one degree less) + alpha r^q, the next residual is u_0(r) + alpha u_1(r) + alpha^2
u_2(r), and
alpha minimises its sum of squares over the spectrum, or a Gaussian sketch of that sum: a quartic on an interval.
No bound on the singular values enters except an upper one: sigma <= 1 is safe, the sharp regions are a little wider.
Theorems (with the hypothesis they need) and caps: theory/prism.py.  Source: PRISM, arXiv 2601.22137, secs. 4-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule

NEXT_RESIDUAL = {
    3: ((0, 1), (0, -2, 2), (0, 0, -1, 1)),
    5: ((0, 0, 3 / 4, 1 / 4), (0, 0, -2, 1, 1), (0, 0, 0, 0, -1, 1)),
}
"""u_0, u_1, u_2 by degree in X: 1 - (1 - r) h(r)^2 expanded in powers of alpha."""

INTERVAL = {3: (1 / 2, 1.0), 5: (3 / 8, 29 / 20)}
"""Where alpha may lie; the lower end is the Taylor coefficient (arXiv 2601.22137, sec. 4)."""


@rule("prism")
@dataclass(frozen=True)
class Prism:
    r"""Sketched adaptive Newton-Schulz iteration.

    Parameters
    ----------
    degree : {3, 5}
        Degree in X.
    sketch_size : int or None
        Columns of the Gaussian sketch, drawn once per call with ``rng=``; None fits on the exact Frobenius norm, which
        costs two (degree 3) or three (degree 5) more products a step.
    warm_start : int
        First steps that take the upper end of the interval without fitting.

    Notes
    -----
    2 or 3 products a step and 3 or 5 thin ones.  Small singular values grow by at most 2 or 2.95 a step.  The
    fitted coefficient stays on the device.

    References
    ----------
    PRISM, arXiv 2601.22137 (2026), Thm 1 and 2.  The theorems need A^2 positive semidefinite; as printed they are
    false.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, H = matfun.polar(np.array([[4.0, 0.0], [3.0, -5.0]]), method=matfun.Prism(sketch_size=None))
    >>> bool(abs(U @ H - [[4, 0], [3, -5]]).max() < 1e-14)
    True
    """

    degree: int = 5
    sketch_size: int | None = 8
    warm_start: int = 0

    def __post_init__(self) -> None:
        size, warm = self.sketch_size, self.warm_start
        require(self.degree in INTERVAL, "degree", "3 or 5 (in X)", self.degree)
        require(size is None or (isinstance(size, Integral) and size >= 1), "sketch_size", "a count or None", size)
        require(isinstance(warm, Integral) and warm >= 0, "warm_start", "a number of steps", warm)

    @property
    def forms_square(self) -> bool:
        """Whether a step needs the square of the Gram matrix anyway."""
        return self.degree > 3

    def next(self, view: ResidualView) -> Update:
        """Fit alpha and return h."""
        lower, upper = INTERVAL[self.degree]
        if view.step < self.warm_start:
            alpha = upper
        else:
            g = view.inner_products(NEXT_RESIDUAL[self.degree], self.sketch_size)
            quartic = (g[0][0], 2 * g[0][1], g[1][1] + 2 * g[0][2], 2 * g[1][2], g[2][2])
            alpha = view.argmin(quartic, lower, upper)
        return Polynomial((1.0, alpha) if self.degree == 3 else (1.0, 0.5, alpha))
