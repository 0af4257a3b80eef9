"""``polar`` to a tolerance under a trace: no value is looked at, so nothing can be refused, certified or repaired."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from matfun.functions.accurate import goal_of
from matfun.functions.inputs import Input
from matfun.functions.methods import methods
from matfun.functions.simulate import simulate
from matfun.functions.unitary import hermitian_factor, pair, prepare, start
from matfun.polynomials.update import Polynomial
from matfun.problems.polar import PolarProblem
from matfun.result import Info, PolarResult, Status
from matfun.rules.rule import Rule
from matfun.traced import NotTraceableError, run_traced


def run_to_goal_traced(
    given: Input, method: tuple[str, Rule], side: str, tol: float | None, max_steps: int, rng: Any
) -> PolarResult:
    """Polar factors to a tolerance where the provider has a traced loop.

    Zero matrices get the identity and a zero H, and matrices that are not finite NaN.

    Parameters
    ----------
    given : Input
    method : tuple
        Name and rule.
    side : {"right", "left"}
    tol : float or None
    max_steps : int
    rng : numpy.random.Generator, seed or None

    Raises
    ------
    ValueError
        For a method that has no traced loop.
    """
    ops, A, (name, rule) = given.ops, given.A, method
    finite, zero = ops.all_finite(A), ops.max_abs(A) == 0
    usable = finite & ~zero
    # the identity stands in: it disturbs no maximum and no step count of the stack
    given = replace(given, A=ops.select(usable, A, ops.eye(A.shape[-2], A.shape[-1], A)))
    begin = start(prepare(given, reduce=False), rule, PolarProblem(ops, np.random.default_rng(rng)))
    goal = goal_of(min(A.shape[-2:]), ops.eps(A.dtype), tol, max_steps)
    try:
        outcome = run_traced(begin.problem, rule, begin.state, goal=goal)
    except NotTraceableError as error:
        raise ValueError(
            "method: expected one made of products for a traced array without steps=, "
            f"got {name!r}, which has no traced loop because {error}; those of its kind are {_not_made_of_products()}"
        ) from None
    U = begin.orient(outcome.state)
    H = hermitian_factor(ops, begin.scaled.A, U, side)
    nan = float("nan")
    U_else = ops.select(zero, ops.eye(U.shape[-2], U.shape[-1], U), ops.xp.full_like(U, nan))
    H_else = ops.select(zero, ops.xp.zeros_like(H), ops.xp.full_like(H, nan))
    residual = ops.xp.where(finite, outcome.residual, ops.xp.full_like(outcome.residual, nan))
    info = Info(
        Status.UNCHECKED,
        name,
        ops.name,
        outcome.steps,
        outcome.products,
        outcome.thin,
        ops.xp.where(zero, ops.xp.zeros_like(residual), residual),
        scale=begin.scaled.divisor(ops),
        lower=goal.eps / 2,
    )
    return pair(given, begin, ops.select(usable, U, U_else), ops.select(usable, H, H_else), info)


def _not_made_of_products() -> str:
    """Names of the methods that factorise."""
    names = [m for m in methods("polar") if not isinstance(simulate(m, [0.5], steps=1).updates[0], Polynomial)]
    return ", ".join(names)
