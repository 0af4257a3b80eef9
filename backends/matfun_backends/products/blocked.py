"""Hermitian products from plain ones: row blocks up to the diagonal, the rest mirrored.

Of b blocks (b + 1) / (2 b) of the flops are left; what each costs beside them has to be worth it.  For torch on a CPU,
whose products know no symmetry.
"""

from __future__ import annotations

from typing import Any

import torch

EMPIRICAL_WORK = ((32e8, 768, 8), (4e8, 0, 4), (1e8, 0, 2))
"""Blocks from so many multiplications for each thread, times the bytes of a number, and from so many rows on.

The fastest of 1, 2, 3, 4, 6 and 8, or near it, for bfloat16, float32 and float64 and results of 128 to 2048 rows, on
two threads (benchmarks/results/blocked.json)."""

SMALLEST = 128
"""Rows of the smallest result that was measured."""


def worthwhile(A: torch.Tensor, *others: torch.Tensor | None) -> bool:
    """Whether A A^H and products of its shape should be formed in blocks; no derivative goes through them."""
    if A.ndim != 2 or A.shape[0] < SMALLEST or not A.is_cpu:
        return False
    return plain(A, *others) and pays(A)


def pays(A: torch.Tensor) -> bool:
    """Whether A A^H of one plain matrix takes less time in blocks."""
    return bool(A.is_cpu) and A.shape[0] >= SMALLEST and blocks(A.shape[0], A.shape[1], A) > 1


def plain(*operands: torch.Tensor | None) -> bool:
    """Whether tensors are nothing but numbers: no derivative, ``torch.func`` or compiler looks on."""
    if torch.compiler.is_compiling():
        return False
    for X in operands:  # noqa: SIM110 - a generator takes twice the time, and every product of a step asks
        if X is not None and (X.requires_grad or wrapped(X)):
            return False
    return True


def wrapped(X: torch.Tensor) -> bool:
    """Whether ``torch.func`` or forward-mode differentiation follows X."""
    dual = torch.autograd.forward_ad
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(X)) or (
        dual._current_level >= 0 and dual.unpack_dual(X).tangent is not None
    )


def blocks(n: int, k: int, like: torch.Tensor) -> int:
    """Row blocks of the product of an n x k matrix and a k x n one."""
    work = n * n * k * like.element_size() / torch.get_num_threads()
    return next((count for least, rows, count in EMPIRICAL_WORK if work >= least and n >= rows), 1)


def hermitian_product(
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor | None = None,
    alpha: Any = 1.0,
    beta: Any = 0.0,
    *,
    exact: bool = False,
) -> torch.Tensor:
    """Return beta C + alpha A B, known to be Hermitian.

    Parameters
    ----------
    A : tensor, shape (n, k)
    B : tensor, shape (k, n)
    C : tensor, shape (n, n), optional
        Hermitian.
    alpha, beta : float
    exact : bool
        Whether the blocks on the diagonal have to be Hermitian to the last bit, too.
    """
    n, k = A.shape
    D = A.new_empty((n, n))
    rows = -(-n // blocks(n, k, A))
    for start in range(0, n, rows):
        end = min(start + rows, n)
        out = D[start:end, :end]
        torch.addmm(out if C is None else C[start:end, :end], A[start:end], B[:, :end], beta=beta, alpha=alpha, out=out)
        if exact:
            square = D[start:end, start:end]
            square.copy_((square + square.mH).mul_(0.5))
        if start:
            D[:start, start:end] = D[start:end, :start].mH
    return D
