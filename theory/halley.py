r"""Halley's iteration: the [1/1] Padé approximant, $\sigma \leftarrow \sigma (3 + \sigma^2)/(1 + 3\sigma^2)$.

For general p, $h = (1 - \frac{p-1}{2p} r)/(1 - \frac{p+1}{2p} r)$.  As partial fractions for p = 2, $h = 1/3 +
(8/9)/(g + 1/3)$: one shift 1/3, which Cholesky does.

Proved (pade.py): order 3; $(1 - \sigma')/(1 + \sigma') = ((1 - \sigma)/(1 + \sigma))^3$ exactly; convergence
from every $\sigma > 0$; $\|R_k\| \le \|R_0\|^{3^k}$ for $\|R_0\| \le 1$.  A tiny $\sigma$ grows by the factor 3
in a step, a huge one shrinks by 3: that is what the weights of qdwh.py repair.

Source: Higham, Functions of Matrices (2008), sec. 5.4 and 8.4.
"""

from __future__ import annotations

from typing import Any

from theory import pade
from theory.scalar import Spectrum

RULE = "halley"

PROBLEMS = ("polar", "sign", "sqrt")

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int, *, p: int = 2) -> Spectrum:
    """Singular values after one step."""
    return pade.next_spectrum(sigmas, step, numerator=1, denominator=1, p=p)


def price(step: int) -> dict[str, int]:
    """Full-size products and factorisations of one step."""
    return pade.price(step, numerator=1, denominator=1)


def residual_bound(sigmas: Spectrum, steps: int, *, p: int = 2) -> float | None:
    """As for [1/1] Padé."""
    return pade.residual_bound(sigmas, steps, numerator=1, denominator=1, p=p)


def region(*, p: int = 2) -> tuple[float, float]:
    """Every positive start converges."""
    return pade.region(numerator=1, denominator=1, p=p)


def converges() -> bool:
    """Whether the limit is the unitary factor."""
    return True
