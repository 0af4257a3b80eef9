"""What the methods are and what they cost, read off their own simulation."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

import matfun
from matfun.rules.rule import registered


def is_factorisation(h: Any) -> bool:
    """Whether a step is a factorisation: its price is not a number of products."""
    return isinstance(h, (matfun.ExactRoot, matfun.PartialFractions))


def spent(curve: matfun.Curve) -> np.ndarray:
    """Products spent before the first and after every step, shape (steps + 1,).

    One for the Gram matrix, one for X h and those that form h; what a rule spends on fitting is the same in every step,
    and is what is left of the total.
    """
    steps = len(curve.updates)
    if steps == 0:
        return np.zeros(1)
    own = np.asarray([_own_price(h) for h in curve.updates])
    return np.concatenate([[0.0], np.cumsum(own + (curve.products - own.sum()) / steps)])


def _own_price(h: Any) -> float:
    if isinstance(h, matfun.PartialFractions):
        return 1.0 + len(h.weights) + (len(h.higher) > 0)
    return 2.0 + getattr(h, "symmetric_products", 0)


@dataclass(frozen=True)
class Method:
    """A registered method in one line.

    Attributes
    ----------
    name : str
    summary : str
        First line of its docstring.
    products, thin_products : int
        Of one step.
    factorises : bool
        Whether its first step is a factorisation instead.
    converges : bool
        Whether its limit is the function.
    """

    name: str
    summary: str
    products: int
    thin_products: int
    factorises: bool
    converges: bool

    @property
    def price(self) -> str:
        """Price of one step in words."""
        if self.factorises:
            return "a factorisation"
        thin = f" + {self.thin_products} thin" if self.thin_products else ""
        return f"{self.products} product{'s' * (self.products != 1)}{thin}"


MANY = np.linspace(0.5, 1.0, 64)
"""A spectrum of more values than a rule takes thin products."""


def describe(problem: str = "polar") -> list[Method]:
    """List the methods for a problem, sorted by name.

    Parameters
    ----------
    problem : {"polar", "sign", "sqrt", "invroot", "inv"}
        Prices of "invroot" are those of the inverse fourth root; first steps from the identity cost less.
    """
    entries = registered()
    found = []
    p = 4 if problem == "invroot" else None
    for name in matfun.methods(problem):
        curve = matfun.simulate(name, MANY, steps=1, rng=0, problem=problem, p=p)
        found.append(
            Method(
                name=name,
                summary=(inspect.getdoc(entries[name].make) or "").split("\n", 1)[0],
                products=curve.products,
                thin_products=curve.thin_products,
                factorises=is_factorisation(curve.updates[0]),
                converges=entries[name].converges,
            )
        )
    return found
