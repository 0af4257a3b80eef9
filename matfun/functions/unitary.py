"""The road from a checked matrix to its unitary factor, shared by ``polar`` and ``orthogonalize``."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from matfun.drive import End, Goal, Outcome, run_steps, run_to_goal
from matfun.functions.inputs import Input
from matfun.ops import Array, Ops
from matfun.polynomials.update import Update
from matfun.problems.polar import PolarProblem, PolarState
from matfun.result import History, Info, PolarResult, Status
from matfun.rules.rule import Rule
from matfun.scaling import Scaled, scale_to_unit


def accuracy_limit(small_side: int, eps: float) -> float:
    """(12 + sqrt k) eps for small side k: what the certified errors of an accurate answer stay below.

    Bounds the relative backward error and ||U^H U - I||_F / sqrt k.  sqrt k eps for vectors of length k that rounding
    perturbs, 12 eps for the few roundings of the last steps; the worst measured is on record in
    benchmarks/results/stability.json.
    """
    return (12 + sqrt(small_side)) * eps


def rounding_floor(small_side: int, eps: float) -> float:
    """Frobenius norm of the residual that rounding of the Gram product alone accounts for.

    Each of the k^2 elements carries about 0.15 eps whatever the long side (partial sums of unit columns stay below
    1), each of the k normalised columns a few eps on the diagonal; both with room to spare.
    """
    return (4 * sqrt(small_side) + small_side / 4) * eps


@dataclass
class Start:
    """A scaled start and the problem it belongs to; A itself where it is tall, its adjoint where it is wide.

    Attributes
    ----------
    problem : PolarProblem
    scaled : Scaled
    wide : bool
    """

    problem: PolarProblem
    scaled: Scaled
    wide: bool

    def orient(self, state: PolarState) -> Array:
        """X of a state, in the orientation of the caller's matrix."""
        X = self.problem.settle(state).X
        return self.problem.ops.adjoint(X) if self.wide else X

    def zero(self) -> Array:
        """Which matrices of the stack are zero, a device array of bool of shape (...)."""
        ops = self.problem.ops
        return ops.max_abs(self.scaled.A) == 0


def start(given: Input, rule: Rule, rng: Any) -> Start:
    """Scale A; by the Gram matrix where the rule's first step forms its square anyway.

    Parameters
    ----------
    given : Input
    rule : Rule
    rng : numpy.random.Generator, seed or None
    """
    problem = PolarProblem(given.ops, rng)
    wide = given.A.shape[-2] < given.A.shape[-1]
    forms_square = getattr(rule, "forms_square", False)
    return Start(problem, scale_to_unit(problem, given.A, wide=wide, forms_square=forms_square), wide)


def iterate_and_complete(begin: Start, rule: Rule, goal: Goal) -> tuple[Outcome, np.ndarray[Any, Any]]:
    """Iterate to the goal; where that finds a null space, add an isometry on it and iterate again.

    Parameters
    ----------
    begin : Start
    rule : Rule
    goal : Goal

    Returns
    -------
    outcome : Outcome
    completed : numpy array of bool, shape of the stack
    """
    problem = begin.problem
    first = run_to_goal(problem, rule, begin.scaled.state, goal=goal)
    where = np.asarray(first.ends == End.NULL_SPACE)
    if not where.any():
        return first, where
    state = problem.select(where, problem.complete(first.state), first.state)
    second = run_to_goal(problem, rule, state, goal=goal)
    history = History(
        first.history.residuals + second.history.residuals, first.history.updates + second.history.updates
    )
    outcome = Outcome(
        problem.select(where, second.state, first.state),
        np.where(where, second.ends, first.ends),
        np.where(where, first.steps + second.steps, first.steps),
        np.where(where, second.residual, first.residual),
        history,
    )
    return outcome, where


def fixed_steps(given: Input, rule: Rule, steps: int, rng: Any) -> tuple[Start, Array, tuple[Update, ...]]:
    """Scale and apply exactly so many steps; waits for no device.

    Parameters
    ----------
    given : Input
    rule : Rule
    steps : int
    rng : numpy.random.Generator, seed or None

    Returns
    -------
    begin : Start
    U : array, shape (..., m, n)
    updates : tuple of Update
    """
    begin = start(given, rule, rng)
    eps = given.ops.eps(given.A.dtype)
    state, updates = run_steps(begin.problem, rule, begin.scaled.state, steps=steps, eps=eps)
    return begin, begin.orient(state), updates


def fixed_info(begin: Start, name: str, updates: tuple[Update, ...]) -> Info:
    """What is known after a fixed number of steps: their price, and that nothing was checked."""
    ops, work = begin.problem.ops, begin.problem.work
    return Info(
        Status.UNCHECKED,
        name,
        ops.name,
        len(updates),
        work.products,
        work.thin,
        scale=begin.scaled.divisor(ops),
        history=History((), updates),
    )


def hermitian_factor(ops: Ops, A: Array, U: Array, side: str) -> Array:
    """H of A, Hermitian to the last bit."""
    adjoint = ops.adjoint(U)
    return ops.hermitian_part(ops.matmul(adjoint, A) if side == "right" else ops.matmul(A, adjoint))


def pair(given: Input, begin: Start, U: Array, H: Array, info: Info) -> PolarResult:
    """U and H in the caller's dtype, H in the scale of A."""
    H = given.ops.times_power_of_two(H, begin.scaled.exponent)
    return PolarResult.of(given.restore(U), given.restore(H), info)
