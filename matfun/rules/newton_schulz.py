"""Newton-Schulz: the Taylor polynomial of (1 - r)^(-1/p) at r = 0.

Every eigenvalue r of the residual moves by r <- 1 - (1 - r) h(r)^p.  Needs |r| < 1 on the whole spectrum
(singular values in (0, sqrt 2); the sharp regions are a little wider).
Rate, region and price: theory/newton_schulz.py.  Source: Higham, Functions of Matrices (2008), sec. 5.3, 8.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule


@rule("newton-schulz", problems=("polar", "sign", "sqrt", "invroot", "inv"))
@dataclass(frozen=True)
class NewtonSchulz:
    r"""Newton-Schulz iteration, converging with order (degree + 1)/2.

    On inverse p-th roots it is the coupled Newton iteration and its higher orders, on the inverse the hyperpower
    iterations: Schulz for degree 3, Chebyshev for degree 5.

    Parameters
    ----------
    degree : {3, 5, 7, 9}
        2 q + 1 for the Taylor polynomial of degree q in the residual; the degree in X of polar and sign.  Higher
        degrees do not enlarge the region of convergence.

    Notes
    -----
    Polar: 2, 3, 4 or 4 products a step.  $\|R_k\|_2 \le \|R_0\|_2^{((d+1)/2)^k}$ whenever $\|R_0\|_2 < 1$, for every p.
    Small singular values grow by 1.5, 1.875, 2.1875 or 2.46 a step.

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
        known = isinstance(self.degree, int) and self.degree in (3, 5, 7, 9)
        require(known, "degree", "3, 5, 7 or 9 (in X)", self.degree)

    @property
    def forms_square(self) -> bool:
        """Whether a step needs the square of the Gram matrix anyway."""
        return self.degree > 3

    def largest(self, p: int, lower: Any) -> Any:
        """Where the coupled iteration for the inverse p-th root wants the largest eigenvalue of M: the optimal start.

        The region of degree 3 is (0, p + 1), and both ends of [lower, 1] c should have the same image (Guo and Higham,
        SIMAX 28(3), 2006, as in Higham's MFToolbox); (p + 1)/2 where no lower bound is known.  1 for higher degrees.

        Parameters
        ----------
        p : int
        lower : numpy array or None
            Bound on the smallest eigenvalue, relative to the largest.
        """
        if self.degree > 3:
            return 1.0
        if lower is None:
            return (p + 1) / 2
        low = np.minimum(lower, 1 - 1e-6)
        root = low ** (-1 / p)
        return (p + 1) * (root - 1) / (root - low)

    def next(self, view: ResidualView) -> Update:
        """Return the Taylor polynomial, the same in every step."""
        return Polynomial(taylor_inverse_root(view.p, (self.degree - 1) // 2))
