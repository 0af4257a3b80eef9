"""From torch tensors to the kernels: strides, descriptors, factors and grids.  What is launched here is not checked.

Tensors may lie on a CPU where Triton interprets its kernels (``TRITON_INTERPRET=1``), as the tests do.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from triton.tools.tensor_descriptor import TensorDescriptor

from matfun_backends.kernels import product as _product
from matfun_backends.kernels import symmetric as _symmetric
from matfun_backends.kernels.tiles import BAND, Tile, product_count, symmetric_count

PRECISION = {torch.float32: "tf32x3", torch.bfloat16: "ieee", torch.float16: "ieee"}
"""Three products on the tensor cores for one of float32, never one of TF32 alone; 16-bit products are exact anyway."""

ROW_BYTES = 16
"""Rows read through a descriptor start at multiples of this (CUDA driver API, cuTensorMapEncodeTiled)."""

SPECIALISED = 16
"""Triton's launcher tells the compiler which whole numbers are multiples of this."""


def symmetric(
    A: torch.Tensor,
    Bt: torch.Tensor,
    C: torch.Tensor | None = None,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    gamma: Any = 0.0,
    *,
    tile: Tile,
    multiprocessors: int,
    descriptors: bool,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return alpha A B + beta C + gamma I, known to be symmetric.

    Parameters
    ----------
    A, Bt : tensor, shape (..., n, k)
        Bt is the transpose of B.
    C : tensor, shape (..., n, n), optional
        Symmetric; its lower triangle is read.
    alpha, beta, gamma : float, or tensor of shape () or (...)
    tile : Tile
    multiprocessors : int
    descriptors : bool
        Whether to read through tensor descriptors; see ``describable``.
    out : tensor, shape (..., n, n), optional
        New memory for the answer; for tests, which poison it.
    """
    *stack, n, depth = A.shape
    D = A.new_empty((*stack, n, n)) if out is None else out
    a, b, d = _flat(A), _flat(Bt), _flat(D)
    c = d if C is None else _flat(C)
    batch = d.shape[0]
    shifted = not (isinstance(gamma, (int, float)) and gamma == 0)
    numbers, steps, on_device = _numbers((alpha, beta, gamma), A)
    constants = _constants(A, tile, on_device) | {"HAS_C": C is not None, "HAS_GAMMA": shifted}
    grid = (min(multiprocessors * tile.programs, symmetric_count(n, batch, tile)),)
    if descriptors:
        (a, a_columns), (b, b_columns) = (
            _descriptor(a, tile.rows, tile.depth),
            _descriptor(b, tile.rows * tile.halves, tile.depth),
        )
        c, d = (_descriptor(x, tile.rows, tile.rows)[0] for x in (c, d))
        _symmetric.by_descriptors[grid](
            a, b, c, d, *numbers, n, depth, batch, *steps, A_COLUMNS=a_columns, B_COLUMNS=b_columns, **constants
        )
    else:
        _symmetric.by_pointers[grid](
            a, b, c, d, *numbers, n, depth, batch, *a.stride(), *b.stride(), *c.stride(), *d.stride()[:2], *steps,
            **constants,
        )  # fmt: skip
    return D


def product(
    C: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    *,
    tile: Tile,
    multiprocessors: int,
    descriptors: bool,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return beta C + alpha A B, with the parameters of ``symmetric``.

    Parameters
    ----------
    C : tensor, shape (..., m, n)
    A : tensor, shape (..., m, k)
    B : tensor, shape (..., k, n)
    alpha, beta, tile, multiprocessors, descriptors, out
        As there.
    """
    if C.stride(-1) != 1 and C.stride(-2) == 1 and out is None:  # the same product, read the other way round
        swapped = product(
            C.mT, B.mT, A.mT, alpha, beta, tile=tile, multiprocessors=multiprocessors, descriptors=descriptors
        )
        return swapped.mT
    *stack, m, depth = A.shape
    n = B.shape[-1]
    D = A.new_empty((*stack, m, n)) if out is None else out
    a, b, c, d = _flat(A), _flat(B.mT), _flat(C), _flat(D)
    batch = d.shape[0]
    numbers, steps, on_device = _numbers((alpha, beta), A)
    constants = _constants(A, tile, on_device)
    grid = (min(multiprocessors * tile.programs, product_count(m, n, batch, tile)),)
    if descriptors:
        (a, a_columns), (b, b_columns) = (
            _descriptor(a, tile.rows, tile.depth),
            _descriptor(b, tile.rows * tile.halves, tile.depth),
        )
        c, d = (_descriptor(x, tile.rows, tile.rows)[0] for x in (c, d))
        _product.by_descriptors[grid](
            a, b, c, d, *numbers, m, n, depth, batch, *steps, A_COLUMNS=a_columns, B_COLUMNS=b_columns, **constants
        )
    else:
        _product.by_pointers[grid](
            a, b, c, d, *numbers, m, n, depth, batch, *a.stride(), *b.stride(), *c.stride(), *d.stride()[:2], *steps,
            **constants,
        )  # fmt: skip
    return D


def describable(*tensors: torch.Tensor) -> bool:
    """Whether the memory unit can read all of them: one axis contiguous, and everything else multiples of 16 bytes."""
    return all(_is_regular(X, ROW_BYTES // X.element_size()) for X in tensors)


def regular(*tensors: torch.Tensor) -> bool:
    """Whether sizes and strides are multiples of 16 elements, for which Triton compiles loads of 16 bytes."""
    return all(_is_regular(X, SPECIALISED) and all(size % SPECIALISED == 0 for size in X.shape[-2:]) for X in tensors)


def _is_regular(X: torch.Tensor, elements: int) -> bool:
    X = _flat(X)
    if 1 not in X.stride()[1:]:
        return False
    other = X.stride(2 if by_columns(X) else 1)
    strides = (other,) if X.shape[0] == 1 else (other, X.stride(0))
    return all(step > 0 and step % elements == 0 for step in strides) and X.data_ptr() % ROW_BYTES == 0


def by_columns(X: torch.Tensor) -> bool:
    """Whether the columns are contiguous, and not the rows."""
    return bool(X.stride(-1) != 1)


def _flat(X: torch.Tensor) -> torch.Tensor:
    return X.reshape(-1, *X.shape[-2:])


def _descriptor(X: torch.Tensor, rows: int, columns: int) -> tuple[TensorDescriptor, bool]:
    """Descriptor of a stack read in blocks of rows x columns, and whether it is that of the transposes."""
    transposed = by_columns(X)
    if transposed:
        X, rows, columns = X.mT, columns, rows
    batch = X.stride(0) if X.shape[0] > 1 else X.shape[1] * X.stride(1)
    return TensorDescriptor(X, list(X.shape), [batch, X.stride(1), 1], [1, rows, columns]), transposed


def _numbers(values: tuple[Any, ...], like: torch.Tensor) -> tuple[list[Any], list[int], bool]:
    """The factors for the kernel, their distance from one matrix to the next, and whether they are in memory."""
    if all(isinstance(value, (int, float)) for value in values):
        return [float(value) for value in values], [0] * len(values), False
    found = [
        value.to(torch.float32).reshape(-1)
        if isinstance(value, torch.Tensor)
        else torch.full((1,), value, dtype=torch.float32, device=like.device)
        for value in values
    ]
    return found, [0 if value.numel() == 1 else 1 for value in found], True


def _constants(like: torch.Tensor, tile: Tile, on_device: bool) -> dict[str, Any]:
    return {
        "TILE": tile.rows,
        "HALVES": tile.halves,
        "DEPTH": tile.depth,
        "BAND": BAND,
        "PRECISION": PRECISION[like.dtype],
        "WIDE": triton.knobs.runtime.interpret and like.dtype == torch.bfloat16,
        "ON_DEVICE": on_device,
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }
