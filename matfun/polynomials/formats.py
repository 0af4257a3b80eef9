r"""Which schedules a number format can carry: the rounding of every product against what the next polynomial allows.

A step evaluates $p(x) = \sum_i c_i x^{pi+1}$ from products that are each rounded, and its terms cancel: they are larger
than their sum by the amplification $A(x) = \sum_i |c_i| x^{pi+1}$.  With unit roundoff u the largest singular value
after a step is at most $\max p + \kappa u A$, A at the top before it.  A matrix mixes its directions, so that the error
made at the top also reaches the values that p sends to its maximum and to its inner minima.  Two ends are followed:

* the top, because a quintic rises steeply beyond its interval and multiplies an overshoot by 13 while u is near 2;
* the inner minima, because a value that p brings below $\kappa u A$ can change its sign.  A large singular value is
  then lost without overflow, which neither the top nor $U^H U = I$ shows.  It is the demand of Nakatsukasa and Higham
  (SIAM J. Matrix Anal. Appl. 33, 2012) that p(x)/x be nowhere small, in one format.

Values near ``lower`` are not followed: below $u$ they are rounding noise of the matrix itself.  Nor is a large value
that rounding leaves below 1 - E without changing its sign: that costs a step, not the answer.  For p other than 2 no
emulation was made: p = 1 follows by analogy; for p > 2, where X is not formed from M, the errors of M and the drift
between the two are bounds to first order.

For the polar factor from [1e-3, 1] the first of ``CANDIDATES`` that is safe is (cushion, safety)

======  =============  =============  =============  =========
degree  bfloat16       float16, tf32  float32        float64
======  =============  =============  =============  =========
3       (0.02, 1.02)   (0, 1.003)     (0, 1)         (0, 1)
5       (0.1, 1.05)    (0.01, 1.01)   (0, 1.003)     (0, 1)
7       (0.3, 1.1)     (0.1, 1.05)    (0, 1.003)     (0, 1)
9       (0.5, 1.3)     (0.2, 1.1)     (0, 1.003)     (0, 1)
17      none           none           (0.05, 1.02)   (0, 1)
======  =============  =============  =============  =========

in eight steps (tests/design/test_formats.py).  Where E exceeds 1/4 in the last step, that step needs its safety factor
too: five quintics in bfloat16 reach E = 0.28 with it and 0.7 without.

Evidence: theory/emulation.py and tests/design/test_formats.py, which also say how far the rule is from sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from matfun.polynomials.certificate import critical_points, stability, sup_error, value


@dataclass(frozen=True)
class Format:
    """How numbers are rounded.

    Attributes
    ----------
    roundoff : float
        Largest relative error of rounding the operands and results of a product.
    stored : float
        The same for what is kept from step to step.
    summed : float
        The same for sums.
    largest : float
        Largest finite number.
    """

    roundoff: float
    stored: float
    summed: float
    largest: float


FORMATS = {
    "bfloat16": Format(2.0**-8, 2.0**-8, 2.0**-24, 2.0**128 - 2.0**120),
    "float16": Format(2.0**-11, 2.0**-11, 2.0**-24, 65504.0),
    "tfloat32": Format(2.0**-11, 2.0**-24, 2.0**-24, 2.0**128 - 2.0**104),
    "float32": Format(2.0**-24, 2.0**-24, 2.0**-24, 2.0**128 - 2.0**104),
    "float64": Format(2.0**-53, 2.0**-53, 2.0**-53, 2.0**1023 * (2 - 2.0**-52)),
}
"""IEEE 754 and, for tfloat32, NVIDIA's: operands of 11 significant bits, products and sums as in float32."""

LARGEST_SUM = 2**13
"""Terms of the sums that a start may be scaled by: rounding of the norm and of Gram sums whose terms have one sign puts
the largest singular value that many roundings above 1 at worst (Higham, Accuracy and Stability, 2002, sec. 3.1)."""

EMPIRICAL_STEP = 1.25
"""Largest error of a single step in units of u A, for p = 2 and degrees 3 to 17.

A choice, above what the search of theory/emulation.py reached; the tests hold the search and the library against it.
"""

EMPIRICAL_KAPPA = 0.6
"""Error of a step in units of u A that several steps need: they do not reach their worst case together.

A choice, just above what the search of theory/emulation.py could make use of; the tests say how far it is from sharp.
"""

ALLOWANCE = 2.0
"""Overshoot of the certified end, in units of u A of the last step, that still counts as rounding.

One for the last step's own error and one for what it makes of the errors before.
"""

SHARE = 0.25
"""Overshoot of the certified end, as a share of the certified error, that is not worth a larger safety factor."""

RUNAWAY = 8.0
"""A top from which on nothing comes back: no minimax composition of 1 has an interval that reaches beyond 2."""

STABLE = 20.0
"""Growth of the backward error (``certificate.stability``) that counts as stable: a choice above the 8 to 11 of the
cushioned lists in use, and below the 55 and more of plain compositions from 0.007 on."""

NEGLIGIBLE = 0.1
"""Share of the certified error that the backward error may have otherwise: a choice."""

CANDIDATES = (
    (0.0, 1.0),
    (0.0, 1.003),
    (0.01, 1.01),
    (0.02, 1.02),
    (0.05, 1.02),
    (0.05, 1.05),
    (0.1, 1.05),
    (0.1, 1.1),
    (0.2, 1.1),
    (0.3, 1.05),
    (0.3, 1.1),
    (0.3, 1.2),
    (0.4, 1.2),
    (0.5, 1.3),
)
"""Pairs of cushion and safety factor to try, from the least to the most cautious: a choice.  A pair between two of them
may have a smaller error."""


@dataclass(frozen=True)
class Tube:
    """What rounding can do to the values of a schedule.

    Attributes
    ----------
    tops : tuple of float
        Bound on the largest singular value before the first and after every step; shorter where it ran away.
    amplifications : tuple of float
        $A$ of every step at the top before it.
    closes : bool
        Whether every value stays where the next polynomial is positive, and the end is that of exact arithmetic to
        ``ALLOWANCE``.
    reason : str
        Why not; empty if it closes.
    """

    tops: tuple[float, ...]
    amplifications: tuple[float, ...]
    closes: bool
    reason: str


def amplification(coefficients: Sequence[float], upper: float, p: int = 2) -> float:
    r"""$\sum_i |c_i| u^{pi+1}$: the size of the terms of which $x h(x^p)$ is the sum, at x = upper.

    Examples
    --------
    >>> amplification((1.5, -0.5), 1.0)
    2.0
    """
    return abs(value([abs(c) for c in coefficients], upper, p))


def tube(
    polynomials: Sequence[Sequence[float]],
    name: str,
    lower: float,
    p: int = 2,
    margin: float = 1.0,
    terms: int = LARGEST_SUM,
) -> Tube:
    r"""Carry [lower, 1] through a schedule in a number format.

    Parameters
    ----------
    polynomials : sequence of sequences of float
        Per step the coefficients of $x, x^{p+1}, x^{2p+1}, \dots$, with the safety factor in them.
    name : {"bfloat16", "float16", "tfloat32", "float32", "float64"}
    lower : float
        The start's singular values lie in [lower, 1].
    p : int
        2 for the polar factor, sign and square roots.
    margin : float
        Factor on the error of a step: above 1 for a more cautious answer.
    terms : int
        Of the sums behind the scale of the start; 0 for a start that is at most 1.

    Returns
    -------
    Tube

    Raises
    ------
    KeyError
        An unknown format.

    Examples
    --------
    >>> newton_schulz = [(1.5, -0.5)] * 4
    >>> tube(newton_schulz, "bfloat16", lower=0.5).closes
    True
    """
    form = FORMATS[name]
    top, low, high = 1 + form.stored + terms * form.summed, lower, 1.0
    reach = top  # where a single step may have put the top, however unlikely for several together
    tops, sizes = [top], []
    error = allowed = drift = 0.0
    for t, c in enumerate(polynomials, 1):
        turns = [(x, value(c, x, p)) for x in critical_points(c, p) if x < max(reach, high)]
        least = min([v for _, v in turns] + [value(c, top, p), value(c, reach, p)])
        most = max([v for x, v in turns if x < top] + [value(c, top, p)])
        size = amplification(c, top, p)
        sizes.append(size)
        likely, worst = EMPIRICAL_KAPPA * margin * form.roundoff * size, EMPIRICAL_STEP * margin * form.roundoff * size
        if p > 2:  # M forgets its errors, X keeps them: relative ones of a p-th of those of the least value of M
            of_m = margin * form.roundoff * _noise_of_root(c, size, top, most, p)
            smallest = min(least, value(c, low, p))
            drift += of_m / (p * smallest**p) if smallest > 0 else inf
            likely = worst = of_m / (p * most ** (p - 1))
        reason = ""
        if size > form.largest * top:
            reason = f"its products reach {size / top:.3g} and overflow"
        elif c[0] <= 0 or least <= worst:
            reason = f"the least value {least:.3g} up to {reach:.6g} is within its rounding {worst:.2g}"
        elif not most + worst < RUNAWAY:
            reason = f"the top runs away to {most + worst:.3g}"
        if reason:
            return Tube(tuple(tops), tuple(sizes), False, f"step {t}: {reason}")
        ends = [v for x, v in turns if low < x < high] + [value(c, low, p), value(c, high, p)]
        own = form.roundoff * amplification(c, high, p)
        low, high = min(ends), max(ends)
        error = max(1 - low, high - 1)
        allowed = max(ALLOWANCE * own, SHARE * error)
        top, reach = most + likely, most + worst
        tops.append(top)
    reason = (
        "" if top <= 1 + error + allowed else f"the end {top:.6g} exceeds 1 + {error:.3g} by more than {allowed:.2g}"
    )
    if drift > SHARE * error:
        reason = f"X may drift from M by {drift:.2g}, more than {SHARE:g} of the error {error:.2g}"
    return Tube(tuple(tops), tuple(sizes), not reason, reason)


def _noise_of_root(c: Sequence[float], size: float, top: float, most: float, p: int) -> float:
    """Rounding of M <- h^p M in units of u, where M has the largest value top^p.

    An error of h, or of its powers, meets the largest value of M on one side and the largest of h, that of the smallest
    values, on the other.  The error of a product is taken as its bound without the order of the matrix.
    """
    steepest = max(abs(c[0]), most / top)
    return float(top**p * steepest ** (p - 1) * (p * size / top + (p + 1) * steepest))


def hazard(polynomials: Sequence[Sequence[float]], name: str, lower: float, upper: float = 1.0, p: int = 2) -> str:
    """Why a schedule for [lower, upper] must not be used in a format; empty if it may.

    Raises
    ------
    ValueError
        For the name of no format.

    Examples
    --------
    >>> hazard([(1.5, -0.5)] * 4, "bfloat16", lower=0.5)
    ''
    """
    if name not in FORMATS:
        raise ValueError(f"dtype: expected one of {', '.join(FORMATS)}, got {name!r}")
    try:
        first = tuple(c * upper ** (1 + p * i) for i, c in enumerate(polynomials[0]))  # as if started on [l / u, 1]
        scaled = [first, *polynomials[1:]]
        if reason := tube(scaled, name, lower / upper, p).reason:
            return reason
        d, error = stability(scaled, lower / upper, 1.0, p), sup_error(scaled, lower / upper, 1.0, p)
    except OverflowError:
        return "its values overflow"
    rounding = d * FORMATS[name].roundoff
    if d > STABLE and rounding > NEGLIGIBLE * error:
        return f"the backward error may reach {d:.3g} roundings, {rounding:.2g}, beside an error of {error:.2g}"
    return ""
