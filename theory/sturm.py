r"""Certificates for float coefficients: bounds of $f(x) = x h(x^p)$ decided in whole numbers, never by sampling.

Floats are fractions.  Every sign below is the sign of an integer (whole.py, with Sturm's theorem), so nothing depends
on rounding, and every number that comes out bounds the truth from the side that its name says.

Proved
------
* ``encloses``.  $g \ge 0$ on $[a, b]$ if and only if no zero inside has odd multiplicity, that is if the product of the
  factors of odd multiplicity (Musser's square-free factorisation) has none in $(a, b)$, and g is positive
  somewhere there.  Touching is allowed, and decided exactly.
* ``image``.  On $[a, b]$ f takes its extremes at a, b and the zeros of $f'(x) = s(x^p)$, $s = \sum (pi + 1) c_i y^i$.
  Each zero of s in $(a^p, b^p]$ is enclosed by bisection in x, to a width w with $L w \le 2^{-bits}$, $L = \sum (pi +
  1) |c_i| b^{pi} \ge |f'|$.  At the enclosure's end f takes a value v, and its value at the zero lies in
  $[v - Lw, v + Lw]$: an interval that holds the image, and one that the image holds.
* ``sup_error_bounds``.  Carried through all polynomials, the first rounded outwards and the second inwards to multiples
  of $2^{-bits}$, they bound $\sup |1 - \sigma|$ from both sides.  Where inward rounding leaves nothing (an image
  shorter than the grid) the lower bound is the distance of 1 from the outer interval.
* Negative x: $f(-x)$ has the coefficients $-(-1)^{pi} c_i$.

``dense_error`` is the opposite: plain float64 sampling, a lower bound of $\sup |1 - \sigma|$ but for rounding, which
shares nothing with the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor, inf, nextafter
from sys import float_info
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from theory.whole import Real, Whole, count, odd_part, sign, square_free, sturm, whole

Interval: TypeAlias = tuple[Fraction, Fraction]

BITS = 160
"""Grid of the carried ends: 7e-49, which ten steps of slope 30 amplify to less than 1e-33."""

CHUNK = 1 << 18
"""Points sampled at a time: 2 MB for each array."""


def encloses(coefficients: Sequence[Real], lower: Real, upper: Real, low: Real, high: Real, *, p: int = 2) -> bool:
    """Whether low <= f(x) <= high for every x in [lower, upper]; exact, touching counts as inside.

    Parameters
    ----------
    coefficients : sequence of float or Fraction
        Of x, x^(p+1), x^(2p+1), ...
    lower, upper, low, high : float or Fraction
        lower <= upper, of any sign; low and high may be infinite.

    Examples
    --------
    >>> encloses((1.5, -0.5), 0, 1.5, 0, 1), encloses((1.5, -0.5), 0, 1.5, 0, 1 - 2**-53)
    (True, False)
    """
    a, b = Fraction(lower), Fraction(upper)
    return (low == -inf or _non_negative(_shifted(coefficients, low, p), a, b)) and (
        high == inf or _non_negative(_shifted([-Fraction(c) for c in coefficients], -high, p), a, b)
    )


def positive(coefficients: Sequence[Real], upper: Real, *, p: int = 2) -> bool:
    """Whether f(x) > 0 for every x in (0, upper], upper > 0; exact."""
    h, top = whole(coefficients), Fraction(upper) ** p
    return bool(h) and sign(h, top) > 0 and count(sturm(square_free(h)), Fraction(0), top) == 0


def roots(coefficients: Sequence[Real], level: Real, lower: Real, upper: Real, *, p: int = 2) -> int:
    """Number of distinct x in [lower, upper] with f(x) = level; f must not be constant there."""
    g, a, b = square_free(_shifted(coefficients, level, p)), Fraction(lower), Fraction(upper)
    return count(sturm(g), a, b) + (sign(g, a) == 0)


def image(
    coefficients: Sequence[Real], lower: Real, upper: Real, *, p: int = 2, bits: int = BITS
) -> tuple[Interval, Interval]:
    """Two intervals, exact fractions: the first holds f([lower, upper]), the second is held by it.

    Their ends differ by at most 2^-bits.
    """
    a, b = Fraction(lower), Fraction(upper)
    if a < 0 < b:
        parts = [image(coefficients, *ends, p=p, bits=bits) for ends in ((a, Fraction(0)), (Fraction(0), b))]
        return _hull([around for around, _ in parts]), _hull([within for _, within in parts])
    c = [Fraction(v) for v in coefficients]
    if a < 0:
        a, b, c = -b, -a, [-v if p * i % 2 == 0 else v for i, v in enumerate(c)]
    steepest = sum((p * i + 1) * abs(v) * b ** (p * i) for i, v in enumerate(c))
    width = Fraction(1, 2**bits) / max(steepest, Fraction(1))
    known = [_value(c, x, p) for x in (a, b)]
    outer, inner = [*known], [*known]
    for x, y in _turns(c, a, b, p, width):
        value, margin = _value(c, y, p), steepest * (y - x)
        inner.append(value)
        outer += [value - margin, value + margin]
    return (min(outer), max(outer)), (min(inner), max(inner))


def sup_error_bounds(
    polynomials: Sequence[Sequence[Real]], lower: Real, upper: Real, *, p: int = 2, bits: int = BITS
) -> tuple[float, float]:
    r"""Two floats between which $\sup |1 - f_T \circ \dots \circ f_1|$ over [lower, upper] certainly lies.

    Parameters
    ----------
    polynomials : sequence of coefficient sequences
        In the order in which they are applied; none: the identity.
    lower, upper : float or Fraction
        lower <= upper, of any sign.

    Returns
    -------
    at_least, at_most : float
        Rounded outwards; neighbours or the same, unless the error is near $2^{-bits}$.

    Examples
    --------
    >>> at_least, at_most = sup_error_bounds([(1.5, -0.5)] * 2, 0.5, 1)
    >>> at_least <= 1 - 0.6875 * (1.5 - 0.5 * 0.6875**2) <= at_most
    True
    """
    outer: Interval = (Fraction(lower), Fraction(upper))
    inner: Interval | None = outer
    for coefficients in polynomials:
        around, within = image(coefficients, *outer, p=p, bits=bits)
        if inner is not None and inner != outer:
            within = image(coefficients, *inner, p=p, bits=bits)[1]
        outer = _grid(around[0], bits, up=False), _grid(around[1], bits, up=True)
        if inner is not None:
            low, high = _grid(within[0], bits, up=True), _grid(within[1], bits, up=False)
            inner = (low, high) if low <= high else None
    at_most = max(abs(1 - x) for x in outer)
    at_least = max(outer[0] - 1, 1 - outer[1], Fraction(0), *(abs(1 - x) for x in inner or ()))
    return _float(at_least, up=False), _float(at_most, up=True)


def dense_error(
    polynomials: Sequence[Sequence[float]], lower: float, upper: float, points: int = 2_000_000, *, p: int = 2
) -> float:
    """Largest |1 - f_T o ... o f_1| in float64 at points of which half are spaced linearly, half geometrically.

    0 <= lower < upper; with lower = 0 the geometric ones start at 2^-60 of upper.
    """
    worst, half = 0.0, points // 2
    for start in range(0, half, CHUNK):
        part = np.arange(start, min(start + CHUNK, half)) / (half - 1)
        foot = lower if lower > 0 else upper * 2.0**-60
        for x in (lower + (upper - lower) * part, foot * (upper / foot) ** part):
            worst = max(worst, float(np.max(np.abs(1 - _sampled(polynomials, np.clip(x, lower, upper), p)))))
    return worst


def _sampled(polynomials: Sequence[Sequence[float]], x: NDArray[np.float64], p: int) -> NDArray[np.float64]:
    for coefficients in polynomials:
        y, value = x**p, np.full_like(x, coefficients[-1])
        for c in coefficients[-2::-1]:
            value = value * y + c
        x = x * value
    return x


def _non_negative(g: Whole, a: Fraction, b: Fraction) -> bool:
    """Whether g >= 0 on [a, b]."""
    if not g:
        return True
    if a == b:
        return sign(g, a) >= 0
    odd = odd_part(g)
    inside = count(sturm(odd), a, b) - (sign(odd, b) == 0)
    samples = (sign(g, a + (b - a) * Fraction(k, len(g) + 1)) for k in range(1, len(g) + 1))
    return inside == 0 and next(s for s in samples if s) > 0


def _turns(c: Sequence[Fraction], a: Fraction, b: Fraction, p: int, width: Fraction) -> Iterator[Interval]:
    """Intervals in [a, b], a >= 0, no longer than width, one around each zero of f'."""
    s = square_free(whole([(p * i + 1) * v for i, v in enumerate(c)]))
    chain = sturm(s)
    waiting = [(a, b)]
    while waiting:
        x, y = waiting.pop()
        zeros, middle = count(chain, x**p, y**p), (x + y) / 2
        if zeros > 1:
            waiting += [(x, middle), (middle, y)]
        elif zeros:
            after = sign(s, y**p)
            while after and y - x > width:
                middle = (x + y) / 2
                there = sign(s, middle**p)
                # one simple zero in (x, y]: it is in (x, middle] unless the sign still changes after that
                x, y = (x, middle) if there in (0, after) else (middle, y)
                after = after if there else 0
            yield (x, y) if after else (y, y)


def _value(c: Sequence[Fraction], x: Fraction, p: int) -> Fraction:
    y, value = x**p, Fraction(0)
    for v in reversed(c):
        value = value * y + v
    return x * value


def _hull(intervals: Sequence[Interval]) -> Interval:
    return min(a for a, _ in intervals), max(b for _, b in intervals)


def _grid(x: Fraction, bits: int, *, up: bool) -> Fraction:
    return Fraction((ceil if up else floor)(x * 2**bits), 2**bits)


def _float(x: Fraction, *, up: bool) -> float:
    """Nearest float on the given side, x >= 0; infinity, or the largest, beyond all floats."""
    if x > Fraction(float_info.max):
        return inf if up else float_info.max
    value = float(x)
    wrong = Fraction(value) < x if up else Fraction(value) > x
    return nextafter(value, inf if up else -inf) if wrong else value


def _shifted(coefficients: Sequence[Real], level: Real, p: int) -> Whole:
    """Return f - level as a polynomial in x."""
    spread_out = [Fraction(0)] * (p * (len(coefficients) - 1) + 2)
    spread_out[1::p] = [Fraction(c) for c in coefficients]
    spread_out[0] -= Fraction(level)
    return whole(spread_out)
