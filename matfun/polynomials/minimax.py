r"""Best odd approximation of 1 on one interval, degrees 3 and 5, in closed form and without cancellation.

The interval is given by its spread $\delta = (u - l)/(u + l)$ with centre $(l + u)/2 = 1$, because
u - l loses every digit as the composition converges.  The error E comes out relatively accurate, and the
next interval has spread exactly E, centre 1.

Sources: Amsel, Persson, Musco, Gower, arXiv 2505.16932 (the problem, its degree-3 solution);
the degree-5 parametrisation by the interior extrema q < r is ours (checked against multiprecision Remez in
tests/test_minimax.py); Boumal and Gonon describe an equivalent one-parameter family.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log1p, sqrt, tanh

ETA_MAX = (3 - sqrt(5)) / 2
"""Value of eta = (r - q)/(r + q) for l = 0."""


def minimax_odd(degree: int, spread: float) -> tuple[tuple[float, ...], float]:
    r"""Best uniform odd approximation of 1 on $[1 - \delta, 1 + \delta]$.

    Parameters
    ----------
    degree : {3, 5}
        Degree in x.
    spread : float
        $\delta$ in [0, 1].

    Returns
    -------
    coefficients : tuple of float
        Of x, x^3(, x^5).
    error : float
        sup |1 - p|, to relative accuracy also for tiny spreads.

    Examples
    --------
    >>> coefficients, error = minimax_odd(3, 0.0)
    >>> coefficients, error
    ((1.5, -0.5), 0.0)
    """
    return _CLOSED_FORMS[degree](spread)


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
    eta = _solve_eta(spread)
    q, r = 1 - eta, 1 + eta
    c = 3 / (10 * (q * r) ** 2 - (q**5 + r**5))
    a, b = 5 * c * (q * r) ** 2, -(5 / 3) * c * (q * q + r * r)
    # E = (c/3)(r - q)^3 (r^2 + 3 r q + q^2), with r - q = 2 eta and the bracket = 5 - eta^2
    error = (c / 3) * (2 * eta) ** 3 * (5 - eta * eta)
    z_upper, z_lower = _end(eta), _end(-eta)
    centre = 1 + (z_upper + z_lower) / 2
    return (a * centre, b * centre**3, c * centre**5), error


def _end(eta: float) -> float:
    """Signed distance z from m = 1 to the end of the interval: u = 1 + z for eta, l = 1 + z for -eta.

    Root next to zero, with the sign of eta, of z^3 + (5 - 2 eta) z^2 + (20 - 30 eta - eta^2) z / 3
    = (40 eta - 15 eta^2 - 8 eta^3) / 3.
    """
    square, line = 5 - 2 * eta, (20 - 30 * eta - eta * eta) / 3
    right = eta * (40 - 15 * eta - 8 * eta * eta) / 3

    def cubic(z: float) -> float:
        return ((z + square) * z + line) * z - right

    # |z| lies between |eta| and 1 for the lower end and below 3 eta for the upper one
    low, high = (0.0, 3 * eta) if eta > 0 else (-1.001, 0.0)  # l = 0 is z = -1: kept inside the bracket
    return _root(cubic, lambda z: (3 * z + 2 * square) * z + line, low, high, start=2 * eta)


def _spread(eta: float) -> float:
    z_upper, z_lower = _end(eta), _end(-eta)
    return (z_upper - z_lower) / (2 + z_upper + z_lower)


def _end_slope(eta: float) -> float:
    """dz/d eta of ``_end``, by implicit differentiation of its cubic."""
    z = _end(eta)
    by_z = 3 * z * z + 2 * (5 - 2 * eta) * z + (20 - 30 * eta - eta * eta) / 3
    by_eta = -2 * z * z - (30 + 2 * eta) * z / 3 - (40 - 30 * eta - 24 * eta * eta) / 3
    return -by_eta / by_z


def _solve_eta(spread: float) -> float:
    """The eta whose interval has the given spread, which grows with eta from 0 to 1."""
    if spread <= 0:
        return 0.0
    if spread >= 1:
        return ETA_MAX

    def excess(eta: float) -> float:
        return _spread(eta) / spread - 1

    def slope(eta: float) -> float:
        total, difference = 2 + _end(eta) + _end(-eta), _end(eta) - _end(-eta)
        up, down = _end_slope(eta), -_end_slope(-eta)
        return ((up - down) * total - difference * (up + down)) / (total * total * spread)

    return _root(excess, slope, 0.0, ETA_MAX, start=min(spread / 2, 0.9 * ETA_MAX))


def _root(f: Callable[[float], float], df: Callable[[float], float], low: float, high: float, start: float) -> float:
    """Root of an f that is increasing on [low, high]: Newton, with bisection when it leaves the bracket."""
    x = start
    for _ in range(100):
        value = f(x)
        if value == 0:
            return x
        low, high = (low, x) if value > 0 else (x, high)
        bend = df(x)
        new = x - value / bend if bend > 0 else (low + high) / 2
        if not low <= new <= high:
            new = (low + high) / 2
        if abs(new - x) <= 4.5e-16 * abs(new):  # two units in the last place
            return new
        x = new
    return x


_CLOSED_FORMS: dict[int, Callable[[float], tuple[tuple[float, ...], float]]] = {3: _cubic, 5: _quintic}

DEGREES = tuple(_CLOSED_FORMS)
