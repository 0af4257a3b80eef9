r"""What the rational twins share: polynomials in exact fractions, and the price of a sum of partial fractions.

A rational rule applies $h(g) = w(g) + \sum_j w_j/(g + s_j)$ to $G = X^H X = I - R$, w a polynomial (a constant
for most), $s_j > 0$.  A term $X(G + sI)^{-1}$ comes from a Cholesky factorisation of $G + sI$, whose condition
is at most $(1 + s)/s$, or for smaller s from a QR factorisation of $[X; \sqrt s I]$, which never forms G.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from theory.scalar import Number, symmetric_products

CHOLESKY_FROM = 0.01
"""Least shift that is left to Cholesky: c <= 100 in the notation of Nakatsukasa, Bai and Gygi (2010)."""


def price(shifts: Sequence[Number], degree: int = 0, *, plain: int = 0) -> dict[str, int]:
    """Products and factorisations of one step of the polar problem on a square matrix.

    The Gram matrix is that of the residual, which every step looks at; Cholesky factorisations share it.

    Parameters
    ----------
    shifts : sequence of numbers
        Positive.
    degree : int
        Of the polynomial part in G.
    plain : int
        Terms with shift zero: solves with X itself.
    """
    qr = sum(s < CHOLESKY_FROM for s in shifts)
    return {
        "gram": 1,
        "symm": symmetric_products(degree),
        "apply": int(degree > 0),
        "thin": 0,
        "qr": qr,
        "cholesky": len(shifts) - qr,
        "solve": plain,
    }


def multiply(a: Sequence[Number], b: Sequence[Number]) -> list[Number]:
    """Coefficients of the product of two polynomials, from the constant up."""
    product: list[Number] = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] = product[i + j] + x * y
    return product


def power(a: Sequence[Number], exponent: int) -> list[Number]:
    """Coefficients of the power of a polynomial."""
    product: list[Number] = [Fraction(1)]
    for _ in range(exponent):
        product = multiply(product, a)
    return product


def reflected(a: Sequence[Number]) -> list[Number]:
    """Coefficients in g of the polynomial a(1 - g), by Horner's rule."""
    result: list[Number] = [a[-1]]
    for c in a[-2::-1]:
        result = multiply(result, (1, -1))
        result[0] = result[0] + c
    return result


def divide(a: Sequence[Number], b: Sequence[Number]) -> tuple[list[Number], list[Number]]:
    """Quotient and remainder; the quotient is [0] where a has the lower degree."""
    rest, quotient = list(a), [Fraction(0)] * max(1, len(a) - len(b) + 1)
    for k in range(len(a) - len(b), -1, -1):
        quotient[k] = rest[k + len(b) - 1] / b[-1]
        for i, c in enumerate(b):
            rest[k + i] = rest[k + i] - quotient[k] * c
    return list(quotient), rest[: len(b) - 1]
