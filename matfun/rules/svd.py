"""The reference: the exact function (1 - r)^(-1/p) through the library's own SVD, then polished.

LAPACK's singular vectors are orthonormal to some ten units in the last place; Newton-Schulz steps, run only if the
residual asks for them, bring that to rounding.  Theory: theory/svd.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, Polynomial, Update
from matfun.rules.rule import ResidualView, rule


@rule("svd")
@dataclass(frozen=True)
class Svd:
    """Unitary factor U V^H of the singular value decomposition.

    Notes
    -----
    One SVD (some 20 n^3 flops for n x n) and the product U V^H; in a fixed number of steps, 2 products for every
    further one, which polishes.  Singular values that are zero
    get the completion that the SVD routine chose.  The backward error is the library's: LAPACK's reached twice
    (12 + sqrt k) eps on the gallery, where Newton-Schulz, PRISM and Polar Express stay below it
    (benchmarks/results/stability.json).

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 8.1.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, H = matfun.polar(np.array([[0.0, -2.0], [1.0, 0.0]]), method="svd")
    >>> bool(abs(H - np.diag([1, 2])).max() < 1e-15)
    True
    """

    exact = True

    def next(self, view: ResidualView) -> Update:
        """Return the exact function first, the cubic Newton-Schulz polish after."""
        if view.step == 0:
            return ExactRoot(view.p)
        return Polynomial(taylor_inverse_root(view.p, 1))
