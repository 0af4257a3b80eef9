"""Is one step of every problem of square matrices, on 1 x 1 matrices, the twin's map of sigma for its p?"""

import numpy as np
import pytest
from mpmath import mp

from matfun.polynomials.fitted import fit_interval
from matfun.rules.rule import registered
from tests.exam.problems import CASES, ROOTS, begin
from tests.exam.walk import (
    DTYPES,
    PROBLEMS,
    fit_error,
    library_called,
    newton_error,
    on_host,
    schedule_error,
    twins,
    window_error,
)
from theory import prism_root

STARTS = 9

STEPS = (0, 1, 3)

END = 2e-7
"""Within this the package finds the upper end of the interval of PRISM's coefficient, on a grid."""

SMALL = ("float32", "complex128")
"""Dtypes in which the other libraries are examined; NumPy is in all four."""


def test_every_twin_names_its_problems():
    for name, entry in registered().items():
        assert tuple(getattr(twins()[name], "PROBLEMS", PROBLEMS)) == entry.problems
    seen = {(case.problem, case.form.rule_name) for case in CASES} - {(p, "schedule") for p in PROBLEMS}
    assert seen == {(p, name) for name, entry in registered().items() for p in entry.problems if p != "polar"}
    assert {case.p for case in CASES if case.problem == "invroot"} == set(ROOTS)


@pytest.mark.parametrize("q", [1, 2])
@pytest.mark.parametrize("p", ROOTS)
def test_interval_of_the_fit(p, q):
    lower, upper = fit_interval(p, q)
    want = prism_root.interval(p, q)
    assert lower == float(want[0])
    assert abs(upper - float(want[1])) <= END


def starts_for(case, eps):
    # below, the residual of one value no longer says which coefficient is best
    lower = 2 * eps ** (1 / (2 * case.p)) if case.form.is_fitted else 1e-3
    if case.p > 2:
        lower = max(lower, (1e3 * eps) ** (1 / case.p))
    lower = max(lower, 0.3) if case.form.sees_window and case.p > 2 else lower  # where rounding says nothing
    upper = min(case.upper(), 1.9 if case.p <= 2 else 1.3)
    x = np.concatenate([np.geomspace(lower, 0.99 * upper, STARTS - 3), 1 + np.array([0, -40, -1e4]) * eps])
    return x[x < upper]


def gain(h, m, p):
    """Rounding of sigma h in units of u, relative to sigma; an error u of m = sigma^p is there before the step."""
    if not hasattr(h, "at"):
        return 4 + np.abs(np.log(m)) / p  # a power
    if hasattr(h, "shifts"):
        h = on_host(h)
        total = np.abs(h.constant) + sum((2 * i + 3) * np.abs(c) * m ** (i + 1) for i, c in enumerate(h.higher))
        return total + sum(3 * w / (m + s) for w, s in zip(h.weights, h.shifts, strict=True))
    sums = []
    own = h.basis if getattr(h, "image", None) is not None else None  # as in walk.gain
    for basis, s in (("residual", np.abs(1 - m)), ("gram", m)):
        if own not in (None, basis):
            continue
        h = on_host(h).in_basis(basis)
        c = [np.asarray(v, dtype=float) for v in h.coefficients]
        # 1 - m is off by u (1 + m), whatever its size
        bend = sum(i * np.abs(v) * s ** (i - 1) for i, v in enumerate(c) if i) * (1 + m)
        sums.append(sum((2 * i + 1) * np.abs(v) * s**i for i, v in enumerate(c)) + bend)
    return np.max(sums, axis=0)


def values_of(case, library, ops, start, eps, step):
    """h sigma as each problem carries it, from a state whose M is m: (root, M) before and after."""
    m, phase = start
    A = library.put((m * phase)[:, None, None])
    problem, state = begin(case, ops, A, hermitian=False, start=library.put(np.ones_like(m * phase)[:, None, None]))
    residual = problem.residual(state)
    h = case.form.rule.next(case.view(step, eps, residual))
    new = problem.update(state, residual, h)
    return new, h


@pytest.mark.parametrize("library_name", ["numpy", "array_api_strict", "torch", "jax", "cupy"])
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_one_step_is_the_scalar_map(case, library_name):
    if library_name != "numpy" and case.problem == "invroot" and case.p != 3:
        pytest.skip("other libraries do the same for every p")
    library = library_called(library_name)
    for dtype in DTYPES if library_name == "numpy" else SMALL:
        eps = float(np.finfo(dtype).eps)
        real = np.dtype(dtype).char.lower()
        for step in STEPS if library_name == "numpy" and dtype == "float64" else STEPS[:1]:
            sigma = starts_for(case, eps)
            given = (sigma if case.problem == "sign" else sigma**case.p).astype(real)
            m = given.astype(np.float64) ** 2 if case.problem == "sign" else given.astype(np.float64)
            with mp.workdps(40):
                sigma = np.array([mp.root(mp.mpf(float(v)), case.p) for v in m], dtype=object)
                each = [case.move(sigma[i : i + 1], step)[0] for i in range(m.size)]
                ratio = np.array([float(new / old) for new, old in zip(each, sigma, strict=True)])
                after = np.array([float(new**case.p) for new in each])
            sigma = sigma.astype(float)
            sign = np.resize([1, -1], m.size) if case.problem == "sign" else np.ones(m.size)
            if case.form.rule_name == "eigh" and case.problem == "sign":
                sign = np.ones(m.size)
            ops = library.ops(library.put(np.ones((1, 1), dtype)))
            new, h = values_of(case, library, ops, (given.astype(dtype), sign.astype(dtype)), eps, step)
            u = eps / 2 * (2 if np.dtype(dtype).kind == "c" else 1)
            roundings = 6 + (step if "lower" in case.form.options else 0)
            off = u * (roundings * gain(h, m, case.p) + 2 * ratio)
            if case.form.is_fitted:
                d = case.form.options["degree"]
                moved = np.zeros(m.size)
                if step >= case.form.options.get("warm_start", 0):
                    moved = [fit_error(sigma[i : i + 1], u * sigma[i : i + 1], u, d, p=case.p) for i in range(m.size)]
                off = off + np.abs(1 - m) ** (d // 2) * (np.array(moved) + END)
            elif case.form.sees_window:
                e = u * (1 + m) / (case.p * sigma ** (case.p - 1))
                one = [
                    window_error(case.form, np.array([v]), np.array([w]), u, step, case.p)
                    for v, w in zip(sigma, e, strict=True)
                ]
                off = off + np.ravel(one) / sigma
            elif case.form.looks_at_all:
                of = case.options().get("of", 1)
                one = [
                    newton_error(case.form, np.array([v]), np.array([u * v]), 4 * u, step, of=of, alone=True)
                    for v in sigma
                ]
                off = off + np.ravel(one) / sigma
            off = off + schedule_error(case.form, sigma, step, eps) / sigma
            got, want = compared(case, library, new, m, sigma, sign, ratio, after)
            for name, (found, expected, power) in {k: (got[k], *want[k]) for k in want}.items():
                # relative to what it was, and never below the rounding of the value itself
                size = np.abs(expected) / np.where(ratio != 0, np.abs(ratio), 1.0) ** power
                allowed = size * ((np.abs(ratio) + off) ** power - np.abs(ratio) ** power) + 4 * power * u * np.abs(
                    expected
                )
                error = np.abs(found - expected)
                worst = np.argmax(error / allowed)
                assert (error <= allowed).all(), (
                    name,
                    dtype,
                    step,
                    sigma[worst],
                    found[worst],
                    expected[worst],
                    error[worst] / allowed[worst],
                )
                assert (
                    np.median(allowed / np.maximum(np.abs(expected), size))
                    <= 3000 * eps * case.p + 4 * END * case.p * case.form.is_fitted
                )


def compared(case, library, new, m, sigma, sign, ratio, after):
    """What a state holds, and its values, with the power of h in each."""

    def host(X):
        return library.get(X)[:, 0, 0]

    if case.problem == "sign":
        return {"X": host(new.X)}, {"X": (sign * sigma * ratio, 1)}
    if case.problem == "inv":
        return {"X": host(new.X)}, {"X": (ratio, 1)}
    if case.problem == "invroot":
        return {"X": host(new.X), "M": host(new.M)}, {"X": (ratio, 1), "M": (after, case.p)}
    if case.increments:
        return {"X": host(new.X)}, {"X": (m * ratio, 1)}
    return {"Y": host(new.Y), "Z": host(new.Z)}, {"Y": (m * ratio, 1), "Z": (ratio, 1)}
