r"""Padé approximants of (1 - r)^(-1/p) at r = 0, as partial fractions in g = 1 - r.

With $\alpha = 1/p$ the [l/m] approximant is the quotient of ${}_2F_1(-l, \alpha - m; 1 + \alpha; g)$ and
${}_2F_1(-m, -\alpha - l; 1 - \alpha; g)$, normalised to 1 at g = 1: the classical pair in r (Kenney and Laub 1991)
with its argument reflected.  As $(1 - r)^{-\alpha}$ is a Stieltjes function, for
l >= m - 1 all poles are simple and at g < 0, and all residues positive, so nothing cancels.
"""

from __future__ import annotations

from fractions import Fraction

from matfun.host import host_constant
from matfun.polynomials.update import PartialFractions

DIGITS = 50
"""Decimal digits of poles and residues before they are rounded to floats."""


def pade_inverse_root(p: int, numerator: int, denominator: int) -> PartialFractions:
    """Partial fractions of the [numerator/denominator] Padé approximant of (1 - r)^(-1/p).

    Parameters
    ----------
    p : int
        At least 1.
    numerator, denominator : int
        Degrees l and m in r, m >= 1 and l >= m - 1.

    Returns
    -------
    PartialFractions
        Shifts ascending and positive, weights positive, every number the nearest float; l - m ``higher``
        coefficients if l > m.  For p = 1 the approximant is the function 1/g itself, one term with shift 0.

    Raises
    ------
    ValueError
        If l < m - 1, since not all poles are at g < 0 then, or if p or m is below 1.

    Notes
    -----
    It agrees with the Taylor series up to r^(l + m).  Remembered for every p, l, m.

    References
    ----------
    Kenney and Laub, Rational iterative methods for the matrix sign function, SIAM J. Matrix Anal. Appl. 12 (1991).
    Higham, Functions of Matrices (2008), sec. 5.4.

    Examples
    --------
    >>> pade_inverse_root(2, 0, 1)
    PartialFractions(constant=0.0, weights=(2.0,), shifts=(1.0,), higher=())
    """
    if p < 1 or denominator < 1 or numerator < denominator - 1:
        raise ValueError(f"expected p >= 1 and numerator >= denominator - 1 >= 0, got {p}, {numerator}, {denominator}")
    _expand(p, numerator, denominator)
    return _expanded[p, numerator, denominator]


_expanded: dict[tuple[int, int, int], PartialFractions] = {}


@host_constant
def _expand(p: int, numerator: int, denominator: int) -> bool:
    key = (p, numerator, denominator)
    if key not in _expanded:
        exact = PartialFractions(0.0, (1.0,), (0.0,))
        _expanded[key] = exact if p == 1 else _partial_fractions(*key)
    return True


def _partial_fractions(p: int, numerator: int, denominator: int) -> PartialFractions:
    from mpmath import mp  # not needed to import the package

    alpha = Fraction(1, p)
    above = _hypergeometric(numerator, alpha - denominator, 1 + alpha)
    below = _hypergeometric(denominator, -alpha - numerator, 1 - alpha)
    polynomial = _quotient(above, below) if numerator >= denominator else [Fraction(0)]

    context = mp.clone()  # its own precision: the global one belongs to the user, and to other threads
    context.dps = DIGITS
    P, Q = ([context.mpf(c.numerator) / c.denominator for c in f] for f in (above, below))
    slope = [k * c for k, c in enumerate(Q)][1:]
    poles = context.polyroots(Q[::-1], maxsteps=50 + 50 * denominator, extraprec=20 * DIGITS)
    shifts = sorted(-context.re(g) for g in poles)
    weights = [context.polyval(P[::-1], -s) / context.polyval(slope[::-1], -s) for s in shifts]
    constant, *higher = map(float, polynomial)
    return PartialFractions(constant, tuple(map(float, weights)), tuple(map(float, shifts)), tuple(higher))


def _hypergeometric(n: int, b: Fraction, c: Fraction) -> list[Fraction]:
    """Coefficients of 2F1(-n, b; c; g), divided by its value at g = 1."""
    terms = [Fraction(1)]
    for k in range(n):
        terms.append(terms[-1] * (k - n) * (b + k) / ((c + k) * (k + 1)))
    total = sum(terms, Fraction(0))
    return [term / total for term in terms]


def _quotient(above: list[Fraction], below: list[Fraction]) -> list[Fraction]:
    """Coefficients of the polynomial part of a rational function."""
    rest, m = list(above), len(below) - 1
    quotient = [Fraction(0)] * (len(above) - m)
    for i in reversed(range(len(quotient))):
        quotient[i] = rest[i + m] / below[m]
        for k in range(m + 1):
            rest[i + k] -= quotient[i] * below[k]
    return quotient
