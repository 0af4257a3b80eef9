r"""Polar Express: the greedy composition of best odd approximations of 1.

Map: with $\sigma \in [l_t, u_t]$, $p_t$ minimises $E = \max_{[l_t, u_t]} |1 - p|$ over odd p of degree
$d = 2q + 1$ (minimax.py); then $l_{t+1} = p_t(l_t) = 1 - E_t$ and $u_{t+1} = 2 - l_{t+1} = 1 + E_t$.
For the inverse p-th root, $\sigma = m^{1/p}$, odd p are replaced by $\sigma h(\sigma^p)$, h of degree q; the theorem
holds there too (composition.py).  What follows is for p = 2.

Proved
------
* Optimality (Amsel, Persson, Musco, Gower, Thm 4.1; before, Lee et al., eprint 2020/834): no composition of
  T odd polynomials of degree d has a smaller error on $[l, 1]$, and that error is $1 - l_{T+1}$.
* Rate (Thm 4.3): $1 - l_{T+1} \le (1 - l^2)^{(q+1)^T}$ (``rate_bound``); very pessimistic.
* End game: $E_{t+1}/E_t^{q+1} \to K_q$, start: $l_{t+1}/l_t$ is near the slope $s_d$ in the first step and
  near $s_d/2$ in the next ones, where u is near 2 (minimax.py).
* Region (here).  In the quintic case $p_t(u_t) = u_{t+1}$ with a slope far above 1, so a value above $u_0 =
  1$ by $\epsilon$ runs away from the interval by that factor in every step.  The region ends hardly above
  1: at $1 + 3.7 \cdot 10^{-6}$ for $l = 10^{-3}$, $1 + 1.6 \cdot 10^{-11}$ for $10^{-6}$, and within the
  float64 spacing of 1 for $10^{-9}$: rounding alone can then send $\sigma = 1$ to infinity.  A cushion hardly
  helps, a safety factor does: 1.01 moves the end to 1.0108.

Cushion.  With ``cushion`` c the polynomial is fitted on $[\max(l, cu), u]$; where that changes anything p
is multiplied by $2/(p(l) + \max p)$, so that the image of $[l, u]$ is again centred at 1.  (Here max p is
$1 + E$, the value at u for $d = 5$; for $d = 3$, $p(u) = 1 - E$ is not the maximum.)
Safety.  $p_t(x/s)$, coefficients $c_i/s^{2i+1}$, only while $E_t$ exceeds
``SAFETY_WHILE_ERROR_ABOVE`` and not in the last of a fixed number of steps, here the option ``fixed_steps``.
(In every step it would move the limit, to 0.999998 for $s = 1.01$.)  It takes $[l_t, u_t]$ to $[p_t(l_t/s), 1 + E_t]$,
from which the recursion goes on, and values up to $s u_t$ below $1 + E_t$ too.
Cut-off.  Where $E_t < 2^{-53}$ the polynomials are those of Newton-Schulz; minimax ones differ from them by
less than float64 can tell, and Newton-Schulz has the exact fixed point 1 that the limit needs.

Observed: ``PUBLISHED`` is not the pure composition but the one with ``CUSHION``; see there.

Sources: arXiv 2505.16932, and the code of its authors.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from mpmath import mp

from theory.composition import taylor
from theory.minimax import GUARD_DIGITS, cushion_constant, end_constant, minimax_odd, remez, start_slope
from theory.scalar import Number, Spectrum, horner, image_residual, number, on_spectrum, real_roots
from theory.scalar import symmetric_products as horner_products

__all__ = ["cushion_constant", "end_constant", "minimax_odd", "start_slope"]

RULE = "polar-express"

PROBLEMS = ("polar", "sign", "sqrt", "invroot", "inv")

CUSHION = 0.02407327424182761
"""The l at which the best quintic on [l, 1], scaled to maximum 1, is 1/10 at l; ``cushion_constant(5)``."""

UNIT_ROUNDOFF = 2.0**-53
"""Of float64: what accuracy-driven runs take for ``lower``, since smaller singular values are noise."""

OPTIONS: list[dict[str, Any]] = [
    {"degree": 5, "lower": 1e-3, "cushion": 0.0, "safety": 1.0},
    {"degree": 3, "lower": 1e-3, "cushion": 0.0, "safety": 1.0},
    {"degree": 5, "lower": 1e-6, "cushion": CUSHION, "safety": 1.0},
    {"degree": 5, "lower": 1e-3, "cushion": CUSHION, "safety": 1.01},
    {"degree": 5, "lower": 1e-3, "cushion": CUSHION, "safety": 1.01, "fixed_steps": 4},
    {"degree": 5, "lower": UNIT_ROUNDOFF, "cushion": 0.1, "safety": 1.01},
    {"degree": 3, "lower": UNIT_ROUNDOFF, "cushion": 0.1, "safety": 1.01},
    {"degree": 9, "lower": 0.4, "cushion": 0.1, "safety": 1.0},
]
"""Plain, cushioned, published, fixed steps, the two that accuracy-driven runs in float64 take, and a high degree."""

PUBLISHED = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)
"""The authors' table for l = 1e-3, d = 5 (arXiv 2505.16932, appendix code; gptopt/optim/muon.py).

It is the composition with cushion ``CUSHION``: steps 1-6 agree to 2e-15, step 8 is the Taylor polynomial, and
step 7 is off by 2.5e-11, the rounding of a float64 Remez on an interval of half-width 1e-3.
"""

CUT_OFF = 2.0**-53
"""Half the spacing of float64 at 1: below this error a minimax polynomial is the Taylor one to rounding."""

SAFETY_WHILE_ERROR_ABOVE = 0.25
"""A value above $u_t = 1 + E_t$ by 1 % is in the basin of 1 once E is below this."""

EXHAUSTED = 1e-300
"""Spread from which on Newton-Schulz stands in for the exchange: float64 cannot hold what comes after."""


class Stage(NamedTuple):
    """One polynomial: gram-basis coefficients, the interval it is for, and sup |1 - p| on that interval."""

    coefficients: tuple[Number, ...]
    lower: Number
    upper: Number
    error: Number


@lru_cache(maxsize=128)
def composition(
    lower: Number,
    steps: int,
    degree: int = 5,
    cushion: float = 0.0,
    dps: int = 60,
    safety: float = 1.0,
    p: int = 2,
) -> tuple[Stage, ...]:
    """Greedy composition started on [lower, 1], to ``dps`` digits, without cut-off.

    The spread of an interval after the first is the error of the step before, carried as such; after a stretched
    step it is that of the image.  Coefficients and errors are those without the stretch.
    """
    with mp.workdps(dps + GUARD_DIGITS):
        low, high = number(lower), mp.mpf(1)
        spread = (high - low) / (high + low)
        stages = []
        for _ in range(steps):
            if spread < EXHAUSTED:
                centre = (low + high) / 2
                limit = taylor(degree, p=p)
                coefficients = tuple(number(c) / centre ** (p * i + 1) for i, c in enumerate(limit))
                error = end_constant(degree, p=p) * spread ** (degree // 2 + 1)
            elif low >= cushion * high:
                centre = (low + high) / 2
                scaled, error = remez(spread, degree, dps + GUARD_DIGITS, p=p)
                coefficients = tuple(c / centre ** (p * i + 1) for i, c in enumerate(scaled))
            else:
                fitted, error = minimax_odd(cushion * high, high, degree, dps + GUARD_DIGITS, p=p)
                recentre = 2 / (low * horner(fitted, low**p) + 1 + error)
                coefficients = tuple(c * recentre for c in fitted)
                error = 1 - low * horner(coefficients, low**p)
            stages.append(Stage(coefficients, low, high, error))
            if safety > 1 and error > SAFETY_WHILE_ERROR_ABOVE:
                low, high = low * horner(_stretched(coefficients, safety, p), low**p), 1 + error
                spread = (high - low) / (high + low)
            else:
                low, high, spread = 1 - error, 1 + error, error
        return tuple(stages)


def _stretched(coefficients: tuple[Number, ...], safety: float, p: int) -> tuple[Number, ...]:
    """Coefficients of f(x / safety)."""
    return tuple(c / number(safety) ** (p * i + 1) for i, c in enumerate(coefficients))


def polynomials(
    steps: int,
    *,
    lower: Number = 1e-3,
    degree: int = 5,
    cushion: float = 0.0,
    safety: float = 1.0,
    fixed_steps: int | None = None,
    p: int = 2,
) -> list[tuple[Number, ...]]:
    """Gram-basis coefficients of each step, 60 digits, with safety factor and cut-off."""
    stages = composition(lower, steps, degree, cushion, safety=safety, p=p)
    chosen: list[tuple[Number, ...]] = []
    with mp.workdps(75):
        for t, stage in enumerate(stages):
            if stage.error < CUT_OFF:
                chosen.append(tuple(number(c) for c in taylor(degree, p=p)))
                continue
            last = fixed_steps is not None and t == fixed_steps - 1
            safe = stage.error > SAFETY_WHILE_ERROR_ABOVE and not last
            chosen.append(_stretched(stage.coefficients, safety, p) if safe else stage.coefficients)
    return chosen


def next_spectrum(sigmas: Spectrum, step: int, **options: Any) -> Spectrum:
    """Values after step number ``step``; options as in ``polynomials``."""
    coefficients, p = polynomials(step + 1, **options)[step], options.get("p", 2)
    return on_spectrum(lambda values: [x * horner(coefficients, x**p) for x in values], sigmas)


def price(step: int, **options: Any) -> dict[str, int]:  # noqa: ARG001
    """Full-size products of one step of the polar problem."""
    return {"gram": 1, "symm": horner_products(options.get("degree", 5) // 2), "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int, **options: Any) -> float | None:
    """Bound by the image of the interval of the singular values (p = 2); E (2 + E) for [lower, 1] (Thm 4.1)."""
    return image_residual(polynomials(steps, **options), sigmas)


def region(**options: Any) -> tuple[float, float]:
    r"""Open interval of start values that converge to 1; sharp.

    Up to $u_t$ values are mapped into $(0, u_{t+1}]$, and those below $l_t$ grow.  For odd q the first zero
    of $p_0$ ends the region; for even q $p_t$ rises beyond $u_t$ and the end is carried back from the
    repelling fixed point of the Newton-Schulz polynomial in which the composition ends.
    """
    degree, p = options.get("degree", 5), options.get("p", 2)
    steps = max(2, options.get("fixed_steps") or 0)
    start = (options.get("lower", 1e-3), degree, options.get("cushion", 0.0))
    safety = options.get("safety", 1.0)
    while composition(start[0], steps, *start[1:], safety=safety, p=p)[-1].error > CUT_OFF:
        steps += 1
    *chain, last = polynomials(steps + 1, **options)
    with mp.workdps(75):
        if degree // 2 % 2:
            return 0.0, float(mp.root(real_roots(chain[0], mp.mpf(0), mp.mpf(9))[0], p))
        edge = mp.root(real_roots([last[0] - 1, *last[1:]], mp.mpf(0), mp.mpf(9))[-1], p)
        for coefficients in reversed(chain):
            edge = preimage(coefficients, edge, p)
        return 0.0, float(edge)


def preimage(coefficients: tuple[Number, ...], value: Number, p: int = 2) -> Number:
    """Largest x with f(x) = value, on the last rising branch."""
    spread_out = [mp.mpf(0)] * (p * (len(coefficients) - 1) + 2)
    spread_out[1::p] = coefficients
    spread_out[0] = -value
    return real_roots(spread_out, mp.mpf(0), mp.mpf(3))[-1]


def converges(**options: Any) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor: the composition ends in Newton-Schulz."""
    return True


def rate_bound(lower: Number, steps: int, degree: int) -> Number:
    """Thm 4.3 of arXiv 2505.16932, bound on 1 - l_{T+1} for the interval [lower, 1]."""
    return (1 - number(lower) ** 2) ** ((degree // 2 + 1) ** steps)
