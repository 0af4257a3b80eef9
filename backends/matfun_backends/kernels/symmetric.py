"""D = alpha A B + beta C + gamma I where the result is known to be symmetric: one triangle is computed and mirrored.

The grid is walked by a fixed number of programs (persistent).  A tile is TILE x TILE or, with HALVES = 2,
TILE x 2 TILE, whose two squares are stored one after the other.  Every element of D is written exactly once, and the
elements (i, j) and (j, i) from the same register, so D is symmetric to the last bit.  The factors alpha, beta and gamma
are numbers, or are read from device memory, one per matrix.
"""

from __future__ import annotations

import triton
import triton.language as tl

from matfun_backends.kernels.load import halves, number, product_by_descriptors, product_by_pointers
from matfun_backends.kernels.schedule import place_in_triangle

_ANY = ["batch", "alpha_batch", "beta_batch", "gamma_batch"]
"""Numbers that are not worth a compilation for each kind of value."""

_SIZES = ["n", "depth"]
"""Descriptors hold what the compiler has to know of these."""


@triton.jit(do_not_specialize=_ANY)
def by_pointers(
    a, b, c, d, alpha, beta, gamma, n, depth, batch,
    a_batch, a_row, a_depth, b_batch, b_row, b_depth, c_batch, c_row, c_column, d_batch, d_row,
    alpha_batch, beta_batch, gamma_batch,
    TILE: tl.constexpr, HALVES: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
    HAS_C: tl.constexpr, HAS_GAMMA: tl.constexpr, PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Symmetric product of operands of any size and strides."""
    rows = tl.cdiv(n, TILE * HALVES)  # of squares whose side is the longer one of a tile
    tiles = rows * (rows + 1) // 2 * HALVES
    for t in range(tl.program_id(0), tiles * batch, tl.num_programs(0)):
        which = (t // tiles).to(tl.int64)
        row, column = place_in_triangle(t % tiles // HALVES, rows, BAND)
        row = row * HALVES + t % HALVES
        total = product_by_pointers(
            a + which * a_batch, b + which * b_batch, n, n, row * TILE, column * TILE * HALVES, depth,
            a_row, a_depth, b_row, b_depth, TILE, TILE * HALVES, DEPTH, PRECISION, WIDE,
        )  # fmt: skip
        total *= number(alpha, which, alpha_batch)
        factor = number(beta, which, beta_batch)
        shift = number(gamma, which, gamma_batch)
        here_c = c + which * c_batch
        here_d = d + which * d_batch
        if HALVES == 1:
            _store_by_pointers(total, here_c, here_d, factor, shift, row, column, n, c_row, c_column, d_row,
                               TILE, HAS_C, HAS_GAMMA)  # fmt: skip
        else:
            left, right = halves(total, TILE, TILE * HALVES)
            _store_by_pointers(left, here_c, here_d, factor, shift, row, 2 * column, n, c_row, c_column, d_row,
                               TILE, HAS_C, HAS_GAMMA)  # fmt: skip
            _store_by_pointers(right, here_c, here_d, factor, shift, row, 2 * column + 1, n, c_row, c_column, d_row,
                               TILE, HAS_C, HAS_GAMMA)  # fmt: skip


@triton.jit
def _store_by_pointers(
    value, c, d, factor, shift, row, column, n, c_row, c_column, d_row,
    TILE: tl.constexpr, HAS_C: tl.constexpr, HAS_GAMMA: tl.constexpr,
):  # fmt: skip
    i = tl.arange(0, TILE)[:, None]
    j = tl.arange(0, TILE)[None, :]
    first, second = (row * TILE).to(tl.int64), (column * TILE).to(tl.int64)  # the start in 64 bits
    lower = (row * TILE + i >= column * TILE + j) & (row * TILE + i < n)  # then the column is inside, too
    if HAS_C:
        added = tl.load(c + first * c_row + second * c_column + i * c_row + j * c_column, mask=lower, other=0.0)
        value += factor * added.to(tl.float32)
    if HAS_GAMMA:
        value += tl.where(row * TILE + i == column * TILE + j, shift, 0.0)
    result = value.to(d.dtype.element_ty)
    tl.store(d + first * d_row + second + i * d_row + j, result, mask=lower)
    mirrored = (row * TILE + j > column * TILE + i) & (row * TILE + j < n)
    tl.store(d + second * d_row + first + i * d_row + j, tl.trans(result), mask=mirrored)


@triton.jit(do_not_specialize=[*_ANY, *_SIZES])
def by_descriptors(
    a, b, c, d, alpha, beta, gamma, n, depth, batch, alpha_batch, beta_batch, gamma_batch,
    TILE: tl.constexpr, HALVES: tl.constexpr, DEPTH: tl.constexpr, BAND: tl.constexpr,
    A_COLUMNS: tl.constexpr, B_COLUMNS: tl.constexpr, HAS_C: tl.constexpr, HAS_GAMMA: tl.constexpr,
    PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Symmetric product through tensor descriptors (TMA), for operands with rows of a multiple of 16 bytes."""
    rows = tl.cdiv(n, TILE * HALVES)
    tiles = rows * (rows + 1) // 2 * HALVES
    for t in range(tl.program_id(0), tiles * batch, tl.num_programs(0)):
        which = t // tiles
        row, column = place_in_triangle(t % tiles // HALVES, rows, BAND)
        row = row * HALVES + t % HALVES
        total = product_by_descriptors(
            a, b, which, row * TILE, column * TILE * HALVES, depth,
            TILE, TILE * HALVES, DEPTH, A_COLUMNS, B_COLUMNS, PRECISION, WIDE,
        )  # fmt: skip
        total *= number(alpha, which, alpha_batch)
        factor = number(beta, which, beta_batch)
        shift = number(gamma, which, gamma_batch)
        if HALVES == 1:
            _store_by_descriptors(total, c, d, factor, shift, which, row, column, TILE, HAS_C, HAS_GAMMA)
        else:
            left, right = halves(total, TILE, TILE * HALVES)
            _store_by_descriptors(left, c, d, factor, shift, which, row, 2 * column, TILE, HAS_C, HAS_GAMMA)
            _store_by_descriptors(right, c, d, factor, shift, which, row, 2 * column + 1, TILE, HAS_C, HAS_GAMMA)


@triton.jit
def _store_by_descriptors(
    value, c, d, factor, shift, which, row, column,
    TILE: tl.constexpr, HAS_C: tl.constexpr, HAS_GAMMA: tl.constexpr,
):  # fmt: skip
    if row >= column:
        if HAS_C:
            value += factor * c.load([which, row * TILE, column * TILE]).reshape(TILE, TILE).to(tl.float32)
        if HAS_GAMMA:  # noqa: SIM102 - one is known to the compiler
            if row == column:
                i = tl.arange(0, TILE)
                value += tl.where(i[:, None] == i[None, :], shift, 0.0)
        result = value.to(d.dtype)
        mirrored = tl.trans(result)
        if row == column:
            i = tl.arange(0, TILE)
            result = tl.where(i[:, None] >= i[None, :], result, mirrored)
        d.store([which, row * TILE, column * TILE], result.reshape(1, TILE, TILE))
        if row > column:
            d.store([which, column * TILE, row * TILE], mirrored.reshape(1, TILE, TILE))
