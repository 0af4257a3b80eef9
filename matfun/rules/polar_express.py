"""Polar Express: at each step the minimax polynomial for the interval that the last step left.

The start spectrum (sigma = m^(1/p) for an eigenvalue m of M = I - R) is taken to lie in [lower, 1]; values below grow
too, only later.
Optimality and rate: theory/polar_express.py.  Source: Amsel, Persson, Musco, Gower, arXiv 2505.16932.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from numbers import Real
from typing import Any

from matfun.host import host_constant
from matfun.polynomials.composition import (
    ACCURATE_CUSHION,
    CUSHION,
    DEFAULT_LOWER,
    EXACT_BELOW,
    SAFETY,
    compose,
    stage_of,
)
from matfun.polynomials.minimax import DEGREES
from matfun.polynomials.presets import POLAR_EXPRESS_PUBLISHED
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule

ROUNDING_ABOVE_1 = 1e5
"""Allowance, in eps, for how far above 1 rounding may put a scaled singular value: sums of 1e5 terms of one sign."""


@rule("polar-express", problems=("polar", "sign", "sqrt", "invroot", "inv"))
@dataclass(frozen=True)
class PolarExpress:
    r"""Greedy minimax composition, optimal among all compositions of the same degrees.

    Parameters
    ----------
    lower : float, optional
        The smallest singular value of the scaled matrix that must reach 1.  Default: what the caller knows (the unit
        roundoff in accuracy-driven calls), else 1e-3, for the p-th root 1e-3 to the power 2/p.  Too large a value
        costs steps, never correctness.
    degree : {3, 5, 7, ..., 17}
        2 q + 1 for h of degree q in the residual; the degree in X of polar and sign.
    cushion : float, optional
        No polynomial is designed for an interval wider than [cushion u, u].  Default: 0.02407 as in the published
        table for a fixed number of steps, 0.1 in accuracy-driven runs; both keep the iteration backward stable.  0
        is the plain minimax composition, whose backward error can grow like eps / lower.
    safety : float, optional
        p(x / safety) is applied in place of p(x), while the interval is wide and except in the last of a fixed
        number of steps, against values that rounding pushes above the interval; the intervals after it are those
        that it leaves.  Default: 1.01 where the format needs it (float32 and 16 bit, and float64 for lower < 3e-6),
        else 1.

    Notes
    -----
    2, 3, 4, 4 products a step of the polar factor for degrees 3, 5, 7, 9, and 5 for 17.  Small singular values grow by
    half the slope s_d of theory/minimax.py a step, 2.6 or 4.26 for degree 3 or 5, less with a cushion (2.5 and 3.9).
    Inverse p-th roots of Hermitian matrices only: the steep polynomials, to the power p, amplify what is not normal.

    References
    ----------
    Amsel, Persson, Musco, Gower, The Polar Express, arXiv 2505.16932, Thm 4.1 and 4.3, sec. 4.4.

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.PolarExpress(lower=1e-3, cushion=0), [1e-3, 0.5, 1.0], steps=6)
    >>> bool(abs(curve.sigmas[-1] - 1).max() < 9.2e-4)
    True
    """

    lower: float | None = None
    degree: int = 5
    cushion: float | None = None
    safety: float | None = None

    follows_lower = True
    hermitian_only = ("invroot",)

    def __post_init__(self) -> None:
        lower, cushion, safety = self.lower, self.cushion, self.safety
        require(self.degree in DEGREES, "degree", f"one of {DEGREES} (in X)", self.degree)
        require(lower is None or (isinstance(lower, Real) and 0 < lower <= 1), "lower", "a number in (0, 1]", lower)
        require(
            cushion is None or (isinstance(cushion, Real) and 0 <= cushion < 1),
            "cushion",
            "a number in [0, 1)",
            cushion,
        )
        require(
            safety is None or (isinstance(safety, Real) and 1 <= safety < 2), "safety", "a number in [1, 2)", safety
        )

    @property
    def forms_square(self) -> bool:
        """Whether a step needs the square of the Gram matrix anyway."""
        return self.degree > 3

    def next(self, view: ResidualView) -> Update:
        """Return the minimax polynomial of this step; the Taylor polynomial once the interval has closed."""
        basis, coefficients = _design(
            *(self.lower, self.degree, self.cushion, self.safety),
            *(view.p, view.step, view.last, view.lower, view.eps),
        )
        return Polynomial(coefficients, basis)


@host_constant
def _design(*key: Any) -> tuple[Basis, tuple[float, ...]]:
    """Plain values, as a trace needs them."""
    return _remembered(*key)


@lru_cache(maxsize=2**12)
def _remembered(
    lower: float | None,
    degree: int,
    cushion: float | None,
    safety: float | None,
    p: int,
    step: int,
    last: bool,
    told: float | None,
    eps: float,
) -> tuple[Basis, tuple[float, ...]]:
    accurate = told is not None
    bound = float(lower or told or DEFAULT_LOWER ** (2 / p))  # a NumPy scalar would promote float32
    if cushion is None:
        cushion = ACCURATE_CUSHION if accurate else CUSHION
    # A quintic overflows from about 1 + 2 lower^2 on (theory/polar_express.py); the rounding of norms and products
    # of large matrices of one sign reaches many eps above 1.
    safety = safety or (SAFETY if 2 * bound**2 < ROUNDING_ABOVE_1 * eps else 1.0)
    stage = stage_of(compose(bound, 1.0, repeat(degree), cushion, safety, p), step)
    stage = stage.without_safety() if last else stage
    if stage.error < EXACT_BELOW:
        return "residual", taylor_inverse_root(p, degree // 2)
    h = stage.in_residual() if accurate else stage.polynomial()
    return h.basis, h.coefficients


@rule("polar-express-published")
@dataclass(frozen=True)
class PublishedPolarExpress:
    """The table printed with arXiv 2505.16932, for l = 1e-3, its last row repeated.

    Notes
    -----
    It is the composition with cushion 0.02407, not the plain minimax one; tests recompute it.  3 products a step.

    References
    ----------
    Amsel, Persson, Musco, Gower, arXiv 2505.16932, appendix; github.com/NoahAmsel/PolarExpress.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U = matfun.orthogonalize(np.diag([4.0, 1.0]), method="polar-express-published", steps=8)
    >>> bool(abs(U - np.eye(2)).max() < 1e-6)
    True
    """

    def next(self, view: ResidualView) -> Update:
        """Return the row of the table for this step."""
        table = POLAR_EXPRESS_PUBLISHED
        return Polynomial(table[min(view.step, len(table) - 1)], basis="gram")
