"""A fixed number of steps as one function of the array, which a provider may compile.

A compiled function is traced once and replayed after.  So it is made only for rules that promise to be what they were,
frozen dataclasses, and only where nothing is drawn or a seed says what: the numbers drawn while tracing would come
back in every call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from matfun.functions.form import Form, polar_problem
from matfun.functions.inputs import Input
from matfun.functions.parts import Part, in_parts
from matfun.functions.unitary import Start, fixed_info, fixed_steps
from matfun.ops import Array, Ops
from matfun.polynomials.update import Update
from matfun.problems.problem import Work
from matfun.result import Info
from matfun.rules.rule import Rule
from matfun.sketching.no_draws import NO_DRAWS, DrawnError

Finish = Callable[[Input, Start, Array, tuple[Update, ...]], tuple[Array, ...]]
"""What becomes of U: (given, start, U, updates) to results in the dtype of the caller."""


@dataclass(frozen=True)
class FixedSteps:
    """What is asked for, apart from the matrix and the random numbers; hashable where the rule is.

    Attributes
    ----------
    name : str
    rule : Rule
    steps : int
    finish : callable
        A function of a module, so that it can be told from others.
    form : {"auto", "standard", "gram"}
    scaled_too : bool
        Whether ``finish`` needs the scaled copy of the matrix, which otherwise would be memory.
    with_info : bool
        Whether the info is wanted.
    """

    name: str
    rule: Rule
    steps: int
    finish: Finish
    form: Form
    scaled_too: bool
    with_info: bool


def run_fixed(given: Input, asked: FixedSteps, rng: Any) -> tuple[tuple[Array, ...], Info | None]:
    """Scale, apply exactly so many steps, and finish; waits for no device.

    Parameters
    ----------
    given : Input
    asked : FixedSteps
    rng : numpy.random.Generator, seed or None
    """
    ops, drawing = given.ops, (asked.rule, asked.steps)
    if ops.compiles and _can_be_replayed(asked.rule):
        seeded = isinstance(rng, (int, np.integer))
        if seeded or drawing not in _drawing:
            static = (ops, given.dtype, asked, int(rng) if seeded else NO_DRAWS)
            try:
                found: tuple[tuple[Array, ...], Info | None] = ops.compiled(_run, static, given.A)
                return found
            except DrawnError:
                _drawing.add(drawing)
    return _run(ops, given.dtype, asked, rng, given.A)


def _run(ops: Ops, dtype: Any, asked: FixedSteps, rng: Any, A: Array) -> tuple[tuple[Array, ...], Info | None]:
    given = Input(ops, A, dtype, ops.is_traced(A))
    problem = polar_problem(given, asked.rule, asked.steps, rng, asked.form)

    def run(A: Array) -> Part:
        problem.work = Work()  # the price of one matrix, whatever the parts
        if isinstance(rng, (int, np.integer)):  # which a rule that draws in every step has made a generator
            problem.rng = rng
        some = replace(given, A=A)
        begin, U, updates = fixed_steps(some, asked.rule, asked.steps, problem, scaled_too=asked.scaled_too)
        divisor = begin.scaled.divisor(ops) if asked.with_info else None
        return Part(asked.finish(some, begin, U, updates), divisor, updates)

    whole = in_parts(run, ops, A)
    info = fixed_info(ops, problem.work, whole.divisor, asked.name, whole.updates) if asked.with_info else None
    return whole.results, info


_drawing: set[tuple[Rule, int]] = set()
"""Rules that were found to draw in so many steps, so that they are not traced in vain again."""


def _can_be_replayed(rule: Rule) -> bool:
    """Whether equal rules will always answer the same.

    Rules that invert are left out: the random rotation before that would become a constant of the size of A.
    """
    parameters = getattr(rule, "__dataclass_params__", None)
    if not is_dataclass(rule) or not getattr(parameters, "frozen", False) or getattr(rule, "needs_square", False):
        return False
    try:
        hash(rule)
    except TypeError:  # a list among its fields, which may change
        return False
    return True
