"""Updates: the function h that a rule picks and a problem applies, kept as a value.

What moves: nothing; an update is data.  It can be evaluated on floats, on mpmath numbers, on a
spectrum or on device scalars by calling it, and problems evaluate it on matrices.
Everywhere r is an eigenvalue of the residual and g = 1 - r.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any, Literal, TypeAlias

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
    """

    coefficients: tuple[Scalar, ...]
    basis: Basis = "residual"

    @property
    def degree(self) -> int:
        """Degree q of h; the polynomial in X has degree 2 q + 1."""
        return len(self.coefficients) - 1

    @property
    def symmetric_products(self) -> int:
        """Products of Hermitian matrices that forming h takes (Paterson-Stockmeyer with S and S^2)."""
        q = len(self.coefficients) - 1
        return q // 2 + q % 2 if q > 1 else 0

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r, on anything that has ``+`` and ``*`` (Horner)."""
        s = r if self.basis == "residual" else 1 - r
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
        )


@dataclass(frozen=True)
class PartialFractions:
    """A rational function h = constant + sum_j weights[j] / (g + shifts[j]) with g = 1 - r.

    Newton's iteration is one term with shift 0, QDWH one term, Zolotarev several
    (Nakatsukasa and Freund, SIAM Review 58(3), 2016).

    Parameters
    ----------
    constant : Scalar
    weights, shifts : tuple of Scalar
        Shifts are non-negative.
    """

    constant: Scalar
    weights: tuple[Scalar, ...]
    shifts: tuple[Scalar, ...]

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r < 1, or at r = 1 when no shift is zero."""
        g = 1 - r
        value = self.constant
        for w, s in zip(self.weights, self.shifts, strict=True):
            value = value + w / (g + s)
        return value


@dataclass(frozen=True)
class ExactRoot:
    """The function every rule approximates, h = (1 - r)^(-1/p), applied through a factorisation.

    For the polar problem p = 2 and the factorisation is the singular value decomposition.
    """

    p: int = 2

    def __call__(self, r: Any) -> Any:
        """Evaluate h at r < 1."""
        return (1 - r) ** (-1 / self.p)


Update: TypeAlias = Polynomial | PartialFractions | ExactRoot
