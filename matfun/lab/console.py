"""How the command line talks: one line for an error, a bar on stderr, files with a message that names the option."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from typer.core import TyperGroup

from matfun.lab import plots


class OneLine(TyperGroup):
    """Errors of usage as one line, in place of a panel of several."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and print what went wrong with the arguments."""
        standalone_mode = extra.get("standalone_mode", True)
        try:
            code = super().main(*args, **(extra | {"standalone_mode": False}))
        except Exception as error:
            # the classes of such errors are click's or typer's own, depending on the version of typer
            if not standalone_mode or not hasattr(error, "format_message"):
                raise
            fail(error.format_message(), getattr(error, "exit_code", 2))
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line on stderr, and exit."""
    typer.echo(f"matfun: {' '.join(message.split())}", err=True)
    sys.exit(code)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Bad input, which every check of matfun raises as ValueError or TypeError, is no reason for a traceback."""
    try:
        yield
    except (ValueError, TypeError) as error:
        fail(str(error))


def check_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise unless the option was left out, or is one of the choices."""
    if value is not None and value not in choices:
        raise ValueError(f"{option}: expected one of {', '.join(choices)}, got {value!r}")


def number(option: str, text: str) -> float:
    """Read a number, or say which option has none."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option}: expected a number, got {text!r}") from None


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A bar on stderr, and nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("comparing", total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=name or "done")


def save_figure(draw: Any, subject: Any, path: str, out: Console) -> None:
    """Draw, write and tell where."""
    figure = draw(subject)
    try:
        plots.save(figure, path)
    except (OSError, ValueError) as error:  # an unknown format is a ValueError
        raise ValueError(f"--plot: {error}") from error
    out.print(f"Figure: {path}", markup=False, soft_wrap=True)


def write_text(path: str, text: str) -> None:
    """Write to a file, or to stdout for ``-``."""
    if path == "-":
        typer.echo(text)
        return
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--json: cannot write {path!r}: {error.strerror}") from error
