r"""Schur methods as a rule: the exact function of a general matrix at once, then a polish.

With $A = Q T Q^H$, f(A) = Q f(T) Q^H, and the function of a triangle follows from its diagonal: for the square root
$u_{ii} = \sqrt{t_{ii}}$, $u_{ij} = (t_{ij} - \sum_{i<k<j} u_{ik} u_{kj})/(u_{ii} + u_{jj})$, no division by zero for
the principal branch (Björck and Hammarling 1983); for the sign one Sylvester equation between the two halves of an
ordered form; for a fractional power Padé approximants of repeated square roots (Higham and Lin 2013).  On the
spectrum the map is that of eigh.py: 1 in step 0, Newton-Schulz, $q = 1$, after.

Proved (Higham, Functions of Matrices, 2008, sec. 6.2): the computed root $\hat U$ of a triangle has $|\hat U^2 - T| \le
\gamma_n |\hat U|^2$, a residual of $n u \alpha(U)$ with $\alpha(U) = \|U\|_F^2 / \|U^2\|_F$; the forward error is the
condition number of the root times that.

Price: what every step of the problem looks at, one Schur form with the function of its triangle on the host, and an
inverse where the problem carries one.
"""

from __future__ import annotations

from typing import Any

from theory import eigh
from theory.scalar import Spectrum

RULE = "schur"

PROBLEMS = ("sign", "sqrt", "invroot")

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int, *, p: int = 2) -> Spectrum:
    """As for eigh."""
    return eigh.next_spectrum(sigmas, step, p=p)


def price(step: int) -> dict[str, int]:
    """Full-size products of one step of the polar problem; ``schur`` counts factorisations."""
    return {("schur" if kind == "eigh" else kind): count for kind, count in eigh.price(step).items()}


def residual_bound(sigmas: Spectrum, steps: int, *, p: int = 2) -> float | None:
    """Zero as soon as the factorisation has been taken."""
    return eigh.residual_bound(sigmas, steps, p=p)


def region() -> tuple[float, float]:
    """Every start without eigenvalues on the cut converges."""
    return 0.0, float("inf")


def converges() -> bool:
    """Whether the limit is the function."""
    return True
