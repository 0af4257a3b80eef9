r"""Window: the best polynomial for the interval that Lanczos sees at every step.

Map, with $f_{l,u}(\sigma) = \sigma h(\sigma^p)$ the best approximation of 1 on $[l, u]$ of its degree, E its error
(minimax.py): $\sigma \leftarrow f_{l,u}(\sigma)$ with

    $u_0 = \mathrm{clip}(1 + E_{before};\ \theta_{max},\ b_{max})$,  $l_0 = \max(\theta_{min}, c\,u_0)$,
    $u = u_0 + (s - 1)(u_0 - l_0)$,  $l = \max(l_0, c\,u)$,

where $\theta$ are the extreme Ritz values of all columns, $b_{max}$ the bound below, s the safety factor, $c$ the
cushion (for other p than 2, $c^{2/p}$), and in the first step the bound of the scaling stands in for $1 + E$.  A
lower bound of the values that have to be waited for is carried along by the same maps, and l is never below it.
After the first step $u_0$ is at least 1.  ``columns=None``, the reference: all $\theta$ and bounds are the extreme
singular values.

Proved, for q even
------------------
* Safety.  On $[0, u]$ $0 \le f \le 1 + E$, whatever l is: f rises from 0 to its first extremum, where it is $1 + E$,
  since $f'$ has q positive zeros, all in $(l, u)$ (minimax.py).  So $1 + E$ bounds the next spectrum as long as u
  bounded this one; an over-estimated l costs growth and nothing else.  Beyond u, f increases: no value ever changes
  its sign.
* Exclusion.  Let column j start from a uniformly random unit vector v, and $p_k$ be the orthonormal polynomial of its
  k Lanczos products, $p_k = \prod_i (x - \theta_i) / \prod_i \beta_i$.  For a unit eigenvector $q_i$ and $w_{ij} =
  |q_i^H v|^2$: $w_{ij} p_k(\lambda_i)^2 \le \sum_m w_{mj} p_k(\lambda_m)^2 = \|p_k(R) v\|^2 = 1$.  Summing
  logarithms, $\sum_j \log p_k^{(j)}(\lambda_i)^2 \le -\sum_j \log w_{ij}$.  Where the left side exceeds C, an
  eigenvalue means $\sum_j \log w_{ij} < -C$.  The columns are independent and $w_{ij} \sim B(1/2, (n-1)/2)$, so that
  $P \le (E w^{-s})^b e^{-sC}$, $E w^{-s} = \Gamma(1/2 - s) \Gamma(n/2) / (\Gamma(1/2) \Gamma(n/2 - s))$, for every $0
  < s < 1/2$ (``exclusion_threshold``).  Complex $q_i$ and real columns: after a change of phase real and imaginary
  part are orthogonal, w is a convex combination of two such variables, and $E w^{-s}$, convex in the weights, is
  largest at an end.  Beyond the outermost Ritz value of all columns every $|p_k|$ increases, so that the excluded set
  is a ray.
* One event for the run.  All R are functions of one matrix and share its eigenvectors, and the block is drawn once:
  with the union over n eigenvectors all bounds of all steps hold together, but for the stated probability.  Values
  that merge add their weights.
* Hence, with that probability and in exact arithmetic, all values stay in $(0, 1 + E]$, and what was at least the
  carried lower bound at the start is at least that bound (``image`` of the update) after every step.
* Exact windows.  By induction the window lies within the one that starts from the whole interval and does not look
  (``interval_residual``), because E grows with the interval: never slower than the cushioned composition.
* Growth.  A value far below l grows, relative to the largest possible one, by $f'(0) u / (1 + E)$: 4.06 for $l =
  u/20$, and by 15/8 for l near u (``growth``), as in Newton-Schulz.  So a small value that Lanczos never sees is
  lifted as fast as Newton-Schulz does, once the others have converged; until Lanczos sees it.
* End: exact windows give $E_{t+1} = K_q E_t^{q+1} (1 + o(1))$, as for the composition.

Conjectured
-----------
* At most two steps more than the minimax composition on the true interval $[\sigma_n/\sigma_1, 1]$ without cushion,
  for every spectrum of at most $10^8$ values with $\kappa \le 10^8$, but for a small probability over the block.
  Searches that have not refuted it: docs/window.md.  For $10^{12}$ values it is false with eight products: where the
  smallest values are a tiny share of all, Lanczos sees them late.

Observed only: growth decreases as l grows to u, hence is at least 15/8 always (grid of l, degrees 5 and 9).

Sources: Hochstenbach, J. Sci. Comput. 57, 2013 (exclusion for one column and the norm); the rest is derived here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from mpmath import mp
from numpy.typing import NDArray

from theory.composition import taylor
from theory.minimax import minimax_odd
from theory.scalar import WORKING_DIGITS, Number, Spectrum, horner, number, on_spectrum, symmetric_products

RULE = "window"

PROBLEMS = ("polar", "sign", "sqrt", "invroot")

OPTIONS: list[dict[str, Any]] = [
    {"cushion": 0.05, "safety": 1.0, "lower": 1e-12},
    {"cushion": 0.3, "safety": 1.01, "lower": 1e-12},
]
"""With exact windows; a carried lower bound below the spectrum never matters."""

CLOSED = 1e-30
"""Relative width from which on the Taylor polynomial stands in for the exchange."""


@lru_cache(maxsize=2**12)
def best(lower: Number, upper: Number, degree: int, p: int) -> tuple[tuple[Number, ...], Number]:
    """Gram-basis coefficients of the best polynomial for [lower, upper], and its error."""
    if upper - lower <= CLOSED * upper:
        centre = (lower + upper) / 2
        return tuple(number(c) / centre ** (p * i + 1) for i, c in enumerate(taylor(degree, p=p))), mp.mpf(0)
    return minimax_odd(lower, upper, degree, WORKING_DIGITS, p=p)


def window(
    values: list[Number], step: int = 0, *, cushion: float = 0.05, safety: float = 1.0, p: int = 2
) -> tuple[Number, Number]:
    """Exact window of a spectrum before a step: [l, u]."""
    narrowest, highest = number(cushion) ** (mp.mpf(2) / p), max([*values, mp.mpf(step > 0)])
    lower = max(min(values), narrowest * highest)
    upper = highest + (number(safety) - 1) * (highest - lower)
    return max(lower, narrowest * upper), upper


def next_spectrum(
    sigmas: Spectrum,
    step: int,
    *,
    degree: int = 5,
    cushion: float = 0.05,
    safety: float = 1.0,
    lower: float = 0.0,
    p: int = 2,
) -> Spectrum:
    """Values after one step with the exact window; ``lower`` is below all of them."""

    def step_map(values: list[Number]) -> list[Number]:
        if min(values) < lower:
            raise ValueError("values below the carried bound are not modelled")
        coefficients, _ = best(*window(values, step, cushion=cushion, safety=safety, p=p), degree, p)
        return [x * horner(coefficients, x**p) for x in values]

    return on_spectrum(step_map, sigmas)


def price(step: int, *, degree: int = 5, products: int = 8, sketch: bool = False, **_: Any) -> dict[str, int]:  # noqa: ARG001
    """Products of one step; exact windows take an eigenvalue computation instead of the thin ones."""
    return {"gram": 1, "symm": symmetric_products(degree // 2), "apply": 1, "thin": products if sketch else 0}


def residual_bound(sigmas: Spectrum, steps: int, **options: Any) -> float | None:
    """Bound by the interval recursion from the extreme values."""
    return interval_residual(min(sigmas), max(sigmas), steps, **options)


def interval_residual(
    lowest: Number,
    highest: Number,
    steps: int,
    *,
    degree: int = 5,
    cushion: float = 0.05,
    safety: float = 1.0,
    **_: Any,
) -> float:
    """Largest |1 - sigma^2| after windows that start from an interval and do not look (p = 2)."""
    with mp.workdps(WORKING_DIGITS):
        low, high = number(lowest), number(highest)
        for step in range(steps):
            coefficients, error = best(*window([low, high], step, cushion=cushion, safety=safety), degree, 2)
            low, high = min(low * horner(coefficients, low * low), 1 - error), 1 + error
        return float(max(abs(1 - low * low), abs(high * high - 1)))


def region(**options: Any) -> tuple[float, float]:  # noqa: ARG001
    """All positive values: the window is where they are."""
    return 0.0, float("inf")


def converges(**options: Any) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True


def growth(ratio: Number, degree: int = 5, *, p: int = 2) -> Number:
    """Factor f'(0) u / (1 + E) by which a tiny value grows, relative to the upper end, for the window [ratio u, u]."""
    with mp.workdps(WORKING_DIGITS):
        coefficients, error = best(number(ratio), mp.mpf(1), degree, p)
        return coefficients[0] / (1 + error)


def exclusion_threshold(n: int, columns: int, failure: float) -> float:
    """C with n P(sum over columns of log w < -C) <= failure, by Chernoff's bound minimised on a fine grid."""
    if n == 1:
        return 0.0
    with mp.workdps(30):

        def bound(s: Number) -> Number:
            half = mp.mpf(1) / 2
            moment = mp.loggamma(half - s) + mp.loggamma(mp.mpf(n) / 2) - mp.loggamma(half)
            moment -= mp.loggamma(mp.mpf(n) / 2 - s)
            return (columns * moment - mp.log(failure) + mp.log(n)) / s

        return float(min(bound(mp.mpf(i) / 4000) for i in range(4, 2000)))


def jacobi(values: list[Number], weights: list[Number], products: int) -> tuple[list[Number], list[Number]]:
    """Lanczos on a diagonal matrix from the vector with these squared components, in working precision."""
    v = [mp.sqrt(w / mp.fsum(weights)) for w in weights]
    before, beta = [mp.mpf(0)] * len(v), mp.mpf(0)
    alphas, betas = [], []
    for _ in range(min(products, len(values))):
        w = [x * a - beta * b for x, a, b in zip(values, v, before, strict=True)]
        alpha = mp.fsum(a * b for a, b in zip(w, v, strict=True))
        w = [a - alpha * b for a, b in zip(w, v, strict=True)]
        beta = mp.sqrt(mp.fsum(a * a for a in w))
        alphas.append(alpha)
        betas.append(beta)
        if beta < mp.mpf(10) ** (10 - mp.dps):  # exhausted
            betas[-1] = mp.mpf(0)
            break
        before, v = v, [a / beta for a in w]
    return alphas, betas


def ritz_values(alphas: list[Number], betas: list[Number]) -> list[Number]:
    """Eigenvalues of the tridiagonal matrix."""
    k = len(alphas)
    T = mp.matrix(k, k)
    for i in range(k):
        T[i, i] = alphas[i]
        if i + 1 < k:
            T[i, i + 1] = T[i + 1, i] = betas[i]
    return sorted(mp.eigsy(T, eigvals_only=True)) if k > 1 else [alphas[0]]


def ends(
    values: list[Number], weights: NDArray[Any], products: int, threshold: Number
) -> tuple[Number, Number, Number, Number]:
    """Smallest and largest Ritz value of all columns, and the bounds below and above them.

    Parameters
    ----------
    values : list of Number
        Eigenvalues.
    weights : array, shape (n, b)
        Squared components of the start columns along the eigenvectors.
    products : int
    threshold : Number
    """
    runs = [jacobi(values, [number(float(w)) for w in column], products) for column in np.asarray(weights).T]
    ritz = [ritz_values(*run) for run in runs]
    smallest, largest = min(r[0] for r in ritz), max(r[-1] for r in ritz)
    if any(betas[-1] == 0 for _, betas in runs):
        return smallest, largest, smallest, largest
    size = mp.fsum(mp.log(b) for _, betas in runs for b in betas)

    def excess(x: Number) -> Number:
        return 2 * (mp.fsum(mp.log(abs(x - t)) for r in ritz for t in r) - size) - threshold

    def bound(end: Number, outwards: int) -> Number:
        near, far = mp.mpf(0), largest - smallest + max(max(betas) for _, betas in runs)
        while excess(end + outwards * far) < 0:
            far *= 2
        for _ in range(mp.prec):
            middle = (near + far) / 2
            inside = middle == 0 or excess(end + outwards * middle) < 0
            near, far = (middle, far) if inside else (near, middle)
        return end + outwards * far

    return smallest, largest, bound(smallest, -1), bound(largest, 1)
