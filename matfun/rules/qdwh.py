"""QDWH: Halley's iteration with the weights that are best for the interval [l, 1] which the last step left.

X <- X (a I + b X^H X)(I + c X^H X)^-1, the best approximant of sign of type (3, 2) on [l, 1], scaled to maximum 1.
Needs sigma <= 1.  Rate, region and price: theory/qdwh.py.
Source: Nakatsukasa, Bai, Gygi, SIAM J. Matrix Anal. Appl. 31(5), 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cbrt, sqrt
from numbers import Real

from matfun.host import host_constant
from matfun.polynomials.update import PartialFractions, Update
from matfun.polynomials.zolotarev import SMALLEST_LOWER
from matfun.rules.rule import ResidualView, require, rule

HALLEY = (3.0, 1.0, 3.0)
"""The weights for l = 1."""


@rule("qdwh", problems=("polar", "sqrt"))
@dataclass(frozen=True)
class Qdwh:
    """Dynamically weighted Halley iteration: at most six steps in double precision.

    Parameters
    ----------
    lower : float, optional
        Lower bound on the singular values of the scaled matrix; values below 1e-20 count as 1e-20.  Default: what the
        caller knows, else half the spacing of 1, the worst case.  Too small a bound costs a step or two, one
        a hundred times too large several; neither costs correctness.

    Notes
    -----
    1 product and 1 factorisation a step, a QR while c > 100, a Cholesky factorisation after.  Steps from l = 1e-2,
    1e-8, 1e-16: 4, 5, 6.  Backward stable (Nakatsukasa and Higham, SIAM J. Matrix Anal. Appl. 33(2), 2012).

    References
    ----------
    Nakatsukasa, Bai, Gygi, SIAM J. Matrix Anal. Appl. 31(5), 2010.

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.Qdwh(lower=1e-16), [1e-16, 1e-8, 1.0], steps=6)
    >>> bool(curve.errors[-1] < 1e-14)
    True
    """

    lower: float | None = None

    follows_lower = True

    def __post_init__(self) -> None:
        lower = self.lower
        require(lower is None or (isinstance(lower, Real) and 0 < lower <= 1), "lower", "a number in (0, 1]", lower)

    @property
    def wants_lower(self) -> bool:
        """Whether an estimate of the smallest singular value saves steps."""
        return self.lower is None

    def next(self, view: ResidualView) -> Update:
        """Return (a + b g)/(1 + c g) = b/c + (a - b/c)/(1 + c g), written in a alone."""
        a, _, c = _weights(self.lower or view.lower or view.eps / 2, view.step, view.eps)
        return PartialFractions((a - 1) / (a + 3), ((a + 1) ** 2 / (a + 3) / c,), (1 / c,))


def halley_weights(lower: float) -> tuple[float, float, float]:
    """Weights a, b, c that are best for [lower, 1], 1e-20 <= lower <= 1; nothing cancels."""
    square = lower * lower
    d = cbrt(4 * (1 - lower) * (1 + lower)) / cbrt(square) ** 2
    root = sqrt(1 + d)
    a = root + sqrt(8 - 4 * d + 8 * (2 - square) / (square * root)) / 2
    return a, (a - 1) ** 2 / 4, (a - 1) * (a + 3) / 4


def next_lower(lower: float, weights: tuple[float, float, float]) -> float:
    """Where a step takes the lower bound."""
    a, b, c = weights
    square = lower * lower
    return min(1.0, lower * (a + b * square) / (1 + c * square))


@host_constant
def _weights(lower: float, step: int, eps: float) -> tuple[float, float, float]:
    lower = min(max(lower, SMALLEST_LOWER), 1.0)
    for _ in range(step):
        if lower >= 1 - 4 * eps:
            break
        lower = next_lower(lower, halley_weights(lower))
    return halley_weights(lower) if lower < 1 - 4 * eps else HALLEY
