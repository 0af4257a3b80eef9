"""Overhead of ``orthogonalize(steps=5)`` over the bare products of the same library, in one run.

    python benchmarks/overhead.py

The bare products are what anyone would have to run: per step the Gram product, its square and the final product, by
hand, with the library's own fastest calls (NumPy's rank-k path; torch's ``addmm``, which also forms the linear
combinations).  No scaling, no check, no combination on NumPy's side.  The three variants take turns, so that a drift
of the machine's speed touches all of them; the figure is the ratio of medians.  NumPy in float32 and float64, torch in
float32 and bfloat16: the types in which optimizers and numerical analysts call it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from machine import write
from rich.console import Console
from rich.table import Table

import matfun

SIZES = (32, 64, 256, 1024)
STEPS = 5


def numpy_variants(n: int, dtype: str = "float32") -> dict[str, Callable[[], Any]]:
    """Bare products, the five-line loop and matfun on NumPy."""
    A = np.random.default_rng(0).standard_normal((n, n)).astype(dtype)
    X = A / np.linalg.norm(A, 2)

    def bare() -> Any:
        Y = X
        for _ in range(STEPS):
            G = Y.mT @ Y
            P = G @ G.mT
            Y = Y @ P
        return Y

    def five_lines() -> Any:
        a, b, c = 1.875, -1.25, 0.375
        Y = X / np.linalg.norm(X)
        for _ in range(STEPS):
            G = Y.mT @ Y
            P = b * G + c * (G @ G.mT)
            Y = a * Y + Y @ P
        return Y

    return {"bare": bare, "five lines": five_lines, "matfun": lambda: matfun.orthogonalize(A, steps=STEPS)}


def torch_variants(n: int, dtype: str = "float32") -> dict[str, Callable[[], Any]]:
    """Bare products, the five-line loop and matfun on torch."""
    import torch

    A = torch.from_numpy(np.random.default_rng(0).standard_normal((n, n))).to(getattr(torch, dtype))
    X = A / float(torch.linalg.matrix_norm(A.double(), 2))  # there is no SVD in 16 bits
    a, b, c = 1.875, -1.25, 0.375

    def bare() -> Any:
        Y = X
        for _ in range(STEPS):
            G = Y.mT @ Y
            P = torch.addmm(G, G, G, beta=b, alpha=c)
            Y = torch.addmm(Y, Y, P, beta=a)
        return Y

    def five_lines() -> Any:
        Y = X / X.norm()
        for _ in range(STEPS):
            G = Y.mT @ Y
            P = b * G + c * (G @ G)
            Y = a * Y + Y @ P
        return Y

    return {"bare": bare, "five lines": five_lines, "matfun": lambda: matfun.orthogonalize(A, steps=STEPS)}


VARIANTS = (
    ("numpy", "float32", numpy_variants),
    ("numpy", "float64", numpy_variants),
    ("torch", "float32", torch_variants),
    ("torch", "bfloat16", torch_variants),
)


def measure(variants: dict[str, Callable[[], Any]], seconds: float = 5.0, rounds: int = 9) -> dict[str, float]:
    """Median seconds of each variant, run in turns, for so many seconds and at least so many rounds."""
    for run in variants.values():
        run()
        run()
    times: dict[str, list[float]] = {name: [] for name in variants}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["bare"]) < rounds:
        for name, run in variants.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure, print, write the JSON."""
    results = []
    table = Table(title="orthogonalize(steps=5) over the bare products")
    for column in ("library", "dtype", "n", "bare", "five lines", "matfun", "matfun / bare", "matfun / five lines"):
        table.add_column(column, justify="right")
    for library, dtype, make in VARIANTS:
        for n in SIZES:
            t = measure(make(n, dtype))
            row = {"library": library, "dtype": dtype, "n": n, **{f"{k} (s)": v for k, v in t.items()}}
            row |= {"over bare": t["matfun"] / t["bare"], "over five lines": t["matfun"] / t["five lines"]}
            results.append(row)
            table.add_row(
                library,
                dtype,
                str(n),
                *(f"{t[k] * 1e3:.3f} ms" for k in ("bare", "five lines", "matfun")),
                f"{row['over bare']:.3f}",
                f"{row['over five lines']:.3f}",
            )
    Console().print(table)
    print(write("overhead", results))


if __name__ == "__main__":
    main()
