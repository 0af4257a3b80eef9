"""PRISM's one-parameter families: h = (Taylor polynomial of degree q - 1) + alpha r^q for the inverse p-th root.

The next residual as a polynomial in alpha, and the interval in which alpha is sought.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np

from matfun.host import host_constant

PUBLISHED = {(2, 1): (1 / 2, 1.0), (2, 2): (3 / 8, 29 / 20)}
"""Intervals printed with PRISM for the polar factor and the sign (arXiv 2601.22137, sec. 4), keyed by (p, q)."""

GRID = 2000
BISECTIONS = 50

_residuals: dict[tuple[int, int], tuple[tuple[float, ...], ...]] = {}
_intervals: dict[tuple[int, int], tuple[float, float]] = {}


def next_residual(p: int, q: int) -> tuple[tuple[float, ...], ...]:
    """u_0, ..., u_p by their coefficients in r, with 1 - (1 - r) h(r)^p = sum_i alpha^i u_i(r); cached.

    Parameters
    ----------
    p : int
    q : {1, 2}
    """
    _expand(p, q)
    return _residuals[p, q]


def fit_interval(p: int, q: int) -> tuple[float, float]:
    """Where alpha may lie; cached.

    The lower end is the Taylor coefficient.  The upper one is, beyond what is published, the largest alpha for which no
    residual in the range that the step itself can produce from r in [0, 1] grows in modulus (theory/prism.py).

    Parameters
    ----------
    p : int
    q : {1, 2}
    """
    _find_interval(p, q)
    return _intervals[p, q]


def _taylor(p: int, degree: int) -> list[Fraction]:
    c = [Fraction(1)]
    for i in range(1, degree + 1):
        c.append(c[-1] * Fraction(1 + (i - 1) * p, i * p))
    return c


@host_constant
def _expand(p: int, q: int) -> bool:
    if (p, q) not in _residuals:
        head = _taylor(p, q - 1)
        powers = [[Fraction(1)]]  # of head, by their coefficients
        for _ in range(p):
            powers.append(_product(powers[-1], head))
        parts = []
        for i in range(p + 1):
            # -(1 - r) C(p, i) head^(p - i) r^(q i)
            u = _product([Fraction(-1), Fraction(1)], [comb(p, i) * c for c in powers[p - i]])
            u = [Fraction(0)] * (q * i) + u
            if i == 0:
                u[0] += 1
            parts.append(tuple(float(c) for c in u))
        _residuals[p, q] = tuple(parts)
    return True


def _product(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    c = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            c[i + j] += x * y
    return c


@host_constant
def _find_interval(p: int, q: int) -> bool:
    if (p, q) not in _intervals:
        lower = float(_taylor(p, q)[-1])
        low, high = lower, 8.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if _safe(p, q, middle) else (low, middle)
        _intervals[p, q] = PUBLISHED.get((p, q), (lower, low))
    return True


def _safe(p: int, q: int, alpha: float) -> bool:
    """Whether |next residual| <= |r| for all r in [r_min, 1], r_min the smallest residual that [0, 1] is sent to."""
    head = [float(c) for c in _taylor(p, q - 1)]

    def moved(r: np.ndarray) -> np.ndarray:
        h = sum(c * r**i for i, c in enumerate(head)) + alpha * r**q
        return np.asarray(1 - (1 - r) * h**p)

    r = np.linspace(0, 1, GRID + 1)[1:]
    least = min(0.0, float(np.min(moved(r))))
    if least <= -1:
        return False
    below = np.linspace(least, 0, GRID + 1)[:-1] if least < 0 else r
    return bool(
        np.all(np.abs(moved(r)) <= r * (1 + 1e-12)) and np.all(np.abs(moved(below)) <= np.abs(below) * (1 + 1e-12))
    )
