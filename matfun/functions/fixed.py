"""A fixed number of steps as one function of the array, which a provider may compile.

A compiled function is traced once and replayed after.  So it is made only for rules that promise to be what they were,
frozen dataclasses, and only where nothing is drawn or a seed says what: the numbers drawn while tracing would come
back in every call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass, replace
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


def run_fixed(
    given: Input, method: tuple[str, Rule], steps: int, rng: Any, finish: Finish, *, form: Form, with_info: bool
) -> tuple[tuple[Array, ...], Info | None]:
    """Scale, apply exactly so many steps, and finish; waits for no device.

    Parameters
    ----------
    given : Input
    method : tuple
        Name and rule.
    steps : int
    rng : numpy.random.Generator, seed or None
    finish : callable
        A function of a module, so that it can be told from others.
    form : {"auto", "standard", "gram"}
    with_info : bool
        Whether the info is wanted.
    """
    ops = given.ops
    if ops.compiles and _can_be_replayed(method[1]):
        seeded = isinstance(rng, (int, np.integer))
        if seeded or (method[1], steps) not in _drawing:
            static = (ops, given.dtype, method, steps, int(rng) if seeded else NO_DRAWS, finish, form, with_info)
            try:
                found: tuple[tuple[Array, ...], Info | None] = ops.compiled(_run, static, given.A)
                return found
            except DrawnError:
                _drawing.add((method[1], steps))
    return _run(ops, given.dtype, method, steps, rng, finish, form, with_info, given.A)


def _run(
    ops: Ops,
    dtype: Any,
    method: tuple[str, Rule],
    steps: int,
    rng: Any,
    finish: Finish,
    form: Form,
    with_info: bool,
    A: Array,
) -> tuple[tuple[Array, ...], Info | None]:
    name, rule = method
    given = Input(ops, A, dtype, ops.is_traced(A))
    problem = polar_problem(given, rule, steps, rng, form)

    def run(A: Array) -> Part:
        problem.work = Work()  # the price of one matrix, whatever the parts
        some = replace(given, A=A)
        begin, U, updates = fixed_steps(some, rule, steps, problem)
        return Part(finish(some, begin, U, updates), begin.scaled.divisor(ops) if with_info else None, updates)

    whole = in_parts(run, ops, A)
    return whole.results, fixed_info(ops, problem.work, whole.divisor, name, whole.updates) if with_info else None


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
