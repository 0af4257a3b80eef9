r"""Gram form: where the iteration on the Gram matrix has to go back to X, and whether it is worth while.

With G = X^H X the iteration runs on two n x n matrices, $Q \leftarrow Q h(R)$ and $G \leftarrow h(R)\,G\,h(R)$, and X
is touched at the two ends of a block only: a Gram product and X Q.  What the standard form forms anew at every step is
carried here, with its rounding.  The error of G, of relative size u, is a spurious eigenvalue where the true one is
zero, negative as often as not, and every step multiplies it by h(1)^2: after a few steep steps it leaves the region of
convergence.  A restart forms X Q and a fresh G.

Where to restart is found by a simulation on the spectrum alone: each value of it is followed with errors of the size
of the working precision added to everything that is rounded, in the Gram form and in the standard form.  The fewest
restarts are taken with which no value is off by much more than some value above it is in the standard form.
Source of the form and of the idea of the simulation: Gram Newton-Schulz (Dao AI Lab, 2026,
dao-ailab.github.io/blog/2026/gram-newton-schulz); the criterion is ours.  Price: theory/gram_form.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import isinf, prod
from typing import Any, TypeAlias

import numpy as np

from matfun.host import host_constant
from matfun.polynomials.update import Basis, Polynomial

Values: TypeAlias = np.ndarray[Any, Any]

LARGEST_EXCESS = 8.0
"""The Gram form may amplify errors by this factor more than the standard form: three bits."""

LARGEST_ERROR = 7 / 16
"""No error may grow beyond this, unless it does so in the standard form: values that are zero up to rounding grow to 1
in many steps, in both.  Below a half; with 3/8 bfloat16 would restart before every step but one.  Muon's constants, for
which they are used, leave a band of 0.32 themselves."""

LARGEST_STANDARD_ERROR = 4.0
"""Values stay below 2; where errors are larger the standard form itself runs away and says nothing of what is safe."""

LARGEST_GROWTH = 50.0
"""Of Q in a block.  Rounding couples large and small values, which the simulation does not see; errors of u ||Q|| come
of it.  Two steps of the steepest quintic grow by 34; Gram Newton-Schulz keeps the condition of Q below about 100."""

EXCESSES = (1.0, 2.0, 4.0, LARGEST_EXCESS)
"""Tried in this order; of equally many restarts those that amplify least are taken."""

SMALLEST_ASPECT = 1.5
"""Of m/n: below it the Gram form of five quintic steps saves nothing (14 + 6 a products of half price against
5 + 15 a with one restart; 14 + 4 a against 5 + 10 a at full price)."""

LARGEST_VALUE = 0.5**0.25
"""Spectrum that is followed: up to the largest value that two equal ones can have after the scaling by ||G^2||_F^(1/4).

At 1, which only a matrix of rank one reaches, steep polynomials have slopes that hide everything else."""


@dataclass(frozen=True)
class Prices:
    """What a product costs, in multiplications of an n x n matrix with another; ``Ops.symmetric_prices``.

    Parameters
    ----------
    aspect : float
        m / n.
    gram, square, commuting : float
        Of X^H X for a square X, of S^2, and of two matrices whose product is known to be Hermitian.
    """

    aspect: float
    gram: float
    square: float
    commuting: float

    def polynomial(self, products: int) -> float:
        """Of forming h: the first product is a square."""
        return 0.0 if products == 0 else self.square + (products - 1) * self.commuting

    def standard(self, products: Sequence[int]) -> float:
        """Of steps of the standard form, whose h take so many products."""
        return sum(self.aspect * (self.gram + 1) + self.polynomial(k) for k in products)

    def block(self, products: Sequence[int]) -> float:
        """Of steps of the Gram form between two restarts; one step alone is a step of the standard form."""
        carried = len(products) - 1
        own = sum(map(self.polynomial, products)) + carried * (self.square + 2 * self.commuting)
        return self.aspect * (self.gram + 1) + own - (self.commuting if carried else 0.0)


@host_constant
def plan_restarts(
    updates: tuple[tuple[Basis, tuple[float, ...]], ...],
    unit_roundoff: float,
    aspect: float,
    gram: float = 1.0,
    square: float = 1.0,
    commuting: float = 1.0,
) -> tuple[int, ...] | None:
    """Steps before which the Gram form restarts; None where the standard form is no dearer.

    Parameters
    ----------
    updates : tuple of (basis, coefficients)
    unit_roundoff : float
        Of the matrices.
    aspect, gram, square, commuting : float
        See ``Prices``; an infinite aspect leaves only plans with fewer Gram products than steps.
    """
    return _plan(updates, unit_roundoff, Prices(aspect, gram, square, commuting))


@lru_cache(maxsize=2**10)
def _plan(
    updates: tuple[tuple[Basis, tuple[float, ...]], ...], unit_roundoff: float, prices: Prices
) -> tuple[int, ...] | None:
    polynomials = [Polynomial(c, basis) for basis, c in updates]
    standard = envelope(errors(polynomials, unit_roundoff, tuple(range(1, len(polynomials)))))
    if not standard[0] <= LARGEST_STANDARD_ERROR:
        return None
    plans = [_restarts(polynomials, unit_roundoff, allowed(standard, excess)) for excess in EXCESSES]
    found = [plan for plan in plans if plan is not None]
    products = [h.symmetric_products for h in polynomials]
    if isinf(prices.aspect):
        return min((plan for plan in found if len(plan) + 1 < len(products)), key=len, default=None)

    def price(restarts: tuple[int, ...]) -> float:
        return sum(prices.block(products[a:b]) for a, b in pairwise((0, *restarts, len(products))))

    cheaper = [plan for plan in found if price(plan) < prices.standard(products)]
    return min(cheaper, key=price, default=None)


def _restarts(updates: Sequence[Polynomial], u: float, most: Values) -> tuple[int, ...] | None:
    """Blocks as long as the errors allow, from the first step on, whatever follows being in standard form."""
    steps = len(updates)
    slopes = [abs(float(h(1.0))) for h in updates]
    restarts: tuple[int, ...] = ()
    start = 0
    while start < steps:
        end = next(
            (
                b
                for b in range(steps, start, -1)
                if (b == start + 1 or prod(slopes[start:b]) <= LARGEST_GROWTH)
                and np.all(errors(updates, u, (*restarts, *range(b, steps))) <= most)
            ),
            None,
        )
        if end is None:
            return None
        if end < steps:
            restarts = (*restarts, end)
        start = end
    return restarts


def envelope(error: Values) -> Values:
    """Of each value the largest error of those that are not smaller."""
    return np.maximum.accumulate(error[::-1])[::-1]


def allowed(standard: Values, excess: float) -> Values:
    """Largest errors of the Gram form beside those of the standard form."""
    return np.minimum(excess * standard, np.maximum(standard, LARGEST_ERROR))


def spectrum() -> Values:
    """Values that are followed, in ascending order."""
    small, even = np.geomspace(1e-6, LARGEST_VALUE, 61), np.linspace(0.0, LARGEST_VALUE, 60)
    return np.unique(np.concatenate([small, even]))


def errors(updates: Sequence[Polynomial], u: float, restarts: tuple[int, ...]) -> Values:
    """Errors of the final values when errors of size u, of either sign, enter wherever something is rounded.

    Parameters
    ----------
    updates : sequence of Polynomial
    u : float
    restarts : tuple of int
        (1, ..., steps - 1) is the standard form.
    """
    sigmas = exact = spectrum()
    worst = np.zeros_like(sigmas)
    with np.errstate(over="ignore", invalid="ignore"):
        for h in updates:
            exact = exact * h(1 - exact * exact)
        for of_gram, of_h in ((u, u), (u, -u), (-u, u), (-u, -u)):
            error = np.abs(_followed(updates, of_gram, of_h, restarts, sigmas) - exact)
            worst = np.maximum(worst, np.where(np.isfinite(error), error, np.inf))
    return worst


def _followed(updates: Sequence[Polynomial], u: float, v: float, restarts: tuple[int, ...], x: Values) -> Values:
    """Values after the steps, u relative to the largest one added to G and X, and v to h and Q."""
    q = g = np.ones_like(x)
    for k, h in enumerate(updates):
        if k == 0 or k in restarts:
            x = x * q + (u * np.max(np.abs(x)) * np.max(np.abs(q)) if k else 0.0)
            g = x * x + u * np.max(x * x)
            q = np.ones_like(x)
        value = h(1 - g)
        value = value + v * np.max(np.abs(value))
        q, g = q * value, g * value * value
        q, g = q + v * np.max(np.abs(q)), g + u * np.max(np.abs(g))
    return np.asarray(x * q + u * np.max(np.abs(x)) * np.max(np.abs(q)))
