"""Accuracy-driven iteration of the polar factor on arrays whose values are unknown while Python runs.

``run_traced`` is ``run_to_goal`` of ``drive.py`` with its verdicts left on the device and its loop in the provider's
``while_loop``: the goal, the last step that squares the residual, the rounding floor, stagnation, and residuals that
are not finite.  Null spaces are not looked for: they stagnate.

What a rule answers has to be known before the loop runs:

* A rule that asks nothing of the residual is asked for all steps in advance; the loop looks its coefficients up, in
  the residual basis, all of the highest degree.
* A rule that asks is asked once for all steps of the loop, which come after its first two looks; those are written
  out, so that what it does on its first steps is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from matfun.drive import EMPIRICAL_FLOOR_RATIO, EMPIRICAL_PATIENCE, FLOOR_OVER_ROUNDING, LARGEST_FLOOR, Goal
from matfun.ops import Array, Ops
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial, Scalar, Update, exactly_in_residual
from matfun.problems.polar import PolarProblem, PolarResidual, PolarState
from matfun.rules.rule import ResidualView, Rule
from matfun.rules.unseen import UNSEEN, answers_without_looking
from matfun.sketching.no_draws import NO_DRAWS, DrawnError

NextOf: TypeAlias = Callable[["_Run", PolarResidual], Polynomial]
"""What to apply next, in a loop whose step is not known."""


class NotTraceableError(Exception):
    """The rule has no traced loop; the text says why."""


@dataclass(frozen=True)
class TracedOutcome:
    """What the loop leaves behind, all of it on the device.

    Attributes
    ----------
    state : PolarState
    steps : array of int, shape of the stack
    residual : array, shape of the stack
        Norm of the residual of the state; where the last step was taken without a look, its square, or what rounding
        leaves if that is more.
    products, thin : array of int
        Products of the whole stack.
    """

    state: PolarState
    steps: Array
    residual: Array
    products: Array
    thin: Array


class _Run(NamedTuple):
    """What changes from step to step.

    ``answer`` is what a rule that looks has answered last: coefficients and image.
    """

    step: Array
    X: Array
    gram: Array
    rho: Array
    running: Array
    reached: Array
    steps: Array
    growth: Array
    best: Array
    best_step: Array
    answer: tuple[tuple[Scalar, ...], tuple[Scalar, ...]]


def run_traced(problem: PolarProblem, rule: Rule, state: PolarState, *, goal: Goal) -> TracedOutcome:
    """Iterate until every matrix has reached the goal or cannot; looks at no value.

    Parameters
    ----------
    problem : PolarProblem
    rule : Rule
    state : PolarState
        Start.
    goal : Goal
        Its ``lower`` is one number for the stack, or None.

    Raises
    ------
    NotTraceableError
        For rules whose updates are not polynomials, that draw in every step, or that treat some later step differently.
    """
    return _Loop(problem, rule, goal).run(state)


class _Loop:
    def __init__(self, problem: PolarProblem, rule: Rule, goal: Goal) -> None:
        self.problem, self.ops, self.rule, self.goal = problem, problem.ops, rule, goal
        self.known = _answers_without_looking(problem, rule, goal)
        self.looks = len(self.known) < goal.max_steps
        if getattr(rule, "wants_lower", False) and goal.lower is None:
            raise NotTraceableError("it wants a lower bound, which is estimated on the host")

    def run(self, state: PolarState) -> TracedOutcome:
        goal, work = self.goal, self.problem.work
        residual = self.problem.residual(state)
        run = self._start(state, residual)
        h: Polynomial | None = None
        # the first step has scaling folded into it, and what a rule that looks does first is its own
        written_out = min(len(self.known) + 2 if self.looks else 1, goal.max_steps)
        for k in range(written_out):
            h = self._ask(k, residual, h) if k >= len(self.known) else self.known[k]
            run = self._step(run, state, residual, h)
            state = PolarState(run.X, run.gram)
            residual = self.problem.residual(state)
        if written_out < goal.max_steps:
            assert h is not None
            next_of = self._later(written_out, h.basis) if self.looks else _looked_up(self.known, run.gram, self.ops)
            run, products, thin = self._loop(run, next_of)
        else:
            products, thin = (self.ops.xp.zeros_like(run.step) + n for n in (work.products, work.thin))
        return self._finish(run, products, thin)

    def _start(self, state: PolarState, residual: PolarResidual) -> _Run:
        ops, xp = self.ops, self.ops.xp
        rho = residual.norm()
        zeros = xp.zeros_like(rho, dtype=xp.int32)
        inf, ones = xp.full_like(rho, float("inf")), xp.ones_like(rho)
        everywhere = xp.ones_like(rho, dtype=xp.bool)
        step = ops.from_host(0, rho, xp.int32)
        run = _Run(step, state.X, residual.one_minus, inf, everywhere, ~everywhere, zeros, ones, inf, zeros, ((), ()))
        return self._look(run, rho)

    def _ask(self, step: Any, residual: PolarResidual, previous: Polynomial | None) -> Polynomial:
        goal = self.goal
        lower = goal.eps / 2 if goal.lower is None else goal.lower
        view = ResidualView(self.problem.p, step, False, lower, goal.eps, residual, previous, self.problem.largest)
        h = self.rule.next(view)
        if not isinstance(h, Polynomial):
            raise NotTraceableError("its updates are not polynomials")
        return h

    def _step(self, run: _Run, state: PolarState, residual: PolarResidual, h: Polynomial) -> _Run:
        """Move the matrices that are running, and judge them by what they have become."""
        ops, xp = self.ops, self.ops.xp
        moved = ops.select(run.running, self.problem.update(state, residual, h).X, self.problem.settle(state).X)
        following = self.problem.residual(PolarState(moved))
        rho = following.norm()
        bad = run.running & ~xp.isfinite(rho)
        # the last finite iterate is worth more than what it overflowed to
        X = ops.select(bad, self.problem.settle(state).X, moved)
        gram = ops.select(bad, residual.one_minus, following.one_minus)
        factor = xp.abs(xp.ones_like(rho) * h(1.0))
        answer = (h.coefficients, h.image or ()) if self.looks else run.answer
        run = run._replace(step=run.step + 1, X=X, gram=gram, growth=run.growth * factor, answer=answer)
        return self._look(run, rho)

    def _look(self, run: _Run, rho: Array) -> _Run:
        """Judge every running matrix by its residual norm, as ``_Watch.look`` of ``drive.py`` does."""
        goal, xp, running, last = self.goal, self.ops.xp, run.running, run.rho
        finite = xp.isfinite(rho)
        floor = (rho >= EMPIRICAL_FLOOR_RATIO * last) & (last <= min(goal.floor, LARGEST_FLOOR))
        better = (rho < EMPIRICAL_FLOOR_RATIO * run.best) | ((run.best - rho) * (run.best + rho) >= 0.5)
        done_growing = run.growth * (goal.eps / 2) ** 2 >= 1
        best_step = xp.where(better | ~done_growing, run.step, run.best_step)
        best = xp.where(better, rho, run.best)
        reached = rho <= goal.residual
        if goal.residual >= self._rounding and not goal.polish:
            reached = reached | (rho * rho <= goal.residual)
        stagnated = run.step - best_step >= EMPIRICAL_PATIENCE
        ended = ~finite | reached | floor | stagnated
        return run._replace(
            # of the last finite iterate, and NaN where there never was one
            rho=xp.where(running & (finite | ~xp.isfinite(last)), rho, last),
            running=running & ~ended,
            reached=run.reached | (running & finite & reached),
            steps=xp.where(running & finite, run.step, run.steps),
            best=best,
            best_step=best_step,
        )

    @property
    def _rounding(self) -> float:
        return self.goal.floor / FLOOR_OVER_ROUNDING

    def _later(self, first: int, basis: Basis) -> NextOf:
        """What the rule answers from step ``first`` on, when it looks."""
        step = SomeLaterStep(first)

        def next_of(run: _Run, residual: PolarResidual) -> Polynomial:
            coefficients, image = run.answer
            source, self.problem.rng = self.problem.rng, NO_DRAWS
            try:
                h = self._ask(step, residual, Polynomial(coefficients, basis, image or None))
            except DrawnError:
                raise NotTraceableError("it draws random numbers in every step") from None
            finally:
                self.problem.rng = source
            if h.basis != basis or len(h.coefficients) != len(coefficients):
                raise NotTraceableError("its polynomials change their form after two looks")
            return h

        return next_of

    def _loop(self, run: _Run, next_of: NextOf) -> tuple[_Run, Array, Array]:
        """Take the steps that are not written out; also the products so far, full-size and thin ones."""
        xp, work, most, first = self.ops.xp, self.problem.work, self.goal.max_steps, run.step
        before, each = (work.products, work.thin), [0, 0]

        def going(run: _Run) -> Array:
            return xp.any(run.running) & (run.step < most)

        def body(run: _Run) -> _Run:  # may be traced more than once
            state = PolarState(run.X, run.gram)
            residual = self.problem.residual(state)
            run = self._step(run, state, residual, next_of(run, residual))
            each[:] = work.products - before[0], work.thin - before[1]
            work.products, work.thin = before
            return run

        run = self.ops.while_loop(going, body, run)
        loops = run.step - first
        return run, loops * each[0] + before[0], loops * each[1] + before[1]

    def _finish(self, run: _Run, products: Array, thin: Array) -> TracedOutcome:
        """Square the residual once more where that is part of reaching the goal."""
        ops, xp, work, goal = self.ops, self.ops.xp, self.problem.work, self.goal
        last = Polynomial(taylor_inverse_root(self.problem.p, 1))
        squared = run.reached if goal.polish else run.reached & (run.rho > goal.residual)
        before, spent = work.products, 0

        def body(pending: tuple[Array, Array]) -> tuple[Array, Array]:
            nonlocal spent
            X, mask = pending
            state = PolarState(X, run.gram)
            X = ops.select(mask, self.problem.update(state, self.problem.residual(state), last).X, X)
            spent, work.products = work.products - before, before
            return X, xp.zeros_like(mask)

        # a loop of one step or none: where nothing is left to square it costs no product
        X, _ = ops.while_loop(lambda pending: xp.any(pending[1]), body, (run.X, squared))
        left = xp.maximum(run.rho * run.rho, xp.full_like(run.rho, self._rounding))
        return TracedOutcome(
            PolarState(X),
            run.steps + xp.astype(squared, run.steps.dtype),
            xp.where(squared, left, run.rho),
            products + spent * xp.astype(xp.any(squared), products.dtype),
            thin,
        )


def _answers_without_looking(problem: PolarProblem, rule: Rule, goal: Goal) -> list[Polynomial]:
    lower = goal.eps / 2 if goal.lower is None else goal.lower

    def view_of(k: int, before: Update | None) -> ResidualView:
        return ResidualView(problem.p, k, False, lower, goal.eps, UNSEEN, before, problem.largest)

    known = answers_without_looking(rule, view_of, goal.max_steps)
    if not all(isinstance(h, Polynomial) for h in known):
        raise NotTraceableError("its updates are not polynomials")
    return cast(list[Polynomial], known)


def _looked_up(known: list[Polynomial], gram: Array, ops: Ops) -> NextOf:
    """Coefficients by step, in the residual basis and at least in float32, from a table on the device."""
    rows = [(h if h.basis == "residual" else exactly_in_residual(h.coefficients)).coefficients for h in known]
    width = max(map(len, rows))
    real = ops.xp.real(gram) if ops.is_complex(gram) else gram
    table = ops.from_host([[*row, *[0.0] * (width - len(row))] for row in rows], ops.widen(real))

    def next_of(run: _Run, _: PolarResidual) -> Polynomial:
        row = ops.xp.take(table, ops.xp.reshape(run.step, (1,)), axis=0)[0, ...]
        return Polynomial(tuple(row[i] for i in range(width)))

    return next_of


class SomeLaterStep:
    """The number of any step from ``first`` on: it knows what is so for all of them, and refuses what is not.

    Parameters
    ----------
    first : int
    """

    def __init__(self, first: int) -> None:
        self.first = first

    def __bool__(self) -> bool:
        return True

    def __ge__(self, other: int) -> bool:
        return not self < other

    def __gt__(self, other: int) -> bool:
        return not self <= other

    def __lt__(self, other: int) -> bool:
        return self <= other - 1

    def __le__(self, other: int) -> bool:
        if other >= self.first:
            raise NotTraceableError(f"it treats steps up to {other} differently from later ones")
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and self <= other

    __hash__ = None  # type: ignore[assignment]
