r"""PRISM for $A^{-1/p}$, every p: one coefficient fitted per step.

Map: $m \leftarrow m g(r)^p$, $r = 1 - m$, $\sigma = m^{1/p}$, with $g = f_{d-1} + \alpha r^d$, $f_{d-1}$ the Taylor
polynomial of $(1 - r)^{-1/p}$, $d = 1, 2$; $\alpha$ minimises $\sum_i w_i (r_i')^2$ on an interval.

    $r' = 1 - (1 - r)(f_{d-1} + \alpha r^d)^p = \sum_{j \le p} u_j \alpha^j$,  $u_0 = 1 - (1 - r) f_{d-1}^p$,
    $u_j = -\binom pj (1 - r) f_{d-1}^{p-j} r^{dj}$,

so the sum is a polynomial of degree 2p in $\alpha$; its minimum is at an end or at a zero of its derivative.
For p = 1 it is a parabola: with $t_j = \sum w_i r_i^j$, $\alpha = (t_2 - t_3)/(t_2 - 2t_3 + t_4)$ for d = 1 and
$(t_4 - t_5)/(t_4 - 2t_5 + t_6)$ for d = 2, clipped.

Interval.  Lower end: the Taylor coefficient, $1/p$ or $(1 + p)/(2p^2)$.  Upper end: the largest $\alpha$ with $|r'|
\le |r|$ on $(0, m_{\max}]$, so that a value of no weight, for which $\alpha$ is held there by the others, never moves
away from 1.  $m_{\max}$ is the one maximum of $m g^p$ on $(0, 1)$, which exceeds 1 for $\alpha$ above its lower end;
it is at $m = (1 + \alpha)/(\alpha(p + 1))$ for d = 1 and $m = (\alpha + 1 + 1/p)/(\alpha(2p + 1))$ for d = 2 (zeros of
$g - p m g'$).

* d = 2.  Beyond 1, $g < 1$ iff $-r < 1/(p\alpha)$, and $m g^p$ rises there, so $(0, m_{\max}]$ is invariant and
  values beyond 1 shrink iff $m_{\max} - 1 \le 1/(p\alpha)$; ``upper_end`` solves that with equality: 4 for p = 1
  exactly, 1.47223 for p = 2 (published: 29/20, just below).
* d = 1.  Beyond 1, $g < 1$ and $m g^p$ falls below 1; the condition is $m g^p \ge 2 - m$ on $(1, m_{\max}]$.  For p =
  1, $r' = r (1 - \alpha + \alpha r)$ and $m_{\max} - 1 = (\alpha - 1)^2/(4\alpha)$, so it is $(\alpha - 1) + (\alpha -
  1)^2/4 \le 1$, $\alpha \le 2\sqrt 2 - 1 = 1.82843$.  For p = 2 it is $\alpha \le 0.93576$, and the published 1 is
  ``linear_end``, $2/p$: as $r' = (1 - p\alpha) r + O(r^2)$, that bounds only values next to 1 ($r = -0.185$ goes to
  0.213).  With either a step from beyond 1 lands in $(0, 1)$, far from where g changes its sign.

Proved, for $\|R_0\|_2 \le 1$ and weights 1: $\|R_{k+1}\|_F$ is at most that of the Taylor polynomial from the
same M, which is feasible, so $\|R_{k+1}\|_F \le \|R_k\|_2^d \|R_k\|_F$ as long as $\|R_k\|_2 \le 1$.  Region for
every spectrum and weights: m below $1 + 1/\alpha$ (d = 1) or $1 + 1/(p\alpha)$ (d = 2) with the upper end.

Sources: arXiv 2601.22137 for p = 2; the rest is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb

import numpy as np
from mpmath import mp

from theory.inverse_root import taylor
from theory.rational import multiply, power
from theory.scalar import Number, Spectrum, derivative, horner, number, on_spectrum, real_roots

DIGITS = 30
"""Digits of a computed upper end."""

PUBLISHED_ENDS = {(2, 1): Fraction(1), (2, 2): Fraction(29, 20)}
"""Upper ends by (p, d) in arXiv 2601.22137."""


def parts(r: Number, p: int, d: int) -> list[Number]:
    """Return u_0, ..., u_p of r' = u_0 + alpha u_1 + ... + alpha^p u_p."""
    base = 1 if d == 1 else 1 + r / p
    powers = [base**0]
    for _ in range(p):
        powers.append(powers[-1] * base)
    return [1 - (1 - r) * powers[p], *(-comb(p, j) * (1 - r) * powers[p - j] * r ** (d * j) for j in range(1, p + 1))]


def objective(residuals: Sequence[Number], p: int, d: int, weights: Sequence[Number] | None = None) -> list[Number]:
    """Coefficients in alpha, from the constant up, of the weighted sum of squares of the next residual."""
    return squares([parts(r, p, d) for r in residuals], weights)


def squares(rows: Sequence[Sequence[Number]], weights: Sequence[Number] | None = None) -> list[Number]:
    """Coefficients in alpha of the weighted sum of (u_0 + alpha u_1 + ...)^2."""
    total: list[Number] = [mp.mpf(0)] * (2 * len(rows[0]) - 1)
    for row, w in zip(rows, weights if weights is not None else [1] * len(rows), strict=True):
        for i, x in enumerate(row):
            for j, y in enumerate(row):
                total[i + j] += w * x * y
    return total


def argmin(c: Sequence[Number], lower: Number, upper: Number, otherwise: Number) -> Number:
    """Minimiser on [lower, upper] of the sum of c_i a^i; ``otherwise`` where that is constant."""
    size = max(abs(v) for v in c[1:])
    if size == 0:
        return otherwise
    slope = [v / size for v in derivative(c)]
    return min([lower, *real_roots(slope, lower, upper), upper], key=lambda a: horner(c, a))


def overshoot(a: Number, p: int, d: int) -> Number:
    """Largest m g(1 - m)^p for m in [0, 1], alpha not below its lower end."""
    if d == 1:
        m = (1 + a) / (a * (p + 1))
        return m * (1 + a * (1 - m)) ** p
    m = (a + 1 + mp.mpf(1) / p) / (a * (2 * p + 1))
    return m * (1 + (1 - m) / p + a * (1 - m) ** 2) ** p


def stays_near(a: Number, p: int, d: int) -> bool:
    """Whether |r'| <= |r| on (1, m_max]; for d = 2 by the criterion at m_max that the header derives."""
    top = overshoot(a, p, d)
    if d == 2:
        return bool(top - 1 <= 1 / (p * a))
    # with t = -r: (1 + t)(1 - a t)^p - 1 + t, which has the zero t = 0
    gap = multiply((1, 1), power((1, -a), p))
    gap = [gap[1] + 1, *gap[2:]]
    turns = real_roots(derivative(gap), mp.mpf(0), top - 1)
    return all(horner(gap, t) >= 0 for t in [mp.mpf(0), *turns, top - 1])


@lru_cache(maxsize=64)
def upper_end(p: int, d: int) -> Number:
    """Largest alpha by the rule of the header, to ``DIGITS`` digits; by bisection."""
    with mp.workdps(DIGITS + 10):
        low = number(taylor(p, d)[d])  # no overshoot there
        high = 4 * low + 4
        while high - low > mp.mpf(10) ** -DIGITS:
            middle = (low + high) / 2
            low, high = (middle, high) if stays_near(middle, p, d) else (low, middle)
        return (low + high) / 2


def linear_end(p: int) -> Fraction:
    """Largest alpha, d = 1, for which |r'| <= |r| next to 1."""
    return Fraction(2, p)


def interval(p: int, d: int) -> tuple[Number, Number]:
    """Interval of alpha: Taylor coefficient, and the published upper end or else that of the rule."""
    end = PUBLISHED_ENDS.get((p, d))
    return number(taylor(p, d)[d]), +upper_end(p, d) if end is None else number(end)


def fit(residuals: Sequence[Number], p: int, d: int, weights: Sequence[Number] | None = None) -> Number:
    """Exact minimiser on the interval; its lower end where there is nothing to fit."""
    lower, upper = interval(p, d)
    return argmin(objective(residuals, p, d, weights), lower, upper, lower)


def alpha(sigmas: Spectrum, *, p: int, d: int, weights: Sequence[Number] | None = None) -> Number:
    """Fitted coefficient for a spectrum."""
    return fit([1 - number(s) ** p for s in sigmas], p, d, weights)


def next_spectrum(
    sigmas: Spectrum,
    step: int,  # noqa: ARG001
    *,
    p: int,
    d: int = 2,
    weights: Sequence[Number] | None = None,
) -> Spectrum:
    """Eigenvalues of X A^(1/p) after one fitted step."""

    def step_map(values: list[Number]) -> list[Number]:
        a = alpha(np.array(values, dtype=object), p=p, d=d, weights=weights)
        g = (1, a) if d == 1 else (1, mp.mpf(1) / p, a)
        return [x * horner(g, 1 - x**p) for x in values]

    return on_spectrum(step_map, sigmas)


def region(*, p: int, d: int = 2) -> tuple[float, float]:
    """Open interval of the eigenvalues m from which every sequence of alpha keeps the branch; see the header."""
    upper = interval(p, d)[1]
    return 0.0, float(1 + 1 / upper if d == 1 else 1 + 1 / (p * upper))
