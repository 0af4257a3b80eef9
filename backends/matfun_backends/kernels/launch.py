"""From torch tensors to the kernels: strides, descriptors, factors and grids.  What is launched here is not checked.

Tensors may lie on a CPU where Triton interprets its kernels (``TRITON_INTERPRET=1``), as the tests do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import torch
import triton
from triton.tools.tensor_descriptor import TensorDescriptor

from matfun_backends.kernels import combine as _combine
from matfun_backends.kernels import fit as _fit
from matfun_backends.kernels import product as _product
from matfun_backends.kernels import symmetric as _symmetric
from matfun_backends.kernels.tiles import BAND, Tile, product_count, symmetric_count

PRECISION = {torch.float32: "tf32x3", torch.bfloat16: "ieee", torch.float16: "ieee"}
"""Three products on the tensor cores for one of float32, never one of TF32 alone; 16-bit products are exact anyway."""

ROW_BYTES = 16
"""Rows read through a descriptor start at multiples of this (CUDA driver API, cuTensorMapEncodeTiled)."""

EPS = 2.0**-23
"""Spacing of 1 in float32."""

LONGEST_PIECE = 4096
"""Of a row that is worked on at a time: 16 elements for each of 256 threads."""

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
    numbers, steps = _numbers((alpha, beta, gamma))
    grid = (min(multiprocessors, symmetric_count(n, batch, tile)),)
    if tile.divided:
        squares = -(-n // (tile.rows * tile.halves))
        _divided(a, b, c, d, (squares, squares, depth, batch), numbers, steps, tile, grid,
                 SYMMETRIC=True, HAS_C=C is not None, HAS_GAMMA=is_shift(gamma))  # fmt: skip
        return D
    constants = _constants(A, tile) | {"HAS_C": C is not None, "HAS_GAMMA": is_shift(gamma)}
    if descriptors:
        (a, a_columns), (b, b_columns) = (
            _descriptor(a, tile.rows, tile.depth),
            _descriptor(b, tile.rows * tile.halves, tile.depth),
        )
        c, d = (_descriptor(x, tile.rows, tile.rows)[0] for x in (c, d))
        _run(_symmetric.by_descriptors, grid, (a, b, c, d, *numbers, n, depth, batch, *steps),
             A_COLUMNS=a_columns, B_COLUMNS=b_columns, **constants)  # fmt: skip
    else:
        strides = (*a.stride(), *b.stride(), *c.stride(), *d.stride()[:2])
        _run(_symmetric.by_pointers, grid, (a, b, c, d, *numbers, n, depth, batch, *strides, *steps), **constants)
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
    numbers, steps = _numbers((alpha, beta))
    grid = (min(multiprocessors, product_count(m, n, batch, tile)),)
    if tile.divided:
        rows, columns = -(-m // tile.rows), -(-n // (tile.rows * tile.halves))
        _divided(a, b, c, d, (rows, columns, depth, batch), [*numbers, 0.0], [*steps, 0], tile, grid,
                 SYMMETRIC=False, HAS_C=True, HAS_GAMMA=False)  # fmt: skip
        return D
    constants = _constants(A, tile)
    if descriptors:
        (a, a_columns), (b, b_columns) = (
            _descriptor(a, tile.rows, tile.depth),
            _descriptor(b, tile.rows * tile.halves, tile.depth),
        )
        c, d = (_descriptor(x, tile.rows, tile.rows)[0] for x in (c, d))
        _run(_product.by_descriptors, grid, (a, b, c, d, *numbers, m, n, depth, batch, *steps),
             A_COLUMNS=a_columns, B_COLUMNS=b_columns, **constants)  # fmt: skip
    else:
        strides = (*a.stride(), *b.stride(), *c.stride(), *d.stride()[:2])
        _run(_product.by_pointers, grid, (a, b, c, d, *numbers, m, n, depth, batch, *strides, *steps), **constants)
    return D


def combination(
    S: torch.Tensor, T: torch.Tensor | None = None, a: Any = 1.0, b: Any = 0.0, c: Any = 0.0,
    *, out: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return a S + b T + c I.

    Parameters
    ----------
    S : tensor, shape (..., m, n)
        Its rows or its columns are contiguous.
    T : tensor, shape (..., m, n), optional
        Likewise, as in S.
    a, b, c : float, or tensor of shape () or (...)
    out : tensor, shape (..., m, n), optional
        New memory for the answer; for tests, which poison it.
    """
    if by_columns(S):
        swapped = combination(S.mT, None if T is None else T.mT, a, b, c, out=None if out is None else out.mT)
        return swapped.mT
    D = S.new_empty(S.shape) if out is None else out
    s, d = _flat(S), _flat(D)
    t = s if T is None else _flat(T)
    batch, rows, columns = s.shape
    numbers, steps = _numbers((a, b, c))
    width = min(LONGEST_PIECE, triton.next_power_of_2(columns))
    strides = [step for x in (s, t, d) for step in x.stride()[:2]]
    _run(_combine.combine, (batch * rows,), (s, t, d, *numbers, rows, columns, *strides, *steps),
         HAS_T=T is not None, HAS_C=is_shift(c), WIDTH=width,
         num_warps=max(1, width // 512))  # fmt: skip
    return D


def _divided(
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor,
    d: torch.Tensor,
    sizes: tuple[int, int, int, int],
    numbers: list[Any],
    steps: list[int],
    tile: Tile,
    grid: tuple[int],
    **constants: bool,
) -> None:
    """Run the kernel whose warps are divided into a reader and two groups that multiply."""
    kernel = import_module("matfun_backends.kernels.specialised")  # Gluon is not in every Triton
    (a_there, a_columns), (b_there, b_columns) = (
        _descriptor(x, height, tile.depth, kernel.descriptor)
        for x, height in ((a, kernel.SIDE.value), (b, kernel.PART.value))
    )
    c_there, d_there = (_descriptor(x, kernel.SIDE.value, kernel.SIDE.value, kernel.descriptor)[0] for x in (c, d))
    _run(kernel.specialised, grid,
         (a_there, b_there, c_there, d_there, *numbers, *sizes, *steps), STAGES=tile.stages,
         A_COLUMNS=a_columns, B_COLUMNS=b_columns, num_warps=kernel.WARPS, maxnreg=kernel.REGISTERS,
         **constants)  # fmt: skip


_compiled: dict[tuple[Any, ...], Any] = {}


def _run(function: Any, grid: tuple[int], arguments: tuple[Any, ...], **constants: Any) -> None:
    """Launch a kernel; from the second time on without what Triton's launcher does to find the compiled one.

    That takes several times as long as the launch.  The key holds all that a compilation depends on but for the
    settings of Triton itself.
    """
    if triton.knobs.runtime.interpret:
        function[grid](*arguments, **constants)
        return
    device = torch.cuda.current_device()
    key = (function.__name__, function.__module__, device, *constants.items(), *map(_kind, arguments))
    known = _compiled.get(key)
    if known is None:  # also where a hook of Triton's has kept the compiled one to itself
        _compiled[key] = function[grid](*arguments, **constants)
    else:
        known[(*grid, 1, 1)](*arguments, *(constants[x] for x in function.arg_names[len(arguments) :]))


def _kind(x: Any) -> Any:
    """What Triton's launcher tells the compiler of an argument."""
    if isinstance(x, int):
        return x == 1, x % SPECIALISED == 0, x.bit_length() > 31
    if isinstance(x, torch.Tensor):
        return x.dtype, x.data_ptr() % SPECIALISED == 0
    return float if isinstance(x, float) else (x.base.dtype, *x.block_shape)


class Fitted(NamedTuple):
    """What a fit leaves: the minimum, and what it was found from."""

    alpha: torch.Tensor
    powers: torch.Tensor
    sums: torch.Tensor


def fit(
    R: torch.Tensor, S: torch.Tensor, polynomials: Sequence[Sequence[float]], interval: tuple[float, float]
) -> Fitted:
    """Alpha that makes ||u_0(R) S + alpha u_1(R) S + alpha^2 u_2(R) S||_F least.

    Parameters
    ----------
    R : tensor, shape (..., n, n)
        Symmetric; its rows or its columns are contiguous.
    S : tensor, shape (n, columns)
        A power of two of columns.
    polynomials : sequence of three sequences of float
    interval : tuple of float

    Returns
    -------
    alpha : tensor, shape (...)
    powers : tensor, shape (..., highest, n, columns)
        R S and then (R/rho)^k S.
    sums : tensor, shape (..., 6, programs)
        Parts of the inner products of u_i(R) S and u_j(R) S over rho^(2 k), k the lowest power in any u: 00, 01, 02,
        11, 12, 22.
    """
    *stack, n, _ = R.shape
    r = _flat(R.mT if by_columns(R) else R)
    batch, columns = r.shape[0], S.shape[-1]
    last = max(map(len, polynomials)) - 1
    least = min(k for u in polynomials for k, c in enumerate(u) if c != 0)
    padded = tuple(tuple(map(float, (*u, *[0.0] * (last + 1 - len(u))))) for u in polynomials)
    count = triton.cdiv(n, _fit.ROWS)
    powers = R.new_empty((batch, last, n, columns), dtype=torch.float32)
    operands = R.new_empty((2, batch, n, columns))  # written in turns
    squares, sums = (R.new_empty((batch, k, count), dtype=torch.float32) for k in (1, 6))
    alpha = R.new_empty((batch,), dtype=torch.float32)
    common = {"COUNT": triton.next_power_of_2(count)}
    for power in range(1, last + 1):
        z = S if power == 1 else powers[:, 0] if power == 2 else operands[power % 2]
        _run(_fit.thin, (count * batch,),
             (r, z, S, powers, operands[(power + 1) % 2], squares, sums, n, r.stride(0), r.stride(1),
              0 if power == 1 else z.stride(0)),
             U=padded, POWER=power, LAST=last, LEAST=least, COLUMNS=columns, EPS=EPS, ROWS=_fit.ROWS,
             DEPTH=_fit.DEPTH, PRECISION=PRECISION[R.dtype], WIDE=_in_float32(R.dtype), num_warps=_fit.WARPS,
             num_stages=_fit.STAGES, **common)  # fmt: skip
    _run(_fit.solve, (batch,), (sums, alpha, count, *map(float, interval)),
         POINTS=_fit.POINTS, PADDED=triton.next_power_of_2(_fit.POINTS), STEPS=_fit.NEWTON_STEPS,
         ROUNDING=_fit.ROUNDINGS * EPS, num_warps=1, **common)  # fmt: skip
    return Fitted(alpha.reshape(stack), powers, sums)


def is_shift(c: Any) -> bool:
    """Whether a multiple of the identity is added: not where it is known to be zero."""
    return not (isinstance(c, (int, float)) and c == 0)


def describable(*tensors: torch.Tensor) -> bool:
    """Whether the memory unit can read all of them: one axis contiguous, and everything else multiples of 16 bytes."""
    return all(_is_regular(X, ROW_BYTES // X.element_size()) for X in tensors)


def regular(*tensors: torch.Tensor) -> bool:
    """Whether sizes and strides are multiples of 16 elements, for which Triton compiles loads of 16 bytes."""
    return all(_is_regular(X, SPECIALISED) and all(size % SPECIALISED == 0 for size in X.shape[-2:]) for X in tensors)


def _is_regular(X: torch.Tensor, elements: int) -> bool:
    X = _flat(X) if X.ndim > 3 else X
    *stack, row, column = X.stride()
    if 1 not in (row, column):
        return False
    strides = (row if column == 1 else column, *(stack if X.shape[0] > 1 else ()))
    return all(step > 0 and step % elements == 0 for step in strides) and X.data_ptr() % ROW_BYTES == 0


def by_columns(X: torch.Tensor) -> bool:
    """Whether the columns are contiguous, and not the rows."""
    return bool(X.stride(-1) != 1)


def _flat(X: torch.Tensor) -> torch.Tensor:
    return X if X.ndim == 3 else X.reshape(-1, *X.shape[-2:])


def _descriptor(
    X: torch.Tensor, rows: int, columns: int, make: Callable[..., Any] = TensorDescriptor
) -> tuple[Any, bool]:
    """Descriptor of a stack read in blocks of rows x columns, and whether it is that of the transposes."""
    (batch, m, n), (step, row, column) = X.shape, X.stride()
    transposed = column != 1
    if transposed:
        m, n, row, rows, columns = n, m, column, columns, rows
    return make(X, [batch, m, n], [step if batch > 1 else m * row, row, 1], [1, rows, columns]), transposed


def _numbers(values: tuple[Any, ...]) -> tuple[list[Any], list[int]]:
    """The factors for the kernel, and their distance in memory from one matrix to the next."""
    if triton.knobs.runtime.interpret:  # which hands numbers to kernels as Python's, that know no type
        values = tuple(map(torch.as_tensor, values))
    found = [x.to(torch.float32).contiguous() if isinstance(x, torch.Tensor) else float(x) for x in values]
    return found, [0 if isinstance(x, float) or x.numel() == 1 else 1 for x in found]


def _in_float32(dtype: torch.dtype) -> bool:
    """Whether to multiply in float32: in the interpreter, which has no bfloat16."""
    return bool(triton.knobs.runtime.interpret and dtype == torch.bfloat16)


def _constants(like: torch.Tensor, tile: Tile) -> dict[str, Any]:
    return {
        "TILE": tile.rows,
        "HALVES": tile.halves,
        "DEPTH": tile.depth,
        "BAND": BAND,
        "PRECISION": PRECISION[like.dtype],
        "WIDE": _in_float32(like.dtype),
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }
