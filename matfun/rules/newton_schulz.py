"""Newton-Schulz: the Taylor polynomial of (1 - r)^(-1/p) at r = 0.

Every eigenvalue r of the residual moves by r <- 1 - (1 - r) h(r)^p.  Needs |r| < 1 on the whole spectrum
(singular values in (0, sqrt 2); the sharp regions are a little wider).
Rate, region and price: theory/newton_schulz.py.  Source: Higham, Functions of Matrices (2008), sec. 5.3, 8.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule


@rule("newton-schulz")
@dataclass(frozen=True)
class NewtonSchulz:
    r"""Newton-Schulz iteration, converging with order (degree + 1)/2.

    Parameters
    ----------
    degree : {3, 5, 7}
        Degree in X.  Higher degrees do not enlarge the region of convergence.

    Notes
    -----
    2, 3 or 4 products a step.  $\|R_k\|_2 \le \|R_0\|_2^{((d+1)/2)^k}$ whenever $\|R_0\|_2 < 1$.
    Small singular values grow by 1.5, 1.875 or 2.1875 a step.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 5.3, 5.8, 8.3.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> curve = matfun.simulate(matfun.NewtonSchulz(degree=3), [0.5, 1.0], steps=1)
    >>> [float(sigma) for sigma in curve.sigmas[1]]
    [0.6875, 1.0]
    """

    degree: int = 5

    def __post_init__(self) -> None:
        require(self.degree in (3, 5, 7), "degree", "3, 5 or 7 (in X)", self.degree)

    @property
    def forms_square(self) -> bool:
        """Whether a step needs the square of the Gram matrix anyway."""
        return self.degree > 3

    def next(self, view: ResidualView) -> Update:
        """Return the Taylor polynomial, the same in every step."""
        return Polynomial(taylor_inverse_root(view.p, (self.degree - 1) // 2))
