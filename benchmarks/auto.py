"""The constants of ``method="auto"``, and how near to the best named method it comes.

    python benchmarks/auto.py measure    writes matfun/functions/costs.json
    python benchmarks/auto.py check      writes benchmarks/results/auto.json

``check`` times every named method that meets the tolerance (its status is good) and ``auto``, in turns, on matrices of
several sizes, aspects, condition numbers and dtypes, and compares the best time of each.  Methods that took more than
``GIVE_UP`` times the best one at their first run are not timed again, and those that took more than ``HOPELESS`` times
the best on the next smaller matrix of the same kind (from 128 on) are left out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from machine import describe, write
from rich.console import Console
from rich.table import Table

import matfun
from matfun.lab.spectra import log_spaced, with_singular_values
from matfun.providers import ops_for

SIZES = (16, 32, 64, 128, 256, 512, 1024)
LARGEST_SCHUR = 512
COSTS = Path(__file__).parent.parent / "matfun" / "functions" / "costs.json"
CHECKED = (32, 128, 512, 2048)
ASPECTS = (1, 4, 16)
CONDITIONS = {"float32": (10.0, 1e4), "float64": (10.0, 1e8)}
GIVE_UP = 1.6
HOPELESS = 3.0
REPEATS = 7
SHORT = 0.02


def best_of(function: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest of some runs; fewer of long ones."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
        if sum(times) > 8.0:
            break
    return min(times)


def put(name: str) -> Callable[[np.ndarray], Any]:
    """How a library takes an array."""
    if name == "torch":
        import torch

        return lambda x: torch.from_numpy(np.array(x))
    if name == "jax":
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        return jnp.asarray
    return np.asarray


def finished(x: Any) -> Any:
    """Wait for a lazy library."""
    y = x[0] if isinstance(x, tuple) else x
    return y.block_until_ready() if hasattr(y, "block_until_ready") else y


def measure() -> None:
    """Seconds of the verbs by library, dtype and size."""
    table: dict[str, Any] = {}
    for library in ("numpy", "torch", "jax"):
        take = put(library)
        for dtype in ("float32", "float64"):
            verbs: dict[str, dict[str, float]] = {}
            for n in SIZES:
                host = np.random.default_rng(0).standard_normal((n, n)).astype(dtype) / n**0.5
                X = take(host)
                ops = ops_for(X)
                S = ops.gram(X)
                D = ops.add_diagonal(S, 1.0)
                timed: dict[str, Callable[[], Any]] = {
                    "product": lambda X=X, ops=ops: ops.matmul(X, X),
                    "gram": lambda X=X, ops=ops: ops.gram(X),
                    "svd": lambda X=X, ops=ops: ops.svd(X),
                    "eigh": lambda S=S, ops=ops: ops.eigh(S),
                    "inverse": lambda X=X, ops=ops: ops.inverse(X),
                    "qr": lambda X=X, ops=ops: ops.qr(X),
                    "cholesky": lambda D=D, ops=ops: ops.cholesky(D),
                }
                if n <= LARGEST_SCHUR:
                    timed["schur"] = lambda host=host: scipy.linalg.schur(host, output="complex")
                for verb, function in timed.items():
                    verbs.setdefault(verb, {})[str(n)] = best_of(lambda f=function: finished(f()), 20 if n < 256 else 3)
                rule = matfun.NewtonSchulz(5)
                many, few = (
                    best_of(
                        lambda s=s, X=X, rule=rule: finished(matfun.orthogonalize(X, rule, s)), 20 if n < 256 else 3
                    )
                    for s in (7, 2)
                )
                products = verbs["product"][str(n)] + 2 * verbs["gram"][str(n)]
                # the residual, its norm and the choice of a step are looked at on the host in accuracy-driven runs
                verbs.setdefault("step", {})[str(n)] = max((many - few) / 5 - products, 2e-5)
            table.setdefault(library, {})[dtype] = verbs
            print(library, dtype, {v: f"{t[str(SIZES[-2])]:.3g}" for v, t in verbs.items() if str(SIZES[-2]) in t})
    COSTS.write_text(json.dumps({"machine": describe(), "seconds": table}, indent=1) + "\n")


def cases(largest: int) -> list[tuple[str, Any, str, float, str, np.ndarray, str, tuple[Any, ...]]]:
    """Function, its name, shape, condition number, dtype, matrix, problem, further arguments."""
    found = []
    for dtype in ("float32", "float64"):
        for n in (n for n in CHECKED if n <= largest):
            for kappa in CONDITIONS[dtype]:
                for aspect in ASPECTS:
                    k = max(n // aspect, 2)
                    A = with_singular_values(log_spaced(k, kappa), n, k, 0).astype(dtype)
                    found.append(("polar", matfun.polar, f"{n}x{k}", kappa, dtype, A, "polar", ()))
                if n > 512:
                    continue  # general matrices, by Schur, take minutes
                if kappa > 1e2 and dtype == "float32":
                    continue
                S = with_singular_values(log_spaced(n, kappa**0.5), n, n, 0)
                S = (S @ S.T).astype(dtype)
                S = (S + S.T) / 2
                T = np.eye(n) + np.tril(np.random.default_rng(1).standard_normal((n, n)), -1) / (4 * n)
                G = (T @ S.astype(np.float64) @ np.linalg.inv(T)).astype(dtype)
                for name, function, problem, more in (
                    ("sqrtm", matfun.sqrtm, "sqrt", ()),
                    ("invrootm 4", matfun.invrootm, "invroot", (4,)),
                    ("invm", matfun.invm, "inv", ()),
                    ("signm", matfun.signm, "sign", ()),
                ):
                    found.append((f"{name}, definite", function, f"{n}x{n}", kappa, dtype, S, problem, more))
                    found.append((f"{name}, general", function, f"{n}x{n}", kappa, dtype, G, problem, more))
    return found


def check(largest: int) -> None:
    """Compare auto with every named method."""
    console = Console()
    table = Table("function", "shape", "kappa", "dtype", "auto took", "best", "auto ms", "best ms", "ratio")
    rows: list[dict[str, Any]] = []
    hopeless: dict[tuple[Any, ...], set[str]] = {}
    for name, function, shape, kappa, dtype, A, problem, more in cases(largest):

        def run(method: Any, function: Any = function, A: Any = A, more: Any = more, name: str = name) -> Any:
            if name == "polar":
                return function(A, method=method, rng=0)
            return function(A, *more, method=method, rng=0, full_output=True)

        first: dict[str, float] = {}
        kind = (name, kappa, dtype, round(A.shape[0] / A.shape[1]))
        for method in ["auto", *matfun.methods(problem)]:
            if method in hopeless.get(kind, ()):
                continue
            try:
                start = time.perf_counter()
                run(method)
                first[method] = time.perf_counter() - start
                if first[method] < SHORT:
                    start = time.perf_counter()
                    run(method)
                    first[method] = time.perf_counter() - start
            except (matfun.ConvergenceError, ValueError):
                continue
        if len(first) < 2 or "auto" not in first:
            console.print(f"{name} {shape} kappa {kappa:.0e} {dtype}: answered by {sorted(first)}")
            if not first:
                continue
        if A.shape[0] >= 128:
            others = {m: t for m, t in first.items() if m != "auto"}
            slow = {m for m, t in others.items() if t > HOPELESS * min(others.values())}
            hopeless.setdefault(kind, set()).update(slow)
        worth = [m for m in first if m == "auto" or first[m] <= GIVE_UP * min(first.values())]
        times: dict[str, list[float]] = {m: [first[m]] for m in worth}
        for _ in range(REPEATS if min(first.values()) < 0.3 else 1):
            for method in worth:
                start = time.perf_counter()
                run(method)
                times[method].append(time.perf_counter() - start)
        shortest = {m: min(t) for m, t in times.items()}
        named = {m: t for m, t in shortest.items() if m != "auto"}
        if not named or "auto" not in shortest:
            continue
        best = min(named, key=lambda m: named[m])
        result = run("auto")
        took = result.info.method if name == "polar" else result[1].method
        ratio = shortest["auto"] / named[best]
        rows.append(
            {
                "function": name,
                "shape": shape,
                "kappa": kappa,
                "dtype": dtype,
                "auto_took": took,
                "best": best,
                "auto_seconds": shortest["auto"],
                "best_seconds": named[best],
                "ratio": ratio,
                "all_seconds": first | shortest,
            }
        )
        table.add_row(
            name,
            shape,
            f"{kappa:.0e}",
            dtype,
            took,
            best,
            f"{shortest['auto'] * 1e3:.2f}",
            f"{named[best] * 1e3:.2f}",
            f"{ratio:.2f}",
        )
        write("auto", rows)
    console.print(table)
    worst = max(rows, key=lambda r: r["ratio"])
    within = sum(r["ratio"] <= 1.1 for r in rows)
    console.print(
        f"{within} of {len(rows)} within 1.10; worst {worst['ratio']:.2f} at {worst['function']} {worst['shape']}"
    )
    write("auto", rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    elif sys.argv[1:2] == ["check"] and len(sys.argv) <= 3:
        check(int(sys.argv[2]) if len(sys.argv) == 3 else CHECKED[-1])
    else:
        raise SystemExit(__doc__)
