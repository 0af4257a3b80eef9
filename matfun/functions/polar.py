"""``matfun.polar``: A = U H (or H U) with a statement of how good it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.accurate import AccurateRun
from matfun.functions.certificate import Kind, plain
from matfun.functions.choose import choose_polar
from matfun.functions.failure import OnFailure, failed_members, raise_or_warn, take_over
from matfun.functions.fixed import FixedSteps, run_fixed
from matfun.functions.host_memory import handed_back, on_host
from matfun.functions.inputs import (
    Input,
    check_accuracy,
    check_choice,
    check_count,
    check_matrix,
    check_rng,
    finite_members,
)
from matfun.functions.polar_spread import Asked, polar_spread
from matfun.functions.traced_run import run_to_goal_traced
from matfun.functions.unitary import Start, hermitian_factor, in_caller_dtype
from matfun.ops import Array, Ops
from matfun.polynomials.update import Update
from matfun.result import Certificate, Info, PolarResult, Status
from matfun.rules.rule import Rule, rule_for


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
        arrays, integers the default float.  Never modified.  Dask arrays and DTensors: docs/beyond-memory.md.
    side : {"right", "left"}
        Where H stands.
    method : str or Rule
        A name from ``matfun.methods("polar")``, a rule object, or ``"auto"``.
    tol : float, optional
        Bound on $\|I - U^H U\|_F$, hence on the distance of U to the exact factor.  Default: as accurate as the
        dtype allows.  Under ``jax.jit`` it works for methods made of products; see the notes.
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
        For bad input; the message names the argument, what was expected and what came.  For traced or lazy arrays
        without ``steps`` where the library has no traced loop, or the method has none.
    ConvergenceError
        With ``on_failure="raise"``.

    See Also
    --------
    orthogonalize : the unitary factor alone, in a fixed number of steps.

    Notes
    -----
    Where A is numerically rank deficient, the part of U on its null space is an arbitrary isometry.  Null directions
    that are exact stay null under products, so an isometry is added and the status is ``COMPLETED`` (the zero matrix
    gives the identity); those that rounding filled with noise grow into one by themselves, and an SVD completes on its
    own.  Cost: the products of the method, one for H, and O(mn) for the certificate.

    Under ``jax.jit`` a run to ``tol`` has a loop on the device, which stops each matrix where the eager run does.  No
    value can be looked at there, so nothing is refused, raised or certified and no null space is completed: the status
    is ``UNCHECKED``, and ``info.residual`` and ``info.steps``, traced arrays, are to be looked at.  Matrices that are
    not finite come back as NaN.

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
    check_accuracy(tol, steps)
    check_count("max_steps", max_steps, least=1)
    check_rng(rng)
    given = check_matrix(A, backend, spread=True)
    spread = given.ops.spread(given.A)
    if spread is not None:
        options: Any = {"tol": tol, "steps": steps, "check_finite": check_finite, "certificate": certificate}

        def in_one_place(A: Any, side: str, rng: Any, on_failure: OnFailure) -> PolarResult:
            return polar(A, side, method, rng=rng, on_failure=on_failure, max_steps=max_steps, **options)

        asked = Asked(side, method, rng=rng, on_failure=on_failure, **options)
        return polar_spread(given, spread, in_one_place, asked)
    given = on_host(given, method, steps, backend)
    chosen = choose_polar(given, method, steps)
    undecided = isinstance(chosen, str) and chosen == "auto"
    name, rule = rule_for("svd" if undecided else chosen, "polar")
    if 0 in given.A.shape:
        return _empty(given, side, name)
    if steps is not None:
        finish = _finish_right if side == "right" else _finish_left
        (U, H), info = run_fixed(
            given, FixedSteps(name, rule, steps, finish, "auto", scaled_too=True, with_info=True), rng
        )
        assert info is not None
        return PolarResult.of(U, H, info)
    if given.traced and given.ops.has_traced_loop:
        return run_to_goal_traced(given, (name, rule), side, tol, max_steps, rng)
    if given.traced:
        raise ValueError(
            "steps: expected a number of steps, because the values of a traced or lazy array are not known while "
            f"Python runs and tol={tol!r} cannot be tested; got steps=None"
        )
    norm = given.ops.known_norm(given.A)
    finite = finite_members(given.ops, given.A, required=check_finite, norm=norm)
    run = AccurateRun(given, side, tol, max_steps, certificate, np.random.default_rng(rng), finite, norm)
    if undecided:
        name, rule = rule_for(run.choose(tol), "polar")
    result = run.solve(name, rule)
    bad = failed_members(result.info)
    auto = isinstance(method, str) and method == "auto" and name != "svd"  # which may be trusted blindly
    if (on_failure == "svd" or auto) and (bad & finite).any():
        result = take_over(given.ops, result, run.solve(*rule_for("svd", "polar")), bad & finite)
        bad = failed_members(result.info)
    assert result.info is not None
    (U, H), info = handed_back(given, tuple(result), result.info)
    result = PolarResult.of(U, H, info)
    if bad.any():
        raise_or_warn("polar", result, result.info, bad, run.goal.residual, on_failure)
    return result


def _finish_right(given: Input, begin: Start, U: Array, _: tuple[Update, ...]) -> tuple[Array, Array]:
    return _finish(given, begin, U, "right")


def _finish_left(given: Input, begin: Start, U: Array, _: tuple[Update, ...]) -> tuple[Array, Array]:
    return _finish(given, begin, U, "left")


def _finish(given: Input, begin: Start, U: Array, side: str) -> tuple[Array, Array]:
    """Give the identity for zero, and H."""
    ops = given.ops
    U = ops.select(begin.zero(), ops.eye(U.shape[-2], U.shape[-1], U), U)
    return in_caller_dtype(given, begin, U, hermitian_factor(ops, begin.scaled.A, U, side))


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
