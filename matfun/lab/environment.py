"""Where a result was computed: versions, BLAS, threads, devices; no names of people, machines or folders."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from threadpoolctl import threadpool_info

import matfun

LIBRARIES = ("numpy", "scipy", "array-api-compat", "array-api-strict", "torch", "jax", "matplotlib")
CUPY = ("cupy", "cupy-cuda12x", "cupy-cuda13x")
"""CuPy is distributed under one name per CUDA version."""

VARIABLES = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "CUDA_VISIBLE_DEVICES",
)
"""Environment variables that change speed, or the last bits of a result."""


def environment() -> dict[str, Any]:
    """Versions, BLAS libraries, processors and variables; imports no array library."""
    return {
        "matfun": matfun.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "versions": {name: found for name in (*LIBRARIES, *CUPY) if (found := _version(name)) is not None},
        "blas": [
            {
                "library": f"{pool['internal_api']} {pool['version'] or ''}".strip(),
                "architecture": pool.get("architecture", "unknown"),
                "threads": pool["num_threads"],
            }
            for pool in threadpool_info()
            if pool["user_api"] == "blas"
        ],
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "providers": matfun.providers.provider_names(),
    }


def devices() -> dict[str, str]:
    """Say what each installed accelerator library can use; imports them all, and survives any of them being broken."""
    probes = {"torch": _torch_device, "jax": _jax_device, "cupy": _cupy_device}
    found = {}
    for name, probe in probes.items():
        names = CUPY if name == "cupy" else (name,)
        if name not in sys.modules and not any(_version(distribution) for distribution in names):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # drivers warn about what the answer says anyway
                found[name] = probe()
        except Exception as error:  # a broken driver raises anything, and this is where one learns about it
            found[name] = f"not usable: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _torch_device() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"CPU, {torch.get_num_threads()} threads; no CUDA device"
    return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


def _jax_device() -> str:
    import jax

    kinds = [d.device_kind if d.device_kind != "cpu" else "CPU" for d in jax.devices()]
    return ", ".join(kinds)


def _cupy_device() -> str:
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()  # raises without a driver, though the import succeeded
    names = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
    return ", ".join(names) or "no CUDA device"
