"""``matfun.polar``: A = U H (or H U) with a statement of how good it is."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from matfun.drive import End, Goal
from matfun.functions.certificate import Kind, certify, plain
from matfun.functions.choose import choose_polar
from matfun.functions.inputs import Input, OnFailure, Side, check_accuracy, check_choice, check_matrix, finite_members
from matfun.functions.unitary import Run, accuracy_limit, in_input_scale, rounding_floor, unitary_factor
from matfun.ops import Ops
from matfun.result import Certificate, ConvergenceError, ConvergenceWarning, Info, PolarResult, Status
from matfun.rules.rule import Rule, rule_for


CERTIFICATE_SLACK = 8.0
"""An answer is called inaccurate above this multiple of ``accuracy_limit``: a library's SVD may have several times the
backward error of an iteration, and an estimated norm may exceed the true one."""


def polar(
    A: Any,
    side: Side = "right",
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
        Bound on $\|I - U^H U\|_F$, hence on the distance of U to the exact factor.  Default: as accurate as the dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    rng : numpy.random.Generator, seed or None
        Source of sketches, probes and completions (SPEC 7), drawn on the host so that every library sees the same numbers.
    on_failure : {"raise", "warn", "svd"}
        Raise ``ConvergenceError`` (which carries the best result), warn and return it, or fall back to the SVD, matrix by
        matrix of a stack.
    check_finite : bool
        Refuse NaN and infinity.  If False, such matrices of a stack come back as NaN with ``Status.NOT_FINITE``.  Not looked
        at under ``steps``.
    certificate : {"probes", "exact"}
        Estimate the final errors with a few random vectors, or compute them (two more products).
    max_steps : int
        Limit for accuracy-driven runs.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    PolarResult
        The pair (U, H), shapes (..., m, n) and (..., n, n) (``side="left"``: (..., m, m)), of A's library, dtype and device,
        with an ``Info`` as ``.info``.

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
    Where A is numerically rank deficient, the part of U on its null space is an arbitrary isometry (the zero matrix gives
    the identity) and the status is ``COMPLETED``.  Cost: the products of the method, one for H, and O(mn) for the
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
    generator = np.random.default_rng(rng)
    if given.A.shape[-1] == 0 or given.A.shape[-2] == 0 or 0 in given.A.shape[:-2]:
        return _empty(given, side, name)
    if steps is not None:
        return _fixed_steps(given, side, name, rule, steps, generator)
    if given.traced:
        raise ValueError(
            "steps: expected a number of steps, because the values of a traced or lazy array are not known while Python "
            f"runs and tol={tol!r} cannot be tested; got steps=None"
        )
    finite = finite_members(given.ops, given.A, required=check_finite)
    if not finite.all():
        given = _stand_in(given, finite)
    small = min(given.A.shape[-2:])
    eps = given.ops.eps(given.A.dtype)
    limit = max(tol or 0.0, accuracy_limit(small, eps))
    floor = rounding_floor(small, eps)
    # from sqrt(eps)/2 the polishing step reaches 3/4 (eps/4): rounding
    residual = tol if tol is not None else max(eps**0.5 / 2, floor)
    goal = Goal(residual, max(eps**0.5, 4 * floor), eps, max_steps, polish=tol is None)
    run = unitary_factor(given, rule, steps=None, goal=goal, rng=generator, complete=True)
    result = _finish(given, side, name, run, certificate, generator, finite, limit)
    return result if result.info is None or result.info.ok else _failed(given, side, result, on_failure, generator, limit, goal)


def _fixed_steps(
    given: Input, side: Side, name: str, rule: Rule, steps: int, rng: np.random.Generator
) -> PolarResult:
    ops = given.ops
    run = unitary_factor(given, rule, steps=steps, goal=None, rng=rng, complete=False)
    m, n = given.A.shape[-2:]
    U = ops.select(run.scaled.nonzero, run.U, ops.eye(m, n, run.U))
    return _assemble(given, side, name, replace_U(run, U), None, Status.UNCHECKED)


def replace_U(run: Run, U: Any) -> Run:
    """The same run with another unitary factor."""
    return replace(run, U=U)


def _finish(
    given: Input,
    side: Side,
    name: str,
    run: Run,
    kind: Kind,
    rng: np.random.Generator,
    finite: np.ndarray[Any, Any],
    limit: float,
) -> PolarResult:
    """Certify, and turn the ends of the loop into statuses."""
    ops = given.ops
    H = _hermitian_factor(ops, run, side)
    proof = certify(ops, run.scaled.A, run.U, H, side, kind, rng)
    accurate = (np.asarray(proof.backward_error) <= CERTIFICATE_SLACK * limit) & (
        np.asarray(proof.orthogonality) <= CERTIFICATE_SLACK * limit
    )
    status = np.full(run.ends.shape, Status.MAX_STEPS, dtype=object)
    reached = (run.ends == End.GOAL) | ((run.ends == End.FLOOR) & (np.asarray(run.residual) <= limit * min(given.A.shape[-2:]) ** 0.5))
    status[(run.ends == End.STAGNATED) | (run.ends == End.FLOOR) | (run.ends == End.NULL_SPACE)] = Status.STAGNATED
    status[run.ends == End.NOT_FINITE] = Status.NOT_FINITE
    status[reached & accurate] = Status.CONVERGED
    status[reached & accurate & run.completed] = Status.COMPLETED
    status[reached & ~accurate] = Status.INACCURATE
    status[~finite] = Status.NOT_FINITE
    result = _assemble(given, side, name, run, proof, plain(status))
    if finite.all():
        return result
    keep = ops.from_host(finite, run.U, ops.xp.bool)
    nan = float("nan")
    masked = [ops.select(keep, Y, ops.xp.full_like(Y, nan)) for Y in result]
    assert result.info is not None
    return PolarResult.of(masked[0], masked[1], result.info)


def _hermitian_factor(ops: Ops, run: Run, side: Side) -> Any:
    """H of the prescaled matrix, Hermitian to the last bit."""
    A, adjoint = run.scaled.A, ops.adjoint(run.U)
    return ops.hermitian_part(ops.matmul(adjoint, A) if side == "right" else ops.matmul(A, adjoint))


def _assemble(
    given: Input, side: Side, name: str, run: Run, proof: Certificate | None, status: Any
) -> PolarResult:
    ops = given.ops
    H = in_input_scale(ops, _hermitian_factor(ops, run, side), run.scaled)
    info = Info(
        status=status,
        method=name,
        backend=ops.name,
        steps=plain(run.steps),
        products=run.products,
        thin_products=run.thin_products,
        residual=None if run.residual is None else plain(run.residual),
        certificate=proof,
        scale=run.scale,
        history=run.history,
    )
    return PolarResult.of(given.restore(run.U), given.restore(H), info)


def _stand_in(given: Input, finite: np.ndarray[Any, Any]) -> Input:
    """Put the identity in the place of matrices that are not finite, so that they disturb nobody."""
    ops, A = given.ops, given.A
    keep = ops.from_host(finite, A, ops.xp.bool)
    return replace(given, A=ops.select(keep, A, ops.eye(*A.shape[-2:], A)))


def _empty(given: Input, side: Side, name: str) -> PolarResult:
    """No elements, or no matrices: nothing to compute, H is zero as in SciPy."""
    ops, A = given.ops, given.A
    n = A.shape[-1] if side == "right" else A.shape[-2]
    H = ops.scale(ops.xp.broadcast_to(ops.eye(n, n, A), (*A.shape[:-2], n, n)), 0.0)
    stack = A.shape[:-2]
    status = plain(np.full(stack, Status.CONVERGED, dtype=object))
    zero = plain(np.zeros(stack))
    info = Info(
        status, name, ops.name, plain(np.zeros(stack, dtype=int)), 0, 0, zero, Certificate(zero, zero, None, 1.0, 1.0)
    )
    return PolarResult.of(given.restore(ops.scale(A, 1.0)), given.restore(H), info)


def _failed(
    given: Input,
    side: Side,
    result: PolarResult,
    on_failure: OnFailure,
    rng: np.random.Generator,
    limit: float,
    goal: Goal,
) -> PolarResult:
    """Do with a failure what the caller asked for."""
    info = result.info
    assert info is not None
    status = np.asarray(info.status, dtype=object)
    bad = np.vectorize(lambda s: not s.ok, otypes=[bool])(status)
    if on_failure == "svd":
        return _fall_back(given, side, result, bad & (status != Status.NOT_FINITE), rng, limit, goal)
    counts = {s: int(np.sum(status == s)) for s in Status if not s.ok and np.any(status == s)}
    reasons = "; ".join(f"{s.name}: {s.value}" for s in counts)
    where = "" if status.ndim == 0 else f" for {int(bad.sum())} of {status.size} matrices, first at {_first(bad)},"
    message = (
        f"polar with method {info.method!r}{where} did not reach the tolerance {goal.residual:.2e} "
        f"(residual {np.max(info.residual):.2e}).  {reasons}"
    )
    if on_failure == "raise":
        raise ConvergenceError(message, result)
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return result


def _first(bad: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(map(int, np.argwhere(bad)[0]))


def _fall_back(
    given: Input,
    side: Side,
    result: PolarResult,
    bad: np.ndarray[Any, Any],
    rng: np.random.Generator,
    limit: float,
    goal: Goal,
) -> PolarResult:
    """Answer the failed matrices by the SVD, and leave the others as they are."""
    ops, info = given.ops, result.info
    assert info is not None
    _, rule = rule_for("svd", "polar")
    run = unitary_factor(given, rule, steps=None, goal=goal, rng=rng, complete=True)
    finite = np.ones(bad.shape, dtype=bool)
    other = _finish(given, side, "svd", run, "probes", rng, finite, limit)
    assert other.info is not None
    take = ops.from_host(np.asarray(bad), given.A, ops.xp.bool)
    U, H = (ops.select(take, new, old) for new, old in zip(other, result, strict=True))
    reached = np.vectorize(lambda s: s.ok, otypes=[bool])(np.asarray(other.info.status, dtype=object))
    status = np.where(bad & reached, Status.FELL_BACK, np.asarray(info.status, dtype=object))
    assert info.certificate is not None
    assert other.info.certificate is not None
    proof = replace(
        info.certificate,
        backward_error=plain(np.where(bad, other.info.backward_error, info.backward_error)),
        orthogonality=plain(np.where(bad, other.info.orthogonality, info.orthogonality)),
    )
    return PolarResult.of(
        U,
        H,
        replace(
            info,
            status=plain(status),
            certificate=proof,
            residual=plain(np.where(bad, other.info.residual, info.residual)),
            products=info.products + other.info.products,
        ),
    )
