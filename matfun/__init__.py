"""matfun: matrix functions by iterations made of matrix products, on any array library.

The classes of all registered rules are attributes too, ``matfun.PolarExpress`` for example; they are found by walking
``matfun/rules``, so that a new rule is one new file.
"""

from typing import Any

from matfun.functions.methods import methods
from matfun.functions.orthogonalize import orthogonalize
from matfun.functions.polar import polar
from matfun.functions.simulate import Curve, simulate
from matfun.lab.compare import Comparison, compare
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial
from matfun.result import (
    Certificate,
    ConvergenceError,
    ConvergenceWarning,
    History,
    Info,
    PolarResult,
    Status,
)
from matfun.rules.rule import ResidualView, Rule, registered, rule

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Comparison",
    "ConvergenceError",
    "ConvergenceWarning",
    "Curve",
    "ExactRoot",
    "History",
    "Info",
    "PartialFractions",
    "PolarResult",
    "Polynomial",
    "ResidualView",
    "Rule",
    "Status",
    "compare",
    "methods",
    "orthogonalize",
    "polar",
    "rule",
    "simulate",
]


def __getattr__(name: str) -> Any:
    for entry in registered().values():
        if getattr(entry.make, "__name__", None) == name:
            return entry.make
    raise AttributeError(f"module 'matfun' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(entry.make.__name__ for entry in registered().values())})
