"""PRISM: Newton-Schulz with its last coefficient fitted, at every step, to the spectrum at hand.

With h = (Taylor polynomial of one degree less) + alpha r^q, the next residual 1 - (1 - r) h(r)^p is u_0(r) + alpha
u_1(r) + ... + alpha^p u_p(r), and alpha minimises its sum of squares over the spectrum, or a Gaussian sketch of that
sum: a polynomial of degree 2 p on an interval, a quartic for the polar factor.
No bound on the singular values enters except an upper one: sigma <= 1 is safe, the sharp regions are a little wider.
Theorems (with the hypothesis they need) and caps: theory/prism.py.  Source: PRISM, arXiv 2601.22137, secs. 4-5.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from matfun.polynomials.fitted import fit_interval, next_residual
from matfun.polynomials.minimise import SOLVERS, Solver
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial, Update
from matfun.rules.rule import ResidualView, require, rule


@rule("prism", problems=("polar", "sign", "sqrt", "invroot", "inv"))
@dataclass(frozen=True)
class Prism:
    r"""Sketched adaptive Newton-Schulz iteration.

    Parameters
    ----------
    degree : {3, 5}
        2 q + 1 for h of degree q in the residual; the degree in X of polar and sign.
    sketch_size : int or None
        Columns of the Gaussian sketch, drawn with ``rng=``; None fits on the exact Frobenius norm, which costs two
        (degree 3) or three (degree 5) more products a step.
    warm_start : int
        First steps that take the upper end of the interval without fitting.
    fresh : bool
        Whether the sketch is drawn anew in every step, as Theorem 2 assumes, instead of once per call.
    solver : {"grid", "roots"}
        How alpha is found: on a grid of 65 points, or at the roots of the derivative in closed form, for p = 1 and 2
        only.  Newton's method follows in both.

    Notes
    -----
    2 or 3 products a step and 3 thin ones (1 + p for every p): degree 5 multiplies two powers of R at a time with the
    R^2 that its update needs.  Small singular values grow by at most 2 or 2.95 a step.  The fitted coefficient stays
    on the device.

    References
    ----------
    PRISM, arXiv 2601.22137 (2026), Thm 1 and 2.  The theorems need A^2 positive semidefinite; as printed they are
    false.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, H = matfun.polar(np.array([[4.0, 0.0], [3.0, -5.0]]), method=matfun.Prism(sketch_size=None))
    >>> bool(abs(U @ H - [[4, 0], [3, -5]]).max() < 1e-14)
    True
    """

    degree: int = 5
    sketch_size: int | None = 8
    warm_start: int = 0
    fresh: bool = False
    solver: Solver = "grid"

    def __post_init__(self) -> None:
        size, warm = self.sketch_size, self.warm_start
        require(self.degree in (3, 5), "degree", "3 or 5 (in X)", self.degree)
        require(size is None or (isinstance(size, Integral) and size >= 1), "sketch_size", "a count or None", size)
        require(isinstance(warm, Integral) and warm >= 0, "warm_start", "a number of steps", warm)
        require(isinstance(self.fresh, bool), "fresh", "True or False", self.fresh)
        require(self.solver in SOLVERS, "solver", f"one of {SOLVERS}", self.solver)

    @property
    def forms_square(self) -> bool:
        """Whether a step needs the square of the Gram matrix anyway."""
        return self.degree > 3

    def steepest(self, view: ResidualView) -> Polynomial:
        """With the largest alpha."""
        q = (self.degree - 1) // 2
        return Polynomial((*taylor_inverse_root(view.p, q)[:-1], fit_interval(view.p, q)[1]))

    def next(self, view: ResidualView) -> Update:
        """Fit alpha and return h.

        Raises
        ------
        ValueError
            For ``solver="roots"`` and p > 2.
        """
        q = (self.degree - 1) // 2
        require(self.solver == "grid" or view.p <= 2, "solver", f"'grid' for p = {view.p}", self.solver)
        interval = fit_interval(view.p, q)
        if view.step < self.warm_start:
            alpha = interval[1]
        else:
            parts = next_residual(view.p, q)
            alpha = view.fit(parts, self.sketch_size, interval, self.solver, square=q > 1, fresh=self.fresh)
        return Polynomial((*taylor_inverse_root(view.p, q)[:-1], alpha))
