"""Tables and sentences about schedules, for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

import matfun

FORMATS = ("bfloat16", "float16", "tfloat32", "float32", "float64")


def coefficient_table(schedule: matfun.Schedule) -> Table:
    """Coefficients to 17 digits by step and power, and how each polynomial was made."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("step", justify="right")
    table.add_column("power")
    table.add_column("coefficient", justify="right", no_wrap=True)
    for name in ("interval", "error", "made") if schedule.stages else ():
        table.add_column(name, no_wrap=True)
    for k, row in enumerate(schedule.coefficients):
        for i, c in enumerate(row):
            power = 1 + schedule.p * i
            before = schedule.stages[k - 1].error if k and schedule.stages else 1.0
            made = _made(schedule.stages[k], before) if schedule.stages and i == 0 else ()
            table.add_row("" if i else str(k + 1), "x" if power == 1 else f"x^{power}", f"{c:.17g}", *made)
    return table


def _made(stage: Any, before: float) -> tuple[str, str, str]:
    """Interval, error, and what was done to the best polynomial."""
    how = [f"cushion {stage.fitted / stage.upper:.4g}"] if stage.fitted > stage.lower else []
    how += [f"safety {stage.safety:g}"] if stage.safety > 1 else []
    around = f"1 ± {before:.4g}" if before < 1e-3 else f"[{stage.lower:.4g}, {stage.upper:.4g}]"
    return around, f"{stage.error:.4g}", ", ".join(how) or "minimax"


def facts(schedule: matfun.Schedule) -> Iterator[str]:
    """What the table does not show."""
    if schedule.defect:
        yield f"DEFECTIVE: {schedule.defect}"
    lower, upper = schedule.interval
    what = "|1 - x|" if schedule.p == 2 else f"|1 - x|, x the power 1/{schedule.p} of an eigenvalue of M,"
    yield f"sup {what} over [{lower:.17g}, {upper:g}]: {schedule.error:.6g}"
    yield f"products: {schedule.products}"
    if schedule.repeat:
        yield f"region: starts up to {schedule.region:.10g} stay positive and bounded when the last step is repeated"
    else:
        yield f"region: starts up to {schedule.region:.10g} converge to 1 when the run goes on"
    yield f"stability: a backward error of up to some {schedule.stability:.3g} roundings"
    yield f"safe in: {', '.join(schedule.safe_in) or 'no format'}"
    for dtype in FORMATS:
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
