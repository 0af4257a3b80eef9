r"""Zolotarev's best rational approximants of sign on [-1, -l] and [l, 1], scaled to maximum 1.

$Z(x) = M x \prod_j (x^2 + c_{2j}) / (x^2 + c_{2j-1})$, j = 1..r, of type (2r + 1, 2r), takes [l, 1] to [l+, 1] with
2r + 2 points where it is l+ and 1 in turn.  With n = 2r + 1 it is Jacobi's transformation of order n,

    $x = l\,\mathrm{sn}(w; l)$,  $Z = l_+ \mathrm{sn}(w/M; l_+)$,  $M = K(l)/K(l_+)$,  $q(l_+) = q(l)^{1/n}$,

with q(k) the nome of the modulus k, and $l'^2 = 1 - l^2$.  Poles and zeros are where w is $j K(l')/n$ times the
imaginary unit; Jacobi's imaginary transformation takes sn there to sc, so $c_j = l^2 \mathrm{sc}^2(j K(l')/n; l')$.
At a pole Z has the residue M as a function of w, and dx/dw = l cn dn, so the weights, twice the residues in x, are

    $w_j = 2 M \sqrt{(l^2 + c_{2j-1})(1 + c_{2j-1})}$:

no differences $c_i - c_k$, and M is a quotient of two theta functions.  Nothing here cancels, for any l.
Composition: the functions for n and n' give the one for n n', as the nomes show.
Proofs and the 60-digit twin: theory/zolotarev.py, which has the products in place of these closed forms.
Sources: Zolotarev (1877); Akhiezer, Elements of the Theory of Elliptic Functions (1990); Nakatsukasa and Freund, SIAM
Review 58(3), 2016; theta functions: NIST Digital Library of Mathematical Functions (DLMF), ch. 20.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import atanh, ceil, cos, cosh, exp, expm1, log, pi, sin, sqrt

from matfun.host import host_constant
from matfun.polynomials.pade import pade_inverse_root
from matfun.polynomials.update import PartialFractions

SMALLEST_LOWER = 1e-20
"""Smaller bounds are taken as this one: singular values below are rounding noise in every supported dtype."""

MOST_TERMS = 8
"""Type (17, 16): two steps reach 1 in double precision from 5e-17 (Nakatsukasa and Freund 2016)."""

REMEMBERED = 4096
"""Designs that are kept."""

ORDERS = range(1, 13)
"""Of a series in a nome of at most exp(-pi), the largest that is summed: the next term is exp(-13 pi) < 2^-58."""


def zolotarev_fractions(lower: float, terms: int) -> tuple[PartialFractions, float]:
    r"""Best approximant of sign with that many terms, and where it takes the lower bound.

    Parameters
    ----------
    lower : float
        l in [1e-150, 1].
    terms : int
        r, at least 1.

    Returns
    -------
    h : PartialFractions
        $x\,h(1 - x^2)$ lies in [l+, 1] for x in [l, 1].  Weights and shifts are positive, shifts ascend.  Where the
        Padé approximant [r/r], the limit for l = 1, takes l to 1 in double precision, it is that.
    lower : float
        l+, 1 if that is the nearest float.

    Notes
    -----
    In plain double precision, in 20 to 150 microseconds, once.  With u = 2^-53, and 2 u for a function of the C
    library, first-order analysis bounds the relative error of every number by 90 u; the largest found for 1e-20 <= l <=
    1 - 1e-12 and r <= 8 is 10 u, and 4 u in l+.

    Going on from l+ alone loses nothing where it is close to 1 and 1 - l+ has few digits: a relative change of l
    changes the constant, weights, shifts and image by at most 0.5, 1, 2 and 1/3 times as much (found numerically).

    r = 1 is the dynamically weighted Halley function.

    References
    ----------
    Nakatsukasa and Freund, SIAM Review 58(3), 2016.

    Examples
    --------
    >>> h, lower = zolotarev_fractions(1e-16, 8)
    >>> len(h.weights), 1 - zolotarev_fractions(lower, 8)[1] < 1e-15
    (8, True)
    """
    # |1 - x h| < 2 ((1 - x)/(1 + x))^(2r + 1) for the Padé approximant
    if 2 * ((1 - lower) / (1 + lower)) ** (2 * terms + 1) < 2.0**-54:
        return pade_inverse_root(2, terms, terms), 1.0
    image, constant, *numbers = _design(lower, terms)
    return PartialFractions(constant, tuple(numbers[:terms]), tuple(numbers[terms:])), image


def terms_for(lower: float, gap: float = 1e-15) -> int:
    r"""Smallest number of terms, at most 8, with which two steps take [lower, 1] to [1 - gap, 1].

    Parameters
    ----------
    lower : float
        In (0, 1].
    gap : float
        Smaller than 1.

    Notes
    -----
    Two steps take the nome q' of $\sqrt{1 - l^2}$ to $q'^{(2r+1)^2}$, since $\log q \log q' = \pi^2$, and
    $1 - l < 8 q'$ (the first term of its series), so the gap is kept.

    References
    ----------
    Nakatsukasa and Freund, SIAM Review 58(3), 2016.

    Examples
    --------
    >>> [terms_for(lower) for lower in (1e-16, 1e-8, 1e-2, 0.5)]
    [8, 6, 3, 2]
    """
    if lower >= 1:
        return 1
    dual = pi**2 / _decay(lower)  # -log q'
    return min(max(1, ceil((sqrt(log(8 / gap) / dual) - 1) / 2)), MOST_TERMS)


@host_constant
def _design(lower: float, terms: int) -> tuple[float, ...]:
    """The new lower bound, the constant, the weights, the shifts: plain values, as a trace needs them."""
    return _zolotarev(float(lower), terms)


@lru_cache(maxsize=REMEMBERED)
def _zolotarev(lower: float, terms: int) -> tuple[float, ...]:
    n, decay = 2 * terms + 1, _decay(lower)
    M = _theta(decay) / _theta(decay / n)
    quotients = _from_small(lower, n, decay) if decay > pi else _from_large(n, pi**2 / decay)
    shifts = [lower * c for c in quotients]
    weights = [2 * M * sqrt((lower * lower + s) * (1 + s)) for s in shifts]
    return (_image(lower, n, decay / n), M, *weights, *shifts)


def _from_small(lower: float, n: int, decay: float) -> list[float]:
    r"""c_i/l for odd i, if the nome q of l is at most exp(-pi).

    With t = i/n the products of DLMF 20.5 give

    $q^{1/2 - t} \prod_{m \ge 0} (\frac{(1 - q^{2m+t}) (1 - q^{2m+2-t})}{(1 - q^{2m+1+t}) (1 - q^{2m+1-t})})^2$;

    all but $((1 - q^t)/(1 - q^{1-t}))^2$ is the exponential of a series, from the logarithms summed over m first.
    """
    root, series, found = _root_of_nome(lower, _complement(lower)), _series(decay), []
    for i in range(1, n - 1, 2):
        t, s = i / n, (n - i) / n
        rest = sum(a * (exp(-m * t * decay) - exp(-m * s * decay)) for m, a in zip(ORDERS, series, strict=True))
        found.append(_power(root, n - 2 * i, n) * (expm1(-t * decay) / expm1(-s * decay) * exp(rest)) ** 2)
    return found


def _from_large(n: int, decay: float) -> list[float]:
    r"""c_i/l for odd i, if the nome q' = exp(-decay) of l' is at most exp(-pi).

    With t = i/n the same products give

    $\tan^2 \frac{\pi t}{2} \prod_{m \ge 1} (\frac{1 - z_m}{1 + z_m})^2$, $z_m = \cos(\pi t)/\cosh(m \log q')$, m even.
    """
    found = []
    for i in range(1, n - 1, 2):
        rest = sum(atanh(cos(pi * i / n) / cosh(m * decay)) for m in ORDERS if m % 2 == 0)
        found.append((sin(pi * i / (2 * n)) / sin(pi * (n - i) / (2 * n)) * exp(-2 * rest)) ** 2)
    return found


def _image(lower: float, n: int, decay: float) -> float:
    """The modulus with the nome exp(-decay) = q^(1/n), q that of l, from that nome or the dual one (DLMF 20.9)."""
    if decay > pi:
        rest = sum(a if m % 2 else -a for m, a in zip(ORDERS, _series(decay), strict=True))
        return 4 * _power(_root_of_nome(lower, _complement(lower)), 1, n) * exp(-4 * rest)
    return exp(-8 * sum(atanh(exp(-m * pi**2 / decay)) for m in ORDERS if m % 2))


def _series(decay: float) -> list[float]:
    """q^m/(m (1 + q^m)) for the nome q = exp(-decay)."""
    return [exp(-m * decay) / m / (1 + exp(-m * decay)) for m in ORDERS]


def _theta(decay: float) -> float:
    """Square of theta_3(q) = 1 + 2 (q + q^4 + ...), q = exp(-decay): 2 K/pi (DLMF 20.9), or by the dual nome (20.7)."""
    if decay < pi:
        return pi / decay * _theta(pi**2 / decay)
    return (1 + 2 * (exp(-decay) + exp(-4 * decay) + exp(-9 * decay))) ** 2


def _decay(lower: float) -> float:
    """-log q for the nome q of the modulus l, from that of l' if it is smaller: log q log q' = pi^2."""
    complement = _complement(lower)
    if lower > complement:
        return pi**2 / (-2 * log(_root_of_nome(complement, lower)))
    return -2 * log(_root_of_nome(lower, complement))


def _complement(lower: float) -> float:
    return sqrt((1 - lower) * (1 + lower))


def _root_of_nome(k: float, complement: float) -> float:
    """Square root of the nome of a modulus k <= k' (Whittaker and Watson, A Course of Modern Analysis, sec. 21.8)."""
    root = sqrt(complement)
    e = (k / (1 + root)) ** 2 / (2 * (1 + complement))  # (1 - root)/(1 + root)/2
    series = 1 + 2 * e**4 + 15 * e**8 + 150 * e**12
    return k / (1 + root) * sqrt(series / (2 * (1 + complement)))


def _power(x: float, i: int, n: int) -> float:
    """x^(i/n), with the rounding of the exponent, up to 22 units of the result, made good."""
    exponent = i / n
    return float(x**exponent * (1 + float(Fraction(i, n) - Fraction(exponent)) * log(x)))
