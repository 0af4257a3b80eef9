"""The road of every function of a square matrix: check, scale, choose, drive, certify.

What distinguishes one function from another is a ``SquareFunction``; everything else is written once, here and in
``square_run.py``.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from matfun.drive import run_steps
from matfun.functions.certificate import plain
from matfun.functions.choose import choose_square
from matfun.functions.eigenvalues import by_eigenvalues, complete_semidefinite
from matfun.functions.failure import failed_members, raise_or_warn
from matfun.functions.host_memory import handed_back, on_host
from matfun.functions.inputs import (
    Input,
    check_accuracy,
    check_choice,
    check_count,
    check_matrix,
    check_rng,
    finite_members,
)
from matfun.functions.square_function import Options, Setting, SquareFunction
from matfun.functions.square_run import SquareRun
from matfun.functions.square_scaling import add_ridge, finish, hermitian_part, scale_square, warm_start_of
from matfun.ops import Array
from matfun.result import Certificate, History, Info, Status
from matfun.rules.rule import Rule, rule_for


def solve(function: SquareFunction, A: Any, options: Options) -> tuple[tuple[Array, ...], Info]:
    """Values and info; raises or warns as asked.

    Parameters
    ----------
    function : SquareFunction
    A : array_like, shape (..., n, n)
    options : Options

    Raises
    ------
    ValueError, TypeError, ConvergenceError
    """
    _check(options)
    given = check_matrix(A, options.backend)
    shape = tuple(given.A.shape)
    if shape[-1] != shape[-2]:
        raise ValueError(f"A: expected square matrices (..., n, n), got shape {shape}")
    if given.ops.library == "mpmath":
        raise TypeError(f"A: expected an array of floats for {function.name}, got an object array of numbers")
    given = replace(given, A=given.ops.widen(given.A))
    if options.initial is None:  # which is of the library of A
        given = on_host(given, options.method, options.steps, options.backend)
    name, rule = rule_for(choose_square(function, given, options, hermitian=bool(options.hermitian)), function.problem)
    if 0 in shape:
        return _empty(function, given, name)
    if options.steps is not None:
        return _fixed(function, given, name, rule, options)
    if given.traced:
        raise ValueError(
            "steps: expected a number of steps, because the values of a traced or lazy array are not known while "
            f"Python runs and tol={options.tol!r} cannot be tested; got steps=None"
        )
    finite = finite_members(given.ops, given.A, required=options.check_finite)
    run = SquareRun(function, given, options, finite)
    with given.ops.quiet():
        values, info = run.solve(options.method) if options.pinv is None else by_eigenvalues(run, options.pinv)
    if function.semidefinite:
        values, info = complete_semidefinite(run, values, info, name)
    bad = failed_members(info)
    if (options.on_failure == "fallback" or run.auto_iterated(info)) and (bad & finite).any():
        values, info = run.fall_back(values, info, bad)
        bad = failed_members(info)
    values, info = handed_back(given, values, info)
    if bad.any():
        status = np.asarray(info.status, dtype=object)
        if options.on_failure != "warn" and (status == Status.INDEFINITE).any():
            raise ValueError(run.describe_indefinite(status == Status.INDEFINITE))
        more = run.describe(bad)
        raise_or_warn(
            function.name, function.pack(values, info), info, bad, run.goal.residual, options.on_failure, more
        )
    return values, info


def _check(options: Options) -> None:
    check_choice("on_failure", options.on_failure, ("raise", "warn", "fallback"))
    check_choice("certificate", options.certificate, ("probes", "exact"))
    check_accuracy(options.tol, options.steps)
    check_count("max_steps", options.max_steps, least=1)
    check_rng(options.rng)
    if options.hermitian is not None and not isinstance(options.hermitian, bool):
        raise TypeError(f"hermitian: expected True, False or None, got {options.hermitian!r}")
    for name, value in (("ridge", options.ridge), ("pinv", 0.0 if options.pinv is None else options.pinv)):
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < 1:
            raise ValueError(f"{name}: expected a number in [0, 1), relative to the largest eigenvalue, got {value!r}")
    if options.pinv is not None and options.steps is not None:
        raise ValueError(f"pinv: expected None under steps=, because it needs the eigenvalues, got {options.pinv!r}")


def _empty(function: SquareFunction, given: Input, name: str) -> tuple[tuple[Array, ...], Info]:
    """No elements, or no matrices: nothing to compute."""
    A, stack = given.A, given.A.shape[:-2]
    zero = plain(np.zeros(stack))
    status = plain(np.full(stack, Status.CONVERGED, dtype=object))
    proof = Certificate(zero, None, None, 1.0, 1.0, zero, zero)
    info = Info(status, name, given.ops.name, plain(np.zeros(stack, dtype=int)), 0, 0, zero, proof)
    return tuple(given.restore(given.ops.scale(A, 1.0)) for _ in function.returned), info


def _fixed(
    function: SquareFunction, given: Input, name: str, rule: Rule, options: Options
) -> tuple[tuple[Array, ...], Info]:
    """Exactly so many steps: nothing is checked and nothing waits for the device."""
    ops, hermitian = given.ops, bool(options.hermitian)
    A, ridge = add_ridge(ops, given.A, options.ridge, options.rng)
    if hermitian:
        A = hermitian_part(ops, A)
    scaled = scale_square(ops, A, function.largest(rule, None))
    initial = warm_start_of(options, given)
    if initial is not None:
        initial = scaled.back(ops, initial, -function.warm_power)
    definite = hermitian and function.needs_definite
    setting = Setting(ops, scaled.A, hermitian, definite, rule, None, options.rng, initial)
    started = function.start(setting)
    eps = ops.eps(given.A.dtype)
    assert options.steps is not None
    state, updates = run_steps(started.problem, rule, started.state, steps=options.steps, eps=eps)
    values = finish(function, given, scaled, started, state, hermitian)
    work = started.problem.work
    info = Info(
        Status.UNCHECKED,
        name,
        ops.name,
        len(updates),
        work.products,
        work.thin,
        scale=scaled.divisor(ops),
        history=History((), updates),
        ridge=ridge,
        warm_start=started.warm,
    )
    return tuple(given.restore(values[i]) for i in function.returned), info
