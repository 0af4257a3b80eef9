"""What the matrix problems share: products counted, sketches drawn once, and a residual that is a matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from matfun.ops import Array, Ops
from matfun.polynomials.minimise import Solver
from matfun.polynomials.update import Basis, PartialFractions, Polynomial, Scalar
from matfun.problems.problem import Work
from matfun.sketching.ends import Ends, root
from matfun.sketching.lanczos import ends, lanczos

NewtonScaling = Literal["one-inf", "frobenius", "determinant"]

SCALE_WHILE_ABOVE = 1e-2
"""Newton's scaling factors are 1 once ||R||_F is below this (Higham's MFToolbox stops at a relative change of 1e-2)."""


class MatrixProblem:
    """A problem on one array library.

    Parameters
    ----------
    ops : Ops
    rng : numpy.random.Generator, seed or None
        Source of sketches and completions.
    """

    p = 2
    largest = 1.0

    def __init__(self, ops: Ops, rng: Any = None) -> None:
        self.ops = ops
        self.work = Work()
        self.rng = rng
        self._sketches: dict[tuple[int, int], Array] = {}
        self._draws = 0

    def sketch(self, size: int, columns: int, like: Array, *, fresh: bool = False) -> Array:
        """Gaussian S, shape (size, columns), E[S S^T] = I; drawn once per run and reused, unless ``fresh``."""
        key = (size, columns)
        if fresh:
            return self._next_draw(key, like) * columns**-0.5
        if key not in self._sketches:
            self._sketches[key] = self.ops.normal(self.rng, key, like) * columns**-0.5
        return self._sketches[key]

    def _next_draw(self, shape: tuple[int, int], like: Array) -> Array:
        """Normal numbers that follow on those of the draw before, of a seed too."""
        if not isinstance(self.rng, np.random.Generator):
            if self.ops.is_traced(like):  # which cannot make a generator: the earlier numbers are drawn again
                self._draws += 1
                return self.ops.normal(self.rng, (self._draws, *shape), like)[-1, ...]
            self.rng = np.random.default_rng(self.rng)
        return self.ops.normal(self.rng, shape, like)

    def as_host(self, x: Any) -> np.ndarray[Any, Any]:
        """Copy a device scalar to the host."""
        return self.ops.as_host(x)

    def pick(self, mask: np.ndarray[Any, Any], new: Array, old: Array) -> Array:
        """Take new where the host mask holds, matrix by matrix: a select, never a blend."""
        if mask.ndim == 0 or mask.all() or not mask.any():
            return new if mask.all() else old
        return self.ops.select(self.ops.from_host(mask, new, self.ops.xp.bool), new, old)

    def identity_like(self, X: Array) -> Array:
        """A stack of identity matrices of the shape of X."""
        n = X.shape[-1]
        return self.ops.xp.broadcast_to(self.ops.eye(n, n, X), X.shape)

    def function_matrix(self, residual: MatrixResidual, h: Polynomial | PartialFractions) -> Array:
        """h(R) as a matrix, its constant on the diagonal."""
        ops = self.ops
        if isinstance(h, Polynomial):
            c = h.coefficients
            S = residual.matrix if h.basis == "residual" else residual.one_minus
            if h.degree == 0:
                return ops.scale(ops.eye(S.shape[-1], S.shape[-1], S), c[0])
            return ops.add_diagonal(residual.polynomial(h), c[0])
        M = residual.one_minus
        total = ops.scale(ops.eye(M.shape[-1], M.shape[-1], M), h.constant)
        if h.higher:
            total = total + ops.polynomial(M, (0.0, *h.higher), hermitian=residual.hermitian)
            self.work.products += Polynomial((0.0, *h.higher)).symmetric_products
        for weight, shift in zip(h.weights, h.shifts, strict=True):
            s = shift if isinstance(shift, (int, float)) else residual.on_device(shift)
            inverse = (
                residual.inverse() if isinstance(s, (int, float)) and s == 0 else ops.inverse(ops.add_diagonal(M, s))
            )
            self.work.products += 1
            total = total + ops.scale(inverse, weight)
        return total


class MatrixResidual:
    """R of one state, given as M = I - R or as R itself, and questioned by the rule and the driver.

    Parameters
    ----------
    problem : MatrixProblem
    one_minus : array, shape (..., n, n), or None
        M = I - R; None where it is formed when somebody asks for it.
    hermitian : bool
        Whether R is Hermitian to the last bit.
    scale : Scalar
        How much larger than for an isometry the rounding errors of R are, a device scalar or a float.
    like : array, optional
        Has the library, device and dtype of M.
    """

    def __init__(
        self, problem: Any, one_minus: Array | None, *, hermitian: bool, scale: Scalar = 1.0, like: Array | None = None
    ) -> None:
        self.problem = problem
        self.hermitian = hermitian
        self.scale = scale
        self._one_minus = one_minus
        self._like: Any = one_minus if like is None else like
        self._matrix: Array | None = None
        self._square: Array | None = None
        self._inverse: Array | None = None

    @property
    def one_minus(self) -> Array:
        """M = I - R, shape (..., n, n)."""
        return self._one_minus

    @property
    def matrix(self) -> Array:
        """R, shape (..., n, n)."""
        if self._matrix is None:  # not cached_property, whose lock torch.compile cannot trace
            self._matrix = self._form()
        return self._matrix

    def _form(self) -> Array:
        """R, when somebody asks for it for the first time."""
        return self.problem.ops.identity_minus(self.one_minus)

    def square(self) -> Array:
        """R^2, one product."""
        if self._square is None:
            self.problem.work.products += 1
            ops, R = self.problem.ops, self.matrix
            self._square = ops.square(R) if self.hermitian else ops.matmul(R, R)
        return self._square

    def inverse(self) -> Array:
        """M^-1."""
        if self._inverse is None:
            self._inverse = self.problem.ops.inverse(self.one_minus)
        return self._inverse

    def polynomial(self, h: Polynomial) -> Array:
        """H of R or of M, whichever its basis says, without its constant; its products are counted."""
        if h.basis == "gram":
            S, square = self.one_minus, None
        else:
            S, square = self.matrix, self._square if h.degree > 1 else None
        self.problem.work.products += h.symmetric_products - (square is not None and h.symmetric_products > 0)
        P: Array = self.problem.ops.polynomial(S, h.coefficients, square, hermitian=self.hermitian)
        return P

    def on_device(self, values: np.ndarray[Any, Any]) -> Scalar:
        """Host values, one per matrix, as device scalars."""
        ops, M = self.problem.ops, self._like
        return ops.from_host(values, ops.xp.real(M) if ops.is_complex(M) else M)

    def norm(self) -> Array:
        """||R||_F per matrix."""
        return self.problem.ops.plain_norm_fro(self.matrix)

    def rounding(self) -> Scalar:
        """How much larger than for an isometry the rounding errors of R are."""
        return self.scale

    def projector_defect(self) -> Array:
        """||R^2 - R||_F per matrix."""
        return self.problem.ops.plain_norm_fro(self.square() - self.matrix)

    def inner_products(
        self,
        polynomials: Sequence[Sequence[float]],
        sketch_size: int | None,
        *,
        square: bool = False,
        fresh: bool = False,
    ) -> list[list[Scalar]]:
        """All <u_a(R) S, u_b(R) S>, formed as vectors first so that nothing cancels, over rho^(2 k).

        k is the lowest power that occurs in any u.  The vectors are sums of powers of R/rho, whose elements are around
        1, and of rho: near convergence the powers of R itself underflow.  16-bit products are summed in float32.
        """
        ops = self.problem.ops
        highest = max(len(u) for u in polynomials) - 1
        if sketch_size is None:
            powers, rho = self._exact_powers(highest)
        else:
            powers, rho = self._sketched_powers(highest, sketch_size, square=square and highest > 1, fresh=fresh)
        least = min(j for u in polynomials for j, c in enumerate(u) if c != 0)
        vectors = []
        for u in polynomials:
            terms = [
                ops.scale(ops.widen(powers[j]), c * rho ** (j - least) if j > least else c)
                for j, c in enumerate(u)
                if c != 0
            ]
            vectors.append(sum(terms[1:], start=terms[0]))
        return [[ops.dot(a, b) for b in vectors] for a in vectors]

    def fit_at_once(
        self, polynomials: Sequence[Sequence[float]], columns: int, interval: tuple[float, float], *, fresh: bool
    ) -> Scalar | None:
        """What ``ResidualView.fit`` looks for, where the library has it in few launches; else None."""
        ops, n = self.problem.ops, self._like.shape[-1]
        if not self.hermitian:
            return None
        found = ops.fit(
            self.matrix,
            columns,
            lambda: self.problem.sketch(n, columns, self._like, fresh=fresh),
            polynomials,
            interval,
        )
        if found is not None:
            self.problem.work.thin += max(map(len, polynomials)) - 1
        return found

    def _exact_powers(self, highest: int) -> tuple[list[Array], Scalar]:
        """[I, R/rho, ..., (R/rho)^highest] and rho; R^2 is shared with the update."""
        ops, R = self.problem.ops, self.matrix
        n = R.shape[-1]
        rho, small = self._size(R)
        multiply = ops.symm_matmul if self.hermitian else ops.matmul
        powers = [ops.eye(n, n, R), self._narrow(ops.scale(ops.widen(R), small))]
        if highest > 1:
            powers.append(self._narrow(ops.scale(ops.widen(self.square()), small * small)))
        for _ in range(3, highest + 1):
            powers.append(multiply(powers[1], powers[-1]))
            self.problem.work.products += 1
        return powers, rho

    def _sketched_powers(self, highest: int, columns: int, *, square: bool, fresh: bool) -> tuple[list[Array], Scalar]:
        """[S, (R/rho) S, ..., (R/rho)^highest S] and rho, two powers at a time where R^2 is there."""
        ops, R = self.problem.ops, self.matrix
        S = ops.widen(self.problem.sketch(R.shape[-1], columns, R, fresh=fresh))
        if highest == 0:
            return [S], 1.0
        first = self._times(R, S)
        rho, small = self._size(first)
        powers = [ops.xp.broadcast_to(S, first.shape), ops.scale(first, small)]
        while len(powers) <= highest:
            if not square:
                powers.append(ops.scale(self._times(R, powers[-1]), small))
                continue
            # half of the division before the product and half after it: float16 holds neither rho^2 nor 1/rho^2
            block = powers[-2:][: highest + 1 - len(powers)]
            Z = ops.scale(self._times(self.square(), ops.scale(ops.xp.concat(block, axis=-1), small)), small)
            powers += [Z[..., i * columns : (i + 1) * columns] for i in range(len(block))]
        return powers, rho

    def _size(self, Z: Array) -> tuple[Scalar, Scalar]:
        """Norm of Z = R S, which is near that of R for a sketch, over sqrt(n), and its inverse; 1 and 0 below eps.

        There a fit tells nothing that rounding would show, and derivatives of the norm would overflow.
        """
        ops = self.problem.ops
        square = ops.dot(Z, Z) / Z.shape[-2]
        nothing = square <= ops.eps(Z.dtype) ** 2
        rho = ops.xp.where(nothing, ops.xp.full_like(square, 1.0), square) ** 0.5
        return rho, ops.xp.where(nothing, ops.xp.zeros_like(square), 1 / rho)

    def _narrow(self, Z: Array) -> Array:
        """Z in the dtype of the products."""
        dtype = self._like.dtype
        return Z if Z.dtype == dtype else self.problem.ops.xp.astype(Z, dtype)

    def _times(self, A: Array, Z: Array) -> Array:
        """A Z for a thin Z, in the dtype of A, the result at least in float32."""
        self.problem.work.thin += 1
        ops = self.problem.ops
        return ops.widen(ops.thin_matmul(A, self._narrow(Z)))

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float, solver: Solver = "grid") -> Scalar:
        """Minimiser per matrix, left on the device."""
        return self.problem.ops.argmin(coefficients, lower, upper, solver)

    def ends(self, columns: int | None, products: int) -> Ends:
        """Ends of the spectrum of (I - R)^(1/p); R is taken to be Hermitian."""
        ops, p = self.problem.ops, self.problem.p
        # the ends are found on a grid: derivatives go through h(R) with h as it is
        if columns is None:
            M = ops.constant(self.one_minus)
            values = ops.eigh(M if self.hermitian else ops.hermitian_part(M))[0]
            low, high = values[..., 0], values[..., -1]
            return Ends(low, high, low, high).map(lambda m: root(ops.xp, m, p))
        R = ops.constant(self.matrix)
        block = self.problem.sketch(R.shape[-1], columns, R)
        runs = lanczos(ops, lambda Z: ops.thin_matmul(R, Z), block, products)
        self.problem.work.thin += len(runs.alphas)
        return ends(ops, runs).reversed(lambda r: root(ops.xp, 1 - r, p))

    def clip(self, x: Scalar, lower: Scalar, upper: Scalar) -> Scalar:
        """Per matrix, left on the device."""
        return self.problem.ops.clip(x, lower, upper)

    def minimax(self, degree: int, lower: Scalar, upper: Scalar, narrowest: float, basis: Basis) -> Polynomial:
        """Per matrix, left on the device."""
        best: Polynomial = self.problem.ops.minimax(degree, self.problem.p, lower, upper, narrowest, basis)
        return best

    inverse_products = 1
    """Products in ``apply_inverse``."""

    def apply_inverse(self, Z: Array, multiply: Callable[[Array, Array], Array]) -> Array:
        """M^-1 Z."""
        return multiply(self.inverse(), Z)

    def newton_fit(self, mu: Scalar, sketch_size: int | None) -> tuple[Scalar, ...]:
        """Quartic in a: ||(-r' + 2 a r' + a^2 r'^2 / m') S||_F^2 with m' = mu^2 m = 1 - r'."""
        ops, work, R = self.problem.ops, self.problem.work, self.matrix
        n, square = R.shape[-1], mu * mu
        exact = sketch_size is None
        multiply = ops.matmul if exact else ops.thin_matmul
        S = ops.eye(n, n, R) if exact else self.problem.sketch(n, sketch_size, R)

        def times_r(Z: Array, RZ: Array) -> Array:  # r' = 1 - mu^2 + mu^2 r loses nothing where mu is 1
            return ops.scale(Z, 1 - square) + ops.scale(RZ, square)

        first = times_r(S, R if exact else multiply(R, S))
        last = ops.scale(self.apply_inverse(times_r(first, multiply(R, first)), multiply), 1 / square)
        work.products += (1 + self.inverse_products) * exact
        work.thin += (2 + self.inverse_products) * (not exact)
        a, b, c = ops.dot(first, first), ops.dot(first, last), ops.dot(last, last)
        return (a, -4 * a, 4 * a - 2 * b, 4 * b, c)

    def newton_scaling(self, kind: NewtonScaling) -> Scalar:
        """Factor mu of Newton's iteration, per matrix: the size of M^-1 over that of M, to the power 1/(2 p)."""
        return self._scaling(kind, self.one_minus, self.inverse(), 1 / (2 * self.problem.p))

    def _scaling(self, kind: NewtonScaling, X: Array, inverse: Array, power: float) -> Scalar:
        ops = self.problem.ops
        if kind == "determinant":
            mu = ops.xp.exp(ops.log_abs_det(X) * (-2 * power / X.shape[-1]))
        elif kind == "frobenius":
            mu = (ops.plain_norm_fro(inverse) / ops.plain_norm_fro(X)) ** power
        else:
            ratio = ops.norm_one(inverse) / ops.norm_one(X) * (ops.norm_inf(inverse) / ops.norm_inf(X))
            mu = ratio ** (power / 2)
        return ops.xp.where(self.norm() > SCALE_WHILE_ABOVE, mu, ops.xp.ones_like(mu))
