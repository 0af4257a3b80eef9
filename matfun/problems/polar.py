r"""Polar factor: X moves by $X \leftarrow X h(R)$ with $R = I - X^H X$, A tall or square.

X h(R) has the singular vectors of X, so each singular value moves by $\sigma \leftarrow \sigma\,h(1 - \sigma^2)$
and the limit 1 of all of them is the unitary factor.  Rational h are applied term by term: by a QR of
[X; sqrt(s) I] while the shift s is small, a Cholesky factorisation of G + s I after
(Nakatsukasa, Bai, Gygi 2010; the switch c = 1/s <= 100 as in JAX, Elemental and ECRC's codes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.ops import Array, Ops
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial, Scalar, Update
from matfun.problems.problem import Work

CHOLESKY_FROM_SHIFT = 1 / 100
"""Cholesky of G + s I is stable for s >= 1/100 (c <= 100, Nakatsukasa, Bai, Gygi 2010; JAX and others)."""

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
    """

    X: Array
    gram: Array | None = None
    gram_squared: Array | None = None
    divisor: Scalar | None = None


class PolarProblem:
    """The polar problem on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
        Source of sketches and completions.
    """

    p = 2

    def __init__(self, ops: Ops, rng: Any = None) -> None:
        self.ops = ops
        self.work = Work()
        self._rng = rng
        self._sketches: dict[tuple[int, int], Array] = {}

    def sketch(self, size: int, columns: int, like: Array) -> Array:
        """Gaussian S, shape (size, columns), E[S S^T] = I; drawn once per run and reused in every step."""
        key = (size, columns)
        if key not in self._sketches:
            self._sketches[key] = self.ops.normal(self._rng, key, like) * columns**-0.5
        return self._sketches[key]

    def scale_by_gram(self, state: PolarState) -> PolarState:
        """Divide X by ||G^2||_F^(1/4) >= ||X||_2, with G and G^2 kept for the first step.

        The k = 2 Gelfand bound; tighter than ||X||_F and free where the step forms G^2 anyway
        (Grishina, Smirnov, Rakhuba, arXiv 2506.10935).
        """
        ops = self.ops
        gram = ops.gram(state.X)
        square = ops.square(gram)
        self.work.products += 2
        bound = ops.positive_or_one(ops.plain_norm_fro(square)) ** 0.25
        return PolarState(state.X, gram, square, bound)

    def settle(self, state: PolarState) -> PolarState:
        """Carry out a pending division."""
        if state.divisor is None:
            return state
        return PolarState(self.ops.scale(state.X, 1 / state.divisor))

    def residual(self, state: PolarState) -> PolarResidual:
        """I - X^H X."""
        if state.gram is None:
            self.work.products += 1
            return PolarResidual(self, self.ops.gram(state.X))
        return PolarResidual(self, state.gram, state.gram_squared, state.divisor)

    def update(self, state: PolarState, residual: PolarResidual, h: Update) -> PolarState:
        """X h(R)."""
        ops = self.ops
        if isinstance(h, ExactRoot):
            U, _, Vh = ops.svd(self.settle(state).X)
            self.work.products += 1
            return PolarState(ops.matmul(U, Vh))
        if isinstance(h, PartialFractions):
            return PolarState(self._rational(self.settle(state).X, residual.scaled_gram, h))
        h, S, square = residual.operands(h)
        self.work.products += 1 + h.symmetric_products - (square is not None and h.symmetric_products > 0)
        return PolarState(ops.polynomial_step(state.X, S, h, square))

    def _rational(self, X: Array, gram: Array, h: PartialFractions) -> Array:
        ops, n = self.ops, X.shape[-1]
        total = ops.scale(X, h.constant)
        for weight, shift in zip(h.weights, h.shifts, strict=True):
            if shift == 0:  # Newton: X G^-1 = X^-H, which does not square the condition
                square = X.shape[-2] == n
                A, B = (ops.adjoint(X), ops.eye(n, n, X)) if square else (gram, ops.adjoint(X))
                B = ops.xp.broadcast_to(B, (*X.shape[:-2], *B.shape[-2:]))
                solved = ops.solve(A, B)
                term = ops.scale(solved if square else ops.adjoint(solved), weight)
            elif shift < CHOLESKY_FROM_SHIFT:
                root = ops.xp.broadcast_to(ops.eye(n, n, X) * shift**0.5, (*X.shape[:-2], n, n))
                Q, _ = ops.qr(ops.xp.concat([X, root], axis=-2))
                # X (G + s)^-1 = Q1 Q2^H / sqrt(s)
                m = X.shape[-2]
                term = ops.scale(ops.matmul(Q[..., :m, :], ops.adjoint(Q[..., m:, :])), weight / shift**0.5)
            else:
                L = ops.cholesky(ops.add_diagonal(gram, shift))
                half = ops.solve_triangular(L, ops.adjoint(X))
                term = ops.scale(ops.adjoint(ops.solve_triangular(ops.adjoint(L), half, lower=False)), weight)
            self.work.products += 1
            total = total + term
        return total

    def select(self, mask: np.ndarray[Any, Any], new: PolarState, old: PolarState) -> PolarState:
        """Matrix by matrix; a lone matrix needs no array operation."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        new, old = self.settle(new), self.settle(old)
        keep = self.ops.from_host(mask, new.X, self.ops.xp.bool)
        return PolarState(self.ops.select(keep, new.X, old.X))

    def as_host(self, x: Any) -> np.ndarray[Any, Any]:
        """Copy a device scalar to the host."""
        return self.ops.as_host(x)

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
        noise = ops.scale(ops.normal(self._rng, (m, n), X) * (m * n) ** -0.5, ops.plain_norm_fro(X))
        E = ops.eye(m, n, X) + noise
        gram = ops.gram(X)
        EP = ops.add_matmul(E, E, gram, alpha=-1.0)
        Y = ops.add_matmul(EP, X, ops.matmul(ops.adjoint(X), EP), alpha=-1.0)
        self.work.products += 4
        # half, because what is left of the null directions of X, sigma below 0.12 by now, adds to Y
        Y = ops.scale(Y, 0.5 / ops.positive_or_one(ops.plain_norm_fro(Y)))
        return PolarState((X + Y) * (1 - COMPLETION_MARGIN))


class PolarResidual:
    """R = I - G / divisor^2 of one state, formed only when somebody looks at it."""

    def __init__(
        self,
        problem: PolarProblem,
        gram: Array,
        gram_squared: Array | None = None,
        divisor: Scalar | None = None,
    ) -> None:
        self.problem = problem
        self.gram = gram
        self._gram_squared = gram_squared
        self._divisor = divisor
        self._matrix: Array | None = None
        self._square: Array | None = None

    @property
    def scaled_gram(self) -> Array:
        """G / divisor^2, shape (..., n, n)."""
        return self.gram if self._divisor is None else self.problem.ops.scale(self.gram, self._divisor**-2)

    @property
    def matrix(self) -> Array:
        """R, shape (..., n, n)."""
        if self._matrix is None:  # not cached_property, whose lock torch.compile cannot trace
            self._matrix = self.problem.ops.add_diagonal(-self.scaled_gram, 1.0)
        return self._matrix

    def square(self) -> Array:
        """R^2, one product."""
        if self._square is None:
            self.problem.work.products += 1
            self._square = self.problem.ops.square(self.matrix)
        return self._square

    def operands(self, h: Polynomial) -> tuple[Polynomial, Array, Array | None]:
        """h, the matrix it is a polynomial in, and the square of that matrix if it is known."""
        if self._divisor is not None:
            h, factor = h.in_basis("gram"), 1 / self._divisor
            square, folded = factor * factor, []
            for c in h.coefficients:
                folded.append(c * factor)
                factor = factor * square
            return Polynomial(tuple(folded), "gram"), self.gram, self._gram_squared if h.degree > 1 else None
        if h.basis == "gram":
            return h, self.gram, None
        return h, self.matrix, self._square

    def norm(self) -> Array:
        """||R||_F per matrix."""
        return self.problem.ops.plain_norm_fro(self.matrix)

    def projector_defect(self) -> Array:
        """||R^2 - R||_F per matrix."""
        return self.problem.ops.plain_norm_fro(self.square() - self.matrix)

    def inner_products(self, polynomials: Sequence[Sequence[float]], sketch_size: int | None) -> list[list[Scalar]]:
        """All <u_a(R) S, u_b(R) S>, formed as vectors first so that nothing cancels."""
        ops = self.problem.ops
        powers = self._powers(max(len(u) for u in polynomials) - 1, sketch_size)
        vectors = []
        for u in polynomials:
            terms = [powers[j] * c if c != 1 else powers[j] for j, c in enumerate(u) if c != 0]
            vectors.append(sum(terms[1:], start=terms[0]))
        return [[ops.dot(a, b) for b in vectors] for a in vectors]

    def _powers(self, highest: int, sketch_size: int | None) -> list[Array]:
        """[S, R S, ..., R^highest S]; with the identity for S, R^2 is shared with the update."""
        ops, work = self.problem.ops, self.problem.work
        n = self.gram.shape[-1]
        if sketch_size is None:
            powers = [ops.eye(n, n, self.gram), self.matrix]
            for j in range(2, highest + 1):
                powers.append(self.square() if j == 2 else ops.symm_matmul(self.matrix, powers[-1]))
                work.products += j > 2
            return powers
        powers = [self.problem.sketch(n, sketch_size, self.gram)]
        for _ in range(highest):
            powers.append(ops.thin_matmul(self.matrix, powers[-1]))
            work.thin += 1
        return powers

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float) -> Scalar:
        """Minimiser per matrix, left on the device."""
        return self.problem.ops.argmin(coefficients, lower, upper)
