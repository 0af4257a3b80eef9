r"""The singular value decomposition as a rule: $h(r) = (1 - r)^{-1/2}$ at once, then a polish.

Step 0 sends every $\sigma$ to $\sigma (1 - r)^{-1/2} = \sigma (\sigma^2)^{-1/2} = 1$.  A zero $\sigma$ goes
to 1 as well: the factorisation completes $U = P Q^H$ to orthonormal columns.  Every later step is the
Newton-Schulz step of degree 3, for which 1 is a superattracting fixed point ($r' = r^2 (3 + r)/4$): it
squares what rounding has left in $\|I - U^H U\|_2$.

Proved: the map is exact, so the residual bound is 0 after step 0.  Price: the residual that every step looks
at, one factorisation and the product $P Q^H$, then the products of Newton-Schulz.  Source: Golub and Van
Loan, Matrix Computations (2013), sec. 6.4.1, 9.4.3.
"""

from __future__ import annotations

from typing import Any

from theory import newton_schulz
from theory.scalar import Number, Spectrum, on_spectrum, residual_norm

RULE = "svd"

PROBLEMS = ("polar",)

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int) -> Spectrum:
    """Singular values after one step."""

    def to_one(values: list[Number]) -> list[Number]:
        return [x * 0 + 1 for x in values]

    return on_spectrum(to_one, sigmas) if step == 0 else newton_schulz.next_spectrum(sigmas, step, degree=3)


def price(step: int) -> dict[str, int]:
    """Full-size products of one step; ``svd`` counts factorisations."""
    return {"gram": 1, "svd": 1, "apply": 1} if step == 0 else newton_schulz.price(step, degree=3)


def residual_bound(sigmas: Spectrum, steps: int) -> float | None:
    """Zero as soon as the factorisation has been taken."""
    return 0.0 if steps else residual_norm(sigmas)


def region() -> tuple[float, float]:
    """Every start converges."""
    return 0.0, float("inf")


def converges() -> bool:
    """Whether the limit is the unitary factor."""
    return True
