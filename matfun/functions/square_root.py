"""``matfun.sqrtm``, ``matfun.invsqrtm`` and ``matfun.sqrtm_pair``: A^(1/2) and A^(-1/2), coupled."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.certificate import Kind
from matfun.functions.condition import (
    Sylvester,
    error_of_power,
    error_of_root,
    frechet_norm,
    relative,
    two_norm,
)
from matfun.functions.square import solve
from matfun.functions.square_function import WARM_M, Measured, Options, Setting, SquareFunction, Started
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.problems.square_root import SquareRootProblem, SquareRootState
from matfun.problems.square_root_increment import SquareRootIncrementProblem
from matfun.result import Info, SquareRootPair
from matfun.rules.rule import Rule


class SquareRoots(SquareFunction):
    """A^(1/2), A^(-1/2) from Y = A, Z = I.

    Parameters
    ----------
    name : str
    returned : tuple of int
    """

    problem = "sqrt"
    branch = 2
    warm_power = -0.5

    def __init__(self, name: str, returned: tuple[int, ...]) -> None:
        self.name = name
        self.returned = returned
        self.powers = (0.5, -0.5)
        self.semidefinite = name == "sqrtm"

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        ops, A, lower = setting.ops, setting.A, setting.lower
        lower = None if lower is None else lower**0.5
        if getattr(setting.rule, "increments", False):
            increments = SquareRootIncrementProblem(ops, setting.rng)
            return Started(increments, increments.begin(A), lower)
        problem = SquareRootProblem(ops, setting.rng, hermitian=setting.hermitian)
        initial, good = self.warm_start(setting, commuting=True)
        state = SquareRootState(A)
        if initial is not None:
            problem.largest = WARM_M ** (1 / problem.p)
            n = A.shape[-1]
            Y, Z = ops.select(good, ops.matmul(A, initial), A), ops.select(good, initial, ops.eye(n, n, A))
            state = SquareRootState(Y, Z)
        return Started(problem, state, lower, good)

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:
        """All values, of which ``returned`` are what the caller gets."""
        if isinstance(started.problem, SquareRootIncrementProblem):
            inverse = state.inverse
            return state.X, started.problem.ops.inverse(state.X) if inverse is None else inverse
        Y, Z = state.Y, state.Z
        if Z is None:
            Z = started.problem.identity_like(Y)
        return Y, Z

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, recomputed from A."""
        ops, A, (R, Z) = setting.ops, setting.A, values
        size_A, size_R, size_Z = (ops.positive_or_one(ops.plain_norm_fro(Y)) for Y in (A, R, Z))
        D = ops.matmul(R, ops.matmul(R, W)) - ops.matmul(A, W)  # R^2 = A + D
        E = ops.matmul(Z, ops.matmul(Z, ops.matmul(A, W))) - W  # Z^2 A = I + E, so that Z^-2 = A - A E to first order
        norm = two_norm(ops, Z, rng)
        errors: list[Any] = []
        if setting.hermitian:
            absolute = [norm / 2, norm**3 / 2]
            errors = [error_of_root(ops, A, R, Z), error_of_power(ops, A, Z, 2)]
        else:
            absolute, errors = self._general(setting, R, Z, rng)
        conditions = [relative(ops, c, A, X) for c, X in zip(absolute, values, strict=True)]
        backward = ops.plain_norm_fro(D) / size_R**2, ops.plain_norm_fro(E) / (size_Z * size_Z * size_A)
        which = self.returned
        return Measured(
            backward[which[0]] if len(which) == 1 else ops.xp.maximum(*backward),
            np.max([ops.as_host(errors[i]) for i in which], axis=0),
            np.max([conditions[i] for i in which], axis=0),
            distance=ops.as_host(1 / ops.positive_or_one(norm * norm * two_norm(ops, A, rng))),
        )

    def _general(
        self, setting: Setting, R: Array, Z: Array, rng: np.random.Generator
    ) -> tuple[list[Scalar], list[Scalar]]:
        """Norms of the two derivatives, and first-order errors, through R L + L R = E."""
        ops, A = setting.ops, setting.A
        equation, Zh = Sylvester(ops, R), ops.adjoint(Z)

        def of_inverse(E: Array) -> Array:  # d(R^-1) = -Z dR Z
            return ops.matmul(Z, ops.matmul(equation.solve(E), Z))

        def of_inverse_adjoint(E: Array) -> Array:
            return equation.solve_adjoint(ops.matmul(Zh, ops.matmul(E, Zh)))

        root = frechet_norm(ops, A, equation.solve, equation.solve_adjoint, rng)
        lost = ops.from_host(~equation.converged, root, ops.xp.bool)
        root = ops.xp.where(lost, ops.xp.full_like(root, float("inf")), root)
        error = ops.plain_norm_fro(equation.solve(ops.matmul(R, R) - A)) / ops.plain_norm_fro(R)
        if 1 not in self.returned:
            return [root, root], [error, error]
        inverse = frechet_norm(ops, A, of_inverse, of_inverse_adjoint, rng)
        # Z^2 A = I + E: Z is exact for A (I + E)^-1 = A - A E to first order
        change = ops.matmul(A, ops.add_diagonal(ops.matmul(Z, ops.matmul(Z, A)), -1.0))
        of_Z = ops.plain_norm_fro(of_inverse(change)) / ops.plain_norm_fro(Z)
        return [root, inverse], [error, of_Z]

    def pack(self, values: tuple[Array, ...], info: Info) -> Any:
        """Return the pair with its info, or a root and its info."""
        return SquareRootPair.of(*values, info) if len(values) == 2 else (values[0], info)


def sqrtm(
    A: Any,
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    hermitian: bool | None = None,
    ridge: float = 0.0,
    rng: Any = None,
    on_failure: str = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    full_output: bool = False,
    backend: str | Ops | None = None,
) -> Any:
    r"""Principal square root of a matrix without eigenvalues on the closed negative axis.

    Hermitian A must be positive semidefinite, and the root is Hermitian to the last bit.  A singular semidefinite
    matrix gets its root by eigenvalues, with a rounded zero for every eigenvalue below n eps.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Real or complex, of any library that follows the array API; leading dimensions are a stack.  Never modified.
    method : str or Rule
        A name from ``matfun.methods("sqrt")``, a rule object, or ``"auto"``.
    tol : float, optional
        Bound on $\|I - Z Y\|_F$, hence on the relative error of the root.  Default: as accurate as the dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    hermitian : bool, optional
        Whether A is Hermitian.  Default: looked at; under ``steps``, False, which leaves the root Hermitian to rounding
        only.
    ridge : float
        Added to the diagonal, relative to the largest eigenvalue, which is estimated by a power method.
    rng : numpy.random.Generator, seed or None
        Source of sketches and probes (SPEC 7), drawn on the host so that every library sees the same numbers.
    on_failure : {"raise", "warn", "fallback"}
        Raise ``ConvergenceError`` (which carries the best result), warn and return it, or compute the failed members by
        the factorisation ("eigh", or "schur" for general A).
    check_finite : bool
        Refuse NaN and infinity.  If False, such matrices of a stack come back as NaN with ``Status.NOT_FINITE``, which
        counts as a failure.
    certificate : {"probes", "exact"}
        Estimate the final errors with a few random vectors, or compute them.
    max_steps : int
        Limit for accuracy-driven runs.
    full_output : bool
        Return ``(R, info)``.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    R : array, shape (..., n, n)
        Of A's library, dtype and device.
    info : Info
        Only with ``full_output``; with ``condition`` and ``forward_error``.

    Raises
    ------
    ValueError, TypeError
        For bad input; for a Hermitian matrix with a negative eigenvalue, which the message gives.
    ConvergenceError
        With ``on_failure="raise"``; where eigenvalues are on or near the negative axis the message gives the distance.

    See Also
    --------
    sqrtm_pair : both roots for the price of one.

    Notes
    -----
    An iterative step costs the products of the rule's polynomial and 3 more, or an inverse and 2 (Newton).

    References
    ----------
    Higham, Functions of Matrices (2008), ch. 6.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> R = matfun.sqrtm(np.array([[5.0, 4.0], [4.0, 5.0]]), method="newton")
    >>> np.round(R, 12)
    array([[2., 1.],
           [1., 2.]])
    """
    options = Options(
        method, tol, steps, hermitian, ridge, None, None, rng, on_failure, check_finite, certificate, max_steps, backend
    )
    (R,), info = solve(SquareRoots("sqrtm", (0,)), A, options)
    return (R, info) if full_output else R


def invsqrtm(
    A: Any,
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    hermitian: bool | None = None,
    ridge: float = 0.0,
    pinv: float | None = None,
    initial: Any = None,
    rng: Any = None,
    on_failure: str = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    full_output: bool = False,
    backend: str | Ops | None = None,
) -> Any:
    r"""Inverse of the principal square root.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Without eigenvalues on the closed negative axis; Hermitian A positive definite.
    method, tol, steps, hermitian, ridge, rng, on_failure, check_finite, certificate, max_steps, full_output, backend
        As for ``matfun.sqrtm``.
    pinv : float, optional
        Treat eigenvalues below this, relative to the largest, as zeros that stay zero (Hermitian A), by eigenvalues.
    initial : array, shape (..., n, n), optional
        Warm start near A^(-1/2).  Taken for those matrices for which $\|I - X_0^2 A\|_F < 1$ and A X_0 = X_0 A to
        rounding, since the coupled iteration converges to a root only from functions of A (``info.warm_start``).

    Returns
    -------
    Z : array, shape (..., n, n)
    info : Info
        Only with ``full_output``.

    Raises
    ------
    ValueError, TypeError, ConvergenceError
        As for ``matfun.sqrtm``.

    Notes
    -----
    As for ``matfun.sqrtm``.

    References
    ----------
    Higham, Functions of Matrices (2008), ch. 6.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> matfun.invsqrtm(np.diag([4.0, 16.0]), method="eigh")
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    options = Options(
        method,
        tol,
        steps,
        hermitian,
        ridge,
        pinv,
        initial,
        rng,
        on_failure,
        check_finite,
        certificate,
        max_steps,
        backend,
    )
    (Z,), info = solve(SquareRoots("invsqrtm", (1,)), A, options)
    return (Z, info) if full_output else Z


def sqrtm_pair(
    A: Any,
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    hermitian: bool | None = None,
    ridge: float = 0.0,
    pinv: float | None = None,
    rng: Any = None,
    on_failure: str = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    backend: str | Ops | None = None,
) -> SquareRootPair:
    r"""Principal square root and its inverse, for the price of one.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Without eigenvalues on the closed negative axis; Hermitian A positive definite.
    method, tol, steps, hermitian, ridge, pinv, rng, on_failure, check_finite, certificate, max_steps, backend
        As for ``matfun.invsqrtm``.

    Returns
    -------
    SquareRootPair
        The pair (R, Z) of A^(1/2) and A^(-1/2), with an ``Info`` as ``.info``.

    Raises
    ------
    ValueError, TypeError, ConvergenceError
        As for ``matfun.sqrtm``.

    Notes
    -----
    As for ``matfun.sqrtm``.

    References
    ----------
    Higham, Functions of Matrices (2008), sec. 6.3.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> R, Z = matfun.sqrtm_pair(np.diag([4.0, 16.0]), method="newton-schulz")
    >>> np.round(R @ Z, 12)
    array([[1., 0.],
           [0., 1.]])
    """
    options = Options(
        method, tol, steps, hermitian, ridge, pinv, None, rng, on_failure, check_finite, certificate, max_steps, backend
    )
    (R, Z), info = solve(SquareRoots("sqrtm_pair", (0, 1)), A, options)
    return SquareRootPair.of(R, Z, info)
