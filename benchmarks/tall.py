"""Tall matrices: where eigenvectors of the Gram matrix pay in place of the triangular solve, and what long sums lose.

    python benchmarks/tall.py        writes benchmarks/results/tall.json

Both roads of ``matfun.functions.tall`` on matrices that take two passes, of condition 1e2 (float32) and 1e3, in random
turns; medians over two passes of the bare Gram product and multiplication, and what the provider takes.  Then, for
columns of +-1.1, the largest error of a squared norm in the Gram matrix, in eps, formed as one sum and as sums of so
many terms (``matfun.functions.long_sums``).
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from machine import write
from rich.console import Console
from rich.table import Table

from matfun.functions import long_sums
from matfun.functions.tall import reduce_tall
from matfun.lab.spectra import log_spaced, with_singular_values
from matfun.providers import ops_for

SIDES = (16, 64, 256, 512, 1024)
ASPECTS = (16, 32, 64, 128, 512)
LARGEST = 3e7
"""Elements of a matrix."""

ROADS = ("solve", "eigenvectors")
TERMS = (2048, 1024, 512)


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


def sums() -> list[dict[str, Any]]:
    """Errors of sums of equal terms."""
    rows = []
    table = Table("library", "shape", "one sum, eps", *map(str, TERMS))
    for library, (m, n) in itertools.product(("numpy", "torch"), ((2**18, 4), (2**18, 16), (2**16, 64), (2**16, 256))):
        host = np.random.default_rng(0).choice([-1.1, 1.1], (m, n))
        X = torch.from_numpy(host) if library == "torch" else host
        ops, true = ops_for(X), float(m * Fraction(1.1) ** 2)

        def error(terms: int, X: Any = X, ops: Any = ops, true: float = true) -> float:
            squares = np.diagonal(ops.as_host(long_sums._gram(ops, X, terms)))
            return float(np.max(np.abs(squares / true - 1)) / np.finfo(np.float64).eps)

        errors = {terms: error(terms) for terms in (m, *TERMS)}
        rows.append({"what": "sums", "library": library, "shape": [m, n], "eps": errors})
        table.add_row(library, f"{m} x {n}", *(f"{e:.0f}" for e in errors.values()))
    Console(width=120).print(table)
    return rows


def main() -> None:
    """Print the tables and write the JSON."""
    rows: list[dict[str, Any]] = []
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
            {
                "what": "roads",
                "library": library,
                "dtype": dtype,
                "shape": [m, n],
                "seconds": seconds,
                "rule": chosen,
                "loss": loss,
            }
        )
        shown = (f"{seconds[name] / seconds['passes']:.2f}" for name in ROADS)
        table.add_row(library, dtype, f"{m} x {n}", f"{1e3 * seconds['passes']:.2f}", *shown, chosen, f"{loss:.2f}")
    Console(width=120).print(table)
    print(write("tall", rows + sums()))


if __name__ == "__main__":
    main()
