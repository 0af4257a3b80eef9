"""``matfun.invrootm``: A^(-1/p) for every integer p >= 1, and for p a fraction."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from matfun.functions.certificate import Kind
from matfun.functions.condition import divided_differences, error_of_power, matrix_power, relative, two_norm
from matfun.functions.inverse import Inverse
from matfun.functions.square import solve
from matfun.functions.square_function import WARM_M, Measured, Options, Setting, SquareFunction, Started
from matfun.functions.square_root import SquareRoots
from matfun.ops import Array, Ops
from matfun.problems.inverse_root import InverseRootProblem, InverseRootState
from matfun.rules.rule import Rule

MOST_ROOTS = 512
"""Largest p: M^p is formed by repeated multiplication, and r' = 1 - (1 - r)(1 + r/p)^p hardly moves beyond."""

LARGEST_FACTOR = 0.95
"""The largest eigenvalue of M is put at most here times the end of the region: an even p beyond it takes a wrong
branch, and the factor h of an eigenvalue near it is a difference of nearly equal numbers."""


class InverseRoot(SquareFunction):
    """A^(-k/p) from X = I, M = A.

    Parameters
    ----------
    p, k : int
    """

    name = "invrootm"
    problem = "invroot"

    def __init__(self, p: int, k: int = 1) -> None:
        self.p, self.k, self.roundings = p, k, p + k
        self.powers = (-k / p, -1 / p)
        self.warm_power = -1 / p
        self.branch = p

    def largest(self, rule: Rule, lower: Any) -> Any:
        """Where the rule wants the largest eigenvalue of M."""
        region = getattr(rule, "largest", None)
        return 1.0 if region is None else LARGEST_FACTOR * region(self.p, lower)

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        ops, A = setting.ops, setting.A
        lower = None if setting.lower is None else setting.lower ** (1 / self.p)
        initial, good = self.warm_start(setting, commuting=True)
        state = InverseRootState(None, A)
        if initial is not None:
            X = ops.select(good, initial, ops.eye(A.shape[-1], A.shape[-1], A))
            M = A
            for _ in range(self.p):
                M = ops.matmul(X, M)
            state = InverseRootState(X, ops.hermitian_part(M) if setting.hermitian else M)
        problem = InverseRootProblem(ops, setting.rng, p=self.p, hermitian=setting.hermitian)
        problem.largest = 1.0 if initial is None else WARM_M ** (1 / self.p)
        return Started(problem, state, lower, good)

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:
        """All values, of which ``returned`` are what the caller gets."""
        X = state.X
        if X is None:
            X = started.problem.identity_like(state.M)
        return matrix_power(started.problem.ops, X, self.k), X

    def branch_of(self, setting: Setting, values: tuple[Array, ...]) -> Array:  # noqa: ARG002
        """Return the root itself."""
        return values[1]

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, recomputed from A."""
        return measure_power(setting, values, self.p, self.k, W, rng)


class Powered(SquareFunction):
    """The k-th power of one of the values of another function: A^(-k) and A^(-k/2).

    Parameters
    ----------
    inner : SquareFunction
    p, k : int
    """

    name = "invrootm"

    def __init__(self, inner: SquareFunction, p: int, k: int) -> None:
        self.inner, self.p, self.k, self.roundings = inner, p, k, p + k
        self.problem, self.needs_definite, self.branch = inner.problem, inner.needs_definite, inner.branch
        self.powers = (-k / p, -1 / p)
        self.warm_power = inner.warm_power

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        return self.inner.start(setting)

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:
        """All values, of which ``returned`` are what the caller gets."""
        root = self.inner.values(started, state)[self.inner.returned[0]]
        return matrix_power(started.problem.ops, root, self.k), root

    def branch_of(self, setting: Setting, values: tuple[Array, ...]) -> Array:  # noqa: ARG002
        """Return the root itself."""
        return values[1]

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, recomputed from A."""
        return measure_power(setting, values, self.p, self.k, W, rng)


def measure_power(
    setting: Setting, values: tuple[Array, ...], p: int, k: int, W: Array, rng: np.random.Generator
) -> Measured:
    """Errors of X^k from those of the root, X^p A = I + E; an error of X counts k times in X^k."""
    ops, A, (power, X) = setting.ops, setting.A, values
    E = ops.matmul(A, W)
    for _ in range(p):
        E = ops.matmul(X, E)
    E = E - W
    size_A, size_X = (ops.positive_or_one(ops.plain_norm_fro(Y)) for Y in (A, X))
    norm = two_norm(ops, X, rng)
    smallest = norm**-p  # of the moduli of the eigenvalues, for normal A
    condition = relative(ops, k / p * norm**k / smallest, A, power)
    if setting.hermitian:
        error = ops.as_host(error_of_power(ops, A, X, p)) * k
    else:  # X^-p = A - A E to first order
        # near the negative axis the difference quotients across it are larger than any derivative
        across, across_root = (divided_differences(ops, A, -s) for s in (k / p, 1 / p))
        condition = np.maximum(condition, relative(ops, ops.from_host(across, norm), A, power))
        of_root = relative(ops, norm / (p * smallest), A, X)
        of_root = np.maximum(of_root, relative(ops, ops.from_host(across_root, norm), A, X))
        error = of_root * ops.as_host(ops.plain_norm_fro(ops.matmul(A, E)) / size_A) * k
    backward = ops.plain_norm_fro(E) / (size_X**p * size_A)
    distance = ops.as_host(smallest / ops.positive_or_one(two_norm(ops, A, rng)))
    return Measured(backward, error, condition, distance=distance)


def _function(p: Any) -> SquareFunction:
    """Return the function that p asks for; p = 1 and 2 have problems that recompute their residual from A."""
    expected = f"an integer or Fraction of at least 1/{MOST_ROOTS}, numerator and denominator at most {MOST_ROOTS}"
    if isinstance(p, bool) or not isinstance(p, (int, np.integer, Fraction)):
        raise TypeError(f"p: expected {expected}, got {p!r}")
    fraction = Fraction(int(p)) if not isinstance(p, Fraction) else p
    root, k = fraction.numerator, fraction.denominator
    if not (1 <= root <= MOST_ROOTS and k <= MOST_ROOTS):
        raise ValueError(f"p: expected {expected}, got {p!r}")
    if root > 2:
        return InverseRoot(root, k)
    inner = Inverse() if root == 1 else SquareRoots("invrootm", (1,))
    return inner if k == 1 and root == 1 else Powered(inner, root, k)


def invrootm(
    A: Any,
    p: int | Fraction,
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
    r"""Inverse p-th root $A^{-1/p}$, principal.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Real or complex, of any library that follows the array API; leading dimensions are a stack.  Hermitian A must be
        positive definite, general A without eigenvalues on the closed negative axis.  Never modified.
    p : int or fractions.Fraction
        At least 1 as an integer; ``Fraction(4, 3)`` gives $A^{-3/4}$, the third power of the inverse fourth root.
    method : str or Rule
        A name from ``matfun.methods("invroot")`` (``"sqrt"`` for p = 2, ``"inv"`` for p = 1), a rule object, or
        ``"auto"``.
    tol : float, optional
        Bound on $\|I - X^p A\|_F$ as the iteration sees it.  Default: as accurate as the dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    hermitian : bool, optional
        Whether A is Hermitian.  Default: looked at; under ``steps``, False.  Say True there where it is: the Gram-like
        products of the coupled iteration then stay Hermitian, and so does the result.
    ridge : float
        Added to the diagonal, relative to the largest eigenvalue, which is estimated by a power method.
    pinv : float, optional
        Treat eigenvalues below this, relative to the largest, as zeros that stay zero (Hermitian A), by eigenvalues.
    initial : array, shape (..., n, n), optional
        Warm start near $A^{-1/p}$.  Taken for those matrices for which $\|I - X_0^p A\|_F < 1$ and, for p > 1,
        A X_0 = X_0 A to rounding, since the coupled iteration converges to a root only from functions of A
        (``info.warm_start``).
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
        Return ``(X, info)``.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    X : array, shape (..., n, n)
        Of A's library, dtype and device.
    info : Info
        Only with ``full_output``; with ``condition`` and ``forward_error``.

    Raises
    ------
    ValueError, TypeError
        For bad input; for a Hermitian matrix that is not positive definite, with its smallest eigenvalue.
    ConvergenceError
        With ``on_failure="raise"``; also where the condition number, about kappa / p, leaves no correct digit.

    Notes
    -----
    A step costs the products of the rule's polynomial, one for X, and about log2 p + 1 for M.  The error grows as kappa
    eps / p: float32 is good for condition numbers to about 1e6.

    References
    ----------
    Guo and Higham, SIMAX 28(3), 2006; Higham, Functions of Matrices (2008), ch. 7.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> X = matfun.invrootm(np.diag([1.0, 16.0]), 4, method="newton-schulz")
    >>> np.round(X, 12) + 0.0
    array([[1. , 0. ],
           [0. , 0.5]])
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
    (X,), info = solve(_function(p), A, options)
    return (X, info) if full_output else X
