"""Greedy composition of one-interval minimax polynomials: Polar Express, CANS.

With l_1 = l and u_1 = u, p_t is the best odd approximation of 1 on [l_t, u_t] and the next interval is its
image [1 - E_t, 1 + E_t]; no other composition of the same degrees has a smaller sup error, which
is the last E (Amsel, Persson, Musco, Gower, arXiv 2505.16932, Thm 4.1; Lee, Lee, No, Kim, IACR eprint 2020/834).
Plain float64, relatively accurate at both ends: while l is small it is carried itself, since 1 - E would lose its
digits; once it is not, the spread is carried, which is exactly the previous error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

from matfun.host import host_constant
from matfun.polynomials.minimax import minimax_odd

CUSHION = 0.024073274241827595
"""Left end at which the quintic scaled to maximum 1 has p(l) = 0.1, that is (1 - E)/(1 + E) = 0.1.

The cushion of the table published with arXiv 2505.16932 (there 0.02407327424182761).
"""

EXACT_BELOW = 2.0**-53
"""Error from which on a polynomial is the Taylor one to double precision."""


@dataclass(frozen=True)
class Stage:
    """One polynomial of a composition and the interval it was made for.

    Attributes
    ----------
    coefficients : tuple of float
        Of x, x^3(, x^5): the gram basis.
    lower, upper : float
        The singular values before this step lie in [lower, upper].
    error : float
        sup |1 - p| over that interval, so the values after the step lie in [1 - error, 1 + error].
    """

    coefficients: tuple[float, ...]
    lower: float
    upper: float
    error: float

    def __call__(self, x: float) -> float:
        """Evaluate p(x)."""
        value = 0.0
        for c in reversed(self.coefficients):
            value = value * x * x + c
        return value * x


def compose(lower: float, upper: float, degree: int, cushion: float = 0.0) -> Iterator[Stage]:
    """Yield the stages of the greedy composition, without end.

    Parameters
    ----------
    lower, upper : float
        0 < lower <= upper: the singular values of the start lie between them.
    degree : {3, 5}
        Degree in x.
    cushion : float
        No polynomial is designed for an interval wider than [cushion * u, u]; where that makes a
        difference the polynomial is rescaled so that p(l) and p(u) lie symmetrically about 1.  Keeps
        p(x)/x away from zero, which backward stability needs; 0 is the plain minimax composition.

    Yields
    ------
    Stage
        Stops changing (Taylor polynomial, error 0) once the error underflows.
    """
    spread = (upper - lower) / (upper + lower)
    while True:
        centre = (upper + lower) / 2
        cushioned = lower < cushion * upper
        design_spread = (1 - cushion) / (1 + cushion) if cushioned else spread
        design_centre = upper * (1 + cushion) / 2 if cushioned else centre
        base, error = minimax_odd(degree, design_spread)
        coefficients = tuple(c / design_centre ** (2 * i + 1) for i, c in enumerate(base))
        image_of_lower = Stage(coefficients, lower, upper, error)(lower)
        if cushioned:
            recentre = 2 / (image_of_lower + 1 + error)
            coefficients = tuple(c * recentre for c in coefficients)
            image_of_lower *= recentre
            error = 1 - image_of_lower
        yield Stage(coefficients, lower, upper, error)
        # the smaller of l and 1 - l is the one known to full relative accuracy
        lower = image_of_lower if error > 0.5 else 1 - error
        upper = 2 - lower if error > 0.5 else 1 + error
        spread = 1 - lower if error > 0.5 else error


_designed: dict[tuple[int, float, float], list[Stage]] = {}
_lock = Lock()
_designers: dict[tuple[int, float, float], Iterator[Stage]] = {}


def stage_of(degree: int, lower: float, cushion: float, step: int) -> Stage:
    """Return one stage of the composition for [lower, 1], designed once and remembered.

    Parameters
    ----------
    degree : {3, 5}
    lower, cushion : float
    step : int
        0 for the first; steps after the error has fallen below ``EXACT_BELOW`` all get that last stage.
    """
    start, end, error, *coefficients = _design(degree, lower, cushion, step)
    return Stage(tuple(coefficients), start, end, error)


@host_constant
def _design(degree: int, lower: float, cushion: float, step: int) -> tuple[float, ...]:
    with _lock:
        return _design_locked((degree, lower, cushion), step)


def _design_locked(key: tuple[int, float, float], step: int) -> tuple[float, ...]:
    degree, lower, cushion = key
    known = _designed.setdefault(key, [])
    source = _designers.setdefault(key, compose(lower, 1.0, degree, cushion))
    while len(known) <= step and not (known and known[-1].error < EXACT_BELOW):
        known.append(next(source))
    stage = known[min(step, len(known) - 1)]
    return (stage.lower, stage.upper, stage.error, *stage.coefficients)  # plain values, as a trace needs them


def apply_safety(coefficients: tuple[float, ...], safety: float) -> tuple[float, ...]:
    """Coefficients of p(x / safety), which stays bounded for x up to safety times the upper end."""
    return tuple(c / safety ** (2 * i + 1) for i, c in enumerate(coefficients))
