"""One accuracy-driven call of a function of a square matrix: the goal, the certificate, and the statuses.

Members of a stack that have no answer (not finite, indefinite) are replaced by the identity before the loop, so that
they cannot disturb the others, and get their status after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from matfun.drive import End, Goal, Outcome, run_to_goal
from matfun.functions.certificate import CONFIDENCE, PROBE_FACTOR, PROBES, plain
from matfun.functions.choose import choose_square
from matfun.functions.diagnose import distance_text, smallest_eigenvalues, spectrum_is_principal
from matfun.functions.failure import failed_members
from matfun.functions.inputs import Input
from matfun.functions.square_function import Options, Setting, SquareFunction
from matfun.functions.square_scaling import add_ridge, hermitian_part, scale_square, warm_start_of
from matfun.functions.unitary import power_of_two_below, rounding_floor
from matfun.ops import Array, Ops
from matfun.polynomials.update import ExactRoot, Polynomial
from matfun.result import Certificate, Info, Status
from matfun.rules.rule import Rule, rule_for

ACCURACY = 50.0
"""A forward error up to this multiple of condition number times eps counts as accurate (measured ones stay below 20 for
every method on condition numbers to 1e12)."""

CERTIFICATE_SLACK = 8.0
"""What estimated norms and condition numbers may be off by before an answer is called inaccurate."""

NO_DIGIT_LEFT = 0.25
"""Condition number times eps from which on no digit of the answer is certain."""

HERMITIAN_WITHIN = 1.0
"""Times sqrt(n) eps ||A||_F: rounding of a product such as X X^H on a library without symmetric products."""


class SquareRun:
    """One accuracy-driven call."""

    def __init__(self, function: SquareFunction, given: Input, options: Options, finite: np.ndarray[Any, Any]) -> None:
        ops = given.ops
        self.function, self.given, self.options, self.finite = function, given, options, finite
        self.rng = np.random.default_rng(options.rng)
        keep = finite
        A = self.stand_in(given.A, keep)
        hermitian = self._hermitian_members(A)
        if options.hermitian and not hermitian.all():
            raise ValueError("A: expected Hermitian matrices because of hermitian=True, got one that is not")
        self.hermitian = hermitian if options.hermitian is None else np.full(finite.shape, options.hermitian)
        # with general members in a stack, Hermitian ones take the general road too unless all are Hermitian
        self.A, self.ridge = add_ridge(ops, A, options.ridge, self.rng)
        if self.ridge is not None and not np.all(ops.as_host(ops.all_finite(self.A))):
            raise ValueError(f"ridge: expected A + ridge max |lambda| I to be representable, got ridge={options.ridge}")
        n, eps = A.shape[-1], ops.eps(A.dtype)
        floor = rounding_floor(n, eps)
        residual = options.tol if options.tol is not None else max(eps**0.5, floor)
        self.goal = Goal(residual, 4 * floor, eps, options.max_steps, polish=options.tol is None)

    def stand_in(self, A: Array, keep: np.ndarray[Any, Any]) -> Array:
        """The identity in the place of matrices that have no answer."""
        if keep.all():
            return A
        ops, n = self.given.ops, A.shape[-1]
        return ops.select(ops.from_host(keep, A, ops.xp.bool), A, ops.eye(n, n, A))

    def _hermitian_members(self, A: Array) -> np.ndarray[Any, Any]:
        ops, n = self.given.ops, A.shape[-1]
        scaled, _ = ops.prescale(A)
        skew = ops.as_host(ops.plain_norm_fro(scaled - ops.adjoint(scaled)))
        size = ops.as_host(ops.plain_norm_fro(scaled))
        return np.asarray(skew <= HERMITIAN_WITHIN * n**0.5 * ops.eps(A.dtype) * size)

    def solve(self, method: Any) -> tuple[tuple[Array, ...], Info]:
        """Solve Hermitian and general members, each by its own road."""
        with self.given.ops.quiet():
            if self.hermitian.all() or not self.hermitian.any():
                return self._solve(method, bool(self.hermitian.all()), np.ones_like(self.finite))
            ours = self._solve(method, hermitian=True, members=self.hermitian)
            theirs = self._solve(method, hermitian=False, members=~self.hermitian)
            return merge(self.given.ops, ours, theirs, ~self.hermitian)

    def _solve(self, method: Any, hermitian: bool, members: np.ndarray[Any, Any]) -> tuple[tuple[Array, ...], Info]:
        function, ops = self.function, self.given.ops
        options = replace(self.options, method=method)
        chosen = choose_square(function, self.given, options, hermitian=hermitian)
        name, rule = rule_for(chosen, function.problem)
        A = self.stand_in(self.A, members)
        if hermitian:
            A = hermitian_part(ops, A)
        elif function.problem in getattr(rule, "hermitian_only", ()):
            raise ValueError(f"A: expected Hermitian matrices for method {name!r}, got one that is not")
        definite = np.ones_like(self.finite)
        if hermitian and function.needs_definite:
            definite = ops.positive_definite(A).reshape(self.finite.shape)
            A = self.stand_in(A, definite)
        self.definite = definite
        lower = self._smallest(A, rule, hermitian=hermitian)
        self.largest = function.largest(rule, lower)
        scaled = scale_square(ops, A, self.largest)
        lower = None if lower is None else lower * self.largest
        exact = getattr(rule, "exact", False)  # needs no start
        initial = warm_start_of(self.options, self.given)
        initial = None if exact else initial
        if initial is not None:
            initial = scaled.back(ops, initial, -function.warm_power)
        known_definite = hermitian and function.needs_definite
        setting = Setting(ops, scaled.A, hermitian, known_definite, rule, lower, self.rng, initial)
        started = function.start(setting)
        goal = replace(self.goal, lower=started.lower, least=started.least)
        outcome = run_to_goal(started.problem, rule, started.state, goal=goal)
        raw = function.values(started, outcome.state)
        if hermitian:
            raw = tuple(ops.hermitian_part(Y) for Y in raw)
        proof, distance = self.certify(setting, raw)
        branch = self._on_branch(setting, raw, outcome)
        values = tuple(scaled.back(ops, Y, p) for Y, p in zip(raw, function.powers, strict=True))
        sound = np.asarray(definite & members & self.finite)
        representable = self.representable(raw, values)
        status = self._status(outcome, proof, branch, representable)
        values, status = self.mark_unsound(values, status, sound, definite)
        work = started.problem.work
        info = Info(
            plain(status),
            name,
            ops.name,
            plain(outcome.steps),
            work.products,
            work.thin,
            plain(np.where(sound, outcome.residual, np.nan)),
            proof,
            scaled.divisor(ops),
            outcome.history,
            self.ridge,
            started.warm,
            plain(distance),
            goal.eps / 2 if goal.lower is None else plain(goal.lower),
        )
        return tuple(self.given.restore(values[i]) for i in function.returned), info

    def _smallest(self, A: Array, rule: Rule, *, hermitian: bool) -> Any:
        """Rigorous lower bound on the smallest eigenvalue of each scaled A, a power of two, if it is cheap.

        lambda_min >= 1 / ||L^-1||_F^2 with the Cholesky factor L: two thirds of n^3 flops.
        """
        function, ops = self.function, self.given.ops
        if not (hermitian and function.needs_definite) or getattr(rule, "exact", False):
            return None
        unit = scale_square(ops, A, 1.0).A
        n = A.shape[-1]
        L = ops.cholesky(unit)
        inverse = ops.solve_triangular(L, ops.xp.broadcast_to(ops.eye(n, n, A), A.shape))
        size = ops.as_host(ops.plain_norm_fro(inverse)).astype(np.float64)
        least = ops.eps(A.dtype) ** 2
        return power_of_two_below(np.where(np.isfinite(size), np.maximum(size**-2.0, least), least))

    def representable(self, raw: tuple[Array, ...], values: tuple[Array, ...]) -> np.ndarray[Any, Any]:
        """Whether no value has over- or underflowed as a whole in the scale of A."""
        ops, good = self.given.ops, np.ones_like(self.finite)
        for i in self.function.returned:
            vanished = (ops.as_host(ops.max_abs(values[i])) == 0) & (ops.as_host(ops.max_abs(raw[i])) > 0)
            good = good & np.asarray(ops.as_host(ops.all_finite(values[i])), dtype=bool) & ~vanished
        return np.asarray(good)

    def certify(self, setting: Setting, values: tuple[Array, ...]) -> tuple[Certificate, Any]:
        """Recompute the errors from A, on a few random vectors or on all; and the distance of the spectrum."""
        ops, n, rng = setting.ops, setting.A.shape[-1], np.random.default_rng(self.rng.integers(2**32))
        if self.options.certificate == "exact":
            W, factor, confidence, probes = ops.eye(n, n, setting.A), 1.0, 1.0, None
        else:
            W = ops.normal(rng, (n, PROBES), setting.A) * PROBES**-0.5
            factor, confidence, probes = PROBE_FACTOR, CONFIDENCE, PROBES
        found = self.function.measure(setting, values, W, rng)
        backward = ops.as_host(found.backward).astype(np.float64)
        condition = np.asarray(found.condition)
        forward = np.asarray(found.forward, dtype=np.float64)
        forward = np.where(np.isfinite(forward), forward, np.inf)
        involution = None if found.involution is None else plain(ops.as_host(found.involution))
        distance = None if found.distance is None else np.asarray(found.distance)
        proof = Certificate(plain(backward), involution, probes, factor, confidence, plain(condition), plain(forward))
        return proof, distance

    def _on_branch(self, setting: Setting, values: tuple[Array, ...], outcome: Outcome) -> np.ndarray[Any, Any]:
        """Whether the principal function was reached; looked at only where an update may have left the branch."""
        function = self.function
        everywhere = np.ones_like(self.finite)
        if not function.branch or not (self._doubtful(outcome) or self.options.initial is not None):
            return everywhere
        return spectrum_is_principal(
            setting.ops, function.branch_of(setting, values), function.branch, hermitian=setting.hermitian
        )

    def _doubtful(self, outcome: Outcome) -> bool:
        """A polynomial with a zero in the range of M, or one on a spectrum that is not known to be real."""
        g = np.linspace(0.0, 1.0, 257)[1:] * np.max(self.largest)
        before_polish = len(outcome.history.residuals) - 1  # from a residual of sqrt(eps) no step changes the branch
        for h in outcome.history.updates[:before_polish]:
            if isinstance(h, Polynomial):
                if not self.hermitian.all():
                    return True
                c = [
                    np.max(np.asarray(self.given.ops.as_host(v) if hasattr(v, "shape") else v)) for v in h.coefficients
                ]
                if np.any(Polynomial(tuple(map(float, c)), h.basis)(1 - g) <= 0):
                    return True
        return False

    def _status(
        self,
        outcome: Outcome,
        proof: Certificate,
        branch: np.ndarray[Any, Any],
        representable: np.ndarray[Any, Any],
    ) -> np.ndarray[Any, Any]:
        ends = outcome.ends
        reached = (ends == End.GOAL) | (ends == End.FLOOR)
        status = np.full(ends.shape, Status.STAGNATED, dtype=object)
        status[ends == End.MAX_STEPS] = Status.MAX_STEPS
        status[ends == End.NOT_FINITE] = Status.NOT_FINITE
        status[ends == End.NULL_SPACE] = Status.SINGULAR
        if any(isinstance(h, ExactRoot) for h in outcome.history.updates):
            status[ends == End.NOT_FINITE] = Status.SINGULAR  # a factorisation breaks down on nothing else
        status[reached] = Status.CONVERGED
        return self.judge(status, proof, branch, representable)

    def judge(
        self,
        status: np.ndarray[Any, Any],
        proof: Certificate,
        branch: np.ndarray[Any, Any],
        representable: np.ndarray[Any, Any],
    ) -> np.ndarray[Any, Any]:
        """What the certificate makes of the members that have converged."""
        reached, eps, n = np.asarray(status == Status.CONVERGED), self.goal.eps, self.A.shape[-1]
        condition, forward = (np.asarray(x, dtype=np.float64) for x in (proof.condition, proof.forward_error))
        acceptable = CERTIFICATE_SLACK * np.maximum(
            self.options.tol or 0.0, (ACCURACY + self.function.roundings + n**0.5) * eps * np.maximum(condition, 1.0)
        )
        status[reached & ~(forward <= acceptable)] = Status.INACCURATE
        status[reached & ~(condition * eps < NO_DIGIT_LEFT)] = Status.ILL_CONDITIONED
        status[~np.isfinite(condition)] = Status.SINGULAR
        status[reached & ~branch] = Status.WRONG_BRANCH
        status[reached & np.isfinite(condition) & ~representable] = Status.NOT_FINITE
        return status

    def mark_unsound(
        self,
        values: tuple[Array, ...],
        status: np.ndarray[Any, Any],
        sound: np.ndarray[Any, Any],
        definite: np.ndarray[Any, Any],
    ) -> tuple[tuple[Array, ...], np.ndarray[Any, Any]]:
        """NaN and a status for the matrices that an identity stood in for."""
        if sound.all():
            return values, status
        ops = self.given.ops
        keep = ops.from_host(sound, values[0], ops.xp.bool)
        values = tuple(ops.select(keep, Y, ops.xp.full_like(Y, float("nan"))) for Y in values)
        status[~definite] = Status.INDEFINITE
        status[~self.finite] = Status.NOT_FINITE
        return values, status

    def auto_iterated(self, info: Info) -> bool:
        """Whether ``auto`` took an iteration, which a factorisation can stand behind."""
        auto = isinstance(self.options.method, str) and self.options.method == "auto"
        return auto and self.options.pinv is None and info.method not in ("eigh", "schur", "lu")

    def fall_back(
        self, values: tuple[Array, ...], info: Info, bad: np.ndarray[Any, Any]
    ) -> tuple[tuple[Array, ...], Info]:
        """Compute the failed members by the reference method."""
        reference = "eigh" if self.hermitian.all() else "schur"
        method = "lu" if self.function.problem == "inv" else reference
        other_values, other = self.solve(method)
        values, merged = merge(self.given.ops, (values, info), (other_values, other), bad)
        status = np.array(merged.status, dtype=object)
        status[bad & ~failed_members(other)] = Status.FELL_BACK
        return values, replace(merged, status=plain(status))

    def describe_indefinite(self, bad: np.ndarray[Any, Any]) -> str:
        """Message with the smallest eigenvalue."""
        first = tuple(map(int, np.argwhere(bad)[0])) if bad.ndim else ()
        smallest, largest = smallest_eigenvalues(self.given.ops, self.A, first)
        where = f" at {first} of the stack" if first else ""
        return (
            f"A: expected Hermitian positive definite matrices for {self.function.name}, got one{where} whose smallest "
            f"eigenvalue is {smallest:.3e} (largest {largest:.3e}); give ridge= or pinv= where a repair is meant"
        )

    def describe(self, bad: np.ndarray[Any, Any]) -> str:
        """How near the spectrum of the first failed matrix comes to where the function is not defined."""
        index = tuple(map(int, np.argwhere(bad)[0])) if bad.ndim else ()
        return distance_text(self.given.ops, self.A, index, self.function.problem) if self.finite[index] else ""


def merge(ops: Ops, ours: Any, theirs: Any, take: np.ndarray[Any, Any]) -> tuple[tuple[Array, ...], Info]:
    """Take the members of another result where the mask holds, by a true select."""
    (values, info), (others, other) = ours, theirs
    mask = ops.from_host(take, values[0], ops.xp.bool)
    merged = tuple(ops.select(mask, b, a) for a, b in zip(values, others, strict=True))

    def on_device(a: Any, b: Any) -> Any:
        return b if a is None else a if b is None else ops.xp.where(mask, b, a)

    def pick(a: Any, b: Any) -> Any:
        return None if a is None or b is None else plain(np.where(take, b, a))

    first, second = info.certificate, other.certificate
    fields = ("backward_error", "orthogonality", "condition", "forward_error")
    proof = replace(first, **{f: pick(getattr(first, f), getattr(second, f)) for f in fields})
    status = np.where(take, np.asarray(other.status, dtype=object), np.asarray(info.status, dtype=object))
    return merged, replace(
        info,
        method=info.method if info.method == other.method else f"{info.method}, {other.method}",
        status=plain(status),
        certificate=proof,
        residual=pick(info.residual, other.residual),
        steps=pick(info.steps, other.steps),
        distance=pick(info.distance, other.distance),
        lower=pick(info.lower, other.lower),
        scale=on_device(info.scale, other.scale),
        warm_start=on_device(info.warm_start, other.warm_start),
        products=info.products + other.products,
        thin_products=info.thin_products + other.thin_products,
    )
