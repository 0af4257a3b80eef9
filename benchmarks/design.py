"""What a design costs, from empty caches, and how exact it is, against 40 digits.

python benchmarks/design.py          prints a table, writes benchmarks/results/design.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "backends")]

import machine  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

import matfun  # noqa: E402
from matfun.functions import design as designer  # noqa: E402
from matfun.polynomials import minimax  # noqa: E402
from matfun.polynomials.composition import compose  # noqa: E402
from theory import composition as twin  # noqa: E402

REPEATS = 9
LOWERS = (1e-1, 1e-3, 1e-8)
EXACT: dict[str, Any] = {"dtype": None, "cushion": 0, "safety": 1}
DIGITS_KEPT = 1e-290
"""Errors below are not compared: they come near to the smallest float."""


def seconds(**arguments: Any) -> float | None:
    """Median time of a design from empty caches; None if there is none.  What is imported once does not count."""
    times = []
    try:
        for _ in range(REPEATS + 1):
            minimax.minimax.cache_clear()
            designer._designed.clear()
            start = perf_counter()
            matfun.design(**arguments)
            times.append(perf_counter() - start)
    except ValueError:
        return None
    return median(times[1:])


def accuracy(degree: int, lower: float) -> dict[str, float]:
    """Largest relative errors of the sup errors and the coefficients over ten steps."""
    made = compose(lower, 1.0, (degree,) * 10)
    exact = twin.composition(lower, 1, (degree,) * 10, dps=40)
    pairs = [(s, e) for s, e in zip(made, exact, strict=True) if e.error > DIGITS_KEPT]
    rows = [(a, b) for s, e in pairs for a, b in zip(s.coefficients, e.coefficients, strict=True)]
    return {
        "error": max(abs(float(s.error / e.error - 1)) for s, e in pairs),
        "coefficients": max(abs(float(a / b - 1)) for a, b in rows),
    }


def main() -> None:
    """Measure everything."""
    results: list[dict[str, Any]] = []
    for degree in (3, 5, 7, 9, 11, 13, 15, 17):
        for lower in LOWERS:
            given = {"degree": degree, "lower": lower}
            results.append(
                given
                | {"5 steps": seconds(**given, steps=5, **EXACT), "10 steps": seconds(**given, steps=10, **EXACT)}
                | {f"5 steps, {name}": seconds(**given, steps=5, dtype=name) for name in ("bfloat16", "float32")}
                | {f"relative error of the {k}": v for k, v in accuracy(degree, lower).items()}
            )
    table = Table(*results[0])
    for row in results:
        table.add_row(*(_shown(name, value) for name, value in row.items()))
    Console(width=160).print(table)
    searches: list[dict[str, Any]] = [{"lower": a, "target": b} for a in (1e-2, 1e-3, 1e-6) for b in (0.1, 1e-3, 1e-7)]
    searches += [{"lower": None, "target": 0.3, "steps": 5, "degree": d, **EXACT} for d in (3, 5, 9)]
    for arguments in searches:
        results.append(arguments | {"seconds": seconds(**arguments)})
        print(*(f"{k} {v}" for k, v in results[-1].items()), sep=", ")
    print(machine.write("design", results))


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "none"
    return f"{1e3 * value:.1f} ms" if "steps" in name else f"{value:.2g}"


if __name__ == "__main__":
    main()
