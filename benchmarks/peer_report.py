"""Tables and the figure of the comparison with other packages."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from cases import SQUARES
from own_methods import Missing
from rich.console import Console
from rich.table import Table

from matfun.lab.plots import COLOURS, MARKERS, style

Row = dict[str, Any]

COLUMNS = (
    "method",
    "median",
    "min",
    "units",
    "fraction",
    "products",
    "backward",
    "orthogonal",
    "distance",
    "MiB",
    "threads",
)
DRAWN = {
    "polar": (
        "matfun auto",
        "matfun window",
        "scipy.linalg.polar",
        "numpy SVD",
        "torch SVD",
        "jax.scipy.linalg.polar qdwh",
    ),
    "steps": (
        "matfun polar-express (torch)",
        "matfun muon (torch)",
        "torch.optim.Muon",
        "muon-optimizer",
        "pytorch-optimizer",
        "heavyball (compiled)",
    ),
}
DTYPE = {"polar": "float32", "steps": "bfloat16"}


def number(x: Any, form: str = ".3g") -> str:
    """A number, or nothing where there is none."""
    return "" if x is None else format(x, form)


def duration(seconds: float) -> str:
    """Seconds with a unit that suits them."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def print_results(console: Console, rows: list[Row], missing: list[Missing]) -> None:
    """One table a case, fastest first; what was not run comes last, with the reason."""
    for key, group in groupby(
        rows, lambda r: (r["table"], r["asked"], r["case"], r["dtype"], r["spectrum"], r["device"])
    ):
        table = Table(title=" ".join(key), title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "method" else "right", no_wrap=column != "method")
        for r in sorted(group, key=lambda r: r.get("median_s", float("inf"))):
            if r["status"] != "measured":
                table.add_row(r["method"], r["status"][:60])
                continue
            chosen = r.get("chosen")
            name = f"{r['method']} -> {chosen}" if chosen and "auto" in r["method"] else r["method"]
            errors = (number(r.get(e), ".1e") for e in ("backward_error", "orthogonality", "distance"))
            table.add_row(
                name,
                duration(r["median_s"]),
                duration(r["minimum_s"]),
                number(r.get("units")),
                number(r.get("fraction"), ".2f"),
                number(r.get("products"), "d"),
                *errors,
                number(r["peak_mib"], ".0f"),
                number(r["threads"], "d"),
            )
        console.print(table)
    table = Table("not measured", "reason", title="Peers that do not install or run here", title_justify="left")
    for peer in missing:
        table.add_row(peer.name, peer.reason)
    console.print(table)


def print_claims(console: Console, made: list[Row], fitted: list[Row], flags: Row) -> None:
    """Claims with target and verdict, exponents, flags."""
    table = Table("", "claim", "ratio", "target", "met", "more", title="Claims", title_justify="left")
    for c in made:
        bound = "" if c["target"] is None else f"{'>=' if c['at_least'] else '<='} {c['target']:.3g}"
        met = {True: "yes", False: "NO", None: ""}[c["met"]]
        more = ", ".join(f"{k} {c[k]}" for k in ("chosen", "accurate") if k in c)
        if c.get("over_own_library") is not None:
            more += f", {c['over_own_library']:.2f} in its own library"
        table.add_row(c["claim"], c["what"], number(c["ratio"], ".3f"), bound, met, more)
    console.print(table)
    table = Table("against", "asked", "dtype", "method", "exponent", title="Time grows like", title_justify="left")
    for f in fitted:
        table.add_row(f["against"], f["asked"], f["dtype"], f["method"], f"{f['exponent']:.2f}")
    console.print(table)
    console.print(flags)


def draw(content: Row, out: Path) -> Path:
    """Time and distance to the unitary factor against n, square Gaussian matrices: accuracy-driven, and five steps."""
    cpu = content["machine"]["cpu_model"]
    with style() as figure_class:
        figure = figure_class(figsize=(9.2, 7.2), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True)
        for column, (asked, names) in enumerate(DRAWN.items()):
            rows = [r for r in content["results"] if r["table"] == asked and r["status"] == "measured"]
            rows = [r for r in rows if r["dtype"] == DTYPE[asked] and r["spectrum"] == "gaussian"]
            for i, name in enumerate(names):
                mine = [r for r in rows if r["method"] == name and r["shape"][0] == r["shape"][1]]
                n = [r["shape"][0] for r in mine]
                look = {"color": COLOURS[i], "marker": MARKERS[i], "markersize": 4, "linewidth": 1.2}
                axes[0, column].loglog(n, [r["median_s"] for r in mine], label=name, **look)
                drawn = [(r["shape"][0], r["distance"]) for r in mine if r.get("distance") is not None]
                if drawn:
                    axes[1, column].loglog(*zip(*drawn, strict=True), **look)
            title = "U and H, as accurate as possible" if asked == "polar" else "five steps"
            axes[0, column].set(title=f"{title}, {DTYPE[asked]}", ylabel="seconds (median)")
            axes[1, column].set(xlabel="n", ylabel=r"$\|U - U_{\mathrm{exact}}\|_F / \sqrt{n}$")
            axes[0, column].legend(fontsize="small")
            axes[1, column].set_xticks(SQUARES, labels=map(str, SQUARES))
            axes[1, column].xaxis.minorticks_off()
        figure.suptitle(f"Square Gaussian matrices, {cpu}, {content['machine']['cpus']} processors", fontsize=9)
        out.parent.mkdir(exist_ok=True)
        figure.savefig(out)
    return out
