r"""Newton's iteration with a fitted parameter: $G = (1 - a) I + a M^{-1}$ in the product form of Denman and Beavers.

$X \leftarrow X G$, $M \leftarrow M G^2$ for the square root, $X \leftarrow (1 - a) X + a X^{-H}$ for the polar factor;
on $\sigma = \sqrt m$ both are $\sigma \leftarrow (1 - a)\sigma + a/\sigma$, that is $m \leftarrow ((1 - a) m + a)^2/m$.
a minimises $\sum_i w_i e_i^2$, a quartic, with

    $e = m' - 1 = (m - 1) + a (2 - 2m) + a^2 (m - 2 + 1/m)$.

With ``scaling`` "frobenius" $\sigma$ is first multiplied by $\mu = (\|X^{-1}\|_F/\|X\|_F)^{1/2}$, as Newton's iteration
does (newton.py), so that the best a is near 1/2: $h = (1 - a)\mu + (a/\mu)/g$.

Proved
------
* $e(0) = m - 1$ and $e(1/2) = (m - 1)^2/(4m)$.  So an exact fit over [0, 1] without scaling never increases $\|I -
  M\|_F$, and with any scale it is never worse than the classical step with the same scale.  On an interval that
  has 1/2 in it the second half still holds.
* One eigenvalue: $a = \sqrt m/(1 + \sqrt m)$ gives $m' = 1$.  It runs through (0, 1) as m runs through $(0,
  \infty)$; an interval like [1/2, 1] would not do.
* $\sigma' \ge 2\sqrt{a(1 - a)}$ by the inequality of the means: no value is lost as long as a stays away from 0, 1.
* End: as $R \to 0$, $e = (1 - 2a)(m - 1) + O((m - 1)^2)$, so $a \to 1/2$, and convergence is quadratic.
* Convergence with a scale from every $\sigma > 0$ is not proved here; observed always.

Sources: arXiv 2601.22137 (the idea, without formulas for this case); the rest is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from mpmath import mp

from theory import newton, rational
from theory.prism_root import argmin, squares
from theory.scalar import Number, Spectrum, number, on_spectrum

RULE = "prism-newton"

PROBLEMS = ("polar", "sign", "sqrt")

OPTIONS: list[dict[str, Any]] = [{}]

INTERVAL = (Fraction(1, 64), Fraction(63, 64))
"""Where a is sought; with the scale the best a of a spectrum is hardly ever near 0 or 1."""

WHOLE = (Fraction(0), Fraction(1))
"""Interval of the bounds without a scale."""


def parts(m: Number) -> list[Number]:
    """Return e_0, e_1, e_2 of m' - 1 = e_0 + a e_1 + a^2 e_2."""
    return [m - 1, 2 - 2 * m, (1 - m) ** 2 / m]


def fit(
    eigenvalues: Sequence[Number],
    weights: Sequence[Number] | None = None,
    interval: tuple[Number, Number] = WHOLE,
) -> Number:
    """Exact minimiser of ||M' - I||_F; 1/2 for M = I."""
    lower, upper = (number(end) for end in interval)
    return argmin(squares([parts(m) for m in eigenvalues], weights), lower, upper, mp.mpf(1) / 2)


def next_spectrum(
    sigmas: Spectrum,
    step: int,
    *,
    scaling: str = "frobenius",
    interval: tuple[Number, Number] = INTERVAL,
    weights: Sequence[Number] | None = None,
    of: int = 1,
) -> Spectrum:
    """Singular values (or sqrt of the eigenvalues of M) after one fitted step; ``of`` as in ``newton.scale``."""

    def step_map(values: list[Number]) -> list[Number]:
        mu = newton.scale(values, step, scaling=scaling, of=of)
        scaled = [mu * x for x in values]
        a = fit([x * x for x in scaled], weights, interval)
        return [(1 - a) * x + a / x for x in scaled]

    return on_spectrum(step_map, sigmas)


def price(step: int, *, sketch: bool = False) -> dict[str, int]:  # noqa: ARG001
    """One solve, the Gram matrix of the residual, and the fit: R and the two factors of the inverse, each once.

    A sketch takes four thin products, since it is multiplied by R twice.
    """
    products = rational.price((), plain=1)
    return {**products, "thin": 4} if sketch else {**products, "apply": 3}


def residual_bound(
    sigmas: Spectrum, steps: int, *, scaling: str = "frobenius", interval: tuple[Number, Number] = INTERVAL
) -> float | None:
    """||R_0||_F without a scale on the whole of [0, 1]; None otherwise."""
    if scaling != "none" or interval != WHOLE:
        return None
    with mp.workdps(newton.DIGITS):
        first = mp.sqrt(sum((1 - number(s) ** 2) ** 2 for s in sigmas))
        halved = mp.sqrt(sum((newton.halve(number(s)) ** 2 - 1) ** 2 for s in sigmas))
        return float(min(first, halved) if steps else first)


def region(**options: Any) -> tuple[float, float]:  # noqa: ARG001
    """Every positive start."""
    return 0.0, float("inf")


def converges(**options: Any) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
