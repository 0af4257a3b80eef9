"""The verbs an algorithm may use, with their array-API defaults.

An algorithm uses Python operators, functions of the array API standard reached through ``ops.xp``, and the
verbs below; a provider (``matfun_backends.<library>``) subclasses :class:`Ops` and replaces what its library
does better.  Scalars are Python floats or device arrays of shape (...), one per matrix of a stack.
No verb modifies its arguments; only ``as_host`` may wait for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import floor, log2
from typing import Any, TypeAlias

import numpy as np

from matfun.polynomials.evaluation import Scheme, choose
from matfun.polynomials.minimise import Solver, argmin_by_roots, argmin_on_interval, grid
from matfun.polynomials.tabulated import minimax_on_device, table
from matfun.polynomials.update import Basis, Polynomial, Scalar
from matfun.sketching.samples import Dense, HostArray, Sample, Sparse, Transformed, walsh_hadamard

API_VERSION = 2
"""Raised whenever a verb changes its meaning; ``matfun_backends`` carries the same number."""

ROTATION_SEED = 20070101
"""Seed of the rotation that stands in for pivoting: any fixed one, so that results repeat."""

COEFFICIENT_BITS = 11
"""Coefficients of a polynomial of degree 9 that is below 2 on [-1, 1] are below 2^11: twice those of the Chebyshev
polynomial, 576 at most (V. A. Markov 1892)."""

EMPIRICAL_WALSH_RADIX = 16
"""Rows of the small transforms of which the Walsh-Hadamard transform is made.  Passes over memory cost more than the
additions that more of them save: of 2, 4, ..., 128, NumPy was fastest with 4 to 32 for 1024 and 16384 rows."""

Array: TypeAlias = Any


class Ops:
    """Verbs over any namespace that follows the array API standard (2024.12).

    Parameters
    ----------
    xp : namespace
        As returned by ``array_api_compat.array_namespace``.
    """

    name = "array-api"
    library: str | None = None
    """The one library whose arrays the provider serves; None for any."""
    linalg_errors: tuple[type[Exception], ...] = (np.linalg.LinAlgError,)
    """What the library raises where it cannot factorise a matrix."""
    compiles = False
    """Whether ``compiled`` makes one function of many operations."""
    has_traced_loop = False
    """Whether ``while_loop`` works on arrays whose values are unknown while Python runs."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self._eps: dict[Any, float] = {}
        self._exponents: dict[Any, float] = {}

    # ---- numbers and dtypes ------------------------------------------------------------------

    def eps(self, dtype: Any) -> float:
        """Spacing of 1 in the given floating dtype."""
        if dtype not in self._eps:
            self._eps[dtype] = float(self.xp.finfo(dtype).eps)
        return self._eps[dtype]

    def is_16bit(self, dtype: Any) -> bool:
        """Whether dtype is float16 or bfloat16 (by name: ``isdtype`` raises for some of them)."""
        return str(dtype).endswith(("float16", "bfloat16"))

    def is_narrow_range(self, dtype: Any) -> bool:
        """Whether fourth powers of moderate numbers overflow: in float16 alone."""
        return str(dtype).endswith("float16") and not str(dtype).endswith("bfloat16")

    def is_complex(self, X: Array) -> bool:
        """Whether the elements of X are complex."""
        return bool(self.xp.isdtype(X.dtype, "complex floating"))

    def supports(self, dtype: Any) -> bool:
        """Whether matrices of this dtype can be computed with."""
        xp = self.xp
        return dtype in (xp.float32, xp.float64, xp.complex64, xp.complex128)

    def compute_dtype(self, A: Array) -> Any:
        """Dtype in which A is computed with; integers and booleans become the default float."""
        if self.supports(A.dtype):
            return A.dtype
        try:
            integral = self.xp.isdtype(A.dtype, ("integral", "bool"))
        except TypeError:  # a dtype from outside the library, such as bfloat16 in NumPy
            integral = False
        if integral:
            return self.xp.asarray(0.0).dtype
        raise TypeError(f"A: expected a real or complex floating dtype that {self.name} can multiply, got {A.dtype}")

    def widen(self, X: Array) -> Array:
        """Return X in float32 if it is 16-bit, else X itself: for norms, sums and factorisations."""
        return self.xp.astype(X, self.xp.float32) if self.is_16bit(X.dtype) else X

    def is_traced(self, X: Array) -> bool:  # noqa: ARG002 - providers look at X
        """Whether the values of X are unknown while Python runs (jit, compile, lazy graphs)."""
        return False

    def prefers_products(self, X: Array) -> bool:  # noqa: ARG002 - providers look at X
        """Whether on the device of X a matrix product is much cheaper per flop than an SVD (a GPU)."""
        return False

    def prefers_rows(self, X: Array) -> bool:  # noqa: ARG002 - providers look at X
        """Whether products of a square X are faster for X X^H than for X^H X, and its adjoint is a view."""
        return False

    def prefers_eigenvectors(self, X: Array) -> bool:  # noqa: ARG002 - providers look at X
        """Whether eigenvectors of X^H X and a product with X take less time than a triangular solve with X."""
        return False

    def members_at_once(self, X: Array) -> int | None:  # noqa: ARG002 - providers look at X
        """How many matrices of a stack to work on at a time; None for all.

        A provider that gives a number must be able to assign to slices of its arrays, or give 1 and have
        ``each_member``.
        """
        return None

    def each_member(self, function: Callable[[Array], Any], A: Array) -> Any:  # noqa: ARG002
        """Answers of a function to the matrices of a stack, one after the other in a loop on the device; None without.

        Parameters
        ----------
        function : callable
            As for ``compiled``.
        A : array, shape (..., m, n)

        Returns
        -------
        Any
            What the function gives, its arrays with the shape of the stack before their own.
        """
        return None

    spread_only = False
    """Whether no array of the library is in one place, so that only functions that ask ``spread`` can serve it."""

    def spread(self, A: Array) -> Any:  # noqa: ARG002 - providers look at A
        """``matfun.spread.RowBlocks`` or ``Members`` of a matrix that is not in one place; None for one that is.

        Parameters
        ----------
        A : array, shape (..., m, n)

        Raises
        ------
        ValueError
            Where it is spread in a way that no algorithm takes.
        """
        return None

    def quiet(self) -> AbstractContextManager[Any]:
        """Context in which overflow is a value, not a warning; the status tells of it."""
        return nullcontext()

    def compiled(self, function: Callable[..., Any], static: tuple[Any, ...], A: Array) -> Any:
        """Return function(*static, A), compiled once for each ``static``, shapes and dtypes where the library can.

        Parameters
        ----------
        function : callable
            Looks at no values of A, draws no numbers that may differ from call to call, and returns tuples and
            dataclasses, of arrays and other values.
        static : tuple
            Hashable and immutable values.
        A : array or tuple of arrays
        """
        return function(*static, A)

    def while_loop(self, going: Callable[[Any], Array], body: Callable[[Any], Any], start: Any) -> Any:
        """Return what ``body`` leaves of ``start`` when ``going`` no longer holds.

        Parameters
        ----------
        going : callable
            From a tuple of arrays to one bool.
        body : callable
            From a tuple of arrays to one of the same shapes and dtypes.
        start : tuple of arrays
        """
        while self.as_host(going(start)):
            start = body(start)
        return start

    # ---- moving between host and device ------------------------------------------------------

    def as_host(self, x: Array) -> np.ndarray[Any, Any]:
        """Copy x to the host as a NumPy array: the only verb that may wait for a device."""
        return np.asarray(x)

    def from_host(self, values: Any, like: Array, dtype: Any = None) -> Array:
        """Array of the library, device and (unless given) dtype of ``like`` holding host values."""
        from array_api_compat import device

        dtype = like.dtype if dtype is None else dtype
        return self.xp.asarray(values, dtype=dtype, device=device(like))

    def lend(self, A: Array) -> np.ndarray[Any, Any] | None:  # noqa: ARG002 - providers look at A
        """A as a NumPy array on the same memory, for ``method="auto"`` to compute with; None for A itself.

        Where the memory is the host's, the values are known, nothing follows them, and NumPy was measured to be faster,
        also among the library's own products.
        """
        return None

    def take_back(self, x: np.ndarray[Any, Any], like: Array) -> Array:
        """NumPy array that was computed with what ``lend`` gave, as an array of the library and device of ``like``.

        Parameters
        ----------
        x : numpy array
            Nobody else's.
        like : array
        """
        raise NotImplementedError

    def normal(self, rng: Any, shape: tuple[int, ...], like: Array) -> Array:
        """Draw standard normal numbers on the host, so that every library sees the same ones.

        Parameters
        ----------
        rng : numpy.random.Generator, seed or None
        shape : tuple of int
        like : array
            Gives library, device and dtype; real samples are drawn for complex dtypes too, which
            leaves E[S S^H] = I.
        """
        draw = np.random.default_rng(rng).standard_normal(shape)
        if self.is_16bit(like.dtype):
            return self.xp.astype(self.from_host(draw, like, self.xp.float32), like.dtype)
        return self.from_host(draw, like)

    def eye(self, rows: int, columns: int, like: Array) -> Array:
        """Return the rows x columns matrix with ones on its main diagonal."""
        from array_api_compat import device

        return self.xp.eye(rows, columns, dtype=like.dtype, device=device(like))

    def constant(self, x: Array) -> Array:
        """Return x as a number that derivatives do not go through."""
        return x

    # ---- elementwise -------------------------------------------------------------------------

    def adjoint(self, X: Array) -> Array:
        """Conjugate transpose of the last two axes, shape (..., m, n) to (..., n, m)."""
        T = self.xp.matrix_transpose(X)
        return self.xp.conj(T) if self.is_complex(X) else T

    def scale(self, X: Array, c: Scalar) -> Array:
        """Return c X with a float or one scalar per matrix."""
        if isinstance(c, (int, float)):
            return X * float(c)  # a numpy.float64 is a float too, and would promote float32
        return X * self.xp.astype(c, X.dtype, copy=False)[..., None, None]

    def add_diagonal(self, X: Array, c: Scalar) -> Array:
        """Return X + c I for square X."""
        return X + self.scale(self.eye(X.shape[-1], X.shape[-1], X), c)

    def identity_minus(self, X: Array, factor: Scalar = 1.0) -> Array:
        """Return I - factor X for square X, with a float or one scalar per matrix."""
        known = isinstance(factor, (int, float)) and factor == 1
        return self.add_diagonal(-X if known else self.scale(X, -factor), 1.0)

    def hermitian_part(self, X: Array) -> Array:
        """Return (X + X^H) / 2, Hermitian to the last bit."""
        return (X + self.adjoint(X)) * 0.5

    def select(self, mask: Array, X: Array, Y: Array) -> Array:
        """Return X where mask holds and Y elsewhere, matrix by matrix; a select, never a blend."""
        return self.xp.where(mask[..., None, None], X, Y)

    # ---- products ----------------------------------------------------------------------------

    def symmetric_prices(self, X: Array) -> tuple[float, float, float]:  # noqa: ARG002 - providers look at X
        """Prices of X^H X, of S^2 and of a product of commuting Hermitian matrices, in those of a plain product.

        1/2 where only one triangle is computed, as a provider may.
        """
        return 1.0, 1.0, 1.0

    def gram(self, X: Array) -> Array:
        """X^H X, shape (..., m, n) to (..., n, n)."""
        return self.adjoint(X) @ X

    def hermitian_gram(self, X: Array) -> Array:
        """X^H X, Hermitian to the last bit."""
        return self.hermitian_part(self.gram(X))

    def matmul(self, A: Array, B: Array) -> Array:
        """A B."""
        return A @ B

    def times_hermitian(self, X: Array, P: Array) -> Array:
        """X P for a Hermitian P of the small side of X."""
        return self.matmul(X, P)

    def symm_matmul(self, A: Array, B: Array) -> Array:
        """A B for commuting Hermitian A and B, so that the product is Hermitian too."""
        return A @ B

    def hermitian_product(self, A: Array, B: Array) -> Array:
        """A B for commuting Hermitian A and B, Hermitian to the last bit."""
        return self.hermitian_part(self.symm_matmul(A, B))

    def has_residuals(self, X: Array) -> bool:  # noqa: ARG002 - providers look at X
        """Whether ``identity_minus_gram`` may take no pass more than ``gram``."""
        return False

    def identity_minus_gram(self, X: Array) -> Array | None:  # noqa: ARG002
        """I - X^H X, rounded once; None where it takes a pass of its own, so that X^H X may as well be kept."""
        return None

    def square(self, S: Array) -> Array:
        """S^2 for Hermitian S."""
        return self.symm_matmul(S, S)

    def add_matmul(self, C: Array, A: Array, B: Array, alpha: Scalar = 1.0, beta: Scalar = 1.0) -> Array:
        """Return beta C + alpha A B as a new array."""
        product = self.matmul(A, B)
        if not (isinstance(alpha, (int, float)) and alpha == 1):
            product = self.scale(product, alpha)
        return product + (C if isinstance(beta, (int, float)) and beta == 1 else self.scale(C, beta))

    def thin_matmul(self, S: Array, Z: Array) -> Array:
        """S Z for a block Z of few columns."""
        return S @ Z

    def polynomial(
        self, S: Array, coefficients: tuple[Scalar, ...], square: Array | None = None, *, hermitian: bool = True
    ) -> Array:
        """Return c_1 S + c_2 S^2 + ... + c_q S^q with as few products as it takes.

        The constant c_0 = coefficients[0] is left out: whoever applies the result adds it implicitly, so
        that it is never rounded together with small entries.

        Parameters
        ----------
        S : array, shape (..., n, n)
        coefficients : tuple of Scalar
            c_0 ... c_q, q >= 1.
        square : array, shape (..., n, n), optional
            S^2, where it is already known.
        hermitian : bool
            Whether S is Hermitian, so that its square may be formed as a rank-k update.

        Notes
        -----
        By the scheme that ``matfun.polynomials.evaluation`` chooses; cost as in ``Polynomial.symmetric_products``.
        """
        c, q = coefficients, len(coefficients) - 1
        if q == 2 and square is None:
            return self.add_matmul(S, S, S, alpha=c[2], beta=c[1])
        if q > 1 and square is None:
            square = self.square(S) if hermitian else self.matmul(S, S)
        multiply = self.symm_matmul if hermitian else self.matmul
        return self.evaluation_scheme(c).evaluate(S, square, self, multiply)

    def evaluation_scheme(self, coefficients: tuple[Scalar, ...]) -> Scheme:
        """Scheme by which ``polynomial`` forms h."""
        return choose(coefficients)

    def polynomial_step(self, X: Array, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        """X h(S) for a Hermitian S; the constant of h is applied to X itself.

        Parameters
        ----------
        X : array, shape (..., m, n)
        S : array, shape (..., n, n)
            The residual or the Gram matrix, whichever ``h.basis`` says.
        h : Polynomial
        square : array, shape (..., n, n), optional
            S^2, where it is already known.
        """
        if h.degree == 0:
            return self.scale(X, h.coefficients[0])
        P = self.polynomial(S, h.coefficients, square)
        return self.add_matmul(X, X, P, beta=h.coefficients[0])

    def polynomial_matrix(self, S: Array, h: Polynomial, square: Array | None = None) -> Array:
        """h(S) of a Hermitian S, its constant on the diagonal.

        Parameters
        ----------
        S : array, shape (..., n, n)
            The residual or the Gram matrix, whichever ``h.basis`` says.
        h : Polynomial
        square : array, shape (..., n, n), optional
            S^2, where it is already known.
        """
        if h.degree == 0:
            return self.scale(self.eye(S.shape[-1], S.shape[-1], S), h.coefficients[0])
        return self.add_diagonal(self.polynomial(S, h.coefficients, square), h.coefficients[0])

    def argmin(self, coefficients: Sequence[Array], lower: float, upper: float, solver: Solver = "grid") -> Array:
        """Minimiser over [lower, upper] of a polynomial with device coefficients, left on the device.

        Parameters
        ----------
        coefficients : sequence of arrays, shape (...)
            From the constant up.
        lower, upper : float
        solver : {"grid", "roots"}
            "roots" for degree 4 at most.
        """
        if solver == "roots":
            return argmin_by_roots(self.xp, coefficients, lower, upper)
        points = self.from_host(grid(lower, upper), coefficients[0])
        return argmin_on_interval(self.xp, coefficients, points, lower, upper)

    def fit(
        self,
        R: Array,  # noqa: ARG002 - providers look at them
        columns: int,  # noqa: ARG002
        draw: Callable[[], Array],  # noqa: ARG002
        polynomials: Sequence[Sequence[float]],  # noqa: ARG002
        interval: tuple[float, float],  # noqa: ARG002
    ) -> Array | None:
        """Alpha in the interval that makes ||(u_0 + alpha u_1 + ...)(R) S||_F least, in few launches.

        None where that takes products and verbs of their own (``ResidualView.fit``).

        Parameters
        ----------
        R : array, shape (..., n, n)
            Hermitian.
        columns : int
        draw : callable
            S, shape (n, columns); called where the answer is not None.
        polynomials : sequence of sequences of float
            u_0, u_1, ... by their coefficients in r, from the constant up.
        interval : tuple of float

        Returns
        -------
        array, shape (...), or None
        """
        return None

    def clip(self, x: Scalar, lower: Scalar, upper: Scalar) -> Scalar:
        """Bring x into [lower, upper], one value per matrix; upper wins where they cross.  One of them is an array."""
        like = next(v for v in (upper, lower, x) if hasattr(v, "shape"))
        x, lower, upper = (v if hasattr(v, "shape") else self.xp.full_like(like, v) for v in (x, lower, upper))
        return self.xp.minimum(self.xp.maximum(x, lower), upper)

    def minimax(self, degree: int, p: int, lower: Array, upper: Array, narrowest: float, basis: Basis) -> Polynomial:
        """Best polynomial for each interval, its coefficients left on the device.

        Parameters
        ----------
        degree, p : int
        lower, upper : array, shape (...)
        narrowest : float
            Least ratio of the two.
        basis : {"gram", "residual"}
        """
        made = table(degree, p, narrowest)
        rows, orders = self.from_host(made.series, upper), self.from_host(list(range(len(made.series))), upper)
        return minimax_on_device(self.xp, made, rows, orders, lower, upper, basis)

    # ---- sketches ----------------------------------------------------------------------------

    def sketch(self, sample: Sample, X: Array) -> Array:
        """S X for a drawn S, which is formed only where it is dense; 16-bit matrices are added up in float32.

        Parameters
        ----------
        sample : Sample
            Of shape (size, n).
        X : array, shape (..., n, k)

        Returns
        -------
        array, shape (..., size, k)
        """
        W = self.widen(X)
        if isinstance(sample, Dense):
            Y = self.matmul(self.from_host(sample.elements, W), W)
        elif isinstance(sample, Sparse):
            Y = self.sparse_sketch(sample, W)
        elif isinstance(sample, Transformed):
            Y = self._transformed_sketch(sample, W)
        else:
            Y = self.scale(self._rows(W, sample.rows), sample.scale)
        return self._narrow(Y, X)

    def sparse_sketch(self, sample: Sparse, X: Array) -> Array:
        """S X for a sparse S; formed, because the array API standard can gather but not add to given places."""
        return self.matmul(self.from_host(sample.matrix(), X), X)

    def _transformed_sketch(self, sample: Transformed, X: Array) -> Array:
        n = X.shape[-2]
        rows = np.minimum(sample.order, n - 1)
        signs = np.where(sample.order < n, sample.signs[rows], 0.0)  # 0 for the rows that pad X
        Y = self.walsh_hadamard(self.from_host(signs, X)[:, None] * self._rows(X, rows))
        return self.scale(self._rows(Y, sample.rows), sample.scale)

    def walsh_hadamard(self, X: Array) -> Array:
        """Product of the Hadamard matrix of Sylvester with X, shape (..., n, k), n a power of two.

        It is a Kronecker product of small ones, each of which costs a pass.
        """
        *stack, n, k = X.shape
        done = 1
        while done < n:
            radix = min(EMPIRICAL_WALSH_RADIX, n // done)
            small = self.from_host(walsh_hadamard(np.arange(radix), radix), X)
            X = self.matmul(small, self.xp.reshape(X, (*stack, n // (radix * done), radix, done * k)))
            done *= radix
        return self.xp.reshape(X, (*stack, n, k))

    def _rows(self, X: Array, rows: HostArray) -> Array:
        indices = self.from_host(rows, X, self.xp.int32)  # JAX has no int64 by default
        return self.xp.take(X, indices, axis=-2)

    # ---- factorisations ----------------------------------------------------------------------

    def svd(self, X: Array) -> tuple[Array, Array, Array]:
        """Thin singular value decomposition U, s, V^H."""
        U, s, Vh = self.xp.linalg.svd(self.widen(X), full_matrices=False)
        return self._narrow(U, X), s, self._narrow(Vh, X)

    def eigh(self, S: Array) -> tuple[Array, Array]:
        """Eigenvalues and eigenvectors of a Hermitian matrix."""
        try:
            values, vectors = self.xp.linalg.eigh(self.widen(S))
        except self.linalg_errors:  # NaN somewhere in the stack: NaN for that matrix, the others as they are
            good = self.all_finite(S)
            values, vectors = self.xp.linalg.eigh(
                self.select(good, self.widen(S), self.eye(S.shape[-1], S.shape[-1], self.widen(S)))
            )
            nan = float("nan")
            values = self.xp.where(good[..., None], values, self.xp.full_like(values, nan))
            vectors = self.select(good, vectors, self.xp.full_like(vectors, nan))
        return values, self._narrow(vectors, S)

    def qr(self, X: Array) -> tuple[Array, Array]:
        """Thin QR factorisation."""
        Q, R = self.xp.linalg.qr(self.widen(X), mode="reduced")
        return self._narrow(Q, X), self._narrow(R, X)

    def cholesky(self, S: Array) -> Array:
        """Lower Cholesky factor of a positive definite matrix."""
        return self._narrow(self._guarded(self.xp.linalg.cholesky, self.widen(S)), S)

    def pivoted_q(self, B: Array) -> Array:
        """Q of a QR factorisation B P = Q R with a rank-revealing P: column pivoting where the library has it.

        By default P is a random orthogonal matrix (Demmel, Dumitriu, Holtz, Numer. Math. 108, 2007), because the array
        API standard has no pivoting.
        """
        Q, _ = self.qr(self.matmul(B, self.rotation(B.shape[-1], B)))
        return Q

    def rotation(self, n: int, like: Array) -> Array:
        """Random orthogonal n x n matrix, always the same: it hides the structure of a matrix from a factorisation.

        The Q of a Gaussian matrix.  Random signs around a fast transform are cheaper and not enough: with the discrete
        Hartley transform Newton's backward error on graded matrices stayed at up to 156 times the limit
        (docs/corrections.json).
        """
        return self.qr(self.normal(ROTATION_SEED, (n, n), like))[0]

    def inverse(self, A: Array) -> Array:
        """A^(-1)."""
        return self._narrow(self._guarded(self.xp.linalg.inv, self.widen(A)), A)

    def log_abs_det(self, A: Array) -> Array:
        """Logarithm of |det A| per matrix."""
        return self.xp.linalg.slogdet(self.widen(A))[1]

    def positive_definite(self, S: Array) -> np.ndarray[Any, Any]:
        """Which of the Hermitian matrices are positive definite to working precision; on the host."""
        return np.asarray(self.as_host(self.eigh(S)[0][..., 0] > 0), dtype=bool)

    def solve(self, A: Array, B: Array) -> Array:
        """A^(-1) B."""
        return self._narrow(self._guarded(self.xp.linalg.solve, self.widen(A), self.widen(B)), B)

    def solve_triangular(self, L: Array, B: Array, *, lower: bool = True) -> Array:  # noqa: ARG002 - providers
        """L^(-1) B for triangular L."""
        return self.solve(L, B)

    def divide_by_adjoint(self, X: Array, L: Array) -> Array:
        """X L^(-H) for a lower triangular L, shape (..., m, n) times (..., n, n)."""
        # no conjugate of the large matrix is formed
        L = self.xp.conj(L) if self.is_complex(L) else L
        return self.xp.matrix_transpose(self.solve_triangular(L, self.xp.matrix_transpose(X)))

    def _guarded(self, factorise: Callable[..., Array], *operands: Array) -> Array:
        """Give NaN for the matrices of a stack that cannot be factorised, where a library raises for all of them."""
        try:
            return factorise(*operands)
        except self.linalg_errors:
            pass
        xp, last = self.xp, operands[-1]
        members = []
        for index in np.ndindex(last.shape[:-2]):
            try:
                members.append(factorise(*(X[(*index, ...)] for X in operands)))
            except self.linalg_errors:
                members.append(xp.full_like(last[(*index, ...)], float("nan")))
        return xp.reshape(xp.stack(members), last.shape)

    def _narrow(self, Y: Array, like: Array) -> Array:
        return self.xp.astype(Y, like.dtype) if self.is_16bit(like.dtype) else Y

    # ---- reductions --------------------------------------------------------------------------

    def known_norm(self, X: Array) -> Any:  # noqa: ARG002 - providers look at X
        """Frobenius norm of each matrix where a look at it costs nothing and hides nothing, else None.

        It may over- or underflow; where it does not, it answers ``all_finite`` and ``is_zero`` in less time.

        Returns
        -------
        float, numpy array of the shape of the stack, or None
        """
        return None

    def all_finite(self, X: Array) -> Array:
        """Whether every element of a matrix is finite, shape (..., m, n) to (...)."""
        norm = self.known_norm(X)
        if norm is not None and np.isfinite(norm).all():
            return self.from_host(np.isfinite(norm), X, self.xp.bool)
        return self.xp.all(self.xp.isfinite(X), axis=(-2, -1))

    def is_zero(self, X: Array) -> Array:
        """Whether every element of a matrix is zero, shape (..., m, n) to (...)."""
        norm = self.known_norm(X)
        if norm is not None and np.all(norm > 0):
            return self.from_host(np.equal(norm, 0), X, self.xp.bool)
        return self.max_abs(X) == 0

    def max_abs(self, X: Array) -> Array:
        """Largest modulus of an element, shape (..., m, n) to (...), at least in float32."""
        return self.xp.max(self.xp.abs(self.widen(X)), axis=(-2, -1))

    def exponent_limit(self, dtype: Any) -> float:
        """Largest e for which 2^e and 2^-e are normal numbers of the dtype, with room to spare."""
        if dtype not in self._exponents:
            self._exponents[dtype] = floor(log2(float(self.xp.finfo(dtype).max))) - 2.0
        return self._exponents[dtype]

    def is_near_one(self, norm: Any, A: Array) -> bool:
        """Whether none of the Frobenius norms of A needs scaling: what is formed of them are normal numbers.

        Their eighth power is the square of the norm of the squared Gram matrix.  The divisor of A is at least its norm
        over k^(3/8), k the small side, and divides the last coefficient of a polynomial of degree 9 nine times.
        """
        limit, small = self.exponent_limit(A.dtype), min(A.shape[-2:])
        # ||G||_F >= ||A||_F^2 k^(-1/2) and ||G^2||_F >= ||G||_F^2 k^(-1/2), with equality for isometries
        lowest, highest = 2.0 ** ((COEFFICIENT_BITS - limit) / 9) * small**0.375, 2.0 ** (limit / 9)
        near = (lowest <= norm) & (norm < highest)  # an empty matrix needs no scaling
        return near if isinstance(near, bool) else bool(np.all(near))

    def prescale(self, A: Array, norm: Any = None) -> tuple[Array, Array]:
        """A itself where the host knows its norms and they are near enough to 1, else as ``rescale`` has it.

        Parameters
        ----------
        A : array, shape (..., m, n)
        norm : float or numpy array, optional
            ``known_norm`` of A, if it is at hand.

        Returns
        -------
        scaled : array, shape (..., m, n)
            A 2^-exponent, of which powers can be formed as ``is_near_one`` says.
        exponent : array, shape (...)
            Whole numbers in floating point.
        """
        norm = self.known_norm(A) if norm is None else norm
        if norm is None or not self.is_near_one(norm, A):
            return self.rescale(A)
        return A, self.plain_norm_fro(A[..., :0, :0])  # zeros, of the dtype and on the device of norms

    def rescale(self, A: Array) -> tuple[Array, Array]:
        """Bring the norm of each matrix near 1 by an exact power of two.

        Parameters
        ----------
        A : array, shape (..., m, n)

        Returns
        -------
        scaled : array, shape (..., m, n)
            A 2^-exponent, whose Frobenius norm is at most 4 (mn)^(1/4) and, unless A is subnormal, at least a
            quarter of
            the inverse of that: its eighth power, which the norm of the squared Gram matrix needs, is representable.
        exponent : array, shape (...)
            Whole numbers in floating point.
        """
        size = self.max_abs(A)
        usable = (size > 0) & self.xp.isfinite(size)
        exponent = self.xp.floor(self.xp.log2(self.xp.where(usable, size, self.xp.ones_like(size))))
        limit = self.exponent_limit(A.dtype)
        exponent = self.xp.clip(exponent + half_size(A), -limit, limit)
        return self.times_power_of_two(A, -exponent), exponent

    def times_power_of_two(self, A: Array, exponent: Array) -> Array:
        """A 2^exponent.

        Parameters
        ----------
        A : array, shape (..., m, n)
        exponent : array, shape (...)
            Whole numbers in floating point, of modulus at most ``exponent_limit``.
        """
        return self.scale(A, self.power_of_two(exponent))

    def power_of_two(self, exponent: Array) -> Array:
        """2^exponent, exactly."""
        return self.xp.pow(self.xp.full_like(exponent, 2.0), exponent)

    def positive_or_one(self, x: Array) -> Array:
        """Non-negative x with its zeros replaced by 1: a divisor that leaves zero matrices alone."""
        return x + self.xp.astype(x <= 0, x.dtype)

    def divisor(self, X: Array, norm: Any = None) -> Scalar:
        """Frobenius norm to divide an X of a norm near 1 by; 1 for a zero matrix.

        A Python float for a lone matrix whose norm the host knows: products take that as a factor, without a pass.

        Parameters
        ----------
        X : array, shape (..., m, n)
        norm : float or numpy array, optional
            ``known_norm`` of X, if it is at hand.
        """
        norm = self.known_norm(X) if norm is None and X.ndim == 2 else norm
        return norm or 1.0 if isinstance(norm, float) else self.positive_or_one(self.plain_norm_fro(X))

    def norm_fro(self, X: Array) -> Array:
        """Frobenius norm per matrix, shape (...); no over- or underflow on the way to it."""
        scaled, exponent = self.prescale(X)
        return self.plain_norm_fro(scaled) * self.power_of_two(exponent)

    def plain_norm_fro(self, X: Array) -> Array:
        """Frobenius norm per matrix in one pass, which over- or underflows where the square of an element does."""
        return self.xp.linalg.vector_norm(self.widen(X), axis=(-2, -1))

    def norm_one(self, X: Array) -> Array:
        """Largest column sum of moduli per matrix, shape (...)."""
        return self.xp.max(self.xp.sum(self.xp.abs(self.widen(X)), axis=-2), axis=-1)

    def norm_inf(self, X: Array) -> Array:
        """Largest row sum of moduli per matrix, shape (...)."""
        return self.xp.max(self.xp.sum(self.xp.abs(self.widen(X)), axis=-1), axis=-1)

    def trace(self, X: Array) -> Array:
        """Trace per matrix, shape (...), at least in float32."""
        return self.xp.linalg.trace(self.widen(X))

    def dot(self, X: Array, Y: Array) -> Array:
        """Real inner product Re tr(X^H Y) per matrix, shape (...), at least in float32."""
        X, Y = self.widen(X), self.widen(Y)
        if self.is_complex(X):
            return self.xp.sum(self.xp.real(self.xp.conj(X) * Y), axis=(-2, -1))
        return self.xp.sum(X * Y, axis=(-2, -1))


def half_size(A: Array) -> int:
    """Logarithm to base 2 of (mn)^(1/4), rounded down: the middle of what the norm over the largest element can be."""
    m, n = A.shape[-2:]
    return int(log2(m * n) / 4)
