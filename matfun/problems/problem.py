"""What a problem must offer to the driver, and what a residual must offer to a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from matfun.polynomials.minimise import Solver
from matfun.polynomials.update import Scalar, Update
from matfun.sketching.ends import Ends

State = TypeVar("State")


@dataclass
class Work:
    """Products spent so far: full-size ones and thin ones (a full-size matrix times a few columns)."""

    products: int = 0
    thin: int = 0


class Residual(Protocol):
    """The residual of one state, as a rule or the driver may question it."""

    def norm(self) -> Any:
        """Frobenius norm per matrix, a device scalar of shape (...)."""
        ...

    def rounding(self) -> Scalar:
        """How much larger than for an isometry the rounding errors of the residual are."""
        ...

    def projector_defect(self) -> Any:
        """||R^2 - R||_F per matrix: zero where every eigenvalue of R is 0 or 1."""
        ...

    def inner_products(
        self, polynomials: Sequence[Sequence[float]], sketch_size: int | None, *, square: bool, fresh: bool
    ) -> list[list[Scalar]]:
        """Return all <u_a(R) S, u_b(R) S>, up to a positive factor, for polynomials by their coefficients in r.

        S is a Gaussian sketch of ``sketch_size`` columns with E[S S^H] = I, or the identity for None; with ``fresh``
        it is drawn again.  ``square`` says that the update forms R^2 anyway.
        """
        ...

    def ends(self, columns: int | None, products: int) -> Ends:
        """Smallest and largest sigma, seen and possible, by Lanczos, or of all eigenvalues for None."""
        ...

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float, solver: Solver) -> Scalar:
        """Minimiser over [lower, upper] of the polynomial with these coefficients, per matrix."""
        ...


class Problem(Protocol[State]):
    """State, residual, update, and the choice between two states.

    ``largest`` bounds the singular values (for the p-th root, p-th roots of the eigenvalues of M) of the start.
    """

    p: int
    work: Work
    largest: float

    def residual(self, state: State) -> Residual:
        """Residual of a state."""
        ...

    def update(self, state: State, residual: Any, h: Update) -> State:
        """Apply h."""
        ...

    def select(self, mask: np.ndarray[Any, Any], new: State, old: State) -> State:
        """Take the new state where the host mask, one value per matrix, holds, and the old one elsewhere."""
        ...

    def as_host(self, x: Any) -> np.ndarray[Any, Any]:
        """Copy a device scalar to the host."""
        ...
