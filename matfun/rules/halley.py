"""Halley: the Padé approximant [1/1] of (1 - r)^(-1/2), x <- x (3 + x^2)/(1 + 3 x^2).

Every singular value moves towards 1 and stays on its side of it, from any start but 0.  Needs nothing.
Rate, region and price: theory/halley.py.  Source: Higham, Functions of Matrices (2008), sec. 5.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.update import PartialFractions, Update
from matfun.rules.rule import ResidualView, rule


@rule("halley", problems=("polar", "sign", "sqrt"))
@dataclass(frozen=True)
class Halley:
    r"""Halley's iteration, of order 3 and globally convergent.

    Notes
    -----
    1 product and 1 factorisation a step.  $(1 - x)/(1 + x)$ is cubed by each step; tiny singular values grow by 3.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 5.4.

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.Halley(), [0.5, 1.0], steps=1)
    >>> round(float(curve.sigmas[1][0]), 12) == round(13 / 14, 12)
    True
    """

    def next(self, view: ResidualView) -> Update:  # noqa: ARG002
        """Return (3 + g)/(1 + 3 g) = 1/3 + (8/9)/(g + 1/3), the same in every step."""
        return PartialFractions(1 / 3, (8 / 9,), (1 / 3,))
