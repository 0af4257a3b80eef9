"""Minimiser of a polynomial on an interval, without branches, on any array library.

The coefficients may be device scalars, one set per matrix of a stack; nothing is copied to the host.
A grid finds the valley and Newton's method, kept inside the grid cell, its bottom: a cubic's roots in
closed form would need the same final comparison and lose digits when the quartic is flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

GRID_POINTS = 65
"""Grid used by public implementations of PRISM's fit (marin PR 6301 and PR 4933)."""

EMPIRICAL_NEWTON_STEPS = 4
"""From within one grid cell, Newton's method is at rounding after 3 steps on every quartic tried."""


def _horner(coefficients: Sequence[Any], x: Any) -> Any:
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value


def grid(lower: float, upper: float) -> list[float]:
    """Equispaced points of the search, ends included."""
    return [lower + (upper - lower) * i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]


def argmin_on_interval(xp: Any, coefficients: Sequence[Any], points: Any, lower: float, upper: float) -> Any:
    """Minimiser over [lower, upper] of sum c_i x^i.

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
    c = xp.stack(list(coefficients), axis=-1)
    size = xp.max(xp.abs(c[..., 1:]), axis=-1)
    usable = (size > 0) & xp.isfinite(size)
    c = c / xp.where(usable, size, xp.ones_like(size))[..., None]
    values = _horner([c[..., i, None] for i in range(c.shape[-1])], points)
    # argmin instead of a gather with an array index: the smallest grid point among the minimisers
    best = xp.min(values, axis=-1, keepdims=True)
    x = xp.min(xp.where(values <= best, points, xp.full_like(points, upper)), axis=-1)
    cell = (upper - lower) / (GRID_POINTS - 1)
    low, high = xp.clip(x - cell, lower, upper), xp.clip(x + cell, lower, upper)
    scalars = [c[..., i] for i in range(c.shape[-1])]
    slope = [i * scalars[i] for i in range(1, len(scalars))]
    curvature = [i * slope[i] for i in range(1, len(slope))]
    for _ in range(EMPIRICAL_NEWTON_STEPS):
        bend = _horner(curvature, x)
        step = _horner(slope, x) / xp.where(bend > 0, bend, xp.ones_like(bend))
        x = xp.where(bend > 0, xp.minimum(xp.maximum(x - step, low), high), x)
    return xp.where(usable, x, xp.full_like(x, lower))
