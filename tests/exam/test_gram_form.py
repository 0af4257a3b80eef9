"""Does the Gram form have the curve, the price and the limit of the standard form, to the same bounds, and refuse else?

Its residuals are those of a Gram matrix that is carried, and its last X is formed from what X was at the last restart.
"""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import matfun
from matfun.functions.form import known_in_advance
from matfun.lab.spectra import gaussian, log_spaced, with_singular_values
from matfun.polynomials.gram_form import (
    LARGEST_ERROR,
    LARGEST_EXCESS,
    LARGEST_GROWTH,
    allowed,
    envelope,
    errors,
    plan_restarts,
)
from matfun.polynomials.update import Polynomial
from matfun.problems.polar import PolarProblem, PolarState
from matfun.problems.polar_gram import PolarGramProblem
from tests.exam.test_curve import KAPPA, SIZE, judge, spectra
from tests.exam.test_price import counted, kinds
from tests.exam.walk import DTYPES, FORMS, carried, curve, each_library, library_called, on_host
from theory import gram_form as twin

N = 12

STEPS = 6

INFINITE = float("inf")


def planned(form, eps, steps=STEPS):
    """Updates that the plan is made from and its restarts; None where the form has no Gram form."""
    updates = known_in_advance(form.rule, steps, eps)
    return None if updates is None else (updates, plan_restarts(updates, eps / 2, INFINITE))


POLYNOMIAL = [form for form in FORMS if planned(form, 2.0**-52) is not None]
each_polynomial_form = pytest.mark.parametrize("form", POLYNOMIAL, ids=[f.name for f in POLYNOMIAL])


def walk(form, library, A, steps, eps, restarts):
    """Residual norms before every step, updates, and the last X."""
    problem = PolarGramProblem(library.ops(A), None, steps, restarts)
    state, norms, updates = PolarState(A), [], []
    for step in range(steps):
        residual = problem.residual(state)
        norms.append(float(library.get(residual.norm())))
        h = form.rule.next(form.view(step, eps, residual))
        state = problem.update(state, residual, h)
        updates.append(on_host(h))
    return norms, updates, library.get(state.X)


def compare(form, dtype, kind, library_name):
    library, eps = library_called(library_name), float(np.finfo(dtype).eps)
    if not form.survives(eps / 2):
        pytest.skip(f"the region of this form ends at 1 + {form.region()[1] - 1:.1g}, within the rounding of {dtype}")
    _, restarts = planned(form, eps)
    sigmas = spectra(KAPPA[dtype])[kind]
    is_complex = np.dtype(dtype).kind == "c"
    A = with_singular_values(sigmas, 3 * N, N, 1, complex_=is_complex).astype(dtype)
    steps = form.fixed_steps or STEPS
    if restarts is None:
        pytest.skip("no plan is safe and saves a Gram product")
    norms, updates, X = walk(form, library, library.put(A), steps, eps, restarts)
    size = LARGEST_EXCESS * SIZE * (2 if is_complex else 1)
    want = curve(form, sigmas, steps)
    assert judge(norms, want, updates, form, eps / 2, size=size) >= (2 if eps < 1e-10 else 1)
    e = np.full(N, size * eps / 2)
    for step, h in enumerate(updates):
        e = carried(form, h, want[step], e, eps / 2, size, None, step)
    got = np.linalg.svd(X.astype(np.result_type(X.dtype, np.float64)), compute_uv=False)
    assert (np.abs(got - np.sort(want[-1])[::-1]) <= np.max(e)).all()


@pytest.mark.parametrize(
    ("dtype", "kind"), [*((dtype, "log-spaced") for dtype in DTYPES), ("float32", "gaussian"), ("float64", "gaussian")]
)
@each_polynomial_form
def test_every_residual_and_the_last_spectrum_are_the_predicted_ones(form, dtype, kind):
    compare(form, dtype, kind, "numpy")


@each_library
@each_polynomial_form
def test_every_library_has_the_predicted_residuals(form, library_name):
    compare(form, "float32", "log-spaced", library_name)


@pytest.mark.parametrize("restarts", [(), (2,), (1, 2), (1, 2, 3, 4, 5)], ids=str)
@each_polynomial_form
def test_it_costs_what_the_twin_says(form, restarts):
    A, ops = counted("numpy")
    problem = PolarGramProblem(ops, 0, STEPS, restarts)
    _, updates = matfun.drive.run_steps(problem, form.rule, PolarState(A), steps=STEPS, eps=2.0**-52)
    products = [h.symmetric_products for h in updates]
    want = Counter(twin.price(products, restarts))
    thin = problem.work.thin
    # the square that PRISM's exact fit needs is the one that the update needs
    assert thin == ops.counts["thin"]
    got = Counter(kinds(ops.counts)) - Counter(thin=thin)
    got["apply"] += ops.counts["matmul"]
    exact = form.is_fitted and form.rule.sketch_size is None
    if exact:  # the fit's own powers of R
        want["symm"] = got["symm"]
    assert got == want
    assert problem.work.products == sum(got.values())


def test_the_prices_of_the_twin_are_those_of_the_published_form():
    """14 + 6 a of half price in two blocks, against 5 + 15 a; 14 + 4 a against 5 + 10 a at full price."""
    two_blocks, standard = twin.price([1] * 5, (2,)), twin.price([1] * 5, (1, 2, 3, 4))
    assert two_blocks == {"gram": 2, "apply": 2, "symm": 14}
    assert standard == {"gram": 5, "apply": 5, "symm": 5}


# ---- bounds, in every dtype ------------------------------------------------------------------------


def map_of(updates, sigmas):
    for basis, c in updates:
        sigmas = sigmas * Polynomial(c, basis)(1 - sigmas**2)
    return sigmas


RULES = {
    "polar-express": "polar-express",
    "published": "polar-express-published",
    "muon": "muon",
    "newton-schulz": matfun.NewtonSchulz(5),
    "cubic": matfun.PolarExpress(degree=3),
    "degree-9": matfun.PolarExpress(degree=9),
    "deepseek": "deepseek-v4",
    "prism-constant": "prism-constant",
    "cans": "cans-quintic",
}

SHAPE = (160, 64)


def scaled_spectra():
    """Spectra that the scaling by ||G^2||_F^(1/4) leaves, as the functions do."""
    n = SHAPE[1]
    half = np.ones(n // 2)
    found = {
        "gaussian": np.linalg.svd(gaussian(*SHAPE, 0), compute_uv=False),
        "kappa-10": np.geomspace(1, 0.1, n),
        "kappa-1e3": np.geomspace(1, 1e-3, n),
        "kappa-1e8": np.geomspace(1, 1e-8, n),
        "two-levels": np.concatenate([half, 1e-3 * half]),
        "rank-half": np.concatenate([half, 0 * half]),
        "one-large": np.concatenate([[1.0], np.full(n - 1, 1e-2)]),
        "one-huge": np.concatenate([[1.0], np.full(n - 1, 1e-4)]),
        "two-large": np.concatenate([[1.0, 1.0], np.full(n - 2, 1e-3)]),
        "flat": np.ones(n),
    }
    return {name: s / np.sum(s**4) ** 0.25 for name, s in found.items()}


NORM_OF_ROUNDINGS = 3 + SHAPE[1] ** 0.5
"""Norm of the rounding errors of a product of order n, in units of u (SIZE)."""


def named_rule(name):
    return matfun.rules.rule.rule_for(RULES[name], "polar")[1]


def stored_matrix(spectrum, kind):
    """A tensor, and the singular triplets of what it holds."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    A = torch.from_numpy(with_singular_values(scaled_spectra()[spectrum], *SHAPE, 3)).to(getattr(torch, kind))
    return A, np.linalg.svd(A.to(torch.float64).numpy(), full_matrices=False)


def distance(problem, rule, A, steps, eps, exact):
    """Of the last X from the exact map, in the spectral norm; of one that is not finite, very far."""
    state, _ = matfun.drive.run_steps(problem, rule, PolarState(A), steps=steps, eps=eps)
    X = np.asarray(state.X.double().numpy())
    return np.linalg.norm(X - exact, 2) if np.isfinite(X).all() else np.inf


@pytest.mark.parametrize("steps", [2, 5, 12, 20])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_gram_form_is_as_accurate_as_the_standard_form(dtype, name, steps):
    """On every spectrum, against the exact map of the stored matrix, beside the standard form on the same matrix.

    The plans keep single values within LARGEST_EXCESS; on matrices luck in either form comes to it, hence a
    factor of 2.  Where rounding hardly shows in the standard form, X Q is still off by u ||Q||.
    """
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rule, eps = named_rule(name), torch.finfo(getattr(torch, dtype)).eps
    updates = known_in_advance(rule, steps, eps)
    restarts = plan_restarts(updates, eps / 2, INFINITE)
    if restarts is None:
        pytest.skip("no plan is safe and saves a Gram product")
    for spectrum in scaled_spectra():
        A, (U, s, Vh) = stored_matrix(spectrum, dtype)
        exact, ops = (U * map_of(updates, s)) @ Vh, matfun.providers.ops_for(A)
        standard = distance(PolarProblem(ops), rule, A, steps, eps, exact)
        gram = distance(PolarGramProblem(ops, None, steps, restarts), rule, A, steps, eps, exact)
        assert gram <= 2 * LARGEST_EXCESS * standard + LARGEST_GROWTH * NORM_OF_ROUNDINGS * eps / 2, (
            spectrum,
            gram,
            standard,
        )
        assert gram <= standard + LARGEST_ERROR, (spectrum, gram, standard)


@pytest.mark.parametrize(
    ("dtype", "name", "spectrum"), [("bfloat16", "muon", "kappa-1e8"), ("float32", "polar-express", "kappa-1e3")]
)
def test_without_restarts_it_runs_away(dtype, name, spectrum):
    """What the plans are for: a spurious eigenvalue of the carried Gram matrix grows."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rule, eps, steps = named_rule(name), torch.finfo(getattr(torch, dtype)).eps, 20
    updates = known_in_advance(rule, steps, eps)
    A, (U, s, Vh) = stored_matrix(spectrum, dtype)
    exact, ops = (U * map_of(updates, s)) @ Vh, matfun.providers.ops_for(A)
    standard = distance(PolarProblem(ops), rule, A, steps, eps, exact)
    gram = distance(PolarGramProblem(ops, None, steps, ()), rule, A, steps, eps, exact)
    assert gram > standard + LARGEST_ERROR or gram > 100 * standard


@pytest.mark.parametrize("u", [2.0**-8, 2.0**-11, 2.0**-24, 2.0**-53])
@pytest.mark.parametrize("name", RULES)
def test_a_plan_keeps_its_rules(name, u):
    for steps in (1, 2, 5, 9):
        updates = known_in_advance(named_rule(name), steps, 2 * u)
        polynomials = [Polynomial(c, basis) for basis, c in updates]
        restarts = plan_restarts(updates, u, INFINITE)
        if restarts is None:
            continue
        standard = envelope(errors(polynomials, u, tuple(range(1, steps))))
        assert (errors(polynomials, u, restarts) <= allowed(standard, LARGEST_EXCESS)).all()
        assert len(restarts) < steps - 1
        ends = (0, *restarts, steps)
        for a, b in pairwise(ends):
            assert b - a == 1 or np.prod([h(1.0) for h in polynomials[a:b]]) <= LARGEST_GROWTH


def test_muon_restarts_after_two_steps_as_published():
    """Gram Newton-Schulz restarts after step 2 of 5, in float16; bfloat16 rounds eight times as coarsely."""
    updates = known_in_advance(named_rule("muon"), 5, 2.0**-10)
    assert plan_restarts(updates, 2.0**-53, 4.0) == (2,)
    for u in (2.0**-8, 2.0**-11, 2.0**-24):
        assert plan_restarts(updates, u, 4.0)[0] == 2


def test_a_list_that_is_not_safe_in_16_bits_stays_in_standard_form():
    """The simulated standard form itself runs away: a value beyond the safety factor does."""
    assert plan_restarts(known_in_advance(named_rule("polar-express"), 5, 2.0**-7), 2.0**-8, INFINITE) is None


def test_where_it_saves_nothing_the_form_is_the_standard_one():
    """Aspect, price of products, and size decide."""
    updates = known_in_advance(matfun.PolarExpress(), 5, 2.0**-23)
    assert plan_restarts(updates, 2.0**-24, 1.0) is None
    assert plan_restarts(updates, 2.0**-24, 1.6) == (2,)
    for shape, form, products in (
        ((600, 150), "auto", 18),
        ((600, 150), "standard", 15),
        ((150, 600), "auto", 18),
        ((200, 150), "auto", 15),
        ((60, 10), "auto", 15),
        ((60, 10), "gram", 18),
    ):
        A = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        X, info = matfun.orthogonalize(A, form=form, full_output=True)
        assert (info.products, X.shape) == (products, shape)


class Looking:
    """A rule that looks at the residual and does not say how steep it may be."""

    def next(self, view):
        return Polynomial((1.5 + 0.0 * view.residual.norm(), 0.0))


def test_one_step_is_the_same_in_both_forms():
    A = np.random.default_rng(0).standard_normal((40, 10))
    for steps in (0, 1):
        assert np.array_equal(matfun.orthogonalize(A, steps=steps, form="gram"), matfun.orthogonalize(A, steps=steps))


@pytest.mark.parametrize("rule", ["qdwh", "svd", Looking()], ids=["qdwh", "svd", "looking"])
def test_rules_without_known_polynomials_are_refused(rule):
    A = np.random.default_rng(0).standard_normal((40, 10))
    with pytest.raises(ValueError, match=r"form: expected 'auto' or 'standard'.*got 'gram'"):
        matfun.orthogonalize(A, rule, form="gram")
    assert matfun.orthogonalize(A, rule, 2).shape == A.shape


def test_a_dtype_that_is_too_coarse_is_refused():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    A = torch.randn(40, 10, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    with pytest.raises(ValueError, match="bfloat16"):
        matfun.orthogonalize(A, matfun.PolarExpress(degree=17), 2, form="gram")


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form: expected 'auto' or 'standard' or 'gram', got 'qr'"):
        matfun.orthogonalize(np.eye(3), form="qr")


@pytest.mark.parametrize("name", ["window", "prism", "polar-express"])
@pytest.mark.parametrize("shape", [(3, 40, 10), (10, 40)])
def test_zero_members_and_scales(name, shape):
    """Zero in, zero out; a power of two in the input changes nothing."""
    A = np.random.default_rng(1).standard_normal(shape)
    X = matfun.orthogonalize(A, name, form="gram", rng=0)
    assert np.array_equal(matfun.orthogonalize(A * 2.0**300, name, form="gram", rng=0), X)
    assert not np.any(matfun.orthogonalize(0 * A, name, form="gram", rng=0))
    kappa = matfun.orthogonalize(with_singular_values(log_spaced(10, 1e3), 40, 10, 0), name, 14, form="gram", rng=0)
    assert np.linalg.norm(kappa.T @ kappa - np.eye(10)) < 1e-12
