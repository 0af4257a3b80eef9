"""What a call will cost: seconds of the verbs that dominate it, measured once per library and dtype.

``costs.json`` is written by ``python benchmarks/auto.py measure``; between its sizes times are interpolated in the
logarithms, beyond them they grow with the cube of the size.  Only ratios matter, so that the figures of another machine
of the same kind do.  Tall matrices: a verb on m x n costs m/n times what it does on n x n.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise, repeat
from math import exp, log
from typing import Any

from matfun.ops import Array, Ops
from matfun.polynomials.composition import ACCURATE_CUSHION, compose

EMPIRICAL_ACCURATE_STEP = 1.5e-4
"""Seconds of a step of an accuracy-driven run beyond what "step" measures: the norm that is looked at on the host, and
the watch over it (128 x 32 and smaller on NumPy: 0.2 to 0.3 ms a step in all)."""


def seconds(ops: Ops, A: Array, verb: str, n: int) -> float:
    """Seconds that a verb takes on an n x n matrix of the library and dtype of A.

    Parameters
    ----------
    ops : Ops
    A : array
    verb : {"product", "gram", "svd", "eigh", "inverse", "qr", "cholesky", "schur", "step"}
        "step" is what a step of a polynomial rule takes beyond its products.
    n : int
    """
    return _seconds(ops.library or "", str(A.dtype).endswith(("float32", "complex64")), verb, n)


@lru_cache(maxsize=2**12)
def _seconds(library: str, single: bool, verb: str, n: int) -> float:
    table = _table()
    points = table.get(library, table["numpy"])["float32" if single else "float64"][verb]
    return _interpolated(sorted((int(size), t) for size, t in points.items()), n)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("matfun.functions").joinpath("costs.json").read_text())["seconds"]
    return found


def _interpolated(points: list[tuple[int, float]], n: int) -> float:
    if n <= points[0][0]:
        return points[0][1]
    for (a, s), (b, t) in pairwise(points):
        if n <= b:
            w = log(n / a) / log(b / a)
            return float(exp((1 - w) * log(s) + w * log(t)))
    size, t = points[-1]
    return float(t * (n / size) ** 3)


@lru_cache(maxsize=2**10)
def polar_express_steps(lower: float, residual: float) -> int:
    """Steps of accuracy-driven Polar Express from a lower bound to a residual."""
    stages = compose(lower, 1.0, repeat(5, 64), ACCURATE_CUSHION)
    return next((k for k, stage in enumerate(stages, 1) if 2 * stage.error <= residual), 64)


def polar_by_products(ops: Ops, A: Array, lower: float, residual: float) -> float:
    """Seconds of Polar Express told its lower bound.

    A Gram matrix, its square and X h a step; a last look, and one product that squares what it saw.
    """
    n, tall = A.shape[-1], _aspect(A)
    gram, product = seconds(ops, A, "gram", n), seconds(ops, A, "product", n)
    step = tall * (gram + product) + gram + seconds(ops, A, "step", n) + EMPIRICAL_ACCURATE_STEP
    return float(polar_express_steps(lower, residual) * step + tall * (gram + product))


def polar_by_svd(ops: Ops, A: Array) -> float:
    """Seconds of the SVD, and of U V^H."""
    n = A.shape[-1]
    return float(seconds(ops, A, "svd", n) + _aspect(A) * seconds(ops, A, "product", n))


def _aspect(A: Array) -> float:
    return float(A.shape[-2] / A.shape[-1])


def bound(ops: Ops, A: Array) -> float:
    """Seconds of the estimate of the smallest singular value: a Gram matrix and its Cholesky factor."""
    n = A.shape[-1]
    return float(_aspect(A) * seconds(ops, A, "gram", n) + seconds(ops, A, "cholesky", n))


def general_by_newton(ops: Ops, A: Array, steps: int, products: int) -> float:
    """Seconds of Newton's iteration: an inverse and some products a step."""
    n = A.shape[-1]
    step = seconds(ops, A, "inverse", n) + products * seconds(ops, A, "product", n) + seconds(ops, A, "step", n)
    return steps * step
