"""The road from a checked matrix to its unitary factor, shared by ``polar`` and ``orthogonalize``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from matfun.drive import FLOOR_OVER_ROUNDING, End, Goal, Outcome, run_steps, run_to_goal
from matfun.functions.inputs import Input
from matfun.functions.tall import SMALLEST_ASPECT, TallFactors, reduce_tall
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar, Update
from matfun.problems.polar import PolarProblem, PolarState
from matfun.problems.problem import Work
from matfun.result import History, Info, PolarResult, Status
from matfun.rules.rule import ResidualView, Rule
from matfun.rules.unseen import UNSEEN
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

    A square matrix may be taken as either.

    Attributes
    ----------
    problem : PolarProblem
    scaled : Scaled
    wide : bool
    state : PolarState
        What is iterated on: the scaled matrix, or its square factor where it was reduced or the rule needs that.
    factors : TallFactors or None
        Of the tall matrix, where the iteration is on its square factor.
    basis : array, shape (..., m, n), or None
        The orthonormal factor, where that comes from Householder's method.
    rotation : array, shape (n, n), or None
        A random orthogonal matrix that the state was multiplied with from the right.
    hermitian : array, shape (..., n, n), or None
        H of the tall matrix, where a factorisation has given it.
    """

    problem: PolarProblem
    scaled: Scaled
    wide: bool
    state: PolarState
    factors: TallFactors | None = None
    basis: Array | None = None
    rotation: Array | None = None
    hermitian: Array | None = None

    def hand_over(self) -> PolarState:
        """Return the state, and keep nothing of it: its Gram matrices are memory."""
        state, self.state = self.state, PolarState(None)
        return state

    def orient(self, state: PolarState) -> Array:
        """X of a state, in the orientation of the caller's matrix."""
        ops, X = self.problem.ops, self._square(state)
        if self.factors is not None:
            self.problem.work.products += 1
            X = self.factors.times(ops, X)
        elif self.basis is not None:
            X = ops.matmul(self.basis, X)
        return ops.adjoint(X) if self.wide else X

    def _square(self, state: PolarState) -> Array:
        X = self.problem.settle(state).X
        return X if self.rotation is None else self.problem.ops.matmul(X, self.problem.ops.adjoint(self.rotation))

    def polar_factors(self, state: PolarState, side: str) -> tuple[Array, Array]:
        """U and H of ``scaled.A`` from the last state; H by products of the small side where that is all it takes."""
        U, small = self.orient(state), self.wide == (side == "left")
        if self.hermitian is not None and small:
            return U, self.hermitian
        if self.factors is not None and small:
            return U, hermitian_factor(self.problem.ops, self.factors.R, self._square(state), "right")
        return U, hermitian_factor(self.problem.ops, self.scaled.A, U, side)

    def zero(self) -> Array:
        """Which matrices of the stack are zero, a device array of bool of shape (...)."""
        ops = self.problem.ops
        return ops.is_zero(self.scaled.A)


@dataclass(frozen=True)
class Prepared:
    """What is done to a matrix before a rule is chosen: it is scaled, turned and, where it is tall, reduced.

    Attributes
    ----------
    A : array
        The caller's matrix times 2^-exponent.
    exponent : array, shape (...)
    wide : bool
        Whether X belongs to the adjoint of A.
    X : array, shape (..., m, n)
        A, its adjoint, or the square factor R of either.
    factors : TallFactors or None
    norm : float, numpy array or None
        ``Ops.known_norm`` of X, if it is at hand.
    """

    A: Array
    exponent: Array
    wide: bool
    X: Array
    factors: TallFactors | None
    norm: Any


def prepare(given: Input, *, reduce: bool, norm: Any = None) -> Prepared:
    """Scale A by a power of two, turn it so that it is tall or square, and reduce it if that is asked for.

    Parameters
    ----------
    given : Input
    reduce : bool
        Whether a tall matrix may be reduced to a square one by Cholesky QR, which waits for the device.
    norm : float or numpy array, optional
        ``Ops.known_norm`` of A, if it is at hand.
    """
    ops = given.ops
    norm = ops.known_norm(given.A) if norm is None else norm
    A, exponent = ops.prescale(given.A, norm)
    rows, columns = A.shape[-2:]
    wide = rows < columns or (rows == columns and not reduce and ops.prefers_rows(A))
    X = ops.adjoint(A) if wide else A
    m, n = X.shape[-2:]
    factorises = hasattr(ops.xp, "linalg") and not ops.is_16bit(X.dtype)  # an extension of the standard
    if reduce and factorises and m >= SMALLEST_ASPECT * n:
        factors = reduce_tall(ops, X)
        return Prepared(A, exponent, wide, factors.R, factors, None)
    if A is not given.A:
        norm = ops.known_norm(A)  # added up in the same order, so that a power of two changes no bit
    return Prepared(A, exponent, wide, X, None, norm)


def start(prepared: Prepared, rule: Rule, problem: PolarProblem) -> Start:
    """Divide by a norm; by that of the squared Gram matrix where the rule's first step forms it anyway.

    Parameters
    ----------
    prepared : Prepared
    rule : Rule
    problem : PolarProblem
    """
    ops, wide, factors = problem.ops, prepared.wide, prepared.factors
    if factors is not None:
        problem.work.products += factors.products - 1  # the last one when the answer is put together
    forms_square = getattr(rule, "forms_square", False)
    state, divisor = scale_to_unit(problem, prepared.X, forms_square=forms_square, norm=prepared.norm)
    scaled = Scaled(prepared.A, prepared.exponent, divisor)
    if getattr(rule, "needs_square", False):
        X, basis = problem.settle(state).X, None
        if X.shape[-2] > X.shape[-1]:
            basis, X = ops.qr(X)
        # An inverse by LU is accurate enough for Newton's backward stability on all but structured matrices; on one of
        # Hadamard type of condition 1e4 the backward error is 42 times the limit without the rotation, 0.8 with it
        # (docs/corrections.json).
        rotation = ops.rotation(X.shape[-1], X)
        return Start(problem, scaled, wide, PolarState(ops.matmul(X, rotation)), factors, basis, rotation)
    return Start(problem, scaled, wide, state, factors)


def smallest_singular_value(begin: Start, eps: float) -> np.ndarray[Any, Any]:
    """Lower bound on the smallest singular value of each scaled start, a power of two; waits for the device.

    1 / ||R^-1||_F with R of a QR factorisation, rigorous up to rounding and at most sqrt n too small.  At least eps/4,
    below which a singular value is noise; too small a bound by 1e6 costs one step (theory/qdwh.py).

    Parameters
    ----------
    begin : Start
    eps : float
    """
    ops = begin.problem.ops
    X = begin.problem.settle(begin.state).X
    triangular = begin.factors is not None and begin.rotation is None
    R = X if triangular else ops.qr(X)[1]
    n = R.shape[-1]
    identity = ops.xp.broadcast_to(ops.eye(n, n, R), R.shape)
    with ops.quiet():
        size = ops.as_host(ops.plain_norm_fro(ops.solve_triangular(R, identity, lower=False))).astype(np.float64)
    found = np.where(np.isfinite(size) & (size > 0), 1 / np.maximum(size, 1.0), 0.0)
    return power_of_two_below(np.maximum(found, eps / 4))


def power_of_two_below(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """2^floor(log2 x): few different bounds, so that few schedules have to be designed."""
    return np.asarray(2.0 ** np.floor(np.log2(x)))


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
    if getattr(rule, "exact", False):
        return _factorise(begin, rule, goal)
    first = run_to_goal(problem, rule, begin.hand_over(), goal=goal)
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


def _factorise(begin: Start, rule: Rule, goal: Goal) -> tuple[Outcome, np.ndarray[Any, Any]]:
    """One step that needs no residual, and after which there is nothing to improve: its errors the certificate sees."""
    problem, ops = begin.problem, begin.problem.ops
    h = rule.next(ResidualView(problem.p, 0, True, goal.lower, goal.eps, UNSEEN))
    given = begin.hand_over()
    divisor = 1.0 if given.divisor is None else given.divisor
    U, H, all_finite = ops.compiled(_factors_by_svd, (ops,), (given.X, divisor))
    problem.work.products += 1
    state, begin.hermitian = PolarState(U), ops.scale(H, begin.scaled.norm)
    finite = ops.as_host(all_finite)
    ends = np.full(np.shape(finite), End.GOAL, dtype=object)
    ends[~np.asarray(finite)] = End.NOT_FINITE
    residual = np.where(finite, goal.floor / FLOOR_OVER_ROUNDING, np.nan)
    steps = np.ones(ends.shape, dtype=int)
    return Outcome(state, ends, steps, residual, History((), (h,))), np.zeros(ends.shape, dtype=bool)


def _factors_by_svd(ops: Ops, given: tuple[Array, Scalar]) -> tuple[Array, Array, Array]:
    """U, H over the divisor, and whether U is finite."""
    X, divisor = given
    U, s, Vh = ops.svd(X)
    s = s / (divisor[..., None] if hasattr(divisor, "shape") else divisor)
    W = ops.matmul(U, Vh)
    # H = V S V^H, whose product BLAS knows to be Hermitian
    root = ops.xp.astype(s**0.5, Vh.dtype) if ops.is_16bit(Vh.dtype) else s**0.5
    return W, ops.hermitian_gram(root[..., None] * Vh), ops.all_finite(W)


def fixed_steps(
    given: Input, rule: Rule, steps: int, problem: PolarProblem, *, scaled_too: bool
) -> tuple[Start, Array, tuple[Update, ...]]:
    """Scale and apply exactly so many steps; waits for no device.

    Parameters
    ----------
    given : Input
    rule : Rule
    steps : int
    problem : PolarProblem
    scaled_too : bool
        Whether the scaled copy of A is kept while the steps run.

    Returns
    -------
    begin : Start
    U : array, shape (..., m, n)
    updates : tuple of Update
    """
    begin = start(prepare(given, reduce=False), rule, problem)
    eps = given.ops.eps(given.A.dtype)
    if not scaled_too:
        begin.scaled = replace(begin.scaled, A=None)
    state, updates = run_steps(begin.problem, rule, begin.hand_over(), steps=steps, eps=eps)
    return begin, begin.orient(state), updates


def fixed_info(ops: Ops, work: Work, divisor: Scalar, name: str, updates: tuple[Update, ...]) -> Info:
    """What is known after a fixed number of steps: their price, and that nothing was checked."""
    return Info(
        Status.UNCHECKED,
        name,
        ops.name,
        len(updates),
        work.products,
        work.thin,
        scale=divisor,
        history=History((), updates),
    )


def hermitian_factor(ops: Ops, A: Array, U: Array, side: str) -> Array:
    """H of A, Hermitian to the last bit."""
    adjoint = ops.adjoint(U)
    return ops.hermitian_part(ops.matmul(adjoint, A) if side == "right" else ops.matmul(A, adjoint))


def in_caller_dtype(given: Input, begin: Start, U: Array, H: Array) -> tuple[Array, Array]:
    """U and H in the caller's dtype, H in the scale of A."""
    if begin.scaled.A is not given.A:
        H = given.ops.times_power_of_two(H, begin.scaled.exponent)
    return given.restore(U), given.restore(H)


def pair(given: Input, begin: Start, U: Array, H: Array, info: Info) -> PolarResult:
    """U and H in the caller's dtype, H in the scale of A, with the info."""
    return PolarResult.of(*in_caller_dtype(given, begin, U, H), info)
