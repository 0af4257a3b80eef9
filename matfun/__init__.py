"""matfun: matrix functions by iterations made of matrix products, on any array library.

The classes of all registered rules are attributes too, ``matfun.PolarExpress`` for example; they are found by walking
``matfun/rules``, so that a new rule is one new file.
"""

from typing import Any

from matfun.functions.design import design
from matfun.functions.design_on_spectrum import design_on_spectrum
from matfun.functions.estimate_singular_values import SingularValueEstimate, estimate_singular_values
from matfun.functions.estimate_spectrum import estimate_spectrum
from matfun.functions.estimate_trace import estimate_trace
from matfun.functions.hermitian_function import hermitian_function
from matfun.functions.inverse import invm
from matfun.functions.inverse_root import invrootm
from matfun.functions.methods import methods
from matfun.functions.orthogonalize import orthogonalize
from matfun.functions.orthogonalize_each import orthogonalize_each
from matfun.functions.polar import polar
from matfun.functions.sign import signm
from matfun.functions.simulate import Curve, simulate
from matfun.functions.sketch import sketch
from matfun.functions.spectral import EighResult, SvdResult, eigh_via_polar, svd_via_polar
from matfun.functions.square_root import invsqrtm, sqrtm, sqrtm_pair
from matfun.lab.compare import Comparison, compare
from matfun.polynomials.chebyshev import ChebyshevSeries, chebyshev
from matfun.polynomials.measure import SpectralMeasure
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial
from matfun.result import (
    Certificate,
    ConvergenceError,
    ConvergenceWarning,
    History,
    Info,
    PolarResult,
    SquareRootPair,
    Status,
)
from matfun.rules.published import preset, presets
from matfun.rules.rule import ResidualView, Rule, registered, rule
from matfun.rules.schedule import Schedule
from matfun.sketching.trace import TraceEstimate

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "ChebyshevSeries",
    "Comparison",
    "ConvergenceError",
    "ConvergenceWarning",
    "Curve",
    "EighResult",
    "ExactRoot",
    "History",
    "Info",
    "PartialFractions",
    "PolarResult",
    "Polynomial",
    "ResidualView",
    "Rule",
    "Schedule",
    "SingularValueEstimate",
    "SpectralMeasure",
    "SquareRootPair",
    "Status",
    "SvdResult",
    "TraceEstimate",
    "chebyshev",
    "compare",
    "design",
    "design_on_spectrum",
    "eigh_via_polar",
    "estimate_singular_values",
    "estimate_spectrum",
    "estimate_trace",
    "hermitian_function",
    "invm",
    "invrootm",
    "invsqrtm",
    "methods",
    "orthogonalize",
    "orthogonalize_each",
    "polar",
    "preset",
    "presets",
    "rule",
    "signm",
    "simulate",
    "sketch",
    "sqrtm",
    "sqrtm_pair",
    "svd_via_polar",
]


def __getattr__(name: str) -> Any:
    for entry in registered().values():
        if getattr(entry.make, "__name__", None) == name:
            return entry.make
    raise AttributeError(f"module 'matfun' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *(entry.make.__name__ for entry in registered().values())})
