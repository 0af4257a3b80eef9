"""The smaller Gram matrix of A as an operator on thin blocks, in a scale in which nothing over- or underflows."""

from __future__ import annotations

from collections.abc import Callable

from matfun.functions.inputs import Input
from matfun.ops import Array


def gram_operator(given: Input) -> tuple[Callable[[Array], Array], Array, Array]:
    """Z to X^H (X Z) with X = A 2^-exponent, or its adjoint where that is tall; X, and the exponent."""
    ops = given.ops
    X, exponent = ops.rescale(given.A)
    X = ops.adjoint(X) if X.shape[-2] < X.shape[-1] else X
    Xh = ops.adjoint(X)
    return lambda Z: ops.thin_matmul(Xh, ops.thin_matmul(X, Z)), X, exponent
