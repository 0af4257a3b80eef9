"""``matfun.estimate_singular_values``: the largest and the smallest one from a few thin products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matfun.functions.gram_operator import gram_operator
from matfun.functions.inputs import check_choice, check_count, check_matrix, check_rng
from matfun.ops import Ops
from matfun.sketching.checks import check_fraction
from matfun.sketching.ends import root
from matfun.sketching.extremes import ends_by_lanczos, ends_by_power

METHODS = {"lanczos": ends_by_lanczos, "power": ends_by_power}

LEAST = {"lanczos": 1, "power": 4}
"""Products of the Gram matrix: the power method needs two for each end."""


@dataclass(frozen=True)
class SingularValueEstimate:
    """Estimates of the extreme singular values, device scalars of shape (...), each with the side on which it errs.

    Attributes
    ----------
    smallest : Scalar
        Rayleigh quotients of the Gram matrix at its lower end: at least the smallest singular value, but for the
        resolution, 2^-12 of what is searched.
    largest : Scalar
        The same at the upper end: at most the largest singular value, but for that.
    lower, upper : Scalar
        Bounds below the smallest and above the largest one; both right with probability 1 - ``failure``.
    failure : float
        Over the random start block.
    products : int
        Thin products of A or its adjoint.
    """

    smallest: Any
    largest: Any
    lower: Any
    upper: Any
    failure: float
    products: int


def estimate_singular_values(
    A: Any,
    method: str = "lanczos",
    *,
    products: int = 12,
    columns: int = 4,
    failure: float = 1e-6,
    rng: Any = None,
    backend: str | Ops | None = None,
) -> SingularValueEstimate:
    r"""Estimate the extreme singular values of A, and bound them.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Real or complex; leading dimensions are a stack.  Never modified.  NaN or infinity in it gives NaN for that
        matrix.
    method : {"lanczos", "power"}
        ``"power"`` needs less memory, and more products for the same accuracy.
    products : int
        Products of the Gram matrix with the block, each of which is a product of A and one of its adjoint; at least
        1, of the power method 4.
    columns : int
        Of the start block.
    failure : float
        In (0, 1): probability, over the block, that one of the bounds is wrong.
    rng : numpy.random.Generator, seed or None
        Source of the block, drawn on the host.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    SingularValueEstimate

    Raises
    ------
    ValueError, TypeError
        For bad input, naming the argument.

    Notes
    -----
    2 ``products`` thin products, $4 m n b$ flops each pair, and no host synchronisation.  The smallest singular value
    is seen through $A^H A$, so that what is below $\sqrt\varepsilon \sigma_1$ is not told from zero, and a few products
    resolve no more than about $\sigma_1$ over their number.

    References
    ----------
    Hochstenbach, Probabilistic upper bounds for the matrix two-norm, J. Sci. Comput. 57 (2013); Dixon, SIAM J. Numer.
    Anal. 20 (1983).

    Examples
    --------
    >>> import numpy as np, matfun
    >>> found = matfun.estimate_singular_values(np.diag(np.linspace(1.0, 5.0, 200)), rng=0)
    >>> bool(4.9 < found.largest <= 5.001 and 5 <= found.upper < 6)
    True
    """
    check_choice("method", method, tuple(METHODS))
    check_count("products", products, least=LEAST[method])
    check_count("columns", columns, least=1)
    check_fraction("failure", failure)
    check_rng(rng)
    given = check_matrix(A, backend)
    ops = given.ops
    if 0 in given.A.shape:
        raise ValueError(f"A: expected at least one element, got shape {tuple(given.A.shape)}")
    with ops.quiet():
        multiply, X, exponent = gram_operator(given)
        n = X.shape[-1]
        block = ops.xp.broadcast_to(ops.normal(rng, (n, columns), X), (*X.shape[:-2], n, columns))
        found = METHODS[method](ops, multiply, block, products, float(failure))
        scale = ops.power_of_two(exponent)
        smallest, largest, lower, upper = (
            root(ops.xp, m, 2) * scale for m in (found.smallest, found.largest, found.least, found.most)
        )
    done = 2 * (min(products, n) if method == "lanczos" else products)
    return SingularValueEstimate(smallest, largest, lower, upper, float(failure), done)
