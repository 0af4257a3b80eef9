"""The command line: ``matfun compare``, ``simulate``, ``design``, ``presets``, ``methods`` and ``info``.

Results go to stdout, everything else to stderr.  Wrong input is one line on stderr and exit code 2.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import matfun
from matfun.lab import plots
from matfun.lab.compare import Comparison, finite
from matfun.lab.console import (
    OneLine,
    check_choice,
    number,
    one_line_errors,
    progress_bar,
    save_figure,
    write_text,
)
from matfun.lab.environment import devices, environment
from matfun.lab.load import BACKENDS, DTYPES, convert, gallery_for, load, precision
from matfun.lab.prices import describe, spent
from matfun.lab.recorded import recorded
from matfun.lab.report import layout, verdict
from matfun.lab.schedule_report import coefficient_table, facts, preset_lines

FIGURE = "matfun-compare.png"
NO_MATPLOTLIB = 'no figure: matplotlib is missing; pip install "matfun[plot]"'


PythonOption = Annotated[bool, typer.Option("--python", help="Print Python source in place of the table.")]
JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="PATH", help="Write everything as JSON; - for stdout.")
]
FigureOption = Annotated[str | None, typer.Option(metavar="PATH", help="Draw the error and its equioscillation.")]

app = typer.Typer(
    cls=OneLine,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Matrix functions by iterations made of matrix products: compare the methods, look at their curves.",
)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"matfun {matfun.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def compare(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Matrices or stacks: .npy, .npz or .pt (a tensor or a dict of tensors, without pickled code).  "
            "Without FILES and --gallery: the shipped matrices, recorded from the training of a transformer."
        ),
    ] = None,
    gallery: Annotated[bool, typer.Option("--gallery", help="Add the gallery of test matrices.")] = False,
    method: Annotated[
        list[str] | None, typer.Option(help="A method, or auto; repeatable.  Default: all methods.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help=f"Convert the arrays to {', '.join(BACKENDS)}.", metavar="LIBRARY")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help=f"Convert the elements to {', '.join(DTYPES)}.")] = None,
    tol: Annotated[float | None, typer.Option(help="Accuracy to stop at.  Default: what the dtype allows.")] = None,
    steps: Annotated[int | None, typer.Option(help="Exactly so many steps, in place of --tol.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of sketches, probes and the gallery.", min=0)] = 0,
    repeats: Annotated[int, typer.Option(help="Timed calls for each number.", min=1)] = 3,
    each: Annotated[bool, typer.Option("--each", help="A block for every matrix, also where there are many.")] = False,
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="PATH", help="Write everything as JSON; - for stdout.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="PATH", help=f"Where the figure goes.  Default: {FIGURE}.")
    ] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Write no figure.")] = False,
) -> None:
    """Compare methods for the polar factor with each other and with SciPy's ground truth.

    Prints a table, a verdict and the path of the figure of convergence curves.
    """
    with one_line_errors():
        check_choice("--backend", backend, tuple(BACKENDS))
        check_choice("--dtype", dtype, DTYPES)
        if plot is not None and no_plot:
            raise ValueError("--plot, --no-plot: expected at most one of the two")
        if plot is not None and find_spec("matplotlib") is None:
            raise ValueError(f"--plot: {NO_MATPLOTLIB}")
        with precision(backend):
            matrices = {
                name: convert(name, x, backend, dtype) for name, x in _matrices(files, gallery, dtype, seed).items()
            }
            with progress_bar() as report:
                found = matfun.compare(
                    matrices, method or None, tol=tol, steps=steps, rng=seed, repeats=repeats, progress=report
                )
        out = Console(stderr=json_path == "-", highlight=False)
        if json_path is not None:
            write_text(json_path, found.to_json())
        out.print(layout(found, False if each else None))
        out.print()
        for sentence in verdict(found):
            out.print(sentence, markup=False)
        if not no_plot:
            _draw(found, plot, out)


@app.command()
def simulate(
    method: Annotated[str, typer.Argument(help="A method; see `matfun methods`.")],
    sigmas: Annotated[str | None, typer.Option(help='Singular values of the scaled start: "1,0.1,1e-3".')] = None,
    log_spaced: Annotated[
        tuple[float, int] | None, typer.Option(metavar="LOWER N", help="N values, geometric from LOWER to 1.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Exactly so many steps.", min=0)] = 10,
    lower: Annotated[float | None, typer.Option(help="Lower bound on the values that the method is told.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sketch.", min=0)] = 0,
    json_path: Annotated[
        str | None, typer.Option("--json", metavar="PATH", help="Write the curve as JSON; - for stdout.")
    ] = None,
    plot: Annotated[str | None, typer.Option(metavar="PATH", help="Draw the curve.")] = None,
) -> None:
    """Run a method on singular values alone: its convergence in exact arithmetic, and its price."""
    with one_line_errors():
        curve = matfun.simulate(method, _spectrum(sigmas, log_spaced), steps=steps, lower=lower, rng=seed)
        columns = (spent(curve).tolist(), curve.residuals.tolist(), curve.errors.tolist())
        out = Console(stderr=json_path == "-", highlight=False)
        if json_path is not None:
            names = ("products", "residuals", "errors")
            document = {"format": 1, "method": curve.method, "sigmas": curve.sigmas[0].tolist()}
            document |= dict(zip(names, columns, strict=True)) | {"thin_products": curve.thin_products}
            write_text(json_path, json.dumps(finite(document), indent=1, allow_nan=False))
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name in ("step", "products", "||I - X^H X||_F", "max |sigma - 1|"):
            table.add_column(name, justify="right")
        for step, (products, residual, error) in enumerate(zip(*columns, strict=True)):
            table.add_row(str(step), f"{products:g}", f"{residual:.3e}", f"{error:.3e}")
        out.print(table)
        if plot is not None:
            save_figure(plots.simulated, curve, plot, out)


@app.command()
def design(
    lower: Annotated[
        str, typer.Option(help="Left end of the interval; 'widest' for the smallest that --steps and --target allow.")
    ] = "1e-3",
    upper: Annotated[float, typer.Option(help="Right end.")] = 1.0,
    degree: Annotated[
        list[int] | None,
        typer.Option(
            help="3, 5, ..., 17; repeatable.  The same in every step or one for each, by default 5; with --target or "
            "--products those that a step may have, by default 3, 5, 9, 17."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps.  Default: 5.")] = None,
    target: Annotated[
        float | None,
        typer.Option(help="The fewest products with an error of at most this; with --steps see --lower widest."),
    ] = None,
    products: Annotated[
        int | None, typer.Option(help="In place of --steps: the least error for at most so many products.")
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(
            help="Number format in which the schedule must be safe: bfloat16, float16, tfloat32, float32 or float64; "
            "'exact' ignores rounding."
        ),
    ] = "float64",
    cushion: Annotated[
        float | None,
        typer.Option(help="Design for no interval wider than [cushion u, u].  Default: what the format needs."),
    ] = None,
    safety: Annotated[
        float | None, typer.Option(help="Apply p(x / safety) while the error is large.  Default: as --cushion.")
    ] = None,
    p: Annotated[int, typer.Option(help="2: polar, sign, square roots; 1: inverse; else the inverse p-th root.")] = 2,
    python: PythonOption = False,
    json_path: JsonOption = None,
    plot: FigureOption = None,
) -> None:
    """Design the polynomials of an iteration: coefficients to 17 digits, their certified error and their price."""
    with one_line_errors():
        schedule = matfun.design(
            None if lower == "widest" else number("--lower", lower),
            upper,
            degree=(degree[0] if len(degree) == 1 else degree) if degree else None,
            steps=steps,
            target=target,
            products=products,
            dtype=None if dtype == "exact" else dtype,
            cushion=cushion,
            safety=safety,
            p=p,
        )
        _show(schedule, python, json_path, plot)


@app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="One of them.  Default: a line for each.")] = None,
    python: PythonOption = False,
    json_path: JsonOption = None,
    plot: FigureOption = None,
) -> None:
    """Published coefficient lists: what they are, their errors recomputed, the formats that carry them."""
    with one_line_errors():
        if name is None:
            if python or json_path is not None or plot is not None:
                raise ValueError("NAME: expected one where --python, --json or --plot is given")
            for line in preset_lines():
                Console(highlight=False).print(line, soft_wrap=True)
            return
        _show(matfun.preset(name, allow_defective=True), python, json_path, plot)


@app.command()
def methods() -> None:
    """List the methods: what they are, the price of a step, and whether they converge."""
    out = Console(highlight=False)
    for entry in describe():
        limit = "converges" if entry.converges else "does not converge"
        out.print(Text.assemble((entry.name, "bold"), f": {entry.price} a step, {limit}"))
        out.print(Padding(entry.summary.replace("``", ""), (0, 0, 0, 4)), markup=False)


@app.command()
def info(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print what a bug report needs: versions, devices, BLAS, threads and providers."""
    found = environment() | {"devices": devices()}
    if as_json:
        typer.echo(json.dumps(found, indent=1, allow_nan=False))
        return
    blas = [f"{b['library']}, {b['architecture']}, {b['threads']} threads" for b in found["blas"]]
    lines = [
        ("matfun", found["matfun"]),
        ("python", f"{found['python']}, {found['system']}, {found['processors']} processors"),
        *found["versions"].items(),
        *((f"device of {name}", text) for name, text in found["devices"].items()),
        *(("BLAS", text) for text in blas or ["not recognised"]),
        *found["variables"].items(),
        ("providers", ", ".join(found["providers"])),
    ]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        typer.echo(f"{name:<{width}}  {text}")


def _show(schedule: matfun.Schedule, python: bool, json_path: str | None, plot: str | None) -> None:
    out = Console(stderr=json_path == "-", highlight=False)
    if json_path is not None:
        write_text(json_path, schedule.to_json())
    if python:
        out.print(schedule.to_python(), markup=False, soft_wrap=True)
    else:
        out.print(coefficient_table(schedule))
        out.print()
        for sentence in facts(schedule):
            out.print(sentence, markup=False, soft_wrap=True)
    if plot is not None:
        save_figure(matfun.Schedule.plot, schedule, plot, out)


def main() -> None:
    """Entry point."""
    app(prog_name="matfun")


def _matrices(files: list[str] | None, gallery: bool, dtype: str | None, seed: int) -> dict[str, Any]:
    if not files and not gallery:
        return dict(recorded())
    found: dict[str, Any] = {}
    for path in files or ():
        loaded = load(path)
        twice = found.keys() & loaded.keys()
        # two files of one name in different folders
        found |= {f"{path}:{name}" if name in twice else name: x for name, x in loaded.items()}
    if gallery:
        cases, omitted = gallery_for(dtype, seed)
        found |= cases
        if omitted:
            typer.echo(f"gallery: {omitted} matrices do not fit {dtype} and are left out", err=True)
    return found


def _spectrum(sigmas: str | None, log_spaced: tuple[float, int] | None) -> np.ndarray:
    if (sigmas is None) == (log_spaced is None):
        raise ValueError("--sigmas, --log-spaced: expected exactly one of the two")
    if log_spaced is not None:
        lower, count = log_spaced
        if not (0 < lower <= 1 and count >= 1):
            raise ValueError(f"--log-spaced: expected 0 < LOWER <= 1 and N >= 1, got {lower:g} {count}")
        return np.geomspace(1.0, lower, count)
    try:
        return np.asarray([float(word) for word in str(sigmas).split(",")])
    except ValueError:
        raise ValueError(f"--sigmas: expected numbers with commas between them, got {sigmas!r}") from None


def _draw(found: Comparison, path: str | None, out: Console) -> None:
    if path is None and find_spec("matplotlib") is None:
        out.print(NO_MATPLOTLIB, markup=False)
        return
    try:
        save_figure(Comparison.plot, found, path or FIGURE, out)
    except ValueError as error:
        # nothing to draw is no failure of a comparison, unless the figure was asked for
        if path is not None or not str(error).startswith("matrices: none has a curve"):
            raise
        out.print(f"no figure: {error}", markup=False)
