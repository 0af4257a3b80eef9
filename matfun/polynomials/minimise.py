"""Minimiser of a polynomial on an interval, without branches, on any array library.

The coefficients may be device scalars, one set per matrix of a stack; nothing is copied to the host.
The right valley is found on a grid, for every degree, or for quartics at the roots of the derivative in closed form.
Newton's method, kept within a grid cell, goes to its bottom from either: the roots lose up to half of their digits
where the leading coefficient is small, as near convergence it is, and more where two or three are near each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from typing import Any, Literal, TypeAlias

Solver: TypeAlias = Literal["grid", "roots"]

SOLVERS: tuple[Solver, ...] = ("grid", "roots")

GRID_POINTS = 65
"""Grid used by public implementations of PRISM's fit (marin PR 6301 and PR 4933)."""

EMPIRICAL_NEWTON_STEPS = 4
"""From within one grid cell, Newton's method is at rounding after 3 steps on every quartic tried."""

NEGLIGIBLE = 2.0**-20
"""Leading coefficients (the largest is 1) below which a cubic's root is no better than the quadratic's.

Sixth powers of the inverse, which the cubic's formula forms, stay in the range of float32.
"""

ROUNDINGS = 8.0
"""Of a value of the polynomial, in eps: two for each of four coefficients of at most 1."""


def _horner(coefficients: Sequence[Any], x: Any) -> Any:
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value


def grid(lower: float, upper: float) -> list[float]:
    """Equispaced points of the search, ends included."""
    return [lower + (upper - lower) * i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]


def argmin_on_interval(xp: Any, coefficients: Sequence[Any], points: Any, lower: float, upper: float) -> Any:
    """Minimiser over [lower, upper] of sum c_i x^i, by a grid.

    Parameters
    ----------
    xp : namespace
        Array namespace of the coefficients.
    coefficients : sequence of arrays, shape (...)
        Real, from the constant up; at least degree 2.
    points : array, shape (GRID_POINTS,)
        ``grid(lower, upper)`` in the dtype and on the device of the coefficients.
    lower, upper : float
        The interval.

    Returns
    -------
    array, shape (...)
        The minimiser; ``lower`` where the polynomial is constant, zero or not finite (a residual that
        has vanished leaves nothing to fit, and the lower end is the Taylor coefficient).
    """
    c, usable = _normalised(xp, coefficients)
    x = _bottom(xp, c, _best(xp, c, points, upper), lower, upper)
    return xp.where(usable, x, xp.full_like(x, lower))


def argmin_by_roots(xp: Any, coefficients: Sequence[Any], lower: float, upper: float) -> Any:
    """Minimiser over [lower, upper] of a polynomial of degree 4 at most, by the roots of its derivative.

    Parameters
    ----------
    xp : namespace
    coefficients : sequence of arrays, shape (...)
        Real, from the constant up; at least degree 2.
    lower, upper : float

    Returns
    -------
    array, shape (...)
        As ``argmin_on_interval``.

    Raises
    ------
    ValueError
        For polynomials of higher degree.
    """
    if len(coefficients) > 5:
        raise ValueError(f"coefficients: expected 5 at most for the roots in closed form, got {len(coefficients)}")
    c, usable = _normalised(xp, coefficients)
    c += [xp.zeros_like(c[0])] * (5 - len(c))
    ends = [xp.full_like(c[0], end) for end in (lower, upper)]
    candidates = xp.stack([*ends, *_turning_points(xp, c, lower, upper)], axis=-1)
    x = _bottom(xp, c, _best(xp, c, candidates, upper), lower, upper)
    return xp.where(usable, x, xp.full_like(x, lower))


def _normalised(xp: Any, coefficients: Sequence[Any]) -> tuple[list[Any], Any]:
    """Coefficients whose largest, the constant apart, is 1, and where they are usable; zero where they are not."""
    c = xp.stack(list(coefficients), axis=-1)
    size = xp.max(xp.abs(c[..., 1:]), axis=-1)
    usable = (size > 0) & xp.isfinite(size)
    c = c / xp.where(usable, size, xp.ones_like(size))[..., None]
    c = xp.where(usable[..., None], c, xp.zeros_like(c))
    return [c[..., i] for i in range(c.shape[-1])], usable


def _best(xp: Any, c: Sequence[Any], points: Any, upper: float) -> Any:
    """The smallest of the points, shape (..., k), where the polynomial is least."""
    values = _rise([v[..., None] for v in c], points)
    # a minimum instead of a gather with an array index
    best = xp.min(values, axis=-1, keepdims=True)
    return xp.min(xp.where(values <= best, points, xp.full_like(points, upper)), axis=-1)


def _rise(c: Sequence[Any], x: Any) -> Any:
    """Value at x less that at 0: the constant would hide small differences by its rounding."""
    return x * _horner(c[1:], x)


def _bottom(xp: Any, c: Sequence[Any], start: Any, lower: float, upper: float) -> Any:
    """Bottom of the valley at the start, by Newton's method."""
    x, cell = start, (upper - lower) / (GRID_POINTS - 1)
    low, high = xp.clip(x - cell, lower, upper), xp.clip(x + cell, lower, upper)
    slope = [i * c[i] for i in range(1, len(c))]
    curvature = [i * slope[i] for i in range(1, len(slope))]
    for _ in range(EMPIRICAL_NEWTON_STEPS):
        bend = _horner(curvature, x)
        step = _horner(slope, x) / xp.where(bend > 0, bend, xp.ones_like(bend))
        x = xp.where(bend > 0, xp.minimum(xp.maximum(x - step, low), high), x)
    # where it is flat, slope and curvature are rounding; the largest coefficient is 1
    uphill = _rise(c, x) - _rise(c, start) > ROUNDINGS * float(xp.finfo(x.dtype).eps)
    return xp.where(uphill, start, x)


def _turning_points(xp: Any, c: Sequence[Any], lower: float, upper: float) -> list[Any]:
    """Where the slope of a quartic vanishes, or points of the interval that may be compared as well."""
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    s = [i * c[i] for i in range(1, 5)]
    # the slope at middle + half t, by powers of t: the roots that count have |t| <= 1
    d = [
        _horner(s, middle),
        half * _horner([s[1], 2 * s[2], 3 * s[3]], middle),
        half**2 * _horner([s[2], 3 * s[3]], middle),
        half**3 * s[3],
    ]
    size = xp.max(xp.abs(xp.stack(d, axis=-1)), axis=-1)
    d = [v / xp.where(size > 0, size, xp.ones_like(size)) for v in d]
    return [middle + half * xp.clip(t, -1.0, 1.0) for t in [*_cubic_roots(xp, d), *_quadratic_roots(xp, d)]]


def _cubic_roots(xp: Any, d: Sequence[Any]) -> list[Any]:
    """The three real roots by Viete's cosines, or Cardano's one three times; any numbers for a small d_3.

    Nothing that is differentiated divides by zero, or takes the square root of zero.
    """
    lead = _divisor(xp, d[3])
    b, e, f = d[2] / lead / 3, d[1] / lead, d[0] / lead
    q = b * b - e / 3
    r = b * b * b - b * e / 2 + f / 2
    gap = q * q * q - r * r
    three, one = gap >= 0, xp.ones_like(q)
    side, root = _square_root(xp, gap), _square_root(xp, q)
    angle = xp.atan2(side, xp.where(side > 0, r, xp.where(r < 0, -one, one))) / 3
    cube = xp.where(three, one, xp.abs(r) + _square_root(xp, -gap)) ** (1 / 3)
    cube = xp.where(r < 0, cube, -cube)
    alone = cube + q / cube - b
    return [xp.where(three, -2 * root * xp.cos(angle + turn) - b, alone) for turn in (0.0, 2 * pi / 3, -2 * pi / 3)]


def _quadratic_roots(xp: Any, d: Sequence[Any]) -> list[Any]:
    """Roots of d_0 + d_1 t + d_2 t^2, both without cancellation; its vertex where they are not real."""
    side = _square_root(xp, d[1] * d[1] - 4 * d[2] * d[0])
    q = -(d[1] + xp.where(d[1] < 0, -side, side)) / 2
    return [q / _divisor(xp, d[2]), d[0] / _divisor(xp, q)]


def _square_root(xp: Any, x: Any) -> Any:
    """Square root of x, 0 where x is negative."""
    positive = x > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, x, xp.ones_like(x))), xp.zeros_like(x))


def _divisor(xp: Any, x: Any) -> Any:
    return xp.where(xp.abs(x) > NEGLIGIBLE, x, xp.ones_like(x))
