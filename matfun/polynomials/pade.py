r"""Padé approximants of (1 - r)^(-1/p) at r = 0, as partial fractions in g = 1 - r.

With $\alpha = 1/p$ the [l/m] approximant is the quotient of ${}_2F_1(-l, \alpha - m; 1 + \alpha; g)$ and
${}_2F_1(-m, -\alpha - l; 1 - \alpha; g)$, normalised to 1 at g = 1: the classical pair in r (Kenney and Laub 1991)
with its argument reflected.  As $(1 - r)^{-\alpha}$ is a Stieltjes function, for
l >= m - 1 all poles are simple and at g < 0, and all residues positive, so nothing cancels.

The poles are g = -(1 - x)/(1 + x) for the nodes x of Gauss's rule of m points for the weight
$(1 - x)^{-\alpha} (1 + x)^{\alpha + l - m}$: with $\tau = (1 + x)/2$ in it, $(1 - r)^{-\alpha}$ less its first
l - m + 1 Taylor terms is $r^{l-m+1}$ times the integral of $1/(1 - r \tau)$, to which Gauss's rule is the [m-1/m]
approximant (Baker and Graves-Morris, Padé Approximants, 1996, ch. 5).  The nodes are found in double precision, and
the poles corrected by Newton's method in exact rational arithmetic.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.special import roots_jacobi

from matfun.host import host_constant
from matfun.polynomials.update import PartialFractions

BITS = 120
"""Relative accuracy of a pole, 2^-120: its weight, a quotient of two polynomials there, loses some of it."""


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
    It agrees with the Taylor series up to r^(l + m).  Remembered for every p, l, m.  Some milliseconds for m = 8, once.

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
    alpha = Fraction(1, p)
    above = _hypergeometric(numerator, alpha - denominator, 1 + alpha)
    below = _hypergeometric(denominator, -alpha - numerator, 1 - alpha)
    constant, *higher = _quotient(above, below) if numerator >= denominator else [Fraction(0)]

    slope = [k * c for k, c in enumerate(below)][1:]
    with np.errstate(divide="ignore", invalid="ignore"):  # an unused 0/0 inside, where the exponents add up to -1
        nodes, _ = roots_jacobi(denominator, -1 / p, 1 / p + numerator - denominator)
    poles = [_root(below, slope, Fraction((x - 1) / (x + 1))) for x in map(float, reversed(nodes))]
    weights = [float(_at(above, g) / _at(slope, g)) for g in poles]
    return PartialFractions(float(constant), tuple(weights), tuple(float(-g) for g in poles), tuple(map(float, higher)))


def _root(f: list[Fraction], slope: list[Fraction], x: Fraction) -> Fraction:
    """Simple root of f near x by Newton's method, whose last correction, below 2^(-BITS/2), leaves about its square."""
    correction = Fraction(1)
    while abs(correction) > Fraction(1, 2 ** (BITS // 2)):
        correction = Fraction(round(_at(f, x) / _at(slope, x) / x * 2**BITS), 2**BITS)
        x *= 1 - correction
    return x


def _at(f: list[Fraction], x: Fraction) -> Fraction:
    value = Fraction(0)
    for c in reversed(f):
        value = value * x + c
    return value


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
