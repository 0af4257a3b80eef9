"""D = alpha A B + beta C in one pass: C is read where D is written, and never copied first.

The factors are numbers, or are read from device memory, one per matrix.  D is new memory, never A, B or C.
"""

from __future__ import annotations

import triton
import triton.language as tl

from matfun_backends.kernels.load import halves, number, product_by_descriptors, product_by_pointers
from matfun_backends.kernels.schedule import place_in_rectangle

_ANY = ["batch", "alpha_batch", "beta_batch"]
"""Numbers that are not worth a compilation for each kind of value."""

_SIZES = ["m", "n", "depth"]
"""Descriptors hold what the compiler has to know of these."""


@triton.jit(do_not_specialize=_ANY)
def by_pointers(
    a, b, c, d, alpha, beta, m, n, depth, batch,
    a_batch, a_row, a_depth, b_batch, b_row, b_depth, c_batch, c_row, c_column, d_batch, d_row,
    alpha_batch, beta_batch,
    TILE: tl.constexpr, HALVES: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Product of operands of any size and strides; b holds the transpose of B."""
    rows = tl.cdiv(m, TILE)
    columns = tl.cdiv(n, TILE * HALVES)
    tiles = rows * columns
    for t in range(tl.program_id(0), tiles * batch, tl.num_programs(0)):
        which = (t // tiles).to(tl.int64)
        row, column = place_in_rectangle(t % tiles, rows, columns, BAND)
        total = product_by_pointers(
            a + which * a_batch, b + which * b_batch, m, n, row * TILE, column * TILE * HALVES, depth,
            a_row, a_depth, b_row, b_depth, TILE, TILE * HALVES, DEPTH, PRECISION, WIDE,
        )  # fmt: skip
        total *= number(alpha, which, alpha_batch)
        factor = number(beta, which, beta_batch)
        first, second = (row * TILE).to(tl.int64), (column * TILE * HALVES).to(tl.int64)  # the start in 64 bits
        i = tl.arange(0, TILE)[:, None]
        j = tl.arange(0, TILE * HALVES)[None, :]
        inside = (row * TILE + i < m) & (column * TILE * HALVES + j < n)
        here = c + which * c_batch + first * c_row + second * c_column
        added = tl.load(here + i * c_row + j * c_column, mask=inside, other=0.0)
        total += factor * added.to(tl.float32)
        there = d + which * d_batch + first * d_row + second
        tl.store(there + i * d_row + j, total.to(d.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=[*_ANY, *_SIZES])
def by_descriptors(
    a, b, c, d, alpha, beta, m, n, depth, batch, alpha_batch, beta_batch,
    TILE: tl.constexpr, HALVES: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
    A_COLUMNS: tl.constexpr, B_COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Product through tensor descriptors (TMA), for operands with rows of a multiple of 16 bytes."""
    rows = tl.cdiv(m, TILE)
    columns = tl.cdiv(n, TILE * HALVES)
    tiles = rows * columns
    for t in range(tl.program_id(0), tiles * batch, tl.num_programs(0)):
        which = t // tiles
        row, column = place_in_rectangle(t % tiles, rows, columns, BAND)
        total = product_by_descriptors(
            a, b, which, row * TILE, column * TILE * HALVES, depth,
            TILE, TILE * HALVES, DEPTH, A_COLUMNS, B_COLUMNS, PRECISION, WIDE,
        )  # fmt: skip
        total *= number(alpha, which, alpha_batch)
        factor = number(beta, which, beta_batch)
        if HALVES == 1:
            _store(total, c, d, factor, which, row, column, TILE)
        else:
            left, right = halves(total, TILE, TILE * HALVES)
            _store(left, c, d, factor, which, row, 2 * column, TILE)
            _store(right, c, d, factor, which, row, 2 * column + 1, TILE)


@triton.jit
def _store(value, c, d, factor, which, row, column, TILE: tl.constexpr):
    added = c.load([which, row * TILE, column * TILE]).reshape(TILE, TILE)
    result = (value + factor * added.to(tl.float32)).to(d.dtype)
    d.store([which, row * TILE, column * TILE], result.reshape(1, TILE, TILE))
