"""In how many blocks of rows torch's CPU forms a Hermitian product fastest, and what the rule in blocked.py takes.

    python benchmarks/blocked.py        writes benchmarks/results/blocked.json

X^H X, and of square matrices the sum S / 2 + 2 S^2 of a quintic step, whole and in 2, 3, 4, 6 and 8 blocks, in random
turns; medians over the whole product's.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from machine import write
from matfun_backends.products import blocked
from rich.console import Console
from rich.table import Table

SQUARE = tuple((n, n) for n in (128, 256, 384, 512, 768, 1024, 1536, 2048))
SHAPES = (
    *SQUARE,
    *((1024, 128), (8192, 128), (1024, 256), (4096, 256), (16384, 256), (2048, 512), (4096, 512), (4096, 2048)),
)
COUNTS = (1, 2, 3, 4, 6, 8)
DTYPES = (torch.bfloat16, torch.float32, torch.float64)
LARGE = 3e9
"""Multiplications of a product that is given more seconds."""


def gram(X: torch.Tensor, count: int) -> torch.Tensor:
    """X^H X in that many blocks."""
    return X.mT @ X if count == 1 else blocked.hermitian_product(X.mT, X)


def quadratic(S: torch.Tensor, count: int) -> torch.Tensor:
    """S / 2 + 2 S^2 in that many blocks."""
    if count == 1:
        return torch.addmm(S, S, S, beta=0.5, alpha=2.0)
    return blocked.hermitian_product(S, S, S, alpha=2.0, beta=0.5)


CASES = (*((gram, shape) for shape in SHAPES), *((quadratic, shape) for shape in SQUARE))


def measure(product: Callable[[torch.Tensor, int], torch.Tensor], X: torch.Tensor) -> dict[int, float]:
    """Median seconds by number of blocks."""
    times: dict[int, list[float]] = {count: [] for count in COUNTS}

    def once(count: int) -> float:
        blocked.blocks = lambda *_: count  # type: ignore[assignment]
        begin = time.perf_counter()
        product(X, count)
        return time.perf_counter() - begin

    for count in COUNTS:
        once(count)
    end = time.perf_counter() + (1.5 if X.shape[0] * X.shape[1] ** 2 < LARGE else 6)
    while time.perf_counter() < end:
        for count in random.sample(COUNTS, len(COUNTS)):
            times[count].append(once(count))
    return {count: median(t) for count, t in times.items()}


def main() -> None:
    """Print the table and write the JSON."""
    rule, rows = blocked.blocks, []
    table = Table("dtype", "product", "shape", "whole, ms", *map(str, COUNTS[1:]), "rule", "loss")
    random.seed(0)
    for dtype, (product, (m, n)) in itertools.product(DTYPES, CASES):
        X = torch.randn(m, n, generator=torch.Generator().manual_seed(0)).to(dtype)
        X = X if product is gram else (X + X.mT) / 2
        seconds, chosen = measure(product, X), rule(n, m, X)
        loss = seconds[chosen] / min(seconds.values())
        row: dict[str, Any] = {"dtype": str(dtype).removeprefix("torch."), "product": product.__name__, "shape": [m, n]}
        rows.append(row | {"threads": torch.get_num_threads(), "seconds": seconds, "rule": chosen, "loss": loss})
        shown = (f"{1e3 * seconds[1]:.2f}", *(f"{seconds[count] / seconds[1]:.2f}" for count in COUNTS[1:]))
        table.add_row(row["dtype"], row["product"], f"{m} x {n}", *shown, str(chosen), f"{loss:.2f}")
    Console(width=120).print(table)
    print(write("blocked", rows))


if __name__ == "__main__":
    main()
