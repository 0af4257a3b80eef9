"""``matfun.polar``: A = U H (or H U) with a statement of how good it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from matfun.drive import End, Goal, Outcome, run_steps
from matfun.functions.certificate import Kind, certify, plain
from matfun.functions.choose import choose_polar
from matfun.functions.failure import OnFailure, failed_members, raise_or_warn, take_over
from matfun.functions.inputs import Input, check_accuracy, check_choice, check_matrix, finite_members
from matfun.functions.unitary import Start, accuracy_limit, iterate_and_complete, rounding_floor, start
from matfun.ops import Array, Ops
from matfun.result import Certificate, History, Info, PolarResult, Status
from matfun.rules.rule import Rule, rule_for

CERTIFICATE_SLACK = 8.0
"""An answer is called inaccurate above this multiple of ``accuracy_limit``: a library's SVD may have several times the
backward error of an iteration, and an estimated norm may exceed the true one."""


def polar(
    A: Any,
    side: str = "right",
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    rng: Any = None,
    on_failure: OnFailure = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    backend: str | Ops | None = None,
) -> PolarResult:
    r"""Polar decomposition A = U H, or A = H U for ``side="left"``.

    U has orthonormal columns (rows where A is wide) and H is Hermitian positive semidefinite.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Real or complex, of any library that follows the array API; leading dimensions are a stack.  Lists become NumPy
        arrays, integers the default float.  Never modified.
    side : {"right", "left"}
        Where H stands.
    method : str or Rule
        A name from ``matfun.methods("polar")``, a rule object, or ``"auto"``.
    tol : float, optional
        Bound on $\|I - U^H U\|_F$, hence on the distance of U to the exact factor.  Default: as accurate as the
        dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    rng : numpy.random.Generator, seed or None
        Source of sketches, probes and completions (SPEC 7), drawn on the host so that every library sees the same
        numbers.
    on_failure : {"raise", "warn", "svd"}
        Raise ``ConvergenceError`` (which carries the best result), warn and return it, or fall back to the SVD,
        matrix by matrix of a stack.
    check_finite : bool
        Refuse NaN and infinity.  If False, such matrices of a stack come back as NaN with ``Status.NOT_FINITE``.
        Not looked at under ``steps``.
    certificate : {"probes", "exact"}
        Estimate the final errors with a few random vectors, or compute them (two more products).
    max_steps : int
        Limit for accuracy-driven runs.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    PolarResult
        The pair (U, H), shapes (..., m, n) and (..., n, n) (``side="left"``: (..., m, m)), of A's library, dtype
        and device, with an ``Info`` as ``.info``.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.
    ConvergenceError
        With ``on_failure="raise"``.

    See Also
    --------
    orthogonalize : the unitary factor alone, in a fixed number of steps.

    Notes
    -----
    Where A is numerically rank deficient, the part of U on its null space is an arbitrary isometry (the zero
    matrix gives the identity) and the status is ``COMPLETED``.  Cost: the products of the method, one for H, and
    O(mn) for the
    certificate.

    References
    ----------
    Higham, Functions of Matrices: Theory and Computation (SIAM, 2008), ch. 8.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, H = matfun.polar(np.array([[0.0, -3.0], [2.0, 0.0]]), method="newton-schulz")
    >>> np.round(U, 12) + 0.0, np.round(H, 12) + 0.0
    (array([[ 0., -1.],
           [ 1.,  0.]]), array([[2., 0.],
           [0., 3.]]))
    """
    check_choice("side", side, ("right", "left"))
    check_choice("on_failure", on_failure, ("raise", "warn", "svd"))
    check_choice("certificate", certificate, ("probes", "exact"))
    check_accuracy(tol, steps, max_steps)
    given = check_matrix(A, backend)
    name, rule = rule_for(choose_polar(given, tol, steps) if method == "auto" else method, "polar")
    if 0 in given.A.shape:
        return _empty(given, side, name)
    if steps is not None:
        return _fixed_steps(given, side, name, rule, steps, rng)
    if given.traced:
        raise ValueError(
            "steps: expected a number of steps, because the values of a traced or lazy array are not known while "
            f"Python runs and tol={tol!r} cannot be tested; got steps=None"
        )
    finite = finite_members(given.ops, given.A, required=check_finite)
    run = _AccurateRun(given, side, tol, max_steps, certificate, np.random.default_rng(rng), finite)
    result = run.solve(name, rule)
    bad = failed_members(result)
    if on_failure == "svd" and (bad & finite).any():
        result = take_over(given.ops, result, run.solve(*rule_for("svd", "polar")), bad & finite)
        bad = failed_members(result)
    if bad.any():
        raise_or_warn(result, bad, run.goal.residual, on_failure)
    return result


def _fixed_steps(given: Input, side: str, name: str, rule: Rule, steps: int, rng: Any) -> PolarResult:
    ops = given.ops
    begin = start(given, rule, rng)
    state, updates = run_steps(begin.problem, rule, begin.scaled.state, steps=steps, eps=ops.eps(given.A.dtype))
    U = begin.orient(state)
    U = ops.select(begin.zero(), ops.eye(U.shape[-2], U.shape[-1], U), U)  # the zero matrix gives the identity
    work = begin.problem.work
    info = Info(
        Status.UNCHECKED,
        name,
        ops.name,
        steps,
        work.products,
        work.thin,
        scale=begin.scaled.divisor(ops),
        history=History((), updates),
    )
    return _pair(given, begin, U, _hermitian_factor(ops, begin.scaled.A, U, side), info)


class _AccurateRun:
    """One accuracy-driven call: the goal, the certificate and the statuses, for whichever rule is run."""

    def __init__(
        self,
        given: Input,
        side: str,
        tol: float | None,
        max_steps: int,
        certificate: Kind,
        rng: np.random.Generator,
        finite: np.ndarray[Any, Any],
    ) -> None:
        ops, A = given.ops, given.A
        self.zero = np.asarray(ops.as_host(ops.max_abs(A)) == 0)
        self.usable = finite & ~self.zero
        if not self.usable.all():
            # The identity stands in: bad matrices disturb no factorisation of the stack, zero ones need no steps.
            keep = ops.from_host(self.usable, A, ops.xp.bool)
            given = replace(given, A=ops.select(keep, A, ops.eye(A.shape[-2], A.shape[-1], A)))
        self.given, self.side, self.certificate, self.rng, self.finite = given, side, certificate, rng, finite
        small, eps = min(A.shape[-2:]), ops.eps(A.dtype)
        self.limit = max(tol or 0.0, accuracy_limit(small, eps))
        floor = rounding_floor(small, eps)
        # from sqrt(eps)/2 the polishing step reaches 3/4 (eps/4): rounding
        residual = tol if tol is not None else max(eps**0.5 / 2, floor)
        self.goal = Goal(residual, max(eps**0.5, 4 * floor), eps, max_steps, polish=tol is None)

    def solve(self, name: str, rule: Rule) -> PolarResult:
        """Run a rule, certify, and turn the ends of the loop into statuses."""
        given, ops = self.given, self.given.ops
        begin = start(given, rule, self.rng)
        outcome, completed = iterate_and_complete(begin, rule, self.goal)
        U = begin.orient(outcome.state)
        H = _hermitian_factor(ops, begin.scaled.A, U, self.side)
        proof = certify(ops, begin.scaled.A, U, H, self.side, self.certificate, self.rng)
        U, H = self._replace_unusable(U, H)
        residual = np.where(self.usable, outcome.residual, np.where(self.zero, 0.0, np.nan))
        work = begin.problem.work
        info = Info(
            plain(self._status(outcome, completed, proof)),
            name,
            ops.name,
            plain(outcome.steps),
            work.products,
            work.thin,
            plain(residual),
            proof,
            begin.scaled.divisor(ops),
            outcome.history,
        )
        return _pair(given, begin, U, H, info)

    def _replace_unusable(self, U: Array, H: Array) -> tuple[Array, Array]:
        """Give zero matrices the identity and a zero H, and matrices that are not finite NaN."""
        ops = self.given.ops
        if self.usable.all():
            return U, H
        keep, zero = (ops.from_host(mask, U, ops.xp.bool) for mask in (self.usable, self.zero))
        nan = float("nan")
        U_else = ops.select(zero, ops.eye(U.shape[-2], U.shape[-1], U), ops.xp.full_like(U, nan))
        H_else = ops.select(zero, ops.xp.zeros_like(H), ops.xp.full_like(H, nan))
        return ops.select(keep, U, U_else), ops.select(keep, H, H_else)

    def _status(self, outcome: Outcome, completed: np.ndarray[Any, Any], proof: Certificate) -> np.ndarray[Any, Any]:
        ends = outcome.ends
        acceptable = CERTIFICATE_SLACK * self.limit
        accurate = (np.asarray(proof.backward_error) <= acceptable) & (np.asarray(proof.orthogonality) <= acceptable)
        small = min(self.given.A.shape[-2:])
        at_floor = (ends == End.FLOOR) & (outcome.residual <= self.limit * small**0.5)
        reached = (ends == End.GOAL) | at_floor
        status = np.full(ends.shape, Status.STAGNATED, dtype=object)
        status[ends == End.MAX_STEPS] = Status.MAX_STEPS
        status[ends == End.NOT_FINITE] = Status.NOT_FINITE
        status[reached] = Status.INACCURATE
        status[reached & accurate] = Status.CONVERGED
        status[reached & accurate & completed] = Status.COMPLETED
        status[self.zero] = Status.COMPLETED
        status[~self.finite] = Status.NOT_FINITE
        return status


def _hermitian_factor(ops: Ops, A: Array, U: Array, side: str) -> Array:
    """H of A, Hermitian to the last bit."""
    adjoint = ops.adjoint(U)
    return ops.hermitian_part(ops.matmul(adjoint, A) if side == "right" else ops.matmul(A, adjoint))


def _pair(given: Input, begin: Start, U: Array, H: Array, info: Info) -> PolarResult:
    """U and H in the caller's dtype, H in the scale of A."""
    H = given.ops.times_power_of_two(H, begin.scaled.exponent)
    return PolarResult.of(given.restore(U), given.restore(H), info)


def _empty(given: Input, side: str, name: str) -> PolarResult:
    """No elements, or no matrices: nothing to compute; H is zero, as in SciPy."""
    ops, A = given.ops, given.A
    n = A.shape[-1] if side == "right" else A.shape[-2]
    H = ops.scale(ops.xp.broadcast_to(ops.eye(n, n, A), (*A.shape[:-2], n, n)), 0.0)
    status = plain(np.full(A.shape[:-2], Status.CONVERGED, dtype=object))
    zero = plain(np.zeros(A.shape[:-2]))
    exact = Certificate(zero, zero, None, 1.0, 1.0)
    info = Info(status, name, ops.name, plain(np.zeros(A.shape[:-2], dtype=int)), 0, 0, zero, exact)
    return PolarResult.of(given.restore(ops.scale(A, 1.0)), given.restore(H), info)
