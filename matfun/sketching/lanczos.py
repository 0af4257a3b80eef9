"""Several Lanczos runs at once, one for each column of a block, and what their tridiagonals say of the spectrum.

Independent runs need no orthogonalisation between columns: a step is one thin product and a few sums, nothing
branches and nothing waits for the device.  Ends of the spectrum are found from the signs and the product of the Sturm
ratios, on a grid that is refined: without a factorisation, for which CUDA libraries wait.
Sources: Lanczos 1950; Golub and Van Loan, Matrix Computations, 4th ed., sec. 8.4 and 10.1 (Sturm ratios).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf
from typing import Any

from matfun.ops import Array, Ops
from matfun.sketching.ends import Ends
from matfun.sketching.thresholds import exclusion_threshold

SMALLEST, LARGEST = 1e-30, 1e30
"""Representable in every dtype computed with, as are their quotients by numbers around 1."""

GRID_POINTS = 65
ROUNDS = 2
"""An end is found to 64^-2 of the bracket, 2.4e-4: far below what a few products leave unknown."""


@dataclass(frozen=True)
class Tridiagonals:
    """The tridiagonal matrices of all columns.

    Attributes
    ----------
    alphas, betas : tuple of arrays, shape (..., b)
        Diagonals, and as many off-diagonals: the last one belongs to the next step.
    n : int
        Size of the matrix they came from.
    """

    alphas: tuple[Array, ...]
    betas: tuple[Array, ...]
    n: int


def lanczos(ops: Ops, multiply: Callable[[Array], Array], block: Array, products: int) -> Tridiagonals:
    """Run Lanczos from every column of a block.

    Parameters
    ----------
    ops : Ops
    multiply : callable
        R Z for Z of the shape of the block; R Hermitian.
    block : array, shape (..., n, b)
    products : int
        At most n of them are made: the Krylov space is then exhausted.

    Notes
    -----
    ``products`` thin products.  16-bit matrices are multiplied in 16 bit, everything else is float32.
    """
    xp, n = ops.xp, block.shape[-2]
    W = ops.widen(block)
    beta = column_norms(ops, W)
    alphas: list[Array] = []
    betas: list[Array] = []
    before = V = W
    for _ in range(min(products, n)):
        before, V = V, W / xp.maximum(beta, xp.full_like(beta, SMALLEST))[..., None, :]
        W = ops.widen(multiply(xp.astype(V, block.dtype, copy=False)))
        alpha = column_dots(ops, V, W)
        if alphas:
            W = W - before * beta[..., None, :]
            alpha = xp.where(beta > 0, alpha, alphas[-1])  # an exhausted run repeats itself
        W = W - V * alpha[..., None, :]
        beta = column_norms(ops, W)
        alphas.append(alpha)
        betas.append(beta)
    return Tridiagonals(tuple(alphas), tuple(betas), n)


def column_dots(ops: Ops, V: Array, W: Array) -> Array:
    """Real inner products of the columns."""
    if ops.is_complex(V):
        return ops.xp.sum(ops.xp.real(ops.xp.conj(V) * W), axis=-2)
    return ops.xp.sum(V * W, axis=-2)


def column_norms(ops: Ops, V: Array) -> Array:
    """Euclidean norms of the columns."""
    return ops.xp.sqrt(column_dots(ops, V, V))


def ends(ops: Ops, found: Tridiagonals, threshold: float | None = None) -> Ends:
    """Ritz values at both ends, and the bounds beyond which no eigenvalue can be.

    Parameters
    ----------
    ops : Ops
    found : Tridiagonals
    threshold : float, optional
        For the bounds; default: that of ``exclusion_threshold``.

    Notes
    -----
    A point is beyond all Ritz values where every Sturm ratio of every column is positive, and excluded where besides
    the product of the p_k(x)^2 over the columns reaches e^threshold.  Both hold from some point on outwards.
    """
    xp, count, columns = ops.xp, len(found.alphas), found.alphas[0].shape[-1]
    level = exclusion_threshold(found.n, columns) if threshold is None else threshold
    # four searches at once, upwards, in a first axis: Ritz value and bound, of R and of -R
    alphas, betas = xp.stack(found.alphas), xp.stack(found.betas)
    alphas = xp.stack([alphas, alphas, -alphas, -alphas], axis=1)
    beside = xp.concat([xp.zeros_like(betas[:1, ...]), betas[:-1, ...], xp.zeros_like(betas[:1, ...])], axis=0)
    low = xp.max(alphas[0, ...], axis=-1)
    # Gershgorin's discs; from ``reach`` beyond them on the product is large enough
    high = xp.max(alphas + (beside[:-1, ...] + beside[1:, ...])[:, None, ...], axis=(0, -1))
    reach = ops.from_host([0.0, exp(level / (2 * columns * count))] * 2, low)
    shape = (4,) + (1,) * (low.ndim - 1)
    high = high + xp.reshape(reach, shape) * xp.max(betas, axis=(0, -1))
    levels = xp.reshape(ops.from_host([-inf, level / 2] * 2, low), (*shape, 1))
    steps = ops.from_host([i / (GRID_POINTS - 1) for i in range(GRID_POINTS)], low)
    for _ in range(ROUNDS):
        points = low[..., None] + (high - low)[..., None] * steps
        clear = _clear(xp, points, alphas, betas, levels)
        width = (high - low) / (GRID_POINTS - 1)
        first = xp.sum(xp.astype(~clear[..., :-1], low.dtype), axis=-1)  # the last point is clear
        low, high = low + width * xp.maximum(first - 1, xp.zeros_like(first)), low + width * first
    largest, most, smallest, least = high[0, ...], high[1, ...], -high[2, ...], -high[3, ...]
    # each is rounded outwards in its own grid
    return Ends(smallest, largest, xp.minimum(least, smallest), xp.maximum(most, largest))


def _clear(xp: Any, points: Array, alphas: Array, betas: Array, levels: Array) -> Array:
    """Whether a point is above all Ritz values of all columns and excluded, shape (4, ..., points)."""
    gaps = points[..., None, :] - alphas[..., None]
    tiny = xp.full_like(gaps[0, ...], SMALLEST)
    squares = (betas * betas)[:, None, ..., None]
    # p_k = prod ratio / beta; factors are capped far above what a bound needs, so that the product cannot overflow
    inverse = (1 / xp.maximum(betas, xp.full_like(betas, SMALLEST)))[:, None, ..., None]
    cap = xp.full_like(tiny, LARGEST ** (1 / betas.shape[0]))
    ratio = gaps[0, ...]
    least, total = ratio, None
    for j in range(betas.shape[0]):
        if j:
            ratio = gaps[j, ...] - squares[j - 1, ...] / ratio
            least = xp.minimum(least, ratio)
        ratio = xp.maximum(ratio, tiny)
        factor = xp.minimum(ratio * inverse[j, ...], cap)
        total = factor if total is None else total * factor
    assert total is not None
    enough = xp.sum(xp.log(xp.maximum(total, tiny)), axis=-2) >= levels
    return xp.all(least > 0, axis=-2) & enough
