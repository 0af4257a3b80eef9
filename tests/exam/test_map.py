"""Is one step on a 1 x 1 matrix the twin's scalar map, to a few ulps, for every rule, form, library and dtype?"""

from dataclasses import fields

import numpy as np
import pytest

from matfun.problems.polar import PolarProblem, PolarState
from matfun.rules.prism import Prism
from matfun.rules.rule import registered
from tests.exam.walk import (
    DTYPES,
    FORMS,
    NOT_OF_THE_TWIN,
    PROBLEMS,
    coefficients_of,
    design_error,
    each_form,
    each_library,
    fit_error,
    forms,
    gain,
    library_called,
    newton_error,
    on_host,
    schedule_error,
    twins,
    window_error,
)

STARTS = 24

STEPS = (0, 1, 2, 3, 5, 8, 13, 40)
"""Steps whose maps are looked at; rules with a schedule have another one in each."""

ULPS = {"f": 4, "c": 8}
"""Roundings of a step in units of u times the gain; a complex product has twice as many."""


def starts_for(form, dtype, step):
    """Start values in the region of convergence; later steps of schedules also see values up to 2."""
    lower, upper = form.region()
    eps = float(np.finfo(dtype).eps)
    # below eps^(1/4) the residual of one value no longer says which alpha is best: u_1 = 3 sigma^2 drowns in u
    lower = max(lower, 2 * eps**0.25 if form.is_fitted else 1e-6)
    lower = max(lower, 1e-3) if form.sees_window else lower  # a scaled start is not small
    upper = min(upper, 2.0) if step == 0 or form.is_fitted else 1.9
    x = np.concatenate([np.geomspace(lower, 0.999 * upper, STARTS - 4), 1 + np.array([0, -1, -40, -1e4]) * eps])
    return x.astype(np.dtype(dtype).char.lower()).astype(np.float64)


def one_step(form, rule, library, x, step, eps, rng=None):
    problem = PolarProblem(library.ops(x), rng)
    state = PolarState(x)
    residual = problem.residual(state)
    h = rule.next(form.view(step, eps, residual))
    return library.get(problem.update(state, residual, h).X)[:, 0, 0], h


def fit_allowance(form, x, step, u):
    if form.sees_window:
        return np.array([window_error(form, np.array([v]), np.array([u * v]), u, step)[0] for v in x])
    if form.looks_at_all and not form.is_fitted:
        each = [newton_error(form, np.array([v]), np.array([u * v]), 4 * u, step)[0] for v in x]
        return np.array(each)
    if not form.is_fitted or step < form.options.get("warm_start", 0):
        return 0.0
    degree = form.options["degree"]
    moved = np.array([fit_error(np.array([v]), np.array([u * v]), u, degree) for v in x])
    return x * np.abs(1 - x * x) ** (degree // 2) * moved


def test_every_registered_rule_has_a_twin():
    assert sorted(registered()) == sorted(twins())
    walked = {problem: {form.rule_name for form in forms(problem)} for problem in PROBLEMS}
    for problem, names in walked.items():
        assert names == {name for name, entry in registered().items() if problem in entry.problems}


@pytest.mark.parametrize("name", list(registered()))
def test_every_option_of_a_rule_is_examined(name):
    examined = set().union(NOT_OF_THE_TWIN.get(name, {}), *twins()[name].OPTIONS)
    assert {f.name for f in fields(registered()[name].make)} <= examined


@each_library
@pytest.mark.parametrize("dtype", DTYPES)
@each_form
def test_one_step_is_the_scalar_map(form, dtype, library_name):
    library = library_called(library_name)
    eps = float(np.finfo(dtype).eps)
    steps = [0] if library_name in ("array_api_strict", "jax") else STEPS
    for step in steps:
        x = starts_for(form, dtype, step)
        phase = np.ones(x.size)
        if np.dtype(dtype).kind == "c":
            phase = np.resize(np.array([1, 1j, -1, -1j, 0.6 + 0.8j]), x.size)
        A = (x * phase).astype(dtype)
        exact = np.abs(A.astype(np.complex128)) if np.dtype(dtype).kind == "c" else x
        got, h = one_step(form, form.rule, library, library.put(A[:, None, None]), step, eps)
        # each 1 x 1 matrix of the stack is fitted on its own
        want = (
            np.array([form.move(exact[i : i + 1], step)[0] for i in range(x.size)])
            if form.looks_at_all
            else form.move(exact, step)
        )
        ulps = ULPS[np.dtype(dtype).kind] + design_error(form, step)
        allowed = eps / 2 * (ulps * gain(h, exact, alone=True) + 2 * np.abs(want))
        allowed = allowed + fit_allowance(form, exact, step, eps / 2) + schedule_error(form, exact, step, eps)
        off = np.abs(got.astype(np.complex128) * np.conj(phase) / np.abs(phase) ** 2 - want)
        worst = np.argmax(off / allowed)
        assert (off <= allowed).all(), (step, x[worst], got[worst], want[worst], off[worst] / allowed[worst])
        # not vacuous: in the middle no more than a few hundred ulps of the value, or of 1
        assert np.median(allowed / np.maximum(1.0, np.abs(want))) <= 400 * eps


@each_form
def test_coefficients_are_the_twins(form):
    """In float64 the gram-basis coefficients agree to 1e-13, which a spectrum could hide."""
    if not hasattr(form.twin, "polynomials"):
        pytest.skip("the coefficients of this rule are not fixed in advance")
    steps = 45
    rows = form.twin.polynomials(steps, **form.options)
    for step, row in enumerate(rows):
        h = on_host(form.rule.next(form.view(step, 2.0**-52, None)))
        got = [float(c) for c in coefficients_of(h.in_basis("gram"))]
        assert got == pytest.approx([float(c) for c in row], rel=1e-13)


@pytest.mark.parametrize("degree", [3, 5])
@each_library
def test_any_sketch_of_one_value_gives_the_exact_fit(library_name, degree):
    """All weight on one value: the minimiser does not depend on the weight."""
    library = library_called(library_name)
    form = next(f for f in FORMS if f.is_fitted and f.options == {"degree": degree})
    x = starts_for(form, "float64", 0)
    A = library.put(x[:, None, None])
    got, _ = one_step(form, Prism(degree, sketch_size=3), library, A, 0, 2.0**-52, rng=1)
    want, h = one_step(form, Prism(degree, sketch_size=None), library, A, 0, 2.0**-52)
    allowed = 2.0**-53 * 8 * gain(h, x) + 4 * fit_allowance(form, x, 0, 2.0**-53)
    assert (np.abs(got - want) <= allowed).all()
