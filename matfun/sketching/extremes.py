r"""Ends of the spectrum of a positive semidefinite operator from a few products, by Lanczos or by the power method.

Both see from inside and bound from outside by the same fact: a start column that is uniform on the sphere has a
weight w along the eigenvector in question that is not too small (thresholds.py).  Power method: $\lambda_1^{2k} w \le
\|G^k v\|^2$, so that the geometric mean over b columns gives $\log\lambda_1 \le (\sum_j \log\|G^k v_j\|^2 + C)/(2kb)$
but for the probability that C was made for (the idea is Dixon's, SIAM J. Numer. Anal. 20, 1983).
"""

from __future__ import annotations

from collections.abc import Callable

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.sketching.ends import Ends
from matfun.sketching.lanczos import column_dots, column_norms, ends, lanczos
from matfun.sketching.thresholds import exclusion_threshold

Operator = Callable[[Array], Array]

BOTH_ENDS = 2
"""Eigenvectors that the bounds speak of."""


def ends_by_lanczos(ops: Ops, multiply: Operator, block: Array, products: int, failure: float) -> Ends:
    """Ritz values, and bounds that are both right with probability 1 - failure.

    Parameters
    ----------
    ops : Ops
    multiply : callable
        G Z, G Hermitian positive semidefinite, for Z of the shape of the block.
    block : array, shape (..., n, b)
        Of independent normal numbers.
    products : int
    failure : float
    """
    n, columns = block.shape[-2:]
    found = ends(ops, lanczos(ops, multiply, block, products), exclusion_threshold(n, columns, failure, BOTH_ENDS))
    zero = ops.xp.zeros_like(found.least)
    return Ends(ops.xp.maximum(found.smallest, zero), found.largest, ops.xp.maximum(found.least, zero), found.most)


def ends_by_power(ops: Ops, multiply: Operator, block: Array, products: int, failure: float) -> Ends:
    """Rayleigh quotients of the power method, and bounds that are both right with probability 1 - failure.

    Half of the products go to the upper end, the others, on u I - G with the upper bound u, to the lower one, which is
    found to an error relative to u only.

    Parameters
    ----------
    ops : Ops
    multiply : callable
    block : array, shape (..., n, b)
    products : int
        At least 4.
    failure : float
    """
    n, columns = block.shape[-2:]
    threshold = exclusion_threshold(n, columns, failure, BOTH_ENDS)
    first = products // 2
    largest, most = _power(ops, multiply, block, first, threshold)

    def reflected(Z: Array) -> Array:
        return ops.scale(Z, most) - multiply(Z)

    gap, widest = _power(ops, reflected, block, products - first, threshold)
    zero = ops.xp.zeros_like(most)
    return Ends(ops.xp.maximum(most - gap, zero), largest, ops.xp.maximum(most - widest, zero), most)


def _power(ops: Ops, multiply: Operator, block: Array, products: int, threshold: float) -> tuple[Scalar, Scalar]:
    """Largest Rayleigh quotient after so many products less one, and the bound from the growth of the norms."""
    xp, columns = ops.xp, block.shape[-1]
    V = ops.widen(block)
    grown = None
    for _ in range(products):
        before = V / ops.positive_or_one(column_norms(ops, V))[..., None, :]
        V = ops.widen(multiply(xp.astype(before, block.dtype, copy=False)))
        norm = column_norms(ops, V)
        logarithm = xp.log(ops.positive_or_one(norm))
        grown = logarithm if grown is None else grown + logarithm
    quotient = column_dots(ops, before, V)
    bound = xp.exp((2 * xp.sum(grown, axis=-1) + threshold) / (2 * products * columns))
    zero = xp.all(norm == 0, axis=-1)
    return xp.max(quotient, axis=-1), xp.where(zero, xp.zeros_like(bound), bound)
