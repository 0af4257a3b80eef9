r"""Best odd approximation of 1 on one interval, by multiprecision Remez exchange.

The odd monomials $x, x^3, \dots, x^{2q+1}$ are a Chebyshev system on $[l, u]$, $l > 0$.  So the best p of
degree $d = 2q + 1$ is the one whose error $1 - p$ takes the values $+E, -E, +E, \dots$ at $q + 2$ points
(Chebyshev).  Both ends are among them, because $p'$ has at most q positive zeros; $p = 1 - E$ at l, since p
lies below 1 at 0 and has to come up.

Exchange.  Given any $q + 2$ points, solve for the coefficients and E.  The values of p at those points are
low, high, low, ..., so $p'$ has exactly q zeros between l and u; they and the ends are the next points.
Convergence is quadratic (Cheney, Introduction to Approximation Theory, ch. 3).

Near $l = u$ the interval is given by its spread $\delta = (u - l)/(u + l)$ about 1.

* End game: $E/\delta^{q+1} \to K_q = 2\binom{2q+2}{q+1} 4^{-(q+1)}$ = 3/4, 5/8, 35/64, 63/128 for q =
  1..4.  With $x = 1 + \delta\tau$ the Newton-Schulz error is about $2^q K_q (-\delta\tau)^{q+1}$, the
  coefficients can add any polynomial of degree q in $\tau$, and the monic Chebyshev polynomial has the size
  $2^{-q}$.
* Start: the slope $s_d = p'(0)$ of the limit for $l \to 0$ is 5.19615 $= 3\sqrt3$, 8.51430, 11.86057,
  15.21725.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, comb

from mpmath import mp

from theory.scalar import Number, horner, number, real_roots

GUARD_DIGITS = 15
"""Digits carried beyond those asked for: a few sums of a handful of terms lose less than ten."""


def minimax_odd(lower: Number, upper: Number, degree: int, dps: int = 60) -> tuple[tuple[Number, ...], Number]:
    """Best odd approximation of 1 on [lower, upper] and its error, to ``dps`` digits.

    Parameters
    ----------
    lower, upper : float, str or mpmath number
        0 < lower < upper.
    degree : int
        Odd.

    Returns
    -------
    coefficients : tuple of mpmath numbers
        Of x, x^3, ...
    error : mpmath number
        To relative accuracy.
    """
    with mp.workdps(3 * dps):
        low, high = number(lower), number(upper)
        centre, spread = (high + low) / 2, (high - low) / (high + low)
    scaled, error = remez(spread, degree, dps)
    with mp.workdps(dps):
        return tuple(c / centre ** (2 * i + 1) for i, c in enumerate(scaled)), +error


@lru_cache(maxsize=512)
def remez(spread: Number, degree: int, dps: int) -> tuple[tuple[Number, ...], Number]:
    """Coefficients and error on [1 - spread, 1 + spread], by Remez exchange.

    In t = (x^2 - y_c)/s, which runs over [-1, 1], extrema stay apart however small the spread is.  E is of
    the order spread^(q+1) and p' of spread^q, so twice as many digits are carried on top.
    """
    q = degree // 2
    extra = 2 * (q + 1) * -mp.log10(spread) - 2 * min(mp.mpf(0), mp.log10(1 - spread))
    with mp.workdps(dps + GUARD_DIGITS + ceil(extra)):
        low, high = 1 - spread, 1 + spread
        middle, half = (high**2 + low**2) / 2, (high**2 - low**2) / 2
        xs = [1 - spread * mp.cos(k * mp.pi / (q + 1)) for k in range(q + 2)]
        for _ in range(100):
            ts = [(x * x - middle) / half for x in xs]
            rows = [[x * t**j for j in range(q + 1)] + [(-1) ** k] for k, (x, t) in enumerate(zip(xs, ts, strict=True))]
            *a, error = mp.lu_solve(mp.matrix(rows), mp.matrix([1] * (q + 2)))
            # dp/dx = h + 2 y h'(y), a polynomial of degree q in t
            turns = [
                (2 * j + 1) * a[j] + 2 * (j + 1) * (middle / half) * (a[j + 1] if j < q else 0) for j in range(q + 1)
            ]
            xs = [low, *(mp.sqrt(middle + half * t) for t in real_roots(turns, mp.mpf(-1), mp.mpf(1))), high]
            worst = max(abs(1 - x * horner(a, (x * x - middle) / half)) for x in xs)
            if worst - abs(error) <= abs(error) * mp.mpf(10) ** -(dps + 5):
                return _expand(a, middle, half), error
        raise ArithmeticError(f"Remez exchange did not level on spread {spread}, degree {degree}")


def _expand(a: list[Number], middle: Number, half: Number) -> tuple[Number, ...]:
    """Coefficients in y of the sum of a_j ((y - middle)/half)^j."""
    c = [a[-1]]
    for value in a[-2::-1]:
        shifted, kept = [mp.mpf(0), *c], [*c, mp.mpf(0)]
        c = [(s - middle * k) / half for s, k in zip(shifted, kept, strict=True)]
        c[0] += value
    return tuple(c)


def end_constant(degree: int) -> Number:
    """Limit K_q of E_{t+1} / E_t^(q+1)."""
    q = degree // 2
    return mp.mpf(2 * comb(2 * q + 2, q + 1)) / 4 ** (q + 1)


def start_slope(degree: int, dps: int = 30) -> Number:
    """Limit for l -> 0 of p'(0), p best on [l, 1]; l = 10^-dps is that close to it."""
    return minimax_odd(mp.mpf(10) ** -dps, 1, degree, dps)[0][0]


def cushion_constant(degree: int, floor: Number = "0.1", dps: int = 30) -> Number:
    """Return the l for which the best polynomial on [l, 1], scaled to maximum 1, equals ``floor`` at l."""
    with mp.workdps(dps):
        target = (1 - number(floor)) / (1 + number(floor))

        def excess(lower: Number) -> Number:
            return minimax_odd(lower, 1, degree, dps)[1] - target  # (1 - E)/(1 + E) = floor

        return mp.findroot(excess, (mp.mpf("0.01"), mp.mpf("0.1")), solver="anderson")
