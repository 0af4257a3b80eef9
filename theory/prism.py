r"""PRISM: the last coefficient of Newton-Schulz, fitted to the spectrum in every step.

Map, $r = 1 - \sigma^2$: $\sigma \leftarrow \sigma g(r)$ with $g = 1 + \alpha r$ ($d = 3$, $\alpha \in [1/2,
1]$) or $g = 1 + r/2 + \alpha r^2$ ($d = 5$, $\alpha \in [3/8, 29/20]$); $\alpha$ minimises $\sum_i w_i
(r_i')^2$, where $r' = 1 - (1 - r) g^2 = u_0 + \alpha u_1 + \alpha^2 u_2$ (multiply out): $u = (r, 2r^2 -
2r, r^3 - r^2)$ or $(3r^2/4 + r^3/4, -2r^2 + r^3 + r^4, r^5 - r^4)$.  The sum is a quartic in $\alpha$; its
minimum is at an end or at a zero of a cubic.  Weights are 1 for the Frobenius norm; a Gaussian sketch S of
$\|S R'\|_F$ gives $w_i = \|S v_i\|^2$ on the eigenvectors $v_i$ of R.

Proved (here, for $\sigma \in (0, 1]$ unless said otherwise; lower end of the interval = Taylor coefficient)
---------------------------------------------------------------------------------------------------------
* (a) $\|R_{k+1}\|_F$ is at most that of Newton-Schulz from the same $X_k$, which is feasible.  While $|r|
  \le 1$ Newton-Schulz has $|r'| \le |r|^{q+1}$, so $\|R_{k+1}\|_F \le \|R_k\|_2^q \|R_k\|_F$: never larger,
  and of order $q + 1$ in the end.
* (b) $\|R_k\|_2 \le \max(c, \rho_k)$ for every sequence of $\alpha$ in the interval, $c = 0.213$ or 0.328,
  with $\rho_0 = \|R_0\|_2$ and $\rho_{k+1} = \rho_k^{q+1} s(\rho_k)$ that of Newton-Schulz.  For $\sigma <
  1$, g is at least that of Newton-Schulz, so $r'$ is at most its $r^{q+1} s(r)$ unless $\sigma$ passes 1; a
  value that has passed 1 has $r \ge 1 - x_{\max}^2$ (see Cap) and its next residual is between that and $r'
  = 0.213$ ($d = 3$, $\alpha = 1$, $r = -0.185$; for $d = 5$ it stays above 1).  (a) and (b) together prove
  convergence for every spectrum in $(0, 1]$ and both degrees, at most a few steps after Newton-Schulz.
* (c) A step multiplies $\sigma$ by at most $g(1)$: 2, or 2.95.
* Cap.  $x g$ overshoots 1 to at most $x_{\max}$, at $x^2 = (1 + \alpha)/(3\alpha)$, or $(3/2 +
  \alpha)/(5\alpha)$.  A value above 1 shrinks iff $g < 1$, i.e. always for $d = 3$, and iff $x^2 < 1 +
  1/(2\alpha)$ for $d = 5$.  So $(0, x_{\max}]$ is invariant for $d = 5$ iff $x_{\max}^2 \le 1 +
  1/(2\alpha)$, $\alpha \le 1.47223$ (``cap``): 29/20 is just below.  There $r \ge -0.328$, so $|r| \le 1$
  for ever.
* Region.  For every sequence of $\alpha$ in the interval, hence for every spectrum and weights: $d = 3$: $g
  > 0$ for $x^2 < 1 + 1/\alpha$, so $(0, \sqrt 2)$; $d = 5$: $g > 0$ always and values above 1 shrink below
  $\sqrt{1 + 1/(2 \cdot 1.45)} = 1.15968$.  Sharp for a singular value of small weight, since the others fix
  $\alpha$.
* Theorem 1 (arXiv 2601.22137): $d = 3$, exact fit, $\|R_k\|_2 \le \|R_0\|_2^{2^{k-2}}$.  As printed, for
  real A with $0 < \|A\|_2 \le 1$ and $A^2$ symmetric, it is FALSE (``counterexample``); its proof takes the
  eigenvalues of $A^2$ in $[0, 1]$, so the hypothesis to add is **A^2 positive semidefinite**.  The polar
  factor has it.
* Theorem 2: with a Gaussian sketch of at least ``theorem2_sketch_size`` rows the exponent is $2^{k-3}$ with
  probability $1 - \delta$, under the same added hypothesis.

Observed only: in random trials $\|R_k\|_2$ does not grow for $d = 3$ and even $\|R_0\|_2^{2^k}$ holds.  One
eigenvalue's $|r|$ may grow: $r = -0.185$, $\alpha = 1$ gives 0.213.

Sources: arXiv 2601.22137 (the method, intervals, Theorems 1 and 2); the rest is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, log
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from theory import newton_schulz, prism_root
from theory.scalar import (
    WORKING_DIGITS,
    Number,
    Spectrum,
    derivative,
    horner,
    number,
    on_spectrum,
    real_roots,
    residual_norm,
)

RULE = "prism"

OPTIONS: list[dict[str, Any]] = [
    {"degree": 3},
    {"degree": 5},
    {"degree": 3, "warm_start": 2},
    {"degree": 5, "warm_start": 3},
]

INTERVALS = {3: (Fraction(1, 2), Fraction(1)), 5: (Fraction(3, 8), Fraction(29, 20))}
"""Interval of alpha (arXiv 2601.22137)."""

THEOREM2_CONSTANTS = (48.0, 27.6)
"""Theorem 2 of arXiv 2601.22137: p >= 48 (log n + log(1/delta) + log k + 27.6)."""


def parts(r: Number, degree: int) -> tuple[Number, Number, Number]:
    """Return u_0, u_1, u_2 of r' = u_0 + alpha u_1 + alpha^2 u_2."""
    if degree == 3:
        return r, 2 * r * (r - 1), r * r * (r - 1)
    return r * r * (3 + r) / 4, r * r * (r * r + r - 2), r**4 * (r - 1)


def quartic(residuals: Sequence[Number], degree: int, weights: Sequence[Number] | None = None) -> list[Number]:
    """Coefficients in alpha, from the constant up, of the weighted sum of squares of the next residual."""
    weights = [1] * len(residuals) if weights is None else weights
    c: list[Number] = [mp.mpf(0)] * 5
    for r, w in zip(residuals, weights, strict=True):
        u0, u1, u2 = parts(r, degree)
        for i, term in enumerate((u0 * u0, 2 * u0 * u1, u1 * u1 + 2 * u0 * u2, 2 * u1 * u2, u2 * u2)):
            c[i] += w * term
    return c


def fit(residuals: Sequence[Number], degree: int, weights: Sequence[Number] | None = None) -> Number:
    """Exact minimiser of the quartic on the interval; its lower end where the quartic is constant."""
    lower, upper = (number(end) for end in INTERVALS[degree])
    c = quartic(residuals, degree, weights)
    size = max(abs(v) for v in c[1:])
    if size == 0:
        return lower
    slope = [v / size for v in derivative(c)]
    return min([lower, *real_roots(slope, lower, upper), upper], key=lambda a: horner(c, a))


def alpha(
    sigmas: Spectrum,
    step: int,
    *,
    degree: int = 5,
    warm_start: int = 0,
    weights: Sequence[Number] | None = None,
    p: int = 2,
) -> Number:
    """Coefficient of step number ``step``: the upper end during the warm start, the minimiser after."""
    if p != 2:
        d = degree // 2
        return (
            prism_root.interval(p, d)[1] if step < warm_start else prism_root.alpha(sigmas, p=p, d=d, weights=weights)
        )
    if step < warm_start:
        return number(INTERVALS[degree][1])
    return fit([1 - number(s) ** 2 for s in sigmas], degree, weights)


def next_spectrum(
    sigmas: Spectrum,
    step: int,
    *,
    degree: int = 5,
    warm_start: int = 0,
    weights: Sequence[Number] | None = None,
    p: int = 2,
) -> Spectrum:
    """Singular values after one step; ``weights`` one per singular value, ``p`` as in prism_root.py."""

    def step_map(values: list[Number]) -> list[Number]:
        a = alpha(np.array(values, dtype=object), step, degree=degree, warm_start=warm_start, weights=weights, p=p)
        g = (1, a) if degree == 3 else (1, mp.mpf(1) / p, a)
        return [x * horner(g, 1 - x**p) for x in values]

    return on_spectrum(step_map, sigmas)


def sketch_weights(basis: NDArray[Any], sketch: NDArray[Any]) -> NDArray[np.float64]:
    """Weights w_i = ||S v_i||^2; ``basis`` (n, n) has eigenvectors of R in columns, ``sketch`` is (p, n)."""
    return np.asarray(np.sum(np.abs(sketch @ basis) ** 2, axis=0), dtype=np.float64)


def price(step: int, *, degree: int = 5, warm_start: int = 0, sketch: bool = False) -> dict[str, int]:
    """Full-size products of one step, and thin ones (residual times a block of the sketch's width).

    The exact fit needs the matrices R^2 .. R^(2q+1), of which $q = 2$ shares R^2 with the update.  A sketch needs
    R S .. R^(2q+1) S: one thin product each, or with R^2 at hand ($q = 2$) R S, R^2 [S, R S] and R^2 [R^2 S, R^3 S], of
    which the last two have twice the columns.
    """
    products = {"gram": 1, "symm": degree // 2 - 1, "apply": 1, "thin": 0}
    if step < warm_start:
        return products
    thin = degree if degree == 3 else 1 + degree // 2
    return {**products, "thin": thin} if sketch else {**products, "symm": degree - 1}


def residual_bound(
    sigmas: Spectrum,
    steps: int,
    *,
    degree: int = 5,
    warm_start: int = 0,
    weights: Sequence[Number] | None = None,
) -> float | None:
    """Bounds (a), where the step fits with weights 1, and (b), and Theorem 1; None for sigma > 1."""
    if max(sigmas) > 1:
        return None
    q = degree // 2
    with mp.workdps(WORKING_DIGITS):
        residuals = [1 - number(s) ** 2 for s in sigmas]
        spectral = top = max(residuals)
        frobenius = mp.sqrt(sum(r * r for r in residuals))
        floor = overshoot_residual(degree)
        recursion = [number(c) for c in newton_schulz.recursion(degree)]
        for k in range(steps):
            fitted = weights is None and k >= warm_start
            top = top ** (q + 1) * horner(recursion, top)
            bulk = max(floor, top)
            frobenius = min(spectral**q * frobenius if fitted else mp.inf, mp.sqrt(len(residuals)) * bulk)
            spectral = min(bulk, frobenius)
        bound = float(spectral)
    if degree == 3 and weights is None and not warm_start:
        bound = min(bound, theorem1_bound(residual_norm(sigmas), steps))
    return bound


def region(*, degree: int = 5, warm_start: int = 0) -> tuple[float, float]:  # noqa: ARG001
    """Open interval of start values that converge to 1 whatever the rest of the spectrum."""
    upper = INTERVALS[degree][1]
    with mp.workdps(WORKING_DIGITS):
        return 0.0, float(mp.sqrt(number(1 + 1 / upper if degree == 3 else 1 + 1 / (2 * upper))))


def converges(*, degree: int = 5, warm_start: int = 0) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True


def overshoot(a: Number, degree: int) -> Number:
    """Largest value of x g(1 - x^2) on [0, 1], alpha not below its lower end."""
    if degree == 3:
        x = mp.sqrt((1 + a) / (3 * a))
        return x * (1 + a * (1 - x * x))
    x = mp.sqrt((mp.mpf(3) / 2 + a) / (5 * a))
    return x * horner((1, mp.mpf(1) / 2, a), 1 - x * x)


def overshoot_residual(degree: int) -> Number:
    """Return c of bound (b): the largest |r| that values at or beyond 1 have, now and after one more step."""
    top = number(INTERVALS[degree][1])
    r = 1 - overshoot(top, degree) ** 2
    u0, u1, u2 = parts(r, degree)
    return max(-r, u0 + top * u1 + top * top * u2)


def cap() -> Number:
    """Largest alpha for which [0, x_max] is invariant, d = 5: x_max^2 = 1 + 1/(2 alpha), 1.47223."""
    return mp.findroot(lambda a: overshoot(a, 5) ** 2 - 1 - 1 / (2 * a), (1.4, 1.6), solver="anderson")


def theorem1_bound(r0: float, k: int) -> float:
    """Theorem 1: bound on ||R_k||_2 for ||R_0||_2 = r0 <= 1, if the square of the start is semidefinite."""
    return float(r0 ** (2.0 ** (k - 2)))


def theorem2_bound(r0: float, k: int) -> float:
    """Theorem 2, the sketched fit: the bound that holds with probability 1 - delta."""
    return float(r0 ** (2.0 ** (k - 3)))


def theorem2_sketch_size(n: int, delta: float, k: int) -> int:
    """Rows of the sketch that Theorem 2 asks for k steps; more than n below about n = 2000."""
    factor, constant = THEOREM2_CONSTANTS
    return ceil(factor * (log(n) - log(delta) + log(k) + constant))


def counterexample() -> NDArray[np.float64]:
    """Real A with ||A||_2 = 1 and A^2 = -I symmetric, for which Theorem 1 as printed fails.

    ||I - X_k^2||_2 is 2, 5, 50, 33125 for k = 0, ..., 3; the bound is 2 at k = 2 and 4 at k = 3.
    """
    return np.array([[0.0, -1.0], [1.0, 0.0]])
