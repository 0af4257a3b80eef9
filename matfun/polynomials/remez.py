r"""Best approximation of 1 by x h(x^p) on one interval, for every degree and p, in float64 without cancellation.

Scaled so that $y = x^p$ runs over $[(1 - \delta)^2, (1 + \delta)^2]$, that is $y = 1 + 2 \delta t + \delta^2$ with t in
[-1, 1], the function $y^{-\nu}$, $\nu = 1/p$, that h has to imitate generates the Gegenbauer polynomials of index $\nu$
(Legendre's for p = 2):

$$y^{-\nu} = \sum_{n \ge 0} (-\delta)^n C_n(t).$$

h takes over the terms up to n = q.  The error is then $\delta^{q+1} y^\nu (F - g)$, with F the rest of the series over
$\delta^{q+1}$ and g a correction of degree q, and the exchange looks for g and the level of $y^\nu (F - g)$: of
moderate size however small $\delta$ is, so that E comes out relatively accurate.  The extrema are the roots of

$$2 \nu \delta (F - g) + y (F - g)' = (-1)^{q+1} (C_{q+1}' + \delta C_q') - 2 \nu \delta g - y g',$$

a polynomial of degree q (by $C_{n+1}' - 2 t C_n' + C_{n-1}' = 2 \nu C_n$).  Nor does the way back to powers of y
cancel: y = 0 lies left of all zeros of $C_n$, where its Taylor coefficients have the signs $(-1)^{n+k}$, and those of h
in the $C_n$ have the signs $(-1)^n$.

Derived here.  That both ends belong to the q + 2 points of the exchange is proved in theory/minimax.py.
Exchange: Cheney, Introduction to Approximation Theory (1966), ch. 3.  Gegenbauer polynomials: NIST Digital Library of
Mathematical Functions, 18.9 and 18.12.4.
"""

from __future__ import annotations

from math import ceil, exp, log, log1p, pi, tanh
from typing import Any

import numpy as np

from matfun.polynomials.update import Basis

Vector = np.ndarray[Any, Any]

SERIES_BELOW = 0.6
"""Delta from which on the rest of the series is taken as a difference: that costs a factor 0.6^-(q+1), the series 82
terms."""

SMALLEST_TERM = 2.0**-60
"""Terms of the series are taken until delta^n falls below: 1/256 of the unit roundoff."""

SMALLEST_NORMAL = 2.0**-1022
"""y below counts as this: it underflows only at the left end, whose x is known without it."""

LEVELLED = 8 * 2.0**-52
"""Unevenness of the extrema, relative to the level, at which the exchange stops: the rounding of the scaled error."""

MOST_EXCHANGES = 100
"""The exchange converges quadratically, from Chebyshev points in 1 to 12 rounds for every p and interval tried."""


def remez(q: int, spread: float, p: int = 2, basis: Basis = "gram") -> tuple[tuple[float, ...], float]:
    r"""Best h of degree q for x h(x^p) close to 1 on $[1 - s, 1 + s]$.

    Parameters
    ----------
    q : int
        Degree of h, at least 0.
    spread : float
        s in (0, 1).
    p : int
        At least 1.
    basis : {"gram", "residual"}
        That of the coefficients.  A change of basis afterwards would cancel; the last polynomials of a composition are
        close to the Taylor polynomial in the residual, to all its digits only if they are made in that basis.

    Returns
    -------
    coefficients : tuple of float
        Of 1, y, ..., y^q with y = x^p, or with y = r = 1 - x^p.
    error : float
        $\max |1 - x h|$, relatively accurate; 0 where it underflows.

    Raises
    ------
    ArithmeticError
        If the exchange does not level, or if coefficients underflow, since y^q is too large for large p and spread.

    Notes
    -----
    About a millisecond.  Against 40 digits: coefficients and error to 1e-14 (tests/design/test_remez.py).

    Examples
    --------
    >>> coefficients, error = remez(1, 0.5, p=1)  # scaled and shifted Chebyshev polynomial: E = 1/T_2(2)
    >>> abs(error * 7 - 1) < 1e-15
    True
    """
    nu = 1 / p
    half_width = 0.5 * (log1p(spread) - log1p(-spread))  # of log x; that of log y is p times as much
    z = p * half_width / 2
    delta, log_gap = (spread, log1p(-spread)) if p == 2 else (tanh(z), log(2) - 2 * z - log1p(exp(-2 * z)))
    g, level = _exchange(q, delta, log_gap, nu)
    series = [(-1) ** n + g[n] * delta ** (q + 1 - n) for n in range(q + 1)]
    scale = 0.0 if p == 2 else p * log1p(spread) - 2 * log1p(delta)  # log of x^p over y
    if basis == "residual":  # r = 1 - x^p = -e^scale (y - e^-scale)
        shift = exp(-scale)
        around = _in_powers(series, delta, nu, shift)
        return tuple((-shift) ** i * exp(-nu * scale) * c for i, c in enumerate(around)), level * delta ** (q + 1)
    coefficients = tuple(c * exp(-(nu + i) * scale) for i, c in enumerate(_in_powers(series, delta, nu, 0.0)))
    if 0.0 in coefficients:
        raise ArithmeticError(f"coefficients of y^i underflow: degree {q} on a spread of {spread!r} for p = {p}")
    return coefficients, level * delta ** (q + 1)


def _exchange(q: int, delta: float, log_gap: float, nu: float) -> tuple[list[float], float]:
    """Correction g in Gegenbauer polynomials and the level of the scaled error; log_gap is log(1 - delta)."""
    t = -np.cos(np.arange(q + 2) * (pi / (q + 1)))
    basis, target = _scaled_problem(q, delta, log_gap, nu, t)
    angles = (np.arange(q + 1) + 0.5) * (pi / (q + 1))
    samples = np.cos(angles)
    to_chebyshev = np.cos(np.arange(q + 1)[:, None] * angles) * (2 / (q + 1))  # of the values at the samples
    to_chebyshev[0] /= 2
    values = _gegenbauer(q + 1, nu, samples)
    slopes = _slopes(values, nu, samples)
    y = exp(2 * log_gap) + 2 * delta * (1 + samples)
    leading = (-1) ** (q + 1) * (slopes[q + 1] + delta * slopes[q])
    from_g = 2 * nu * delta * values[: q + 1] + y * slopes[: q + 1]
    signs = (-1.0) ** np.arange(q + 2)
    rounding = LEVELLED if delta < SERIES_BELOW else LEVELLED * (2 / SERIES_BELOW) ** (q + 1)
    unevenness = np.inf
    for _ in range(MOST_EXCHANGES):
        *g, level = np.linalg.solve(np.column_stack([basis.T, signs]), target)
        turns = to_chebyshev @ (leading - np.asarray(g) @ from_g)
        t[1:-1] = np.sort(np.polynomial.chebyshev.chebroots(turns).real) if q else []
        basis, target = _scaled_problem(q, delta, log_gap, nu, t)
        before, unevenness = unevenness, float(np.max(np.abs(np.abs(target - g @ basis) / abs(level) - 1)))
        if unevenness <= LEVELLED or before <= unevenness <= rounding:  # level, or no longer getting more so
            return [float(c) for c in g], abs(float(level))
    raise ArithmeticError(f"Remez exchange did not level: q = {q}, delta = {delta!r}, nu = {nu!r}")


def _scaled_problem(q: int, delta: float, log_gap: float, nu: float, t: Vector) -> tuple[Vector, Vector]:
    """y^nu C_n(t) for n = 0..q and y^nu F(t); t[0] = -1 is the left end, whose y may underflow while x does not."""
    y = exp(2 * log_gap) + 2 * delta * (1 + t)
    log_x = nu * np.log(np.maximum(y, SMALLEST_NORMAL))
    log_x[0] = 2 * nu * log_gap
    x = np.exp(log_x)
    if delta > SERIES_BELOW:
        C = _gegenbauer(q, nu, t)
        # 1 - x and the terms from n = 1 on are of the size of nu, which 1 - x f itself would lose for large p
        return x * C, (-np.expm1(log_x) - x * ((-delta) ** np.arange(1, q + 1) @ C[1:])) / delta ** (q + 1)
    terms = ceil(log(SMALLEST_TERM) / log(delta))
    C = _gegenbauer(q + 1 + terms, nu, t)
    rest = (-delta) ** np.arange(terms + 1) @ C[q + 1 :]
    return x * C[: q + 1], (-1) ** (q + 1) * x * rest


def _gegenbauer(highest: int, nu: float, t: Vector) -> Vector:
    """C_0, ..., C_highest at t, one row each."""
    C = np.ones((highest + 1, t.size))
    if highest:
        C[1] = 2 * nu * t
    for n in range(1, highest):
        C[n + 1] = (2 * (n + nu) / (n + 1)) * t * C[n] - ((n + 2 * nu - 1) / (n + 1)) * C[n - 1]
    return C


def _slopes(C: Vector, nu: float, t: Vector) -> Vector:
    """Derivatives of the rows of ``_gegenbauer``."""
    D = np.zeros_like(C)
    for n in range(len(C) - 1):
        D[n + 1] = 2 * t * D[n] + 2 * nu * C[n] - (D[n - 1] if n else 0.0)
    return D


def _in_powers(series: list[float], delta: float, nu: float, origin: float) -> list[float]:
    """Coefficients in y - origin of sum_n series[n] delta^n C_n(t), 2 delta t = y - 1 - delta^2, nothing divided."""
    square = delta * delta
    centre = 1 - origin + square
    total = np.zeros(len(series))
    below, S = np.zeros_like(total), np.zeros_like(total)
    S[0] = 1
    for n, weight in enumerate(series):
        total += weight * S
        shifted = np.concatenate([[0.0], S[:-1]]) - centre * S
        below, S = S, ((n + nu) * shifted - (n + 2 * nu - 1) * square * below) / (n + 1)
    return [float(c) for c in total]
