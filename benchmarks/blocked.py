"""In how many blocks of rows torch's CPU forms a Hermitian product fastest, and what the rule in blocked.py takes.

    python benchmarks/blocked.py        writes benchmarks/results/blocked.json

X^H X whole and in 2, 3, 4, 6 and 8 blocks, in random turns; medians over the whole product's.
"""

from __future__ import annotations

import random
import time
from statistics import median
from typing import Any

import torch
from machine import write
from matfun_backends.products import blocked
from rich.console import Console
from rich.table import Table

SHAPES = (
    *((n, n) for n in (128, 256, 384, 512, 768, 1024, 1536, 2048)),
    *((1024, 128), (8192, 128), (1024, 256), (4096, 256), (16384, 256), (2048, 512), (4096, 512), (4096, 2048)),
)
COUNTS = (1, 2, 3, 4, 6, 8)
DTYPES = (torch.bfloat16, torch.float32, torch.float64)
LARGE = 3e9
"""Multiplications of a product that is given more seconds."""


def in_blocks(X: torch.Tensor, count: int) -> torch.Tensor:
    """X^H X in that many blocks."""
    blocked.blocks = lambda *_: count  # type: ignore[assignment]
    return X.mT @ X if count == 1 else blocked.hermitian_product(X.mT, X)


def measure(X: torch.Tensor) -> dict[int, float]:
    """Median seconds by number of blocks."""
    times: dict[int, list[float]] = {count: [] for count in COUNTS}
    for count in COUNTS:
        in_blocks(X, count)
    end = time.perf_counter() + (1.5 if X.shape[0] * X.shape[1] ** 2 < LARGE else 6)
    while time.perf_counter() < end:
        for count in random.sample(COUNTS, len(COUNTS)):
            begin = time.perf_counter()
            in_blocks(X, count)
            times[count].append(time.perf_counter() - begin)
    return {count: median(t) for count, t in times.items()}


def main() -> None:
    """Print the table and write the JSON."""
    rule, rows, table = blocked.blocks, [], Table("dtype", "shape", "whole, ms", *map(str, COUNTS[1:]), "rule", "loss")
    random.seed(0)
    for dtype in DTYPES:
        for m, n in SHAPES:
            X = torch.randn(m, n, generator=torch.Generator().manual_seed(0)).to(dtype)
            seconds, chosen = measure(X), rule(n, m, X)
            ratios = {count: seconds[count] / seconds[1] for count in COUNTS}
            loss = seconds[chosen] / min(seconds.values())
            name = str(dtype).removeprefix("torch.")
            row: dict[str, Any] = {"dtype": name, "shape": [m, n], "threads": torch.get_num_threads()}
            rows.append(row | {"seconds": seconds, "rule": chosen, "loss": loss})
            shown = (f"{ratios[count]:.2f}" for count in COUNTS[1:])
            table.add_row(name, f"{m} x {n}", f"{1e3 * seconds[1]:.2f}", *shown, str(chosen), f"{loss:.2f}")
    Console(width=120).print(table)
    print(write("blocked", rows))


if __name__ == "__main__":
    main()
