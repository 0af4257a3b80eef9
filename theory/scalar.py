r"""What the twins share: exact scalar maps on a spectrum, and extrema of polynomials by bracketing.

A float64 spectrum is mapped with ``WORKING_DIGITS`` digits and rounded once, so a twin's value is the
correctly rounded one; a spectrum of mpmath numbers is mapped in the caller's working precision.

Nothing here is specific to a method.  Real roots come from the intermediate value theorem alone: between two
neighbouring zeros of $f'$ the polynomial $f$ is monotone and has at most one zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

Number: TypeAlias = Any
"""A Fraction, a float or an mpmath number."""

Spectrum: TypeAlias = NDArray[Any]
"""Singular values, shape (n,), float64 or mpmath numbers in an object array."""

WORKING_DIGITS = 50
"""Three times the 16 digits of a float64, so that a value of a few products is correctly rounded."""


def number(value: Number) -> Number:
    """Return ``value`` as an mpmath number; exact for floats, rounded to working precision for fractions."""
    if isinstance(value, Fraction):
        return mp.mpf(value.numerator) / value.denominator
    return mp.mpf(value)


def horner(coefficients: Sequence[Number], y: Number) -> Number:
    """Value at y of the sum of c_i y^i."""
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * y + c
    return value


def odd(coefficients: Sequence[Number], x: Number) -> Number:
    """Value at x of x (c_0 + c_1 x^2 + c_2 x^4 + ...)."""
    return x * horner(coefficients, x * x)


def on_spectrum(function: Callable[[list[Number]], Sequence[Number]], sigmas: Spectrum) -> Spectrum:
    """Apply a map of the whole spectrum, in ``WORKING_DIGITS`` digits when the spectrum is in float64.

    Parameters
    ----------
    function : callable
        Takes and returns a list of mpmath numbers.
    sigmas : array, shape (n,)

    Returns
    -------
    array, shape (n,)
        Of the kind that came in.
    """
    if sigmas.dtype == object:
        return np.array([*function([number(s) for s in sigmas]), None], dtype=object)[:-1]
    with mp.workdps(WORKING_DIGITS):
        return np.array([float(s) for s in function([mp.mpf(float(s)) for s in sigmas])], dtype=np.float64)


def derivative(coefficients: Sequence[Number]) -> list[Number]:
    """Coefficients of the derivative of the sum of c_i y^i."""
    return [i * c for i, c in enumerate(coefficients)][1:]


def real_roots(coefficients: Sequence[Number], lower: Number, upper: Number) -> list[Number]:
    """Zeros in [lower, upper], ascending, of the sum of c_i y^i, in the current working precision.

    A zero of even multiplicity is found when the value there is exactly zero, which exact data give.
    """
    if len(coefficients) < 2:
        return []
    slope = derivative(coefficients)
    ends = [lower, *(c for c in real_roots(slope, lower, upper) if lower < c < upper), upper]
    roots = [x for x in ends if horner(coefficients, x) == 0]
    for a, b in pairwise(ends):
        left, right = horner(coefficients, a), horner(coefficients, b)
        if (left < 0 < right) or (right < 0 < left):
            roots.append(_bracketed(coefficients, slope, a, b, rising=left < 0))
    return sorted(roots)


def _bracketed(f: Sequence[Number], df: Sequence[Number], a: Number, b: Number, *, rising: bool) -> Number:
    """Zero of f, monotone on [a, b]: Newton's method, bisection where it would leave the bracket."""
    x = (a + b) / 2
    for _ in range(4 * mp.prec):
        value, bend = horner(f, x), horner(df, x)
        if value == 0:
            return x
        a, b = (a, x) if (value > 0) == rising else (x, b)
        new = x - value / bend if bend else a
        if not a < new < b:
            new = (a + b) / 2
        if abs(new - x) <= 2 * mp.eps * abs(new):
            return new
        x = new
    return x


def image(coefficients: Sequence[Number], lower: Number, upper: Number) -> tuple[Number, Number]:
    """Smallest interval holding x (c_0 + c_1 x^2 + ...) for every x in [lower, upper], 0 <= lower <= upper.

    The extrema of a polynomial lie at the ends and at the zeros of its derivative.
    """
    c = [number(v) for v in coefficients]
    slope = [(2 * i + 1) * v for i, v in enumerate(c)]
    turns = real_roots(slope, lower * lower, upper * upper)
    values = [odd(c, x) for x in [lower, upper, *(mp.sqrt(y) for y in turns)]]
    return min(values), max(values)


def residual_norm(sigmas: Spectrum) -> float:
    r"""Return $\|I - X^H X\|_2 = \max |1 - \sigma^2|$, rounded once."""
    with mp.workdps(WORKING_DIGITS):
        return float(max(abs(1 - number(s) ** 2) for s in sigmas))


def image_residual(polynomials: Sequence[Sequence[Number]], sigmas: Spectrum) -> float:
    r"""Bound $\|I - X_k^H X_k\|_2$ by carrying the interval $[\min\sigma, \max\sigma]$ through the maps.

    Proved for every continuous map: the spectrum stays inside the image of the interval that holds it.
    """
    with mp.workdps(WORKING_DIGITS):
        lower, upper = number(min(sigmas)), number(max(sigmas))
        for coefficients in polynomials:
            lower, upper = image(coefficients, lower, upper)
        return float(max(abs(1 - lower * lower), abs(1 - upper * upper)))


def symmetric_products(q: int) -> int:
    r"""Products that a polynomial of degree q in a Hermitian matrix takes (Paterson-Stockmeyer).

    Blocks of s: s - 1 products for $S^2, ..., S^s$, then one for each block below the leading one, of which there are
    $\lceil q/s \rceil - 1$, since $c_q S^s$ joins the leading block where s divides q.  Of all s the least.
    """
    return min(s - 1 + (q + s - 1) // s - 1 for s in range(1, q + 1)) if q > 1 else 0
