"""Updates: the function h that a rule picks and a problem applies, kept as a value.

What moves: nothing; an update is data.  It can be evaluated on floats, on mpmath numbers, on a
spectrum or on device scalars by calling it, and problems evaluate it on matrices.
Everywhere r is an eigenvalue of the residual and g = 1 - r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb
from typing import Any, Literal, TypeAlias

import numpy as np

from matfun.polynomials.evaluation import choose

Scalar: TypeAlias = Any
"""A Python float, or a device array of shape (...) holding one value per matrix of a stack."""

Basis: TypeAlias = Literal["residual", "gram"]


@dataclass(frozen=True)
class Polynomial:
    """A polynomial h, applied as X <- X h.

    Parameters
    ----------
    coefficients : tuple of Scalar
        c_0, c_1, ..., c_q of h = sum c_i s^i, with s = r or s = g = 1 - r.
    basis : {"residual", "gram"}
        Which of the two s is.  The residual basis loses nothing as r -> 0 and is the one to use near
        convergence; the gram basis is the one in which the literature prints its coefficients,
        since p(x) = x h is then c_0 x + c_1 x^3 + c_2 x^5 + ...
    image : tuple of Scalar, optional
        Where x h(1 - x^p) takes the values x that it was made for, as far as its maker knows: (lowest, highest).
    """

    coefficients: tuple[Scalar, ...]
    basis: Basis = "residual"
    image: tuple[Scalar, Scalar] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if len(self.coefficients) == 0:
            raise ValueError("coefficients: expected at least one, got none")
        if self.basis not in ("residual", "gram"):
            raise ValueError(f"basis: expected 'residual' or 'gram', got {self.basis!r}")

    @property
    def degree(self) -> int:
        """Degree q of h; the polynomial in X has degree 2 q + 1."""
        return len(self.coefficients) - 1

    @property
    def symmetric_products(self) -> int:
        """Products of Hermitian matrices that forming h takes, by the scheme that its coefficients get."""
        q = self.degree
        return choose(self.coefficients).products if q > 3 else max(q - 1, 0)

    @property
    def is_correction(self) -> bool:
        """Whether h is 1 and something that becomes small: a sum with 1 would drown its last digits.

        So it is in the residual basis with c_0 = 1, or a c_0 that the host does not know.
        """
        c0 = self.coefficients[0]
        return self.basis == "residual" and (not isinstance(c0, (int, float)) or c0 == 1)

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r, on anything that has ``+`` and ``*`` (Horner)."""
        return self.at(r, 1 - r)

    def at(self, r: Any, g: Any) -> Any:
        """Evaluate h where r and g = 1 - r are both known, each with its own digits."""
        s = r if self.basis == "residual" else g
        value = self.coefficients[-1]
        for c in self.coefficients[-2::-1]:
            value = value * s + c
        return value

    def in_basis(self, basis: Basis) -> Polynomial:
        """Return the same function written in the other basis: s -> 1 - s."""
        if basis == self.basis:
            return self
        c = self.coefficients
        return Polynomial(
            tuple(sum((-1) ** j * comb(i, j) * c[i] for i in range(j, len(c))) for j in range(len(c))),
            basis,
            self.image,
        )


@dataclass(frozen=True)
class PartialFractions:
    """A rational function h = constant + sum_i higher[i] g^(i+1) + sum_j weights[j] / (g + shifts[j]) with g = 1 - r.

    Newton's iteration is one term with shift 0, QDWH one term, Zolotarev several
    (Nakatsukasa and Freund, SIAM Review 58(3), 2016), a Pade approximant [l/m] m terms and l - m higher coefficients.

    Parameters
    ----------
    constant : Scalar
    weights, shifts : tuple of Scalar
        Shifts are non-negative floats, one of them may be 0; or host arrays of the shape of the stack.
    higher : tuple of Scalar
        Coefficients of g, g^2, ...
    """

    constant: Scalar
    weights: tuple[Scalar, ...]
    shifts: tuple[Any, ...]
    higher: tuple[Scalar, ...] = ()

    @property
    def inverts(self) -> bool:
        """Whether a term has the shift 0."""
        return any(isinstance(s, (int, float)) and s == 0 for s in self.shifts)

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r < 1, or at r = 1 when no shift is zero."""
        return self.at(r, 1 - r)

    def at(self, r: Any, g: Any) -> Any:  # noqa: ARG002 - the same signature as a polynomial's
        """Evaluate h where g = 1 - r is known with more digits than r has."""
        value = self.constant
        for i, c in enumerate(self.higher):
            value = value + c * g ** (i + 1)
        for w, s in zip(self.weights, self.shifts, strict=True):
            value = value + w / (g + s)
        return value


@dataclass(frozen=True)
class ExactRoot:
    """The function every rule approximates, h = (1 - r)^(-1/p), applied to the start through a factorisation.

    Parameters
    ----------
    p : int
    factorisation : {"svd", "eigh", "schur", "lu"}
        Which one; a problem serves those that have a meaning for it.
    """

    p: int = 2
    factorisation: str = "svd"

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r < 1."""
        return (1 - r) ** (-1 / self.p)


Update: TypeAlias = Polynomial | PartialFractions | ExactRoot


def one_for_each(
    updates: Sequence[Update], which: np.ndarray[Any, Any], on_device: Callable[[np.ndarray[Any, Any]], Any]
) -> Update:
    """One update whose coefficients are those of updates[which[i]] for matrix i of a stack.

    Parameters
    ----------
    updates : sequence of Update
        Of one kind; polynomials in one basis.  Fractions may differ in their number of terms.
    which : numpy array of int, shape of the stack
    on_device : callable
        Brings a host array of the shape of the stack to the device.  Shifts stay on the host, because a problem
        looks at their size.
    """
    first = updates[0]
    if all(isinstance(h, Polynomial) for h in updates):
        degree = max(h.degree for h in updates)  # type: ignore[union-attr]
        rows = np.asarray([[*h.in_basis(first.basis).coefficients, *[0.0] * (degree - h.degree)] for h in updates])  # type: ignore[union-attr]
        return Polynomial(tuple(on_device(rows[which, i]) for i in range(degree + 1)), first.basis)  # type: ignore[union-attr]
    if all(isinstance(h, PartialFractions) and not h.higher for h in updates):
        terms = max(len(h.weights) for h in updates)  # type: ignore[union-attr]
        spare = [terms - len(h.weights) for h in updates]  # type: ignore[union-attr]
        weights = np.asarray([[*h.weights, *[0.0] * k] for h, k in zip(updates, spare, strict=True)])  # type: ignore[union-attr]
        shifts = np.asarray([[*h.shifts, *[1.0] * k] for h, k in zip(updates, spare, strict=True)])  # type: ignore[union-attr]
        constants = np.asarray([h.constant for h in updates])  # type: ignore[union-attr]
        return PartialFractions(
            on_device(constants[which]),
            tuple(on_device(weights[which, i]) for i in range(terms)),
            tuple(shifts[which, i] for i in range(terms)),
        )
    return first


WORTH_A_PASS = 2.0
"""Forming R costs a pass over the Gram matrix: a choice, that rounding which is not halved is not worth it."""


def exactly_in_residual(coefficients: Sequence[float]) -> Polynomial:
    """Change from the gram basis with each coefficient rounded once: the sums cancel."""
    fractions = Polynomial(tuple(map(Fraction, coefficients)), "gram").in_basis("residual").coefficients
    return Polynomial(tuple(map(float, fractions)))


def in_better_basis(gram: Polynomial, residual: Polynomial, lower: float, upper: float, p: int) -> Polynomial:
    """Of two forms of h the residual one, where it amplifies rounding much less on [lower, upper] and costs no more.

    The sizes compared are the sums of the moduli of the terms; near 1 R vanishes.
    """
    g, r = max(abs(lower), abs(upper)) ** p, max(abs(1 - lower**p), abs(1 - upper**p))
    sizes = [sum(abs(c) * s**i for i, c in enumerate(h.coefficients)) for h, s in ((gram, g), (residual, r))]
    better = sizes[1] * WORTH_A_PASS < sizes[0]
    return residual if better and residual.symmetric_products <= gram.symmetric_products else gram
