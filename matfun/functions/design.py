"""``matfun.design``: from a wish, an interval and a price or an error, to polynomials that are proved to grant it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf
from numbers import Real
from threading import Lock
from typing import Any

from matfun.functions.inputs import check_choice, check_count
from matfun.polynomials.composition import Stage, compose, start
from matfun.polynomials.degrees import fewest_products, least_errors, widest_left_end
from matfun.polynomials.formats import CANDIDATES, FORMATS, hazard
from matfun.polynomials.minimax import DEGREES
from matfun.rules.schedule import Schedule

CUSTOMARY = 5
"""Degree and number of steps where nothing else is asked for (Muon, Polar Express)."""

MOST_STEPS = 64

PRODUCT_OPTIMAL = (3, 5, 9, 17)
"""Degrees for which h of degree 1, 2, 4, 8 takes 0, 1, 2, 3 products; no other up to 17 does more for its price."""

_designed: dict[Any, Schedule] = {}
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
    ``target``                the fewest products whose error is at most ``target``
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
        In (0, 1).
    products : int, optional
        Full-size products of the polar factor (``Schedule.products``), at least 2.
    dtype : str, dtype or None
        "bfloat16", "float16", "tfloat32", "float32" or "float64", or a dtype of any library of that name: only
        schedules whose values rounding cannot push out of reach are returned.  None: exact arithmetic.
    cushion, safety : float, optional
        Cushion in [0, 1) and safety factor in [1, 2) as ``matfun.PolarExpress`` has them.  Default: the least that the
        format needs.  ``cushion=0, safety=1`` is the plain minimax composition.
    p : int
        At least 1.

    Returns
    -------
    Schedule
        Pass it as ``method=``.  ``error`` is the certified $\sup |1 - x|$ over [lower, upper] after all steps.

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
    ((3, 3, 3, 3, 3, 3, 9), 16, True)
    >>> X = matfun.orthogonalize(np.diag([1.0, 0.5]), method=plan, steps=len(plan))
    >>> bool(abs(X - np.eye(2)).max() < 1e-2)
    True
    """
    arguments = _checked(lower, upper, degree, steps, target, products, _format(dtype), cushion, safety, p)
    with _lock:
        if arguments not in _designed:
            _designed[arguments] = _design(*arguments)
        return _designed[arguments]


def _checked(
    lower: Any,
    upper: Any,
    degree: Any,
    steps: Any,
    target: Any,
    products: Any,
    dtype: str | None,
    cushion: Any,
    safety: Any,
    p: Any,
) -> tuple[Any, ...]:
    """All arguments with their defaults, as plain numbers; raise what ``design`` documents."""
    _require(_within(upper, 0, inf), "upper", "a positive number", upper)
    _require(lower is None or (_within(lower, 0, upper)), "lower", f"a number in (0, {upper})", lower)
    _require(target is None or _within(target, 0, 1), "target", "a number in (0, 1)", target)
    _require(cushion is None or cushion == 0 or _within(cushion, 0, 1), "cushion", "a number in [0, 1)", cushion)
    _require(safety is None or safety == 1 or _within(safety, 1, 2), "safety", "a number in [1, 2)", safety)
    check_count("p", p, least=1)
    for name, count in (("steps", steps), ("products", products)):
        if count is not None:
            check_count(name, count, least=1 if name == "steps" else 2)
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
    target, cushion, safety = (None if x is None else float(x) for x in (target, cushion, safety))
    return (None if lower is None else float(lower), float(upper), chosen, target, products, dtype, cushion, safety, p)


def _degrees(degree: Any, steps: int | None) -> tuple[int, ...] | None:
    """One degree for each step; where the number of steps is open, those that a step may have, or None for any."""
    if degree is None:
        return None if steps is None else (CUSTOMARY,) * steps
    several = isinstance(degree, Sequence) and not isinstance(degree, str)
    chosen = tuple(degree) if several else (degree,)
    _require(len(chosen) > 0 and all(d in DEGREES for d in chosen), "degree", f"one or several of {DEGREES}", degree)
    if several or steps is None:
        return tuple(int(d) for d in chosen)
    return (int(degree),) * steps


def _within(x: Any, low: float, high: float) -> bool:
    return isinstance(x, Real) and low < float(x) < high


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


def _design(
    lower: float | None,
    upper: float,
    degrees: tuple[int, ...] | None,
    target: float | None,
    products: int | None,
    dtype: str | None,
    cushion: float | None,
    safety: float | None,
    p: int,
) -> Schedule:
    choices = [degrees] if degrees else [PRODUCT_OPTIMAL[:k] for k in range(len(PRODUCT_OPTIMAL), 0, -1)]
    cautions = ((0.0, 1.0),) if dtype is None else CANDIDATES
    tried = dict.fromkeys((c if cushion is None else cushion, s if safety is None else safety) for c, s in cautions)
    reason = ""
    # from the least cautious on; a format that does not carry the highest degree may carry the others
    for (padding, factor), choice in product(tried, choices):
        for stages in _stages(lower, upper, choice, target, products, padding, factor, p):
            coefficients = tuple(stage.coefficients for stage in stages)
            ends, error = (stages[0].lower, upper), stages[-1].error
            reason = "" if dtype is None else hazard(coefficients, dtype, *ends, p)
            if not reason:
                return Schedule(coefficients, ends, error, p, dtype, "design", stages=tuple(stages))
    if not reason:
        asked = f"target = {target:g}" if target is not None else f"products = {products}"
        raise ValueError(f"{asked}: no schedule of degrees {choices[0]} grants it from lower = {lower:g}")
    fixed = "".join(f", {n} = {x:g}" for n, x in (("cushion", cushion), ("safety", safety)) if x is not None)
    raise ValueError(
        f"dtype: no schedule of degrees {choices[0]}{fixed} for that interval is safe in {dtype}; "
        f"expected a lower degree, a larger cushion or safety factor, or dtype=None.  The last one tried: {reason}"
    )


def _stages(
    lower: float | None,
    upper: float,
    degrees: tuple[int, ...],
    target: float | None,
    products: int | None,
    cushion: float,
    safety: float,
    p: int,
) -> Iterator[list[Stage]]:
    """Schedules to be looked at for a cushion and a safety factor, the best first."""
    if lower is not None and target is not None:
        found = fewest_products(start(lower, upper), degrees, target, cushion, safety, p)
        yield from [found] if found else []
    elif lower is not None and products is not None:
        all_prices = least_errors(start(lower, upper), degrees, products, cushion, safety, p)
        yield from sorted(filter(None, all_prices), key=lambda stages: stages[-1].error)[:1]
    else:
        if lower is None:
            assert target is not None
            lower = upper * widest_left_end(degrees, target, cushion, safety, p)
        *stages, last = compose(lower, upper, degrees, cushion, safety, p)
        yield [*stages, last.without_safety()]
        if last.safety > 1 and target is None:  # the top may be too far out for the last polynomial, too
            yield [*stages, last]
