r"""Coupled iterations for $A^{-1/p}$: the Taylor polynomial of $(1 - r)^{-1/p}$, for every p.

State X, M with $M = X^p A$: $X \leftarrow X h(R)$, $M \leftarrow h(R)^p M$, $R = I - M$.  Every eigenvalue
m of M moves by $m \leftarrow m h(1 - m)^p$; with $\sigma = m^{1/p}$, the eigenvalue of $X A^{1/p}$, that is
$\sigma \leftarrow \sigma h(1 - \sigma^p)$, and a negative $\sigma$ is a wrong branch, invisible in m for even
p.  $h = \sum_{j \le q} b_j r^j$, $b_j = \prod_{i \le j} (1 + (i - 1)p)/(ip)$.

Proved
------
* Residual.  $r' = 1 - (1 - r) h^p = r^{q+1} s(r)$, s of degree $(p - 1) q$ with positive coefficients of sum
  1, so $\|R_k\|_2 \le \|R_0\|_2^{(q+1)^k}$ whenever $\|R_0\|_2 \le 1$.  Proof: $dr'/dr = h^{p-1} (h - p(1 -
  r)h')$.  The last factor has degree q and vanishes to order q at 0, since h solves $h = p(1 - r)h'$ up to
  there; so it is $b_q (1 + pq) r^q$, and $r' = b_q (1 + pq) \int_0^r t^q h(t)^{p-1} dt$.  All coefficients of
  h are positive, and $r' = 1$ at $r = 1$.
* Region.  By the same formula $m'$ rises on $(0, 1)$ from 0 to 1, with $h > 1$: convergence.  Beyond 1,
  - q odd: $m'$ falls from 1 to 0 at the zero of h, and one step lands in $(0, 1)$: $(0, z)$, sharp, with $z =
    p + 1$ for $q = 1$;
  - q even: $m'$ rises, below m until $h = 1$, where it repels: $(0, m_*)$, sharp, $m_* = (3p + 1)/(p + 1)$
    for $q = 2$.
  For $p = 1$, $r' = r^{q+1}$ and the region is $(0, 2)$ for every q.
* Trap.  For q odd, p even, and m slightly above z: h < 0, so X changes sign, while $m' = m h^p$ is positive
  and tends to 1.  M converges to I and X to the wrong root.  For odd p, $m' < 0$, and m diverges.
* Start, q = 1.  With $\lambda(A) \in [\lambda_n, \lambda_1]$ and $M_0 = A/c^p$, the image of an interval around
  1 has its maximum 1 at 1 and its minimum at an end, and the smaller minimum is largest when both ends have
  the same image (Guo and Higham): $\lambda_n^{1/p} (p + 1 - \lambda_n/c^p) = \lambda_1^{1/p} (p + 1 -
  \lambda_1/c^p)$, that is $c^p = (\alpha^{1/p} \lambda_1 - \lambda_n)/((\alpha^{1/p} - 1)(p + 1))$, $\alpha =
  \lambda_1/\lambda_n$.

Sources: Iannazzo, SIMAX 28 (2006); Guo and Higham, SIMAX 28 (2006); the region for $q > 1$ and the proof by
the integral are derived here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from mpmath import mp

from theory.rational import multiply, power
from theory.scalar import WORKING_DIGITS, Number, Spectrum, horner, number, on_spectrum, real_roots

OPTIONS: list[dict[str, Any]] = [{"p": p, "q": q} for p in (1, 2, 3, 4, 8) for q in (1, 2, 3, 4)]


def taylor(p: int, q: int) -> tuple[Fraction, ...]:
    """Coefficients in r, from the constant up, of the Taylor polynomial of degree q of (1 - r)^(-1/p)."""
    b = [Fraction(1)]
    for i in range(1, q + 1):
        b.append(b[-1] * Fraction(1 + (i - 1) * p, i * p))
    return tuple(b)


def recursion(p: int, q: int) -> tuple[Fraction, ...]:
    """Coefficients of s in r' = r^(q+1) s(r), exactly, by multiplying out 1 - (1 - r) h(r)^p."""
    product = multiply((1, -1), power(taylor(p, q), p))
    return tuple(-c for c in product[q + 1 :])


def residual_norm(sigmas: Spectrum, p: int) -> float:
    r"""Return $\|I - M\|_2 = \max |1 - \sigma^p|$, rounded once."""
    with mp.workdps(WORKING_DIGITS):
        return float(max(abs(1 - number(s) ** p) for s in sigmas))


def next_spectrum(sigmas: Spectrum, step: int, *, p: int, q: int = 1) -> Spectrum:  # noqa: ARG001
    """Eigenvalues of X A^(1/p) after one step, with their sign."""

    def step_map(values: list[Number]) -> list[Number]:
        b = [number(c) for c in taylor(p, q)]
        return [x * horner(b, 1 - x**p) for x in values]

    return on_spectrum(step_map, sigmas)


def residual_bound(sigmas: Spectrum, steps: int, *, p: int, q: int = 1) -> float | None:
    r"""$\|R_0\|_2^{(q+1)^k}$, where $\|R_0\|_2 \le 1$."""
    start = residual_norm(sigmas, p)
    return None if start > 1 else start ** ((q + 1) ** steps)


def region(*, p: int, q: int = 1) -> tuple[float, float]:
    """Open interval of the eigenvalues m of M_0 from which X converges to the principal root; sharp."""
    with mp.workdps(WORKING_DIGITS):
        return 0.0, float(region_end(p, q))


def region_end(p: int, q: int) -> Number:
    """First m > 1 with h = 0 (q odd) or h = 1 (q even), in the current working precision."""
    b = [number(c) for c in taylor(p, q)]
    if q % 2 == 0:
        b = b[1:]  # (h - 1)/r
    bound = 1 + max(abs(c / b[-1]) for c in b)  # Cauchy
    return 1 - real_roots(b, -bound, mp.mpf(0))[-1]


def start(p: int, lower: Number, upper: Number) -> Number:
    """Return c^p, by which A with eigenvalues in [lower, upper] is divided, q = 1 (Guo and Higham 2006)."""
    low, high = number(lower), number(upper)
    root = mp.root(high / low, p)
    if root == 1:
        return high
    return (root * high - low) / ((root - 1) * (p + 1))


def steps_to(p: int, kappa: Number, tolerance: float) -> int:
    """Steps of q = 1 from the best start until ||I - M||_2 <= tolerance, for eigenvalues that fill [1, kappa]."""
    with mp.workdps(WORKING_DIGITS):
        scale = start(p, 1, kappa)
        values = [1 / scale, number(kappa) / scale]
        steps = 0
        while max(abs(1 - m) for m in values) > tolerance:
            values = [m * (1 + (1 - m) / p) ** p for m in values]
            steps += 1
        return steps
