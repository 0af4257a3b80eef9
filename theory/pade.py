r"""Padé iterations: the [l/m] Padé approximant of $(1 - r)^{-1/p}$, $l \ge m - 1$, $m \ge 1$.

Map: $\sigma \leftarrow \sigma h(1 - \sigma^p)$ with $h = P/Q$, $\deg P = l$ (option ``numerator``), $\deg Q =
m$ (``denominator``), $Q(0) = 1$ and $Q(r)(1 - r)^{-1/p} - P(r) = O(r^{l+m+1})$.  For p = 2: [0/1] $2x/(1 +
x^2)$, inverse Newton; [1/1] $x(3 + x^2)/(1 + 3x^2)$, Halley; [1/2] $4x(1 + x^2)/(1 + 6x^2 + x^4)$.

Proved, for $p \ge 2$
---------------------
* Poles.  $(1 - r)^{-1/p} = \int_0^1 (1 - tr)^{-1} d\mu(t)$ with a positive measure, so for $l \ge m - 1$ the
  zeros of Q are simple and greater than 1, and h is a polynomial with positive coefficients in r plus a sum of
  $w_j/(1 - t_j r)$, $w_j > 0$ (Stieltjes).  In $g = 1 - r$ that is a polynomial plus $\sum w_j/(g + s_j)$
  with $s_j, w_j > 0$: positive definite solves.
* Residual.  $dr'/dr = h^{p-1} N/Q^2$ with $N = PQ - p(1 - r)(P'Q - PQ')$ of degree $l + m$; it vanishes to
  order $l + m$ at 0, so $N = c r^{l+m}$.  h and $1/Q^2$ have positive coefficients, hence so has $r' =
  r^{l+m+1} s(r)$, and as $r' = 1$ at $r = 1$ they have the sum 1: $\|R_k\| \le \|R_0\|^{(l+m+1)^k}$ in any
  norm, $\|R_0\| \le 1$ (Kenney and Laub for p = 2; strict for nonzero $R_0$, $\|R_0\| < 1$).
* Region.  $m' = m h^p$ rises on $(0, 1)$ from 0 to 1 with $h > 1$.  Beyond 1 it falls ($l + m$ odd) or rises
  ($l + m$ even) while $h > 0$.  $l = m - 1$: h is positive for every $g > 0$, one step lands in $(0, 1)$; $l
  = m$: $0 < h < 1$, m falls to 1.  So **$l = m - 1$ and $l = m$ converge from every $\sigma > 0$**.  For $l
  \ge m + 1$ up to the first zero of h ($l + m$ odd) or to the first $h = 1$ beyond 1 ($l + m$ even); sharp.
  [2/1]: $\sqrt{5 + 2\sqrt{10}} = 3.3650$ for p = 2.
* Identity, p = 2, $l \in \{m - 1, m\}$: with $k = l + m + 1$, $x h = ((1 + x)^k - (1 - x)^k)/((1 + x)^k + (1
  - x)^k)$, so $(1 - x')/(1 + x') = ((1 - x)/(1 + x))^k$ exactly, and orders multiply under composition.  The
  shifts are $\tan^2((2j - 1)\pi/(2k))$.

Stability: [0/1] shrinks large singular values ($2x/(1 + x^2)$ sends 0.1 and 10 to the same value) and is not
backward stable for the polar factor unless $\sigma \le 1$.

Sources: Kenney and Laub, SIMAX 12 (1991); Higham, Functions of Matrices (2008), sec. 5.4; Laszkiewicz and
Zietak, Numer. Linear Algebra Appl. 16 (2009).  The integral form of the residual is derived here.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from mpmath import mp

from theory import inverse_root, rational
from theory.scalar import WORKING_DIGITS, Number, Spectrum, derivative, horner, number, on_spectrum, real_roots

RULE = "pade"

PROBLEMS = ("polar", "sign", "sqrt", "invroot")

OPTIONS: list[dict[str, Any]] = [
    {"numerator": top, "denominator": bottom}
    for top, bottom in ((0, 1), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (4, 4))
]


@lru_cache(maxsize=128)
def coefficients(numerator: int, denominator: int, p: int = 2) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Coefficients in r of P and Q, from the linear system that defines them, in exact fractions."""
    if p == 1:  # (1 - r)^-1 itself
        return (Fraction(1),), (Fraction(1), Fraction(-1))
    c = inverse_root.taylor(p, numerator + denominator)

    def series(k: int) -> Fraction:
        return c[k] if k >= 0 else Fraction(0)

    rows = [
        [series(k - j) for j in range(1, denominator + 1)] + [-series(k)]
        for k in range(numerator + 1, numerator + denominator + 1)
    ]
    q = [Fraction(1), *solve(rows)]
    top = tuple(sum((q[j] * series(k - j) for j in range(denominator + 1)), Fraction(0)) for k in range(numerator + 1))
    return top, tuple(q)


def solve(rows: list[list[Fraction]]) -> list[Fraction]:
    """Solution of a regular system given by the rows of its augmented matrix (Gauss and Jordan)."""
    n = len(rows)
    for k in range(n):
        pivot = next(i for i in range(k, n) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [v - rows[i][k] * w for v, w in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


@lru_cache(maxsize=128)
def partial_fractions(
    numerator: int, denominator: int, p: int = 2
) -> tuple[tuple[Fraction, ...], tuple[Number, ...], tuple[Number, ...]]:
    """Polynomial part in g = 1 - r, weights and shifts (ascending) of h, to ``WORKING_DIGITS`` digits."""
    top, bottom = (rational.reflected(c) for c in coefficients(numerator, denominator, p))
    whole, rest = rational.divide(top, bottom)
    with mp.workdps(WORKING_DIGITS + 10):
        q, remainder = [number(c) for c in bottom], [number(c) for c in rest]
        bound = 1 + max(abs(c / q[-1]) for c in q)  # Cauchy
        poles = sorted(real_roots(q, -bound, mp.mpf(0)), reverse=True)
        weights = tuple(horner(remainder, g) / horner(derivative(q), g) for g in poles)
        return tuple(whole), weights, tuple(-g for g in poles)


def order(numerator: int, denominator: int) -> int:
    """Order of convergence."""
    return numerator + denominator + 1


def next_spectrum(sigmas: Spectrum, step: int, *, numerator: int = 1, denominator: int = 1, p: int = 2) -> Spectrum:  # noqa: ARG001
    """Singular values after one step; every step is the same map."""

    def step_map(values: list[Number]) -> list[Number]:
        top, bottom = ([number(v) for v in c] for c in coefficients(numerator, denominator, p))
        return [x * horner(top, 1 - x**p) / horner(bottom, 1 - x**p) for x in values]

    return on_spectrum(step_map, sigmas)


def price(step: int, *, numerator: int = 1, denominator: int = 1) -> dict[str, int]:  # noqa: ARG001
    """Full-size products and factorisations of one step of the polar problem, one factorisation per pole."""
    whole, _, shifts = partial_fractions(numerator, denominator)
    return rational.price(shifts, len(whole) - 1)


def residual_bound(
    sigmas: Spectrum, steps: int, *, numerator: int = 1, denominator: int = 1, p: int = 2
) -> float | None:
    """Bound of Kenney and Laub where ||R_0|| <= 1; the exact value by the identity (p = 2, l = m or m - 1)."""
    growth = order(numerator, denominator) ** steps
    start = inverse_root.residual_norm(sigmas, p)
    bounds = [start**growth] if start <= 1 else []
    if p == 2 and numerator in (denominator - 1, denominator):
        with mp.workdps(WORKING_DIGITS):
            bounds.append(float(max(cayley_residual(cayley(number(s)) ** growth) for s in sigmas)))
    return min(bounds, default=None)


def cayley(x: Number) -> Number:
    """(1 - x)/(1 + x), which the globally convergent maps raise to the power of their order."""
    return (1 - x) / (1 + x)


def cayley_residual(e: Number) -> Number:
    """|1 - x^2| where (1 - x)/(1 + x) = e."""
    return 4 * abs(e) / (1 + e) ** 2


def region(*, numerator: int = 1, denominator: int = 1, p: int = 2) -> tuple[float, float]:
    """Open interval of start values sigma that converge to 1; sharp."""
    top, bottom = (rational.reflected(c) for c in coefficients(numerator, denominator, p))
    if (numerator + denominator) % 2 == 0:  # (P - Q)/(g - 1)
        width = max(len(top), len(bottom))
        gap = [
            (top[i] if i < len(top) else Fraction(0)) - (bottom[i] if i < len(bottom) else Fraction(0))
            for i in range(width)
        ]
        top, _ = rational.divide(gap, [Fraction(-1), Fraction(1)])
    with mp.workdps(WORKING_DIGITS):
        c = [number(v) for v in top]
        bound = 1 + max(abs(v / c[-1]) for v in c)
        ends = real_roots(c, mp.mpf(1), bound)
        return 0.0, float(mp.root(ends[0], p)) if ends else float("inf")


def converges(*, numerator: int = 1, denominator: int = 1) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
