"""Which tile a program works on: device functions that turn a running number into a place of the grid.

Neighbouring numbers run at the same time, so they share rows and columns: bands of ``BAND`` tile rows are walked column
by column, and a wave of programs reads few different panels of its operands.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def row_in_triangle(t):
    """Row r of the t-th element of a lower triangle counted row by row: r (r + 1) / 2 <= t < (r + 1) (r + 2) / 2."""
    r = ((tl.sqrt(8.0 * t.to(tl.float32) + 1.0) - 1.0) * 0.5).to(tl.int32)
    # a float32 may be off by one row on either side
    r = tl.where(r * (r + 1) // 2 > t, r - 1, r)
    return tl.where((r + 1) * (r + 2) // 2 <= t, r + 1, r)


@triton.jit
def place_in_triangle(t, rows, BAND: tl.constexpr):
    """Row and column, row >= column, of tile t of the lower triangle of a grid of so many rows."""
    band = row_in_triangle(t) // BAND
    first = band * BAND
    height = tl.minimum(rows - first, BAND)
    inside = t - first * (first + 1) // 2  # as many tiles lie in the bands before
    rectangle = first * height
    corner = tl.maximum(inside - rectangle, 0)  # the triangle at the right end of the band
    down = row_in_triangle(corner)
    in_rectangle = inside < rectangle
    row = first + tl.where(in_rectangle, inside % height, down)
    column = tl.where(in_rectangle, inside // height, first + corner - down * (down + 1) // 2)
    return row, column


@triton.jit
def place_in_rectangle(t, rows, columns, BAND: tl.constexpr):
    """Row and column of tile t of a grid of rows x columns."""
    band = t // (BAND * columns)
    first = band * BAND
    height = tl.minimum(rows - first, BAND)
    inside = t - first * columns
    return first + inside % height, inside // height
