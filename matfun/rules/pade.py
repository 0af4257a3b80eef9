"""Padé: the rational approximants [l/m] of (1 - r)^(-1/p) at r = 0.

Every eigenvalue r of the residual moves by r <- 1 - (1 - r) h(r)^p, of order l + m + 1.  With l = m - 1 or m and p = 2
every start converges; with l > m those with |r| < 1.
Rate, region and price: theory/pade.py.  Source: Kenney and Laub, SIAM J. Matrix Anal. Appl. 12 (1991).
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.pade import pade_inverse_root
from matfun.polynomials.update import Update
from matfun.rules.rule import ResidualView, require, rule


@rule("pade", problems=("polar", "sign", "sqrt", "invroot"))
@dataclass(frozen=True)
class Pade:
    """Padé iteration, applied as independent shifted inverses.

    Parameters
    ----------
    numerator, denominator : int
        Degrees l >= m - 1 and m >= 1 of h in the residual.  [0/1] is the inverse Newton iteration, [1/1] Halley's.

    Notes
    -----
    1 product and m factorisations a step, and l - m products if l > m.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 5.4.  Kenney and Laub, SIAM J. Matrix Anal. Appl. 12 (1991).

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate(matfun.Pade(1, 2), [0.5, 1.0], steps=2)
    >>> bool(curve.errors[-1] < 2e-7)
    True
    """

    numerator: int = 1
    denominator: int = 2

    def __post_init__(self) -> None:
        numerator, m = self.numerator, self.denominator
        require(isinstance(m, int) and m >= 1, "denominator", "an integer >= 1 (NewtonSchulz is the case 0)", m)
        expected = f"an integer >= denominator - 1 = {m - 1}, since with fewer not all poles of h are at g < 0"
        require(isinstance(numerator, int) and numerator >= m - 1, "numerator", expected, numerator)

    def next(self, view: ResidualView) -> Update:
        """Return the approximant, the same in every step."""
        return pade_inverse_root(view.p, self.numerator, self.denominator)
