"""PRISM's fit in one launch for each thin product and one for the minimum: torch takes some two hundred.

What is fitted is the Frobenius norm of u_0(R) S + alpha u_1(R) S + alpha^2 u_2(R) S, a quartic in alpha.  A pass
multiplies R with the last power, reading R once; the last pass adds up the inner products of the u_i(R) S, which are
formed first so that nothing cancels.  The arithmetic is that of ``MatrixResidual.inner_products`` and
``argmin_on_interval``, in float32, with powers of R/rho in place of R.
"""

from __future__ import annotations

import triton
import triton.language as tl

ROWS = 32
"""Of a program: 128 programs for a matrix of 4096."""

DEPTH = 256
"""Of the pieces of a row that are read at a time."""

WARPS, STAGES = 4, 4
"""Triton's ``num_warps`` and ``num_stages``."""

POINTS, NEWTON_STEPS, ROUNDINGS = 65, 4, 8.0
"""Of the minimum: those of matfun/polynomials/minimise.py, which says why (tests/backends/test_kernels.py)."""

PAIRS = tl.constexpr(6)
"""Inner products of three vectors."""


@triton.jit
def size(squares, which, count, n, EPS: tl.constexpr, COUNT: tl.constexpr):
    """Rho, the norm of R S over sqrt(n), and its inverse; 1 and 0 below eps."""
    i = tl.arange(0, COUNT)
    square = tl.sum(tl.load(squares + which * count + i, mask=i < count, other=0.0)) / n
    nothing = square <= EPS * EPS
    rho = tl.sqrt(tl.where(nothing, 1.0, square))
    return rho, tl.where(nothing, 0.0, 1.0 / rho)


@triton.jit
def thin(
    r, z, s, v, w, squares, sums, n, r_batch, r_row, z_batch,
    U: tl.constexpr, POWER: tl.constexpr, LAST: tl.constexpr, LEAST: tl.constexpr,
    COLUMNS: tl.constexpr, EPS: tl.constexpr,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, COUNT: tl.constexpr, PRECISION: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """ROWS rows of R z, as power POWER of R/rho into v and, as an operand of the next pass, into w."""
    count = tl.cdiv(n, ROWS)
    block = tl.program_id(0) % count
    which = (tl.program_id(0) // count).to(tl.int64)
    i = block * ROWS + tl.arange(0, ROWS)
    j = tl.arange(0, COLUMNS)
    rho, small = 1.0, 1.0
    if POWER > 1:
        rho, small = size(squares, which, count, n, EPS, COUNT)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for start in range(0, n, DEPTH):
        k = start + tl.arange(0, DEPTH)
        left = tl.load(
            r + which * r_batch + i[:, None].to(tl.int64) * r_row + k[None, :],
            mask=(i[:, None] < n) & (k[None, :] < n),
            other=0.0,
        )
        right = tl.load(z + which * z_batch + k[:, None] * COLUMNS + j[None, :], mask=k[:, None] < n, other=0.0)
        if POWER == 2:  # of R S itself, whose size was not known when it was stored
            right = right * small
        if WIDE:
            left, right = left.to(tl.float32), right.to(tl.float32)
        total = tl.dot(left, right.to(left.dtype), total, input_precision=PRECISION)
    inside = (i[:, None] < n) & (j[None, :] < COLUMNS)
    here = i[:, None] * COLUMNS + j[None, :]
    plane = n * COLUMNS  # of one power
    powers = v + which * LAST * plane  # from the first on
    if POWER == 1:
        tl.store(powers + here, total, mask=inside)
        tl.store(squares + which * count + block, tl.sum(total * total))
    else:
        total = total * small
        tl.store(powers + (POWER - 1) * plane + here, total, mask=inside)
        if POWER < LAST:
            tl.store(w + which * plane + here, total.to(w.dtype.element_ty), mask=inside)
        else:
            u0 = tl.zeros((ROWS, COLUMNS), tl.float32)
            u1, u2 = u0, u0
            for power in tl.static_range(LAST + 1):
                if power == 0:
                    term = tl.load(s + here, mask=inside, other=0.0).to(tl.float32)
                elif power == LAST:
                    term = total
                else:
                    term = tl.load(powers + (power - 1) * plane + here, mask=inside, other=0.0)
                if power == 1:
                    term = term * small
                for _ in tl.static_range(LEAST, power):
                    term = term * rho
                u0 += U[0][power] * term
                u1 += U[1][power] * term
                u2 += U[2][power] * term
            place = sums + which * PAIRS * count + block
            tl.store(place, tl.sum(u0 * u0))
            tl.store(place + count, tl.sum(u0 * u1))
            tl.store(place + 2 * count, tl.sum(u0 * u2))
            tl.store(place + 3 * count, tl.sum(u1 * u1))
            tl.store(place + 4 * count, tl.sum(u1 * u2))
            tl.store(place + 5 * count, tl.sum(u2 * u2))


@triton.jit
def rise(x, a, b, c, d):
    """Value of the quartic at x less that at 0."""
    return x * (a + x * (b + x * (c + x * d)))


@triton.jit
def solve(
    sums, alpha, count, lower, upper,
    COUNT: tl.constexpr, POINTS: tl.constexpr, PADDED: tl.constexpr, STEPS: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    """Minimum over [lower, upper] of the quartic of one matrix: a grid, and Newton's method within one of its cells."""
    which = tl.program_id(0).to(tl.int64)
    i = tl.arange(0, COUNT)
    place = sums + which * PAIRS * count + i
    some = i < count
    a = 2 * tl.sum(tl.load(place + count, mask=some, other=0.0))
    b = 2 * tl.sum(tl.load(place + 2 * count, mask=some, other=0.0))
    b += tl.sum(tl.load(place + 3 * count, mask=some, other=0.0))
    c = 2 * tl.sum(tl.load(place + 4 * count, mask=some, other=0.0))
    d = tl.sum(tl.load(place + 5 * count, mask=some, other=0.0))
    largest = tl.maximum(tl.maximum(tl.abs(a), tl.abs(b)), tl.maximum(tl.abs(c), tl.abs(d)))
    usable = (largest > 0) & (largest < float("inf"))  # false for NaN
    largest = tl.where(usable, largest, 1.0)
    a, b, c, d = a / largest, b / largest, c / largest, d / largest
    cell = (upper - lower) / (POINTS - 1)
    k = tl.arange(0, PADDED)
    points = tl.where(k < POINTS, lower + cell * k, upper)
    values = rise(points, a, b, c, d)
    start = tl.min(tl.where(values <= tl.min(values), points, upper))
    low, high = tl.maximum(start - cell, lower), tl.minimum(start + cell, upper)
    x = start
    for _ in tl.static_range(STEPS):
        bend = 2 * b + x * (6 * c + x * 12 * d)
        slope = a + x * (2 * b + x * (3 * c + x * 4 * d))
        moved = tl.minimum(tl.maximum(x - slope / tl.where(bend > 0, bend, 1.0), low), high)
        x = tl.where(bend > 0, moved, x)
    x = tl.where(rise(x, a, b, c, d) - rise(start, a, b, c, d) > ROUNDING, start, x)
    tl.store(alpha + which, tl.where(usable, x, lower))
