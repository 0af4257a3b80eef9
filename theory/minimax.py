r"""Best approximation of 1 by $\sigma h(\sigma^p)$ on one interval, by multiprecision Remez exchange.

$p = 2$: the odd polynomials of the polar problem, $d = 2q + 1$ with $q = \deg h$.  Other p: one step of a coupled
iteration for $A^{-1/p}$, $\sigma$ as in inverse_root.py; ``degree`` is $2q + 1$ there too.  Write $f = \sigma
h(\sigma^p)$, $0 < l < u$, E the smallest possible $\max_{[l, u]} |1 - f|$.

Proved, for every $p \ge 1$
---------------------------
* Chebyshev system.  A sum of n real powers of $\sigma$ has at most $n - 1$ positive zeros (Rolle's theorem, after
  division by the lowest power; induction on n).  So $\sigma, \sigma^{p+1}, \dots, \sigma^{pq+1}$, $q + 1$ of
  them, are a Chebyshev system on $[l, u]$, and the best f is the one whose error $1 - f$ takes the values $+E, -E,
  +E, \dots$ at $q + 2$ points (Chebyshev).
* Both ends are among them, because $f'$, a sum of $1, \sigma^p, \dots, \sigma^{pq}$, has at most q positive zeros
  and vanishes at those inside.  It has then no zero left before the first of these, so f rises from $f(0) = 0$ up
  to there, and $f(l) = 1 - E > 0$ ($E \le \delta < 1$ by $2\sigma/(l + u)$, with $\delta = (u - l)/(u + l)$).
* E depends on $l/u$ only, and grows strictly as the interval does: were the best f for $[l, u]$, $l < l'$, as good
  as the best one for $[l', u]$, it would be that, $l'$ would be one more zero of $f'$, inside $[l, u]$.
* $p = 1$: $1 - f = T_{q+1}((u + l - 2\sigma)/(u - l)) / T_{q+1}(1/\delta)$, which is 1 at 0 and alternates $q + 2$
  times; $E = 1/T_{q+1}((u + l)/(u - l))$ (``inverse_error``).

Exchange.  Given any $q + 2$ points, solve for the coefficients and E.  The values of f at those points are
low, high, low, ..., so $f'$ has exactly q zeros between l and u; they and the ends are the next points.
Convergence is quadratic (Cheney, Introduction to Approximation Theory, ch. 3).

Near $l = u$ the interval is given by its spread $\delta$ about 1.

* End game: $E/\delta^{q+1} \to K_q = 2^{-q} \prod_{i=0}^q (1 + ip) / (q + 1)!$, with a relative gap of $O(\delta)$.
  With $x = 1 + \delta\tau$ the Taylor polynomial of inverse_root.py has the error $b_{q+1} r^{q+1} + \dots$ where $r
  = 1 - x^p = -p\delta\tau + \dots$ and $b_{q+1} = \prod_{i=0}^q (1 + ip)/((q + 1)! p^{q+1})$: $2^q K_q
  (-\delta\tau)^{q+1}$.  The coefficients can add any polynomial of degree q in $\tau$, and the monic Chebyshev
  polynomial has the size $2^{-q}$.  For $p = 2$, $K_q = 2\binom{2q+2}{q+1} 4^{-(q+1)}$ = 3/4, 5/8, 35/64, 63/128;
  for $p = 1$ it is $2^{-q}$.  What is added has the powers $\tau^{q-1}, \dots$ of $\delta^{q+1}\tau^{q+1}$, and
  $\tau^q$ of the next term: the coefficients differ from Taylor's by $O(\delta^2)$.
* Start: the slope $s = f'(0)$ of the limit for $l \to 0$ is 5.19615 $= 3\sqrt3$, 8.51430, 11.86057, 15.21725 for
  $p = 2$, $2(q + 1)^2$ for $p = 1$ (differentiate the closed form), $2(p + 1)^{1 + 1/p}/p$ for $q = 1$: there $f =
  s(\sigma - \sigma^{p+1})$, and its maximum is 2, at $\sigma^p = 1/(p + 1)$.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import ceil, factorial, prod

from mpmath import mp

from theory.scalar import Number, derivative, horner, number, real_roots

GUARD_DIGITS = 15
"""Digits carried beyond those asked for: a few sums of a handful of terms lose less than ten."""


def minimax_odd(
    lower: Number, upper: Number, degree: int, dps: int = 60, *, p: int = 2
) -> tuple[tuple[Number, ...], Number]:
    """Best approximation of 1 by x h(x^p) on [lower, upper] and its error, to ``dps`` digits.

    Parameters
    ----------
    lower, upper : float, str or mpmath number
        0 < lower < upper.
    degree : int
        Odd; h has degree ``degree // 2``.
    dps : int
        Digits of the result.
    p : int
        2 for odd polynomials, 1 for the inverse, p for the inverse p-th root.

    Returns
    -------
    coefficients : tuple of mpmath numbers
        Of h, that is of x, x^(p+1), x^(2p+1), ...
    error : mpmath number
        To relative accuracy.

    Examples
    --------
    >>> [float(c) for c in minimax_odd(1, 3, 3, p=1)[0]]  # 1 - f = T_2(2 - x)/T_2(2), T_2(2) = 7
    [1.1428571428571428, -0.2857142857142857]
    """
    with mp.workdps(3 * dps):
        low, high = number(lower), number(upper)
        centre, spread = (high + low) / 2, (high - low) / (high + low)
    scaled, error = remez(spread, degree, dps, p=p)
    with mp.workdps(dps):
        return tuple(c / centre ** (p * i + 1) for i, c in enumerate(scaled)), +error


@lru_cache(maxsize=512)
def remez(spread: Number, degree: int, dps: int, *, p: int = 2) -> tuple[tuple[Number, ...], Number]:
    """Coefficients and error on [1 - spread, 1 + spread], by Remez exchange.

    In t = (x^p - y_c)/s, which runs over [-1, 1], extrema stay apart however small the spread is.  E is of
    the order spread^(q+1) and f' of spread^q, so twice as many digits are carried on top.
    """
    q = degree // 2
    extra = 2 * (q + 1) * -mp.log10(spread) - p * min(mp.mpf(0), mp.log10(1 - spread))
    with mp.workdps(dps + GUARD_DIGITS + ceil(extra)):
        low, high = 1 - spread, 1 + spread
        middle, half = (high**p + low**p) / 2, (high**p - low**p) / 2
        xs = [mp.root(middle - half * mp.cos(k * mp.pi / (q + 1)), p) for k in range(q + 2)]
        for _ in range(100):
            ts = [(x**p - middle) / half for x in xs]
            rows = [[x * t**j for j in range(q + 1)] + [(-1) ** k] for k, (x, t) in enumerate(zip(xs, ts, strict=True))]
            *a, error = mp.lu_solve(mp.matrix(rows), mp.matrix([1] * (q + 2)))
            # df/dx = h + p y h'(y), a polynomial of degree q in t
            turns = [
                (p * j + 1) * a[j] + p * (j + 1) * (middle / half) * (a[j + 1] if j < q else 0) for j in range(q + 1)
            ]
            xs = [low, *(mp.root(middle + half * t, p) for t in _zeros(turns, ts[1:-1])), high]
            worst = max(abs(1 - x * horner(a, (x**p - middle) / half)) for x in xs)
            if worst - abs(error) <= abs(error) * mp.mpf(10) ** -(dps + 5):
                return _expand(a, middle, half), error
        raise ArithmeticError(f"Remez exchange did not level on spread {spread}, degree {degree}, p = {p}")


def _zeros(f: list[Number], guesses: list[Number]) -> list[Number]:
    """Zeros in [-1, 1], ascending: those to which Newton's method leads if they are all there can be, else by brackets.

    A step of eps^0.6 leaves an error of the order of its square, below eps.
    """
    slope, found = derivative(f), []
    for t in guesses:
        for _ in range(15):
            bend = horner(slope, t)
            step = horner(f, t) / bend if bend else mp.inf
            t -= step
            if not abs(step) > mp.eps ** mp.mpf("0.6"):
                found.append(t)
                break
    found.sort()
    inside = [-1, *found, 1]
    if len(found) == len(guesses) and all(b - a > mp.sqrt(mp.eps) for a, b in pairwise(inside)):
        return found
    return real_roots(f, mp.mpf(-1), mp.mpf(1))


def _expand(a: list[Number], middle: Number, half: Number) -> tuple[Number, ...]:
    """Coefficients in y of the sum of a_j ((y - middle)/half)^j."""
    c = [a[-1]]
    for value in a[-2::-1]:
        shifted, kept = [mp.mpf(0), *c], [*c, mp.mpf(0)]
        c = [(s - middle * k) / half for s, k in zip(shifted, kept, strict=True)]
        c[0] += value
    return tuple(c)


def inverse_error(spread: Number, order: int) -> Number:
    """Error for p = 1 of the best f of degree ``order`` in x, 1/T_order(1/spread), in the working precision.

    T_n(cosh s) = cosh(n s); no cancellation, however small the spread or large the order.
    """
    return mp.sech(order * mp.acosh(1 / number(spread)))


def end_constant(degree: int, *, p: int = 2) -> Number:
    """Limit K_q of E_{t+1} / E_t^(q+1), in the working precision."""
    q = degree // 2
    return mp.mpf(prod(1 + i * p for i in range(q + 1))) / (2**q * factorial(q + 1))


def start_slope(degree: int, dps: int = 30, *, p: int = 2) -> Number:
    """Limit for l -> 0 of f'(0), f best on [l, 1]; l = 10^-dps is that close to it."""
    return minimax_odd(mp.mpf(10) ** -dps, 1, degree, dps, p=p)[0][0]


def cushion_constant(degree: int, floor: Number = "0.1", dps: int = 30, *, p: int = 2) -> Number:
    """Return the l for which the best f on [l, 1], scaled to maximum 1, equals ``floor`` at l."""
    with mp.workdps(dps):
        target = (1 - number(floor)) / (1 + number(floor))

        def excess(lower: Number) -> Number:
            return minimax_odd(lower, 1, degree, dps, p=p)[1] - target  # (1 - E)/(1 + E) = floor

        return mp.findroot(excess, (mp.mpf("0.001"), mp.mpf("0.4")), solver="anderson")
