r"""Newton-Schulz of degree $d = 2q + 1$: the Taylor polynomial of $(1 - r)^{-1/2}$, $r = 1 - \sigma^2$.

Map: $p(x) = x \sum_{j \le q} \binom{2j}{j} 4^{-j} (1 - x^2)^j$, that is $x(3 - x^2)/2$,
$x(15 - 10x^2 + 3x^4)/8$, $x(35 - 35x^2 + 21x^4 - 5x^6)/16$ for $d = 3, 5, 7$.

Proved
------
* Residual.  With $h$ the truncated series, $r' = 1 - (1 - r) h(r)^2 = r^{q+1} s(r)$: the exact square of
  $(1-r)^{-1/2}$ is $\sum r^j$, so $h^2$ agrees with it up to $r^q$, all $r^0..r^q$ cancel, and at $r = 1$
  $r' = 1$, so the coefficients of $s$ sum to 1.  They are positive (Higham, Functions of Matrices, Thm 5.8,
  after Kenney and Laub 1991; ``recursion`` gives them exactly: $(3 + r)/4$, $(40 + 15r + 9r^2)/64$).
  Hence $|r'| \le |r|^{q+1}$ on $[-1, 1]$ and $\|R_k\|_2 \le \|R_0\|_2^{(q+1)^k}$ when $\|R_0\|_2 \le 1$.
* Region.  $p'(x) = (2q + 1) \binom{2q}{q} 4^{-q} (1 - x^2)^q$ (differentiate; both sides have degree $2q$ and
  the residual being $O(r^{q+1})$ gives $p'$ the zero $x^2 = 1$ of order $q$; leading coefficients agree).
  On $(0, 1)$ $p$ rises and $h > 1$, so $x < p(x) < 1$: convergence to 1.
  - $q$ odd: $p$ falls beyond 1 from 1 to its zero $z$; on $(1, z)$ one step lands in $(0, 1)$.  Just above
    $z$ one step lands just below 0, and oddness sends it to $-1$: $(0, z)$ is sharp.
  - $q$ even: $p$ keeps rising, $1 < p(x) < x$ up to the next fixed point $x_*$ ($h = 1$), and $p(x) > x$
    beyond, where it diverges: $(0, x_*)$ is sharp.
  Values: $\sqrt 3$, $\sqrt{7/3}$, 1.589292, 1.494382 for $d = 3, 5, 7, 9$.  A larger degree may shrink it.
* Speed.  $p(x) \le p'(0) x$ on $(0, 1]$ with $p'(0) = 3/2, 15/8, 35/16$: a $\sigma_{\min}$ needs at least
  $\log(1/(2\sigma_{\min})) / \log p'(0)$ steps to reach 1/2.

For ``p`` other than 2, $\sigma \leftarrow \sigma h(1 - \sigma^p)$ with the Taylor polynomial of degree q of $(1 -
r)^{-1/p}$: inverse_root.py.

Sources: Higham, Functions of Matrices (2008), sec. 5.3, 5.8, 8.3; Kenney and Laub, SIMAX 12 (1991);
the region is derived here.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from mpmath import mp

from theory import inverse_root
from theory.scalar import (
    WORKING_DIGITS,
    Number,
    Spectrum,
    number,
    odd,
    on_spectrum,
    real_roots,
    symmetric_products,
)

RULE = "newton-schulz"

OPTIONS: list[dict[str, Any]] = [{"degree": 3}, {"degree": 5}, {"degree": 7}, {"degree": 9}]


def taylor(degree: int) -> tuple[Fraction, ...]:
    """Coefficients in powers of x^2 of p(x)/x, from the binomial series in 1 - x^2 expanded exactly."""
    q = degree // 2
    binomial = [Fraction(comb(2 * j, j), 4**j) for j in range(q + 1)]
    return tuple(
        (-1) ** i * sum((comb(j, i) * binomial[j] for j in range(i, q + 1)), Fraction(0)) for i in range(q + 1)
    )


def recursion(degree: int) -> tuple[Fraction, ...]:
    """Coefficients of s in r' = r^(q+1) s(r), exactly, by multiplying out 1 - (1 - r) h(r)^2."""
    q = degree // 2
    h = [Fraction(comb(2 * j, j), 4**j) for j in range(q + 1)]
    square = [
        sum((h[i] * h[k - i] for i in range(max(0, k - q), min(k, q) + 1)), Fraction(0)) for k in range(2 * q + 1)
    ]
    padded = [*square, Fraction(0)]
    moved = [padded[k] - (padded[k - 1] if k else 0) for k in range(2 * q + 2)]
    return tuple(-c for c in moved[q + 1 :])


def polynomials(steps: int, *, degree: int = 3) -> list[tuple[Fraction, ...]]:
    """Gram-basis coefficients of each step, as exact fractions."""
    return [taylor(degree)] * steps


def next_spectrum(sigmas: Spectrum, step: int, *, degree: int = 3, p: int = 2) -> Spectrum:
    """Singular values after one step; every step is the same map."""
    if p != 2:
        return inverse_root.next_spectrum(sigmas, step, p=p, q=degree // 2)

    def step_map(values: list[Number]) -> list[Number]:
        c = [number(v) for v in taylor(degree)]
        return [odd(c, x) for x in values]

    return on_spectrum(step_map, sigmas)


def price(step: int, *, degree: int = 3) -> dict[str, int]:  # noqa: ARG001
    """Full-size products of one step."""
    return {"gram": 1, "symm": symmetric_products(degree // 2), "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int, *, degree: int = 3, p: int = 2) -> float | None:
    r"""$\|R_0\|_2^{(q+1)^k}$, where $\|R_0\|_2 \le 1$."""
    start = inverse_root.residual_norm(sigmas, p)
    return None if start > 1 else start ** ((degree // 2 + 1) ** steps)


def region(*, degree: int = 3, p: int = 2) -> tuple[float, float]:
    """Open interval of start values that converge to 1; sharp."""
    if p != 2:
        return 0.0, float(inverse_root.region(p=p, q=degree // 2)[1] ** (1 / p))
    with mp.workdps(WORKING_DIGITS):
        c = [number(v) for v in taylor(degree)]
        if degree // 2 % 2 == 0:
            c[0] -= 1
        # Beyond x = 1 and below 2 for every degree; y = 1 itself is a zero if q is even.
        return 0.0, float(mp.sqrt(real_roots(c, mp.mpf(1), mp.mpf(4))[-1]))


def converges(*, degree: int = 3) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True


def slope(degree: int) -> Fraction:
    """Growth p'(0) of a tiny singular value in one step."""
    return taylor(degree)[0]
