r"""A polynomial of degree 8 with three products, where Paterson-Stockmeyer takes four.

With $T = S^2$, $y = T(c_1 T + c_2 S)$ and $z = (y + c_3 T + c_4 S)(y + c_5 T) + c_6 y + c_7 T + c_8 S$, the
coefficients of $S^8, \dots, S$ in z are

$c_1^2,\; 2 c_1 c_2,\; c_2^2 + c_1 (c_3 + c_5),\; c_2 (c_3 + c_5) + c_1 c_4,\; c_2 c_4 + c_3 c_5 + c_1 c_6,\;
c_4 c_5 + c_2 c_6,\; c_7,\; c_8.$

Matched with $b_8, \dots, b_1$ from the top they give $c_1$, $c_2$, $s = c_3 + c_5$ and $c_4$; eliminating $c_6$ from
the fifth and the sixth leaves $c_2 c_5^2 + (c_1 c_4 - s c_2) c_5 + c_2 (b_4 - c_2 c_4) - c_1 b_3 = 0$.  There is no
such scheme where this has no real root, where $b_8 = 0$, or where $b_7 = b_5 = 0$; for $b_8 < 0$ the polynomial is
negated.

Source: Sastre, Linear Algebra Appl. 539 (2018), the scheme; the equations are derived again in theory/evaluation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def matched(coefficients: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Parameters (sign of b_8, c_1, ..., c_8), one tuple for each root of the quadratic.

    The sign is multiplied into c_3, c_4, c_6, c_7 and c_8.

    Parameters
    ----------
    coefficients : sequence of float
        b_0, ..., b_8; mpmath numbers give the parameters in their precision.

    Examples
    --------
    >>> from matfun.polynomials.degree_eight import matched
    >>> matched((0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0))[-1]  # (y + S)(y + T) with y = T (T + S)
    (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    """
    sign = 1.0 if coefficients[8] > 0 else -1.0
    _, b1, b2, b3, b4, b5, b6, b7, b8 = (sign * c for c in coefficients)
    c1 = b8**0.5
    if not c1:
        return []
    c2 = b7 / (2 * c1)
    s = (b6 - c2 * c2) / c1
    c4 = (b5 - c2 * s) / c1
    half, last = (c1 * c4 - s * c2) / 2, c2 * (b4 - c2 * c4) - c1 * b3
    discriminant = half * half - c2 * last
    if discriminant < 0:
        return []
    root = discriminant**0.5
    top = -half - root if half >= 0 else root - half  # nothing cancels
    found = []
    for c5 in ([top / c2] if c2 else []) + ([last / top] if top else []):
        c3 = s - c5
        # by the equation in which c_6 has the larger factor, so that its rounding is small in the other
        c6 = (b3 - c4 * c5) / c2 if abs(c2) > c1 else (b4 - c2 * c4 - c3 * c5) / c1
        found.append((sign, c1, c2, sign * c3, sign * c4, c5, sign * c6, sign * b2, sign * b1))
    return found


def form(
    parameters: Sequence[Any],
    S: Any,
    T: Any,
    scale: Callable[[Any, Any], Any],
    multiply: Callable[[Any, Any], Any],
) -> Any:
    """Form z.

    Parameters
    ----------
    parameters : sequence of float
        As ``matched`` returns them.
    S, T : array, shape (..., n, n)
        S and its square.
    scale, multiply : callable
        Product with a number, and of two polynomials in S; results are added by ``+``.
    """
    sign, c1, c2, c3, c4, c5, c6, c7, c8 = parameters
    y = multiply(T, scale(T, c1) + scale(S, c2))
    left = (y if sign > 0 else scale(y, sign)) + scale(T, c3) + scale(S, c4)
    return multiply(left, y + scale(T, c5)) + scale(y, c6) + scale(T, c7) + scale(S, c8)
