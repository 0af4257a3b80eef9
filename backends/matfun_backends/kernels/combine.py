"""D = a S + b T + c I in one pass over the memory: torch takes three, and a slow one for each factor on the device.

A program has one row of one matrix.  Sums are in float32.  The factors are numbers, or are read from device memory, one
per matrix.
"""

from __future__ import annotations

import triton
import triton.language as tl

from matfun_backends.kernels.load import number

_ANY = ["a_batch", "b_batch", "c_batch"]
"""Numbers that are not worth a compilation for each kind of value."""


@triton.jit(do_not_specialize=_ANY)
def combine(
    s, t, d, a, b, c, rows, columns, s_batch, s_row, t_batch, t_row, d_batch, d_row, a_batch, b_batch, c_batch,
    HAS_T: tl.constexpr, HAS_C: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Rows are contiguous; T, and c for square matrices, may be missing."""
    row = tl.program_id(0) % rows
    start_of_row = row.to(tl.int64)  # rows may lie further apart than 32 bits count
    which = (tl.program_id(0) // rows).to(tl.int64)
    first = number(a, which, a_batch)
    second = number(b, which, b_batch)
    shift = number(c, which, c_batch)
    for start in range(0, columns, WIDTH):
        j = start + tl.arange(0, WIDTH)
        inside = j < columns
        value = first * tl.load(s + which * s_batch + start_of_row * s_row + j, mask=inside, other=0.0).to(tl.float32)
        if HAS_T:
            value += second * tl.load(t + which * t_batch + start_of_row * t_row + j, mask=inside, other=0.0).to(
                tl.float32
            )
        if HAS_C:
            value += tl.where(j == row, shift, 0.0)
        tl.store(d + which * d_batch + start_of_row * d_row + j, value.to(d.dtype.element_ty), mask=inside)
