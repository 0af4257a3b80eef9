"""PRISM's experiments (arXiv 2601.22137, sec. 6.1) on small matrices: residuals against steps and products.

    python benchmarks/prism_experiments.py            # measure, then figures and tables; a few minutes
    python benchmarks/prism_experiments.py figures    # from the JSON
    python benchmarks/prism_experiments.py tables     # from the JSON, into docs/prism-experiments.md

Every method runs twice on every matrix: once with a tolerance that nothing reaches, which gives the curve of the plain
rule down to the rounding floor, and once to full accuracy, which gives the price of an answer and its certificate.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer
from machine import describe
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import matfun
from matfun.lab.htmp import htmp, htmp_sample
from matfun.lab.plots import COLOURS, MARKERS, STYLE
from matfun.lab.spectra import gaussian, with_singular_values
from matfun.rules.rule import Rule

Matrix = np.ndarray[Any, Any]
Row = dict[str, Any]

HERE = Path(__file__).parent
JSON = HERE / "results" / "prism_experiments.json"
DOCS = HERE.parent / "docs"

SPECTRA: dict[str, tuple[int, int, float | None]] = {
    "Gaussian, aspect 1": (512, 512, None),
    "Gaussian, aspect 4": (1024, 256, None),
    "Gaussian, aspect 50": (6400, 128, None),
    "HTMP 0.1": (512, 256, 0.1),
    "HTMP 0.5": (512, 256, 0.5),
    "HTMP 100": (512, 256, 100.0),
}
"""Rows, columns, and kappa of a heavy-tailed Marchenko-Pastur spectrum; the paper's aspects and kappas."""

PAPER_SIZES: dict[str, tuple[int, int, float | None]] = {
    "Gaussian 15000 x 15000": (15000, 15000, None),
    "Gaussian 20000 x 5000": (20000, 5000, None),
    "Gaussian 100000 x 2000": (100000, 2000, None),
    "HTMP 0.1, 8000 x 4000": (8000, 4000, 0.1),
    "HTMP 0.5, 8000 x 4000": (8000, 4000, 0.5),
    "HTMP 100, 8000 x 4000": (8000, 4000, 100.0),
}

SEEDS = range(5)
SKETCH_SEEDS = range(10)
SKETCH_SIZES = (1, 2, 4, 8, 16, None)
WARM_STARTS = range(6)
LEVELS = (1e-2, 1e-4)
MAX_STEPS = 120

PRISM, NS, TABLE, DEFAULT_LOWER, TRUE_LOWER, OWN, WARM, NEWTON, QDWH = (
    "PRISM-5",
    "Newton-Schulz-5",
    "Polar Express, published table",
    "Polar Express, lower 1e-3",
    "Polar Express, true lower bound",
    "Polar Express, matfun default",
    "PRISM-5, three fixed steps",
    "Newton (rational)",
    "QDWH (rational)",
)
DRAWN = (PRISM, NS, TABLE, DEFAULT_LOWER, TRUE_LOWER, OWN)
CAP = 29 / 20
END = "<!-- end -->"


def methods(function: str, lower: float | None) -> dict[str, Rule]:
    """All methods for a function; without a positive lower bound there is no run that is told it."""
    found: dict[str, Rule] = {PRISM: matfun.Prism(), NS: matfun.NewtonSchulz(degree=5)}
    if function == "polar":
        found[TABLE] = matfun.PublishedPolarExpress()
    found[DEFAULT_LOWER] = matfun.PolarExpress(lower=1e-3)
    if lower is not None and lower > 0:
        found[TRUE_LOWER] = matfun.PolarExpress(lower=lower)
    found[OWN] = matfun.PolarExpress()
    return found | {WARM: matfun.Prism(warm_start=3), NEWTON: matfun.Newton(), QDWH: matfun.Qdwh()}


def make(m: int, n: int, kappa: float | None, seed: int) -> Matrix:
    """A matrix in double precision: Gaussian, or Haar factors around the midpoint quantiles of the HTMP law."""
    return gaussian(m, n, seed) if kappa is None else with_singular_values(htmp(m, n, kappa), m, n, seed)


def prices(function: str, updates: Sequence[Any]) -> list[int]:
    """Products of each step: residual, polynomial (or one inverse per fraction), and what applies it."""
    found = []
    for k, h in enumerate(updates):
        rational = isinstance(h, matfun.PartialFractions)
        inside = len(h.weights) if rational else h.symmetric_products
        if function == "polar":  # residual, and X h(R) (each fraction applies itself)
            found.append(1 + inside + (not rational))
        else:  # the first residual is A itself and the first Z is h
            found.append(inside + (1 if k == 0 else 3))
    return found


def call(function: str, A: Matrix, rule: Rule, rng: int, tol: float | None) -> tuple[matfun.Info, float]:
    """One run; a failure is a status, not an exception."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matfun.ConvergenceWarning)
        if function == "polar":
            result = matfun.polar(
                A, method=rule, tol=tol, rng=rng, on_failure="warn", certificate="exact", max_steps=MAX_STEPS
            )
            info = result.info
        else:
            _, info = matfun.sqrtm(
                A,
                method=rule,
                tol=tol,
                rng=rng,
                on_failure="warn",
                certificate="exact",
                max_steps=MAX_STEPS,
                full_output=True,
            )
    assert info is not None
    return info, time.perf_counter() - start


def plain(x: Any) -> float | None:
    """A JSON number with four digits, None for what is absent or not finite."""
    return None if x is None or not np.isfinite(x) else float(f"{float(x):.3e}")


def alphas(info: matfun.Info) -> list[float]:
    """Last coefficients of the quintic steps."""
    found = [h for h in info.history.updates if isinstance(h, matfun.Polynomial)]
    return [round(float(h.coefficients[-1]), 4) for h in found if h.degree == 2]


def measure(function: str, A: Matrix, rule: Rule, rng: int) -> Row:
    """Curve of the plain rule, and price and certificate of the answer to full accuracy."""
    curve, _ = call(function, A, rule, rng, tol=float(np.finfo(A.dtype).eps))
    answer, seconds = call(function, A, rule, rng, tol=None)
    residuals = [float(r) for r in curve.history.residuals]
    if len(residuals) != len(curve.history.updates) + 1:  # two loops, around the completion of a null space
        residuals = []
    spent = np.concatenate([[0], np.cumsum(prices(function, curve.history.updates))])
    row: Row = {
        "curve status": curve.status.name,
        "residuals": [plain(r) for r in residuals],
        "products at": [int(p) for p in spent][: len(residuals)],
    }
    for level in LEVELS:
        reached = next((k for k, r in enumerate(residuals) if r <= level), None)
        row[f"steps to {level:g}"] = reached
        row[f"products to {level:g}"] = None if reached is None else int(spent[reached])
    row |= {
        "status": answer.status.name,
        "steps": int(answer.steps),
        "products": answer.products,
        "thin products": answer.thin_products,
        "backward error": plain(answer.backward_error),
        "orthogonality": plain(answer.orthogonality),
        "condition": plain(answer.condition),
        "forward error": plain(answer.forward_error),
        "seconds": round(seconds, 4),
    }
    if isinstance(rule, matfun.Prism):
        row["alphas"] = alphas(curve)
    return row


def scaled_lower(function: str, A: Matrix) -> float:
    """Smallest singular value of the scaled start, as the polynomial methods see it (of the root of A for roots)."""
    double = A.astype(np.float64)
    if function == "polar":
        info = matfun.polar(A, method=matfun.Prism(), steps=1, rng=0).info
        assert info is not None
        return float(np.linalg.svd(double, compute_uv=False)[-1] / float(info.scale))
    _, info = matfun.sqrtm(A, method=matfun.Prism(), steps=1, hermitian=True, rng=0, full_output=True)
    return float(np.sqrt(max(0.0, float(np.linalg.eigvalsh(double)[0]) / float(info.scale))))


def spectra_experiment() -> Iterable[Row]:
    """Every method on every spectrum, for both functions, in both precisions, over the seeds."""
    for seed in SEEDS:
        for name, shape in SPECTRA.items():
            G = make(*shape, seed)
            for function in ("polar", "sqrt"):
                double = G if function == "polar" else G.T @ G / np.linalg.norm(G, 2) ** 2
                for dtype in (np.float32, np.float64):
                    A = double.astype(dtype)
                    lower = scaled_lower(function, A)
                    for label, rule in methods(function, lower * (1 - 1e-3)).items():
                        if seed and label in (NEWTON, QDWH):
                            continue
                        head = {"experiment": "spectra", "function": function, "spectrum": name, "dtype": A.dtype.name}
                        head |= {"method": label, "seed": seed, "lower": plain(lower)}
                        yield head | measure(function, A, rule, seed)


def sketch_experiment() -> Iterable[Row]:
    """PRISM-5 with sketches of several sizes, ten draws on one matrix of each of two spectra."""
    for name in ("Gaussian, aspect 1", "HTMP 0.5"):
        A = make(*SPECTRA[name], 0).astype(np.float32)
        for size in SKETCH_SIZES:
            for seed in SKETCH_SEEDS if size else (0,):
                head = {"experiment": "sketch", "spectrum": name, "sketch size": size or "exact", "seed": seed}
                row = measure("polar", A, matfun.Prism(sketch_size=size), seed)
                row["products at"] = None  # the exact fit costs products that a step's function does not show
                yield head | row


def warm_experiment() -> Iterable[Row]:
    """PRISM-5 with 0 to 5 first steps at the cap."""
    for name, shape in SPECTRA.items():
        for seed in SEEDS:
            A = make(*shape, seed).astype(np.float32)
            for warm in WARM_STARTS:
                info, _ = call("polar", A, matfun.Prism(warm_start=warm), seed, None)
                head = {"experiment": "warm start", "spectrum": name, "warm start": warm, "seed": seed}
                yield head | {"status": info.status.name, "steps": int(info.steps), "thin products": info.thin_products}


def paper_size_experiment() -> Iterable[Row]:
    """The paper's own sizes on the spectrum alone: steps to 1e-4 in exact arithmetic, under two scalings.

    Gaussian spectra are exact samples (beta-Laguerre with beta = 1), HTMP spectra the midpoint quantiles.
    """
    eps = float(np.finfo(np.float32).eps)
    for name, (m, n, kappa) in PAPER_SIZES.items():
        sigmas = htmp(m, n, kappa) if kappa else htmp_sample(m, n, float(n), np.random.default_rng(0))
        scales = {"Frobenius norm": np.linalg.norm(sigmas), "Gram bound": np.sum(sigmas**8) ** 0.125}
        for scaling, scale in scales.items():
            start = sigmas / scale
            for label, rule in methods("polar", float(start[-1])).items():
                if label in (NEWTON, QDWH, WARM):
                    continue
                with np.errstate(all="ignore"):
                    curve = matfun.simulate(rule, start, steps=MAX_STEPS, lower=eps / 2, eps=eps, rng=0)
                reached = next((k for k, r in enumerate(curve.residuals) if r <= LEVELS[-1]), None)
                head = {"experiment": "paper sizes", "spectrum": name, "scaling": scaling, "method": label}
                yield head | {"lower": plain(start[-1]), "steps to 0.0001": reached}


def write(rows: list[Row], seconds: float) -> None:
    """One row a line."""
    head = json.dumps({"machine": describe(), "total seconds": round(seconds)}, indent=1, allow_nan=False)
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    JSON.write_text(f'{head[:-2]},\n "results": [\n{lines}\n ]\n}}\n')


def read() -> list[Row]:
    rows: list[Row] = json.loads(JSON.read_text())["results"]
    return rows


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """Rows with these values; an underscore in a key stands for a space."""
    return [row for row in rows if all(row.get(key.replace("_", " ")) == value for key, value in wanted.items())]


# Figures


def draw_curves(rows: list[Row], function: str, dtype: str, path: Path) -> None:
    """Residual against products, one panel per spectrum: seed 0 with markers, the other seeds as thin lines."""
    looks = {label: (COLOURS[i], MARKERS[i]) for i, label in enumerate(DRAWN)}
    figure = Figure(figsize=(11.0, 6.6), layout="constrained")
    axes = figure.subplots(2, 3, sharey=True)
    eps = float(np.finfo(dtype).eps)
    shown: list[str] = []
    for ax, name in zip(axes.flat, SPECTRA, strict=True):
        m, n, _ = SPECTRA[name]
        here = pick(rows, experiment="spectra", function=function, dtype=dtype, spectrum=name)
        drawn = [row for row in here if row["method"] in DRAWN]
        failed = sorted({row["status"] for row in drawn if row["status"] not in ("CONVERGED", "COMPLETED")})
        for row in drawn:
            colour, marker = looks[row["method"]]
            points = [(x, y) for x, y in zip(row["products at"], row["residuals"], strict=True) if y]
            if row["curve status"] == "FELL_BACK":
                continue
            first = row["seed"] == 0
            ax.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=colour,
                marker=marker if first else "none",
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.4,
                linewidth=1.4 if first else 0.5,
                alpha=1.0 if first else 0.5,
                zorder=3 if first else 2,
            )
            if row["method"] not in shown:
                shown.append(row["method"])
        size = f"{m} x {n}" if function == "polar" else f"{n} x {n}"
        ax.set_title(f"{name.replace('HTMP ', 'HTMP, kappa = ')}   ({size})")
        ax.set_yscale("log")
        ax.set_ylim(eps / 5, 300)
        ax.set_xlim(left=0)
        if not ax.lines:
            ax.set_xlim(0, 1)
            ax.set_xticks([])
            words = "singular in this precision:\nevery run fell back to eigenvalues"
            ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=9)
        elif failed:
            words = ", ".join(status.lower().replace("_", " ") for status in failed)
            ax.text(0.98, 0.97, f"some ended: {words}", transform=ax.transAxes, ha="right", va="top", fontsize=8)
        for level in LEVELS:
            ax.axhline(level, color="0.45", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    figure.supxlabel("matrix products spent (thin products of the sketch not counted)", fontsize=10)
    norm = r"$\|I - X_k^{\mathsf{T}} X_k\|_F$" if function == "polar" else r"$\|I - Z_k Y_k\|_F$"
    figure.supylabel(f"residual  {norm}", fontsize=10)
    labels = [label for label in DRAWN if label in shown]
    handles = [Line2D([], [], color=looks[k][0], marker=looks[k][1], markersize=5, linewidth=1.4) for k in labels]
    what = "polar factor" if function == "polar" else "square root of $G^{\\mathsf{T}}G$"
    title = f"{what}, {dtype}; thin lines: other seeds; dashed: 1e-2 and 1e-4"
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9, title=title, alignment="left")
    figure.savefig(path)


def draw_sketch(rows: list[Row], path: Path) -> None:
    """Fitted coefficient per step: the exact fit, and the range over ten sketches of each size."""
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    axes = figure.subplots(2, 1, sharey=True)
    sizes = [size for size in SKETCH_SIZES if size]
    for ax, name in zip(axes, ("Gaussian, aspect 1", "HTMP 0.5"), strict=True):
        exact = pick(rows, experiment="sketch", spectrum=name, sketch_size="exact")[0]["alphas"]
        for i, size in enumerate(sizes):
            runs = [row["alphas"] for row in pick(rows, experiment="sketch", spectrum=name, sketch_size=size)]
            steps = range(max(map(len, runs)))
            values = [[run[k] for run in runs if k < len(run)] for k in steps]
            middle = np.asarray([statistics.median(v) for v in values])
            spread = [middle - [min(v) for v in values], [max(v) for v in values] - middle]
            ax.errorbar(
                np.arange(len(values)) + 1 + (i - len(sizes) / 2) * 0.13,
                middle,
                yerr=np.asarray(spread),
                color=COLOURS[i],
                marker=MARKERS[i],
                markersize=4.5,
                linestyle="none",
                linewidth=1.3,
                label=f"{size} column" + "s" * (size > 1),
            )
        x = np.arange(len(exact)) + 1 + 0.13 * (len(sizes) / 2)
        ax.plot(x, exact, color="black", marker="_", markersize=11, markeredgewidth=2, linestyle="none", label="exact")
        for value in (3 / 8, CAP):
            ax.axhline(value, color="0.45", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        m, n, _ = SPECTRA[name]
        ax.set_title(f"{name.replace('HTMP ', 'HTMP, kappa = ')}   ({m} x {n}), float32")
        ax.set_ylabel("alpha")
        ax.set_ylim(0.25, 1.57)
        ax.set_xticks(np.arange(1, max(20, len(exact) + 1)))
        ax.set_xlim(0.4, max(len(row["alphas"]) for row in pick(rows, experiment="sketch", spectrum=name)) + 0.7)
    axes[-1].set_xlabel("step")
    handles, labels = axes[0].get_legend_handles_labels()
    title = "size of the sketch (median and range of ten draws); dashed: Taylor 3/8 and cap 29/20"
    figure.legend(handles, labels, loc="outside upper left", ncols=6, fontsize=9, title=title, alignment="left")
    figure.savefig(path)


def draw(rows: list[Row]) -> None:
    from matplotlib import rc_context

    with rc_context({**STYLE, "savefig.dpi": 130}):
        for function, dtype in (("polar", "float32"), ("polar", "float64"), ("sqrt", "float64")):
            draw_curves(rows, function, dtype, DOCS / "figures" / f"prism-{function}-{dtype}.png")
        draw_sketch(rows, DOCS / "figures" / "prism-sketch.png")


# Tables


def middle(values: Sequence[Any]) -> str:
    """Median, and the range in brackets where the seeds differ; a dash where any seed failed."""
    if not values or any(v is None for v in values):
        return "–"
    low, high, median = min(values), max(values), statistics.median(values)
    text = f"{median:g}"
    return text if low == high else f"{text} [{low:g}–{high:g}]"


def table(corner: str, columns: Iterable[str], lines: dict[str, list[str]]) -> str:
    """A Markdown table."""
    heads = [corner, *columns]
    out = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*out, *("| " + " | ".join([name, *cells]) + " |" for name, cells in lines.items())])


def by_spectrum(rows: list[Row], cell: Callable[[list[Row]], str]) -> str:
    """Methods down, spectra across."""
    names = [label for label in methods("polar", 1.0) if pick(rows, method=label)]
    return table(
        "",
        SPECTRA,
        {label: [cell(pick(rows, method=label, spectrum=name)) for name in SPECTRA] for label in names},
    )


def ok(row: Row) -> bool:
    """Whether the run to full accuracy gave its answer."""
    return row["status"] in ("CONVERGED", "COMPLETED")


def levels_cell(rows: list[Row]) -> str:
    """Median steps to both levels; - where a seed did not get there."""
    if any(row["curve status"] == "FELL_BACK" for row in rows):
        return "–"
    return " / ".join(middle([row[f"steps to {level:g}"] for row in rows]) for level in LEVELS)


def full_cell(rows: list[Row]) -> str:
    """Steps and products to full accuracy, or how it failed."""
    bad = sorted({row["status"] for row in rows if not ok(row)})
    good = [row for row in rows if ok(row)]
    words = ", ".join(status.lower().replace("_", " ") for status in bad)
    if not good:
        return words or "–"
    text = f"{middle([row['steps'] for row in good])} / {statistics.median(row['products'] for row in good):g}"
    return text + (f" ({len(good)} of {len(rows)} seeds; else {words})" if bad else "")


def worst_cell(key: str) -> Callable[[list[Row]], str]:
    """Worst over the seeds that gave an answer."""

    def cell(rows: list[Row]) -> str:
        values = [row[key] for row in rows if ok(row) and row[key] is not None]
        return f"{max(values):.1e}" if values else "–"

    return cell


def alpha_table(rows: list[Row]) -> str:
    """What the fit chose on seed 0, and how long it sat at the cap."""
    lines = {}
    for name in SPECTRA:
        runs = pick(rows, experiment="spectra", function="polar", dtype="float32", method=PRISM, spectrum=name)
        first = runs[0]
        bound = float(np.log(1 / first["lower"]) / np.log(1.5 + CAP))
        residuals = [r for r in first["residuals"] if r is not None]
        below = next(k for k, r in enumerate(residuals) if r < 1)
        lines[name] = [
            f"{first['lower']:.1e}",
            f"{bound:.1f}",
            middle([sum(a >= CAP - 1e-3 for a in run["alphas"]) for run in runs]),
            str(below),
            ", ".join(f"{a:.2f}" for a in first["alphas"][: below + 2]),
        ]
    heads = ("smallest sigma", "log(1/sigma)/log 2.95", "steps at the cap", "steps to residual < 1", "alpha, seed 0")
    return table("", heads, lines)


def end_table(rows: list[Row]) -> str:
    """Steps from residual below 1 to below 1e-10, double precision."""

    def cell(found: list[Row]) -> str:
        counts = []
        for row in found:
            r = [x if x is not None else np.inf for x in row["residuals"]]
            first, last = (next((k for k, x in enumerate(r) if x < level), None) for level in (1.0, 1e-10))
            counts.append(None if first is None or last is None else last - first)
        return middle(counts)

    here = pick(rows, experiment="spectra", function="polar", dtype="float64")
    return by_spectrum([row for row in here if row["method"] not in (NEWTON, QDWH, WARM)], cell)


def sketch_table(rows: list[Row]) -> str:
    lines = {}
    names = ("Gaussian, aspect 1", "HTMP 0.5")
    for size in SKETCH_SIZES:
        cells = []
        for name in names:
            runs = pick(rows, experiment="sketch", spectrum=name, sketch_size=size or "exact")
            steps = middle([run["steps"] for run in runs])
            cells += [steps, middle([run["products"] for run in runs]), middle([run["thin products"] for run in runs])]
        lines[str(size or "exact")] = cells
    heads = [f"{name}: {what}" for name in names for what in ("steps", "products", "thin")]
    return table("columns", heads, lines)


def warm_table(rows: list[Row]) -> str:
    lines = {}
    for warm in WARM_STARTS:
        found = [pick(rows, experiment="warm start", spectrum=name, warm_start=warm) for name in SPECTRA]
        lines[str(warm)] = [middle([run["steps"] for run in runs]) for runs in found]
    return table("fixed steps", SPECTRA, lines)


def paper_table(rows: list[Row]) -> str:
    here = pick(rows, experiment="paper sizes")
    lines = {}
    labels = list(dict.fromkeys(row["method"] for row in here))
    for name in PAPER_SIZES:
        for scaling in dict.fromkeys(row["scaling"] for row in here):
            found = [pick(here, spectrum=name, scaling=scaling, method=label) for label in labels]
            steps = [str(f[0]["steps to 0.0001"] or f"> {MAX_STEPS}") if f else "–" for f in found]
            lines[f"{name}, {scaling}"] = [f"{found[0][0]['lower']:.0e}", *steps]
    return table("spectrum, divided by", ("smallest sigma", *labels), lines)


def seconds_table(rows: list[Row]) -> str:
    """Median seconds to full accuracy, relative to PRISM-5."""
    here = pick(rows, experiment="spectra", function="polar", dtype="float32")

    def cell(found: list[Row]) -> str:
        good = [row["seconds"] for row in found if ok(row)]
        return f"{statistics.median(good):.2f}" if good else "–"

    return by_spectrum(here, cell)


def tables(rows: list[Row]) -> dict[str, str]:
    """All tables by name."""
    found = {
        "alpha": alpha_table(rows),
        "end": end_table(rows),
        "sketch": sketch_table(rows),
        "warm": warm_table(rows),
        "paper sizes": paper_table(rows),
        "seconds": seconds_table(rows),
    }
    for function in ("polar", "sqrt"):
        for dtype in ("float32", "float64"):
            here = pick(rows, experiment="spectra", function=function, dtype=dtype)
            found[f"{function} {dtype} levels"] = by_spectrum(here, levels_cell)
            found[f"{function} {dtype} full"] = by_spectrum(here, full_cell)
            found[f"{function} {dtype} backward"] = by_spectrum(here, worst_cell("backward error"))
            if function == "sqrt":
                found[f"{function} {dtype} condition"] = by_spectrum(here, worst_cell("condition"))
                found[f"{function} {dtype} forward"] = by_spectrum(here, worst_cell("forward error"))
            else:
                found[f"{function} {dtype} orthogonality"] = by_spectrum(here, worst_cell("orthogonality"))
    return found


def fill(found: dict[str, str]) -> None:
    """Put every table between its marks in the page."""
    page = DOCS / "prism-experiments.md"
    text = page.read_text()
    for name, body in found.items():
        mark = f"<!-- table: {name} -->"
        before, found_mark, rest = text.partition(mark)
        if found_mark:
            text = f"{before}{mark}\n\n{body}\n\n{END}{rest.partition(END)[2]}"
    page.write_text(text)


def main(what: str = typer.Argument("all", help="all, figures or tables")) -> None:
    """Measure, draw, and put the numbers into the page."""
    if what == "all":
        start = time.perf_counter()
        rows: list[Row] = []
        for experiment in (spectra_experiment, sketch_experiment, warm_experiment, paper_size_experiment):
            for row in experiment():
                rows.append(row)
                typer.echo("  ".join(str(v) for k, v in row.items() if k not in ("residuals", "products at", "alphas")))
        write(rows, time.perf_counter() - start)
    rows = read()
    if what in ("all", "figures"):
        draw(rows)
    if what in ("all", "tables"):
        found = tables(rows)
        if (DOCS / "prism-experiments.md").exists():
            fill(found)
        for name, body in found.items():
            typer.echo(f"\n{name}\n\n{body}")


if __name__ == "__main__":
    typer.run(main)
