"""Kernels and whole runs on one CUDA device: first whether they are right, then how long they take.

    python benchmarks/gpu.py                 # everything, into benchmarks/results/gpu.json
    python benchmarks/gpu.py --only checks   # into gpu_part.json; or rates, products, runs, transformer, waiting

Sections follow the risks of docs/gpu.md, in order.  The floor of a run is its counted arithmetic, symmetric products at
half price, at 788 TFLOP/s, the rate of one H200 for bfloat16 products of random 8192 x 8192 matrices; the rate of the
device at hand is measured, too.  Inputs are random and fresh (zeros draw less power and run faster), and rotate through
more memory than the level-2 cache holds.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import typer
from machine import write

import matfun

RATE = 788e12
"""Measured on one H200; FLOP/s."""

STEPS = 5
REPLAYS = 50
CACHE = 60 * 2**20
"""Bytes of the level-2 cache of an H200."""

JORDAN = (3.4445, -4.7750, 2.0315)
"""Coefficients of Muon: K. Jordan et al., https://kellerjordan.github.io/posts/muon (2024)."""

Row = dict[str, Any]


class Shape(NamedTuple):
    """A stack of n x m matrices, n <= m."""

    n: int
    m: int
    batch: int

    @property
    def name(self) -> str:
        """Stack, rows and columns."""
        return f"{self.batch} x {self.n} x {self.m}"

    @property
    def standard(self) -> float:
        """Counted FLOP of the steps on X: two symmetric products, of n^2 m and n^3, and one of 2 n^2 m."""
        return self.batch * STEPS * (3 * self.n**2 * self.m + self.n**3)

    @property
    def gram(self) -> float:
        """Counted FLOP on the Gram matrix with one restart, (14 + 6 m/n) n^3; for square matrices nothing is gained."""
        return min(self.standard, self.batch * (14 + 6 * self.m / self.n) * self.n**3)


SQUARES = (*((n, 1) for n in (1024, 1536, 2048, 2560, 3072, 4096, 8192)), *((n, 12) for n in (512, 1024, 2048, 4096)))
"""Sizes and stacks of single products."""

REFERENCE_STEPS = 20
"""Of the float32 run that answers are compared with: enough for a condition of 1e8."""

SHAPES = (
    Shape(1024, 1024, 1), Shape(2048, 2048, 1), Shape(4096, 4096, 1), Shape(8192, 8192, 1), Shape(4096, 11008, 1),
    Shape(1024, 1024, 12), Shape(2048, 2048, 12), Shape(2048, 7168, 12),
)  # fmt: skip


def device_or_exit() -> Any:
    """Torch, where there is a CUDA device and Triton."""
    try:
        import torch
        import triton  # noqa: F401 - the kernels need it
    except ImportError as missing:
        sys.exit(f"benchmarks/gpu.py needs torch and triton: {missing}")
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a CUDA device: torch.cuda.is_available() is False")
    return torch


def draw(torch: Any, *shape: int, dtype: Any = None, seed: int = 0) -> Any:
    generator = torch.Generator("cuda").manual_seed(seed)
    X = torch.randn(shape, generator=generator, device="cuda", dtype=torch.float32)
    return X.to(torch.bfloat16 if dtype is None else dtype)


def seconds(torch: Any, call: Callable[[int], Any], repeats: int = REPLAYS) -> Row:
    """Median and best seconds on the device, and median seconds of the host for one launch, of call(0), call(1), ..."""
    for i in range(3):
        call(i)
    torch.cuda.synchronize()
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    host = []
    torch.cuda._sleep(20_000_000)  # the device starts some 10 ms late: short calls are not timed waiting for the host
    for i, (begin, end) in enumerate(events):
        start = time.perf_counter()
        begin.record()
        call(i)
        end.record()
        host.append(time.perf_counter() - start)
    torch.cuda.synchronize()
    found = [begin.elapsed_time(end) / 1e3 for begin, end in events]
    return {"median": statistics.median(found), "best": min(found), "host": statistics.median(host)}


def rotated(torch: Any, *shape: int, dtype: Any = None) -> list[Any]:
    """As many fresh inputs as exceed the cache."""
    first = draw(torch, *shape, dtype=dtype)
    count = 2 + int(CACHE // (first.numel() * first.element_size()))
    return [first, *(draw(torch, *shape, dtype=dtype, seed=i) for i in range(1, count))]


# ---- 1: are the kernels right? -------------------------------------------------------------------


def checks(torch: Any) -> Iterator[Row]:
    """Every kernel that may serve here against products in float64, into poisoned memory, twice for races.

    In as many processes as there are processors: most of the time is the compiler's, and what it makes is kept on disk.
    """
    from matfun_backends.kernels.check import Case
    from matfun_backends.kernels.dispatch import WITH_DESCRIPTORS, served

    where = torch.device("cuda", 0)
    descriptors_too = torch.cuda.get_device_capability() >= WITH_DESCRIPTORS
    flags = list(itertools.product((False, True), repeat=2))
    cases = []
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        allowed = served(dtype, where)
        ways = [(allowed[-1], False), *((tile, True) for tile in allowed if descriptors_too)]
        for (tile, descriptors), columns, on_device in itertools.product(ways, (False, True), (False, True)):
            one = Case("product", where, dtype, tile, descriptors, (on_device,) * 3, (columns, columns))
            cases += [one, *(one._replace(kernel="symmetric", has_c=c, has_gamma=g) for c, g in flags)]
        for columns, on_device in flags:
            one = Case("combination", where, dtype, None, False, (on_device,) * 3, (columns, columns))
            cases += [one._replace(has_c=c, has_gamma=g) for c, g in flags]
        cases += [Case("fit", where, dtype, None, False, (), (8, highest)) for highest in (3, 5)]
    with ProcessPoolExecutor(min(16, os.cpu_count() or 1), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(check, cases)


def check(case: Any) -> Row:
    """Verdict on one kernel, twice."""
    from matfun_backends.kernels import check

    verdicts = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            check.forget()
            verdicts.append(check.trusted(case))
    return {
        "section": "checks", "kernel": case.kernel, "dtype": str(case.dtype),
        "tile": case.tile.name if case.tile else "", "descriptors": case.descriptors, "columns": case.columns,
        "on_device": case.on_device, "has_c": case.has_c, "has_gamma": case.has_gamma,
        "right": all(verdicts), "said": sorted({str(w.message) for w in said}),
    }  # fmt: skip


# ---- 2: what the device does ---------------------------------------------------------------------


def rates(torch: Any) -> Iterator[Row]:
    """Full products of every type, and copies: what everything else is a share of."""
    for name, n in itertools.product(("bfloat16", "float16", "float32", "float64"), (4096, 8192)):
        inputs = rotated(torch, n, n, dtype=getattr(torch, name))
        time_ = seconds(torch, lambda i, X=inputs: X[i % len(X)] @ X[(i + 1) % len(X)], 20)
        yield {"section": "rates", "product": name, "n": n, **time_, "flop_per_s": 2 * n**3 / time_["median"]}
    inputs = rotated(torch, 8192, 8192)
    time_ = seconds(torch, lambda i: inputs[i % len(inputs)].clone())
    yield {"section": "rates", "copy": inputs[0].nbytes, **time_, "bytes_per_s": 2 * inputs[0].nbytes / time_["median"]}


# ---- 3: single products --------------------------------------------------------------------------


def products(torch: Any) -> Iterator[Row]:
    """Symmetric products by tile, and the fused update, against cuBLAS; the copy that addmm makes is in its time."""
    from matfun_backends.kernels import launch, tiles
    from matfun_backends.kernels.dispatch import WITH_DESCRIPTORS, served

    allowed = served(torch.bfloat16, torch.device("cuda", 0))
    count = torch.cuda.get_device_properties(0).multi_processor_count
    how = {"multiprocessors": count, "descriptors": torch.cuda.get_device_capability() >= WITH_DESCRIPTORS}
    for n, batch in SQUARES:
        X, alpha = rotated(torch, batch, n, n), torch.ones(batch, device="cuda")
        calls: dict[str, Callable[[int], Any]] = {
            "cublas": lambda i, X=X: X[i % len(X)] @ X[i % len(X)].mT,
            "baddbmm": lambda i, X=X: torch.baddbmm(*(X[(i + j) % len(X)] for j in range(3)), beta=0.5),
        }
        if batch == 1:
            calls["addmm"] = lambda i, X=X: torch.addmm(*(X[(i + j) % len(X)][0] for j in range(3)), beta=0.5)
        for tile in allowed:
            calls[f"symmetric {tile.name}"] = partial(
                lambda i, X, **how: launch.symmetric(X[i % len(X)], X[i % len(X)], **how), X=X, tile=tile, **how
            )
            calls[f"symmetric and C {tile.name}"] = partial(
                lambda i, X, alpha, **how: launch.symmetric(*(X[i % len(X)],) * 3, 0.5, alpha, **how),
                X=X, alpha=alpha, tile=tile, **how,
            )  # fmt: skip
            calls[f"product {tile.name}"] = partial(
                lambda i, X, alpha, **how: launch.product(*(X[(i + j) % len(X)] for j in range(3)), 1.0, alpha, **how),
                X=X, alpha=alpha, tile=tile, **how,
            )  # fmt: skip
        triangle, square = (
            tiles.symmetric_tile(n, batch, count, allowed),
            tiles.product_tile(n, n, batch, count, allowed),
        )
        taken = {
            f"symmetric {triangle.name}": tiles.symmetric_pays(n, batch, count, allowed),
            f"symmetric and C {triangle.name}": tiles.symmetric_pays(n, batch, count, allowed, fused=True),
            f"product {square.name}": tiles.product_pays(n, n, batch, count, allowed),
        }
        for name, call in calls.items():
            yield {
                "section": "products", "n": n, "batch": batch, "call": name, "taken": taken.get(name, False),
                **seconds(torch, call, 30),
            }  # fmt: skip


# ---- 4: whole runs -------------------------------------------------------------------------------


def newton_schulz(X: Any) -> Any:
    """Five steps in plain torch, for torch.compile."""
    a, b, c = JORDAN
    Y = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        G = Y @ Y.mT
        Y = a * Y + (b * G + c * (G @ G)) @ Y
    return Y


def contenders(torch: Any, shape: Shape) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Names and functions of one matrix or stack, ours first; peers where they can be imported.

    A name that ends in "captured" is replayed as a CUDA graph: what is timed then is the device alone.
    """
    from matfun_backends.kernels.graphs import Captured

    def both(name: str, function: Callable[[Any], Any]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        yield name, function
        yield f"{name}, captured", Captured(function)

    for method in ("polar-express", "prism"):
        yield from both(f"matfun {method}", partial(matfun.orthogonalize, method=method, steps=STEPS, rng=0))
    for name in ("muon", "gram-newton-schulz"):
        ours = partial(matfun.orthogonalize, method=matfun.preset(name), steps=STEPS)
        yield from both(f"matfun with the constants of {name}", ours)
    window = partial(matfun.orthogonalize, method="window", steps=STEPS, rng=0)
    yield "matfun window, captured", Captured(window)
    yield from both("matfun polar-express, plain", partial(matfun.orthogonalize, steps=STEPS, backend="torch_plain"))
    yield from both("torch.compile", torch.compile(newton_schulz, dynamic=False))
    try:
        from torch.optim._muon import _zeropower_via_newtonschulz as muon
    except ImportError as error:
        yield "torch.optim.Muon", partial(refuse, error)
    else:
        if shape.batch == 1:  # it takes one matrix, and scales its argument in place where that is bfloat16 already
            yield from both("torch.optim.Muon", lambda X: muon(X.clone(), JORDAN, STEPS, 1e-7))
    try:
        from gram_newton_schulz import POLAR_EXPRESS_COEFFICIENTS, GramNewtonSchulz

        peer = GramNewtonSchulz(ns_coefficients=POLAR_EXPRESS_COEFFICIENTS, gram_newton_schulz_reset_iterations=[2])
    except (ImportError, TypeError) as error:  # not there, its kernels are not, or it is made in another way by now
        yield "gram-newton-schulz", partial(refuse, error)
    else:
        yield "gram-newton-schulz", peer
        yield "gram-newton-schulz, __call__", peer.__call__  # compiled on the instance: obj(X) bypasses that
        yield "gram-newton-schulz, captured", Captured(peer)


def refuse(error: Exception, _: Any) -> None:
    """Stand in for a peer that cannot be had: the row says why."""
    raise error


def runs(torch: Any) -> Iterator[Row]:
    """Time, share of the floor, memory, and how good the answer is."""
    for shape, dtype in itertools.product(SHAPES, ("bfloat16", "float16")):
        if dtype == "float16" and shape.batch * shape.n != 4096:
            continue
        X = rotated(torch, *((shape.batch,) if shape.batch > 1 else ()), shape.n, shape.m, dtype=getattr(torch, dtype))
        U = matfun.orthogonalize(X[0].float(), steps=REFERENCE_STEPS)
        for name, function in contenders(torch, shape):
            row: Row = {"section": "runs", "shape": shape.name, "dtype": dtype, "call": name}
            try:
                warnings.filterwarnings(
                    "error", "no CUDA graph", RuntimeWarning
                )  # else an eager run is called captured
                row |= seconds(torch, lambda i, X=X, f=function: f(X[i % len(X)]), 20 if shape.n > 4096 else REPLAYS)
                torch.cuda.synchronize()
                before = torch.cuda.memory_allocated()
                torch.cuda.reset_peak_memory_stats()
                Y = function(X[0])
                torch.cuda.synchronize()
                row["peak_bytes"] = torch.cuda.max_memory_allocated() - before
                E = Y.float() @ Y.float().mT - torch.eye(shape.n, device="cuda")
                for key, difference in (("orthogonality", E), ("distance", Y.float() - U)):
                    error = float(difference.norm(dim=(-2, -1)).max()) / shape.n**0.5
                    row[key] = error if math.isfinite(error) else str(error)
                row |= {"of_standard_floor": shape.standard / RATE / row["median"]}
                row |= {"of_gram_floor": shape.gram / RATE / row["median"]}
            except Exception as raised:  # one contender that fails does not stop the others
                row["failed"] = f"{type(raised).__name__}: {raised}"
            yield row
        del X, U
        torch.compiler.reset()


def transformer(torch: Any) -> Iterator[Row]:
    """All matrices of a transformer of 1.1 billion parameters (TinyLlama, arXiv 2401.02385) at once, and one by one."""
    layers, width, hidden, keys = 22, 2048, 5632, 256
    sizes = [(width, width)] * 2 + [(keys, width)] * 2 + [(hidden, width)] * 2 + [(width, hidden)]
    weights = [draw(torch, *size, seed=i) for i, size in enumerate(sizes * layers)]
    shapes = [Shape(min(size), max(size), 1) for size in sizes * layers]
    calls: dict[str, Callable[[Any], Any]] = {
        "matfun.orthogonalize_each": lambda X: matfun.orthogonalize_each(X, steps=STEPS),
        "matfun, one by one": lambda X: [matfun.orthogonalize(x, steps=STEPS) for x in X],
    }
    try:
        from torch.optim._muon import _zeropower_via_newtonschulz as muon
    except ImportError as error:
        calls["torch.optim.Muon, one by one"] = partial(refuse, error)
    else:
        calls["torch.optim.Muon, one by one"] = lambda X: [muon(x.clone(), JORDAN, STEPS, 1e-7) for x in X]
    for name, call in calls.items():
        row: Row = {"section": "transformer", "call": name, "matrices": len(weights)}
        try:
            row |= seconds(torch, lambda _, f=call: f(weights), 10)
            row["of_standard_floor"] = sum(shape.standard for shape in shapes) / RATE / row["median"]
        except Exception as raised:
            row["failed"] = f"{type(raised).__name__}: {raised}"
        yield row


# ---- 5: does anything wait for the device? -------------------------------------------------------


def waiting(torch: Any) -> Iterator[Row]:
    """Second calls under torch's own watch, which raises where the host waits."""
    X = draw(torch, 4096, 4096)
    for method in ("polar-express", "prism", "window"):
        row: Row = {"section": "waiting", "method": method}
        call = partial(matfun.orthogonalize, X, method, steps=2, rng=0)
        try:
            call()  # checks of kernels and first copies of constants do wait
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")
            call()
            row["waits"] = False
        except Exception as error:
            row["waits"] = f"{type(error).__name__}: {error}"
        finally:
            torch.cuda.set_sync_debug_mode("default")
        yield row


SECTIONS = {
    "checks": checks,
    "rates": rates,
    "products": products,
    "runs": runs,
    "transformer": transformer,
    "waiting": waiting,
}


def main(only: list[str] = typer.Option(list(SECTIONS), help="Sections to run.")) -> None:  # noqa: B008 - typer's way
    """Run the sections and write what they found; a wrong kernel ends the run before anything is timed."""
    torch = device_or_exit()
    properties = torch.cuda.get_device_properties(0)
    rows: list[Row] = [
        {
            "section": "device", "name": properties.name, "multiprocessors": properties.multi_processor_count,
            "capability": torch.cuda.get_device_capability(0), "cuda": torch.version.cuda,
        }
    ]  # fmt: skip
    name = "gpu" if set(only) == set(SECTIONS) else "gpu_part"  # parts do not replace the whole
    for section in (s for s in SECTIONS if s in only):
        for row in SECTIONS[section](torch):
            rows.append(row)
            typer.echo("  ".join(f"{key}: {value}" for key, value in row.items()))
            write(name, rows)
        if any(row.get("right") is False for row in rows):
            sys.exit("a kernel is wrong on this device: nothing was timed")


if __name__ == "__main__":
    typer.run(main)
