"""Why ``auto`` hands JAX arrays in the host's memory to NumPy, and torch tensors not.

    python benchmarks/host_memory.py        writes benchmarks/results/host_memory.json

Timed is what a user's program does: some products by the array's library, and one call of a function.  Threads that a
library leaves spinning after its work then take the time of the other library, which a call alone does not show.
``JaxOps.lend`` and the lack of a ``TorchOps.lend`` rest on these figures.  OMP_WAIT_POLICY should be what users have:
not set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from machine import write
from rich.console import Console
from rich.table import Table

import matfun

SHAPES = (*((n, n) for n in (16, 32, 64, 128, 256, 512, 1024)), (2048, 256), (256, 16, 16), (64, 64, 64))
PRODUCTS = 4
ROUNDS = 5
SECONDS = 0.1
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "polar": lambda A, **how: matfun.polar(A, **how)[0],
    "sqrtm": matfun.sqrtm,
}


def program(multiply: Callable[[], Any], call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the products, and of the call after them."""
    begin = time.perf_counter()
    jax.block_until_ready(multiply())  # leaves tensors of torch as they are
    between = time.perf_counter()
    jax.block_until_ready(call())
    return between - begin, time.perf_counter() - between


def multiplied(A: Any) -> Any:
    """Products of the size of A by its own library."""
    X, S = A, A.mT @ A
    for _ in range(PRODUCTS - 1):
        X = X @ S
    return X


def measure(function: str, library: str, A: np.ndarray) -> dict[str, float]:
    """Median seconds of the quietest block, by both ways, whose blocks take turns."""
    f = FUNCTIONS[function]
    X = torch.from_numpy(A) if library == "torch" else jnp.asarray(A)
    give_back = torch.from_numpy if library == "torch" else jax.device_put
    ways: dict[str, Callable[[], Any]] = {
        "own": lambda: f(X, backend=library),
        "numpy": lambda: give_back(f(np.asarray(X))),
    }
    rounds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, call in ways.items():
            time.sleep(0.05)  # until the threads of the block before are asleep
            program(partial(multiplied, X), call)
            times: list[tuple[float, float]] = []
            end = time.perf_counter() + SECONDS
            while not times or time.perf_counter() < end:
                times.append(program(partial(multiplied, X), call))
            rounds[way].append((median(call for _, call in times), median(map(sum, times))))
    found: dict[str, float] = {}
    for way, medians in rounds.items():
        found[f"{way}_seconds"], found[f"{way}_with_products_seconds"] = map(min, zip(*medians, strict=True))
    return found


def main() -> None:
    """Print the table and write the JSON."""
    jax.config.update("jax_enable_x64", True)
    rows: list[dict[str, Any]] = []
    table = Table(
        "function",
        "array of",
        "dtype",
        "shape",
        *(f"{w}, ms" for w in ("own", "NumPy", "own + products", "NumPy + products")),
    )
    for function in FUNCTIONS:
        for library in ("torch", "jax"):
            for dtype in ("float32", "float64"):
                for shape in SHAPES if function == "polar" else SHAPES[:7]:
                    A = np.random.default_rng(0).standard_normal(shape)
                    A = A if function == "polar" else A.mT @ A + np.eye(shape[-1])
                    A = (A / np.linalg.norm(A, 2, axis=(-2, -1))[..., None, None]).astype(dtype)
                    row = measure(function, library, A)
                    rows.append({"function": function, "library": library, "dtype": dtype, "shape": shape} | row)
                    table.add_row(
                        function, library, dtype, str(shape), *(f"{1e3 * row[k]:.2f}" for k in sorted_keys(row))
                    )
    Console(width=130).print(table)
    print(write("host_memory", rows))


def sorted_keys(row: dict[str, float]) -> list[str]:
    """Calls alone first."""
    return sorted(row, key=lambda key: ("products" in key, "numpy" in key))


if __name__ == "__main__":
    main()
