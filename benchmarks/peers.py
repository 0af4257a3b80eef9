"""Polar factors by this package and by every peer that a package index has, in one run, on the same inputs.

    python benchmarks/peers.py                       # everything, about 25 minutes on two cores
    python benchmarks/peers.py --quick               # small sizes, under a minute, nothing written
    python benchmarks/peers.py --only steps --only stacks --out part.json
    python benchmarks/peers.py --only polar --library torch --out torch.json   # in a process of its own
    python benchmarks/peers.py merge part.json another.json   # peers.json from several runs
    python benchmarks/peers.py figure                # docs/figures/peers.png from the JSON

Peers are in the extra ``bench``; PyTorch stays the build that the constraint names.  One asks for packages that exist
for GPUs only, and its plain-torch path does without them:

    pip install -c constraints.txt -e ".[test,bench]"
    pip install --no-deps gram-newton-schulz

Methods take turns, and rows have medians and minima.  How time, memory and accuracy are measured is written in
benchmarks/judge.py, how work is counted in peer_run.py, what the claims compare in peer_claims.py.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
from cases import TABLES, cases, quick_cases
from machine import describe
from own_methods import Missing
from peer_claims import claims, overheads, scaling
from peer_methods import PACKAGES, methods
from peer_report import draw, print_claims, print_results
from peer_run import Run
from rich.console import Console

JSON = Path(__file__).parent / "results" / "peers.json"
FIGURE = Path(__file__).parent.parent / "docs" / "figures" / "peers.png"
app = typer.Typer(add_completion=False, help=__doc__.split("\n\n")[0])
Row = dict[str, Any]


def precision() -> Row:
    """Global flags that change what a product is; a peer may have set one."""
    import jax
    import torch

    return {
        "torch float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch mkldnn bf16": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "torch deterministic": torch.are_deterministic_algorithms_enabled(),
        "torch cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "jax x64": bool(jax.config.jax_enable_x64),
        "jax default_matmul_precision": jax.config.jax_default_matmul_precision,
    }


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    only: Annotated[list[str] | None, typer.Option(help=f"Tables among {', '.join(TABLES)}; repeatable.")] = None,
    seconds: Annotated[float, typer.Option(help="Seconds of repetitions of each method on each case.")] = 1.0,
    longest: Annotated[float, typer.Option(help="Methods whose call is expected to take longer are skipped.")] = 40.0,
    minutes: Annotated[float, typer.Option(help="Cases that begin later are skipped.")] = 25.0,
    largest: Annotated[int | None, typer.Option(help="Cases with a longer side are left out.")] = None,
    library: Annotated[str | None, typer.Option(help="Arrays of this library alone, undisturbed by others.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, to see that everything runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON; default: peers.json for a whole run, else none.")] = None,
) -> None:
    """Compare with every peer that a package index has; see the head of benchmarks/peers.py."""
    if context.invoked_subcommand:
        return
    if library is None:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or torch's idle threads slow the other libraries' down
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    only = only or list(TABLES)
    if unknown := set(only) - set(TABLES):
        raise typer.BadParameter(f"expected tables among {', '.join(TABLES)}; got {', '.join(sorted(unknown))}")
    console, begin, before = Console(), time.perf_counter(), precision()
    console.width = max(console.width, 150)
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch._inductor")  # a peer's compilation
    found, missing = methods()
    found = [method for method in found if library in (None, method.library)]
    run = Run(found, 0.03 if quick else seconds, longest, begin + 60 * minutes)
    path = out or (JSON if not quick and not largest and set(only) == set(TABLES) else None)
    rows: list[Row] = []
    sizes = (64,) if quick else tuple(n for n in (1024, 2048) if n <= (largest or n))
    bare = overheads(sizes, 0.05 if quick else 4.0) if "overhead" in only else []
    of_table, cuda = quick_cases if quick else cases, torch.cuda.is_available()
    for case in chain.from_iterable(of_table(t, cuda) for t in TABLES if t in only):
        if largest and max(side for shape in case.shapes for side in shape) > largest:
            continue
        console.print(f"{time.perf_counter() - begin:6.0f} s  {case.table} {case.asked} {case.name} {case.dtype}")
        rows += run.measure(case)
        if path:
            path.write_text(recorded(rows, missing, [], [], bare, precision(), time.perf_counter() - begin))
    flags = precision() | {"changed during the run": before != precision()}
    made = claims(rows, bare)
    fitted = scaling(rows)
    print_results(console, rows, missing)
    print_claims(console, made, fitted, flags)
    console.print(f"{time.perf_counter() - begin:.0f} s")
    if path:
        path.write_text(recorded(rows, missing, made, fitted, bare, flags, time.perf_counter() - begin))
        console.print(str(path))


def recorded(
    rows: list[Row], missing: list[Missing], made: list[Row], fitted: list[Row], bare: list[Row], flags: Row, s: float
) -> str:
    """The JSON."""
    content = {
        "machine": describe(PACKAGES) | {"precision": flags, "seconds": s},
        "missing": [{"name": m.name, "reason": m.reason} for m in missing],
        "claims": made,
        "scaling": fitted,
        "overhead": bare,
        "results": rows,
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


@app.command()
def merge(sources: list[Path], out: Path = JSON) -> None:
    """Put the tables of several runs on one machine into one JSON: claims compare within a case.

    So within a run, unless its libraries had processes of their own.
    """
    parts = [json.loads(source.read_text()) for source in sources]
    rows = [row for part in parts for row in part["results"]]
    bare = [row for part in parts for row in part["overhead"]]
    parted = {key: [part["machine"][key] for part in parts] for key in ("seconds", "environment")}
    tables = [sorted({row["table"] for row in part["results"]}) for part in parts]
    machine = parts[0]["machine"] | parted | {"tables": tables}
    content = {
        "machine": machine,
        "missing": parts[0]["missing"],
        "claims": claims(rows, bare),
        "scaling": scaling(rows),
        "overhead": bare,
        "results": rows,
    }
    out.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    typer.echo(str(out))


@app.command()
def figure(source: Path = JSON, out: Path = FIGURE) -> None:
    """Draw time and error against size from the JSON."""
    typer.echo(draw(json.loads(source.read_text()), out))


if __name__ == "__main__":
    app()
