r"""Q R of a tall matrix in blocks of rows, by passes that hold one block at a time; Q is never stored.

CholeskyQR2 as in ``tall.py``: a pass for the Gram matrix, which finds the scale and what is not finite as well, and one
for the Gram matrix of $Q_1 = X L^{-H}$, whose rows are computed anew from those of A whenever they are needed.  Where
the eigenvalues of G are within a factor 2 of their mean the first pass is enough.

Where that is refused, R comes from QR factorisations of the blocks, combined in a tree: $R = W S V^H$ is as accurate as
by Householder's method.  $Q_1 = X V S^{-1}$ then has columns that rounding bends by about $u \kappa$, whatever the
condition $\kappa$, and passes with the Cholesky factor of its Gram matrix mend that.  X V is scaled column by column,
so that X = Q_1 S V^H holds to the rounding of X V: A loses no accuracy.  Columns for singular values below eps ||X||_F
are noise; Gaussian ones take their place, which completes Q.
Sources: Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, ETNA 44 (2015); Demmel, Grigori, Hoemmen, Langou, SIAM J. Sci.
Comput. 34 (2012), for the tree; Stathopoulos, Wu, SIAM J. Sci. Comput. 23 (2002), for the scaled eigenvectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from matfun.functions.long_sums import long_gram
from matfun.functions.tall import LARGEST_DEFECT, is_even
from matfun.ops import Array, Ops
from matfun.spread import RowBlocks

EMPIRICAL_MOST_REPAIRS = 4
"""Passes with a Cholesky factor of Q^H Q.  Three was the most needed: with a shift, for a large defect, for none (3240
square and tall matrices with null spaces, in single and double precision)."""

SHIFT = 4.0
"""Of eps tr(Q^H Q), added where Cholesky's factorisation fails: a few times the rounding of the Gram matrix (Fukaya and
others, Shifted Cholesky QR, SIAM J. Sci. Comput. 42, 2020).  Gaussian columns in a square matrix may be so near."""


@dataclass(frozen=True)
class Look:
    """What the first pass finds: X = A 2^-exponent has a Frobenius norm in [1, 2).

    Attributes
    ----------
    exponent : array, shape ()
        A whole number in floating point.
    gram : array, shape (n, n)
        X^H X; not finite where A is not, zero where A is.
    """

    exponent: Array
    gram: Array


def first_look(ops: Ops, blocks: RowBlocks) -> Look:
    """Gram matrix and scale; waits for no device.

    Parameters
    ----------
    ops : Ops
        For the blocks.
    blocks : RowBlocks
    """
    twice, gram = blocks.scaled_total(ops, partial(_scaled_gram, ops))
    with ops.quiet():
        size = ops.trace(ops.xp.real(gram) if ops.is_complex(gram) else gram)
        usable = (size > 0) & ops.xp.isfinite(size)
        more = ops.xp.floor(ops.xp.log2(ops.xp.where(usable, size, ops.xp.ones_like(size))) / 2)
        limit = ops.exponent_limit(gram.dtype)
        exponent = ops.xp.clip(twice / 2 + more, -limit, limit)
        return Look(exponent, ops.times_power_of_two(gram, twice - 2 * exponent))


def _scaled_gram(ops: Ops, block: Array, start: int) -> tuple[Array, Array]:  # noqa: ARG001 - a part of any rows
    limit = ops.exponent_limit(block.dtype)
    if block.shape[-2] == 0:
        gram = ops.scale(ops.eye(block.shape[-1], block.shape[-1], block), 0.0)
        return ops.max_abs(gram) - 2 * limit, gram
    with ops.quiet():
        X, exponent = ops.prescale(block)
        gram = long_gram(ops, X)
        # zero blocks must not keep the scale of the others up
        zero = ops.max_abs(gram) == 0
        twice = ops.xp.where(zero, ops.xp.full_like(exponent, -2 * limit), 2 * exponent)
        return twice, gram


@dataclass(frozen=True)
class RowFactors:
    """A = Q R 2^exponent with orthonormal Q, shape (m, n), and R, shape (n, n).

    Attributes
    ----------
    form : callable
        Rows of a first matrix from those of A and the start.
    start : tuple of array
        Small arrays, the exponent first.
    divisors : tuple of array, shape (n, n)
        Q is the first matrix times L_1^-H L_2^-H ...
    R : array, shape (n, n)
    products : int
        With the large side, of the passes so far.
    form_products : int
        With the large side, of ``form``.
    completed : bool
        Whether columns of Q are arbitrary.
    """

    form: Callable[..., Array]
    start: tuple[Array, ...]
    divisors: tuple[Array, ...]
    R: Array
    products: int
    form_products: int = 0
    completed: bool = False

    @property
    def all_products(self) -> int:
        """With the large side, U = Q Y included."""
        return self.products + self.form_products + max(1, len(self.divisors))

    def product(self, ops: Ops, Y: Array) -> tuple[Callable[..., Array], tuple[Array, ...]]:
        """Part that gives the rows of Q Y for Y of shape (n, n), with its small arrays.

        Parameters
        ----------
        ops : Ops
        Y : array, shape (n, n)
        """
        if not self.divisors:
            return partial(_times, ops, self.form), (*self.start, Y)
        *others, last = self.divisors
        Y = ops.solve_triangular(ops.adjoint(last), Y, lower=False)
        return partial(_times, ops, partial(_divided, ops, self.form, len(others))), (*others, *self.start, Y)


def factor_rows(ops: Ops, blocks: RowBlocks, look: Look, rng: Any) -> RowFactors:
    """Q R of a finite matrix; waits for the device.

    Parameters
    ----------
    ops : Ops
        For the blocks.
    blocks : RowBlocks
    look : Look
    rng : numpy.random.Generator, seed or None
        Source of what completes Q where A is numerically rank deficient.

    Raises
    ------
    ValueError
        Where Q does not become orthonormal: the blocks changed from pass to pass.
    """
    exponent, gram = look.exponent, look.gram
    if not np.any(ops.as_host(ops.max_abs(gram)) > 0):
        return RowFactors(partial(_identity, ops), (exponent,), (), gram, 1, completed=True)
    with ops.quiet():
        L, products = ops.cholesky(gram), 1
        if np.all(np.isfinite(ops.as_host(ops.max_abs(L)))):
            found = RowFactors(partial(_scaled, ops), (exponent,), (L,), ops.adjoint(L), products)
            if is_even(ops, gram):
                return found
            found, defect = _orthonormal(ops, blocks, found, most=1.0)
            if defect <= LARGEST_DEFECT:
                return found
            products = found.products
        found, defect = _orthonormal(ops, blocks, _by_tree(ops, blocks, exponent, rng, products), most=float("inf"))
        if defect <= LARGEST_DEFECT:
            return found
    raise ValueError(
        "A: expected blocks that are the same whenever they are computed, got an orthonormal factor that is not "
        f"orthonormal after {EMPIRICAL_MOST_REPAIRS} passes (defect {defect:.1e})"
    )


def _orthonormal(ops: Ops, blocks: RowBlocks, found: RowFactors, most: float) -> tuple[RowFactors, float]:
    """Repair until the defect that was repaired last is small, or at least ``most``, or not a number."""
    for _ in range(EMPIRICAL_MOST_REPAIRS):
        found, defect = _repaired(ops, blocks, found)
        if not LARGEST_DEFECT < defect < most:
            break
    return found, defect


def _repaired(ops: Ops, blocks: RowBlocks, found: RowFactors) -> tuple[RowFactors, float]:
    """Factors with the Cholesky factor of Q^H Q divided out, and the norm of Q^H Q - I before that: one pass."""
    rows = partial(_divided, ops, found.form, len(found.divisors))
    (gram,) = blocks.total(partial(_gram_of_rows, ops, rows), *found.divisors, *found.start)
    defect = float(ops.as_host(ops.plain_norm_fro(ops.add_diagonal(gram, -1.0))))
    L = ops.cholesky(gram)
    if not np.all(np.isfinite(ops.as_host(ops.max_abs(L)))):
        size = ops.trace(ops.xp.real(gram) if ops.is_complex(gram) else gram)
        L = ops.cholesky(ops.add_diagonal(gram, SHIFT * ops.eps(gram.dtype) * size))
    R = ops.matmul(ops.adjoint(L), found.R)
    products = found.products + found.form_products + len(found.divisors) + 1
    return replace(found, divisors=(*found.divisors, L), R=R, products=products), defect


def _by_tree(ops: Ops, blocks: RowBlocks, exponent: Array, rng: Any, products: int) -> RowFactors:
    (R,) = blocks.fold(partial(_triangle, ops), partial(_triangle_of_two, ops), exponent)
    _, s, Vh = ops.svd(R)
    s, Vh = blocks.agree(s, Vh)
    host = ops.as_host(s).astype(np.float64)
    rank = int(np.sum(host > ops.eps(R.dtype) * np.linalg.norm(host)))
    m, n = blocks.shape
    seed = int(np.random.default_rng(rng).integers(2**63)) if rank < n else 0
    form = partial(_by_spectrum, ops, n - rank, m, seed)
    V = ops.adjoint(Vh[:rank, :])
    R = ops.xp.concat([s[:rank, None] * Vh[:rank, :], ops.xp.zeros_like(Vh[rank:, :])], axis=-2)
    return RowFactors(form, (exponent, V, 1 / s[:rank]), (), R, products, form_products=1, completed=rank < n)


def _scaled(ops: Ops, block: Array, start: int, exponent: Array) -> Array:  # noqa: ARG001
    return ops.times_power_of_two(block, -exponent)


def _by_spectrum(
    ops: Ops, missing: int, m: int, seed: int, block: Array, start: int, exponent: Array, V: Array, inverse: Array
) -> Array:
    Y = ops.matmul(ops.times_power_of_two(block, -exponent), V) * inverse[None, :]
    if not missing:
        return Y
    # of columns with norms near 1; seeded by the place, so that every pass sees the same ones
    noise = ops.normal((seed, start), (block.shape[-2], missing), block) * m**-0.5
    return ops.xp.concat([Y, noise], axis=-1)


def _identity(ops: Ops, block: Array, start: int, exponent: Array) -> Array:  # noqa: ARG001
    return identity_rows(ops, block, start)


def identity_rows(ops: Ops, block: Array, start: int) -> Array:
    """Rows of the m x n matrix with ones on its main diagonal.

    Parameters
    ----------
    ops : Ops
    block : array, shape (b, n)
        Gives shape, library, dtype and device.
    start : int
        Index of the first row.
    """
    rows, n = block.shape[-2:]
    values = np.zeros((rows, n))
    inside = np.arange(max(0, min(rows, n - start)))
    values[inside, start + inside] = 1.0
    return ops.from_host(values, block)


def same_rows(ops: Ops, block: Array, start: int) -> Array:  # noqa: ARG001 - a part of any rows
    """Copy the rows.

    Parameters
    ----------
    ops : Ops
    block : array, shape (b, n)
    start : int
        Index of the first row.
    """
    return ops.scale(block, 1.0)


def _divided(ops: Ops, form: Callable[..., Array], count: int, block: Array, start: int, *small: Array) -> Array:
    Y = form(block, start, *small[count:])
    for L in small[:count]:
        Y = ops.divide_by_adjoint(Y, L)
    return Y


def _times(ops: Ops, form: Callable[..., Array], block: Array, start: int, *small: Array) -> Array:
    return ops.matmul(form(block, start, *small[:-1]), small[-1])


def _gram_of_rows(ops: Ops, rows: Callable[..., Array], block: Array, start: int, *small: Array) -> tuple[Array]:
    with ops.quiet():
        return (long_gram(ops, rows(block, start, *small)),)


def _triangle(ops: Ops, block: Array, start: int, exponent: Array) -> tuple[Array]:  # noqa: ARG001
    rows, n = block.shape[-2:]
    X = ops.times_power_of_two(block, -exponent)
    if rows < n:  # so that R has one shape
        X = ops.xp.concat([X, ops.scale(ops.eye(n - rows, n, X), 0.0)], axis=-2)
    return (ops.qr(X)[1],)


def _triangle_of_two(ops: Ops, a: tuple[Array], b: tuple[Array]) -> tuple[Array]:
    return (ops.qr(ops.xp.concat([a[0], b[0]], axis=-2))[1],)
