"""What a call tells about its answer: Status, Info, History, and the result types."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from matfun.polynomials.update import Update


class Status(Enum):
    """How a call ended; the value of each member is the advice to the user."""

    CONVERGED = (
        "The residual reached the tolerance, and the certificate recomputed from A is at rounding or tolerance level."
    )
    COMPLETED = (
        "Converged.  A is numerically rank deficient: the part of U on its null space is an arbitrary isometry, "
        "because no other choice is more right."
    )
    UNCHECKED = (
        "Exactly the requested steps were run and nothing was checked; pass tol= for a checked answer.  With tol= "
        "under jax.jit, where no value can be checked: look at info.residual."
    )
    FELL_BACK = (
        "The method failed, or cannot serve this matrix, and the answer was computed by a factorisation instead: asked "
        "for by on_failure=, by method='auto', or because a singular semidefinite matrix has a square root."
    )
    STAGNATED = (
        "The residual stopped decreasing above the tolerance: the method does not converge to the function "
        "(a fixed-step preset), or the tolerance is below what the dtype can reach."
    )
    MAX_STEPS = "The step limit was reached; raise max_steps= or take a faster method."
    NOT_FINITE = "The iteration overflowed or A is not finite.  Check A; if it is finite, its scale bound was violated."
    INACCURATE = (
        "The iteration converged but the certificate recomputed from A is above its limit: use a factorisation "
        "(method='svd', 'eigh', 'schur' or 'lu') and report the matrix."
    )
    INDEFINITE = (
        "A is Hermitian but not positive definite, so that its root is not defined: give ridge= or pinv= where that "
        "repair is meant, or take a complex root through scipy.linalg."
    )
    SINGULAR = (
        "A has an eigenvalue where the function is not defined, to working precision: zero, on the negative axis "
        "(roots) or on the imaginary axis (sign); or, for the polar factor, it is singular and the method inverts.  "
        "Give ridge= or pinv= where that repair is meant, or take another method."
    )
    ILL_CONDITIONED = (
        "The condition number of the function at A times the unit roundoff leaves no correct digit: compute in a "
        "higher precision, or give ridge=."
    )
    WRONG_BRANCH = (
        "The iteration converged to a function that satisfies the equation but is not the principal one, because its "
        "start was outside its region: use a method that is safe for this matrix (see matfun.methods)."
    )

    @property
    def ok(self) -> bool:
        """Whether the answer is what was asked for."""
        return self in (Status.CONVERGED, Status.COMPLETED, Status.UNCHECKED, Status.FELL_BACK)


@dataclass(frozen=True)
class History:
    """One entry per step.

    Attributes
    ----------
    residuals : tuple of numpy arrays, shape of the stack
        Frobenius norm of the residual before each step and after the last; empty under ``steps=`` and where the
        method is a factorisation.
    updates : tuple of Update
        The function h that each step applied; coefficients fitted on a device are still there.
    """

    residuals: tuple[np.ndarray[Any, Any], ...] = ()
    updates: tuple[Update, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """Accuracy recomputed from A after the loop.

    Attributes
    ----------
    backward_error : float or numpy array
        ||A - U H||_F / ||A||_F.  Roots: ||X^2 - A||_F / ||X||_F^2 and ||X^p A - I||_F / (||X||_F^p ||A||_F); sign:
        ||A X - X A||_F / (||A||_F ||X||_F); inverse: ||A X - I||_F / (||A||_F ||X||_F).
    orthogonality : float or numpy array, or None
        ||U^H U - I||_F / sqrt k on the small side k of A; for the sign ||X^2 - I||_F / ||X||_F^2; None for the others.
    probes : int or None
        Number of Gaussian vectors that estimated the two norms; None where they were computed exactly.
    factor : float
        With probability at least ``confidence`` the true norm is at most ``factor`` times the estimate.
    confidence : float
        1 for an exact certificate.
    condition : float or numpy array, optional
        Estimated condition number of the function at A, relative to Frobenius norms; None for the polar decomposition.
    forward_error : float or numpy array, optional
        Estimated bound on ||X - f(A)||_F / ||f(A)||_F, from the residual and the condition number.
    """

    backward_error: Any
    orthogonality: Any
    probes: int | None
    factor: float
    confidence: float
    condition: Any = None
    forward_error: Any = None


@dataclass(frozen=True)
class Info:
    """How an answer was computed and how good it is.

    Attributes
    ----------
    status : Status or numpy array of Status
        One per matrix of a stack.
    method : str
        What was run, also when ``method="auto"`` chose it.
    backend : str
        Name of the provider that computed: ``"numpy"`` for a JAX array in the host's memory that ``method="auto"`` was
        asked for.
    steps : int or numpy array of int
        Steps applied, per matrix of a stack; a traced array under ``jax.jit`` with ``tol=``.
    products : int
        Products with both factors of full size (Gram and symmetric products and final multiplications), for the
        whole run; the final H = U^H A and the certificate are not counted.
    thin_products : int
        Products of a full-size matrix with a block of a few columns.
    residual : float or numpy array, None under ``steps=``
        Last measured ||I - X^H X||_F of the iteration itself; where one more step was taken after that, which squares
        it, its square, or what rounding leaves if that is more.  Of a factorisation the certificate's.
        Under ``jax.jit`` with ``tol=`` a traced array, and
        for an iterate that overflowed the residual of the one before, which is returned.
    certificate : Certificate or None
        Recomputed from A; None under ``steps=`` and under ``jax.jit``.
    scale : Any
        A was divided by this; X_0 = A / scale (device scalars, one per matrix).
    history : History
    ridge : Any
        What was added to the diagonal of A under ``ridge=`` (device scalars); None without.
    warm_start : Any
        Whether ``initial=`` was taken (device booleans, one per matrix); None without.
    distance : float or numpy array, or None
        Roots and inverses: smallest over largest modulus of an eigenvalue (singular value for general A); sign: the
        same, which is the relative distance of the spectrum from the imaginary axis for Hermitian A.
    lower : float, numpy array, or None
        Bound on the smallest singular value of the scaled start that the rule was told.
    """

    status: Any
    method: str
    backend: str
    steps: Any
    products: int
    thin_products: int
    residual: Any = None
    certificate: Certificate | None = None
    scale: Any = None
    history: History = field(default_factory=History, repr=False)
    ridge: Any = None
    warm_start: Any = None
    distance: Any = None
    lower: Any = None

    @property
    def condition(self) -> Any:
        """Estimated condition number of the function at A, None where it was not estimated."""
        return None if self.certificate is None else self.certificate.condition

    @property
    def forward_error(self) -> Any:
        """Estimated bound on the relative error of the answer, None where it was not estimated."""
        return None if self.certificate is None else self.certificate.forward_error

    @property
    def backward_error(self) -> Any:
        """||A - U H||_F / ||A||_F from the certificate, None under ``steps=``."""
        return None if self.certificate is None else self.certificate.backward_error

    @property
    def orthogonality(self) -> Any:
        """||U^H U - I||_F / sqrt k from the certificate, None under ``steps=``."""
        return None if self.certificate is None else self.certificate.orthogonality

    @property
    def ok(self) -> bool:
        """Whether every matrix has the answer that was asked for."""
        return all(status.ok for status in np.asarray(self.status, dtype=object).ravel())


class _UH(NamedTuple):
    U: Any
    H: Any


class PolarResult(_UH):
    """The pair (U, H), which also carries ``.info``.

    Attributes
    ----------
    U : array, shape (..., m, n)
    H : array, shape (..., n, n) for side="right", (..., m, m) for side="left"
    info : Info or None
        None only after a transformation (``jax.jit``) rebuilt the pair from its arrays.
    """

    info: Info | None = None

    @classmethod
    def of(cls, U: Any, H: Any, info: Info) -> PolarResult:
        """Pair with its info."""
        result = cls(U, H)
        result.info = info
        return result


class _RZ(NamedTuple):
    R: Any
    Z: Any


class SquareRootPair(_RZ):
    """The pair (A^(1/2), A^(-1/2)), which also carries ``.info``.

    Attributes
    ----------
    R, Z : array, shape (..., n, n)
    info : Info or None
        None only after a transformation (``jax.jit``) rebuilt the pair from its arrays.
    """

    info: Info | None = None

    @classmethod
    def of(cls, R: Any, Z: Any, info: Info) -> SquareRootPair:
        """Pair with its info."""
        result = cls(R, Z)
        result.info = info
        return result


class ConvergenceError(ArithmeticError):
    """Raised when ``on_failure="raise"`` and an answer is not what was asked for.

    Attributes
    ----------
    result : PolarResult or tuple
        The best result so far, with its info: nothing that was computed is lost.
    """

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.result)


class ConvergenceWarning(UserWarning):
    """Issued when ``on_failure="warn"`` and an answer is not what was asked for."""
