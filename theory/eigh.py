r"""The eigendecomposition of a Hermitian matrix as a rule: $h(r) = (1 - r)^{-1/p}$ at once, then a polish.

For $A = Q \Lambda Q^H$ and the state that the problem starts from, step 0 sends every $\sigma$ to
$\sigma (1 - r)^{-1/p} = \sigma (\sigma^p)^{-1/p} = 1$; for the sign $\Lambda$ is replaced by its signs, so that a
zero eigenvalue stays zero. Every later step is the Newton-Schulz step $q = 1$, $r' = r^2 s(r)$ (inverse_root.py),
which squares what rounding has left.

Proved: the map is exact.  Error (Higham, Functions of Matrices, 2008, sec. 4.5): for a normal matrix the computed
eigenvalues are those of $A + E$, $\|E\|_2 \le c_n u \|A\|_2$, so that a function f with $|f'| \le L$ on the spectrum is
off by $L c_n u \|A\|_2$ at most: what the condition number of f at A allows, whatever f is.

Price: what every step of the problem looks at, one eigendecomposition, and the product $Q f(\Lambda) Q^H$ for each of
the values that the problem carries.  Source: Golub and Van Loan, Matrix Computations (2013), ch. 8.
"""

from __future__ import annotations

from typing import Any

from theory import inverse_root, newton_schulz
from theory.scalar import Number, Spectrum, on_spectrum

RULE = "eigh"

PROBLEMS = ("sign", "sqrt", "invroot")

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int, *, p: int = 2) -> Spectrum:
    """Eigenvalues after one step, with their sign; p as in inverse_root.py."""

    def to_one(values: list[Number]) -> list[Number]:
        return [x * 0 + 1 for x in values]

    return on_spectrum(to_one, sigmas) if step == 0 else newton_schulz.next_spectrum(sigmas, step, degree=3, p=p)


def price(step: int) -> dict[str, int]:
    """Full-size products of one step of the polar problem; ``eigh`` counts factorisations."""
    return {"gram": 1, "eigh": 1, "apply": 1} if step == 0 else newton_schulz.price(step, degree=3)


def residual_bound(sigmas: Spectrum, steps: int, *, p: int = 2) -> float | None:
    """Zero as soon as the factorisation has been taken."""
    return 0.0 if steps else inverse_root.residual_norm(sigmas, p)


def region() -> tuple[float, float]:
    """Every positive start converges."""
    return 0.0, float("inf")


def converges() -> bool:
    """Whether the limit is the function."""
    return True
