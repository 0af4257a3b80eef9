"""Does a run on every problem of square matrices cost what its shape says, in the matrix run and in the simulation?"""

import numpy as np
import pytest
from matfun_backends.counting import CountingOps

import matfun
from matfun.drive import run_steps
from matfun.lab.spectra import with_singular_values
from matfun.rules.prism import Prism
from tests.exam.problems import CASES, Case, begin
from tests.exam.walk import Form, library_called
from theory import prism as prism_twin

N = 6

FACTORISATIONS = ("qr", "cholesky", "solve")


def predicted(case, step):
    """Products and inverses of one step, from the shape of h in the twin's price for the polar factor."""
    if case.increments:
        return sum(case.form.price(step).values())
    first, p = step == 0, case.p
    price = case.form.price(step)
    residual = {"sign": 1, "inv": 1, "sqrt": int(not first), "invroot": 0}[case.problem]
    if case.exact and first:
        return residual + 1
    power = p.bit_length() - 1 + bin(p).count("1") - 1  # squarings and multiplications of H^p
    terms = sum(price.get(k, 0) for k in FACTORISATIONS)
    forming = terms + price["symm"]
    applying = {"sign": 1, "inv": 1, "sqrt": 1 if first else 2, "invroot": int(not first) + 1 + power}[case.problem]
    if terms and case.problem == "sign":
        applying = price["apply"]  # a solve applies its term
    if case.form.fits_newton:  # R, and as many factors of M^-1 as the problem knows
        return residual + terms + (3 if case.problem == "sign" else applying + 2)
    if case.form.is_fitted and step >= case.form.options.get("warm_start", 0):
        forming = p * (case.form.options["degree"] // 2)  # R^2 ... R^(1 + p q), of which the update shares the first
    return residual + forming + applying


def run(case, library_name="numpy", steps=4):
    library = library_called(library_name)
    values = np.geomspace(0.3, 0.9, N)
    A = library.put(with_singular_values(values, N, N, 0) @ np.eye(N))
    S = library.put(np.diag(values))
    ops = CountingOps(library.ops(A))
    problem, state = begin(case, ops, S, hermitian=True, start=library.put(np.eye(N)))
    run_steps(problem, case.form.rule, state, steps=steps, eps=2.0**-52)
    return problem.work, ops


@pytest.mark.parametrize("library_name", ["numpy", "torch", "jax", "array_api_strict"])
@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_steps_cost_what_their_shape_says(case, library_name):
    if library_name != "numpy" and (case.p not in (2, 3) or case.exact):
        pytest.skip("counted on NumPy")
    steps = case.form.fixed_steps or 3
    work, ops = run(case, library_name, steps)
    if case.form.rule_name == "pade" and case.p != 2:  # its terms do not depend on p, unless h is 1/(1 - r) itself
        assert len(case.form.rule.next(case.view(0, 2.0**-52, None)).shifts) == case.form.options["denominator"]
    want = sum(predicted(case, step) for step in range(steps))
    assert work.products == want
    assert work.thin == 0
    if not case.exact:
        kinds = ("gram", "symm", "apply", "matmul", "inverse", "solve", "qr", "cholesky")
        assert sum(ops.counts[k] for k in kinds) == want


@pytest.mark.parametrize("case", CASES, ids=[c.name for c in CASES])
def test_simulation_counts_the_same(case):
    steps = case.form.fixed_steps or 3
    values = np.geomspace(0.3, 0.9, N)
    sigmas = values if case.problem == "sign" else values ** (1 / case.p)
    if case.problem == "sign" and case.form.rule_name == "eigh":
        pytest.skip("the sign of Hermitian matrices is a polar factor")
    curve = matfun.simulate(case.form.rule, sigmas, steps=steps, problem=case.problem, p=case.p)
    assert curve.products == sum(predicted(case, step) for step in range(steps))


@pytest.mark.parametrize(("problem", "p"), [("sign", 2), ("sqrt", 2), ("invroot", 3), ("invroot", 5), ("inv", 1)])
@pytest.mark.parametrize("degree", [3, 5])
def test_a_sketch_costs_thin_products(problem, p, degree):
    form = Form("prism", prism_twin, {"degree": degree, "warm_start": 99}, Prism(degree, sketch_size=2))
    case = Case(problem, p, form)
    work, ops = run(case)
    assert work.products == sum(predicted(case, step) for step in range(4))
    # R S, and then one for each of the p further powers of degree 3, or two at a time of the 2 p of degree 5
    assert work.thin == ops.counts["thin"] == 4 * (1 + p)
    simulated = matfun.simulate(form.rule, np.linspace(0.5, 0.9, N), steps=4, problem=problem, p=p, rng=0)
    assert (simulated.products, simulated.thin_products) == (work.products, work.thin)


@pytest.mark.parametrize(("problem", "thin"), [("sign", 4), ("sqrt", 3)])
def test_a_sketched_newton_step_costs_thin_products(problem, thin):
    rule = matfun.PrismNewton(sketch_size=2)
    case = next(c for c in CASES if c.problem == problem and c.form.fits_newton)
    sketched = Case(problem, 2, Form("sketched", case.form.twin, {}, rule))
    work, ops = run(sketched)
    assert work.thin == ops.counts["thin"] == 4 * thin
    exact, _ = run(case)
    assert exact.products - work.products == 4 * (thin - 1)
    simulated = matfun.simulate(rule, np.linspace(0.5, 0.9, N), steps=4, problem=problem, rng=0)
    assert (simulated.products, simulated.thin_products) == (work.products, work.thin)
