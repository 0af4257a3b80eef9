r"""Minimax polynomials for intervals whose ends only the device knows: interpolated in a table made on the host.

On $[1 - \delta, 1 + \delta]$ the best $x h(x^p)$, with $h = \sum_i H_i r^i$, has coefficients $H_i$ that are even
functions of $\delta$ (exchanging the ends of the interval changes the sign of the error and nothing else), and
analytic where l > 0.  The table holds Chebyshev series in $t = \delta^2$ of $(H_i - H_i(0))/t$, with the Taylor
coefficients $H_i(0)$, so that nothing is lost as the interval closes, and of $E/\delta^{q+1}$.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb, cos, pi, sqrt
from typing import Any

from matfun.host import host_constant
from matfun.polynomials.minimax import minimax
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial, Scalar

MOST_TERMS = 64

NEGLIGIBLE = 1e-14
"""Last terms of a series, relative to its largest, with which it counts as resolved: rounding of Remez's exchange."""


@dataclass(frozen=True)
class Table:
    """Chebyshev series for one degree and p.

    Attributes
    ----------
    taylor : tuple of float
        H_0(0), ..., H_q(0).
    series : tuple of tuple of float
        By the order of the Chebyshev polynomial in 2 t / widest^2 - 1: q + 1 corrections, and the error.
    widest : float
        Largest spread.
    p : int
    """

    taylor: tuple[float, ...]
    series: tuple[tuple[float, ...], ...]
    widest: float
    p: int


_tables: dict[tuple[int, int, float], Table] = {}


def table(degree: int, p: int, narrowest: float) -> Table:
    """Make the table for intervals with lower / upper >= narrowest, once.

    Parameters
    ----------
    degree : int
        2 q + 1 for h of degree q.
    p : int
    narrowest : float
        In (0, 1).
    """
    _make(degree, p, narrowest)
    return _tables[degree, p, narrowest]


@host_constant
def _make(degree: int, p: int, narrowest: float) -> bool:
    if (degree, p, narrowest) not in _tables:
        widest = (1 - narrowest) / (1 + narrowest)
        terms = 16
        while True:
            series = _series(degree, p, widest, terms)
            size = [max(abs(row[i]) for row in series) for i in range(degree // 2 + 2)]
            tail = max(abs(row[i]) / size[i] for row in series[-2:] for i in range(len(size)))
            if tail <= NEGLIGIBLE or terms >= MOST_TERMS:
                break
            terms += 8
        taylor = tuple(map(float, taylor_inverse_root(p, degree // 2)))
        _tables[degree, p, narrowest] = Table(taylor, series, widest, p)
    return True


@lru_cache(maxsize=64)
def _series(degree: int, p: int, widest: float, terms: int) -> tuple[tuple[float, ...], ...]:
    taylor = taylor_inverse_root(p, degree // 2)
    angles = [(k + 0.5) * pi / terms for k in range(terms)]
    rows = []
    for angle in angles:
        t = widest**2 * (1 + cos(angle)) / 2
        h, error = minimax(degree, sqrt(t), p, "residual")
        rows.append([*((c - c0) / t for c, c0 in zip(h, taylor, strict=True)), error / sqrt(t) ** (degree // 2 + 1)])
    return tuple(
        tuple(
            (1 if j == 0 else 2) / terms * sum(row[i] * cos(j * a) for row, a in zip(rows, angles, strict=True))
            for i in range(len(rows[0]))
        )
        for j in range(terms)
    )


def minimax_on_device(
    xp: Any, made: Table, rows: Any, orders: Any, lower: Scalar, upper: Scalar, basis: Basis
) -> Polynomial:
    r"""Best polynomial for [lower, upper], with its image; branch-free.

    Parameters
    ----------
    xp : namespace
    made : Table
    rows : array, shape (terms, q + 2)
        ``made.series`` in the dtype and on the device of the ends.
    orders : array, shape (terms,)
        0, 1, 2, ...
    lower, upper : array, shape (...)
        With a ratio of at least that of the table.
    basis : {"gram", "residual"}
        The gram basis keeps its digits on an interval near 0, the residual basis on one near 1.

    Returns
    -------
    Polynomial
        Its ``image`` is (1 - E, 1 + E).
    """
    centre, spread = (lower + upper) / 2, (upper - lower) / (upper + lower)
    t = spread * spread
    place = xp.clip(2 * t / made.widest**2 - 1, -1.0, 1.0)
    values = xp.sum(xp.cos(xp.acos(place)[..., None] * orders)[..., None] * rows, axis=-2)  # of full precision anywhere
    q = len(made.taylor) - 1
    h = [made.taylor[i] + t * values[..., i] for i in range(q + 1)]
    error = values[..., q + 1] * spread ** (q + 1)
    scale, image = centre**made.p, (1 - error, 1 + error)  # x = centre y
    if basis == "gram":
        c = Polynomial(tuple(h)).in_basis("gram").coefficients
        return Polynomial(tuple(c[i] / (centre * scale**i) for i in range(q + 1)), "gram", image)
    # h(1 - y^p) with 1 - y^p = (r - (1 - centre^p)) / centre^p, expanded in r
    shift, scaled = scale - 1, [h[i] / (centre * scale**i) for i in range(q + 1)]
    coefficients = tuple(
        sum((comb(i, j) * scaled[i] * shift ** (i - j) for i in range(j + 1, q + 1)), start=scaled[j])
        for j in range(q + 1)
    )
    return Polynomial(coefficients, "residual", image)
