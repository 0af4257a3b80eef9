r"""Zolotarev's best rational approximants of sign on [-1, -l] and [l, 1], scaled to maximum 1.

$Z(x) = M x \prod_j (x^2 + c_{2j}) / (x^2 + c_{2j-1})$, j = 1..r, of type (2r + 1, 2r), takes [l, 1] to [l+, 1] with
2r + 2 points where it is l+ and 1 in turn.  The composition of the functions for n and n' = 2r + 1 is the one for n n',
and on the nome q of the modulus $\sqrt{1 - l^2}$ a step acts by $q \leftarrow q^n$.
Sources: Zolotarev (1877); Akhiezer, Elements of the Theory of Elliptic Functions (1990);
Nakatsukasa and Freund, SIAM Review 58(3), 2016.
"""

from __future__ import annotations

from math import ceil, log, log10, pi, prod, sqrt

from matfun.host import host_constant
from matfun.polynomials.pade import pade_inverse_root
from matfun.polynomials.update import PartialFractions

SMALLEST_LOWER = 1e-20
"""Smaller bounds are taken as this one: singular values below are rounding noise in every supported dtype."""

MOST_TERMS = 8
"""Type (17, 16): two steps reach 1 in double precision from 5e-17 (Nakatsukasa and Freund 2016)."""

DIGITS = 40
"""Decimal digits of the result; the modulus takes 2 log10(1/l) more, since it differs from 1 by l^2/2."""

REMEMBERED = 4096
"""Designs that are kept."""


def zolotarev_fractions(lower: float, terms: int) -> tuple[PartialFractions, float]:
    r"""Best approximant of sign with that many terms, and where it takes the lower bound.

    Parameters
    ----------
    lower : float
        l in (0, 1].
    terms : int
        r, at least 1.

    Returns
    -------
    h : PartialFractions
        $x\,h(1 - x^2)$ lies in [l+, 1] for x in [l, 1].  Weights and shifts are positive, shifts ascend, and every
        number is the nearest float.  Where the Padé approximant [r/r], the limit for l = 1, takes l to 1 in double
        precision, it is that.
    lower : float
        l+, 1 if that is the nearest float.

    Notes
    -----
    r = 1 is the dynamically weighted Halley function.  Some milliseconds for r = 8, once.

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
    Two steps take the nome q of $\sqrt{1 - l^2}$ to $q^{(2r+1)^2}$, and $1 - l < 8 q$ (the first term of its
    series), so the gap is kept.  The nome comes from two arithmetic-geometric means.

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
    decay = pi * _mean(lower) / _mean(sqrt((1 - lower) * (1 + lower)))  # -log q
    return min(max(1, ceil((sqrt(log(8 / gap) / decay) - 1) / 2)), MOST_TERMS)


def _mean(b: float) -> float:
    """Arithmetic-geometric mean of 1 and b."""
    a = 1.0
    while abs(a - b) > 1e-9 * a:  # quadratic: the mean below is exact then
        a, b = (a + b) / 2, sqrt(a * b)
    return (a + b) / 2


_designed: dict[tuple[float, int], tuple[float, ...]] = {}


@host_constant
def _design(lower: float, terms: int) -> tuple[float, ...]:
    """The new lower bound, the constant, the weights, the shifts."""
    key = (lower, terms)
    design = _designed.get(key) or _zolotarev(lower, terms)
    if len(_designed) >= REMEMBERED:
        _designed.clear()
    _designed[key] = design
    return design  # plain values, as a trace needs them


def _zolotarev(lower: float, terms: int) -> tuple[float, ...]:
    from mpmath import mp  # not needed to import the package

    context = mp.clone()  # its own precision: the global one belongs to the user, and to other threads
    context.dps = DIGITS + ceil(-2 * log10(lower))
    square, n = context.mpf(lower) ** 2, 2 * terms + 1
    m = 1 - square
    K = context.ellipk(m)
    c = [square * context.ellipfun("sc", i * K / n, m=m) ** 2 for i in range(1, n)]
    odd, even = c[0::2], c[1::2]
    M = prod((1 + s) / (1 + e) for s, e in zip(odd, even, strict=True))
    weights = [M * prod(e - s for e in even) / prod(t - s for t in odd if t != s) for s in odd]
    image = M * lower * prod((square + e) / (square + s) for s, e in zip(odd, even, strict=True))
    return tuple(map(float, (image, M, *weights, *odd)))
