"""Has every problem, at every step, the residual that the twin predicts, from both sides?  Allowances: problems.py."""

import numpy as np
import pytest

from tests.exam.problems import CASES, begin, divided_differences, factors, fresh, h_at
from tests.exam.walk import fit_error, library_called, newton_error, on_host, schedule_error, window_error

N = 8

SIZE = 3 + N**0.5
"""Rounding of a product of order N in units of u times the norms of its factors; errors are spread evenly."""

SEEN = 0.02
"""A curve counts as predicted while the allowance is below this part of the residual."""

KAPPA = {"float32": 10.0, "float64": 1e3, "complex128": 1e3}

MOST = 40


def eigenvectors(kind):
    rng = np.random.default_rng(3)
    Z = rng.standard_normal((N, N)) + (1j * rng.standard_normal((N, N)) if kind == "complex" else 0)
    Q = np.linalg.qr(Z)[0]
    return Q if kind == "definite" else Q @ (np.eye(N) + np.triu(rng.uniform(-0.5, 0.5, (N, N)), 1))


def compare(case, kind, dtype, library_name):
    library, u = library_called(library_name), float(np.finfo(dtype).eps) / 2
    kappa = 10.0 if case.form.fits_newton else KAPPA[dtype]
    V, m = eigenvectors(kind), np.geomspace(0.9 / kappa, 0.9, N)
    values = m.copy()
    if case.problem == "sign":
        values = np.sqrt(m) * (1 if case.form.rule_name == "eigh" else np.resize([1, -1], N))
    W = np.linalg.inv(V)
    A = ((V * values) @ W).astype(dtype)
    hermitian = kind == "definite"
    if hermitian:
        A = (A + A.conj().T) / 2
    ops = library.ops(library.put(A))
    start = library.put(np.eye(N, dtype=A.dtype))
    problem, state = begin(case, ops, library.put(A), hermitian=hermitian, start=start)
    replayed = case.form.needs_diagonal or (case.form.looks_at_all and not hermitian)
    size = SIZE * (2 if A.dtype.kind == "c" else 1)
    cond = float(np.linalg.cond(V))
    error = np.full((N, N), size * u * cond / N**0.5)  # of A as it is stored
    steps = case.form.fixed_steps or MOST
    for step in range(steps + 1):
        residual = problem.residual(state)
        rho = float(library.get(residual.norm()))
        r = 1 - 1 / m if case.increments and step else 1 - m
        predicted = float(np.linalg.norm((V * r) @ W))
        held = [
            library.get(X).astype(np.complex128 if A.dtype.kind == "c" else np.float64) for X in factors(case, state)
        ]
        formed = np.prod([np.linalg.norm(X, 2) for X in held]) if len(held) > 1 else np.linalg.norm(held[0], 2)
        formed = {"sign": formed**2, "inv": formed * np.linalg.norm(A, 2)}.get(case.problem, formed)
        if case.increments and step:
            formed = formed * np.linalg.norm(np.linalg.inv(held[0]), 2)
            seen_error = error / np.sqrt(m[:, None] * m[None, :]) ** 2
        else:
            seen_error = error
        allowed = cond * float(np.linalg.norm(seen_error)) + size * u * (1 + formed) * N**0.5
        if allowed > SEEN * predicted > SEEN * 1e-2:
            return step
        assert abs(rho - predicted) <= allowed, (step, rho, predicted, allowed)
        if predicted < 1e-14 or step == steps:
            return step + 1
        h = case.form.rule.next(case.view(step, 2 * u, residual))
        host = on_host(h)
        rounding = size * u * cond * fresh(case, host, m, held, A, V) / N**0.5
        error = divided_differences(host, m, case.p) * error + rounding
        sigmas = m ** (1 / case.p)
        e = np.diagonal(error) / (case.p * sigmas ** (case.p - 1))
        if replayed:
            m = m * h_at(host, m, case.p) ** case.p
        else:
            moved = case.move(sigmas, step)
            extra = schedule_error(case.form, sigmas, step, 2 * u)
            if case.form.is_fitted and step >= case.form.options.get("warm_start", 0):
                d = case.form.options["degree"]
                shift = fit_error(sigmas, e, u * size, d, p=case.p) + 2e-7 * (case.p != 2)
                extra = extra + sigmas * np.abs(1 - m) ** (d // 2) * shift
            elif case.form.is_fitted and case.p != 2:
                extra = extra + 2e-7 * sigmas * np.abs(1 - m) ** (case.form.options["degree"] // 2)
            elif case.form.sees_window:
                extra = extra + window_error(case.form, sigmas, e, u * size, step, case.p)
            elif case.form.looks_at_all:
                extra = extra + newton_error(case.form, sigmas, e, u * size, step, of=case.options().get("of", 1))
            error = error + np.diag(case.p * np.maximum(moved, sigmas) ** (case.p - 1) * extra)
            m = moved**case.p
        state = problem.update(state, residual, h)
    return steps + 1


def convergent(case):
    return case.form.twin.converges(**case.form.options)


@pytest.mark.parametrize("kind", ["definite", "general", "complex"])
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_every_residual_is_the_predicted_one(case, kind):
    if kind != "definite" and (case.form.rule_name == "eigh" or case.p > 5):
        pytest.skip("for Hermitian matrices only, or seen for smaller p")
    seen = compare(case, kind, "complex128" if kind == "complex" else "float64", "numpy")
    exact = case.exact or (case.form.rule_name == "pade" and case.p == 1)  # 1/(1 - r) itself
    assert seen >= 3 or exact or seen > (case.form.fixed_steps or MOST)


@pytest.mark.parametrize("library_name", ["numpy", "array_api_strict", "torch", "jax", "cupy"])
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_every_library_has_them(case, library_name):
    if case.p not in (1, 2, 3) or (case.problem == "invroot" and case.p != 3):
        pytest.skip("seen on NumPy")
    if case.form.rule_name in ("pade", "polar-express", "newton") and case.form.options != case.form.twin.OPTIONS[1]:
        pytest.skip("one form of each rule")
    compare(case, "definite", "float32", library_name)
