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
from itertools import islice
from math import atanh, log

from matfun.polynomials.certificate import value
from matfun.polynomials.minimax import minimax
from matfun.polynomials.update import Polynomial, exactly_in_residual, in_better_basis

CUSHION = 0.024073274241827595
"""Left end at which the quintic scaled to maximum 1 has p(l) = 0.1, that is (1 - E)/(1 + E) = 0.1.

The cushion of the table published with arXiv 2505.16932 (there 0.02407327424182761).
"""

DEFAULT_LOWER = 1e-3
"""Lower bound of the published table (arXiv 2505.16932), for runs of a fixed number of steps.

For the polar factor; an eigenvalue of M of 1e-6 for every p.
"""

EXACT_BELOW = 2.0**-53
"""Error from which on a polynomial is the Taylor one to double precision."""

ACCURATE_CUSHION = 0.1
"""Cushion of the paper's text (design for [u/10, u], arXiv 2505.16932, sec. 4.4), for accuracy-driven runs.

One step more than the published table's, and a backward error two to three times smaller, because p(x)/x stays above
0.65/u (benchmarks/stability.py).
"""

SAFETY = 1.01
"""Safety factor of the authors' code (arXiv 2505.16932, appendix)."""

SAFETY_WHILE_ERROR_ABOVE = 0.25
"""A safety factor in every step would shift the limit; below this error values a little above u stay in the basin of 1.

A choice between the two: any error below sqrt(7/3) - 1, the end of that basin for quintics, would do.
"""


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

    @property
    def image(self) -> Interval:
        """Where the values lie after the step."""
        plain = value(self.without_safety().coefficients, self.lower, self.p)
        if self.safety > 1:
            low, high = self(self.lower), 2 - plain
            return Interval(low, high, (high - low) / (high + low))
        # the smaller of l and 1 - l is the one known to full relative accuracy
        if self.error > 0.5:
            return Interval(plain, 2 - plain, 1 - plain)
        return Interval(1 - self.error, 1 + self.error, self.error)

    def __call__(self, x: float) -> float:
        """Evaluate x h(x^p)."""
        return value(self.coefficients, x, self.p)

    def polynomial(self) -> Polynomial:
        """Return h in the basis that is the better one on the interval."""
        gram = Polynomial(self.coefficients, "gram")
        return in_better_basis(gram, self.in_residual(), self.lower, self.upper, self.p)

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


def start(lower: float, upper: float = 1.0) -> Interval:
    """Interval of the singular values before the first step."""
    return Interval(lower, upper, (upper - lower) / (upper + lower))


def next_stage(interval: Interval, degree: int, cushion: float = 0.0, safety: float = 1.0, p: int = 2) -> Stage:
    """Polynomial for an interval; its ``image`` is the next one.

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
    recentring = 1.0
    if cushioned:
        image = value(best, lower, p)
        recentring = 2 / (image + 1 + error)
        error = 1 - image * recentring
    stage = Stage(best, lower, upper, error, fitted, recentring, p=p)
    if safety > 1 and error > SAFETY_WHILE_ERROR_ABOVE:
        stage = replace(stage, safety=safety)
        return replace(stage, error=1 - stage(lower))
    return stage


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
    yield from compose_from(start(lower, upper), degrees, cushion, safety, p)


def compose_from(
    interval: Interval, degrees: Iterable[int], cushion: float = 0.0, safety: float = 1.0, p: int = 2
) -> Iterator[Stage]:
    """``compose`` from an interval whose spread is known better than its ends."""
    for degree in degrees:
        stage = next_stage(interval, degree, cushion, safety, p)
        interval = stage.image
        yield stage


def stage_of(stages: Iterable[Stage], step: int) -> Stage:
    """Stage number ``step``, from 0, or the first one whose error is below ``EXACT_BELOW``."""
    for stage in islice(stages, step + 1):
        if stage.error < EXACT_BELOW:
            break
    return stage
