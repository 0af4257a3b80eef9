r"""Iannazzo's IN iteration: Newton's method for the square root, carried by its increments.

The map is that of unscaled Newton, x <- (x + a/x)/2 from x = a; the arithmetic is X <- X + E, E <- -E X^-1 E / 2, which
never inverts A itself and has a limiting accuracy of rounding (theory/iannazzo.py).
Source: Iannazzo, Calcolo 40, 2003; Higham, Functions of Matrices (2008), eq. 6.20.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.update import PartialFractions, Update
from matfun.rules.rule import ResidualView, rule


@rule("iannazzo", problems=("sqrt",))
@dataclass(frozen=True)
class Iannazzo:
    """The IN iteration for square roots.

    Notes
    -----
    One inverse and three products a step; no scaling, so that it needs about log2 of the square root of the condition
    number steps before it converges quadratically.

    References
    ----------
    Iannazzo, A note on computing the matrix square root, Calcolo 40, 2003; Higham (2008), sec. 6.3.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> bool(abs(matfun.sqrtm(np.diag([4.0, 9.0]), method="iannazzo") - np.diag([2, 3])).max() < 1e-14)
    True
    """

    increments = True

    def next(self, view: ResidualView) -> Update:  # noqa: ARG002
        """Return Newton's function."""
        return PartialFractions(0.5, (0.5,), (0,))
