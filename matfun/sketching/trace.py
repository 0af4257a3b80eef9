r"""Traces of matrices that are known by their products with thin blocks.

Hutchinson's estimate is tr(S B S^H), unbiased for every S with $E[S^H S] = I$.  Hutch++ takes the trace on an
approximate range Q of A exactly, and estimates what is left: tr(Q^H A Q) + tr(S P A P S^H) with P = I - Q Q^H.
Sources: Hutchinson, Commun. Statist. Simula. 18 (1989); Meyer, Musco, Musco, Woodruff, Hutch++, SOSA 2021, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np

from matfun.ops import Array, Ops
from matfun.sketching.checks import generator
from matfun.sketching.distributions import Distribution

Multiply: TypeAlias = Callable[[Array], Array]
"""From a block Z, shape (n, k) or (..., n, k), to A Z, shape (..., n, k)."""


@dataclass(frozen=True)
class TraceEstimate:
    """An estimated trace.

    Attributes
    ----------
    value : array, shape (...)
        Real for real matrices; at least in float32.
    standard_error : array, shape (...), or None
        Root of an unbiased estimate of the variance, from the spread of the probes; None for a single probe and for
        ``SparseSign``, whose rows depend on each other.  For Hutch++ that of its second part, given the first.
    products : int
        With vectors, for each matrix of the stack.
    """

    value: Array
    standard_error: Array | None
    products: int


def hutchinson(
    ops: Ops, multiply: Multiply, like: Array, products: int, distribution: Distribution, rng: Any = None
) -> TraceEstimate:
    """Mean of z^H A z over probes z, which all matrices of a stack share.

    Parameters
    ----------
    ops : Ops
    multiply : callable
    like : array, shape (..., n, k)
        Gives n, library, device and dtype.
    products : int
        Number of probes.
    distribution : Distribution
    rng : numpy.random.Generator, seed or None

    Raises
    ------
    ValueError
        For more or fewer probes than the distribution can draw.
    """
    Z = _probes(ops, like, products, distribution, generator(rng))
    forms = _column_sums(ops, Z, multiply(Z))
    return TraceEstimate(
        ops.xp.sum(forms, axis=-1), _standard_error(ops, forms, distribution.population(like.shape[-2])), products
    )


def hutchpp(
    ops: Ops, multiply: Multiply, like: Array, products: int, distribution: Distribution, rng: Any = None
) -> TraceEstimate:
    """Hutch++: a third of the products for a range, a third for the trace on it, the rest for what is left.

    Parameters
    ----------
    ops : Ops
    multiply : callable
    like : array, shape (..., n, k)
        Gives n, library, device and dtype.
    products : int
        At least 3.  From 3n on the answer is exact to rounding, and no more than 2n are used.
    distribution : Distribution
        Of both sets of probes.
    rng : numpy.random.Generator, seed or None

    Raises
    ------
    ValueError
        For more or fewer probes than the distribution can draw.
    """
    rng, n = generator(rng), like.shape[-2]
    rank = min(products // 3, n)
    Q, _ = ops.qr(multiply(_probes(ops, like, rank, distribution, rng)))
    value = ops.xp.sum(_column_sums(ops, Q, multiply(Q)), axis=-1)
    if rank == n:
        return TraceEstimate(value, ops.xp.zeros_like(ops.xp.abs(value)), 2 * rank)
    rest = products - 2 * rank
    Z = _probes(ops, like, rest, distribution, rng)
    Z = Z - ops.matmul(Q, ops.matmul(ops.adjoint(Q), Z))
    forms = _column_sums(ops, Z, multiply(Z))
    return TraceEstimate(
        value + ops.xp.sum(forms, axis=-1), _standard_error(ops, forms, distribution.population(n)), products
    )


def _probes(ops: Ops, like: Array, count: int, distribution: Distribution, rng: np.random.Generator) -> Array:
    """S^H, shape (n, count)."""
    try:
        sample = distribution.draw(count, like.shape[-2], rng)
    except ValueError as error:
        raise ValueError(f"products: {count} probes are not what {distribution} can draw; {error}") from None
    return ops.from_host(np.ascontiguousarray(sample.matrix().T), like)


def _column_sums(ops: Ops, Z: Array, Y: Array) -> Array:
    """z_j^H y_j of all columns, shape (..., k)."""
    return ops.xp.sum((ops.xp.conj(Z) if ops.is_complex(Z) else Z) * Y, axis=-2)


def _standard_error(ops: Ops, forms: Array, population: float | None) -> Array | None:
    """Of the sum of forms s_j, drawn without replacement from a population whose sum is the trace.

    The mean of m s_j has the variance of m s_j over m, times 1 - m / population: Cochran, Sampling Techniques, 3rd ed.
    (1977), Theorem 2.2.
    """
    m = forms.shape[-1]
    if population is None or m == 1:
        return None
    spread = forms - ops.xp.mean(forms, axis=-1, keepdims=True)
    size = ops.positive_or_one(ops.xp.max(ops.xp.abs(spread), axis=-1))  # its square may not be representable
    norm = ops.xp.linalg.vector_norm(spread / size[..., None], axis=-1) * size
    return sqrt(m / (m - 1) * (1 - m / population)) * norm
