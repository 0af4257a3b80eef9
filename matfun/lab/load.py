"""Matrices from files, the gallery and the shipped record, in the library and dtype asked for.

Nothing is unpickled: a file from elsewhere can hold numbers, not code.  Every message names the argument at fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from matfun.lab.gallery import gallery
from matfun.lab.measure import to_host

BACKENDS = {
    "numpy": "numpy",
    "torch": "torch",
    "jax": "jax.numpy",
    "cupy": "cupy",
    "array_api_strict": "array_api_strict",
}
"""The module that makes the arrays of each library."""

DTYPES = ("float32", "float64", "bfloat16", "float16", "complex64", "complex128")
INSTALL = {
    "torch": 'pip install "matfun[torch]"',
    "jax": 'pip install "matfun[jax]"',
    "cupy": 'pip install "matfun[cupy12]" or "matfun[cupy13]"',
    "array_api_strict": "pip install array-api-strict",
}


def load(path: str) -> dict[str, Any]:
    """Read the matrices of a file.

    Parameters
    ----------
    path : str
        ``.npy``; ``.npz``; or ``.pt`` with a tensor or a (nested) dict of tensors.  What is not a matrix in a file of
        several (biases, step counts) is left out.

    Returns
    -------
    dict of str to array
        ``name`` or ``name/key``; tensors stay tensors, on the CPU.

    Raises
    ------
    ValueError
        Naming the argument and the file.
    """
    file = Path(path)
    readers = {".npy": _npy, ".npz": _npz, ".pt": _pt}
    if file.suffix not in readers:
        raise ValueError(f"FILES: expected a name that ends in .npy, .npz or .pt, got {path!r}")
    if not file.is_file():
        raise ValueError(f"FILES: there is no file {path!r}")
    found = readers[file.suffix](file)
    matrices = {name: x for name, x in found.items() if x.ndim >= 2}
    if not matrices:
        raise ValueError(f"FILES: expected at least two dimensions (..., m, n), got none such in {path!r}")
    return matrices


def _npy(file: Path) -> dict[str, Any]:
    with _readable(file):
        return {file.stem: _numeric(np.load(file, allow_pickle=False))}


def _npz(file: Path) -> dict[str, Any]:
    with _readable(file), np.load(file, allow_pickle=False) as archive:
        return {f"{file.stem}/{key}": _numeric(archive[key]) for key in archive.files}


def _pt(file: Path) -> dict[str, Any]:
    torch = library("torch", "FILES")
    with _readable(file):
        content = torch.load(file, map_location="cpu", weights_only=True)
        return dict(_tensors(torch, content, file.stem))


def _tensors(torch: Any, content: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, item in content.items():
            yield from _tensors(torch, item, f"{name}/{key}")
    elif isinstance(content, torch.Tensor):
        yield name, content.detach()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn what readers raise for a broken or dangerous file, which can be anything, into one kind of error."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"FILES: expected a {file.suffix} file of numbers (pickled objects are not loaded), got {str(file)!r}"
        ) from error


def _numeric(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind not in "biufc":
        raise ValueError(f"not numbers: {x.dtype}")
    return x


def library(name: str, argument: str) -> Any:
    """Import the module that makes the arrays of a library.

    Raises
    ------
    ValueError
        Naming the argument that asked for it, and how to install it.
    """
    try:
        return import_module(BACKENDS[name])
    except ImportError as error:
        raise ValueError(f"{argument}: {name} is not installed: {INSTALL[name]}") from error


def gallery_for(dtype: str | None, seed: int) -> tuple[dict[str, np.ndarray], int]:
    """Build the gallery's matrices that fit a dtype, and count those that do not (scaled to 2^900, or complex)."""
    narrow = dtype not in (None, "float64", "complex128")
    real = dtype is not None and not dtype.startswith("complex")
    cases = gallery()
    fitting = [c for c in cases if not (narrow and "scaled" in c.tags) and not (real and "complex" in c.tags)]
    return {case.name: case.matrix(seed) for case in fitting}, len(cases) - len(fitting)


def convert(name: str, x: Any, backend: str | None, dtype: str | None) -> Any:
    """Move one array to a library and dtype.

    Parameters
    ----------
    name : str
        For the message.
    x : array
        NumPy array or tensor.
    backend : str, optional
        A key of ``BACKENDS``; by default the library of x.
    dtype : str, optional
        One of ``DTYPES``; by default that of x.

    Raises
    ------
    ValueError
        Naming the option at fault.
    """
    own = "numpy" if isinstance(x, np.ndarray) else "torch"
    target = backend or own
    xp = library(target, "--backend")
    kind = None if dtype is None else getattr(xp, dtype, None)
    if dtype is not None and kind is None:
        raise ValueError(f"--dtype: {target} has no {dtype}")
    if dtype is not None and not dtype.startswith("complex") and "complex" in str(x.dtype):
        raise ValueError(f"--dtype: {name!r} is complex, and {dtype} would lose its imaginary part")
    source: Any = x if own == target else to_host(x)
    try:
        with np.errstate(over="ignore"):  # looked for below, in any library
            made = source.to(kind) if own == target == "torch" else xp.asarray(source, dtype=kind)
    except Exception as error:
        if target != "cupy":
            raise
        # the import succeeds without a device; CUDA's errors are of many types
        raise ValueError(f"--backend: cupy finds no CUDA device that works ({type(error).__name__})") from error
    if np.isfinite(to_host(x)).all() and not np.isfinite(to_host(made)).all():
        raise ValueError(f"--dtype: {name!r} has elements beyond the range of {dtype}")
    return made


@contextmanager
def precision(backend: str | None) -> Iterator[None]:
    """Let JAX keep float64 while a comparison runs: outside, its default would round silently to float32."""
    if backend != "jax":
        yield
        return
    jax = import_module("jax")
    enable = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    with enable(True):
        yield
