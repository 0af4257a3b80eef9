"""What a figure must carry with it: the machine, the libraries, the BLAS and its threads."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

LIBRARIES = ("matfun", "numpy", "scipy", "torch", "triton", "jax", "array-api-compat")


def describe(more: Iterable[str] = ()) -> dict[str, Any]:
    """Machine and library facts, as plain JSON values; more: further packages whose versions matter."""
    versions = {}
    for name in (*LIBRARIES, *more):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    blas = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
    ]
    return {
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
        "cpu_model": _cpu_model(),
        "cpus": os.cpu_count(),
        "libraries": versions,
        "thread_pools": blas,
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("OMP_", "OPENBLAS_", "MKL_"))},
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return "unknown"
    lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return lines[0].split(":")[1].strip() if lines else "unknown"


def write(name: str, results: list[dict[str, Any]]) -> Path:
    """Write results with the machine they were measured on to benchmarks/results/NAME.json."""
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": describe(), "results": results}, indent=1, allow_nan=False) + "\n")
    return path
