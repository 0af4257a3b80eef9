"""Where eigenvectors of the Gram matrix pay in place of the triangular solve of Cholesky QR.

    python benchmarks/tall.py        writes benchmarks/results/tall.json

Both roads of ``matfun.functions.tall`` on matrices that take two passes, of condition 1e2 (float32) and 1e3, in random
turns; medians over two passes of the bare Gram product and multiplication, and what the provider takes.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import write
from rich.console import Console
from rich.table import Table

from matfun.functions.tall import reduce_tall
from matfun.lab.spectra import log_spaced, with_singular_values
from matfun.providers import ops_for

SIDES = (16, 64, 256, 512, 1024)
ASPECTS = (16, 32, 64, 128, 512)
LARGEST = 3e7
"""Elements of a matrix."""

ROADS = ("solve", "eigenvectors")


def measure(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Median seconds of each call, at least three of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["passes"]) < 3:
        for name in random.sample(list(calls), len(calls)):
            begin = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - begin)
    return {name: median(t) for name, t in times.items()}


def main() -> None:
    """Print the table and write the JSON."""
    rows = []
    table = Table("library", "dtype", "shape", "two passes, ms", *ROADS, "rule", "loss")
    random.seed(0)
    for library, dtype, n, aspect in itertools.product(("numpy", "torch"), ("float32", "float64"), SIDES, ASPECTS):
        m = aspect * n
        if m * n > LARGEST:
            continue
        # its condition is that of the square factor; 1e2 in single precision, which takes two passes as well
        R = with_singular_values(log_spaced(n, 1e2 if dtype == "float32" else 1e3), n, n, 0)
        host = (np.random.default_rng(0).standard_normal((m, n)) @ R / m**0.5).astype(dtype)
        X = torch.from_numpy(host) if library == "torch" else host
        W, ops = X[:n], ops_for(X)
        chosen = ROADS[ops.prefers_eigenvectors(X)]

        def passes(X: Any = X, W: Any = W) -> None:
            for _ in range(2):
                X.mT @ X
                X @ W

        def road(name: str, X: Any = X, W: Any = W, ops: Any = ops) -> None:
            ops.prefers_eigenvectors = lambda _: name == "eigenvectors"
            reduce_tall(ops, X).times(ops, W)

        calls = {"passes": passes} | {name: partial(road, name) for name in ROADS}
        seconds = measure(calls, 1.0 if m * n * n < 3e9 else 3.0)
        del ops.prefers_eigenvectors  # of the provider, which all arrays share
        loss = seconds[chosen] / min(seconds[name] for name in ROADS)
        rows.append(
            {"library": library, "dtype": dtype, "shape": [m, n], "seconds": seconds, "rule": chosen, "loss": loss}
        )
        shown = (f"{seconds[name] / seconds['passes']:.2f}" for name in ROADS)
        table.add_row(library, dtype, f"{m} x {n}", f"{1e3 * seconds['passes']:.2f}", *shown, chosen, f"{loss:.2f}")
    Console(width=120).print(table)
    print(write("tall", rows))


if __name__ == "__main__":
    main()
