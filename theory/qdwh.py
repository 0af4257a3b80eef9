r"""QDWH: Halley's iteration with the best weights for the current interval.

Map, $\sigma \in [l_t, 1]$: $f(x) = x (a + b x^2)/(1 + c x^2)$, the odd function of type (3, 2) with $f \le 1$ on
$[l, 1]$ whose minimum there is largest; then $l \leftarrow f(l)$.

Derivation.  The best f alternates at four points, $l < x_1 < x_2 < 1$: low, high, low, high (Zolotarev;
Achieser, Theory of Approximation, sec. 51).  f = 1 at $x_1$, a maximum, and at 1: $1 - a x + c x^2 - b x^3 =
b(1 - x)(x_1 - x)^2$, so with $s = \sqrt b = 1/x_1$

    $a = 1 + 2s, \quad b = s^2, \quad c = 2s + s^2,$ that is $b = (a - 1)^2/4$, $c = a + b - 1$.

f rises on $(0, x_1)$, falls to $x_2$, and rises to 1.  A larger s lifts $f(l)$ and lowers $f(x_2)$, so the
minimum is largest when both are equal (``balanced`` solves that by bisection).  In closed form

    $a = \sqrt{1 + d} + \frac12 \sqrt{8 - 4d + 8(2 - l^2)/(l^2 \sqrt{1 + d})}$,  $d = (4(1 - l^2)/l^4)^{1/3}$.

$l = 1$ gives Halley's weights 3, 1, 3.  As partial fractions $h = b/c + w/(g + 1/c)$, $w = (a - b/c)/c$.

Proved
------
* $\|I - X_t^H X_t\|_2 \le 1 - l_t^2$ for $\sigma \in [l, 1]$, attained at $\sigma = l$.  $t$ steps are the best
  function of type $(3^t, 3^t - 1)$: compositions of best functions are best (Nakatsukasa and Freund).
* Six steps reach $1 - l_t \le 10^{-15}$ for $l \ge 10^{-16}$ (``steps_to``); two of them with $c > 100$.
* All coefficients are positive and tend to Halley's: every $\sigma > 0$ converges, also outside of $[l, 1]$,
  only later.
* c falls: $3.4 \cdot 10^{21}, 6.0 \cdot 10^6, 80.8, 3.85, 3.0007, 3$ for $l = 10^{-16}$.  A term is done by QR
  while $c > 100$, by Cholesky after.

Observed: taking l too small by $10^6$ costs at most one step more for $\kappa > 20$ (up to three for a smaller
$\kappa$, which needs few); for $\kappa = 10^6$ too large by $10^6$ costs eleven.

Source: Nakatsukasa, Bai and Gygi, SIMAX 31 (2010).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from mpmath import mp

from theory import rational
from theory.scalar import Number, Spectrum, number, on_spectrum

RULE = "qdwh"

PROBLEMS = ("polar", "sqrt")

OPTIONS: list[dict[str, Any]] = [{"lower": 1e-3}, {"lower": 1e-8}, {"lower": 1e-16}]

DIGITS = 60
"""Digits in which the lower bounds are carried."""


class Weights(NamedTuple):
    """f(x) = x (a + b x^2)/(1 + c x^2)."""

    a: Number
    b: Number
    c: Number

    def __call__(self, x: Number) -> Number:
        """Value at x."""
        return x * (self.a + self.b * x * x) / (1 + self.c * x * x)


def from_scale(s: Number) -> Weights:
    """Weights with the maximum 1 at 1/s and at 1."""
    return Weights(1 + 2 * s, s * s, s * (2 + s))


def weights(lower: Number) -> Weights:
    """Best weights on [lower, 1] in closed form, in the current working precision."""
    l2 = number(lower) ** 2
    d = mp.cbrt(4 * (1 - l2) / l2**2)
    root = mp.sqrt(1 + d)
    a = root + mp.sqrt(8 - 4 * d + 8 * (2 - l2) / (l2 * root)) / 2
    return from_scale((a - 1) / 2)


def valley(f: Weights) -> Number:
    """Place of the local minimum: a + (3b - ac) y + bc y^2 has one zero y = 1/b, and so the other a/c."""
    return mp.sqrt(f.a / f.c)


def balanced(lower: Number) -> Weights:
    """Best weights from the definition: bisection on s until f(lower) = f(valley)."""
    low = number(lower)
    left, right = mp.mpf(1), 2 / low
    for _ in range(4 * mp.prec):
        s = mp.sqrt(left * right)
        f = from_scale(s)
        left, right = (s, right) if f(low) < f(valley(f)) else (left, s)
        if right - left <= 4 * mp.eps * left:
            break
    return from_scale(left)


@lru_cache(maxsize=64)
def schedule(steps: int, lower: Number) -> tuple[tuple[Weights, Number], ...]:
    """Weights and lower end l_t of the interval before step t, in ``DIGITS`` digits."""
    with mp.workdps(DIGITS):
        end, pairs = number(lower), []
        for _ in range(steps):
            f = weights(end)
            pairs.append((f, end))
            end = min(f(end), mp.mpf(1))
        return tuple(pairs)


def shift(f: Weights) -> Number:
    """Shift s of h = constant + w/(g + s)."""
    return 1 / f.c


def partial_fractions(f: Weights) -> tuple[Number, Number, Number]:
    """Constant, weight and shift of h in g = 1 - r."""
    return f.b / f.c, (f.a - f.b / f.c) / f.c, shift(f)


def next_spectrum(sigmas: Spectrum, step: int, *, lower: float = 1e-16) -> Spectrum:
    """Singular values after step number ``step``."""
    f = schedule(step + 1, lower)[step][0]
    return on_spectrum(lambda values: [f(x) for x in values], sigmas)


def price(step: int, *, lower: float = 1e-16) -> dict[str, int]:
    """Full-size products and factorisations of one step of the polar problem."""
    return rational.price([shift(schedule(step + 1, lower)[step][0])])


def residual_bound(sigmas: Spectrum, steps: int, *, lower: float = 1e-16) -> float | None:
    """1 - l_t^2 for singular values in [lower, 1], None for others."""
    if min(sigmas) < lower or max(sigmas) > 1:
        return None
    with mp.workdps(DIGITS):
        return float(1 - schedule(steps + 1, lower)[steps][1] ** 2)


def steps_to(lower: Number, tolerance: float) -> int:
    """Steps until the interval [lower, 1] has become [1 - tolerance, 1] or less."""
    return sum(factorisations(lower, tolerance))


def factorisations(lower: Number, tolerance: float) -> tuple[int, int]:
    """QR and Cholesky factorisations among the steps that ``steps_to`` counts."""
    steps = 0
    while 1 - schedule(steps + 1, lower)[steps][1] > tolerance:
        steps += 1
    prices = [rational.price([shift(f)]) for f, _ in schedule(steps + 1, lower)[:steps]]
    return sum(p["qr"] for p in prices), sum(p["cholesky"] for p in prices)


def region(*, lower: float = 1e-16) -> tuple[float, float]:  # noqa: ARG001
    """Every positive start converges."""
    return 0.0, float("inf")


def converges(*, lower: float = 1e-16) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
