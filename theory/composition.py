r"""Greedy composition of best approximations of 1 by $\sigma h(\sigma^p)$, a degree of its own in every step, any p.

Class $F_q$: the maps $f(x) = x h(x^p)$ with real h of degree at most q.  Map: with $\sigma \in [l_t, u_t]$, $f_t \in
F_{q_t}$ minimises $E_t = \max |1 - f|$ there (minimax.py), and $[l_{t+1}, u_{t+1}] = [1 - E_t, 1 + E_t]$ is its image.

Proved, for every $p \ge 1$ and any order of degrees
----------------------------------------------------
Write $E_q(\rho)$ for the best error on an interval of ratio $\rho = l/u$; it falls strictly as $\rho$ grows
(minimax.py).  Let $R_0 = l/u$ and $R_t = (1 - E_t)/(1 + E_t)$, $E_t = E_{q_t}(R_{t-1})$: the greedy ratios.

* Optimality.  *No $g = g_T \circ \dots \circ g_1$, $g_t \in F_{q_t}$, has $\max_{[l, u]} |1 - g| < E_T$.*
  1. If $g_1$ vanishes somewhere on $[l, u]$, so does g, since all of F fixes 0; the error is then at least 1.
     The same holds for a zero at any later step.  Otherwise every image is an interval without 0.
  2. F is closed under $f(x) \to -f(x)$ and $f(x) \to f(-x) = -x h((-1)^p x^p)$.  Where the image of a step is
     negative, replace $g_t$ by $-g_t$ and $g_{t+1}$ by $g_{t+1}(-x)$: g stays what it is.  So all images but the last
     are positive without loss, and the last is positive because the error would exceed 1.
  3. The image of $[l, u]$ under $g_t \circ \dots \circ g_1$ is *exactly* the image $[a_t, b_t]$ of $[a_{t-1},
     b_{t-1}]$ under $g_t$; neither needs to be attained at an end.  $2 g_t/(a_t + b_t) \in F_{q_t}$ approximates 1 on
     $[a_{t-1}, b_{t-1}]$ with error $(b_t - a_t)/(b_t + a_t)$, so this is at least $E_{q_t}(a_{t-1}/b_{t-1})$.
  4. Hence $a_t/b_t \le (1 - E)/(1 + E)$ with $E = E_{q_t}(a_{t-1}/b_{t-1}) \ge E_{q_t}(R_{t-1}) = E_t$ if
     $a_{t-1}/b_{t-1} \le R_{t-1}$, which is true for $t = 1$: by induction $a_t/b_t \le R_t$ for all t.
  5. If e < 1 is the error of g, $a_T \ge 1 - e$ and $b_T \le 1 + e$, so $(1 - e)/(1 + e) \le R_T$ and $e \ge E_T$.
* Uniqueness up to scale: equality forces equality in 3 and 4 in every step, and E is strict in $\rho$, so $g_t$ is the
  best one up to the factors and signs that 2 and 3 allow.
* Other measures.  A measure of the last image that, after the best scaling, falls as $a_T/b_T$ grows has the same
  best ratio.  For $|1 - \sigma^p|$ only the last map is rescaled: $a^p = 1 - e$, $b^p = 1 + e$ gives $e = (1 -
  R_T^p)/(1 + R_T^p) = \tanh(p \,\mathrm{artanh} E_T)$, by the factor $(2/((1 - E_T)^p + (1 + E_T)^p))^{1/p}$
  (``residual``).  (For even p a negative last image has the same residual and is no better, by 2.)
* Monotonicity: $E_t$ increases strictly with $E_{t-1}$.  So the same further degrees lead from a larger error to a
  larger one (all that ``fewest_products`` prunes by), each step can be inverted (``widest_left_end``), and $E_T$
  falls strictly as l grows.
* $p = 1$: composing loses nothing at all.  $1 - f_1 = T_a(\tau)/T_a(1/\delta)$, $a = q_1 + 1$, $\tau = (u + l -
  2\sigma)/(u - l)$; the next interval has the spread $E_1 = 1/T_a(1/\delta)$ about 1, and there $1 - f_2 = T_b((1 -
  \sigma)/E_1)/T_b(1/E_1)$.  Since $T_b \circ T_a = T_{ab}$, $1 - f_2 \circ f_1 = T_{ab}(\tau)/T_{ab}(1/\delta)$: the
  best of *all* polynomials of degree ab that vanish at 0, for any factors and order.  $E_T = 1/T_N(1/\delta)$, $N =
  \prod (q_t + 1)$.

Not proved, and where false
---------------------------
* Nothing is said about schemes that are no such composition: other polynomials with as many products, maps that do
  not fix 0, that use earlier iterates, or that have complex coefficients.  For $p > 1$ the best single
  $f \in F_Q$ with $pQ + 1 = \prod (pq_t + 1)$ is better: for p = 2 five quintics have an error of 0.11
  on $[10^{-3}, 1]$, and one polynomial of degree 3125 about 0.02 (Eremenko and Yuditskii, J. Anal. Math. 101, 2007).
* Greedy is best for a given *order*; different orders of the same degrees have different errors, unless $p = 1$.
  Which degrees in which order is a search.
* With a cushion (polar_express.py) the composition is not optimal for $|1 - \sigma|$, and is not meant to be.

Limits.  $l \to 0$: the first step multiplies l by the slope s of minimax.py, later ones by $s/2$ while E is near 1,
since u is near 2.  $l \to u$: the Taylor polynomial, $E_t \to K_q E_{t-1}^{q+1}$.

Sources: for p = 2 Amsel, Persson, Musco, Gower, arXiv 2505.16932, Thm 4.1, and Lee, Lee, No, Kim, IACR eprint
2020/834; the argument for all p is written down here.  Left ends: Grishina, Smirnov, Rakhuba, arXiv 2506.10935.
Price of degree 17: Sastre, Linear Algebra Appl. 539 (2018), a polynomial of degree 8 in 3 products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count
from math import ceil
from typing import NamedTuple

from mpmath import mp

from theory import inverse_root
from theory.minimax import GUARD_DIGITS, end_constant, minimax_odd, remez, start_slope
from theory.rational import reflected
from theory.scalar import Number, horner, number, symmetric_products


class Stage(NamedTuple):
    """One map: coefficients of h, the interval it is for, and sup |1 - f| on that interval."""

    coefficients: tuple[Number, ...]
    lower: Number
    upper: Number
    error: Number


class Limits(NamedTuple):
    """Slope for l -> 0, Taylor coefficients of h in y = x^p for l -> u, exactly, and K_q."""

    slope: Number
    taylor: tuple[Fraction, ...]
    constant: Number


class Fewest(NamedTuple):
    """Fewest products, the degrees of least error among those of that price, and that error."""

    products: int
    degrees: tuple[int, ...]
    error: Number


def composition(
    lower: Number, upper: Number, degrees: Sequence[int], *, p: int = 2, cushion: Number = 0, dps: int = 60
) -> tuple[Stage, ...]:
    """Greedy composition on [lower, upper], one stage for each of ``degrees``, to ``dps`` digits.

    Parameters
    ----------
    lower, upper : float, str or mpmath number
        0 < lower < upper.
    degrees : sequence of int
        Odd, 2 q + 1 also for p other than 2.
    p : int
        2 for odd polynomials.
    cushion : float
        f is the best one on [max(l, cushion * u), u], rescaled so that the image of [l, u] is centred at 1.
    dps : int
        Digits, relative in the coefficients, in every error, and in l where that is the smaller of l and 1 - l.

    Examples
    --------
    >>> [round(float(s.error), 5) for s in composition(0.1, 1, (3, 5))]
    [0.60723, 0.16083]
    """
    with mp.workdps(dps):
        digits = dps + GUARD_DIGITS + ceil(mp.log10(number(upper) / number(lower)))
    with mp.workdps(3 * digits):  # ends may be given that close to each other
        spread = (number(upper) - number(lower)) / (number(upper) + number(lower))
    with mp.workdps(digits):
        low, high, cut = number(lower), number(upper), number(cushion)
        stages = []
        for degree in degrees:
            if low >= cut * high:
                centre = (low + high) / 2
                scaled, error = _best(spread, degree, digits, p)
                coefficients = tuple(c / centre ** (p * i + 1) for i, c in enumerate(scaled))
            else:
                fitted, error = minimax_odd(cut * high, high, degree, digits, p=p)
                recentre = 2 / (low * horner(fitted, low**p) + 1 + error)
                coefficients = tuple(c * recentre for c in fitted)
                error = 1 - low * horner(coefficients, low**p)
            stages.append(Stage(coefficients, low, high, error))
            low, high, spread = 1 - error, 1 + error, error
        return tuple(stages)


def _best(spread: Number, degree: int, digits: int, p: int) -> tuple[tuple[Number, ...], Number]:
    """Best f about 1; where the limit l -> u is exact to ``digits`` digits (gaps spread and spread^2), the limit."""
    if spread > mp.mpf(10) ** -digits:
        return remez(spread, degree, digits, p=p)
    error = end_constant(degree, p=p) * spread ** (degree // 2 + 1)
    return tuple(number(c) for c in taylor(degree, p=p)), error


def taylor(degree: int, *, p: int = 2) -> tuple[Fraction, ...]:
    """Coefficients in y = x^p of the Taylor polynomial of degree q of (1 - r)^(-1/p), r = 1 - y, exactly."""
    return tuple(reflected(inverse_root.taylor(p, degree // 2)))


def limits(degree: int, *, p: int = 2, dps: int = 30) -> Limits:
    """What a step becomes for l -> 0 and for l -> u."""
    with mp.workdps(dps):
        return Limits(start_slope(degree, dps, p=p), taylor(degree, p=p), end_constant(degree, p=p))


def residual(error: Number, p: int) -> tuple[Number, Number]:
    """Factor for the last map that makes max |1 - x^p| smallest, given max |1 - x|, and that maximum."""
    e = number(error)
    return mp.root(2 / ((1 - e) ** p + (1 + e) ** p), p), mp.tanh(p * mp.atanh(e))


def polar_price(degree: int) -> int:
    """Products of one step of the polar problem: the Gram matrix, h, and X h; 3 for h of degree 8 (Sastre)."""
    q = degree // 2
    return 2 + (3 if q == 8 else symmetric_products(q))


def fewest_products(
    lower: Number,
    target: Number,
    degrees: Sequence[int],
    p: int = 2,
    *,
    upper: Number = 1,
    price: Callable[[int], int] = polar_price,
    dps: int = 20,
) -> Fewest:
    """Exhaustive search over all ordered sequences of ``degrees``: those of 1 product, of 2, ...

    Left out are only sequences that begin with an error not below that of another beginning of the same price of
    which every continuation has been tried: by monotonicity each of theirs ends with an error not below the same one
    there.  (What was tried for a smaller total has failed, or the search had ended.)

    Parameters
    ----------
    lower, upper : float, str or mpmath number
        0 < lower < upper.
    target : float
        Largest admitted sup |1 - f|, in (0, 1).
    degrees : sequence of int
        Odd.
    p : int
        2 for odd polynomials.
    price : callable
        Products of a step, at least 1, from its degree.
    dps : int
        Digits of the errors.

    Examples
    --------
    >>> fewest_products(1e-3, 0.1, (3, 5)).products
    16
    """
    with mp.workdps(dps + GUARD_DIGITS):
        low, high, goal = number(lower), number(upper), number(target)
        explored: dict[int, Number] = {}

        def reach(spread: Number, budget: int) -> tuple[Number, tuple[int, ...]] | None:
            """Least error, not above the goal, of all sequences of at most that price that go on from here."""
            if budget in explored and spread >= explored[budget]:
                return None
            found = []
            for degree in sorted(degrees, reverse=True):
                left = budget - price(degree)
                if left >= 0:
                    error = _best(spread, degree, dps, p)[1]
                    rest = (error, ()) if error <= goal else reach(error, left)
                    found += [(rest[0], (degree, *rest[1]))] if rest else []
            explored[budget] = spread
            return min(found, default=None)

        if max(1 - low, high - 1) <= goal:
            return Fewest(0, (), max(1 - low, high - 1))
        for budget in count(1):
            best = reach((high - low) / (high + low), budget)
            if best:
                return Fewest(budget, best[1], best[0])
    raise AssertionError("count has no end")


def widest_left_end(degrees: Sequence[int], error: Number, p: int = 2, *, upper: Number = 1, dps: int = 30) -> Number:
    r"""Smallest l such that the composition on [l, upper] has at most the given error, to ``dps`` digits.

    The steps are inverted from the last to the first.  In $z = \mathrm{artanh}$ of spread and error, that is half the
    logarithm of u/l, a step is $z' = z - O(1)$ at one end and $K z^{q+1}$ at the other: smooth in logarithms.
    """
    # 1 - error and then l are small; a step divides l by its slope, below 1000
    tiny = ceil(-mp.log10(1 - number(error)))
    with mp.workdps(dps + GUARD_DIGITS + tiny + 3 * len(degrees)):
        digits, z = mp.dps, mp.atanh(number(error))
        for degree in reversed(degrees):
            z = _before(z, degree, digits, p)
        return number(upper) * mp.exp(-2 * z)


def _before(after: Number, degree: int, digits: int, p: int) -> Number:
    """Invert one step: z of the interval before it, from that after it, which is smaller."""

    def excess(w: Number) -> Number:
        return mp.log(mp.atanh(_best(mp.tanh(mp.exp(w)), degree, digits, p)[1]) / after)

    high = max(after, mp.root(after / end_constant(degree, p=p), degree // 2 + 1)) * mp.mpf("1.1")
    while excess(mp.log(high)) < 0:
        high += mp.mpf("0.5")
    return mp.exp(mp.findroot(excess, (mp.log(after), mp.log(high)), solver="anderson"))
