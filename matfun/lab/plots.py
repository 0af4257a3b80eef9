"""Convergence curves: the residual against the products spent, measured and predicted.

Nothing global is touched: figures are made without pyplot, and styled by a local ``rc_context``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import matfun
from matfun.lab.compare import Comparison, Row
from matfun.lab.prices import spent

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers (M. Okabe, K. Ito, Color Universal Design, 2008), without the yellow."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
PANELS = 4

STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
}


@contextmanager
def style() -> Iterator[Any]:
    """Matplotlib's Figure class under the local style.

    Raises
    ------
    ModuleNotFoundError
        Saying how to install it.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('drawing needs matplotlib: pip install "matfun[plot]"', name="matplotlib") from error
    with matplotlib.rc_context(STYLE):
        yield Figure


def convergence(found: Comparison, ax: Any = None, *, matrices: Sequence[str] | None = None) -> Any:
    """Draw the residual of every method against the products it has spent.

    Markers are the matrix run, thin lines ``matfun.simulate`` on the singular values alone.  Factorisations are left
    out: their price is not a number of products.

    Parameters
    ----------
    found : Comparison
    ax : matplotlib Axes, optional
        Draw the first of the matrices there; by default a new figure, one panel per matrix.
    matrices : sequence of str, optional
        Which; by default up to four, spread over the condition numbers up to 0.1 / eps.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If a name is unknown, or no matrix has curves.
    ModuleNotFoundError
        Saying how to install matplotlib.
    """
    priced = {m for m in found.methods if not any(r.factorisations for r in found.rows if r.method == m)}
    drawable = [row for row in found.rows if row.predicted and row.method in priced]
    curves = {name: [row for row in drawable if row.matrix == name] for name in found.matrices}
    chosen = _choose(curves) if matrices is None else list(matrices)
    unknown = [name for name in chosen if name not in curves]
    if unknown:
        raise ValueError(f"matrices: expected names out of {', '.join(curves)}, got {unknown[0]!r}")
    if not chosen or not any(curves[name] for name in chosen):
        raise ValueError("matrices: none has a curve (stacks, completed null spaces and factorisations have none)")
    methods = [m for m in found.methods if any(r.method == m for name in chosen for r in curves[name])]
    looks = {m: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, m in enumerate(methods)}
    with style() as figure_class:
        if ax is not None:
            _panel(ax, curves[chosen[0]], looks)
            ax.set(xlabel=X_LABEL, ylabel=Y_LABEL)
            ax.legend(fontsize="small")
            return ax.figure
        columns = min(2, len(chosen))
        rows = math.ceil(len(chosen) / columns)
        figure = figure_class(figsize=(4.6 * columns if columns > 1 else 6.5, 2.6 * rows + 1.0), layout="constrained")
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for panel, name in zip(axes.flat, chosen, strict=False):
            _panel(panel, curves[name], looks)
        for panel in axes.flat[len(chosen) :]:
            panel.set_axis_off()
        figure.supxlabel(X_LABEL, fontsize=10)
        figure.supylabel(Y_LABEL, fontsize=10)
        _legend(figure, looks, found, chosen)
        return figure


X_LABEL = "matrix products spent"
Y_LABEL = r"residual  $\|I - X^{\mathsf{H}} X\|_F$"


def _choose(curves: dict[str, list[Row]]) -> list[str]:
    """Up to four matrices with the most curves, their condition numbers spread as evenly as can be on a log scale.

    Beyond 0.1 / eps rounding moves the smallest singular value itself, and exact arithmetic predicts another matrix;
    below 2 (vectors, orthogonal matrices) there is nothing to see.
    """
    drawn = {name: rows for name, rows in curves.items() if rows}
    clear = {name: rows for name, rows in drawn.items() if 2 <= rows[0].condition <= 0.1 / rows[0].eps} or drawn
    most = max(map(len, clear.values()), default=0)
    rest = {name: math.log(max(1.0, rows[0].condition)) for name, rows in clear.items() if len(rows) == most}
    if not rest:
        return []
    chosen = []
    for target in np.linspace(min(rest.values()), max(rest.values()), min(PANELS, len(rest))):
        name = min(rest, key=lambda name: abs(rest[name] - target))
        chosen.append((rest.pop(name), name))
    return [name for _, name in sorted(chosen)]


def _panel(ax: Any, rows: Sequence[Row], looks: dict[str, tuple[str, str]]) -> None:
    """One matrix: theory as lines, the run as markers, eps as a dashed line."""
    for row in rows:
        colour, marker = looks[row.method]
        alone = len(row.measured) == 1  # the end of a run of fixed length: it must not drown in the others
        ax.plot(*_xy(row.predicted), color=colour, linewidth=1.0, zorder=2)
        ax.plot(
            *_xy(row.measured),
            color=colour,
            marker=marker,
            markersize=7.5 if alone else 4.5,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linestyle="none",
            label=row.method,
            zorder=4 if alone else 3,
        )
    eps = rows[0].eps
    ax.axhline(eps, color="0.35", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.annotate(
        f"eps of {rows[0].dtype}",
        (0, eps),
        xytext=(3, 3),
        textcoords="offset points",
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color="0.35",
    )
    shape = " x ".join(map(str, rows[0].shape))
    ax.set_title(f"{rows[0].matrix}   {shape}, condition {rows[0].condition:.0e}")
    ax.set_yscale("log")
    tops = [y for row in rows for _, y in row.measured if math.isfinite(y)]
    # A run that overflows leaves the picture instead of squeezing the others.
    ax.set_ylim(eps / 20, 10 * max([y for y in tops if y < 1e3 * tops[0]], default=1.0))


def _xy(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Coordinates, without what a log axis cannot show."""
    kept = [(x, y) for x, y in points if math.isfinite(y) and y > 0]
    return [x for x, _ in kept], [y for _, y in kept]


def _legend(figure: Any, looks: dict[str, tuple[str, str]], found: Comparison, chosen: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    asked = {row.method: row.asked for row in found.rows if row.matrix in chosen}
    handles = [
        Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.0) for colour, marker in looks.values()
    ]
    labels = [m if asked[m] == "full accuracy" else f"{m}, {asked[m].removesuffix(' (customary)')}" for m in looks]
    handles += [Line2D([], [], color="0.3", marker="o", linestyle="none", markersize=5)]
    handles += [Line2D([], [], color="0.3", linewidth=1.0)]
    labels += ["measured", "theory (matfun.simulate)"]
    figure.legend(handles, labels, loc="outside upper left", ncols=min(4, len(labels)), fontsize=9, columnspacing=1.4)


def simulated(curve: matfun.Curve) -> Any:
    """Draw a simulated run: residual and error against products.

    Parameters
    ----------
    curve : Curve

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ModuleNotFoundError
        Saying how to install matplotlib.
    """
    with style() as figure_class:
        figure = figure_class(figsize=(6.5, 4.0), layout="constrained")
        ax = figure.subplots()
        for values, name, colour, marker in (
            (curve.residuals, Y_LABEL, COLOURS[0], MARKERS[0]),
            (curve.errors, r"error  $\max |\sigma - 1|$", COLOURS[1], MARKERS[1]),
        ):
            points = _xy(list(zip(spent(curve), values, strict=True)))
            ax.plot(*points, color=colour, marker=marker, markersize=4.5, linewidth=1.0, label=name)
        ax.set(yscale="log", xlabel=X_LABEL, title=f"{curve.method} on {len(curve.sigmas[0])} singular values")
        ax.legend()
        return figure


def save(figure: Any, path: str) -> None:
    """Write a figure in the format that the name ends in.

    Parameters
    ----------
    figure : matplotlib Figure
    path : str
    """
    with style():
        figure.savefig(path)
