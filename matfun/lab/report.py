"""The words and tables of a comparison; numbers come from its rows and nowhere else."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from statistics import median as _median
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

import matfun
from matfun.lab.compare import Comparison, Row

SUMMARISE_ABOVE = 4
"""More matrices than this get one line per method, since nobody reads a table of a hundred lines."""

STATUS_WIDTH, NUMBER_WIDTH = 10, 5


def layout(found: Comparison, summary: bool | None = None) -> Group:
    """Lay the results out: one line per method, or one block per matrix.

    Parameters
    ----------
    found : Comparison
    summary : bool, optional
        One line per method; by default for more than four matrices.
    """
    if summary is None:
        summary = len(found.references) > SUMMARISE_ABOVE
    return _by_method(found) if summary else _by_matrix(found)


def as_text(renderable: Any, width: int) -> str:
    """Render for a file or a notebook: no colours, no trailing spaces."""
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(renderable)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").split("\n"))


def short(x: float) -> str:
    """Five characters at most: 0, 0.52, 14.1, 230, 4e6; inf where nothing finite came back."""
    if x == 0 or not math.isfinite(x):
        return f"{x:g}"
    if 0.01 <= abs(x) < 9999.5:
        return f"{x:.0f}" if abs(x) >= 99.95 else f"{x:.3g}"
    mantissa, exponent = f"{x:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _table(columns: Iterable[str], widest: int) -> Table:
    """Columns of one width in every block, narrow enough for 80 characters with the registered names."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        words = column in ("method", "status")
        least = {"method": widest, "status": STATUS_WIDTH}.get(column, NUMBER_WIDTH)
        table.add_column(column, justify="left" if words else "right", no_wrap=True, min_width=least)
    return table


def _by_matrix(found: Comparison) -> Group:
    columns = ("method", "status", "steps", "products", "backward", "orthog.", "ms")
    units = {row.matrix: row.eps for row in found.rows}
    widest = max(len(_method(row)) for row in (*found.rows, *found.references))
    blocks: list[Any] = []
    for (matrix, group), reference in zip(groupby(found.rows, lambda row: row.matrix), found.references, strict=True):
        rows = [*group, reference]
        table = _table(columns, widest)
        for row in rows:
            eps = units[matrix]
            errors = (short(row.backward_error / eps), short(row.orthogonality / eps))
            table.add_row(
                _method(row),
                _status(row),
                *_price(row, row.steps, row.products),
                *errors,
                short(1e3 * row.seconds),
            )
        shape = " x ".join(map(str, reference.shape))
        title = f"{shape} {rows[0].dtype}, condition {short(reference.condition)}"
        blocks += [*([Text()] if blocks else []), Text.assemble((matrix, "bold"), f"  {title}"), table]
    caption = "backward, orthogonality: errors in eps of the dtype.  f: a factorisation.  "
    return Group(*blocks, Text(), Text(f"{caption}ms: median of {_calls(found)}.", "dim"))


def _by_method(found: Comparison) -> Group:
    many = len(found.references)
    columns = (
        "method",
        f"ok\nof {many}",
        "status",
        "steps",
        "prod-\nucts",
        "back-\nward",
        "orth-\nog.",
        "ms",
    )
    units = {row.matrix: row.eps for row in found.rows}
    groups = [[row for row in found.rows if row.method == method] for method in found.methods]
    groups.append(list(found.references))
    table = _table(columns, max(len(_method(rows[0])) for rows in groups))
    for rows in groups:
        within = sum(row.within for row in rows)
        table.add_row(
            _method(rows[0]),
            f"[{'green' if within == many else 'red'}]{within}[/]",
            "\n".join(f"{count} {name}" for name, count in Counter(map(_status, rows)).most_common()),
            *_price(
                max(rows, key=lambda row: row.factorisations),
                _median(row.steps for row in rows),
                _median(row.products for row in rows),
            ),
            short(max(row.backward_error / units[row.matrix] for row in rows)),
            short(max(row.orthogonality / units[row.matrix] for row in rows)),
            short(1e3 * sum(row.seconds for row in rows)),
        )
    caption = (
        f"ok: both errors below {_limit_in_words(found)}.  steps, products: median; f: a factorisation.  backward, "
        f"orthogonality: worst error in eps.  ms: sum over the matrices of the median of {_calls(found)}."
    )
    return Group(table, Text(), Text(caption, "dim"))


def _calls(found: Comparison) -> str:
    count = found.environment["repeats"]
    return f"{count} calls" if count > 1 else "one call"


def _method(row: Row) -> str:
    if row.method == "auto":
        return f"auto: {row.ran}"
    return f"{row.method}, {row.steps} steps" if row.asked.endswith("(customary)") else row.method


def _price(row: Row, steps: float, products: float) -> tuple[str, str]:
    if row.status == "REFERENCE":
        return "", "f"
    return short(steps), f"f+{short(products - row.factorisations)}" if row.factorisations else short(products)


def _status(row: Row) -> str:
    if row.status == "REFERENCE":
        return f"[dim]{row.dtype}[/]"
    colour = "yellow" if row.status == "UNCHECKED" else "green" if matfun.Status[row.status].ok else "red"
    return f"[{colour}]{row.status.lower().replace('_', ' ')}[/]"


def _limit_in_words(found: Comparison) -> str:
    loose = {row.asked for row in found.rows if row.asked.startswith("tol ")}
    return "the tolerance asked for" if loose else "(12 + sqrt k) eps, k the small side"


def verdict(found: Comparison) -> list[str]:
    """Sentences that hold the methods against SciPy's ground truth.

    Parameters
    ----------
    found : Comparison
    """
    many = len(found.references)
    by_method = {m: [row for row in found.rows if row.method == m] for m in found.methods}
    good = [m for m, rows in by_method.items() if all(row.within for row in rows)]
    on_all = "on the matrix" if many == 1 else f"on {'both' if many == 2 else f'all {many}'} matrices"
    lines = [
        f"Ground truth: SciPy (LAPACK's SVD) in float64.  An answer is accurate if its backward error and "
        f"orthogonality are below {_limit_in_words(found)}.",
        f"Accurate {on_all}: {_list(good)}." if good else f"No method is accurate {on_all}.",
    ]
    lines += [_why(m, rows) for m, rows in by_method.items() if m not in good]
    lines += _errors(found, {m: by_method[m] for m in good})
    lines += _prices({m: by_method[m] for m in good})
    lines.append(_times(found, {m: by_method[m] for m in good} or by_method))
    return lines


def _why(method: str, rows: list[Row]) -> str:
    """Say where a method is not accurate, by status, with the advice that comes with the status."""
    out = [row for row in rows if not row.within]
    reasons = []
    for status, count in Counter(row.status for row in out).most_common():
        excess = max(max(row.backward_error, row.orthogonality) / row.limit for row in out if row.status == status)
        advice = matfun.Status[status].value.split(".")[0].split(":")[0]
        if status == "UNCHECKED":
            reason = f"after {rows[0].asked} the errors are up to {short(excess)} times the limit"
        elif matfun.Status[status].ok:
            reason = f"{count} {status} with errors up to {short(excess)} times the limit"
        else:
            reason = f"{count} {status} ({advice[0].lower()}{advice[1:]})"
        reasons.append(reason)
    return f"{method} is accurate on {len(rows) - len(out)} of {len(rows)}: {'; '.join(reasons)}."


def _errors(found: Comparison, good: dict[str, list[Row]]) -> list[str]:
    """Rank the accurate methods by their worst backward error, beside SciPy in the dtype of the matrices."""
    units = {row.matrix: row.eps for row in found.rows}

    def worst(rows: Iterable[Row]) -> float:
        return max(row.backward_error / units[row.matrix] for row in rows)

    reference, many = found.references, len(found.references)
    ranked = sorted((worst(rows), m) for m, rows in good.items())
    listed = f"Worst backward error in eps: {_list(f'{m} {short(error)}' for error, m in ranked)}.  " if ranked else ""
    dtypes = _list(dict.fromkeys(row.dtype for row in reference))
    return [
        f"{listed}scipy.linalg.polar in {dtypes}: {short(worst(reference))}, accurate on "
        f"{sum(row.within for row in reference)} of {many}."
    ]


def _prices(good: dict[str, list[Row]]) -> list[str]:
    """Rank the accurate iterations by their products; a factorisation has another price."""
    medians = {
        m: _median(row.products for row in rows)
        for m, rows in good.items()
        if not any(row.factorisations for row in rows)
    }
    ranked = sorted(medians, key=lambda m: medians[m])
    if not ranked:
        return []
    others = [m for m in good if m not in medians]
    note = f" ({_list(others)}: a factorisation instead)" if others else ""
    return [f"Matrix products, median, fewest first: {_list(f'{m} {medians[m]:g}' for m in ranked)}{note}."]


def _times(found: Comparison, by_method: dict[str, list[Row]]) -> str:
    """Compare times with SciPy's on the matrices at hand, and claim no more than that."""
    base = sum(row.seconds for row in found.references)
    ratios = {m: sum(row.seconds for row in rows) / base for m, rows in by_method.items()}
    ranked = sorted(ratios, key=lambda m: ratios[m])
    return (
        f"Time as a multiple of scipy.linalg.polar on the host ({short(1e3 * base)} ms): "
        f"{_list(f'{m} {ratios[m]:.2g}' for m in ranked)}; for these sizes, on this machine as busy as it was."
    )


def _list(items: Iterable[str]) -> str:
    return ", ".join(items)
