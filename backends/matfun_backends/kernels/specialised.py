"""Both products for Hopper with the warps of a program divided: one warp reads, two groups of four multiply and store.

The reader fills a ring of buffers through the memory unit (TMA).  Every buffer has two barriers: one says that it is
full, the other that both groups have multiplied with it, so that the next tile is read while the last one is stored.
Each group has 64 rows of a tile of 128 x 256 in registers, and stores them in squares of 64 x 64.

Of a symmetric product, which is of a matrix with its own transpose, only squares of 256 x 256 on and below the diagonal
are computed.  Of those on it the upper half is a square of 128 x 128, of which each group has one at a time: those of a
matrix of 4096 are as much work as 264 = 2 x 132 tiles.

Written in Gluon, the layer of Triton that leaves barriers and memory to the kernel (triton.experimental, 3.6).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from matfun_backends.kernels.load import number
from matfun_backends.kernels.schedule import place_in_rectangle, place_in_triangle
from matfun_backends.kernels.tiles import BAND as _BAND

ROWS = gl.constexpr(128)
"""Of a tile; each of the two groups of warps has half of them."""

COLUMNS = gl.constexpr(256)
"""Of a tile: 256 is the most that the tensor cores of Hopper multiply at once (PTX ISA, wgmma.mma_async)."""

PART = gl.constexpr(128)
"""Columns that are read at a time, and side of a square on the diagonal."""

SIDE = gl.constexpr(64)
"""Rows of a group, side of the squares that are stored, and length of the pieces of the sum: as 16-bit elements, the
128 bytes that a swizzle spans."""

BAND = gl.constexpr(_BAND)

WARPS = 4
"""Of each group that multiplies; the tensor cores are fed by four warps together."""

REGISTERS = 168
"""At the start: 384 threads of the 65536 registers.  The reader gives its up, down to 24, and groups then have 240."""


def descriptor(X: Any, shape: list[int], strides: list[int], block: list[int]) -> Any:
    """Tensor descriptor of a stack of 16-bit matrices that is read or written in such blocks.

    Made without the checks of its class, which take as long as the launch; ``launch.describable`` has made them.
    """
    made = object.__new__(TensorDescriptor)
    made.base, made.shape, made.strides, made.block_shape = X, shape, strides, block
    made.layout, made.padding = layout_of(*block), "zero"
    return made


@lru_cache
def layout_of(*block: int) -> Any:
    """How such a block of 16-bit elements lies in shared memory."""
    return gl.NVMMASharedLayout.get_default_for(list(block), gl.bfloat16)


@gluon.jit
def count(rows, columns, batch, SYMMETRIC: gl.constexpr):
    """Number of whole tiles, of squares of 128 x 128 on the diagonal, and of what programs take turns at.

    Rows counts tiles, or squares of 256 x 256 of a symmetric product.
    """
    if SYMMETRIC:
        wholes, corners = rows * rows * batch, rows * batch
        return wholes, corners, wholes + (corners + 1) // 2
    else:  # noqa: RET505 - the compiler wants one of the two
        wholes = rows * columns * batch
        return wholes, 0, wholes


@gluon.jit
def place(t, rows, columns, SYMMETRIC: gl.constexpr):
    """Matrix, and first row and column of whole tile t."""
    if SYMMETRIC:
        which = t // (rows * rows)
        inside = t - which * rows * rows
        below = rows * (rows - 1)  # two in each square below the diagonal, and then one in each square on it
        square = inside - below
        on_diagonal = square >= 0
        row, column = place_in_triangle(gl.where(on_diagonal, 0, inside // 2), gl.maximum(rows - 1, 1), BAND)
        row = gl.where(on_diagonal, 2 * square + 1, 2 * (row + 1) + inside % 2)
        return which, row * ROWS, gl.where(on_diagonal, square, column) * COLUMNS
    else:  # noqa: RET505
        which = t // (rows * columns)
        row, column = place_in_rectangle(t - which * rows * columns, rows, columns, BAND)
        return which, row * ROWS, column * COLUMNS


@gluon.jit
def corner(t, wholes, corners, rows, GROUP: gl.constexpr):
    """Matrix, and first row, of the square that a group has in turn t; the last one may be that of both groups."""
    c = gl.minimum(2 * (t - wholes) + GROUP, corners - 1)
    which = c // rows
    return which, (c - which * rows) * COLUMNS


@gluon.jit
def operand(buffers, slot, HEIGHT: gl.constexpr, BY_COLUMNS: gl.constexpr):
    """HEIGHT x SIDE of an operand in shared memory."""
    if BY_COLUMNS:
        return buffers.index(slot).reshape([SIDE, HEIGHT]).permute([1, 0])
    else:  # noqa: RET505
        return buffers.index(slot).reshape([HEIGHT, SIDE])


@gluon.jit
def read_rows(source, which, row, k, barrier, buffer, BY_COLUMNS: gl.constexpr):
    """Start to read rows of an operand, which is transposed where BY_COLUMNS says so."""
    if BY_COLUMNS:
        tma.async_copy_global_to_shared(source, [which, k, row], barrier, buffer)
    else:
        tma.async_copy_global_to_shared(source, [which, row, k], barrier, buffer)


@gluon.jit
def next_slot(turn, empty, full, NBYTES: gl.constexpr, STAGES: gl.constexpr):
    """Wait until a place of the ring is free; its number, and the barrier that counts the bytes."""
    slot = turn % STAGES
    mbarrier.wait(empty.index(slot), (turn // STAGES & 1) ^ 1)  # of a new barrier the turn before counts as over
    mbarrier.expect(full.index(slot), NBYTES)
    return slot, full.index(slot)


@gluon.jit
def place_of_square(row, column, s: gl.constexpr, GROUP: gl.constexpr, CORNER: gl.constexpr):
    """First row and column of a group's square s: side by side in a tile, two by two in a square on the diagonal."""
    if CORNER:
        return row + s // 2 * SIDE, column + s % 2 * SIDE
    else:  # noqa: RET505
        return row + GROUP * SIDE, column + s * SIDE


@gluon.jit
def read_squares(c, which, row, column, tile, squares, c_full, c_empty, GROUP: gl.constexpr, CORNER: gl.constexpr):
    """Read what is added to the four squares of a group, to where they are going to be."""
    mbarrier.wait(c_empty.index(GROUP), (tile & 1) ^ 1)
    mbarrier.expect(c_full.index(GROUP), 4 * SIDE * SIDE * 2)
    for s in gl.static_range(4):
        i, j = place_of_square(row, column, s, GROUP, CORNER)
        tma.async_copy_global_to_shared(c, [which, i, j], c_full.index(GROUP), squares.index(4 * GROUP + s))


@gluon.jit
def reader(
    a, b, c, rows, columns, batch, depth, buffers, barriers,
    SYMMETRIC: gl.constexpr, STAGES: gl.constexpr, HAS_C: gl.constexpr,
    A_COLUMNS: gl.constexpr, B_COLUMNS: gl.constexpr,
):  # fmt: skip
    """What the warp that reads does."""
    a_buffers, b_buffers, squares = buffers
    full, empty, c_full, c_empty = barriers
    wholes, corners, turns = count(rows, columns, batch, SYMMETRIC)
    turn = 0
    tile = 0
    for t in range(gl.program_id(0), turns, gl.num_programs(0)):
        if t < wholes:
            which, row, column = place(t, rows, columns, SYMMETRIC)
            for k in range(0, depth, SIDE):
                slot, arrived = next_slot(turn, empty, full, (ROWS + COLUMNS) * SIDE * 2, STAGES)
                for g in gl.static_range(2):
                    read_rows(a, which, row + g * SIDE, k, arrived, a_buffers.index(2 * slot + g), A_COLUMNS)
                    read_rows(b, which, column + g * PART, k, arrived, b_buffers.index(2 * slot + g), B_COLUMNS)
                turn += 1
            if HAS_C:
                for g in gl.static_range(2):
                    read_squares(c, which, row, column, tile, squares, c_full, c_empty, g, False)
        elif SYMMETRIC:
            first_which, first = corner(t, wholes, corners, rows, 0)
            second_which, second = corner(t, wholes, corners, rows, 1)
            for k in range(0, depth, SIDE):
                slot, arrived = next_slot(turn, empty, full, 2 * PART * SIDE * 2, STAGES)
                read_rows(b, first_which, first, k, arrived, b_buffers.index(2 * slot), B_COLUMNS)
                read_rows(b, second_which, second, k, arrived, b_buffers.index(2 * slot + 1), B_COLUMNS)
                turn += 1
            if HAS_C:
                read_squares(c, first_which, first, first, tile, squares, c_full, c_empty, 0, True)
                read_squares(c, second_which, second, second, tile, squares, c_full, c_empty, 1, True)
        tile += 1  # noqa: SIM113 - the compiler knows no enumerate


@gluon.jit
def left_and_right(x, HEIGHT: gl.constexpr, WIDTH: gl.constexpr):
    """Halves of a block by columns."""
    return gl.split(gl.permute(gl.reshape(x, (HEIGHT, 2, WIDTH // 2)), (0, 2, 1)))


@gluon.jit
def multiply(
    turn, depth, a_buffers, b_buffers, full, empty,
    GROUP: gl.constexpr, CORNER: gl.constexpr, STAGES: gl.constexpr, A_COLUMNS: gl.constexpr, B_COLUMNS: gl.constexpr,
):  # fmt: skip
    """Multiply a group's rows of a tile, or its square; and how often the ring was read."""
    HEIGHT: gl.constexpr = PART if CORNER else SIDE
    WIDTH: gl.constexpr = PART if CORNER else COLUMNS
    layout: gl.constexpr = gl.NVMMADistributedLayout(version=[3, 0], warps_per_cta=[4, 1], instr_shape=[16, WIDTH, 16])
    total = gl.zeros((HEIGHT, WIDTH), gl.float32, layout)
    for k in range(0, depth, SIDE):
        slot = turn % STAGES
        if CORNER:
            left = operand(b_buffers, 2 * slot + GROUP, PART, B_COLUMNS)
            right = left.permute([1, 0])
        else:
            left = operand(a_buffers, 2 * slot + GROUP, SIDE, A_COLUMNS)
            right = operand(b_buffers, slot, COLUMNS, B_COLUMNS).permute([1, 0])
        mbarrier.wait(full.index(slot), turn // STAGES & 1)
        total = warpgroup_mma(left, right, total, use_acc=k > 0, is_async=True)
        total = warpgroup_mma_wait(1, (total,))  # the product before this one is done
        gl.thread_barrier()  # for all four warps
        mbarrier.arrive(empty.index((turn + STAGES - 1) % STAGES), count=1, pred=k > 0)
        turn += 1
    total = warpgroup_mma_wait(0, (total,))
    gl.thread_barrier()
    mbarrier.arrive(empty.index((turn + STAGES - 1) % STAGES), count=1)
    return total, turn


@gluon.jit
def store(
    values, which, row, column, tile, beta, gamma, d, squares, c_full, c_empty,
    GROUP: gl.constexpr, CORNER: gl.constexpr, SYMMETRIC: gl.constexpr,
    HAS_C: gl.constexpr, HAS_GAMMA: gl.constexpr,
):  # fmt: skip
    """Add beta C, which lies where D is going to, and gamma I; store four squares and what they mirror."""
    layout: gl.constexpr = values[0].type.layout
    down = gl.arange(0, SIDE, layout=gl.SliceLayout(1, layout))[:, None]
    across = gl.arange(0, SIDE, layout=gl.SliceLayout(0, layout))[None, :]
    if HAS_C:
        mbarrier.wait(c_full.index(GROUP), tile & 1)
    else:
        tma.store_wait(0)  # what was there is read, not yet written
        gl.thread_barrier()
    for s in gl.static_range(4):
        here = squares.index(4 * GROUP + s).reshape([SIDE, SIDE])
        value = values[s]
        i, j = place_of_square(row, column, s, GROUP, CORNER)
        if HAS_GAMMA:  # noqa: SIM102 - one is known to the compiler
            if i == j:
                value += gl.where(down == across, gamma, 0.0)
        if HAS_C:
            value += beta * here.load(layout).to(gl.float32)
        here.store(value.to(d.dtype))
    gl.thread_barrier()
    if SYMMETRIC:
        for s in gl.static_range(4):
            i, j = place_of_square(row, column, s, GROUP, CORNER)
            if i == j:
                # each element and its mirror image are the one below the diagonal
                here = squares.index(4 * GROUP + s).reshape([SIDE, SIDE])
                below = here.load(layout)
                above = here.permute([1, 0]).load(layout)
                gl.thread_barrier()
                here.store(gl.where(down >= across, below, above))
    fence_async_shared()
    gl.thread_barrier()
    for s in gl.static_range(4):
        i, j = place_of_square(row, column, s, GROUP, CORNER)
        if not SYMMETRIC or i >= j:
            tma.async_copy_shared_to_global(d, [which, i, j], squares.index(4 * GROUP + s))
    if SYMMETRIC:
        tma.store_wait(0)
        gl.thread_barrier()
        for s in gl.static_range(4):
            here = squares.index(4 * GROUP + s).reshape([SIDE, SIDE])
            mirrored = here.permute([1, 0]).load(layout)
            gl.thread_barrier()
            here.store(mirrored)
        fence_async_shared()
        gl.thread_barrier()
        for s in gl.static_range(4):
            i, j = place_of_square(row, column, s, GROUP, CORNER)
            if i > j:
                tma.async_copy_shared_to_global(d, [which, j, i], squares.index(4 * GROUP + s))
    if HAS_C:
        tma.store_wait(0)
        gl.thread_barrier()
        mbarrier.arrive(c_empty.index(GROUP), count=1)


@gluon.jit
def squares_of(total, CORNER: gl.constexpr):
    """The four squares of a group: side by side, or two by two."""
    if CORNER:
        one, two = gl.split(gl.permute(gl.reshape(total, (2, SIDE, PART)), (1, 2, 0)))
    else:
        one, two = left_and_right(total, SIDE, COLUMNS)
    q0, q1 = left_and_right(one, SIDE, PART)
    q2, q3 = left_and_right(two, SIDE, PART)
    return q0, q1, q2, q3


@gluon.jit
def work(
    turn, tile, which, row, column, depth, factors, d, a_buffers, b_buffers, squares, barriers,
    GROUP: gl.constexpr, CORNER: gl.constexpr, SYMMETRIC: gl.constexpr, STAGES: gl.constexpr,
    HAS_C: gl.constexpr, HAS_GAMMA: gl.constexpr, A_COLUMNS: gl.constexpr, B_COLUMNS: gl.constexpr,
):  # fmt: skip
    """One tile from its products to its place; how often the ring was read."""
    full, empty, c_full, c_empty = barriers
    alpha, beta, gamma, alpha_batch, beta_batch, gamma_batch = factors
    total, turn = multiply(turn, depth, a_buffers, b_buffers, full, empty, GROUP, CORNER, STAGES, A_COLUMNS, B_COLUMNS)
    store(
        squares_of(total * number(alpha, which, alpha_batch), CORNER), which, row, column, tile,
        number(beta, which, beta_batch), number(gamma, which, gamma_batch), d, squares, c_full, c_empty,
        GROUP, CORNER, SYMMETRIC, HAS_C, HAS_GAMMA,
    )  # fmt: skip
    return turn


@gluon.jit
def multiplier(
    d, factors, rows, columns, batch, depth, a_buffers, b_buffers, b_pairs, squares, barriers,
    GROUP: gl.constexpr, SYMMETRIC: gl.constexpr, STAGES: gl.constexpr, HAS_C: gl.constexpr, HAS_GAMMA: gl.constexpr,
    A_COLUMNS: gl.constexpr, B_COLUMNS: gl.constexpr,
):  # fmt: skip
    """What a group of warps that multiplies does."""
    wholes, corners, turns = count(rows, columns, batch, SYMMETRIC)
    turn = 0
    tile = 0
    for t in range(gl.program_id(0), turns, gl.num_programs(0)):
        if t < wholes:
            which, row, column = place(t, rows, columns, SYMMETRIC)
            turn = work(
                turn, tile, which, row, column, depth, factors, d, a_buffers, b_pairs, squares, barriers,
                GROUP, False, SYMMETRIC, STAGES, HAS_C, HAS_GAMMA, A_COLUMNS, B_COLUMNS,
            )  # fmt: skip
        elif SYMMETRIC:
            which, row = corner(t, wholes, corners, rows, GROUP)
            turn = work(
                turn, tile, which, row, row, depth, factors, d, a_buffers, b_buffers, squares, barriers,
                GROUP, True, SYMMETRIC, STAGES, HAS_C, HAS_GAMMA, A_COLUMNS, B_COLUMNS,
            )  # fmt: skip
        tile += 1  # noqa: SIM113 - the compiler knows no enumerate
    tma.store_wait(0)


@gluon.jit(do_not_specialize=["rows", "columns", "depth", "batch", "alpha_batch", "beta_batch", "gamma_batch"])
def specialised(
    a, b, c, d, alpha, beta, gamma, rows, columns, depth, batch, alpha_batch, beta_batch, gamma_batch,
    SYMMETRIC: gl.constexpr, STAGES: gl.constexpr, HAS_C: gl.constexpr, HAS_GAMMA: gl.constexpr,
    A_COLUMNS: gl.constexpr, B_COLUMNS: gl.constexpr,
):  # fmt: skip
    """D = alpha A B + beta C + gamma I by descriptors; b holds the transpose of B, which is A if SYMMETRIC."""
    a_buffers = gl.allocate_shared_memory(a.dtype, [2 * STAGES] + a.block_type.shape, a.layout)  # noqa: RUF005
    b_buffers = gl.allocate_shared_memory(b.dtype, [2 * STAGES] + b.block_type.shape, b.layout)  # noqa: RUF005
    squares = gl.allocate_shared_memory(d.dtype, [8] + d.block_type.shape, d.layout)  # noqa: RUF005
    # two parts lie one after the other as the 256 columns of a whole tile would
    pair: gl.constexpr = [STAGES, 1, SIDE, COLUMNS] if B_COLUMNS else [STAGES, 1, COLUMNS, SIDE]
    b_pairs = b_buffers._reinterpret(b.dtype, pair, b.layout)
    full = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    empty = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    c_full = gl.allocate_shared_memory(gl.int64, [2, 1], mbarrier.MBarrierLayout())
    c_empty = gl.allocate_shared_memory(gl.int64, [2, 1], mbarrier.MBarrierLayout())
    for s in gl.static_range(STAGES):
        mbarrier.init(full.index(s), count=1)
        mbarrier.init(empty.index(s), count=2)
    for g in gl.static_range(2):
        mbarrier.init(c_full.index(g), count=1)
        mbarrier.init(c_empty.index(g), count=1)
    fence_async_shared()
    barriers = (full, empty, c_full, c_empty)
    factors = (alpha, beta, gamma, alpha_batch, beta_batch, gamma_batch)
    gl.warp_specialize(
        [
            (multiplier, (
                d, factors, rows, columns, batch, depth, a_buffers, b_buffers, b_pairs,
                squares, barriers, 0, SYMMETRIC, STAGES, HAS_C, HAS_GAMMA, A_COLUMNS,
                B_COLUMNS,
            )),
            (multiplier, (
                d, factors, rows, columns, batch, depth, a_buffers, b_buffers, b_pairs,
                squares, barriers, 1, SYMMETRIC, STAGES, HAS_C, HAS_GAMMA, A_COLUMNS,
                B_COLUMNS,
            )),
            (reader, (
                a, b, c, rows, columns, batch, depth, (a_buffers, b_buffers, squares), barriers,
                SYMMETRIC, STAGES, HAS_C, A_COLUMNS, B_COLUMNS,
            )),
        ],
        [4, 1], [240, 24],
    )  # fmt: skip
