r"""Muon's constant quintic $p(x) = 3.4445 x - 4.7750 x^3 + 2.0315 x^5$: steep at 0, and not convergent.

Proved (by the extrema of $p$, computed below from its exact coefficients)
-------------------------------------------------------------------------
* $p$ rises on $(0, x_1)$, falls on $(x_1, x_2)$, rises after, with $x_1, x_2$ the zeros of $p'$:
  $x_1 = 0.5545$, $p(x_1) = 1.2024$; $x_2 = 1.0501$, $p(x_2) = 0.6818$.
* $p$ has the positive fixed points $0.8680$, where $p' = -1.58$, and $x_* = 1.2637$, where $p' = 3.42$: both
  repel, so no start converges except those that hit a fixed point exactly, and 1 is not one: $p(1) = 0.701$.
* Every start in $(0, x_*)$ enters the band $[p(x_2), p(p(x_2))] = [0.6818, 1.1344]$ and stays: below $x_1$ it
  grows until it exceeds $x_1$ at the latest after a step that ends at or below $p(x_1) = 1.2024 < x_*$; from
  $[x_1, x_*)$ the values fall below $x_*$ step by step, and the band is its own image (``band`` checks it).
  So $\sup|\sigma - 1| \le 1 - p(x_2) = 0.3182$, and the value $p(x_2)$ is attained by $\sigma = x_2$.
* Starts above $x_*$ diverge.

Observed only: on random spectra the supremum stays near 0.32 for ever.

Source: K. Jordan, Muon (2024), coefficients as published; the band is derived here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mpmath import mp

from theory.scalar import (
    WORKING_DIGITS,
    Number,
    Spectrum,
    image,
    image_residual,
    number,
    odd,
    on_spectrum,
    real_roots,
)

RULE = "muon"

PROBLEMS = ("polar",)

OPTIONS: list[dict[str, Any]] = [{}]

COEFFICIENTS = (Fraction("3.4445"), Fraction("-4.7750"), Fraction("2.0315"))
"""K. Jordan, Muon (2024)."""


def polynomials(steps: int) -> list[tuple[Fraction, ...]]:
    """Gram-basis coefficients of each step, as exact fractions."""
    return [COEFFICIENTS] * steps


def next_spectrum(sigmas: Spectrum, step: int) -> Spectrum:  # noqa: ARG001
    """Singular values after one step; every step is the same map."""

    def step_map(values: list[Number]) -> list[Number]:
        c = [number(v) for v in COEFFICIENTS]
        return [odd(c, x) for x in values]

    return on_spectrum(step_map, sigmas)


def price(step: int) -> dict[str, int]:  # noqa: ARG001
    """Full-size products of one step."""
    return {"gram": 1, "symm": 1, "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int) -> float | None:
    """Bound by the image of the interval of the singular values; it does not tend to zero."""
    return image_residual(polynomials(steps), sigmas)


def turning_points() -> tuple[float, float]:
    """Places of the local maximum and of the local minimum of p on the positive axis."""
    with mp.workdps(WORKING_DIGITS):
        slope = [(2 * i + 1) * number(c) for i, c in enumerate(COEFFICIENTS)]
        first, second = real_roots(slope, mp.mpf(0), mp.mpf(4))
        return float(mp.sqrt(first)), float(mp.sqrt(second))


def fixed_points() -> tuple[float, float]:
    """Positive fixed points, both repelling."""
    with mp.workdps(WORKING_DIGITS):
        c = [number(v) for v in COEFFICIENTS]
        first, second = real_roots([c[0] - 1, *c[1:]], mp.mpf(0), mp.mpf(4))
        return float(mp.sqrt(first)), float(mp.sqrt(second))


def band() -> tuple[float, float]:
    """Attracting band of the singular values: from the valley p(x_2) up to its image, its own image."""
    with mp.workdps(WORKING_DIGITS):
        c = [number(v) for v in COEFFICIENTS]
        valley = odd(c, mp.sqrt(real_roots([c[0], 3 * c[1], 5 * c[2]], mp.mpf(0), mp.mpf(4))[1]))
        lower, upper = image(c, valley, odd(c, valley))
        return float(lower), float(upper)


def region() -> tuple[float, float]:
    """Open interval of start values that are drawn into the band (none converges to 1); sharp."""
    return 0.0, fixed_points()[1]


def converges() -> bool:
    """Whether the limit is the unitary factor."""
    return False
