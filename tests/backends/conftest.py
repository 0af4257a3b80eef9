"""Every array library behind one small face, and matrices whose unitary factor is known by construction.

A library that is missing, or has no device, is skipped with that reason; GPU libraries answer to the same tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Library:
    """One array library on one kind of device."""

    name: str
    provider: str
    xp: Any
    device: Any
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]

    def dtype(self, name: str) -> Any:
        return getattr(self.xp, name)

    def device_of(self, x: Any) -> Any:
        from array_api_compat import device

        return device(x)


def _numpy() -> Library:
    return Library("numpy", "numpy", np, "cpu", np.asarray, np.asarray)


def _strict() -> Library:
    xp = pytest.importorskip("array_api_strict")
    return Library("array_api_strict", "array-api", xp, xp.Device("CPU_DEVICE"), xp.asarray, np.asarray)


def _torch(device: str) -> Library:
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch.cuda.is_available() is False: no CUDA device for torch")
    there = torch.device(device, 0) if device == "cuda" else torch.device(device)

    def put(x: np.ndarray) -> Any:
        return torch.from_numpy(np.array(x)).to(there)

    def get(x: Any) -> np.ndarray:
        x = x.detach().cpu()
        return (x.float() if x.dtype in (torch.bfloat16, torch.float16) else x).resolve_conj().numpy()

    return Library(f"torch-{device}", "torch", torch, there, put, get)


def _jax() -> Library:
    jnp = pytest.importorskip("jax.numpy")
    import jax

    def get(x: Any) -> np.ndarray:
        return np.asarray(x.astype(np.float32) if x.dtype in (jnp.bfloat16, jnp.float16) else x)

    return Library("jax", "jax", jnp, jax.devices()[0], jnp.asarray, get)


def _cupy() -> Library:
    try:
        cupy = import_module("cupy")
    except ImportError:
        pytest.skip("cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("cupy.cuda.is_available() is False: no CUDA device for cupy")
    return Library("cupy", "cupy", cupy, cupy.cuda.Device(0), cupy.asarray, cupy.asnumpy)


MAKERS = {
    "numpy": _numpy,
    "array_api_strict": _strict,
    "torch-cpu": lambda: _torch("cpu"),
    "jax": _jax,
    "cupy": _cupy,
    "torch-cuda": lambda: _torch("cuda"),
}


@pytest.fixture(params=list(MAKERS))
def library(request: pytest.FixtureRequest) -> Library:
    """Each library in turn."""
    return MAKERS[request.param]()


def orthonormal(rng: np.random.Generator, m: int, k: int, *, is_complex: bool) -> np.ndarray:
    """m x k with orthonormal columns: Q of a Gaussian matrix."""
    Z = rng.standard_normal((m, k))
    if is_complex:
        Z = Z + 1j * rng.standard_normal((m, k))
    return np.linalg.qr(Z)[0]


@dataclass(frozen=True)
class Known:
    """A, and its factors in float64 arithmetic: A = U H = K U."""

    A: np.ndarray
    U: np.ndarray
    H: np.ndarray
    K: np.ndarray


@pytest.fixture
def known() -> Callable[..., Known]:
    """Make a stack with prescribed singular values and exactly known factors."""

    def make(
        shape: tuple[int, ...], dtype: Any = "float64", *, seed: int = 0, smallest: float = 0.25, scale: float = 3.0
    ) -> Known:
        rng = np.random.default_rng(seed)
        *stack, m, n = shape
        k = min(m, n)
        is_complex = np.dtype(dtype).kind == "c"
        parts = []
        for _ in range(int(np.prod(stack, dtype=int))):
            P = orthonormal(rng, m, k, is_complex=is_complex)
            Q = orthonormal(rng, n, k, is_complex=is_complex)
            s = scale * np.linspace(smallest, 1.0, k)
            parts.append((P * s @ Q.conj().T, P @ Q.conj().T, Q * s @ Q.conj().T, P * s @ P.conj().T))
        stacked = [np.stack(p).reshape(*stack, *p[0].shape) for p in zip(*parts, strict=True)]
        return Known(stacked[0].astype(dtype), *stacked[1:])

    return make
