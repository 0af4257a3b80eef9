r"""What a list of polynomials does to an interval of singular values, recomputed from its coefficients alone.

x h(x^p) takes an interval to an interval whose ends are values at its ends or at critical points, the roots of
$\sum_i (1 + p i) c_i y^i$, y = x^p; so the image under a composition, and with it sup |1 - p|, needs no sampling.
tests/design/test_certificates.py holds every certificate in the package against exact arithmetic (theory/sturm.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb, inf, sqrt

import numpy as np
from scipy.optimize import brentq

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial

Coefficients = Sequence[float]
"""Of h in the gram basis, 1, x^p, x^(2 p), ...: of x, x^3, x^5, ... for p = 2."""

RUNAWAY = 1e6
"""A value from which on no polynomial of a composition of 1 leads back."""

REAL = 1e-7
"""Relative imaginary part below which a computed root counts as real: half the digits, as for a double root."""

LARGEST = 1e290
"""Powers of x, and ratios of coefficients, are formed up to this; a value beyond has left every region of interest."""


def value(coefficients: Coefficients, x: float, p: int = 2) -> float:
    """Evaluate x h(x^p)."""
    total, y = 0.0, x**p
    for c in reversed(coefficients):
        total = total * y + c
    return total * x


def critical_points(coefficients: Coefficients, p: int = 2) -> list[float]:
    """Positive x where x h(x^p) turns, ascending."""
    return sorted(y ** (1 / p) for y in _real_roots([(1 + p * i) * c for i, c in enumerate(coefficients)]) if y > 0)


def _real_roots(coefficients: list[float]) -> list[float]:
    """Real zeros of sum c_i y^i; not those far out that come from a coefficient beside which others overflow."""
    largest = max(map(abs, coefficients), default=0.0)
    while coefficients and abs(coefficients[-1]) * LARGEST <= largest:
        coefficients = coefficients[:-1]
    if len(coefficients) == 2:
        return [-coefficients[0] / coefficients[1]]
    if len(coefficients) == 3:
        return _quadratic(*coefficients)
    return [float(y.real) for y in np.roots(coefficients[::-1]) if abs(y.imag) <= REAL * abs(y)]


def _quadratic(a: float, b: float, c: float) -> list[float]:
    """Real zeros of a + b y + c y^2, without cancellation."""
    square = b * b - 4 * a * c
    if square < 0:
        return []
    large = -(b + (sqrt(square) if b > 0 else -sqrt(square))) / 2
    return [large / c, a / large] if large != 0 else [0.0]


def image(coefficients: Coefficients, lower: float, upper: float, p: int = 2) -> tuple[float, float]:
    """Smallest and largest value of x h(x^p) on [lower, upper], 0 <= lower <= upper."""
    inside = [x for x in critical_points(coefficients, p) if lower < x < upper]
    values = [value(coefficients, x, p) for x in (lower, *inside, upper)]
    return min(values), max(values)


def images(polynomials: Sequence[Coefficients], lower: float, upper: float, p: int = 2) -> list[tuple[float, float]]:
    """[lower, upper] and its image after every step."""
    ends = [(lower, upper)]
    for coefficients in polynomials:
        ends.append(_image_of_any(coefficients, *ends[-1], p))
    return ends


def _image_of_any(coefficients: Coefficients, lower: float, upper: float, p: int) -> tuple[float, float]:
    """Image of an interval that may hold negative values: of what a polynomial with a wrong sign leaves."""
    if lower >= 0:
        return image(coefficients, lower, upper, p)
    mirrored = [c * (-1) ** (p * i) for i, c in enumerate(coefficients)]  # -x h((-x)^p) at -x
    low, high = image(mirrored, max(0.0, -upper), -lower, p)
    if upper <= 0:
        return -high, -low
    least, most = image(coefficients, 0.0, upper, p)
    return min(-high, least), max(-low, most)


def sup_error(polynomials: Sequence[Coefficients], lower: float, upper: float, p: int = 2) -> float:
    """Largest |1 - x| after all steps for a start x in [lower, upper].

    Parameters
    ----------
    polynomials : sequence of sequences of float
    lower, upper : float
        0 < lower <= upper.
    p : int

    Returns
    -------
    float
        To rounding: some units in the last place of 1.

    Examples
    --------
    >>> sup_error([(1.5, -0.5)], 0.5, 1.0)
    0.3125
    """
    low, high = images(polynomials, lower, upper, p)[-1]
    return max(1 - low, high - 1)


def exact_sup_error(polynomials: Sequence[Coefficients], lower: float, upper: float, p: int = 2) -> float:
    """``sup_error`` of the floats given, without rounding: below 1e-15 floats around 1 could not tell it.

    Values are fractions, rounded to 2^-240.  Where the interval is short its critical points are found in a variable
    that is shifted and scaled to it exactly, since in y they are a multiple root for floats.

    Examples
    --------
    >>> newton_schulz = [(1.875, -1.25, 0.375)]
    >>> 2e-24 < exact_sup_error(newton_schulz, 1 - 1e-8, 1.0) < 3e-24  # (5/2) (1e-8)^3
    True
    """
    low, high = Fraction(lower), Fraction(upper)
    for coefficients in polynomials:
        c = [Fraction(v) for v in coefficients]
        points = [low, high, *_turns_between(c, low, high, p)]
        values = [_rounded(sum((v * x ** (p * i + 1) for i, v in enumerate(c)), Fraction(0))) for x in points]
        low, high = min(values), max(values)
        if max(-low, high) > RUNAWAY:
            return inf
    return float(max(1 - low, high - 1))


def _turns_between(c: list[Fraction], low: Fraction, high: Fraction, p: int) -> list[Fraction]:
    """Where x h(x^p) turns between low and high."""
    if low <= 0:  # a wide interval, and perhaps one of two signs
        found = []
        for sign in (1, -1):
            mirrored = [float(v) * sign ** (p * i) for i, v in enumerate(c)]
            found += [sign * Fraction(x) for x in critical_points(mirrored, p)]
        return [x for x in found if low < x < high]
    slope = [(1 + p * i) * v for i, v in enumerate(c)]
    middle, half = (low**p + high**p) / 2, (high**p - low**p) / 2
    scaled = [sum(comb(i, k) * v * middle ** (i - k) for i, v in enumerate(slope)) * half**k for k in range(len(c))]
    size = max(map(abs, scaled))
    inner = [t for t in _real_roots([float(v / size) for v in scaled]) if -1 < t < 1] if size else []
    return [_root(middle + half * Fraction(t), p) for t in inner]


def _root(y: Fraction, p: int) -> Fraction:
    """The p-th root by Newton's method: from 53 bits to 240."""
    x = Fraction(float(y) ** (1 / p))
    for _ in range(4):
        x = _rounded(x - (x**p - y) / (p * x ** (p - 1)))
    return x


def _rounded(x: Fraction) -> Fraction:
    return Fraction(round(x * 2**240), 2**240)


def stability(polynomials: Sequence[Coefficients], lower: float, upper: float, p: int = 2) -> float:
    r"""Largest ratio of max p / u to the least p(x) / x over (0, u], u the top before the step; inf for a wrong sign.

    Examples
    --------
    >>> stability([(1.5, -0.5)] * 3, 0.1, 1.0)
    1.0
    """
    worst = 1.0
    for c, (_, top) in zip(polynomials, images(polynomials, lower, upper, p), strict=False):
        bends = [i * v for i, v in enumerate(c)][1:]
        inner = [y for y in _real_roots(bends) if 0 < y < top**p] if top > 0 else []
        least = min(float(np.polynomial.polynomial.polyval(y, c)) for y in (0.0, *inner, max(top, 0.0) ** p))
        if least <= 0:
            return inf
        worst = max(worst, image(c, 0.0, top, p)[1] / top / least)
    return worst


def region(polynomials: Sequence[Coefficients], p: int = 2, *, repeat: bool = False) -> float:
    """Largest value below which every positive start stays positive and bounded.

    Parameters
    ----------
    polynomials : sequence of sequences of float
    p : int
    repeat : bool
        Whether the last polynomial follows for ever; else it is followed by Newton-Schulz steps of its degree, and
        every start below the value converges to 1.

    Examples
    --------
    >>> round(region([(1.875, -1.25, 0.375)]) ** 2, 12)  # 7/3, for Newton-Schulz of degree 5
    2.333333333333
    """
    *chain, last = polynomials
    if not repeat:
        chain = list(polynomials)
        last = Polynomial(taylor_inverse_root(p, len(last) - 1)).in_basis("gram").coefficients
    edge = _invariant(last, p)
    for coefficients in reversed(chain):
        edge = _first_exit(coefficients, edge, p)
    return edge


def _invariant(coefficients: Coefficients, p: int) -> float:
    """Largest R with 0 < x h(x^p) <= R on (0, R): a zero, or a fixed point that repels upwards; inf for none."""
    zero = _first_exit(coefficients, inf, p)
    minus_one = [coefficients[0] - 1, *coefficients[1:]]
    rising = [
        x
        for x in _zeros(minus_one, p)
        if x < zero and value(minus_one, x * (1 + 1e-6), p) > 0 and image(coefficients, 0.0, x, p)[1] <= x * (1 + 1e-12)
    ]
    return rising[0] if rising else zero


def _zeros(coefficients: Coefficients, p: int) -> list[float]:
    """Positive simple zeros of x h(x^p), ascending."""
    reach = 2 * max(1.0, *(abs(c / coefficients[-1]) for c in coefficients[:-1])) if len(coefficients) > 1 else 1.0
    reach = min(reach, LARGEST ** (1 / (1 + p * len(coefficients))))
    ends = [1e-12, *critical_points(coefficients, p), reach]
    found = []
    for a, b in pairwise(ends):
        if a < b and value(coefficients, a, p) * value(coefficients, b, p) < 0:
            found.append(float(brentq(lambda x: value(coefficients, x, p), a, b, xtol=1e-15, rtol=1e-15)))
    return found


def _first_exit(coefficients: Coefficients, top: float, p: int) -> float:
    """Smallest x > 0 at which x h(x^p) leaves (0, top)."""
    ends = [0.0, *critical_points(coefficients, p)]
    ends.append(max(4.0, 2 * ends[-1]))
    while 0 < value(coefficients, ends[-1], p) < top and ends[-1] < 1e6:
        ends[-1] *= 2
    ends[-1] = min(ends[-1], LARGEST ** (1 / (1 + p * len(coefficients))))
    ends = [x for x in ends if x <= ends[-1]]
    for a, b in pairwise(ends):
        at = value(coefficients, b, p)
        if 0 < at < top:
            continue
        target = 0.0 if at <= 0 else top
        return float(
            brentq(lambda x, t=target: value(coefficients, x, p) - t, max(a, 1e-12), b, xtol=1e-15, rtol=1e-15)
        )
    return inf
