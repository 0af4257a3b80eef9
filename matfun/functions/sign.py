"""``matfun.signm``: the matrix sign function."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.certificate import Kind
from matfun.functions.condition import Sylvester, frechet_norm, relative, two_norm
from matfun.functions.square import solve
from matfun.functions.square_function import Measured, Options, Setting, SquareFunction, Started
from matfun.ops import Array, Ops
from matfun.problems.polar import PolarProblem, PolarState
from matfun.problems.sign import SignProblem, SignState
from matfun.rules.factorisations import Schur
from matfun.rules.rule import Rule


class Sign(SquareFunction):
    """Sign of A; the unitary polar factor where A is Hermitian."""

    name = "signm"
    problem = "sign"
    needs_definite = False
    powers = (0.0,)
    branch = 2

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        ops, A, W = setting.ops, setting.A, None
        if getattr(setting.rule, "needs_square", False):  # as for the polar factor, by a similarity here
            W = ops.rotation(A.shape[-1], A)
            A = ops.matmul(ops.adjoint(W), ops.matmul(A, W))
        if setting.hermitian and not isinstance(setting.rule, Schur):
            return Started(PolarProblem(ops, setting.rng), PolarState(A), rotation=W)
        return Started(SignProblem(ops, setting.rng), SignState(A), rotation=W)

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:
        """All values, of which ``returned`` are what the caller gets."""
        ops, X, W = started.problem.ops, state.X, started.rotation
        return (X if W is None else ops.matmul(W, ops.matmul(X, ops.adjoint(W))),)

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, recomputed from A."""
        ops, A, (S,) = setting.ops, setting.A, values
        size_A, size_S = (ops.positive_or_one(ops.plain_norm_fro(Y)) for Y in (A, S))
        D = ops.matmul(S, ops.matmul(S, W)) - W
        involution = ops.plain_norm_fro(D)
        commutator = ops.plain_norm_fro(ops.matmul(A, ops.matmul(S, W)) - ops.matmul(S, ops.matmul(A, W)))
        norm_of_inverse = two_norm(ops, ops.inverse(A), rng)
        # If S^2 = I, S is the sign of (A + S A S) / 2, which is A + (S A - A S) S / 2; and S - S (S^2 - I) / 2 is
        # an involution to first order.
        departure = ops.plain_norm_fro(ops.matmul(S, D)) / 2
        if setting.hermitian:
            absolute = norm_of_inverse  # 2 / (smallest positive + smallest negative modulus), at most this
            error = absolute * commutator / 2
        else:
            equation = Sylvester(ops, ops.matmul(A, S))  # N L + L N = E - S E S with N = A S

            def derivative(E: Array) -> Array:
                return equation.solve(E - ops.matmul(S, ops.matmul(E, S)))

            def adjoint(E: Array) -> Array:
                L, Sh = equation.solve_adjoint(E), ops.adjoint(S)
                return L - ops.matmul(Sh, ops.matmul(L, Sh))

            absolute = frechet_norm(ops, A, derivative, adjoint, rng)
            change = ops.matmul(ops.matmul(S, A) - ops.matmul(A, S), S)
            error = ops.plain_norm_fro(derivative(change)) / 2
            # The derivative is zero where S is I or -I, however near the axis: how near says the Sylvester equation.
            nearness = frechet_norm(ops, A, equation.solve, equation.solve_adjoint, rng)
            lost = ~equation.converged | (ops.as_host(nearness * size_A) * ops.eps(A.dtype) > 1)
            absolute = ops.xp.where(ops.from_host(lost, size_A, ops.xp.bool), nearness * float("inf"), absolute)
        return Measured(
            commutator / (size_A * size_S),
            ops.as_host((error + departure) / size_S),
            relative(ops, absolute, A, S),
            involution / (size_S * size_S),
            ops.as_host(1 / ops.positive_or_one(norm_of_inverse * two_norm(ops, A, rng))),
        )

    def branch_of(self, setting: Setting, values: tuple[Array, ...]) -> Array:
        """A sign(A) has its spectrum in the right half-plane."""
        return setting.ops.matmul(setting.A, values[0])


def signm(
    A: Any,
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    hermitian: bool | None = None,
    rng: Any = None,
    on_failure: str = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    full_output: bool = False,
    backend: str | Ops | None = None,
) -> Any:
    r"""Sign of a matrix without eigenvalues on the imaginary axis.

    S has the eigenvectors of A and the eigenvalues 1 and -1, the signs of the real parts of those of A.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Real or complex, of any library that follows the array API; leading dimensions are a stack.  Never modified.
    method : str or Rule
        A name from ``matfun.methods("sign")``, a rule object, or ``"auto"``.
    tol : float, optional
        Bound on $\|I - S^2\|_F$.  Default: as accurate as the dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    hermitian : bool, optional
        Whether A is Hermitian: its sign is its unitary polar factor, and is computed as that.  Default: looked at;
        under ``steps``, False.
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
        Return ``(S, info)``.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    S : array, shape (..., n, n)
        Of A's library, dtype and device.
    info : Info
        Only with ``full_output``; with ``condition``, ``forward_error`` and ``distance``.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.
    ConvergenceError
        With ``on_failure="raise"``; the message gives the eigenvalue nearest to the imaginary axis and its distance.

    Notes
    -----
    Polynomial rules converge for general A only where $\|I - A^2 / \|A\|^2\|$ is below 1 in some norm; Newton's and
    Padé's iterations [m-1/m] and [m/m] converge for every A that has a sign.

    References
    ----------
    Higham, Functions of Matrices (2008), ch. 5.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> S = matfun.signm(np.array([[2.0, 1.0], [0.0, -3.0]]))
    >>> np.round(S, 12) + 0.0
    array([[ 1. ,  0.4],
           [ 0. , -1. ]])
    """
    options = Options(
        method, tol, steps, hermitian, 0.0, None, None, rng, on_failure, check_finite, certificate, max_steps, backend
    )
    (S,), info = solve(Sign(), A, options)
    return (S, info) if full_output else S
