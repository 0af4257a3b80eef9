"""Tables and sentences about schedules, for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

import matfun


def coefficient_table(schedule: matfun.Schedule) -> Table:
    """Coefficients to 17 digits by step and power, and how each polynomial was made."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("step", justify="right")
    table.add_column("of")
    table.add_column("coefficient", justify="right", no_wrap=True)
    for name in ("interval", "error", "made") if schedule.stages else ():
        table.add_column(name, no_wrap=True)
    for k, row in enumerate(schedule.coefficients):
        for i, c in enumerate(row):
            power = 1 + schedule.p * i
            made = _made(schedule.stages[k]) if schedule.stages and i == 0 else ()
            table.add_row("" if i else str(k + 1), "x" if power == 1 else f"x^{power}", f"{c:.17g}", *made)
    return table


def _made(stage: Any) -> tuple[str, str, str]:
    """Interval, error, and what was done to the best polynomial."""
    how = [f"cushion {stage.fitted / stage.upper:.4g}"] if stage.fitted > stage.lower else []
    how += [f"safety {stage.safety:g}"] if stage.safety > 1 else []
    return f"[{stage.lower:.4g}, {stage.upper:.4g}]", f"{stage.error:.4g}", ", ".join(how) or "best"


def facts(schedule: matfun.Schedule) -> Iterator[str]:
    """What the table does not show."""
    if schedule.defect:
        yield f"DEFECTIVE: {schedule.defect}"
    lower, upper = schedule.interval
    what = "|1 - x|" if schedule.p == 2 else f"|1 - x|, x the power 1/{schedule.p} of an eigenvalue of M,"
    yield f"sup {what} over [{lower:.17g}, {upper:g}]: {schedule.error:.6g}"
    yield f"products: {schedule.products}"
    after = "repeated" if schedule.repeat else "continued by Newton-Schulz"
    yield f"region: every start up to {schedule.region:.10g} stays positive and bounded, {after}"
    yield f"safe in: {', '.join(schedule.safe_in) or 'no format'}"
    for dtype in ("bfloat16", "float32"):
        if reason := schedule.hazard(dtype):
            yield f"not in {dtype}: {reason}"
    if schedule.note:
        yield f"note: {schedule.note}"


def preset_lines() -> Iterator[Text]:
    """A line for each published list."""
    for name in matfun.presets():
        schedule = matfun.preset(name, allow_defective=True)
        safe = ", ".join(schedule.safe_in) or "no format"
        yield Text.assemble(
            (name, "bold"),
            f": {len(schedule)} steps, {schedule.products} products, sup error {schedule.error:.4g} on "
            f"[{schedule.interval[0]:g}, 1], safe in {safe}",
            (", DEFECTIVE", "bold") if schedule.defect else "",
        )
