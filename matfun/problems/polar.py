r"""Polar factor: X moves by $X \leftarrow X h(R)$ with $R = I - X^H X$, A tall or square.

X h(R) has the singular vectors of X, so each singular value moves by $\sigma \leftarrow \sigma\,h(1 - \sigma^2)$
and the limit 1 of all of them is the unitary factor.  Rational h are applied term by term: by a QR of
[X; sqrt(s) I] while the shift s is small, a Cholesky factorisation of G + s I after
(Nakatsukasa, Bai, Gygi 2010; the switch c = 1/s <= 100 as in JAX, Elemental and ECRC's codes).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from matfun.ops import Array
from matfun.polynomials.evaluation import choose
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial, Scalar, Update
from matfun.problems.factorised import eigen_function
from matfun.problems.matrix import MatrixProblem, MatrixResidual, NewtonScaling

CHOLESKY_FROM_SHIFT = 1 / 100
"""Cholesky of G + s I is stable for s >= 1/100 (c <= 100, Nakatsukasa, Bai, Gygi 2010; JAX and others)."""

LARGEST_FOLDED = 4
"""Degree of h up to which a division is folded into its coefficients: the power 2 q + 1 of the divisor is a normal
number (``Ops.prescale``, ``Ops.is_near_one``)."""

COMPLETION_MARGIN = 1 / 64
"""By this a completed start is shrunk, so that rounding, in 16 bits too, leaves its spectral norm below 1."""


@dataclass
class PolarState:
    """X, and where scaling has already formed them, its Gram matrix and the square of that.

    Attributes
    ----------
    X : array, shape (..., m, n), m >= n
    gram, gram_squared : array, shape (..., n, n), or None
    divisor : Scalar or None
        The state is X / divisor, gram and its square accordingly; folded into the coefficients of the next update,
        which costs no pass over the matrices.
    factor : array, shape (..., n, n), or None
        Of the Gram form (``polar_gram.py``): what X is still to be multiplied with; gram is that of the product.
    step : int
        Updates so far, which the Gram form counts.
    """

    X: Array
    gram: Array | None = None
    gram_squared: Array | None = None
    divisor: Scalar | None = None
    factor: Array | None = None
    step: int = 0


class PolarProblem(MatrixProblem):
    """The polar problem on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
        Source of sketches and completions.
    """

    def scale_by_gram(self, state: PolarState) -> PolarState:
        """Divide X by ||G^2||_F^(1/4) >= ||X||_2, with G and G^2 kept for the first step.

        The k = 2 Gelfand bound; tighter than ||X||_F and free where the step forms G^2 anyway
        (Grishina, Smirnov, Rakhuba, arXiv 2506.10935).
        """
        ops = self.ops
        gram = self.gram(state.X) if state.gram is None else state.gram
        square = ops.square(gram)
        self.work.products += 1
        norm = ops.divisor(square)
        # two square roots, unlike a power, are exact for powers of 16: whether X was scaled changes no bit
        root = sqrt(sqrt(norm)) if isinstance(norm, float) else (norm**0.5) ** 0.5
        return PolarState(state.X, gram, square, root)

    def gram(self, X: Array) -> Array:
        """X^H X of a state."""
        self.work.products += 1
        return self.ops.gram(X)

    def settle(self, state: PolarState) -> PolarState:
        """Carry out a pending division."""
        if state.divisor is None:
            return state
        return PolarState(self.ops.scale(state.X, 1 / state.divisor))

    def residual(self, state: PolarState) -> PolarResidual:
        """I - X^H X."""
        gram = state.gram
        if gram is None and not self.ops.has_residuals(state.X):
            gram = self.gram(state.X)
        return PolarResidual(self, state.X, gram, state.gram_squared, state.divisor)

    def update(self, state: PolarState, residual: PolarResidual | None, h: Update) -> PolarState:
        """X h(R); a factorisation needs no residual."""
        ops = self.ops
        if isinstance(h, ExactRoot):
            self.work.products += 1
            if h.factorisation == "eigh":  # of a Hermitian X, whose polar factor is its sign
                return PolarState(eigen_function(ops, self.settle(state).X, ops.xp.sign)[0])
            U, _, Vh = ops.svd(self.settle(state).X)
            return PolarState(ops.matmul(U, Vh))
        assert residual is not None
        if isinstance(h, PartialFractions):
            return PolarState(self._rational(self.settle(state).X, residual, h))
        X, h, S, square = residual.operands(h)
        self.work.products += 1 + h.symmetric_products - (square is not None and h.symmetric_products > 0)
        return PolarState(ops.polynomial_step(X, S, h, square))

    def _rational(self, X: Array, residual: PolarResidual, h: PartialFractions) -> Array:
        ops, (m, n) = self.ops, X.shape[-2:]
        gram = residual.one_minus
        total = ops.scale(X, h.constant)
        if h.higher:
            higher = Polynomial((0.0, *h.higher), "gram")
            total = ops.add_matmul(total, X, ops.polynomial(gram, higher.coefficients))
            self.work.products += 1 + higher.symmetric_products
        for weight, shift in zip(h.weights, h.shifts, strict=True):
            if (
                h.inverts and np.all(shift == 0) and m == n
            ):  # Newton: X G^-1 = X^-H, which does not square the condition
                term = ops.adjoint(residual.inverse())
            elif np.all(shift == 0):
                term = ops.adjoint(ops.solve(gram, ops.adjoint(X)))
            else:
                term = self._shifted(X, residual, shift)
            self.work.products += 1
            total = total + ops.scale(term, weight)
        return total

    def _shifted(self, X: Array, residual: PolarResidual, shift: Any) -> Array:
        """X (G + s)^-1, for one shift or one for each matrix of a stack."""
        ops, (m, n) = self.ops, X.shape[-2:]
        small = np.asarray(shift) < CHOLESKY_FROM_SHIFT

        def scalar(x: Any) -> Scalar:
            return float(x) if np.ndim(x) == 0 else residual.on_device(x)

        if small.any():
            root = ops.scale(ops.eye(n, n, X), scalar(np.sqrt(shift)))
            root = ops.xp.broadcast_to(root, (*X.shape[:-2], n, n))
            Q = ops.pivoted_q(ops.xp.concat([X, root], axis=-2))
            # Q1 Q2^H / sqrt(s), whatever the pivoting
            by_qr = ops.scale(ops.matmul(Q[..., :m, :], ops.adjoint(Q[..., m:, :])), scalar(1 / np.sqrt(shift)))
            if small.all():
                return by_qr
        L = ops.cholesky(ops.add_diagonal(residual.one_minus, scalar(shift)))
        half = ops.solve_triangular(L, ops.adjoint(X))
        by_cholesky = ops.adjoint(ops.solve_triangular(ops.adjoint(L), half, lower=False))
        return self.pick(small, by_qr, by_cholesky) if small.any() else by_cholesky

    def select(self, mask: np.ndarray[Any, Any], new: PolarState, old: PolarState) -> PolarState:
        """Matrix by matrix; a lone matrix needs no array operation."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        return PolarState(self.pick(mask, self.settle(new).X, self.settle(old).X))

    def complete(self, state: PolarState) -> PolarState:
        r"""Add an isometry between the null spaces of a partial isometry X.

        With the projectors $P = I - X^H X$ and $P' = I - X X^H$, $Y = P' E P$ maps the null space into the
        complement of
        the range, and X + Y has full rank for almost every E.  E is the identity plus ||X|| times a Gaussian matrix
        of the same size, so that the zero matrix gives U = I exactly.

        X is a partial isometry to the driver's ``NULL_SPACE_WIDTH`` only; two quintic Newton-Schulz steps take
        that from 1e-3 below rounding first, because the projectors would carry it into the polar factor.
        """
        ops = self.ops
        for _ in range(2):
            state = self.update(state, self.residual(state), Polynomial(taylor_inverse_root(self.p, 2)))
        X = state.X
        m, n = X.shape[-2:]
        noise = ops.scale(ops.normal(self.rng, (m, n), X) * (m * n) ** -0.5, ops.plain_norm_fro(X))
        E = ops.eye(m, n, X) + noise
        gram = ops.gram(X)
        EP = ops.add_matmul(E, E, gram, alpha=-1.0)
        Y = ops.add_matmul(EP, X, ops.matmul(ops.adjoint(X), EP), alpha=-1.0)
        self.work.products += 4
        # half, because what is left of the null directions of X, sigma below 0.12 by now, adds to Y
        Y = ops.scale(Y, 0.5 / ops.positive_or_one(ops.plain_norm_fro(Y)))
        return PolarState((X + Y) * (1 - COMPLETION_MARGIN))


class PolarResidual(MatrixResidual):
    """R = I - G / divisor^2 of one state, formed only when somebody looks at it."""

    def __init__(
        self,
        problem: PolarProblem,
        X: Array,
        gram: Array | None = None,
        gram_squared: Array | None = None,
        divisor: Scalar | None = None,
    ) -> None:
        super().__init__(problem, gram, hermitian=True, like=X)
        self._X = X
        self._gram_squared = gram_squared
        self._divisor = divisor

    @property
    def _gram(self) -> Array:
        if self._one_minus is None:
            # where somebody has looked at R first; what of G is below the spacing of 1 is lost, as it was to R
            formed = self._matrix is not None and self._divisor is None
            self._one_minus = self.problem.ops.identity_minus(self._matrix) if formed else self.problem.gram(self._X)
        return self._one_minus

    def _form(self) -> Array:
        """R, without G where that takes a pass less."""
        ops = self.problem.ops
        if self._divisor is not None:
            return ops.identity_minus(self._gram, self._divisor**-2)
        found = ops.identity_minus_gram(self._X) if self._one_minus is None else None
        if found is None:
            return ops.identity_minus(self._gram)
        self.problem.work.products += 1
        return found

    @property
    def one_minus(self) -> Array:
        """G / divisor^2, shape (..., n, n)."""
        gram = self._gram
        return gram if self._divisor is None else self.problem.ops.scale(gram, self._divisor**-2)

    def square(self) -> Array:
        """R^2, one product; none where scaling has left G and G^2."""
        if self._square is None and self._divisor is not None and self._gram_squared is not None:
            # I - 2 G/d^2 + G^2/d^4 is off by roundings of 1, which the largest r are near: d is at least ||X||_2
            ops, inverse = self.problem.ops, self._divisor**-2
            shifted = ops.scale(self._gram_squared, inverse * inverse) - ops.scale(self._gram, 2 * inverse)
            self._square = ops.add_diagonal(shifted, 1.0)
        return super().square()

    def operands(self, h: Polynomial) -> tuple[Array, Polynomial, Array, Array | None]:
        """X, h, the matrix it is a polynomial in, and the square of that matrix if it is known."""
        if self._divisor is not None:
            square = self._gram_squared if h.degree > 1 else None
            return self._divided(self._divisor, h.in_basis("gram"), square)
        if h.basis == "gram":
            return self._X, h, self._gram, None
        return self._X, h, self.matrix, self._square

    def _divided(
        self, divisor: Scalar, h: Polynomial, square: Array | None
    ) -> tuple[Array, Polynomial, Array, Array | None]:
        """Fold the pending division into h, or carry it out where that would cost h the scheme of its numbers."""
        ops, factor = self.problem.ops, 1 / divisor
        inverse, folded = factor * factor, []
        if h.degree > LARGEST_FOLDED or (square is not None and choose(h.coefficients).parameters):
            square = None if square is None else ops.scale(square, inverse * inverse)
            return ops.scale(self._X, factor), h, ops.scale(self._gram, inverse), square
        for i, c in enumerate(h.coefficients):
            factor = factor * inverse if i else factor  # no power that is not used: it might overflow
            folded.append(c * factor)
        return self._X, Polynomial(tuple(folded), "gram"), self._gram, square

    def inverse(self) -> Array:
        """X^-1 of a square X; the adjoint of X G^-1."""
        if self._inverse is None:
            X = self._X if self._divisor is None else self.problem.ops.scale(self._X, 1 / self._divisor)
            self._inverse = self.problem.ops.inverse(X)
        return self._inverse

    inverse_products = 2

    def apply_inverse(self, Z: Array, multiply: Callable[[Array, Array], Array]) -> Array:
        """G^-1 Z."""
        inverse = self.inverse()
        return multiply(inverse, multiply(self.problem.ops.adjoint(inverse), Z))

    def newton_scaling(self, kind: NewtonScaling) -> Scalar:
        """Factor mu of Newton's iteration from the sizes of X and X^-1."""
        X = self._X if self._divisor is None else self.problem.ops.scale(self._X, 1 / self._divisor)
        return self._scaling(kind, X, self.inverse(), 1 / 2)
