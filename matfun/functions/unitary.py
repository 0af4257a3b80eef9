"""The road from a checked matrix to its unitary factor, shared by ``polar`` and ``orthogonalize``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from matfun.drive import End, Goal, Outcome, drive
from matfun.functions.inputs import Input
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.problems.polar import PolarProblem, PolarState
from matfun.result import History
from matfun.rules.rule import Rule
from matfun.scaling import Scaled, scale_to_unit


def accuracy_limit(small_side: int, eps: float) -> float:
    """(12 + sqrt k) eps for small side k: what the certified errors of an accurate answer stay below.

    Bounds the relative backward error and ||U^H U - I||_F / sqrt k.  sqrt k eps for vectors of length k that rounding
    perturbs, 12 eps for the few roundings of the last steps; the worst measured is on record in benchmarks/stability.json.
    """
    return (12 + sqrt(small_side)) * eps


def rounding_floor(small_side: int, eps: float) -> float:
    """Frobenius norm of the residual that rounding of the Gram product alone accounts for.

    Each of the k^2 elements carries about 0.15 eps whatever the long side (partial sums of unit columns stay below 1), each
    of the k normalised columns a few eps on the diagonal; both with room to spare.
    """
    return (4 * sqrt(small_side) + small_side / 4) * eps


@dataclass
class Run:
    """Everything the loop left, in the orientation of the caller's matrix.

    Attributes
    ----------
    U : array, shape (..., m, n)
    scaled : Scaled
        Of A itself (not of its adjoint).
    ends, steps, residual
        As in ``Outcome``.
    completed : numpy array of bool
        Where a null space was completed.
    products, thin_products : int
    scale : Scalar
        Divisor of ``A 2^-exponent`` in total.
    history : History
    """

    U: Array
    scaled: Scaled
    ends: np.ndarray[Any, Any]
    steps: np.ndarray[Any, Any]
    residual: np.ndarray[Any, Any] | None
    completed: np.ndarray[Any, Any]
    products: int
    thin_products: int
    scale: Scalar
    history: History


def unitary_factor(
    given: Input, rule: Rule, *, steps: int | None, goal: Goal | None, rng: np.random.Generator, complete: bool
) -> Run:
    """Scale, iterate, and (for a goal) complete null spaces.

    Parameters
    ----------
    given : Input
    rule : Rule
    steps : int, optional
    goal : Goal, optional
        One of the two is given.
    rng : numpy.random.Generator
    complete : bool
        Whether a null space gets an isometry (``polar``) or stays (``orthogonalize``).
    """
    ops, A = given.ops, given.A
    scaled = scale_to_unit(ops, A)
    wide = A.shape[-2] < A.shape[-1]
    X = ops.adjoint(scaled.X) if wide else scaled.X
    problem = PolarProblem(ops, rng)
    state, scale = PolarState(X), scaled.norm
    if getattr(rule, "forms_square", False) and steps != 0:
        state, bound = problem.scale_by_gram(state)
        scale = scale * bound
    eps = ops.eps(X.dtype)
    lower = None if goal is None else eps / 2
    outcome = drive(problem, rule, state, eps=eps, steps=steps, goal=goal, lower=lower)
    completed = np.asarray(outcome.ends == End.NULL_SPACE)
    if complete and goal is not None and completed.any():
        outcome = _complete(problem, rule, outcome, completed, goal, lower)
    U = ops.adjoint(outcome.state.X) if wide else outcome.state.X
    return Run(
        U,
        scaled,
        outcome.ends,
        outcome.steps,
        outcome.residual,
        completed,
        problem.work.products,
        problem.work.thin,
        scale,
        outcome.history,
    )


def _complete(
    problem: PolarProblem, rule: Rule, first: Outcome, where: np.ndarray[Any, Any], goal: Goal, lower: float | None
) -> Outcome:
    """Add isometries on the null spaces and iterate again; matrices that had converged stop at once."""
    state = problem.select(where, problem.complete(first.state), first.state)
    second = drive(problem, rule, state, eps=goal.eps, goal=goal, lower=lower)
    assert first.residual is not None
    assert second.residual is not None
    return replace(
        second,
        state=problem.select(where, second.state, first.state),
        ends=np.where(where, second.ends, first.ends),
        steps=np.where(where, first.steps + second.steps, first.steps),
        residual=np.where(where, second.residual, first.residual),
        history=History(
            first.history.residuals + second.history.residuals, first.history.updates + second.history.updates
        ),
    )


def in_input_scale(ops: Ops, H: Array, scaled: Scaled) -> Array:
    """H of A from the H of A 2^-exponent, exactly."""
    return ops.times_power_of_two(H, scaled.exponent)
