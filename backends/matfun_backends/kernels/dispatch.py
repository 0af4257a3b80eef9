"""When a kernel serves: the tensors, the device, the size, and its check.  ``None`` means the plain path.

Nothing here waits for the device, except the check of a class of shapes that is met for the first time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import torch
from torch.autograd import forward_ad

from matfun_backends.kernels import launch, tiles
from matfun_backends.kernels.check import Case, distrust, known, raised, trusted

DTYPES = (torch.bfloat16, torch.float16, torch.float32)

FIRST = (8, 0)
"""Compute capability from which the kernels serve: the first with products of bfloat16 and TF32."""

SMALLEST_COMBINATION = 2**20
"""Elements: below it passes take as long as their launches, of which torch's take less."""

SMALLEST_FIT = 2**16
"""Elements: below it the check, which takes a compilation for each power, is dearer than what it saves."""

WITH_DESCRIPTORS = (9, 0)
"""The first that has the memory unit which tensor descriptors speak to."""

WITH_GROUPS = 9
"""Of capability 9.x alone: four warps together feed its tensor cores (PTX ISA, wgmma)."""


@lru_cache
def _device(device: torch.device) -> tuple[tuple[int, int], int, int]:
    """Compute capability, number of multiprocessors, and shared memory; devices of other makers have none."""
    if torch.version.hip is not None:
        return (0, 0), 0, 0
    properties = torch.cuda.get_device_properties(device)
    shared = getattr(properties, "shared_memory_per_block_optin", tiles.SHARED_MEMORY)  # since torch 2.5
    return (properties.major, properties.minor), properties.multi_processor_count, shared


@lru_cache(maxsize=1)
def _has_gluon() -> bool:
    """Whether this Triton has the layer that ``specialised`` is written in, by the names that it had in 3.6."""
    try:
        import_module("matfun_backends.kernels.specialised")
    except (ImportError, AttributeError):
        return False
    return True


def served(dtype: torch.dtype, device: torch.device) -> tuple[tiles.Tile, ...]:
    """Tiles that a device can take."""
    capability, _, shared = _device(device)
    allowed = tiles.TILES_32 if dtype == torch.float32 else tiles.TILES
    if capability < WITH_DESCRIPTORS:  # larger ones spill
        allowed = tuple(tile for tile in allowed if tile in (tiles.SMALL, tiles.SMALL_32))
    if capability[0] != WITH_GROUPS or not _has_gluon():
        allowed = tuple(tile for tile in allowed if not tile.divided)
    return tiles.fitting(allowed, torch.finfo(dtype).bits // 8, shared)


def symmetric(
    A: torch.Tensor,
    Bt: torch.Tensor,
    C: torch.Tensor | None = None,
    alpha: Any = 1.0,
    beta: Any = 0.0,
    gamma: float = 0.0,
) -> torch.Tensor | None:
    """Return alpha A B + beta C + gamma I, known to be symmetric, from the transpose of B; or None.

    Parameters
    ----------
    A, Bt : tensor, shape (..., n, k)
    C : tensor, shape (..., n, n), optional
    alpha, beta : float, or tensor of shape () or (...)
    gamma : float
    """
    operands = [A, Bt] if C is None else [A, Bt, C]
    if A.ndim < 2 or A.shape != Bt.shape or (C is not None and C.shape != (*A.shape[:-1], A.shape[-2])):
        return None  # the plain path broadcasts or explains
    n, batch = A.shape[-2], A.shape[:-2].numel()
    plan = _plan(operands, n, (alpha, beta, gamma))
    if plan is None:
        return None
    multiprocessors, allowed, descriptors, on_device = plan
    if not _same(A, Bt):
        allowed = tuple(tile for tile in allowed if not tile.divided)
    fused = C is not None or gamma != 0
    if not tiles.symmetric_pays(n, batch, multiprocessors, allowed, fused=fused):
        return None
    tile = tiles.symmetric_tile(n, batch, multiprocessors, allowed)
    columns = launch.by_columns(A), launch.by_columns(Bt)
    case = Case("symmetric", A.device, A.dtype, tile, descriptors, on_device, columns, C is not None, gamma != 0)
    how = {"tile": tile, "multiprocessors": multiprocessors, "descriptors": descriptors}
    return _launched(case, launch.symmetric, (A, Bt, C, alpha, beta, gamma), how)


def combination(
    S: torch.Tensor, T: torch.Tensor | None = None, a: Any = 1.0, b: Any = 0.0, c: Any = 0.0
) -> torch.Tensor | None:
    """Return a S + b T + c I; or None.

    Parameters
    ----------
    S, T : tensor, shape (..., m, n)
    a, b, c : float, or tensor of shape () or (...)
    """
    operands = [S] if T is None else [S, T]
    if S.ndim < 2 or S.numel() < SMALLEST_COMBINATION or any(1 not in x.stride()[-2:] for x in operands):
        return None
    columns, on_device = launch.by_columns(S), _accepted(operands, (a, b, c))
    if on_device is None or (T is not None and (T.shape != S.shape or launch.by_columns(T) != columns)):
        return None
    has_t, has_shift = T is not None, launch.is_shift(c)
    case = Case("combination", S.device, S.dtype, None, False, on_device, (columns, columns), has_t, has_shift)
    return _launched(case, launch.combination, (S, T, a, b, c), {})


def product(C: torch.Tensor, A: torch.Tensor, B: torch.Tensor, alpha: Any, beta: Any) -> torch.Tensor | None:
    """Return beta C + alpha A B; or None.

    Parameters
    ----------
    C : tensor, shape (..., m, n)
    A : tensor, shape (..., m, k)
    B : tensor, shape (..., k, n)
    alpha, beta : float, or tensor of shape () or (...)
    """
    if min(A.ndim, B.ndim) < 2 or A.shape[-1] != B.shape[-2] or C.shape != (*A.shape[:-1], B.shape[-1]):
        return None  # the plain path broadcasts or explains
    if launch.by_columns(C):  # rows are what is written
        swapped = product(C.mT, B.mT, A.mT, alpha, beta) if C.stride(-2) == 1 else None
        return None if swapped is None else swapped.mT
    m, n, batch = A.shape[-2], B.shape[-1], A.shape[:-2].numel()
    plan = _plan([A, B, C], n, (alpha, beta))
    if plan is None:
        return None
    multiprocessors, allowed, descriptors, on_device = plan
    # without the memory unit only factors on the device are worth it: they would cost torch passes over the matrices
    if not (descriptors or any(on_device)) or not tiles.product_pays(m, n, batch, multiprocessors, allowed):
        return None
    tile = tiles.product_tile(m, n, batch, multiprocessors, allowed)
    columns = launch.by_columns(A), launch.by_columns(B.mT)
    case = Case("product", A.device, A.dtype, tile, descriptors, on_device, columns)
    how = {"tile": tile, "multiprocessors": multiprocessors, "descriptors": descriptors}
    return _launched(case, launch.product, (C, A, B, alpha, beta), how)


def fit(
    R: torch.Tensor,
    columns: int,
    draw: Callable[[], torch.Tensor],
    polynomials: Sequence[Sequence[float]],
    interval: tuple[float, float],
) -> torch.Tensor | None:
    """Alpha in the interval that makes ||u_0(R) S + alpha u_1(R) S + alpha^2 u_2(R) S||_F least; or None.

    Parameters
    ----------
    R : tensor, shape (..., n, n)
        Symmetric.
    columns : int
        A power of two.
    draw : callable
        S, shape (n, columns), contiguous and of the dtype of R; called where a kernel serves.
    polynomials : sequence of three sequences of float
    interval : tuple of float
    """
    if R.ndim < 2 or R.numel() < SMALLEST_FIT or 1 not in R.stride()[-2:] or len(polynomials) != 3:
        return None
    if max(map(len, polynomials)) < 3 or columns & (columns - 1) or _accepted([R], ()) is None:
        return None
    case = Case("fit", R.device, R.dtype, None, False, (), (columns, max(map(len, polynomials)) - 1))
    return _launched(case, _fit, (R, draw, polynomials, interval), {})


def _fit(
    R: torch.Tensor,
    draw: Callable[[], torch.Tensor],
    polynomials: Sequence[Sequence[float]],
    interval: tuple[float, float],
) -> torch.Tensor:
    return launch.fit(R, draw(), polynomials, interval).alpha


def _accepted(operands: list[torch.Tensor], factors: tuple[Any, ...]) -> tuple[bool, ...] | None:
    """Which factors are on the device; None where no kernel may serve."""
    first = operands[0]
    on_device = [x for x in factors if isinstance(x, torch.Tensor)]
    if not all(isinstance(x, (int, float, torch.Tensor)) for x in factors):
        return None
    if not _plain_values([*operands, *on_device]) or not _same_kind(operands):
        return None
    stack = first.shape[:-2]
    if any(x.shape[:-2] != stack for x in operands) or any(x.shape not in ((), stack) for x in on_device):
        return None
    if any(x.device != first.device for x in on_device) or any(0 in x.shape for x in operands):
        return None
    return tuple(isinstance(x, torch.Tensor) for x in factors) if _device(first.device)[0] >= FIRST else None


def _plan(
    operands: list[torch.Tensor], n: int, factors: tuple[Any, ...]
) -> tuple[int, tuple[tiles.Tile, ...], bool, tuple[bool, ...]] | None:
    """Multiprocessors, tiles to choose from, whether descriptors are used, which factors are on the device."""
    first = operands[0]
    on_device = _accepted(operands, factors)
    if on_device is None:
        return None
    capability, multiprocessors, _ = _device(first.device)
    descriptors = capability >= WITH_DESCRIPTORS
    # what is not aligned would be read element by element: compiled it spills, and cuBLAS is left to it
    if descriptors:
        readable = launch.describable(*operands) and n * first.element_size() % launch.ROW_BYTES == 0
    else:
        readable = launch.regular(*operands)
    allowed = served(first.dtype, first.device)
    return (multiprocessors, allowed, descriptors, on_device) if readable and allowed else None


def _same(A: torch.Tensor, B: torch.Tensor) -> bool:
    return A is B or (A.data_ptr() == B.data_ptr() and A.stride() == B.stride())


def _same_kind(operands: list[torch.Tensor]) -> bool:
    first = operands[0]
    if first.dtype not in DTYPES or any(x.dtype != first.dtype or x.device != first.device for x in operands):
        return False
    # whoever allows TF32, or casts automatically, has asked for another precision than these kernels have
    return (first.dtype != torch.float32 or _full_float32()) and not torch.is_autocast_enabled("cuda")


def _full_float32() -> bool:
    matmul = torch.backends.cuda.matmul
    precision = getattr(matmul, "fp32_precision", None)  # since torch 2.9, which refuses to mix it with the older name
    return not matmul.allow_tf32 if precision is None else precision in ("none", "ieee")


def _plain_values(tensors: list[torch.Tensor]) -> bool:
    """Whether all are ordinary memory that no derivative, transformation or lazy negation goes through."""
    recording, forward = torch.is_grad_enabled(), forward_ad._current_level >= 0
    return all(
        type(x) in (torch.Tensor, torch.nn.Parameter)
        and not (recording and x.requires_grad)
        and not x.is_neg()
        and not (forward and forward_ad.unpack_dual(x).tangent is not None)
        and _has_memory(x)
        for x in tensors
    )


def _has_memory(x: torch.Tensor) -> bool:
    try:
        x.data_ptr()
    except RuntimeError:  # torch.func wraps tensors, and its wrappers have none
        return False
    return True


def _launched(case: Case, function: Callable[..., Any], arguments: tuple[Any, ...], how: dict[str, Any]) -> Any:
    """Answer of the launcher, or None where the kernel is not trusted."""
    # a check waits for the device, which a capture may not
    if not known(case) and case.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return None
    with torch.cuda.device_of(arguments[0]):
        if not trusted(case):
            return None
        try:
            return function(*arguments, **how)
        except torch.OutOfMemoryError:  # the plain path needs no less
            raise
        except Exception as error:  # strides that a driver refuses, say
            distrust(case, raised(error))
            return None
