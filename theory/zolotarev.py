r"""ZOLO-PD: in every step Zolotarev's best rational function of type $(2r + 1, 2r)$ for the current interval.

Map, $\sigma \in [l_t, 1]$, option ``terms`` = r:

    $f(x) = M x \prod_{j=1}^r (x^2 + c_{2j})/(x^2 + c_{2j-1})$,  $M = \prod_j (1 + c_{2j-1})/(1 + c_{2j})$,
    $c_i = l^2 \mathrm{sc}^2(i K'/(2r + 1); l')$,  $l' = \sqrt{1 - l^2}$, $K' = K(l')$, $i = 1, \dots, 2r$,

then $l \leftarrow f(l)$.  As partial fractions $h = M + \sum_j M a_j/(g + c_{2j-1})$ with $a_j = -\prod_k
(c_{2j-1} - c_{2k}) / \prod_{k \ne j} (c_{2j-1} - c_{2k-1}) > 0$: r independent factorisations.

Proved
------
* Best (Zolotarev 1877; Achieser, sec. 51): f takes its maximum 1 and its minimum $f(l)$ on $[l, 1]$ alternately
  at $2r + 2$ points, l and 1 among them, so no odd function of that type has a larger ratio of minimum to
  maximum.  $r = 1$ is QDWH, $l = 1$ the [r/r] Padé map ($c_i = \tan^2(i\pi/(4r + 2))$).
* Composition (Nakatsukasa and Freund): the best function of type $2r + 1$ on $[l_t, 1]$ after the best of type
  $2r' + 1$ on $[l, 1]$ is the best of type $(2r + 1)(2r' + 1)$ on $[l, 1]$.
* $\|I - X_t^H X_t\|_2 \le 1 - l_t^2$ for $\sigma \in [l, 1]$, attained at l.  All coefficients are positive:
  every $\sigma > 0$ converges.
* $1 - l_t$ after two steps is below $10^{-15}$ for $\kappa = 1/l$ up to ``threshold(terms)``.

Price.  Shifts below 1/100 ask for QR: all of them in the first of two steps from the threshold, and one for $r
\ge 6$ in the second.  For $r \ge 8$ even the limit $l = 1$ has such a shift, $\tan^2(\pi/(4r + 2)) < 1/100$.

Source: Nakatsukasa and Freund, SIAM Review 58 (2016).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from mpmath import mp

from theory import rational
from theory.scalar import Number, Spectrum, number, on_spectrum

RULE = "zolotarev"

PROBLEMS = ("polar", "sqrt")

OPTIONS: list[dict[str, Any]] = [
    {"lower": 1e-3, "terms": 3},
    {"lower": 1e-8, "terms": 2},
    {"lower": 1e-16, "terms": 8},
]

DIGITS = 60
"""Digits in which the lower bounds are carried and the coefficients are returned."""

TOLERANCE = 1e-15
"""1 - l_t that counts as converged in float64, in ``threshold`` and ``terms_for``."""


class Stage(NamedTuple):
    """f(x) = scale x prod (x^2 + evens[j])/(x^2 + odds[j]); the odds are the shifts."""

    scale: Number
    odds: tuple[Number, ...]
    evens: tuple[Number, ...]

    def __call__(self, x: Number) -> Number:
        """Value at x."""
        value = self.scale * x
        for pole, zero in zip(self.odds, self.evens, strict=True):
            value = value * (x * x + zero) / (x * x + pole)
        return value


def stage(lower: Number, terms: int) -> Stage:
    """Best function on [lower, 1], to ``DIGITS`` digits; 0 < lower <= 1."""
    with mp.workdps(DIGITS + 5):
        low = number(lower)
        lost = max(0, int(-2 * mp.log10(low)))  # digits that 1 - l^2 takes
    with mp.workdps(DIGITS + 15 + lost):
        m = 1 - low * low
        quarter = mp.ellipk(m)
        c = []
        for i in range(1, 2 * terms + 1):
            c.append((low * mp.ellipfun("sc", i * quarter / (2 * terms + 1), m=m)) ** 2)
        odds, evens = tuple(c[0::2]), tuple(c[1::2])
        scale = mp.fprod((1 + p) / (1 + z) for p, z in zip(odds, evens, strict=True))
        return Stage(scale, odds, evens)


@lru_cache(maxsize=256)
def schedule(steps: int, lower: Number, terms: int) -> tuple[tuple[Stage, Number], ...]:
    """Function and lower end l_t of the interval before step t."""
    with mp.workdps(DIGITS):
        end, pairs = number(lower), []
        for _ in range(steps):
            f = stage(end, terms)
            pairs.append((f, end))
            end = min(f(end), mp.mpf(1))
        return tuple(pairs)


def partial_fractions(f: Stage) -> tuple[Number, tuple[Number, ...], tuple[Number, ...]]:
    """Constant, weights and shifts of h in g = 1 - r."""
    weights = []
    for j, pole in enumerate(f.odds):
        above = mp.fprod(pole - zero for zero in f.evens)
        below = mp.fprod(pole - other for k, other in enumerate(f.odds) if k != j)
        weights.append(-f.scale * above / below)
    return f.scale, tuple(weights), f.odds


def next_spectrum(sigmas: Spectrum, step: int, *, lower: float = 1e-16, terms: int = 8) -> Spectrum:
    """Singular values after step number ``step``."""
    f = schedule(step + 1, lower, terms)[step][0]
    return on_spectrum(lambda values: [f(x) for x in values], sigmas)


def price(step: int, *, lower: float = 1e-16, terms: int = 8) -> dict[str, int]:
    """Full-size products and factorisations of one step of the polar problem."""
    return rational.price(schedule(step + 1, lower, terms)[step][0].odds)


def residual_bound(sigmas: Spectrum, steps: int, *, lower: float = 1e-16, terms: int = 8) -> float | None:
    """1 - l_t^2 for singular values in [lower, 1], None for others."""
    if min(sigmas) < lower or max(sigmas) > 1:
        return None
    with mp.workdps(DIGITS):
        return float(1 - schedule(steps + 1, lower, terms)[steps][1] ** 2)


def steps_to(lower: Number, tolerance: float = TOLERANCE, terms: int = 8) -> int:
    """Steps until the interval [lower, 1] has become [1 - tolerance, 1] or less."""
    steps = 0
    while 1 - schedule(steps + 1, lower, terms)[steps][1] > tolerance:
        steps += 1
    return steps


@lru_cache(maxsize=64)
def threshold(terms: int, steps: int = 2, tolerance: float = TOLERANCE) -> float:
    """Largest kappa = 1/lower from which ``steps`` steps reach the tolerance; bisection in the logarithm.

    The steps are taken as one function of type (2r + 1)^steps, by the composition property.
    """
    size = ((2 * terms + 1) ** steps - 1) // 2
    with mp.workdps(DIGITS):
        small, large = mp.mpf(0), mp.mpf(60)
        for _ in range(40):
            middle = (small + large) / 2
            fits = best_error(mp.exp(-middle), size) <= tolerance
            small, large = (middle, large) if fits else (small, middle)
        return float(mp.exp(small))


def best_error(lower: Number, terms: int) -> Number:
    """1 - f(lower) of the best function, without its coefficients, in the current working precision.

    Zolotarev's f is the transformation of order 2r + 1 of elliptic functions: it takes the nome q of the modulus
    sqrt(1 - lower^2) to q^(2r + 1), whose modulus is sqrt(1 - f(lower)^2).
    """
    m = 1 - number(lower) ** 2
    nome = mp.exp(-mp.pi * mp.ellipk(1 - m) / mp.ellipk(m)) ** (2 * terms + 1)
    return 1 - mp.sqrt(1 - mp.mfrom(q=nome))


def terms_for(lower: float, steps: int = 2, tolerance: float = TOLERANCE) -> int:
    """Smallest r with which ``steps`` steps reach the tolerance from [lower, 1]."""
    terms = 1
    while 1 / lower > threshold(terms, steps, tolerance):
        terms += 1
    return terms


def region(**options: Any) -> tuple[float, float]:  # noqa: ARG001
    """Every positive start converges."""
    return 0.0, float("inf")


def converges(**options: Any) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
