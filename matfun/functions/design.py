"""``matfun.design``: from a wish, an interval and a price or an error, to polynomials that are proved to grant it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from numbers import Real
from threading import Lock
from typing import Any

import numpy as np

from matfun.functions.inputs import check_choice, check_count
from matfun.polynomials.certificate import exact_sup_error
from matfun.polynomials.composition import Stage, compose, start
from matfun.polynomials.degrees import fewest_products, least_errors, price_of, widest_left_end
from matfun.polynomials.formats import CANDIDATES, FORMATS, SHARE, hazard
from matfun.polynomials.minimax import DEGREES
from matfun.polynomials.update import Polynomial
from matfun.rules.schedule import Schedule

CUSTOMARY = 5
"""Degree and number of steps where nothing else is asked for (Muon, Polar Express)."""

MOST_STEPS = 64
LARGEST_P = 512
"""As for ``matfun.invrootm``."""

PRODUCT_OPTIMAL = (3, 5, 9, 17)
"""Degrees for which h of degree 1, 2, 4, 8 takes 0, 1, 2, 3 products; no other up to 17 does more for its price."""

CLOSE = 1 + SHARE
"""Ratio of the error of the floats to that of the exact polynomials up to which rounding has not spoilt a schedule."""

SLACKS = (0.0, 1e-9, 1e-6, 1e-3)
"""Shares of a target to leave to the rounding of coefficients, where the interval is chosen to reach it exactly."""

NO_ERROR = 1e-12
"""An error below this is rounding whatever it is; rounding a coefficient of 1e6 moves a value by 1e-10."""

_designed: dict[_Wish, Schedule] = {}
_lock = Lock()


def design(
    lower: float | None = 1e-3,
    upper: float = 1.0,
    degree: int | Sequence[int] | None = None,
    steps: int | None = None,
    target: float | None = None,
    products: int | None = None,
    dtype: Any = "float64",
    cushion: float | None = None,
    safety: float | None = None,
    p: int = 2,
) -> Schedule:
    r"""Polynomials whose composition takes [lower, upper] as close to 1 as any of that price.

    ========================  ==========================================================================
    given                     result
    ========================  ==========================================================================
    neither of the two below  ``steps`` steps of ``degree``, 5 of degree 5 by default; a sequence of
                              degrees is one for each step
    ``target``                the fewest products whose error is at most ``target``, over the cushions and
                              safety factors that are tried
    ``products``              the least error for at most so many products
    ``target``, ``steps``,    the widest interval: the smallest left end from which those steps
    and ``lower=None``        reach the error (the delta-orthogonalisation of CANS)
    ========================  ==========================================================================

    Parameters
    ----------
    lower, upper : float
        Singular values of the scaled matrix lie between them, 0 < lower < upper; for other p than 2, p-th roots of the
        eigenvalues of M = I - R.  Smaller values grow too, only later.
    degree : int or sequence of int, optional
        Odd, 3 to 17; 2 q + 1 for h of degree q, the degree in X for p = 2.  With ``target`` or ``products``: those that
        a step may have, by default 3, 5, 9 and 17 as far as the format carries them.
    steps : int, optional
        At least 1.
    target : float, optional
        In (1e-290, 0.999).
    products : int, optional
        Full-size products of the polar factor (``Schedule.products``), at least 2.
    dtype : str, dtype or None
        "bfloat16", "float16", "tfloat32", "float32" or "float64", or a dtype of any library of that name: only
        schedules whose values rounding cannot push out of reach are returned.  For p = 2 the rule was tested by
        emulation, for other p it is a first-order bound.  None: exact arithmetic, but for the floats themselves.
    cushion, safety : float, optional
        Cushion in [0, 1) and safety factor in [1, 2) as ``matfun.PolarExpress`` has them.  Default: the least that the
        format needs.  ``cushion=0, safety=1`` is the plain minimax composition.
    p : int
        From 1 to 512.

    Returns
    -------
    Schedule
        Pass it as ``method=``.  ``error`` is the certified $\sup |1 - x|$ over [lower, upper] after all steps, of the
        floats returned; ``stages[-1].error`` that of the polynomials before rounding.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, naming them; if no schedule grants the wish, or none that is safe in ``dtype``.

    Notes
    -----
    Nothing is designed twice in a process.  Of all compositions of the same degrees in the same order none
    has a smaller error than ``cushion=0, safety=1`` (for every p: theory/composition.py).  Other polynomials of the
    same number of products may be better: how much compositions lose is an open problem.

    References
    ----------
    Amsel, Persson, Musco, Gower, arXiv 2505.16932, Thm 4.1.  Lee, Lee, No, Kim, IACR eprint 2020/834.  Grishina,
    Smirnov, Rakhuba, arXiv 2506.10935.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> plan = matfun.design(lower=1e-3, target=1e-2)
    >>> plan.degrees, plan.products, plan.error < 1e-2
    ((3, 9, 17, 17), 16, True)
    >>> X = matfun.orthogonalize(np.diag([1.0, 0.5]), method=plan, steps=len(plan))
    >>> bool(abs(X - np.eye(2)).max() < 1e-2)
    True
    """
    wish = _checked(lower, upper, degree, steps, target, products, dtype, cushion, safety, p)
    with _lock:
        if wish not in _designed:
            _designed[wish] = _granted(wish)
        return _designed[wish]


@dataclass(frozen=True)
class _Wish:
    """The arguments of ``design``, as plain numbers; one degree for each step, or those to be searched, or None."""

    lower: float | None
    upper: float
    degrees: tuple[int, ...] | None
    target: float | None
    products: int | None
    dtype: str | None
    cushion: float | None
    safety: float | None
    p: int

    @property
    def searched(self) -> bool:
        """Whether the degrees of the steps are open."""
        return self.lower is not None and (self.target is not None or self.products is not None)


def _checked(
    lower: Any,
    upper: Any,
    degree: Any,
    steps: Any,
    target: Any,
    products: Any,
    dtype: Any,
    cushion: Any,
    safety: Any,
    p: Any,
) -> _Wish:
    """Raise what ``design`` documents."""
    _require(_within(upper, 0, inf), "upper", "a positive number", upper)
    _require(lower is None or _within(lower, 0, float(upper)), "lower", f"a number in (0, {upper})", lower)
    _require(target is None or _within(target, 1e-290, 1 - 1e-3), "target", "a number in (1e-290, 0.999)", target)
    _require(cushion is None or (_within(cushion, -inf, 1) and cushion >= 0), "cushion", "a number in [0, 1)", cushion)
    _require(safety is None or (_within(safety, -inf, 2) and safety >= 1), "safety", "a number in [1, 2)", safety)
    check_count("p", p, least=1)
    _require(p <= LARGEST_P, "p", f"at most {LARGEST_P}", p)
    for name, count, least in (("steps", steps, 1), ("products", products, 2)):
        if count is not None:
            check_count(name, count, least=least)
    _require(steps is None or steps <= MOST_STEPS, "steps", f"at most {MOST_STEPS}", steps)
    wanted = target is not None or products is not None
    _require(target is None or products is None, "target, products", "at most one of the two", (target, products))
    if lower is None:
        _require(target is not None and steps is not None, "lower", "a number, or None with target and steps", None)
    elif wanted and steps is not None:
        raise ValueError(
            f"steps: expected None together with target or products (or lower=None with target), got {steps}"
        )
    searched = wanted and lower is not None
    chosen = _degrees(degree, None if searched else steps or CUSTOMARY)
    if not searched and steps is not None and chosen is not None:
        _require(len(chosen) == steps, "steps", f"None or {len(chosen)}, the number of degrees", steps)
    lower, target, cushion, safety = (None if x is None else float(x) for x in (lower, target, cushion, safety))
    products = None if products is None else int(products)
    return _Wish(lower, float(upper), chosen, target, products, _format(dtype), cushion, safety, int(p))


def _degrees(degree: Any, steps: int | None) -> tuple[int, ...] | None:
    """One degree for each step; where the number of steps is open, those that a step may have, or None for any."""
    if degree is None:
        return None if steps is None else (CUSTOMARY,) * steps
    if isinstance(degree, np.ndarray):
        degree = degree.tolist()
    several = isinstance(degree, Sequence) and not isinstance(degree, str)
    chosen = tuple(degree) if several else (degree,)
    known = len(chosen) > 0 and all(isinstance(d, Real) and d in DEGREES for d in chosen)
    _require(known, "degree", f"one or several of {DEGREES}", degree)
    if several or steps is None:
        return tuple(int(d) for d in chosen)
    return (int(degree),) * steps


def _within(x: Any, low: float, high: float) -> bool:
    if not isinstance(x, Real):
        return False
    try:
        return low < float(x) < high
    except OverflowError:  # an int beyond the floats
        return False


def _require(condition: bool, name: str, expected: str, got: Any) -> None:
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got!r}")


def _format(dtype: Any) -> str | None:
    """Name of a format, also from a dtype of NumPy, torch, JAX or CuPy."""
    if dtype is None:
        return None
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype).rsplit(".", 1)[-1]
    check_choice("dtype", name, tuple(FORMATS))
    return str(name)


def _granted(wish: _Wish) -> Schedule:
    """The first safe schedule, from the least cautious on; with a target the one of the fewest products."""
    prefixes = [PRODUCT_OPTIMAL[:k] for k in range(len(PRODUCT_OPTIMAL), 0, -1)]
    sets = [wish.degrees] if wish.degrees else prefixes
    cautions = ((0.0, 1.0),) if wish.dtype is None else CANDIDATES
    tried = dict.fromkeys(
        (c if wish.cushion is None else wish.cushion, s if wish.safety is None else wish.safety) for c, s in cautions
    )
    best: Schedule | None = None
    reason = ""
    for caution in tried:
        # a format that does not carry the highest degree may carry the others, for more products
        for degrees in sets:
            try:
                for stages in _attempts(replace(wish, degrees=degrees), *caution):
                    if best is not None and _price(stages) >= best.products:
                        return best  # nor can a more cautious one, nor fewer degrees, cost less
                    found = _certified(wish, stages)
                    if isinstance(found, Schedule):
                        if wish.target is None or not wish.searched:
                            return found
                        best = found
                        break
                    reason = found
            except ArithmeticError as error:
                reason = f"it cannot be represented ({error})"
    if best is not None:
        return best
    interval = f"[{wish.lower}, {wish.upper:g}]" if wish.lower is not None else f"up to {wish.upper:g}"
    if not reason:
        asked = f"target = {wish.target:g}" if wish.target is not None else f"products = {wish.products}"
        raise ValueError(f"{asked}: no schedule of degrees {sets[0]} grants it for {interval}")
    fixed = "".join(f", {n} = {x:g}" for n, x in (("cushion", wish.cushion), ("safety", wish.safety)) if x is not None)
    raise ValueError(
        f"dtype: no schedule of degrees {sets[0]}{fixed} for {interval}, p = {wish.p} is safe in "
        f"{wish.dtype or 'float64'}; expected a lower degree, a shorter interval, or a larger cushion or safety "
        f"factor.  The last one tried: {reason}"
    )


def _price(stages: list[Stage]) -> int:
    return sum(price_of(Polynomial(stage.coefficients, "gram"), stage.p) for stage in stages)


def _attempts(wish: _Wish, cushion: float, safety: float) -> Iterator[list[Stage]]:
    """Schedules to be looked at for a cushion and a safety factor, the best first."""
    lower, upper, degrees, p = wish.lower, wish.upper, wish.degrees, wish.p
    assert degrees is not None
    if lower is not None and wish.target is not None:
        found = fewest_products(start(lower, upper), degrees, wish.target, cushion, safety, p)
        yield from [found] if found else []
    elif lower is not None and wish.products is not None:
        all_prices = least_errors(start(lower, upper), degrees, wish.products, cushion, safety, p)
        yield from sorted(filter(None, all_prices), key=lambda stages: stages[-1].error)[:1]
    else:
        if lower is not None:
            lowers = iter([lower])
        else:
            assert wish.target is not None
            targets = (wish.target * (1 - slack) for slack in SLACKS)
            lowers = (upper * widest_left_end(degrees, target, cushion, safety, p) for target in targets)
        for lower in lowers:
            *stages, last = compose(lower, upper, degrees, cushion, safety, p)
            yield [*stages, last.without_safety()]
            if last.safety > 1 and wish.target is None:  # the top may be too far out for the last polynomial, too
                yield [*stages, last]


def _certified(wish: _Wish, stages: list[Stage]) -> Schedule | str:
    """The schedule with the error of its floats, or why it must not be used."""
    coefficients = tuple(stage.coefficients for stage in stages)
    ends = (stages[0].lower, wish.upper)
    if wish.dtype is not None and (reason := hazard(coefficients, wish.dtype, *ends, wish.p)):
        return reason
    try:
        error = exact_sup_error(coefficients, *ends, wish.p)
    except OverflowError:
        error = inf
    if error > max(CLOSE * stages[-1].error, NO_ERROR):
        return f"rounding its coefficients to float64 takes the error from {stages[-1].error:.3g} to {error:.3g}"
    if wish.target is not None and error > wish.target * (1 + 1e-9) and error > NO_ERROR:
        return f"rounding its coefficients to float64 takes the error above the target, to {error:.6g}"
    return Schedule(coefficients, ends, error, wish.p, wish.dtype, "design", stages=tuple(stages))
