r"""Polynomials in whole numbers: signs, common divisors and the number of real zeros, all exact.

A polynomial is a list of integers from the constant up, known up to a positive factor: signs are right, sizes are not.

Sturm's theorem.  Let c be square-free, $c_0 = c, c_1 = c', c_{k+1} = -\mathrm{rem}(c_{k-1}, c_k)$, each up to a
positive factor, and V(x) the number of sign changes in $c_0(x), c_1(x), \dots$, zeros left out.  Then $V(a) - V(b)$ is
the number of zeros in $(a, b]$.  Source: Basu, Pollack, Roy, Algorithms in Real Algebraic Geometry, sec. 2.2.
Square-free factorisation: Musser (J. ACM 22, 1975): with $g = \prod g_k^k$, $\gcd(g, g')$ has every factor once less.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm
from typing import TypeAlias

from theory.rational import divide, multiply

Real: TypeAlias = float | Fraction
"""A float or integer, taken for the fraction that it is, or a fraction."""

Whole: TypeAlias = list[int]
"""Integer coefficients from the constant up, the last not 0; [] is the zero polynomial."""


def whole(coefficients: Sequence[Real]) -> Whole:
    """Integer coefficients without common factor that are a positive multiple of these."""
    fractions = [Fraction(c) for c in coefficients]
    while fractions and fractions[-1] == 0:
        fractions.pop()
    common = lcm(*(c.denominator for c in fractions))
    whole = [int(c * common) for c in fractions]
    content = gcd(*whole)
    return [c // content for c in whole]


def sign(c: Whole, x: Fraction) -> int:
    """Sign at x: -1, 0 or 1."""
    n, d, power, value = x.numerator, x.denominator, 1, 0
    for v in reversed(c):
        value = value * n + v * power
        power *= d
    return (value > 0) - (value < 0)


def divided(a: Whole, b: Whole) -> tuple[Whole, Whole]:
    """Quotient and remainder of a by b, each up to a positive factor."""
    quotient, rest = divide([Fraction(v) for v in a], b)
    return whole(quotient), whole(rest)


def derivative(c: Whole) -> Whole:
    """Derivative, up to a positive factor."""
    return whole([i * v for i, v in enumerate(c)][1:])


def common(a: Whole, b: Whole) -> Whole:
    """Greatest common divisor, of either sign."""
    while b:
        a, b = b, divided(a, b)[1]
    return a


def square_free(c: Whole) -> Whole:
    """Polynomial with the same zeros, all simple; the sign may differ."""
    return divided(c, common(c, derivative(c)))[0] if len(c) > 1 else c


def odd_part(g: Whole) -> Whole:
    """Product of the factors of odd multiplicity, of either sign."""
    repeated = common(g, derivative(g)) if len(g) > 1 else [1]
    rest, odd, multiplicity = divided(g, repeated)[0], [1], 1
    while len(rest) > 1:
        kept = common(rest, repeated)
        if multiplicity % 2:
            odd = whole(multiply(odd, divided(rest, kept)[0]))
        rest, repeated, multiplicity = kept, divided(repeated, kept)[0], multiplicity + 1
    return odd


def sturm(c: Whole) -> list[Whole]:
    """Sturm sequence of a square-free polynomial."""
    chain = [c, derivative(c)]
    while chain[-1]:
        chain.append([-v for v in divided(chain[-2], chain[-1])[1]])
    return chain[:-1]


def count(chain: list[Whole], a: Fraction, b: Fraction) -> int:
    """Zeros in (a, b], a <= b."""
    changes = []
    for x in (a, b):
        signs = [s for s in (sign(c, x) for c in chain) if s]
        changes.append(sum(s != t for s, t in pairwise(signs)))
    return changes[0] - changes[1]
