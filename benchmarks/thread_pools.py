"""Why NumPy arrays are factorised by NumPy's LAPACK and not by SciPy's: two pools of BLAS threads in turns.

    python benchmarks/thread_pools.py        writes benchmarks/results/thread_pools.json

Each of the two libraries brings an OpenBLAS with threads of its own.  Idle threads spin for a while, on the cores that
the other pool needs.  Timed are a routine of either library alone, and followed by one product of NumPy's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy.linalg
from machine import write
from matfun_backends.factorisations.native import native
from rich.console import Console
from rich.table import Table

SIZES = (64, 256, 512, 1024)
SECONDS = 1.0


def seconds(function: Callable[[], Any]) -> float:
    """Median time of a call."""
    function()
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < 3:
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return median(times)


def main() -> None:
    """Print the table and write the JSON."""
    rows: list[dict[str, Any]] = []
    table = Table("routine", "n", "alone, ms", "and a product, ms", "the product, ms")
    for n in SIZES:
        A = np.random.default_rng(0).standard_normal((n, n)).astype(np.float32)
        Z = A + 1j * A
        routines: dict[str, Callable[[], Any]] = {
            "SVD, SciPy": lambda A=A: scipy.linalg.svd(A, full_matrices=False, check_finite=False),
            "SVD, NumPy's own": lambda A=A: native("svd_s", "x->xrx", A),
            "complex rank-k update, SciPy": lambda Z=Z: scipy.linalg.blas.cherk(1.0, Z.T),
            "complex product, NumPy": lambda Z=Z: Z.conj().T @ Z,
        }
        product = seconds(lambda A=A: A @ A)
        for name, routine in routines.items():
            alone = seconds(routine)
            both = seconds(lambda A=A, routine=routine: (routine(), A @ A))
            rows.append(
                {"routine": name, "n": n, "seconds": alone, "with_product_seconds": both, "product_seconds": product}
            )
            table.add_row(name, str(n), *(f"{1e3 * t:.2f}" for t in (alone, both, product)))
    Console().print(table)
    print(write("thread_pools", rows))


if __name__ == "__main__":
    main()
