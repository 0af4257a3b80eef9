"""Pages rendered from the code: methods from rules and twins, statuses from their enumeration, the command line.

Called by ``conf.py`` at the start of a build.  A method page is found by walking the registry, so that a new rule with
its twin has a page without any change here.
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import theory
from matfun.lab.prices import Method, describe
from matfun.result import Status
from matfun.rules.rule import Registered, registered

ROOT = Path(__file__).parents[1]

PROBLEMS = {
    "polar": ("Polar factor", "`polar`, `orthogonalize`, `eigh_via_polar`, `svd_via_polar`"),
    "sign": ("Sign", "`signm`"),
    "sqrt": ("Square roots", "`sqrtm`, `invsqrtm`, `sqrtm_pair`, `invrootm` with p = 2"),
    "invroot": ("Inverse p-th roots", "`invrootm` with p > 2; prices are those of p = 4"),
    "inv": ("Inverse", "`invm`, `invrootm` with p = 1"),
}
"""Headings of the problems, and the functions that their methods serve."""

COMMANDS = ("", "compare", "simulate", "design", "presets", "methods", "info")

WIDTH = 86
"""Columns of the help texts of the command line."""


def write(folder: Path) -> None:
    """Write every generated page into a folder, and remove what no registered rule asks for any more."""
    folder.mkdir(exist_ok=True)
    described = {problem: {method.name: method for method in describe(problem)} for problem in PROBLEMS}
    pages = {
        "index": methods_index(described),
        "_statuses": status_table(),
        "_command-line": command_line(),
    }
    twins = twins_by_name()
    for name, entry in registered().items():
        if name not in twins:
            raise LookupError(f"rule {name!r} has no twin in theory/: expected a file with RULE = {name!r}")
        prices = {p: described[p][name] for p in PROBLEMS if name in described[p]}
        pages[name] = method_page(prices, entry, twins[name])
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:  # an unchanged page need not be read again
            path.write_text(text)


def twins_by_name() -> dict[str, ModuleType]:
    """Twin of every rule, found by walking ``theory/``."""
    modules = [import_module(f"theory.{found.name}") for found in pkgutil.iter_modules(theory.__path__)]
    return {module.RULE: module for module in modules if hasattr(module, "RULE")}


# ---- methods -------------------------------------------------------------------------------------


def methods_index(described: dict[str, dict[str, Method]]) -> str:
    """Table of the methods of every problem, and the tree of their pages."""
    tables: list[str] = []
    for problem, (heading, functions) in PROBLEMS.items():
        tables += [f"## {heading}", "", f'For {functions}; `matfun.methods("{problem}")`.', ""]
        tables += ["| name | price of a step | converges | |", "|---|---|---|---|"]
        tables += [
            f"| [{name}]({name}.md) | {m.price} | {'yes' if m.converges else 'no'} | {literal(m.summary)} |"
            for name, m in described[problem].items()
        ]
        tables.append("")
    return "\n".join(
        [
            "# Methods",
            "",
            "One page per registered method, rendered from the docstrings of the rule and of its twin in `theory/`.",
            "Prices are those of the first step, in products of full-size matrices; a thin product multiplies a "
            "full-size matrix by a block of a few columns.  Coupled iterations start from the identity, so later steps "
            "cost a product or two more.",
            "",
            *tables,
            "```{toctree}",
            ":hidden:",
            *sorted({name for methods in described.values() for name in methods}),
            "```",
            "",
        ]
    )


def method_page(prices: dict[str, Method], entry: Registered, twin: ModuleType) -> str:
    """Page of one method: what it costs each problem, the rule, its theory and numbers."""
    rule: Any = entry.make
    method = next(iter(prices.values()))
    source = Path(inspect.getsourcefile(rule) or "").relative_to(ROOT)
    facts = [
        ("class", f"`matfun.{rule.__name__}`"),
        *((f"first step, {PROBLEMS[problem][0].lower()}", found.price) for problem, found in prices.items()),
        ("converges", "yes" if method.converges else "no"),
        ("rule", f"`{source}`"),
        ("theory", f"`theory/{twin.__name__.split('.')[-1]}.py`"),
    ]
    return "\n".join(
        [
            f"# {method.name}",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in facts),
            "",
            "## The rule",
            "",
            markdown(import_module(rule.__module__).__doc__ or ""),
            "",
            "```{eval-rst}",
            f".. autoclass:: matfun.{rule.__name__}",
            "```",
            "",
            "## Theory",
            "",
            markdown(twin.__doc__ or ""),
            "",
            "## Numbers",
            "",
            numbers_text(entry, method),
            "",
            "| options | region | products of a step |",
            "|---|---|---|",
            *(number_row(twin, options) for options in twin.OPTIONS),
            "",
        ]
    )


def numbers_text(entry: Registered, method: Method) -> str:
    """What the table of numbers shows."""
    if entry.problems == ("inv",):
        start = "eigenvalues of A X"
    else:
        start = (
            "values $\\sigma = m^{1/p}$ of the scaled start, m an eigenvalue of $M = I - R$ (a singular value for the "
            "polar factor),"
        )
    ends = "converges to 1" if method.converges else "ends in its band; it does not converge"
    return (
        f"For the options that the exam walks.  The region is the open interval of {start} from which the method "
        f"{ends}.  Products are those that the twin states for step 0."
    )


def number_row(twin: ModuleType, options: dict[str, Any]) -> str:
    """One line of the table of numbers: what the twin says about one choice of options."""
    shown = {key: f"{value:.6g}" if isinstance(value, (int, float)) else value for key, value in options.items()}
    named = ", ".join(f"{key} = {value}" for key, value in shown.items()) or "none"
    lower, upper = twin.region(**options)
    price = ", ".join(f"{count} {kind}" for kind, count in twin.price(0, **options).items() if count)
    return f"| {named} | ({lower:g}, {near_one(upper)}) | {price} |"


def near_one(value: float) -> str:
    """Print a number; where it exceeds 1 by little, as 1 and the excess, which is what matters."""
    if 1 <= value < 1.01:
        return f"1 + {value - 1:.2g}" if value > 1 else "1 to rounding"
    return f"{value:.7g}"


# ---- statuses and the command line ---------------------------------------------------------------


def status_table() -> str:
    """Table of the members of ``Status`` with the advice each carries."""
    rows = [f"| `{status.name}` | {'yes' if status.ok else 'no'} | {status.value} |" for status in Status]
    return "\n".join(["| status | ok | advice |", "|---|---|---|", *rows, ""])


def command_line() -> str:
    """Help texts of the commands, as a terminal of ``WIDTH`` columns shows them."""
    blocks = []
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": str(WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    for command in COMMANDS:
        arguments = [*command.split(), "--help"]
        run = subprocess.run(
            [sys.executable, "-m", "matfun", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        text = "\n".join(line.rstrip() for line in run.stdout.strip("\n").splitlines())
        text = text.replace("python -m matfun", "matfun")
        title = f"## matfun {command}" if command else "## matfun"
        blocks += [title, "", "```text", text, "```", ""]
    return "\n".join(blocks)


# ---- docstrings ----------------------------------------------------------------------------------


def markdown(docstring: str) -> str:
    """Header of a file as Markdown: underlined headings become headings, everything else is Markdown already."""
    text = inspect.cleandoc(docstring)
    text = re.sub(r"(?m)^(\S.*)\n-{4,}$", r"### \1\n", text)
    text = re.sub(r"\$(.+?)\$", lambda found: "$" + " ".join(found[1].split()) + "$", text, flags=re.DOTALL)
    head, _, rest = text.partition("\n\n")
    return f"{literal(head)}\n\n{literal(rest)}".rstrip()


def literal(text: str) -> str:
    """Escape what Markdown would take for markup outside of code and dollars: a bar in a table, ``<`` of a tag."""
    parts = re.split(r"(``.+?``|`.+?`|\$.+?\$)", text, flags=re.DOTALL)
    return "".join(part if i % 2 else part.replace("<", r"\<").replace("_", r"\_") for i, part in enumerate(parts))


def prepare_docstring(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Turn maths in dollars into roles, and keep bars from being read as substitutions; examples stay as they are."""
    text = "\n".join(lines)
    prose, examples = (text, "")
    start = re.search(r"(?m)^Examples\n-{4,}$", text)
    if start:
        prose, examples = text[: start.start()], text[start.start() :]
    parts = re.split(r"(``.+?``|\$.+?\$)", prose, flags=re.DOTALL)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = part.replace("|", r"\|")
        elif part.startswith("$"):
            parts[i] = f":math:`{' '.join(part[1:-1].split())}`"
    lines[:] = ("".join(parts) + examples).split("\n")
