"""Reading operands and adding up their products: device functions that both kernels share.

An operand is read by rows: element (i, k) of A, and element (j, k) of the transpose of B, so that A B is the product of
row i of the one with row j of the other.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def number(value, which, step):
    """The factor of one matrix: an argument, or read from device memory."""
    if value.dtype.is_ptr():
        return tl.load(value + which * step)
    else:  # noqa: RET505 - the compiler wants one of the two
        return value


@triton.jit
def multiply(x, y, total, PRECISION: tl.constexpr, WIDE: tl.constexpr):
    """Return total + x y^T in float32; WIDE multiplies in float32, for the interpreter, which has no bfloat16."""
    if WIDE:
        x = x.to(tl.float32)
        y = y.to(tl.float32)
    return tl.dot(x, tl.trans(y), total, input_precision=PRECISION)


@triton.jit
def product_by_pointers(
    a, b, rows, columns, first_row, first_column, depth, a_row, a_depth, b_row, b_depth,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr, DEPTH: tl.constexpr, PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One tile of A B in float32, for operands of any strides; what lies outside of a matrix is read as 0."""
    i = tl.arange(0, HEIGHT)
    j = tl.arange(0, WIDTH)
    k = tl.arange(0, DEPTH)
    # the start of a tile in 64 bits; what is added inside of a tile fits into 32
    x = a + first_row.to(tl.int64) * a_row + i[:, None] * a_row + k[None, :] * a_depth
    y = b + first_column.to(tl.int64) * b_row + j[:, None] * b_row + k[None, :] * b_depth
    inside_a = (first_row + i)[:, None] < rows
    inside_b = (first_column + j)[:, None] < columns
    total = tl.zeros((HEIGHT, WIDTH), tl.float32)
    for start in range(0, depth, DEPTH):
        inside = (start + k)[None, :] < depth
        left = tl.load(x, mask=inside_a & inside, other=0.0)
        right = tl.load(y, mask=inside_b & inside, other=0.0)
        total = multiply(left, right, total, PRECISION, WIDE)
        x += DEPTH * a_depth
        y += DEPTH * b_depth
    return total


@triton.jit
def read(operand, which, row, k, HEIGHT: tl.constexpr, DEPTH: tl.constexpr, COLUMNS: tl.constexpr):
    """HEIGHT rows of an operand through its descriptor, which is of its transpose where COLUMNS says so."""
    if COLUMNS:
        return tl.trans(operand.load([which, k, row]).reshape(DEPTH, HEIGHT))
    return operand.load([which, row, k]).reshape(HEIGHT, DEPTH)


@triton.jit
def product_by_descriptors(
    a, b, which, first_row, first_column, depth,
    HEIGHT: tl.constexpr, WIDTH: tl.constexpr, DEPTH: tl.constexpr,
    A_COLUMNS: tl.constexpr, B_COLUMNS: tl.constexpr, PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One tile of A B in float32; the memory unit reads 0 outside of a matrix."""
    total = tl.zeros((HEIGHT, WIDTH), tl.float32)
    for start in range(0, depth, DEPTH):
        left = read(a, which, first_row, start, HEIGHT, DEPTH, A_COLUMNS)
        right = read(b, which, first_column, start, WIDTH, DEPTH, B_COLUMNS)
        total = multiply(left, right, total, PRECISION, WIDE)
    return total


@triton.jit
def halves(x, HEIGHT: tl.constexpr, WIDTH: tl.constexpr):
    """Left and right half of a HEIGHT x WIDTH tile: stored one after the other they need half the shared memory."""
    return tl.split(tl.permute(tl.reshape(x, (HEIGHT, 2, WIDTH // 2)), (0, 2, 1)))
