"""One accuracy-driven run: the goal, the certificate recomputed from A, and the statuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from matfun.drive import End, Goal, Outcome
from matfun.functions.certificate import Kind, certify, plain
from matfun.functions.choose import choose_by_cost
from matfun.functions.inputs import Input
from matfun.functions.unitary import (
    Prepared,
    accuracy_limit,
    iterate_and_complete,
    pair,
    prepare,
    rounding_floor,
    smallest_singular_value,
    start,
)
from matfun.ops import Array
from matfun.polynomials.update import PartialFractions, Polynomial
from matfun.problems.polar import PolarProblem
from matfun.result import Certificate, Info, PolarResult, Status
from matfun.rules.rule import Rule

CERTIFICATE_SLACK = 8.0
"""An answer is called inaccurate above this multiple of ``accuracy_limit``: a library's SVD may have several times the
backward error of an iteration, and an estimated norm may exceed the true one."""


SIGMAS = np.arange(1, 257) / 256
"""Singular values on which a change of sign is looked for."""

LARGEST_GOAL = 0.5
"""Of the residual, in 16 bits: below it no singular value of the iterate is less than 0.7."""


def goal_of(small_side: int, eps: float, tol: float | None, max_steps: int) -> Goal:
    """When to stop a run to ``tol``, or to full accuracy for None."""
    floor = rounding_floor(small_side, eps)
    # from sqrt(eps) the last step leaves 3/4 eps in the Frobenius norm, less than the rounding of one product
    residual = tol if tol is not None else max(eps**0.5, min(floor, LARGEST_GOAL))
    return Goal(residual, 4 * floor, eps, max_steps, polish=tol is None)


class AccurateRun:
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
        norm: Any,
    ) -> None:
        ops, A = given.ops, given.A
        known = norm is not None and np.all(norm > 0)
        self.zero = np.zeros(np.shape(norm), dtype=bool) if known else np.asarray(ops.as_host(ops.is_zero(A)))
        self.usable = finite & ~self.zero
        if not self.usable.all():
            # The identity stands in: bad matrices disturb no factorisation of the stack, zero ones need no steps.
            keep = ops.from_host(self.usable, A, ops.xp.bool)
            given = replace(given, A=ops.select(keep, A, ops.eye(A.shape[-2], A.shape[-1], A)))
            norm = None
        self.given, self.side, self.certificate, self.rng, self.finite = given, side, certificate, rng, finite
        small, eps = min(A.shape[-2:]), ops.eps(A.dtype)
        self.limit = max(tol or 0.0, accuracy_limit(small, eps))
        self.goal = goal_of(small, eps, tol, max_steps)
        with ops.quiet():
            self._prepared: Prepared | None = prepare(given, reduce=True, norm=norm)

    def choose(self, tol: float | None) -> str | Rule:
        """What ``auto`` takes for what is to be iterated on."""
        assert self._prepared is not None
        return choose_by_cost(self.given.ops, self._prepared.X, tol)

    def solve(self, name: str, rule: Rule) -> PolarResult:
        """Run a rule, certify, and turn the ends of the loop into statuses."""
        with self.given.ops.quiet():
            return self._solve(name, rule)

    def _solve(self, name: str, rule: Rule) -> PolarResult:
        given, ops = self.given, self.given.ops
        begin = start(self._take_prepared(), rule, PolarProblem(ops, self.rng))
        goal = self.goal
        if getattr(rule, "wants_lower", False):
            goal = replace(goal, lower=smallest_singular_value(begin, goal.eps))
        outcome, completed = iterate_and_complete(begin, rule, goal)
        U, H = begin.polar_factors(outcome.state, self.side)
        proof = certify(ops, begin.scaled.A, U, H, self.side, self.certificate, self.rng)
        if not self.finite.all():  # what was certified there is the stand-in
            errors = (np.where(self.finite, e, np.nan) for e in (proof.backward_error, proof.orthogonality))
            proof = replace(proof, backward_error=plain(next(errors)), orthogonality=plain(next(errors)))
        U, H = self._replace_unusable(U, H)
        measured = outcome.residual
        if getattr(rule, "exact", False):  # only the certificate has looked
            measured = np.asarray(proof.orthogonality) * min(self.given.A.shape[-2:]) ** 0.5
        residual = np.where(self.usable, measured, np.where(self.zero, 0.0, np.nan))
        work = begin.problem.work
        info = Info(
            plain(self._status(outcome, completed, proof, self._definite(outcome, H))),
            name,
            ops.name,
            plain(outcome.steps),
            work.products,
            work.thin,
            plain(residual),
            proof,
            begin.scaled.divisor(ops),
            outcome.history,
            lower=goal.eps / 2 if goal.lower is None else plain(goal.lower),
        )
        return pair(given, begin, U, H, info)

    def _take_prepared(self) -> Prepared:
        """What was prepared for the first rule, of which nothing is kept; for a second one it is done again."""
        prepared, self._prepared = self._prepared, None
        return prepare(self.given, reduce=True) if prepared is None else prepared

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

    def _definite(self, outcome: Outcome, H: Array) -> np.ndarray[Any, Any]:
        """Whether H is semidefinite to rounding; an update that changes sign on the spectrum makes it doubtful.

        A singular value whose sign was flipped leaves both errors of the certificate at rounding and H indefinite.
        Coefficients on the device are those of PRISM and of windows, which change no sign (theory/prism.py, window.py).
        """
        ops = self.given.ops
        doubtful = False
        for h in outcome.history.updates:
            if isinstance(h, Polynomial) and all(isinstance(c, (int, float)) for c in h.coefficients):
                doubtful = doubtful or bool(np.any(h(1 - SIGMAS**2) <= 0))
        if not doubtful:
            return np.ones(self.finite.shape, dtype=bool)
        values = ops.as_host(ops.eigh(H)[0])
        size = np.max(np.abs(values), axis=-1)
        return np.asarray(np.min(values, axis=-1) >= -CERTIFICATE_SLACK * self.limit * size)

    def _status(
        self,
        outcome: Outcome,
        completed: np.ndarray[Any, Any],
        proof: Certificate,
        definite: np.ndarray[Any, Any],
    ) -> np.ndarray[Any, Any]:
        ends = outcome.ends
        # the certificate's own sums run over the long side
        long_side = max(self.given.A.shape[-2:])
        acceptable = CERTIFICATE_SLACK * (self.limit + self.goal.eps * long_side**0.5)
        accurate = (np.asarray(proof.backward_error) <= acceptable) & (np.asarray(proof.orthogonality) <= acceptable)
        small = min(self.given.A.shape[-2:])
        at_floor = (ends == End.FLOOR) & (outcome.residual <= self.limit * small**0.5)
        reached = (ends == End.GOAL) | at_floor
        status = np.full(ends.shape, Status.STAGNATED, dtype=object)
        status[ends == End.MAX_STEPS] = Status.MAX_STEPS
        status[ends == End.NOT_FINITE] = Status.NOT_FINITE
        first = outcome.history.updates[:1]
        if first and isinstance(first[0], PartialFractions) and first[0].inverts:
            status[(ends == End.NOT_FINITE) & (outcome.steps == 0)] = Status.SINGULAR  # an inverse that is not there
        status[reached] = Status.INACCURATE
        status[reached & accurate] = Status.CONVERGED
        status[reached & accurate & completed] = Status.COMPLETED
        status[self.zero] = Status.COMPLETED
        status[reached & ~definite] = Status.INACCURATE
        status[~self.finite] = Status.NOT_FINITE
        return status
