"""A schedule drawn: the error of the composition between its levels, and below it the error of every step."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from matfun.lab.plots import COLOURS, style

POINTS = 6000

VISIBLE = 1e-13
"""Errors below are drawn as the rounding of floats around 1, which is noise."""

COLUMNS = 5
"""Panels of single steps in a row."""

X_LABEL = r"$\sigma$ before the first step"


def draw(schedule: Any) -> Any:
    """Draw the signed error after all steps, from a third of the left end on, and the one of each step by itself.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ModuleNotFoundError
        Saying how to install matplotlib.
    """
    shown = schedule.coefficients[: _visible(schedule)]
    rows = ceil(len(shown) / COLUMNS)
    with style() as figure_class:
        figure = figure_class(figsize=(9.0, 3.2 + 1.7 * rows), layout="constrained")
        whole, parts = figure.subfigures(2, 1, height_ratios=[3.0, 1.7 * rows])
        _composition(whole.subplots(), schedule)
        panels = parts.subplots(rows, min(COLUMNS, len(shown)), squeeze=False).flat
        lower, upper = schedule.interval
        for k, coefficients in enumerate(shown):
            x = _grid(lower, upper)
            values = _apply(coefficients, x, schedule.p)
            _step(next(panels), k + 1, x, values - 1, _turns(coefficients, lower, upper, schedule.p))
            lower, upper = max(float(values.min()), 1e-12 * upper), float(values.max())
        for panel in panels:
            panel.set_axis_off()
        parts.supxlabel("value before the step", fontsize=9)
        return figure


def _composition(ax: Any, schedule: Any) -> None:
    lower, upper = schedule.interval
    x = np.union1d(np.geomspace(lower / 3, lower, POINTS // 4), _grid(lower, upper))
    values, count = x, _visible(schedule)
    for coefficients in schedule.coefficients[:count]:
        values = _apply(coefficients, values, schedule.p)
    error = schedule.error if count == len(schedule) else float(np.max(np.abs(values[x >= lower] - 1)))
    ax.axvspan(lower, upper, color="0.95", zorder=0)
    ax.plot(x, values - 1, color=COLOURS[0], linewidth=0.9)
    for level in (error, -error):
        ax.axhline(level, color=COLOURS[1], linewidth=0.9, linestyle=(0, (4, 3)))
    height = 1.3 * max(float(np.max(np.abs(values[x >= lower] - 1))), error)
    ax.set(xscale="log", xlabel=X_LABEL, ylim=(-height, height), ylabel="error")
    steps = f"{len(schedule)} steps of degree {', '.join(map(str, sorted(set(schedule.degrees))))}"
    ax.set_title(f"{schedule.name}: {steps}, {schedule.products} products, sup error {schedule.error:.4g}")
    if count < len(schedule):
        ax.set_ylabel(f"error after step {count}")


def _step(
    ax: Any, number: int, x: np.ndarray[Any, Any], error: np.ndarray[Any, Any], turns: np.ndarray[Any, Any]
) -> None:
    marked = np.asarray([x[0], *turns, x[-1]])
    ax.plot(x, error, color=COLOURS[0], linewidth=0.9)
    ax.plot(marked, np.interp(marked, x, error), "o", color=COLOURS[1], markersize=3)
    ax.set_title(f"step {number}: {np.max(np.abs(error)):.3g}", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.locator_params(axis="x", nbins=3)
    ax.locator_params(axis="y", nbins=4)


def _visible(schedule: Any) -> int:
    """Steps, at least one, before the first one whose error is too small to be drawn in double precision."""
    errors = [stage.error for stage in schedule.stages] or [schedule.error]
    return max(1, next((k for k, error in enumerate(errors) if error < VISIBLE), len(schedule)))


def _turns(coefficients: tuple[float, ...], lower: float, upper: float, p: int) -> np.ndarray[Any, Any]:
    """Where x h(x^p) turns inside of an interval."""
    roots = np.roots([(1 + p * i) * c for i, c in enumerate(coefficients)][::-1])
    x = roots[(abs(roots.imag) < 1e-7 * abs(roots)) & (roots.real > 0)].real ** (1 / p)
    return np.sort(x[(x > lower) & (x < upper)])


def _grid(lower: float, upper: float) -> np.ndarray[Any, Any]:
    """Both ends resolved: geometric and equispaced points."""
    return np.union1d(np.geomspace(lower, upper, POINTS), np.linspace(lower, upper, POINTS))


def _apply(coefficients: tuple[float, ...], x: np.ndarray[Any, Any], p: int) -> np.ndarray[Any, Any]:
    return np.asarray(x * np.polynomial.polynomial.polyval(x**p, coefficients))
