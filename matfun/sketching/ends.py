"""The ends of a spectrum as somebody has seen them: what is there, and beyond what nothing can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ends:
    """The ends of a spectrum, device scalars of shape (...).

    Attributes
    ----------
    smallest, largest : Scalar
        Ritz values, rounded outwards by at most the resolution of a grid, 2^-12 of what is searched; else inside.
    least, most : Scalar
        Bounds: outside of it, but for the probability that they were made for.
    """

    smallest: Any
    largest: Any
    least: Any
    most: Any

    def map(self, increasing: Callable[[Any], Any]) -> Ends:
        """Ends of an increasing function of the spectrum."""
        return Ends(*map(increasing, (self.smallest, self.largest, self.least, self.most)))

    def reversed(self, decreasing: Callable[[Any], Any]) -> Ends:
        """Ends of a decreasing function of the spectrum."""
        return Ends(*map(decreasing, (self.largest, self.smallest, self.most, self.least)))


def root(xp: Any, m: Any, p: int) -> Any:
    """m^(1/p), and 0 for what rounding has made negative."""
    m = xp.maximum(m, xp.zeros_like(m))
    return m if p == 1 else xp.sqrt(m) if p == 2 else m ** (1 / p)
