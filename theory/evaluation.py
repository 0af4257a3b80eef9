r"""Evaluation schemes of polynomials: prices, the degree-8 scheme derived, and amplification as a derivative.

Degree 8 with three products.  With

$T = S^2,\quad y = T (c_1 T + c_2 S),\quad z = (y + c_3 T + c_4 S)(y + c_5 T) + c_6 y + c_7 T + c_8 S$

there are eight parameters for eight coefficients $b_8, \dots, b_1$ (Sastre, Linear Algebra Appl. 539, 2018; a term
$e S$ in the second factor would be a ninth parameter).  Multiplied out:

* $b_8 = c_1^2$ and $b_7 = 2 c_1 c_2$: $y = c_1 S^4 + c_2 S^3$ is determined up to its sign, which changes nothing;
* $b_6 = c_2^2 + c_1 s$ with $s = c_3 + c_5$, $b_5 = c_2 s + c_1 c_4$: linear;
* $b_4 = c_2 c_4 + c_3 c_5 + c_1 c_6$ and $b_3 = c_4 c_5 + c_2 c_6$: $c_2$ times the first minus $c_1$ times the second
  is free of $c_6$, $c_2 c_5^2 + (c_1 c_4 - s c_2) c_5 + c_2 (b_4 - c_2 c_4) - c_1 b_3 = 0$.

Proved: for $b_8 > 0$ (or $< 0$, by the negative polynomial) the scheme exists over the reals iff that equation has a
real root; it is of degree 2 for $b_7 \ne 0$, of degree 1 for $b_7 = 0 \ne b_5$.
Observed only: it has one for every best polynomial of degree 17 in X that was tried, in both bases.

Amplification.  Let every product, sum, scaling and constant of a scheme be off by the factor $1 + \delta_i$,
$|\delta_i| \le u$.  The result is a polynomial in the $\delta_i$ whose coefficients are at most those of the same
scheme run on moduli; there the worst case is $\delta_i = u$ for all i.  So to first order the bound is u times the
derivative at 0 with respect to a common $\delta$.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpmath import mp

from theory.rational import multiply
from theory.scalar import WORKING_DIGITS, Number, number, symmetric_products

Coefficients = Sequence[Number]


def degree_eight(b: Coefficients) -> list[tuple[Number, ...]]:
    r"""Real $(c_1, ..., c_8)$ for each root of the quadratic, $b_8 > 0$, $b_7 \ne 0$, in the working precision."""
    b = [number(x) for x in b]
    c1 = mp.sqrt(b[8])
    c2 = b[7] / (2 * c1)
    s = (b[6] - c2**2) / c1
    c4 = (b[5] - c2 * s) / c1
    middle, spread = s / 2 - c1 * c4 / (2 * c2), (s - c1 * c4 / c2) ** 2 / 4 - b[4] + c2 * c4 + c1 * b[3] / c2
    if spread < 0:
        return []
    roots = (middle + mp.sqrt(spread), middle - mp.sqrt(spread))
    return [(c1, c2, s - c5, c4, c5, (b[3] - c4 * c5) / c2, b[2], b[1]) for c5 in roots]


def expand(c: Coefficients) -> list[Number]:
    """Multiply out z: its coefficients $b_0 = 0, b_1, ..., b_8$."""
    c1, c2, c3, c4, c5, c6, c7, c8 = c
    y = [0, 0, 0, c2, c1]
    z = multiply([0, c4, c3, c2, c1], [0, 0, c5, c2, c1])
    for i, value in enumerate(y):
        z[i] += c6 * value
    z[2] += c7
    z[1] += c8
    return z


def price(b: Coefficients) -> int:
    """Products beyond S: three for degree 8 where that scheme exists, Paterson-Stockmeyer's for the rest.

    Whether it is stable enough is not asked; tests/design/test_evaluation.py shows that it is for what is designed.
    """
    if len(b) == 9 and b[8] != 0 and b[7] != 0:
        with mp.workdps(WORKING_DIGITS):
            return 3 if degree_eight([mp.sign(b[8]) * number(x) for x in b]) else symmetric_products(8)
    return symmetric_products(len(b) - 1)


class Perturbing:
    """Verbs on moduli, each off by the factor 1 + delta."""

    def __init__(self, delta: Number) -> None:
        self.delta = delta

    def multiply(self, X: Perturbed, Y: Perturbed) -> Perturbed:
        """X Y."""
        return Perturbed(X.value * Y.value * (1 + self.delta), self.delta)

    def scale(self, X: Perturbed, c: Number) -> Perturbed:
        """C X, where c is rounded too."""
        return Perturbed(X.value * abs(number(c)) * (1 + self.delta) ** 2, self.delta)

    def add_diagonal(self, X: Perturbed, c: Number) -> Perturbed:
        """X + c I, where c is rounded too."""
        return X + Perturbed(abs(number(c)) * (1 + self.delta), self.delta)


class Perturbed:
    """A modulus whose sums are off by the factor 1 + delta."""

    def __init__(self, value: Number, delta: Number) -> None:
        self.value, self.delta = value, delta

    def __add__(self, other: Perturbed) -> Perturbed:
        return Perturbed((self.value + other.value) * (1 + self.delta), self.delta)


def amplification(evaluate: Callable[[Perturbed, Perturbing], Perturbed], bound: Number) -> Number:
    """Derivative of a result with respect to a common relative error of all operations, all on moduli.

    Parameters
    ----------
    evaluate : callable
        Takes S and the verbs.
    bound : number
        Of ||S||.
    """
    return mp.diff(lambda delta: evaluate(Perturbed(number(bound), delta), Perturbing(delta)).value, 0)
