"""What a function of a square matrix is to the code that runs it, and what a caller may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.functions.certificate import Kind
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar
from matfun.result import Info
from matfun.rules.rule import Rule

COMMUTES_WITHIN = 8.0
"""Times n eps ||X||_F ||A||_F: what rounding leaves of A X - X A for a function X of A."""


WARM_M = 2.0
"""Eigenvalues of M = I - R for a warm start that is taken are below this, since ||R||_F < 1."""


@dataclass(frozen=True)
class Options:
    """What the caller asked for besides A; see ``matfun.sqrtm``."""

    method: Any = "auto"
    tol: float | None = None
    steps: int | None = None
    hermitian: bool | None = None
    ridge: float = 0.0
    pinv: float | None = None
    initial: Any = None
    rng: Any = None
    on_failure: str = "raise"
    check_finite: bool = True
    certificate: Kind = "probes"
    max_steps: int = 250
    backend: Any = None


@dataclass(frozen=True)
class Setting:
    """What a function starts from.

    Attributes
    ----------
    ops : Ops
    A : array, shape (..., n, n)
        Of spectral norm at most 1, in the dtype of the computation.
    hermitian : bool
    definite : bool
        Whether every matrix is known to be Hermitian positive definite.
    rule : Rule
    lower : numpy array, shape of the stack, or None
        Lower bound on the smallest eigenvalue of A, if known.
    rng : Any
    initial : array or None
        Warm start, scaled as the result is.
    """

    ops: Ops
    A: Array
    hermitian: bool
    definite: bool
    rule: Rule
    lower: Any
    rng: Any
    initial: Array | None


@dataclass(frozen=True)
class Started:
    """A problem and its first state.

    Attributes
    ----------
    problem : Any
    state : Any
    lower : numpy array, shape of the stack, or None
        What the rule is told of the smallest singular value (the p-th root of the smallest eigenvalue of M).
    warm : Any
        Device mask of the matrices whose ``initial`` was taken, or None.
    rotation : array, shape (n, n), or None
        Random orthogonal W if the problem is that of W^H A W.
    least : float or None
        Smallest value of the start that can be told from zero; None for the unit roundoff.
    """

    problem: Any
    state: Any
    lower: Any = None
    warm: Any = None
    rotation: Array | None = None
    least: float | None = None


@dataclass(frozen=True)
class Measured:
    """Errors recomputed from A, device scalars; what they mean is in ``Certificate``."""

    backward: Scalar
    forward: Any
    condition: Any
    involution: Scalar | None = None
    distance: Any = None


class SquareFunction:
    """One function of a square matrix.

    Attributes
    ----------
    name : str
        Of the public function.
    problem : str
        Whose rules serve.
    needs_definite : bool
        Whether Hermitian input must be positive definite.
    powers : tuple of float
        f(c A) = c^power f(A) for each value.
    returned : tuple of int
        Which of the values the caller gets.
    roundings : int
        Multiplications that form the value from the iterate, whose rounding errors its error may contain.
    semidefinite : bool
        Whether a zero eigenvalue of a Hermitian matrix is no obstacle.
    warm_power : float
        The power of A that ``initial`` is near to.
    branch : int
        Eigenvalues of ``branch_of`` lie within the angle pi / branch of the positive axis; 0: there is no condition.
    """

    name: str
    problem: str
    needs_definite = True
    powers: tuple[float, ...]
    returned: tuple[int, ...] = (0,)
    branch = 0
    warm_power = 0.0
    semidefinite = False
    roundings = 0

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        raise NotImplementedError

    def largest(self, rule: Rule, lower: Any) -> Any:  # noqa: ARG002 - functions look at it
        """Where the largest eigenvalue of the scaled matrix should lie."""
        return 1.0

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:
        """All values, of which ``returned`` are what the caller gets."""
        raise NotImplementedError

    def pack(self, values: tuple[Array, ...], info: Info) -> Any:
        """What the caller gets with ``full_output``."""
        return (values[0] if len(values) == 1 else values), info

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, on the columns of W."""
        raise NotImplementedError

    def branch_of(self, setting: Setting, values: tuple[Array, ...]) -> Array:  # noqa: ARG002 - functions look
        """Return the matrix whose spectrum says which branch was taken."""
        return values[0]

    def warm_start(self, setting: Setting, commuting: bool) -> tuple[Array | None, Any]:
        """``initial`` where it passes its test, the identity elsewhere, and the device mask of those taken.

        The test is ||I - X^p A||_F < 1, and, where X must be a function of A, that X and A commute to rounding.
        """
        ops, X, A = setting.ops, setting.initial, setting.A
        if X is None:
            return None, None
        n = A.shape[-1]
        M = A
        for _ in range(round(-1 / self.warm_power)):
            M = ops.matmul(X, M)
        good = ops.plain_norm_fro(ops.add_diagonal(-M, 1.0)) < 1
        if commuting:
            XA = ops.matmul(X, A)
            small = COMMUTES_WITHIN * n * ops.eps(A.dtype) * ops.plain_norm_fro(X) * ops.plain_norm_fro(A)
            good = good & (ops.plain_norm_fro(XA - ops.matmul(A, X)) <= small)
        return X, good
