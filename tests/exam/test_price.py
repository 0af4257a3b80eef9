"""Does a run cost exactly the products that the twin says, in the matrix run, in its info and in the simulation?"""

from collections import Counter

import numpy as np
import pytest
from matfun_backends.counting import CountingOps

import matfun
from matfun.drive import run_steps
from matfun.lab.spectra import gaussian, log_spaced, with_singular_values
from matfun.ops import Ops
from matfun.polynomials.update import Polynomial
from matfun.problems.polar import PolarProblem, PolarState
from matfun.providers import ops_for
from matfun.rules.prism import Prism
from tests.exam.walk import FORMS, each_form, each_library, gain, library_called
from theory import prism as prism_twin

FULL = ("gram", "symm", "apply")

N = 9


def matrix(dtype="float64"):
    A = with_singular_values(log_spaced(N, 30.0), 2 * N, N, 0, complex_=np.dtype(dtype).kind == "c")
    return A.astype(dtype)


def predicted(form, steps):
    total = Counter()
    for step in range(steps):
        total.update(form.price(step))
    return total


FACTORISATIONS = ("qr", "cholesky", "solve")


def products(want):
    """What info.products says: a term of a rational function counts as one."""
    return sum(want[k] for k in (*FULL, *FACTORISATIONS))


def counted(library_name, A=None):
    library = library_called(library_name)
    A = library.put(matrix() if A is None else A)
    return A, CountingOps(library.ops(A))


def kinds(counts):
    """Full-size products and factorisations by kind; U V^H of an SVD is counted as a product of two matrices."""
    counts = Counter(counts)
    counts["solve"] += counts.pop("inverse", 0)  # a term with shift zero
    return {k: v for k, v in counts.items() if k in (*FULL, *FACTORISATIONS, "thin", "svd") and v}


@each_library
@each_form
def test_a_fixed_number_of_steps_costs_what_the_twin_says(form, library_name):
    """The problem itself: the functions add a rotation for some rules."""
    A, ops = counted(library_name, matrix()[:N] if form.needs_square else None)
    steps = form.fixed_steps or 4
    problem = PolarProblem(ops, 0)
    run_steps(problem, form.rule, PolarState(A), steps=steps, eps=2.0**-52)
    want = predicted(form, steps)
    assert problem.work.products == products(want)
    assert problem.work.thin == want["thin"]
    plain = ops.counts.pop("matmul", 0)
    got = Counter(kinds(ops.counts))
    if form.fits_newton:
        got["apply"] += plain
    else:  # Q_1 Q_2^H of a QR is part of its term, U V^H of an SVD the product that applies
        assert plain == want["svd"] + want["qr"]
        got["apply"] += want["svd"]
    assert got == Counter({k: v for k, v in want.items() if v})


@each_form
def test_orthogonalize_costs_its_steps(form):
    """Scaling is free; a rotation takes two products."""
    A, ops = counted("numpy", matrix()[:N] if form.needs_square else None)
    steps = form.fixed_steps or 4
    _, info = matfun.orthogonalize(A, method=form.rule, steps=steps, rng=0, full_output=True, backend=ops)
    want = predicted(form, steps)
    assert info.products == products(want)
    assert info.thin_products == want["thin"]
    rotation = 2 * form.needs_square
    fit = want["apply"] if form.fits_newton else 0
    assert ops.counts["matmul"] == want["svd"] + want["qr"] + rotation + fit
    want["qr"] += form.needs_square  # of the rotation


@each_form
def test_simulation_counts_the_same(form):
    steps = form.fixed_steps or 4
    result = matfun.simulate(form.rule, log_spaced(N, 30.0) / 2, steps=steps)
    want = predicted(form, steps)
    assert (result.products, result.thin_products) == (products(want), want["thin"])


@pytest.mark.parametrize("degree", [3, 5])
@pytest.mark.parametrize("columns", [1, 8])
@each_library
def test_a_sketch_costs_thin_products_only(library_name, columns, degree):
    A, ops = counted(library_name)
    rule = Prism(degree, sketch_size=columns, warm_start=1)
    _, info = matfun.orthogonalize(A, method=rule, steps=5, rng=0, full_output=True, backend=ops)
    want = Counter()
    for step in range(5):
        want.update(prism_twin.price(step, degree=degree, warm_start=1, sketch=True))
    assert (ops.products, ops.counts["thin"]) == (info.products, info.thin_products)
    assert kinds(ops.counts) == {k: v for k, v in want.items() if v}
    result = matfun.simulate(rule, log_spaced(N, 30.0) / 2, steps=5, rng=0)
    assert (result.products, result.thin_products) == (info.products, info.thin_products)


PROBES = 4
"""Thin products of the certificate, which are none of the method's."""


def without_probes(ops):
    """What an accuracy-driven run took, by kind."""
    found = Counter(kinds(ops.counts))
    found["thin"] -= PROBES
    return found


REDUCTION = Counter(gram=2, apply=1, cholesky=2)
"""Cholesky QR of a tall matrix, without the product that puts the answer together."""

SMALL_AND_BACK = 3
"""Products that are plain: of the two triangular factors, and of Q with the answer, which is two factors."""


@pytest.mark.parametrize("tall", [False, True], ids=["square", "tall"])
@pytest.mark.parametrize("tol", [None, 1e-3], ids=["polished", "to-tol"])
@each_form
def test_a_run_to_a_goal_costs_its_steps_the_last_look_and_the_polish(form, tol, tall):
    if not form.twin.converges(**form.options):
        pytest.skip("does not converge")
    if form.needs_square:
        pytest.skip("the rotation is counted in test_orthogonalize_costs_its_steps")
    if getattr(form.rule, "exact", False):
        pytest.skip("a factorisation is not iterated on: test_a_factorisation_costs_two_products")
    square = with_singular_values(log_spaced(N, 30.0), N, N, 0)
    A, ops = counted("numpy", matrix() if tall else square)
    info = matfun.polar(A, method=form.rule, tol=tol, rng=0, backend=ops).info
    steps = len(info.history.residuals) - 1
    want = predicted(form, steps)
    want["gram"] += 1  # the residual that says stop
    assert info.steps - steps == 1 or (tol is not None and info.steps == steps)
    if info.steps > steps:  # and a polynomial in it
        want["apply"] += 1
    assert info.products == products(want) + (4 if tall else 0)
    got = without_probes(ops)
    assert info.thin_products == want["thin"] == got["thin"]
    got["apply"] += ops.counts["matmul"] - 1 - want["qr"] - (SMALL_AND_BACK if tall else 0)  # U^H A is the one
    want += REDUCTION if tall else Counter()
    assert got == Counter({k: v for k, v in want.items() if v})


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("tall", [False, True], ids=["square", "tall"])
def test_a_factorisation_costs_two_products(tall, dtype, order):
    """U V^H, and for H a rank-k product instead of U^H A; a tall matrix is not left to Householder's method."""
    A = np.asarray(matrix(dtype) if tall else matrix(dtype)[:N], order=order)
    A, ops = counted("numpy", A)
    info = matfun.polar(A, method="svd", rng=0, backend=ops).info
    assert (info.products, info.steps, info.history.residuals) == (5 if tall else 1, 1, ())
    want = Counter(gram=1, svd=1) + (REDUCTION if tall else Counter())
    assert without_probes(ops) == want
    assert ops.counts["matmul"] == 1 + (SMALL_AND_BACK if tall else 0)


def test_the_polish_is_one_product():
    """At the goal from the start: the scaling of a cubic is free, so a look and the polish are all there is."""
    for method, scaling in (("newton-schulz", 1), (matfun.NewtonSchulz(degree=3), 0)):
        A, ops = counted("numpy", np.eye(1))
        info = matfun.polar(A, method=method, backend=ops).info
        assert info.steps == 1
        assert info.products == 2 + scaling  # G^2 of the scaling was formed in vain
        assert +without_probes(ops) == {"gram": 1, "apply": 1} | ({"symm": 1} if scaling else {})


def test_completion_is_counted():
    A, ops = counted("numpy", np.diag([1.0, 0.5, 0.0]))
    info = matfun.polar(A, method="polar-express", rng=0, backend=ops).info
    assert info.status is matfun.Status.COMPLETED
    assert info.products == ops.products + ops.counts["matmul"] - 1  # U^H A


def test_the_stack_costs_as_many_products_as_its_slowest_matrix():
    """Products of stacks are counted once, and a member that has converged waits for the others."""
    A = np.stack([matrix(), with_singular_values(log_spaced(N, 1e5), 2 * N, N, 1)])
    both = matfun.polar(A, method="newton-schulz").info
    single = [matfun.polar(A[i], method="newton-schulz").info for i in range(2)]
    assert [int(s) for s in both.steps] == [s.steps for s in single]
    assert both.products == max(s.products for s in single)


# ---- fused evaluations are the default ones by value ----------------------------------------------


def residual_and_gram(library, shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    *stack, m, n = shape
    X = gaussian(int(np.prod(stack, dtype=int)) * m, n, rng, complex_=np.dtype(dtype).kind == "c").reshape(shape)
    X = X / np.linalg.norm(X, ord=2, axis=(-2, -1), keepdims=True)
    X = X.astype(dtype)
    G = np.swapaxes(X.conj(), -1, -2) @ X
    G = (G + np.swapaxes(G.conj(), -1, -2)) / 2
    return library.put(X), library.put(G), library.put(np.eye(n, dtype=dtype) - G), X


@pytest.mark.parametrize("given_square", [False, True], ids=["no-square", "square"])
@pytest.mark.parametrize("scalars", ["floats", "zero-top", "device"])
@pytest.mark.parametrize("basis", ["residual", "gram"])
@pytest.mark.parametrize("degree", range(7))
@each_library
def test_polynomial_steps_agree_with_the_definition(library_name, degree, basis, scalars, given_square):
    """All degrees, bases, kinds of coefficients and stacks, in every dtype, against Horner in float64."""
    library = library_called(library_name)
    rng = np.random.default_rng(degree)
    for dtype in ("float32", "float64", "complex128") if library_name in ("numpy", "torch") else ("float64",):
        for shape in ((7, 5), (2, 3, 6, 4)):
            X, G, R, host = residual_and_gram(library, shape, dtype)
            ops = ops_for(X)
            real = np.dtype(dtype).char.lower()
            S = G if basis == "gram" else R
            c = rng.standard_normal(degree + 1)
            if scalars == "zero-top":
                c[-1] = 0.0
            coefficients = tuple(float(v) for v in c)
            each = [np.full(shape[:-2], v) for v in c]
            if scalars == "device":
                each = [v * rng.uniform(0.5, 2.0, shape[:-2]).astype(real) for v in c.astype(real)]
                each = [np.asarray(v, dtype=real) for v in each]
                coefficients = tuple(library.put(v) for v in each)
            h = Polynomial(coefficients, basis)
            square = ops.square(S) if given_square and degree > 1 else None
            got = library.get(ops.polynomial_step(X, S, h, square))
            default = library.get(Ops(ops.xp).polynomial_step(X, S, h, square))
            wide = host.astype(np.result_type(dtype, np.float64))
            T = np.asarray(library.get(S)).astype(wide.dtype)
            value = np.zeros_like(T)
            for v in each[::-1]:
                value = value @ T + v.astype(np.float64)[..., None, None] * np.eye(shape[-1])
            want = wide @ value
            size = max(
                float(np.max(gain(Polynomial(tuple(abs(float(np.max(v))) for v in each), basis), x)))
                for x in (np.array([1.0]), np.array([0.7]), np.array([0.1]))
            )
            size = max(size, sum((2 * i + 1) * np.max(np.abs(v)) for i, v in enumerate(each)))
            allowed = (2 + shape[-1] ** 0.5) * np.finfo(dtype).eps * size
            # the fused one and the default one, each against the definition in float64
            assert np.max(np.abs(got - want)) <= allowed
            assert np.max(np.abs(default - want)) <= allowed
            assert got.dtype == np.dtype(dtype)


@pytest.mark.parametrize("degree", range(7))
def test_polynomials_say_what_they_cost(degree):
    X, _, R, _ = residual_and_gram(library_called("numpy"), (7, 5), "float64")
    h = Polynomial(tuple(float(i + 1) for i in range(degree + 1)))
    ops = CountingOps(ops_for(X))
    ops.polynomial_step(X, R, h)
    assert ops.counts["symm"] == h.symmetric_products
    assert ops.counts["apply"] == (degree > 0)


def test_the_walk_sees_rules_that_scale_by_the_gram_matrix_and_rules_that_do_not():
    flags = {getattr(form.rule, "forms_square", False) for form in FORMS}
    assert flags == {True, False}
