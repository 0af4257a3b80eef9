r"""Gaussian elimination as a rule for the inverse: $h(r) = 1/(1 - r)$ at once, then a polish.

$\sigma$ is an eigenvalue of $A X$, p = 1: step 0 sends it to $\sigma (1 - r)^{-1} = 1$.  Every later step is Schulz's,
$X \leftarrow X (2I - A X)$, $r' = r^2$ exactly.

Proved (Higham, Accuracy and Stability of Numerical Algorithms, 2002, sec. 14.3): an inverse by LU with partial pivoting
has $\|A \hat X - I\| \le c_n \rho_n u\, \kappa(A)$ with the growth factor $\rho_n$; one Schulz step does not lower that
bound, since its own rounding is $u\, \|A\| \|X\|$.

Price: what every step looks at, one factorisation ($2 n^3$ flops with the inverse), then the products of Newton-Schulz.
"""

from __future__ import annotations

from typing import Any

from theory import inverse_root, newton_schulz
from theory.scalar import Number, Spectrum, on_spectrum

RULE = "lu"

PROBLEMS = ("inv",)

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int, *, p: int = 1) -> Spectrum:
    """Eigenvalues of A X after one step."""

    def to_one(values: list[Number]) -> list[Number]:
        return [x * 0 + 1 for x in values]

    return on_spectrum(to_one, sigmas) if step == 0 else newton_schulz.next_spectrum(sigmas, step, degree=3, p=p)


def price(step: int) -> dict[str, int]:
    """Full-size products of one step as if of the polar problem; ``inverse`` counts factorisations."""
    return {"gram": 1, "inverse": 1, "apply": 0} if step == 0 else newton_schulz.price(step, degree=3)


def residual_bound(sigmas: Spectrum, steps: int, *, p: int = 1) -> float | None:
    """Zero as soon as the factorisation has been taken."""
    return 0.0 if steps else inverse_root.residual_norm(sigmas, p)


def region() -> tuple[float, float]:
    """Every invertible start converges."""
    return 0.0, float("inf")


def converges() -> bool:
    """Whether the limit is the function."""
    return True
