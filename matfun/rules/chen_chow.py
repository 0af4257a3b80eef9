"""Chen and Chow's scaled Newton-Schulz: the cubic, stretched so that [l, 1] is used symmetrically.

X <- NS(alpha X) with alpha^2 = 3/(1 + l + l^2), after which the singular values lie in [NS(alpha l), 1] again.  Needs
sigma <= 1.  Rate, region and price: theory/chen_chow.py.
Source: Chen and Chow, A stable scaling of Newton-Schulz, ANL/MCS-P5059-0114 (2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from numbers import Real

from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule

CAP = 1.69770248526
"""Largest stable scaling: above it NS(alpha) < 1/10, and backward stability is lost (Chen and Chow, sec. 4)."""

DEFAULT_LOWER = 1e-3
"""Lower bound for runs of a fixed number of steps, that of Polar Express, so that the two compare."""


@rule("chen-chow", problems=("polar", "sign", "sqrt"))
@dataclass(frozen=True)
class ChenChow:
    """Scaled Newton-Schulz iteration of degree 3.

    Parameters
    ----------
    lower : float, optional
        Lower bound on the singular values of the scaled matrix.  Default: what the caller knows, else 1e-3.  Too
        large a value costs steps, never correctness.

    Notes
    -----
    2 products a step.  About half the steps of Newton-Schulz; the images are those of the cubic minimax polynomials of
    Polar Express, scaled to maximum 1.

    References
    ----------
    Chen and Chow, ANL/MCS-P5059-0114 (2014).

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.ChenChow(lower=1e-3), [1e-3, 1.0], steps=10)
    >>> bool(curve.errors[-1] < 2e-5)
    True
    """

    lower: float | None = None

    follows_lower = True

    def __post_init__(self) -> None:
        lower = self.lower
        require(lower is None or (isinstance(lower, Real) and 0 < lower <= 1), "lower", "a number in (0, 1]", lower)

    def next(self, view: ResidualView) -> Update:
        """Follow the lower bound to this step, and stretch the cubic for it."""
        bound = float(self.lower or view.lower or DEFAULT_LOWER)  # a NumPy scalar would promote float32
        for _ in range(view.step):
            stretched = _scaling(bound) * bound
            bound = stretched * (3 - stretched * stretched) / 2
        alpha = _scaling(bound)
        return Polynomial((alpha * (3 - alpha * alpha) / 2, alpha**3 / 2))


def _scaling(bound: float) -> float:
    return min(sqrt(3 / (1 + bound + bound * bound)), CAP)
