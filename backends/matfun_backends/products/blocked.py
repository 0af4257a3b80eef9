"""Hermitian products from plain ones: row blocks up to the diagonal, the rest mirrored.

Of b blocks (b + 1) / (2 b) of the flops are left, as long as a block keeps the cores busy.  For torch on a CPU, whose
products know no symmetry.
"""

from __future__ import annotations

from typing import Any

import torch

EMPIRICAL_BLOCK = 256
"""Least rows of a block."""

MOST_BLOCKS = 8

SMALLEST = 6 * EMPIRICAL_BLOCK
"""Rows of the result: with two threads smaller ones took longer in blocks than whole."""


def worthwhile(A: torch.Tensor, *others: torch.Tensor | None) -> bool:
    """Whether products that start with A should be formed in blocks; no derivative goes through them."""
    return A.ndim == 2 and A.shape[0] >= SMALLEST and A.device.type == "cpu" and plain(A, *others)


def plain(*operands: torch.Tensor | None) -> bool:
    """Whether tensors are nothing but numbers: no derivative, ``torch.func`` or compiler looks on."""
    if torch.compiler.is_compiling():
        return False
    return not any(X is not None and (X.requires_grad or _wrapped(X)) for X in operands)


def _wrapped(X: torch.Tensor) -> bool:
    dual = torch.autograd.forward_ad
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(X)) or (
        dual._current_level >= 0 and dual.unpack_dual(X).tangent is not None
    )


def blocks(n: int) -> int:
    """Row blocks of a result of n rows."""
    return min(MOST_BLOCKS, n // EMPIRICAL_BLOCK)


def hermitian_product(
    A: torch.Tensor, B: torch.Tensor, C: torch.Tensor | None = None, alpha: Any = 1.0, beta: Any = 0.0
) -> torch.Tensor:
    """Return beta C + alpha A B, known to be Hermitian.

    Parameters
    ----------
    A : tensor, shape (n, k)
    B : tensor, shape (k, n)
    C : tensor, shape (n, n), optional
        Hermitian.
    alpha, beta : float
    """
    n = A.shape[0]
    D = A.new_empty((n, n))
    rows = -(-n // blocks(n))
    for start in range(0, n, rows):
        end = min(start + rows, n)
        out = D[start:end, :end]
        torch.addmm(out if C is None else C[start:end, :end], A[start:end], B[:, :end], beta=beta, alpha=alpha, out=out)
        if start:
            D[:start, start:end] = D[start:end, :start].mH
    return D
