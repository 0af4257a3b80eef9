r"""Greedy composition of best polynomials: Polar Express and CANS, of any degree in every step, for every p.

With l_1 = l and u_1 = u, $x h_t(x^p)$ is the best approximation of 1 on [l_t, u_t] and the next interval is its
image [1 - E_t, 1 + E_t].  No other composition of the same degrees in the same order has a smaller sup error, which is
the last E (p = 2: Amsel, Persson, Musco, Gower, arXiv 2505.16932, Thm 4.1; Lee, Lee, No, Kim, IACR eprint 2020/834;
every p: theory/composition.py).

Two transformations trade some of that error for safety in rounded arithmetic, and both stay visible in a stage: a
cushion, the polynomial being best for [cushion u, u] only and recentred about the true l, keeps p(x)/x away from zero;
a safety factor s, p(x / s) in place of p(x), keeps values up to s u from running away.  The recursion follows
what they do to the interval.

Plain float64, relatively accurate at both ends: while l is small it is carried itself, since 1 - E would lose its
digits; once it is not, the spread is carried, which is exactly the previous error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import repeat
from math import atanh, log
from threading import Lock

from matfun.host import host_constant
from matfun.polynomials.minimax import minimax
from matfun.polynomials.update import Polynomial

CUSHION = 0.024073274241827595
"""Left end at which the quintic scaled to maximum 1 has p(l) = 0.1, that is (1 - E)/(1 + E) = 0.1.

The cushion of the table published with arXiv 2505.16932 (there 0.02407327424182761).
"""

EXACT_BELOW = 2.0**-53
"""Error from which on a polynomial is the Taylor one to double precision."""

WORTH_A_PASS = 2.0
"""Forming R costs a pass over the Gram matrix; a rounding error that is not halved is not worth it."""

SAFETY_WHILE_ERROR_ABOVE = 0.25
"""A safety factor in every step would shift the limit; below this error values above u stay in the basin of 1."""


@dataclass(frozen=True)
class Interval:
    """Where the singular values lie, with the digits of both ends.

    Attributes
    ----------
    lower, upper : float
    spread : float
        (upper - lower)/(upper + lower), which keeps its digits where the ends come together.
    """

    lower: float
    upper: float
    spread: float

    @property
    def width(self) -> float:
        """log(upper / lower): all that the best error depends on, and grows with."""
        return 2 * atanh(self.spread) if self.spread < 0.5 else log(self.upper / self.lower)


@dataclass(frozen=True)
class Stage:
    """One polynomial of a composition, the interval it was made for, and how it was made.

    Attributes
    ----------
    best : tuple of float
        Of 1, x^p, ..., x^(p q): best on [fitted, upper].
    lower, upper : float
        The singular values before this step lie in [lower, upper].
    error : float
        sup |1 - x h(x^p)| over that interval, so the values after the step lie in [1 - error, 1 + error].
    fitted : float
        Left end of the interval that ``best`` is best for: ``lower``, or cushion times ``upper``.
    recentring : float
        Factor that puts the image of [lower, upper] back about 1 after a cushion; 1 without.
    safety : float
        Divisor of the argument; 1 for none.
    p : int
    """

    best: tuple[float, ...]
    lower: float
    upper: float
    error: float
    fitted: float
    recentring: float = 1.0
    safety: float = 1.0
    p: int = 2

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Of h as it is applied, in the gram basis: of x, x^3, x^5, ... in the polynomial for p = 2."""
        s = self.safety
        return tuple(c * self.recentring / s ** (1 + self.p * i) for i, c in enumerate(self.best))

    @property
    def degree(self) -> int:
        """2 q + 1, the degree in x for p = 2."""
        return 2 * len(self.best) - 1

    def __call__(self, x: float) -> float:
        """Evaluate x h(x^p)."""
        return _value(self.coefficients, x, self.p)

    def polynomial(self) -> Polynomial:
        """Return h in the basis that is the better one on the interval."""
        return in_better_basis(self.coefficients, self.in_residual(), self.lower, self.upper, self.p)

    def in_residual(self) -> Polynomial:
        """Return h in the residual basis, where it is made in that basis if no factor has changed it."""
        plain = self.recentring == self.safety == 1 and self.fitted == self.lower
        if plain and self.lower + self.upper == 2:
            return Polynomial(minimax(self.degree, (self.upper - self.lower) / 2, self.p, "residual")[0])
        return exactly_in_residual(self.coefficients)

    def without_safety(self) -> Stage:
        """The same polynomial of x itself: for the last of a fixed number of steps, which nothing follows."""
        if self.safety == 1:
            return self
        plain = replace(self, safety=1.0)
        return replace(plain, error=1 - plain(self.lower))


def exactly_in_residual(coefficients: tuple[float, ...]) -> Polynomial:
    """Change of basis with each coefficient rounded once: the sums cancel."""
    fractions = Polynomial(tuple(map(Fraction, coefficients)), "gram").in_basis("residual").coefficients
    return Polynomial(tuple(map(float, fractions)))


def in_better_basis(
    coefficients: tuple[float, ...], residual: Polynomial, lower: float, upper: float, p: int
) -> Polynomial:
    """H in the gram basis, or in the residual one where that amplifies rounding much less on [lower, upper].

    The sizes compared are the sums of the moduli of the terms; near 1 R vanishes.
    """
    gram, g = Polynomial(coefficients, "gram"), max(abs(lower), abs(upper)) ** p
    r = max(abs(1 - lower**p), abs(1 - upper**p))
    sizes = [sum(abs(c) * s**i for i, c in enumerate(h.coefficients)) for h, s in ((gram, g), (residual, r))]
    return residual if sizes[1] * WORTH_A_PASS < sizes[0] else gram


def _value(coefficients: tuple[float, ...], x: float, p: int) -> float:
    value, power = 0.0, x**p
    for c in reversed(coefficients):
        value = value * power + c
    return value * x


def start(lower: float, upper: float = 1.0) -> Interval:
    """Interval of the singular values before the first step."""
    return Interval(lower, upper, (upper - lower) / (upper + lower))


def next_stage(
    interval: Interval, degree: int, cushion: float = 0.0, safety: float = 1.0, p: int = 2
) -> tuple[Stage, Interval]:
    """One step of the recursion: the polynomial for an interval, and the interval it leaves.

    Parameters
    ----------
    interval : Interval
    degree : int
        One of ``minimax.DEGREES``.
    cushion, safety : float
        As for ``compose``.
    p : int
    """
    lower, upper = interval.lower, interval.upper
    cushioned = lower < cushion * upper
    fitted = cushion * upper if cushioned else lower
    centre = (upper + fitted) / 2
    scaled, error = minimax(degree, (1 - cushion) / (1 + cushion) if cushioned else interval.spread, p)
    best = tuple(c / centre ** (1 + p * i) for i, c in enumerate(scaled))
    image = _value(best, lower, p)
    recentring = 2 / (image + 1 + error) if cushioned else 1.0
    if cushioned:
        image *= recentring
        error = 1 - image
    stage = Stage(best, lower, upper, error, fitted, recentring, p=p)
    if safety > 1 and error > SAFETY_WHILE_ERROR_ABOVE:
        stage = replace(stage, safety=safety)
        low, high = stage(lower), 1 + error
        return replace(stage, error=1 - low), Interval(low, high, (high - low) / (high + low))
    # the smaller of l and 1 - l is the one known to full relative accuracy
    if error > 0.5:
        return stage, Interval(image, 2 - image, 1 - image)
    return stage, Interval(1 - error, 1 + error, error)


def compose(
    lower: float, upper: float, degrees: Iterable[int], cushion: float = 0.0, safety: float = 1.0, p: int = 2
) -> Iterator[Stage]:
    """Yield the stages of the greedy composition.

    Parameters
    ----------
    lower, upper : float
        0 < lower <= upper: the singular values of the start lie between them.
    degrees : iterable of int
        Degree 2 q + 1 of every step, each one of ``minimax.DEGREES``; ``itertools.repeat(5)`` never ends.
    cushion : float
        No polynomial is designed for an interval wider than [cushion * u, u]; where that makes a
        difference the polynomial is rescaled so that p(l) and the largest value lie symmetrically about 1.  Keeps
        p(x)/x away from zero, which backward stability needs; 0 is the plain minimax composition.
    safety : float
        p(x / safety) is applied in place of p(x), while the error is above 1/4; 1 for none.
    p : int
        1 for the inverse, 2 for polar factor, sign and square roots.

    Yields
    ------
    Stage
        Stops changing (Taylor polynomial, error 0) once the error underflows.
    """
    interval = start(lower, upper)
    for degree in degrees:
        stage, interval = next_stage(interval, degree, cushion, safety, p)
        yield stage


Key = tuple[int, float, float, float, int]

_designed: dict[Key, list[Stage]] = {}
_designers: dict[Key, Iterator[Stage]] = {}
_lock = Lock()


def stage_of(degree: int, lower: float, cushion: float, step: int, safety: float = 1.0, p: int = 2) -> Stage:
    """Return one stage of the composition of one degree for [lower, 1], designed once and remembered.

    Parameters
    ----------
    degree : int
    lower, cushion : float
    step : int
        0 for the first; steps after the error has fallen below ``EXACT_BELOW`` all get that last stage.
    safety : float
    p : int
    """
    key = (degree, lower, cushion, safety, p)
    index = _design(key, step)
    return _designed[key][index]


@host_constant
def _design(key: Key, step: int) -> int:
    degree, lower, cushion, safety, p = key
    with _lock:
        known = _designed.setdefault(key, [])
        source = _designers.setdefault(key, compose(lower, 1.0, repeat(degree), cushion, safety, p))
        while len(known) <= step and not (known and known[-1].error < EXACT_BELOW):
            known.append(next(source))
        return min(step, len(known) - 1)
