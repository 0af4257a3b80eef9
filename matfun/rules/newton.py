r"""Newton's iteration: h = (mu + 1/(mu g)) / 2, X <- (mu X + X^-H / mu) / 2 for the polar factor.

Every singular value moves by sigma <- (mu sigma + 1/(mu sigma)) / 2.  Needs sigma > 0 only, no upper bound; without
scaling a large or small value is merely halved or doubled a step.  On the square-root problem it is the product form of
Denman and Beavers' iteration.  Rate and price: theory/newton.py.
Source: Higham, Functions of Matrices (2008), sec. 5.3, 5.5, 6.3, 8.3, 8.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from numbers import Real
from typing import Any

from matfun.polynomials.update import PartialFractions, Scalar, Update
from matfun.rules.rule import ResidualView, require, rule

SCALINGS = ("frobenius", "one-inf", "determinant", "byers-xu", "none")


@rule("newton", problems=("polar", "sign", "sqrt"))
@dataclass(frozen=True)
class Newton:
    r"""Newton's iteration, scaled.

    Parameters
    ----------
    scaling : {"frobenius", "one-inf", "determinant", "byers-xu", "none"}
        How mu is chosen: by the Frobenius norms of X and its inverse, by their 1- and infinity-norms (Higham), by
        the determinant, or from bounds on the singular values alone (Byers and Xu), which needs no norms in the loop.
        mu is 1 once the residual is below 1e-2.
    lower : float, optional
        Lower bound on the singular values of the scaled start, for "byers-xu".  Default: what the caller has
        estimated; eps/2 for a fixed number of steps.

    Notes
    -----
    One inverse a step, and one product for its residual.  At most 9 steps for condition numbers to 1e16 with the
    scaling of Byers and Xu.  Backward stable for every scaling but "none", on structured matrices too because the polar
    functions rotate them first.  A singular matrix has no inverse: the call
    ends as ``Status.SINGULAR``, and with fixed steps in NaN.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 8.6; Byers and Xu, SIMAX 30(2), 2008.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, H = matfun.polar(np.array([[4.0, 0.0], [3.0, -5.0]]), method="newton")
    >>> bool(abs(U @ H - [[4, 0], [3, -5]]).max() < 1e-14)
    True
    """

    scaling: str = "frobenius"
    lower: float | None = None

    needs_square = True

    def __post_init__(self) -> None:
        require(self.scaling in SCALINGS, "scaling", " or ".join(map(repr, SCALINGS)), self.scaling)
        low = self.lower
        require(low is None or (isinstance(low, Real) and 0 < low <= 1), "lower", "a number in (0, 1]", low)

    @property
    def wants_lower(self) -> bool:
        """Whether a bound on the smallest singular value should be estimated."""
        return self.scaling == "byers-xu" and self.lower is None

    @property
    def follows_lower(self) -> bool:
        """Whether mu follows from the bound alone."""
        return self.scaling == "byers-xu"

    def next(self, view: ResidualView) -> Update:
        """Choose mu and return h."""
        mu = self._factor(view)
        return PartialFractions(mu / 2, (1 / (2 * mu),), (0,))

    def _factor(self, view: ResidualView) -> Scalar:
        if self.scaling == "none":
            return 1.0
        if self.scaling == "byers-xu":
            return _byers_xu(float(self.lower or view.lower or view.eps / 2), view.step)
        return view.newton_scaling(self.scaling)


def _byers_xu(lower: float, step: int) -> Any:
    """Mu of a step for singular values in [lower, 1] (Byers and Xu 2008)."""
    mu = 1 / sqrt(lower)
    for k in range(step):
        mu = sqrt(2 * sqrt(lower) / (1 + lower)) if k == 0 else sqrt(2 / (mu + 1 / mu))
    return mu
