r"""Any list of polynomials: $\sigma \leftarrow \sigma h_t(\sigma^p)$ in step t, then what continues it.

Newton-Schulz, or the last one again, or for a design that ends on a known interval (``end``: its lower and upper end
and its spread, the half width over the centre) the minimax composition from there.

Not the twin of one rule, but of every list that ``matfun.design`` makes and every one that is published.  The
coefficients are taken as the exact values of their floats.

* Map: as given, in 50 digits.
* Bound: the interval of the start carried through the images (scalar.py); proved for every continuous map.
* Region.  Let $(0, R)$ be the one of what follows the list: of Newton-Schulz of the last degree
  (newton_schulz.py), or for a repeated $f$ the largest one that f maps into itself, which ends at a zero of f
  or at a fixed point where $f' > 1$.  Backwards, a start stays in it while no image leaves $(0, R)$: R becomes the
  first x with $f_t(x) \in \{0, R\}$.
* Price: p = 2, polar factor: the Gram matrix, h, and its application.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from mpmath import mp

from theory import composition, evaluation, newton_schulz
from theory.inverse_root import taylor as taylor_of_root
from theory.polar_express import CUT_OFF
from theory.rational import reflected
from theory.scalar import (
    WORKING_DIGITS,
    Number,
    Spectrum,
    horner,
    image_residual,
    number,
    on_spectrum,
    real_roots,
)

Lists = tuple[tuple[float, ...], ...]
End = tuple[float, float, float]

CONTINUED = 6
"""Steps after which cubics have brought an error of 1/4 below 1e-22, and the composition is Newton-Schulz."""


def coefficients_at(
    step: int, coefficients: Lists, p: int = 2, *, repeat: bool = False, end: End | None = None
) -> tuple[Number, ...]:
    """Of h in powers of sigma^p, in step number ``step``."""
    if step < len(coefficients) or repeat:
        return tuple(number(c) for c in coefficients[min(step, len(coefficients) - 1)])
    if end is not None:
        return _continuation(end, 2 * len(coefficients[-1]) - 1, p, step - len(coefficients))
    return tuple(number(c) for c in reflected(taylor_of_root(p, len(coefficients[-1]) - 1)))


@cache
def _continuation(end: End, degree: int, p: int, step: int) -> tuple[Number, ...]:
    """Step number ``step``, from 0, of the composition that goes on from an interval about 1, at most [3/4, 5/4]."""
    lower, upper, spread = map(number, end)
    if spread > 0.25:
        raise ValueError(f"end: expected a spread of at most 1/4, got {spread}")
    centre = (lower + upper) / 2
    ends = centre * (1 - spread), centre * (1 + spread)
    last = composition.composition(*ends, (degree,) * (step + 1), p=p, dps=WORKING_DIGITS)[-1]
    if last.error < CUT_OFF:
        return tuple(map(number, composition.taylor(degree, p=p)))
    return last.coefficients


def next_spectrum(
    sigmas: Spectrum,
    step: int,
    *,
    coefficients: Lists,
    p: int = 2,
    repeat: bool = False,
    end: End | None = None,
) -> Spectrum:
    """Values after step number ``step``."""

    def move(values: list[Number]) -> list[Number]:
        c = coefficients_at(step, coefficients, p, repeat=repeat, end=end)
        return [x * horner(c, x**p) for x in values]

    return on_spectrum(move, sigmas)


def polynomials(
    steps: int, *, coefficients: Lists, p: int = 2, repeat: bool = False, end: End | None = None
) -> list[tuple[Number, ...]]:
    """Gram-basis coefficients of each step."""
    with mp.workdps(WORKING_DIGITS):
        return [coefficients_at(step, coefficients, p, repeat=repeat, end=end) for step in range(steps)]


def price(step: int, **options: Any) -> dict[str, int]:
    """Full-size products of one step of the polar problem."""
    c = [float(v) for v in coefficients_at(step, **options)]
    return {"gram": 1, "symm": evaluation.price(c), "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int, **options: Any) -> float | None:
    """Bound by the image of the interval of the singular values (p = 2)."""
    return image_residual(polynomials(steps, **options), sigmas)


def region(*, coefficients: Lists, p: int = 2, repeat: bool = False, end: End | None = None) -> tuple[float, float]:
    """Open interval of starts that stay positive and bounded; all of them converge unless the last is repeated."""
    with mp.workdps(WORKING_DIGITS):
        if repeat:
            chain, edge = coefficients[:-1], _invariant([number(c) for c in coefficients[-1]], p)
        else:
            degree = 2 * len(coefficients[-1]) - 1
            chain = coefficients
            if end is not None:
                chain += tuple(_continuation(end, degree, p, k) for k in range(CONTINUED))
            edge = number(newton_schulz.region(degree=degree, p=p)[1])
        for c in reversed(chain):
            edge = _first_exit([number(v) for v in c], edge, p)
        return 0.0, float(edge)


def converges(
    *,
    coefficients: Lists,  # noqa: ARG001
    p: int = 2,  # noqa: ARG001
    repeat: bool = False,
    end: End | None = None,  # noqa: ARG001
) -> bool:
    """Whether the list ends in Newton-Schulz, or in what tends to it."""
    return not repeat


def _in_x(c: list[Number], value: Number, p: int) -> list[Number]:
    """Coefficients in x of x h(x^p) - value."""
    spread = [mp.mpf(0)] * (p * (len(c) - 1) + 2)
    spread[1::p] = c
    spread[0] = -value
    return spread


def _first_exit(c: list[Number], top: Number, p: int) -> Number:
    ends = [x for value in (0, top) for x in real_roots(_in_x(c, value, p), mp.mpf(0), mp.mpf(9)) if x > 0]
    return min(ends)


def _invariant(c: list[Number], p: int) -> Number:
    """The first zero, or the first fixed point with f' > 1 below which f does not exceed it."""
    zeros = [y for y in real_roots(c, mp.mpf(0), mp.mpf(99)) if y > 0]
    fixed = [y for y in real_roots([c[0] - 1, *c[1:]], mp.mpf(0), mp.mpf(99)) if y > 0]
    rising = [y for y in fixed if sum(p * i * v * y**i for i, v in enumerate(c)) > 0]  # f' = 1 + p y h'(y)
    ends = [y ** (mp.mpf(1) / p) for y in zeros[:1] + rising]
    for x in sorted(ends):
        inside = real_roots([(1 + p * i) * v for i, v in enumerate(c)], mp.mpf(0), x**p)
        if all(y ** (mp.mpf(1) / p) * horner(c, y) <= x for y in inside):
            return x
    raise ArithmeticError("no interval is mapped into itself")
