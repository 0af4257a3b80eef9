"""Heavy-tailed Marchenko-Pastur (HTMP) spectra: the law of squared singular values that trained layers show.

Law (L. Hodgkinson, Z. Wang, M. Mahoney, arXiv:2506.03470, eq. E.5), with a = kappa/2, s = a/gamma, t = s x:

    rho(x) = s t^(s-1-a) e^(-t) / (Gamma(a+1) Gamma(s) |U(a, 1+a-s, -t)|^2),   mean 1,

the limit of the beta-Laguerre ensemble with beta n -> kappa.  kappa -> infinity is Marchenko-Pastur of ratio
gamma; a small kappa has power tails towards zero that no grid in x resolves, hence all is done in log x.

How it is computed: by the Wronskian of U and its conjugate, pi a rho dx is exactly the change of phase of
U(a, ., -t), so rho needs only L = P + iQ = d log U / d log t, which by Kummer's equation obeys

    P' = Q^2 - P^2 + (s - a - t) P - a t,      (log Q)' = s - a - t - 2 P,      rho(x) = Q / (pi a x).

From a start inside the bulk both directions are stable: the wanted solution is the dominant one.  The total
mass is then a check, not a normalisation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import mpmath
import numpy as np
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.linalg import eigvalsh_tridiagonal

_NEGLIGIBLE = 1e-14  # density of log x below which a tail moves no quantile of any n that fits in memory
_LARGEST_RATIO = 5000  # of kappa / gamma: beyond, the start value takes more than about 5 s
_MASS_TOLERANCE = 1e-7  # integrator 1e-11, quadrature 1e-8 at worst; more means a lost branch, not rounding


@dataclass(frozen=True, eq=False)
class HTMP:
    """The law for one (kappa, gamma), tabulated in log x; made by `htmp_law`."""

    kappa: float
    gamma: float
    log_x: np.ndarray
    log_density: np.ndarray  # of log x
    lower_tail: np.ndarray  # P(X <= x)
    upper_tail: np.ndarray  # P(X > x), integrated from above so that it keeps its digits

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """Density at x > 0 within the tabulated range; 0 outside."""
        y = np.clip(np.log(x), self.log_x[0], self.log_x[-1])
        return np.where(y == np.log(x), np.exp(CubicSpline(self.log_x, self.log_density)(y) - y), 0.0)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """P(X <= x) at x > 0; constant outside the tabulated range, where less than about 1e-13 is left."""
        y = np.clip(np.log(x), self.log_x[0], self.log_x[-1])
        return np.asarray(CubicSpline(self.log_x, self.lower_tail)(y))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """Inverse of `cdf`, by monotone interpolation of log x against the log odds."""
        odds = np.log(self.lower_tail) - np.log(self.upper_tail)
        return np.asarray(np.exp(PchipInterpolator(odds, self.log_x)(np.log(p) - np.log1p(-p))))


@lru_cache(maxsize=32)
def htmp_law(kappa: float, gamma: float) -> HTMP:
    """Tabulate the law.

    Parameters
    ----------
    kappa : float
        Tail index, > 0, and at most 5000 gamma; beyond, Marchenko-Pastur serves.
    gamma : float
        Aspect ratio n / m, in (0, 1).

    Returns
    -------
    law : HTMP
        Density, distribution function and quantiles; cached.
    """
    if not (0 < gamma < 1 and 0 < kappa <= _LARGEST_RATIO * gamma):
        raise ValueError(
            f"gamma must be in (0, 1), kappa in (0, {_LARGEST_RATIO} gamma], got kappa={kappa}, gamma={gamma}"
        )
    a, s = kappa / 2, kappa / (2 * gamma)
    # The geometric mean x = 1 - gamma of the Marchenko-Pastur edges (1 -+ sqrt(gamma))^2 is in the bulk.
    start = math.log(s * (1 - gamma))
    with mpmath.workdps(30):
        t, b = mpmath.exp(start), 1 + mpmath.mpf(a) - s
        # U' = -a U(a + 1, b + 1, .); the series cancel by many digits, hence maxprec.
        below, above = (mpmath.hyperu(a + i, b + i, -t, maxprec=10**5) for i in (0, 1))
        slope = a * t * above / below
    state = [float(slope.real), math.log(abs(float(slope.imag)))]

    def motion(y: float, pq: np.ndarray) -> list[float]:
        t, (p, log_q) = math.exp(y), pq
        return [math.exp(2 * log_q) - p * p + (s - a - t) * p - a * t, s - a - t - 2 * p]

    def faded(_y: float, pq: np.ndarray) -> float:
        return float(pq[1]) - math.log(_NEGLIGIBLE * math.pi * a)

    faded.terminal = True  # type: ignore[attr-defined]  # solve_ivp's way to stop at an event
    # Denser towards the start: the bulk varies on a scale of 1, the lower tail on a scale of 1/(s - a).
    knots = np.linspace(0.0, 1.0, 4001) ** 3
    pieces = []
    for end in (start - 40.0 - 40.0 / (s - a), start + 40.0):
        path = solve_ivp(motion, (start, end), state, "LSODA", dense_output=True, events=faded, rtol=1e-11, atol=1e-13)
        y = start + (path.t[-1] - start) * knots
        pieces.append((y, path.sol(y)[1]))
    y = np.concatenate([pieces[0][0][:0:-1], pieces[1][0]])
    log_density = np.concatenate([pieces[0][1][:0:-1], pieces[1][1]]) - math.log(math.pi * a)
    density = np.exp(log_density)
    # Below the table the density of log x is the power t^(s-a); above, it falls like e^(-t).
    lower = density[0] / (s - a) + CubicSpline(y, density).antiderivative()(y)
    down = -y[::-1]
    upper = density[-1] / math.exp(y[-1]) + CubicSpline(down, density[::-1]).antiderivative()(down)[::-1]
    if abs(lower[-1] - 1) > _MASS_TOLERANCE:
        raise ArithmeticError(f"the HTMP law of kappa={kappa}, gamma={gamma} integrates to {lower[-1]}")
    return HTMP(kappa, gamma, y - math.log(s), log_density, lower, upper)


def htmp(m: int, n: int, kappa: float) -> np.ndarray:
    """Singular values whose squares are the midpoint quantiles of the HTMP law, mean 1: no randomness.

    Parameters
    ----------
    m, n : int
        Shape of the matrix; gamma = min / max must be below 1.
    kappa : float
        Tail index; 0.1 is extreme (sigma_min near 1e-36 at 8000 x 4000), 100 is nearly Marchenko-Pastur.

    Returns
    -------
    sigmas : array, shape (min(m, n),)
        Descending.
    """
    k = min(m, n)
    p = (np.arange(k, 0, -1) - 0.5) / k
    return np.asarray(np.sqrt(htmp_law(float(kappa), k / max(m, n)).quantile(p)))


def htmp_sample(m: int, n: int, kappa: float, rng: np.random.Generator) -> np.ndarray:
    """Draw singular values of a finite beta-Laguerre matrix with beta = kappa / n, scaled to mean square 1.

    The tridiagonal model (I. Dumitriu, A. Edelman, 2002; arXiv:2506.03470, Algorithm 2) is T = B^T B with B
    lower bidiagonal, so its off-diagonal is d_{i+1} t_i.  (The algorithm is reported to print d_i t_i, which
    is not B^T B and need not be semidefinite.)  kappa = min(m, n): a Gaussian matrix over sqrt(max(m, n)).

    Parameters
    ----------
    m, n : int
        Shape of the matrix.
    kappa : float
        Tail index, > 0.
    rng : Generator
        Source of randomness.

    Returns
    -------
    sigmas : array, shape (min(m, n),)
        Descending; eigenvalues below about 1e-16 of the largest are rounding noise, clipped at 0.
    """
    k, rows = min(m, n), max(m, n)
    beta = kappa / k
    d2 = rng.chisquare(beta * (rows - np.arange(k)))
    t2 = rng.chisquare(beta * (k - 1 - np.arange(k - 1)))
    diagonal = d2 + np.append(t2, 0.0)
    eigenvalues = eigvalsh_tridiagonal(diagonal, np.sqrt(d2[1:] * t2)) / (beta * rows)
    return np.asarray(np.sqrt(np.maximum(eigenvalues[::-1], 0.0)))
