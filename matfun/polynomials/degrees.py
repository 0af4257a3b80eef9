"""Degrees of the steps: the fewest products for an error, the least error for a price, the widest interval.

The error after a step grows with the width log(u/l) of the interval before it, so of all schedules that have spent k
products only the one with the narrowest interval can be continued to the best one: dynamic programming over k is exact
(theory/composition.py; for p = 2 Lee, Lee, No, Kim, IACR eprint 2020/834).  With a cushion too: the polynomial for it
does not depend on l and rises up to the cushion, where the two cases meet.  With a safety factor that the width
after a step grows with the one before is observed, not proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from scipy.optimize import brentq

from matfun.polynomials.composition import Interval, Stage, compose, next_stage
from matfun.polynomials.update import Polynomial

MOST_PRODUCTS = 200
"""Cubic steps alone reach 1e-15 from l = 1e-300 with fewer."""

SHORTEST = -(2.0**-50)
"""Logarithm of the largest left end: closer to 1 an interval has only a few floats."""

SMALLEST_ERROR = 1e-300
"""Errors that underflow count as this one."""


def price_of(h: Polynomial, p: int) -> int:
    """Full-size products of a step with this h: the residual, h, and what h is applied to.

    Polar factor, sign and inverse: 2 and those of h.  Inverse p-th root, p > 2: X h, h^p by repeated squaring and its
    product with M.  Coupled square roots take one more than the polar factor.
    """
    power = p.bit_length() + p.bit_count() - 2 if p > 2 else 0
    return 2 + power + h.symmetric_products


def least_errors(
    interval: Interval, degrees: Sequence[int], products: int, cushion: float, safety: float, p: int
) -> list[list[Stage] | None]:
    """Best schedule of exactly k products for k = 0, ..., ``products``, its last step without safety factor.

    Parameters
    ----------
    interval : Interval
        Of the start.
    degrees : sequence of int
        Those that a step may have.
    products : int
    cushion, safety : float
        As for ``composition.compose``.
    p : int

    Returns
    -------
    list
        None where no sequence of steps has that price.
    """
    search = _Search(interval, degrees, cushion, safety, p)
    for _ in range(products + 1):
        search.advance()
    return search.finished[: products + 1]


def fewest_products(
    interval: Interval, degrees: Sequence[int], target: float, cushion: float, safety: float, p: int
) -> list[Stage] | None:
    """Schedule with the fewest products whose error is at most ``target``; of those the one with the least error.

    Parameters are those of ``least_errors``; None if no schedule of up to ``MOST_PRODUCTS`` reaches the target.
    """
    search = _Search(interval, degrees, cushion, safety, p)
    for _ in range(MOST_PRODUCTS):
        stages = search.advance()
        if stages is not None and stages[-1].error <= target:
            return stages
    return None


class _Search:
    """Best way to have spent k products, for one k after the other."""

    def __init__(self, interval: Interval, degrees: Sequence[int], cushion: float, safety: float, p: int) -> None:
        self._degrees, self._options = degrees, (cushion, safety, p)
        self._reached: dict[int, tuple[Interval, list[Stage]]] = {0: (interval, [])}
        self._k = 0
        self._ended: dict[int, list[Stage]] = {}
        self.finished: list[list[Stage] | None] = []

    def advance(self) -> list[Stage] | None:
        """Look at the next k: return the best schedule of that price, and extend the best way there by one step."""
        k = self._k
        self._k += 1
        self.finished.append(self._ended.get(k))
        if k in self._reached:
            interval, stages = self._reached[k]
            for degree in self._degrees:
                stage = next_stage(interval, degree, *self._options)
                spent = k + price_of(Polynomial(stage.coefficients, "gram"), stage.p)
                last, after = stage.without_safety(), stage.image
                if spent not in self._ended or last.error < self._ended[spent][-1].error:
                    self._ended[spent] = [*stages, last]
                if spent not in self._reached or after.width < self._reached[spent][0].width:
                    self._reached[spent] = (after, [*stages, stage])
        return self.finished[k]


def widest_left_end(degrees: Sequence[int], error: float, cushion: float, safety: float, p: int) -> float:
    """Smallest l for which the composition of these degrees takes [l, 1] to [1 - error, 1 + error].

    The delta-orthogonalisation of CANS (Grishina, Smirnov, Rakhuba, arXiv 2506.10935); error in (0, 1).
    """

    def excess(log_lower: float) -> float:
        *_, last = compose(exp(log_lower), 1.0, degrees, cushion, safety, p)
        return log(max(last.without_safety().error, SMALLEST_ERROR) / error)

    low = -1.0
    while excess(low) < 0:
        low *= 2
    high = low / 2 if low < -1 else -1.0
    while excess(high) > 0:
        high /= 2
        if high > SHORTEST:
            raise ValueError(f"target: {len(degrees)} steps reach {error:g} from no interval of floats below 1")
    found, nudge = float(brentq(excess, low, high, xtol=1e-15, rtol=1e-14)), 1e-14
    while excess(found) > 0:  # rounding, and jumps where a safety factor sets in, can leave it on the wrong side
        found, nudge = found * (1 - nudge), 2 * nudge
    return exp(found)
