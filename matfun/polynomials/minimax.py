r"""Best approximation of 1 by x h(x^p) on one interval: closed forms for the odd degrees 3 and 5, Remez for the rest.

The interval is given by its spread $\delta = (u - l)/(u + l)$ with centre $(l + u)/2 = 1$, because
u - l loses every digit as the composition converges.  The error E comes out relatively accurate, and the
next interval has spread exactly E, centre 1.

Sources: Amsel, Persson, Musco, Gower, arXiv 2505.16932 (the problem, its degree-3 solution);
the degree-5 parametrisation by the interior extrema q < r is ours (checked against multiprecision Remez in
tests/design/test_composition.py); Boumal and Gonon describe an equivalent one-parameter family.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import log1p, sqrt, tanh

from matfun.polynomials.remez import remez
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial

DEGREES = (3, 5, 7, 9, 11, 13, 15, 17)
"""Degrees in X of the polar problem, 2 q + 1 for h of degree q, that a step may have."""

REMEMBERED = 2**14
"""Polynomials that are kept."""

ETA_MAX = (3 - sqrt(5)) / 2
"""Value of eta = (r - q)/(r + q) for l = 0."""


@lru_cache(maxsize=REMEMBERED)
def minimax(degree: int, spread: float, p: int = 2, basis: Basis = "gram") -> tuple[tuple[float, ...], float]:
    r"""Best uniform approximation of 1 by x h(x^p) on $[1 - \delta, 1 + \delta]$.

    Parameters
    ----------
    degree : int
        2 q + 1 for h of degree q, odd, from 3 to 17: the degree in x for p = 2.
    spread : float
        $\delta$ in [0, 1]; for other p than 2 below 1.
    p : int
        At least 1.
    basis : {"gram", "residual"}
        That of the coefficients.

    Returns
    -------
    coefficients : tuple of float
        Of 1, y, ..., y^q in h, y = x^p or 1 - x^p.
    error : float
        sup |1 - x h|, to relative accuracy also for tiny spreads.

    Examples
    --------
    >>> coefficients, error = minimax(3, 0.0)
    >>> coefficients, error
    ((1.5, -0.5), 0.0)
    """
    if p == 2 and degree in _CLOSED_FORMS and basis == "gram":
        return _CLOSED_FORMS[degree](spread)
    if spread <= 0:
        return Polynomial(taylor_inverse_root(p, degree // 2)).in_basis(basis).coefficients, 0.0
    return remez(degree // 2, min(spread, LARGEST_SPREAD), p, basis)


LARGEST_SPREAD = 1 - 2.0**-53
"""The float below 1; l = 0 has the same coefficients to rounding."""


def _cubic(spread: float) -> tuple[tuple[float, ...], float]:
    # With centre 1: u^2 + l u + l^2 = 3 + delta^2 and l u (l + u) = 2 (1 - delta^2).
    # alpha^2 = 3/(u^2 + l u + l^2), beta = 4/(2 + l u (l + u) alpha^3) = 1 + E   (arXiv 2505.16932, cubic case)
    d2 = spread * spread
    alpha = 1 / sqrt(1 + d2 / 3)
    error = 1.0 if spread >= 1 else tanh(0.75 * log1p(d2 / 3) - 0.5 * log1p(-d2))
    beta = 1 + error
    return (1.5 * alpha * beta, -0.5 * alpha**3 * beta), error


def _quintic(spread: float) -> tuple[tuple[float, ...], float]:
    # p' = 5 c (x^2 - q^2)(x^2 - r^2), q = m (1 - eta), r = m (1 + eta); everything below is for m = 1
    # and is rescaled at the end so that the interval is centred at 1.
    eta, centre = _solve_eta(spread)
    q, r = 1 - eta, 1 + eta
    c = 3 / (10 * (q * r) ** 2 - (q**5 + r**5))
    a, b = 5 * c * (q * r) ** 2, -(5 / 3) * c * (q * q + r * r)
    # E = (c/3)(r - q)^3 (r^2 + 3 r q + q^2), with r - q = 2 eta and the bracket = 5 - eta^2
    error = (c / 3) * (2 * eta) ** 3 * (5 - eta * eta)
    return (a * centre, b * centre**3, c * centre**5), error


def _end(eta: float) -> tuple[float, float]:
    """Signed distance z from m = 1 to the end of the interval, and dz/d eta: u = 1 + z for eta, l = 1 + z for -eta.

    Root next to zero, with the sign of eta, of z^3 + (5 - 2 eta) z^2 + (20 - 30 eta - eta^2) z / 3
    = (40 eta - 15 eta^2 - 8 eta^3) / 3; the slope by implicit differentiation.
    """
    square, line = 5 - 2 * eta, (20 - 30 * eta - eta * eta) / 3
    right = eta * (40 - 15 * eta - 8 * eta * eta) / 3

    def cubic(z: float) -> tuple[float, float]:
        return ((z + square) * z + line) * z - right, (3 * z + 2 * square) * z + line

    # |z| lies between |eta| and 1 for the lower end and below 3 eta for the upper one
    low, high = (0.0, 3 * eta) if eta > 0 else (-1.001, 0.0)  # l = 0 is z = -1: kept inside the bracket
    z = _root(cubic, low, high, start=2 * eta)
    by_eta = -2 * z * z - (30 + 2 * eta) * z / 3 - (40 - 30 * eta - 24 * eta * eta) / 3
    return z, -by_eta / cubic(z)[1]


def _solve_eta(spread: float) -> tuple[float, float]:
    """The eta whose interval has the given spread, which grows with eta from 0 to 1, and the centre of the interval."""
    if spread <= 0:
        return 0.0, 1.0

    def excess(eta: float) -> tuple[float, float]:
        (upper, up), (lower, down) = _end(eta), _end(-eta)
        total, difference = 2 + upper + lower, upper - lower
        slope = ((up + down) * total - difference * (up - down)) / (total * total)
        return difference / total / spread - 1, slope / spread

    eta = ETA_MAX if spread >= 1 else _root(excess, 0.0, ETA_MAX, start=min(spread / 2, 0.9 * ETA_MAX))
    return eta, 1 + (_end(eta)[0] + _end(-eta)[0]) / 2


def _root(f: Callable[[float], tuple[float, float]], low: float, high: float, start: float) -> float:
    """Root of an f that is increasing on [low, high], given with its slope: Newton, bisection where that leaves it."""
    x = start
    for _ in range(100):
        value, bend = f(x)
        if value == 0:
            return x
        low, high = (low, x) if value > 0 else (x, high)
        new = x - value / bend if bend > 0 else (low + high) / 2
        if not low <= new <= high:
            new = (low + high) / 2
        if abs(new - x) <= 4.5e-16 * abs(new):  # two units in the last place
            return new
        x = new
    return x


_CLOSED_FORMS: dict[int, Callable[[float], tuple[tuple[float, ...], float]]] = {3: _cubic, 5: _quintic}
