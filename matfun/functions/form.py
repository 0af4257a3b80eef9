"""Standard or Gram form of a fixed number of steps on a tall or wide matrix: whichever is safe and costs less."""

from __future__ import annotations

from typing import Any, Literal

from matfun.functions.inputs import Input
from matfun.polynomials.gram_form import SMALLEST_ASPECT, plan_restarts
from matfun.polynomials.update import Basis, Polynomial
from matfun.problems.polar import PolarProblem
from matfun.problems.polar_gram import PolarGramProblem
from matfun.rules.rule import ResidualView, Rule

Form = Literal["auto", "standard", "gram"]

EMPIRICAL_SMALLEST_SIDE = 128
"""Below it a step takes the time of its calls, of which the Gram form has more."""


class _LooksAtResidual(Exception):
    pass


class _Unseen:
    """A residual that nobody can look at."""

    def __getattr__(self, name: str) -> Any:
        raise _LooksAtResidual(name)


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
    small, large = sorted(given.A.shape[-2:])
    if form == "standard" or (
        form == "auto" and (steps == 0 or large < SMALLEST_ASPECT * small or small < EMPIRICAL_SMALLEST_SIDE)
    ):
        return PolarProblem(given.ops, rng)
    ops, eps = given.ops, given.ops.eps(given.A.dtype)
    updates = known_in_advance(rule, steps, eps)
    # with a huge aspect the price decides nothing: what is left is whether the form is safe
    aspect = large / small if form == "auto" else float("inf")
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
    """Polynomials of the steps; those that are fitted on the device by the steepest that they can be.

    Parameters
    ----------
    rule : Rule
    steps : int
    eps : float

    Returns
    -------
    tuple of (basis, coefficients), or None
        None for rules that look at the residual and do not say how steep they can be, and for rational ones.
    """
    ask = getattr(rule, "steepest", rule.next)
    found = []
    for k in range(steps):
        try:
            h = ask(ResidualView(2, k, k + 1 == steps, None, eps, _Unseen()))
        except _LooksAtResidual:
            return None
        if not isinstance(h, Polynomial) or not all(isinstance(c, (int, float)) for c in h.coefficients):
            return None
        found.append((h.basis, tuple(map(float, h.coefficients))))
    return tuple(found)
