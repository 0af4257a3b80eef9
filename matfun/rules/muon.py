"""Muon: one quintic with a steep start, repeated; it does not converge and does not mean to.

Singular values end up in a band around 1 (about 0.68 to 1.13), which an optimizer does not mind.
Band and growth: theory/muon.py.  Source of the constants: K. Jordan, Muon (2024), github.com/KellerJordan/Muon.
"""

from __future__ import annotations

from dataclasses import dataclass

from matfun.polynomials.presets import JORDAN
from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, rule


@rule("muon", converges=False)
@dataclass(frozen=True)
class Muon:
    """The constant quintic of the Muon optimizer; use it with ``steps=``.

    Notes
    -----
    3 products a step; small singular values grow by 3.4445 a step.  sup |sigma - 1| stays near 0.32 for ever, so a
    call with ``tol=`` ends as ``Status.STAGNATED``.

    References
    ----------
    K. Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024).

    Examples
    --------
    >>> import numpy as np, matfun
    >>> X = matfun.orthogonalize(np.diag([3.0, 2.0, 1.0]), method="muon", steps=5)
    >>> bool(np.all(abs(np.diag(X) - 1) < 0.4))
    True
    """

    def next(self, view: ResidualView) -> Update:  # noqa: ARG002
        """Return the constant quintic."""
        return Polynomial(JORDAN, basis="gram")
