"""Standard or Gram form of a fixed number of steps on a tall or wide matrix: whichever is safe and costs less."""

from __future__ import annotations

from typing import Any, Literal

from matfun.functions.inputs import Input
from matfun.polynomials.gram_form import SMALLEST_ASPECT, plan_restarts
from matfun.polynomials.update import Basis, Polynomial, Update
from matfun.problems.polar import PolarProblem
from matfun.problems.polar_gram import PolarGramProblem
from matfun.rules.rule import ResidualView, Rule
from matfun.rules.unseen import UNSEEN, answers_without_looking

Form = Literal["auto", "standard", "gram"]

ASPECTS = (16.0, 8.0, 6.0, 4.0, 3.0, 2.5, 2.0, SMALLEST_ASPECT)
"""Aspects that prices are compared for; the next smaller one decides."""

EMPIRICAL_SMALLEST_SIDE = 128
"""Below it a step takes the time of its calls, of which the Gram form has more."""


def polar_problem(given: Input, rule: Rule, steps: int, rng: Any, form: Form) -> PolarProblem:
    """Problem in the form asked for.

    Parameters
    ----------
    given : Input
    rule : Rule
    steps : int
    rng : numpy.random.Generator, seed or None
    form : {"auto", "standard", "gram"}

    Raises
    ------
    ValueError
        Where the Gram form is asked for and its rounding errors, in the dtype of the matrix, are not as small as those
        of the standard form, or the rule has no polynomials known in advance.
    """
    small, large = min(given.A.shape[-2:]), max(given.A.shape[-2:])
    # one of a few numbers, because sizes may be symbols of a compiler
    aspect = next((a for a in ASPECTS if large >= a * small), 1.0)
    pays = aspect >= SMALLEST_ASPECT and small >= EMPIRICAL_SMALLEST_SIDE
    if form == "standard" or steps < 2 or (form == "auto" and not pays):  # one step is the same in both forms
        return PolarProblem(given.ops, rng)
    ops, eps = given.ops, given.ops.eps(given.A.dtype)
    updates = known_in_advance(rule, steps, eps)
    # with a huge aspect the price decides nothing: what is left is whether the form is safe
    aspect = aspect if form == "auto" else float("inf")
    restarts = plan_restarts(updates, eps / 2, aspect, *ops.symmetric_prices(given.A)) if updates is not None else None
    if restarts is not None:
        return PolarGramProblem(ops, rng, steps, restarts)
    if form == "gram":
        raise ValueError(
            "form: expected 'auto' or 'standard', because this rule's polynomials are not known in advance or would "
            f"amplify the rounding errors of {given.A.dtype} too much in the Gram form; got 'gram'"
        )
    return PolarProblem(ops, rng)


def known_in_advance(rule: Rule, steps: int, eps: float) -> tuple[tuple[Basis, tuple[float, ...]], ...] | None:
    """Polynomials of the steps, those fitted on the device by the steepest that they can be; None where they are not.

    Parameters
    ----------
    rule : Rule
    steps : int
    eps : float
    """

    def view_of(k: int, before: Update | None) -> ResidualView:
        return ResidualView(2, k, k + 1 == steps, None, eps, UNSEEN, before)

    steepest = getattr(rule, "steepest", None)
    if steepest is not None:
        found = [steepest(view_of(k, None)) for k in range(steps)]
    else:
        found = answers_without_looking(rule, view_of, steps)
    if len(found) < steps or not all(
        isinstance(h, Polynomial) and all(isinstance(c, (int, float)) for c in h.coefficients) for h in found
    ):
        return None
    return tuple((h.basis, tuple(map(float, h.coefficients))) for h in found)
