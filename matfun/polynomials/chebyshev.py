r"""Chebyshev interpolation of a given f, for f(A) of Hermitian A; economisation, evaluation, price.

The interpolant at the n + 1 points $\cos(j\pi/n)$, its coefficients by a discrete cosine transform.

Error.  Where f is analytic and $|f| \le M$ in the ellipse with foci at the ends of the interval and semi-axes summing
to $\rho > 1$ times the half-length, $\max |f - p_n| \le 4 M \rho^{-n}/(\rho - 1)$ (Bernstein; Trefethen, Approximation
Theory and Approximation Practice, 2013, thm 8.2).  A program that only samples f cannot know M: what it states is what
it observed on points that were not interpolated.

Matrices (``blocks``).  With $T_{ks+j} = 2 T_j T_k(T_s) - T_{ks-j}$ a series becomes one in $T_k(T_s)$ whose
coefficients are combinations of $T_0, \dots, T_{s-1}$: Paterson and Stockmeyer's idea (SIAM J. Comput. 2, 1973) in the
Chebyshev basis, s - 1 products for the blocks and one for each step of Clenshaw's recurrence.  s = 1 is Clenshaw's
recurrence itself, with n - 1 products; the best s takes about $2 \sqrt n$.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from scipy.fft import dct

LARGEST_DEGREE = 2**12
"""Where adaptation gives up."""

EPS = 2.0**-52

EMPIRICAL_NOISE = 4.0
"""A coefficient of a resolved f is noise below this many EPS times the size of f plus its mean change under a relative
change of x; 0.2 was the most seen over 14 functions like those of tests/design/test_chebyshev.py, up to degree 4096."""


@dataclass(frozen=True)
class ChebyshevSeries:
    r"""$p(x) = \sum_k c_k T_k(t)$ with t = (x - (l + u)/2) / ((u - l)/2).

    Parameters
    ----------
    coefficients : tuple of float
        c_0, c_1, ..., at least one.
    lower, upper : float
        l <= u; equal only for a constant.
    error : float
        Bound on what ``economise`` dropped: |p - (the series before)| on [l, u].
    observed : float or None
        Largest |f - p| seen, before anything was dropped, on points between those of the interpolation.  An
        observation, not a bound.  None where no f is known.

    Raises
    ------
    ValueError
        For no coefficients, what is not finite, or l > u.

    Examples
    --------
    >>> p = ChebyshevSeries((1.0, 0.0, 0.5), 0.0, 2.0)
    >>> p(2.0), p(1.0), p.degree, p.products
    (1.5, 0.5, 2, 1)
    """

    coefficients: tuple[float, ...]
    lower: float
    upper: float
    error: float = 0.0
    observed: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", tuple(float(c) for c in self.coefficients))
        if not self.coefficients or not all(map(isfinite, self.coefficients)):
            raise ValueError(f"coefficients: expected at least one and finite numbers, got {self.coefficients}")
        check_interval(self.lower, self.upper)
        if self.lower == self.upper and self.degree > 0:
            raise ValueError(f"lower, upper: expected lower < upper for degree {self.degree}, got {self.lower} twice")

    @property
    def degree(self) -> int:
        """Degree of the polynomial, counting coefficients that are 0."""
        return len(self.coefficients) - 1

    @property
    def middle(self) -> float:
        """(l + u)/2."""
        return self.lower / 2 + self.upper / 2

    @property
    def half(self) -> float:
        """(u - l)/2, or 1 for an interval of length 0."""
        return (self.upper / 2 - self.lower / 2) or 1.0

    @property
    def block(self) -> int:
        """The s of ``blocks`` with the fewest products; the smallest of those."""
        return min(range(1, max(2, self.degree + 1)), key=self._products_of)

    @property
    def products(self) -> int:
        """Products of two Hermitian matrices that the value at a matrix takes."""
        return self._products_of(self.block)

    def _products_of(self, s: int) -> int:
        # T_2 ... T_s, and Clenshaw's steps: one fewer where the leading combination is a multiple of I
        return s - 1 + self.degree // s - (self.degree % s == 0) if self.degree > 1 else 0

    def blocks(self, s: int) -> list[list[float]]:
        """Rows d_k with p = sum_k D_k T_k(T_s), D_k = sum_(j < s) d_kj T_j; the last row may be shorter.

        Parameters
        ----------
        s : int
            At least 1.
        """
        rows = [list(self.coefficients[k : k + s]) for k in range(0, self.degree + 1, s)]
        for k in range(len(rows) - 1, 0, -1):
            for j in range(1, len(rows[k])):
                rows[k - 1][s - j] -= rows[k][j]
                rows[k][j] *= 2
        return rows

    def __call__(self, x: Any) -> Any:
        """Evaluate at floats, arrays or mpmath numbers (Clenshaw)."""
        t = (x - self.middle) / self.half
        b, after = 0 * t, 0 * t
        for c in self.coefficients[:0:-1]:
            b, after = c + 2 * t * b - after, b
        return self.coefficients[0] + t * b - after

    def economise(self, tol: float) -> ChebyshevSeries:
        """Drop the longest tail whose moduli sum to at most ``tol``, in the units of f; ``error`` grows by their sum.

        Parameters
        ----------
        tol : float
            Non-negative.
        """
        if not tol >= 0:
            raise ValueError(f"tol: expected a non-negative number, got {tol!r}")
        keep, dropped = len(self.coefficients), 0.0
        while keep > 1 and dropped + abs(self.coefficients[keep - 1]) <= tol:
            keep -= 1
            dropped += abs(self.coefficients[keep])
        return replace(self, coefficients=self.coefficients[:keep], error=self.error + dropped)


def chebyshev(
    f: Callable[[float], float], lower: float, upper: float, degree: int | None = None, tol: float | None = None
) -> ChebyshevSeries:
    """Interpolate f at Chebyshev points of [lower, upper].

    Parameters
    ----------
    f : callable
        Called with Python floats, returns real numbers.
    lower, upper : float
        lower <= upper.
    degree : int, optional
        Interpolate with exactly this degree.  Not together with ``tol``.
    tol : float, optional
        Allowed error, relative to the largest |f| sampled.  Default: what rounding of x and f leaves.

    Returns
    -------
    ChebyshevSeries

    Raises
    ------
    ValueError
        For bad arguments, values of f that are not finite and real, and an f that 4097 points do not resolve.

    Notes
    -----
    Without ``degree`` the number of points doubles from 17 until the last quarter of the coefficients is noise (or
    sums to at most tol/2) *and* the interpolant agrees with f on Chebyshev points of another number, which catches
    what the first points cannot see, such as cos(16 arccos t).  Then the longest tail that sums to as little is
    dropped.  The idea is Chebfun's (Battles and Trefethen, SIAM J. Sci. Comput. 25, 2004).

    Examples
    --------
    >>> import math
    >>> p = chebyshev(math.exp, -1.0, 1.0)
    >>> p.degree, abs(p(0.3) - math.exp(0.3)) < 1e-15, p.economise(1e-3).degree
    (13, True, 4)
    """
    check_interval(lower, upper)
    if degree is not None and tol is not None:
        raise ValueError(f"degree, tol: expected at most one of the two, got degree={degree!r} and tol={tol!r}")
    if tol is not None and not 0 < tol < 1:
        raise ValueError(f"tol: expected a number in (0, 1) or None, got {tol!r}")
    if degree is not None and (isinstance(degree, bool) or not isinstance(degree, (int, np.integer)) or degree < 0):
        raise ValueError(f"degree: expected a non-negative integer or None, got {degree!r}")
    lower, upper = float(lower), float(upper)
    if lower == upper:
        return ChebyshevSeries(tuple(_sample(f, np.asarray([lower])).tolist()), lower, upper, observed=0.0)
    if degree is not None:
        return _interpolate(f, lower, upper, int(degree))[0]
    n = 16
    while True:
        series, size, noise = _interpolate(f, lower, upper, n)
        allowed = max((tol or 0.0) * size / 2, noise)
        last = [abs(c) for c in series.coefficients[-n // 4 :]]
        agreed = series.observed is not None and series.observed <= (tol or 0.0) * size + n * noise
        if agreed and (max(last) <= noise or sum(last) <= allowed):
            return series.economise(allowed)
        if n >= LARGEST_DEGREE:
            raise ValueError(
                f"f: {n + 1} Chebyshev points on [{lower:.6g}, {upper:.6g}] do not resolve it: its last coefficients "
                f"reach {max(last) / (size or 1.0):.2g} of its size, against {allowed / (size or 1.0):.2g} allowed.  "
                "Give degree= for an interpolant as it is, a larger tol=, or an interval that keeps away from jumps, "
                "kinks and poles of f"
            )
        n *= 2


def _interpolate(
    f: Callable[[float], float], lower: float, upper: float, n: int
) -> tuple[ChebyshevSeries, float, float]:
    """Interpolant of degree n, the largest |f| sampled, and the level below which a coefficient is noise."""
    middle, half = lower / 2 + upper / 2, upper / 2 - lower / 2
    t = np.sin(np.pi * np.arange(n, -n - 1, -2) / (2 * n)) if n else np.zeros(1)
    x = np.clip(middle + half * t, lower, upper)
    values = _sample(f, x)
    c = dct(values, type=1) / n if n else values
    if n:
        c[[0, -1]] /= 2
    between = np.cos(np.pi * (np.arange(2 * n + 3) + 0.5) / (2 * n + 3))
    at = np.clip(middle + half * between, lower, upper)
    series = ChebyshevSeries(tuple(c.tolist()), lower, upper)
    seen = _sample(f, at)
    observed = float(np.abs(seen - series(at)).max())
    size = float(max(np.abs(values).max(), np.abs(seen).max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nan_to_num(np.abs(np.diff(seen) / np.diff(at)), posinf=0.0)
    noise = EMPIRICAL_NOISE * EPS * (size + float(slope.mean()) * max(abs(lower), abs(upper)))
    return replace(series, observed=observed), size, noise


def _sample(f: Callable[[float], float], points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values = []
    for x in points.tolist():
        try:
            with np.errstate(all="ignore"):
                value = float(f(x))
        except (ValueError, ArithmeticError, TypeError) as error:
            raise ValueError(
                f"f: expected a real number at every x in the interval, but f({x!r}) gave: {error}"
            ) from error
        if not isfinite(value):
            raise ValueError(f"f: expected finite values on the interval, got {value} at x = {x!r}")
        values.append(value)
    return np.asarray(values)


def check_interval(lower: Any, upper: Any) -> None:
    """Raise unless lower <= upper are finite numbers.

    Raises
    ------
    TypeError, ValueError
    """
    for name, value in (("lower", lower), ("upper", upper)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(f"{name}: expected a number, got {value!r}")
        if not isfinite(value):
            raise ValueError(f"{name}: expected a finite number, got {value!r}")
    if lower > upper:
        raise ValueError(f"lower, upper: expected lower <= upper, got {lower} and {upper}")
