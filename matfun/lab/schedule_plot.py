"""A schedule drawn: the error of the composition between its levels, and below it the error of every step."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from matfun.lab.plots import COLOURS, style

POINTS = 6000

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
    rows = ceil(len(schedule) / COLUMNS)
    with style() as figure_class:
        figure = figure_class(figsize=(9.0, 3.2 + 1.7 * rows), layout="constrained")
        whole, parts = figure.subfigures(2, 1, height_ratios=[3.0, 1.7 * rows])
        _composition(whole.subplots(), schedule)
        panels = parts.subplots(rows, min(COLUMNS, len(schedule)), squeeze=False).flat
        lower, upper = schedule.interval
        for k, coefficients in enumerate(schedule.coefficients):
            x = _grid(lower, upper)
            values = _apply(coefficients, x, schedule.p)
            _step(next(panels), k + 1, x, values - 1)
            lower, upper = max(float(values.min()), 1e-12 * upper), float(values.max())
        for panel in panels:
            panel.set_axis_off()
        parts.supxlabel("value before the step", fontsize=9)
        return figure


def _composition(ax: Any, schedule: Any) -> None:
    lower, upper = schedule.interval
    x = np.union1d(np.geomspace(lower / 3, lower, POINTS // 4), _grid(lower, upper))
    values = x
    for coefficients in schedule.coefficients:
        values = _apply(coefficients, values, schedule.p)
    ax.axvspan(lower, upper, color="0.95", zorder=0)
    ax.plot(x, values - 1, color=COLOURS[0], linewidth=0.9)
    for level in (schedule.error, -schedule.error):
        ax.axhline(level, color=COLOURS[1], linewidth=0.9, linestyle=(0, (4, 3)))
    height = 1.3 * max(float(np.max(np.abs(values[x >= lower] - 1))), schedule.error)
    ax.set(xscale="log", xlabel=X_LABEL, ylim=(-height, height), ylabel="error")
    steps = f"{len(schedule)} steps of degree {', '.join(map(str, sorted(set(schedule.degrees))))}"
    ax.set_title(f"{schedule.name}: {steps}, {schedule.products} products, sup error {schedule.error:.4g}")


def _step(ax: Any, number: int, x: np.ndarray[Any, Any], error: np.ndarray[Any, Any]) -> None:
    turns = np.flatnonzero(np.diff(np.sign(np.diff(error)))) + 1
    marked = [0, *turns.tolist(), x.size - 1]
    ax.plot(x, error, color=COLOURS[0], linewidth=0.9)
    ax.plot(x[marked], error[marked], "o", color=COLOURS[1], markersize=3)
    ax.set_title(f"step {number}: {np.max(np.abs(error)):.3g}", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.locator_params(axis="x", nbins=3)
    ax.locator_params(axis="y", nbins=4)


def _grid(lower: float, upper: float) -> np.ndarray[Any, Any]:
    """Both ends resolved: geometric and equispaced points."""
    return np.union1d(np.geomspace(lower, upper, POINTS), np.linspace(lower, upper, POINTS))


def _apply(coefficients: tuple[float, ...], x: np.ndarray[Any, Any], p: int) -> np.ndarray[Any, Any]:
    return np.asarray(x * np.polynomial.polynomial.polyval(x**p, coefficients))
