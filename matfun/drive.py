"""The only loops in the package, one blind and one seeing: ask the rule, apply the update, and know when to stop.

``run_steps`` does exactly so many steps and looks at nothing.  ``run_to_goal`` measures the residual of every
matrix before each step and stops each one on its own:

* at the goal, or as soon as the Taylor polynomial of degree 1 of the residual in hand, which squares it for the price
  of one product, is sure to reach it; that is the last step then, and nobody looks after it;
* at the rounding floor, where the residual no longer decreases;
* on a null space: all r are near 0 or near 1, and growth has been enough to lift everything above the unit roundoff, so
  those near 1 belong to singular values that are zero to working precision;
* when growth has been enough, several times over, and the residual still does not improve;
* when it is not finite, keeping the iterate before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial, Update, one_for_each
from matfun.problems.problem import Problem
from matfun.result import History
from matfun.rules.rule import ResidualView, Rule

EMPIRICAL_FLOOR_RATIO = 0.9
"""Near convergence every rule at least halves the residual; a ratio above this means rounding has taken over."""

LARGEST_FLOOR = 0.1
"""A residual that rounding keeps above this says nothing."""

FLOOR_OVER_ROUNDING = 4.0
"""``Goal.floor`` is four times what the rounding of one residual accounts for."""

NULL_SPACE_WIDTH = 1e-3
"""Eigenvalues r within this of 1 count as null directions; sigma^2 = 1 - r, so their sigma is below 0.032.

Looked at only while sum r^2 is as close to a whole number, since the look costs a product.
"""

EMPIRICAL_PATIENCE = 12
"""Steps without a better residual, after all growth is done, before a run counts as stagnated."""


class End(Enum):
    """How the run of one matrix ended."""

    RUNNING = 0
    GOAL = 1
    FLOOR = 2
    NULL_SPACE = 3
    STAGNATED = 4
    MAX_STEPS = 5
    NOT_FINITE = 6


@dataclass(frozen=True)
class Goal:
    """When to stop.

    Attributes
    ----------
    residual : float
        Frobenius norm of the residual to reach.
    floor : float
        Below this norm a residual that no longer decreases is rounding.
    eps : float
        Spacing of 1 in the dtype.
    max_steps : int
    polish : bool
        Whether full accuracy is asked for: then the last step follows from ``residual`` on, in any case.
    lower : float, numpy array of the shape of the stack, or None
        Smallest singular value of the start that matters, shown to the rule; None for the unit roundoff.  Each matrix
        of a stack is moved by the function that the rule picks for its own bound.
    least : float or None
        Smallest value of the start that can be told from zero; None for the unit roundoff.
    """

    residual: float
    floor: float
    eps: float
    max_steps: int
    polish: bool
    lower: Any = None
    least: float | None = None


@dataclass
class Outcome:
    """What the loop leaves behind.

    Attributes
    ----------
    state : Any
    ends : numpy array of End, shape of the stack
    steps : numpy array of int, shape of the stack
    residual : numpy array, shape of the stack
        Last measured norm; where the last step was taken without a look, its square, or what rounding leaves if that
        is more.
    history : History
    """

    state: Any
    ends: np.ndarray[Any, Any]
    steps: np.ndarray[Any, Any]
    residual: np.ndarray[Any, Any]
    history: History


def run_steps(
    problem: Problem[Any], rule: Rule, state: Any, *, steps: int, eps: float, lower: float | None = None
) -> tuple[Any, tuple[Update, ...]]:
    """Apply exactly so many steps and look at nothing; traceable.

    Parameters
    ----------
    problem : Problem
    rule : Rule
    state : Any
        Start, as the problem defines it.
    steps : int
    eps : float
        Spacing of 1 in the dtype of the products.
    lower : float, optional
        What is known of the smallest singular value that matters.

    Returns
    -------
    state : Any
    updates : tuple of Update
    """
    updates: list[Update] = []
    residual: Any
    for k in range(steps):
        residual = problem.residual(state)
        before = updates[-1] if updates else None
        h = rule.next(ResidualView(problem.p, k, k + 1 == steps, lower, eps, residual, before, problem.largest))
        state = problem.update(state, residual, h)
        residual = None  # which holds the state before
        updates.append(h)
    return state, tuple(updates)


def run_to_goal(problem: Problem[Any], rule: Rule, state: Any, *, goal: Goal) -> Outcome:
    """Iterate, measuring, until every matrix has reached the goal or cannot.

    Parameters
    ----------
    problem : Problem
    rule : Rule
    state : Any
        Start, as the problem defines it.
    goal : Goal
    """
    residuals: list[np.ndarray[Any, Any]] = []
    updates: list[Update] = []
    squared = np.zeros(0, dtype=bool)
    lower = goal.eps / 2 if goal.lower is None else goal.lower
    for k in range(goal.max_steps + 1):
        residual = problem.residual(state)
        rho = problem.as_host(residual.norm()).astype(np.float64)
        residuals.append(rho)
        if k == 0:
            watch = _Watch(rho.shape, goal)
            previous = state
        suspects = watch.suspects(rho)
        null_space = suspects
        if suspects.any():  # ||R^2 - R||_F bounds the distance of every r from the set {0, 1}
            null_space = suspects & (problem.as_host(residual.projector_defect()) <= NULL_SPACE_WIDTH)
        bad = watch.look(k, rho, null_space, _rounding(problem, residual))
        if bad.any() and k > 0:  # the last finite iterate is worth more than what it overflowed to
            state = problem.select(~bad, state, previous)
        if not watch.running.any() or k == goal.max_steps:
            squared = (watch.ends == End.GOAL) & (goal.polish | (rho > goal.residual))
            if squared.any():
                last = Polynomial(taylor_inverse_root(problem.p, 1))
                state = problem.select(squared, problem.update(state, residual, last), state)
                updates.append(last)
                watch.steps[squared] += 1
            break
        before = updates[-1] if updates else None
        view = ResidualView(problem.p, k, False, None, goal.eps, residual, before, problem.largest)
        h = _ask(rule, view, lower)
        previous = state
        state = problem.select(watch.running, problem.update(state, residual, h), state)
        updates.append(h)
        watch.grow(_growth(problem, h, rho.shape))
    watch.ends[watch.running] = End.MAX_STEPS
    left = np.where(squared, np.maximum(rho * rho, watch.rounding), rho)
    return Outcome(state, watch.ends, watch.steps, left, History(tuple(residuals), tuple(updates)))


def _ask(rule: Rule, view: ResidualView, lower: Any) -> Update:
    """Ask the rule once, or where it follows a schedule from the bound, once for every bound of the stack."""
    if np.ndim(lower) and not getattr(rule, "follows_lower", False):
        return rule.next(replace(view, lower=float(np.min(lower))))
    bounds, which = np.unique(np.asarray(lower, dtype=np.float64), return_inverse=True)
    updates = [rule.next(replace(view, lower=float(bound))) for bound in bounds]
    if len(updates) == 1:
        return updates[0]
    return one_for_each(updates, which.reshape(np.shape(lower)), view.residual.on_device)


def _rounding(problem: Problem[Any], residual: Any) -> Any:
    """Rounding errors of the residual relative to those of an isometry's, at least 1."""
    scale = residual.rounding()
    if isinstance(scale, (int, float)):
        return max(scale, 1.0)
    host = problem.as_host(scale).astype(np.float64)
    return np.where(np.isfinite(host), np.maximum(host, 1.0), 1.0)


def _growth(problem: Problem[Any], h: Update, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """|h(1)|: the factor by which a tiny singular value grew."""
    if isinstance(h, ExactRoot):
        return np.full(shape, np.inf)
    if isinstance(h, PartialFractions):
        if h.inverts:
            return np.full(shape, np.inf)

        def host_of(c: Any) -> Any:
            return c if isinstance(c, (int, float, np.ndarray)) else problem.as_host(c)

        h = PartialFractions(host_of(h.constant), tuple(map(host_of, h.weights)), h.shifts)
    value = h(1.0)
    host = value if isinstance(value, (int, float, np.ndarray)) else problem.as_host(value)
    return np.broadcast_to(np.abs(np.asarray(host, dtype=np.float64)), shape)


class _Watch:
    """Per matrix: is it still running, how did it end, when."""

    def __init__(self, shape: tuple[int, ...], goal: Goal) -> None:
        self.goal = goal
        self.rounding: Any = 0.0
        self.ends = np.full(shape, End.RUNNING, dtype=object)
        self.steps = np.zeros(shape, dtype=int)
        self._growth = np.ones(shape)
        self._last = np.full(shape, np.inf)
        self._best = np.full(shape, np.inf)
        self._best_step = np.zeros(shape, dtype=int)

    @property
    def running(self) -> np.ndarray[Any, Any]:
        """Which matrices go on."""
        return np.asarray(self.ends == End.RUNNING)

    def grow(self, factor: np.ndarray[Any, Any]) -> None:
        """Record what one step did to tiny singular values."""
        # Newton's first step turns a small residual near 1 into a large one, from which it converges
        self._best = np.where(np.isinf(factor) & np.isfinite(self._growth), np.inf, self._best)
        with np.errstate(over="ignore", invalid="ignore"):
            self._growth = self._growth * factor

    @property
    def _lifted(self) -> np.ndarray[Any, Any]:
        """Where the least value that counts would have left the null space by now."""
        least = self.goal.eps / 2 if self.goal.least is None else self.goal.least
        return np.asarray(self._growth * least >= NULL_SPACE_WIDTH**0.5)

    def suspects(self, rho: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Running matrices whose sum of r^2 is a whole number, after all growth is done."""
        squared = np.where(np.isfinite(rho), rho, 0.0) ** 2
        whole = (np.round(squared) >= 1) & (abs(squared - np.round(squared)) <= NULL_SPACE_WIDTH * np.round(squared))
        return np.asarray(self.running & whole & self._lifted)

    def look(
        self, step: int, rho: np.ndarray[Any, Any], null_space: np.ndarray[Any, Any], rounding: Any
    ) -> np.ndarray[Any, Any]:
        """Judge every running matrix by its residual norm; return which of them are not finite."""
        goal, running = self.goal, self.running
        self.steps[running] = step
        self.rounding = goal.floor / FLOOR_OVER_ROUNDING * rounding
        not_finite = running & ~np.isfinite(rho)
        floor = (rho >= EMPIRICAL_FLOOR_RATIO * self._last) & (
            self._last <= np.minimum(goal.floor * rounding, LARGEST_FLOOR)
        )
        # a tenth less, or one direction fewer that has not left the null space
        better = (rho < EMPIRICAL_FLOOR_RATIO * self._best) | (rho**2 <= self._best**2 - 0.5)
        # growth by 1/u^2 lifts even what rounding left far below the unit roundoff
        done_growing = self._growth * (goal.eps / 2) ** 2 >= 1
        self._best_step = np.where(better | ~done_growing, step, self._best_step)
        self._best = np.where(better, rho, self._best)
        stagnated = step - self._best_step >= EMPIRICAL_PATIENCE
        self._last = rho
        verdicts = (
            (not_finite, End.NOT_FINITE),
            (rho <= goal.residual, End.GOAL),
            # the next residual has positive coefficients in r, which sum to 1: its norm is at most the square
            ((rho * rho <= goal.residual) & (goal.residual >= self.rounding) & (not goal.polish), End.GOAL),
            (floor, End.FLOOR),
            (null_space, End.NULL_SPACE),
            (stagnated, End.STAGNATED),
        )
        for holds, end in reversed(verdicts):
            self.ends[running & holds] = end
        if not_finite.any():
            self.steps[not_finite] = max(step - 1, 0)
        return np.asarray(not_finite)
