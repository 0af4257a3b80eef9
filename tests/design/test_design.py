"""Does ``design`` grant what was wished, prove it, refuse what cannot be, and return what is a method everywhere?"""

import json
import threading

import numpy as np
import pytest
from mpmath import mp

import matfun
from matfun.functions import design as module
from matfun.polynomials import minimax
from matfun.polynomials.composition import CUSHION
from matfun.rules.schedule import Schedule
from theory import composition as twin
from theory import polar_express, sturm

EXACT = {"dtype": None, "cushion": 0, "safety": 1}


# ---- what is granted ------------------------------------------------------------------------------


def test_the_default_is_five_quintics_for_the_published_interval():
    made = matfun.design()
    assert made.degrees == (5,) * 5
    assert made.interval == (1e-3, 1.0)
    assert made.dtype == "float64"
    assert made.products == 15


def test_the_plain_composition_is_the_minimax_one():
    made = matfun.design(**EXACT)
    exact = twin.composition(1e-3, 1, (5,) * 5)
    assert made.error == pytest.approx(float(exact[-1].error), rel=1e-12)
    assert made.error == pytest.approx(0.1134, abs=5e-5)
    for row, stage in zip(made.coefficients, exact, strict=True):
        assert row == pytest.approx([float(c) for c in stage.coefficients], rel=1e-13)


def test_cushion_and_safety_are_visible_in_the_stages():
    made = matfun.design(steps=6, dtype=None, cushion=CUSHION, safety=1.02)
    exact = polar_express.composition(1e-3, 6, 5, CUSHION, safety=1.02)
    for stage, want in zip(made.stages, exact, strict=True):
        plain = stage.without_safety()
        assert plain.coefficients == pytest.approx([float(c) for c in want.coefficients], rel=1e-13)
        assert stage.lower == pytest.approx(float(want.lower), rel=1e-12)
        assert (stage.recentring != 1) == (stage.fitted > stage.lower)
    assert made.stages[0].fitted == CUSHION
    assert made.stages[0].safety == 1.02
    assert made.stages[-1].safety == 1.0  # nothing follows the last step
    assert made.coefficients == tuple(stage.coefficients for stage in made.stages)


@pytest.mark.parametrize(("lower", "target"), [(1e-1, 1e-2), (1e-2, 0.3), (1e-2, 1e-4), (1e-3, 1e-1), (1e-3, 1e-6)])
@pytest.mark.parametrize("degrees", [(3, 5), (3, 5, 9), (3, 7, 17)], ids=str)
def test_a_target_costs_the_fewest_products(degrees, lower, target):
    """Against an exhaustive search over ordered sequences of degrees."""
    made = matfun.design(lower, degree=degrees, target=target, **EXACT)
    best = twin.fewest_products(lower, target, degrees)
    assert made.products == best.products
    assert made.stages[-1].error == pytest.approx(float(best.error), rel=1e-9)
    assert made.error <= target * (1 + 1e-9)  # of the floats: rounding its coefficients moves it


@pytest.mark.parametrize(
    ("lower", "target", "products"),
    [(1e-3, 0.3, (14, 14, 13)), (1e-3, 1e-2, (17, 16, 16)), (1e-3, 1e-15, (23, 22, 20)), (1e-6, 0.1, (30, 28, 27))],
)
def test_a_target_costs_what_was_counted_before(lower, target, products):
    """Numbers of an independent count: admitted degrees 3, 5; and 9; and 17."""
    for degrees, expected in zip(((3, 5), (3, 5, 9), (3, 5, 9, 17)), products, strict=True):
        assert matfun.design(lower, degree=degrees, target=target, **EXACT).products == expected


@pytest.mark.parametrize("products", [2, 7, 12, 16])
def test_a_price_buys_the_least_error(products):
    """No sequence of degrees of at most that price is better: all of them, multiplied out."""
    degrees, lower = (3, 5, 9), 1e-2
    made = matfun.design(lower, degree=degrees, products=products, **EXACT)
    assert made.products <= products
    prices = {d: twin.polar_price(d) for d in degrees}
    sequences, all_of_them = [()], []
    while sequences:
        longer = [(*s, d) for s in sequences for d in degrees if sum(map(prices.get, (*s, d))) <= products]
        all_of_them += longer
        sequences = longer
    best = min(matfun.design(lower, degree=s, **EXACT).error for s in all_of_them)
    assert made.error == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize(("degree", "steps"), [(3, 7), (5, 4), (9, 3), ((3, 5, 9), 3), (9, 5)])
@pytest.mark.parametrize("delta", [0.3, 0.99, 0.01])
def test_the_widest_interval_for_steps_and_error(degree, steps, delta):
    """CANS' delta-orthogonalisation, against the steps inverted one by one in multiprecision."""
    made = matfun.design(None, degree=degree, steps=steps, target=delta, **EXACT)
    degrees = (degree,) * steps if isinstance(degree, int) else degree
    assert made.stages[-1].error <= delta * (1 + 1e-12)
    assert made.error <= delta * (1 + 1e-9)  # of the floats: rounding its coefficients moves it
    assert made.error == pytest.approx(delta, rel=1e-6)
    assert made.interval[0] == pytest.approx(float(twin.widest_left_end(degrees, delta)), rel=1e-6)


def test_left_ends_counted_before():
    """Numbers of an independent count: quintics, three to five steps, delta = 0.3, 0.1, 0.01."""
    table = {3: (9.07e-3, 1.93e-2, 4.49e-2), 4: (2.136e-3, 4.55e-3, 1.06e-2), 5: (5.02e-4, 1.07e-3, 2.51e-3)}
    for steps, ends in table.items():
        for delta, end in zip((0.3, 0.1, 0.01), ends, strict=True):
            assert matfun.design(None, steps=steps, target=delta, **EXACT).interval[0] == pytest.approx(end, rel=5e-3)


def test_another_upper_end_is_a_change_of_scale():
    one, two = matfun.design(**EXACT), matfun.design(2e-3, 2.0, **EXACT)
    assert two.error == pytest.approx(one.error, rel=1e-12)
    assert two.coefficients[0] == pytest.approx([c / 2 ** (2 * i + 1) for i, c in enumerate(one.coefficients[0])])
    for a, b in zip(one.coefficients[1:], two.coefficients[1:], strict=True):
        assert a == pytest.approx(b, rel=1e-10)


@pytest.mark.parametrize("lower", [1e-1, 1e-3])
def test_chen_chow_is_the_cubic_composition_scaled_to_maximum_one(lower):
    """While its cap does not act: the images of [l, 1] have the same ratio of ends."""
    made = matfun.design(lower, degree=3, steps=8, **EXACT)
    curve = matfun.simulate(matfun.ChenChow(lower=lower), [lower, 1.0], steps=8)
    for stage, sigmas in zip(made.stages, curve.sigmas[1:], strict=True):
        ratio = (1 - stage.error) / (1 + stage.error)
        if lower > 0.09:  # the cap keeps p(1) above 1/10, so that small bounds lag behind
            assert sigmas[0] == pytest.approx(ratio, rel=1e-12)
        assert sigmas[0] <= ratio * (1 + 1e-12)


# ---- the error is that of the floats --------------------------------------------------------------


@pytest.mark.parametrize(("lower", "degree", "steps"), [(1e-8, 5, 12), (1e-6, 13, 6), (1e-5, 17, 4)])
def test_the_certificate_is_that_of_the_floats(lower, degree, steps):
    """Where rounding a coefficient moves the values: against bounds in whole numbers that share no code."""
    made = matfun.design(lower, degree=degree, steps=steps, dtype=None)
    at_least, at_most = sturm.sup_error_bounds(made.coefficients, lower, 1)
    assert at_least <= made.error <= at_most
    assert made.stages[-1].error * (1 - 1e-9) <= made.error <= 1.25 * made.stages[-1].error


@pytest.mark.parametrize(
    "arguments",
    [
        {"lower": 1e-20, "products": 100, "degree": 5},
        {"lower": 1e-3, "products": 100, "degree": 9, "p": 7},
        {"lower": 1e-17, "upper": 1e-5, "target": 0.5, "degree": 17, "p": 1},
    ],
    ids=str,
)
def test_a_schedule_spoilt_by_rounding_its_coefficients_is_refused(arguments):
    with pytest.raises(ValueError, match=r"^dtype: .* rounding its coefficients to float64 takes the error"):
        matfun.design(dtype=None, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"lower": 1.0, "upper": 1e308},
        {"lower": 1e-200, "upper": 2e-200, "steps": 1},
        {"lower": 1e-2, "upper": 1e5, "degree": 9, "p": 16},
        {"lower": 5e-2, "target": 0.1, "p": 512},
        {"lower": None, "steps": 1, "degree": 3, "target": 1e-289},
    ],
    ids=str,
)
def test_what_floats_cannot_hold_is_refused_by_name(arguments):
    with pytest.raises(ValueError, match=r"^(dtype|target): "):
        matfun.design(**arguments)


# ---- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "tfloat32", "float32", "float64"])
@pytest.mark.parametrize("degree", [3, 5])
def test_every_format_gets_a_schedule_that_is_safe_there(degree, dtype):
    made = matfun.design(degree=degree, steps=6, dtype=dtype)
    assert made.dtype == dtype
    assert dtype in made.safe_in
    assert made.hazard(dtype) == ""


def test_a_dtype_of_any_library_names_its_format():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    by_name = matfun.design(degree=3, dtype="bfloat16")
    for dtype in (torch.bfloat16, jnp.bfloat16, jnp.dtype(jnp.bfloat16)):
        assert matfun.design(degree=3, dtype=dtype) is by_name
    for dtype in (np.float32, np.dtype("float32"), torch.float32, jnp.float32):
        assert matfun.design(dtype=dtype) is matfun.design(dtype="float32")


def test_what_a_format_does_not_carry_is_refused():
    with pytest.raises(
        ValueError, match=r"dtype: no schedule of degrees \(17, 17\) for \[0.001, 1\], p = 2 is safe in bfloat16"
    ):
        matfun.design(degree=17, steps=2, dtype="bfloat16")
    with pytest.raises(
        ValueError, match=r"cushion = 0, safety = 1 for \[0.001, 1\], p = 2 is safe in bfloat16; expected a lower"
    ):
        matfun.design(dtype="bfloat16", cushion=0, safety=1)
    assert matfun.design(degree=17, steps=2, dtype=None).error < 1


def test_a_large_start_above_one_stays_in_reach():
    """In float32 the norm of a large constant matrix comes out too small, and its singular value above 1."""
    A = np.ones((1536, 1536), dtype=np.float32)
    made = matfun.design(dtype="float32", degree=9, steps=3)
    X = matfun.orthogonalize(A, method=made, steps=3)
    assert np.linalg.norm(X.astype(np.float64), 2) <= 1 + made.error + 1e-3


@pytest.mark.parametrize(("p", "lower", "dtype"), [(3, 0.1, "float32"), (4, 0.2, "float32"), (16, 0.5, "float64")])
def test_inverse_roots_in_a_format(p, lower, dtype):
    """X stays beside M: within the share of the error that the rule leaves for rounding."""
    made = matfun.design(lower, target=1e-2, dtype=dtype, p=p)
    Q = np.linalg.qr(np.random.default_rng(2).standard_normal((12, 12)))[0]
    w = np.geomspace((1.3 * lower) ** p, 1, 12)
    A = ((Q * w) @ Q.T).astype(dtype)
    X = matfun.invrootm((A + A.T) / 2, p, method=made, steps=len(made), hermitian=True).astype(np.float64)
    assert np.abs(w ** (1 / p) * np.diag(Q.T @ X @ Q) - 1).max() <= 1.25 * made.error


def test_inverse_roots_that_drift_from_their_residual_are_refused():
    with pytest.raises(ValueError, match="X may drift from M"):
        matfun.design(0.01, target=0.01, dtype="float32", p=5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_format_decides_which_degrees_a_target_takes(dtype):
    made = matfun.design(target=0.1, dtype=dtype)
    assert made.error <= 0.1
    assert not made.hazard(dtype)
    assert made.products >= matfun.design(target=0.1, dtype=None).products
    if dtype == "bfloat16":
        assert made.degrees[0] <= 5  # higher ones only where the interval has become narrow


# ---- the schedule as a value ----------------------------------------------------------------------


def test_json_and_python_read_back():
    for made in (matfun.design(), matfun.design(p=4, lower=0.1, dtype=None), matfun.preset("cubic5")):
        assert Schedule.from_json(made.to_json()) == made
        document = json.loads(made.to_json())
        assert document["products"] == made.products
        assert document["degrees"] == list(made.degrees)
        scope: dict = {}
        exec(made.to_python(), scope)
        assert scope["COEFFICIENTS"] == made.coefficients
    for text in ("{}", '{"format": 1}', "[]"):
        with pytest.raises(ValueError, match=r"text: expected a document of Schedule\.to_json with format 1, got"):
            Schedule.from_json(text)


def test_nothing_is_designed_twice(monkeypatch):
    made = matfun.design(lower=0.0123, steps=3, dtype=None)
    monkeypatch.setattr(module, "_granted", None)
    assert matfun.design(0.0123, 1.0, 5, 3, dtype=None) is made
    monkeypatch.undo()
    # neither the polynomials of another schedule that shares intervals, nor those of a rule
    calls = minimax.minimax.cache_info().misses
    matfun.design(lower=0.0123, steps=2, dtype=None)
    assert minimax.minimax.cache_info().misses == calls


def test_numbers_of_numpy_are_numbers():
    made = matfun.design(lower=0.0123, degree=[3, 5], dtype=None)
    assert matfun.design(np.float64(0.0123), np.int64(1), np.array([3, 5]), np.int32(2), dtype=None) is made


def test_threads_get_one_design():
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(matfun.design(0.00321, degree=9, steps=3, dtype=None)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(made) for made in found}) == 1


def test_a_list_of_ones_own_is_a_schedule():
    made = Schedule(((1.5, -0.5),) * 3, (0.5, 1.0), 0.01, name="mine")
    assert made.degrees == (3, 3, 3)
    assert made.region == pytest.approx(3**0.5)
    _, info = matfun.orthogonalize(np.eye(3), method=made, steps=3, full_output=True)
    assert info.method == "mine"
    with pytest.raises(ValueError, match="coefficients: expected at least one polynomial"):
        Schedule((), (0.5, 1.0), 0.01)
    with pytest.raises(ValueError, match="coefficients: expected at least one polynomial"):
        Schedule(((),), (0.5, 1.0), 0.01)
    with pytest.raises(ValueError, match=r"interval: expected 0 < lower <= upper, got \(1.0, 0.5\)"):
        Schedule(((1.5, -0.5),), (1.0, 0.5), 0.01)
    with pytest.raises(ValueError, match=r"dtype: expected one of bfloat16, .*, got 'float8'"):
        made.hazard("float8")


# ---- as a method ----------------------------------------------------------------------------------


def spd(kappa, n=8):
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))[0]
    A = (Q * np.geomspace(1 / kappa, 1, n)) @ Q.T
    return (A + A.T) / 2


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (3, 6, 6)], ids=str)
def test_orthogonalize_does_what_the_certificate_says(shape):
    """Every singular value above the left end comes within the error of 1, for a stack and both shapes."""
    A = np.random.default_rng(3).standard_normal(shape)
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    scaled = np.geomspace(1e-3, 1.0, s.shape[-1])
    A = (U * scaled) @ Vh
    made = matfun.design(5e-4, target=1e-3)  # the norm that scaling divides by is at most twice the largest value
    X = matfun.orthogonalize(A, method=made, steps=len(made))
    sigma = np.linalg.svd(X, compute_uv=False)
    assert np.abs(sigma - 1).max() <= made.error + 1e-12
    assert np.allclose(X, U @ Vh, atol=made.error * (1 + 1e-9) + 1e-12, rtol=0)


@pytest.mark.parametrize(("degree", "steps", "lower"), [(9, 3, 1e-2), (5, 1, 1e-3), (3, 4, 1e-5)])
def test_polar_goes_on_to_full_accuracy(degree, steps, lower):
    """The composition is continued, however far from done it is; the region covers the interval.

    A cushion of 0.1 keeps d of ``stability`` small, and with it the backward error: d times the limit of ``polar``.
    """
    A = np.random.default_rng(5).standard_normal((30, 20))
    made = matfun.design(lower, degree=degree, steps=steps, cushion=0.1)
    assert made.region > made.interval[1]
    assert made.stability < 5
    U, H = result = matfun.polar(A, method=made)
    assert result.info.status is matfun.Status.CONVERGED
    assert result.info.method == "design"
    assert np.linalg.norm(A - U @ H) <= made.stability * (12 + 20**0.5) * 2.0**-52 * np.linalg.norm(A)
    assert np.linalg.norm(U.T @ U - np.eye(20), 2) <= (12 + 20**0.5) * 2.0**-52
    assert np.linalg.eigvalsh(H).min() > 0


def test_a_given_list_is_followed_by_newton_schulz():
    made = matfun.preset("cubic5")
    assert made.next(_view(2, 5)).coefficients == (1.0, 0.5)
    repeated = matfun.preset("muon").next(_view(2, 50)).in_basis("gram").coefficients
    assert repeated == pytest.approx((3.4445, -4.7750, 2.0315), rel=1e-14)


@pytest.mark.parametrize("target", [1e-4, 1e-12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backward_errors_are_beside_the_certified_one(target, dtype):
    """A tenth of it, or those of a stable iteration: where a small error is asked for, a cushion comes with it."""
    made = matfun.design(1e-4, target=target, dtype=dtype)
    roundoff = {"float32": 2.0**-24, "float64": 2.0**-53}[dtype]
    assert made.stability <= 20 or made.stability * roundoff <= 0.1 * made.error
    plain = matfun.design(1e-4, target=target, **EXACT)
    assert plain.stability > 300
    assert plain.stability * roundoff > 0.1 * plain.error or target > 1e-6
    assert bool(plain.hazard(dtype)) or plain.stability * roundoff <= 0.1 * plain.error


def test_stability_is_that_of_a_dense_look():
    designs = (matfun.design(dtype="bfloat16", degree=3), matfun.design(degree=9, steps=3, **EXACT))
    for made in (*designs, matfun.preset("you-6")):
        worst, top = 1.0, 1.0
        for c in made.coefficients:
            x = np.linspace(1e-9, top, 200001)
            y = x * np.polynomial.polynomial.polyval(x * x, c)
            worst = max(worst, y.max() / top / (y / x).min())
            top = y.max()
        assert made.stability == pytest.approx(worst, rel=1e-4)
    assert matfun.preset("turbo-muon-aol", allow_defective=True).stability == np.inf


def test_degree_seventeen_ends_at_rounding():
    """The last polynomials are made in the residual basis: a change of basis would leave 1e-14 and more."""
    U, _, Vh = np.linalg.svd(np.random.default_rng(5).standard_normal((12, 12)))
    A = (U * np.geomspace(0.1, 1, 12)) @ Vh
    made = matfun.design(2e-2, degree=17, steps=4, dtype=None)
    assert made.error < 1e-30
    X = matfun.orthogonalize(A, method=made, steps=4)
    assert np.linalg.norm(X.T @ X - np.eye(12), 2) <= 20 * 2.0**-52
    assert made.next(_view(2, 3)).basis == "residual"


def _view(p, step):
    from matfun import ResidualView

    return ResidualView(p, step, False, None, 2.0**-52, None)


@pytest.mark.parametrize("p", [2, 3, 4, 8])
def test_inverse_roots_of_definite_matrices(p):
    A = spd(100.0)
    made = matfun.design(0.5 * 100.0 ** (-1 / p), steps=6, p=p, dtype=None)
    assert made.error < 1e-4
    X, info = matfun.invrootm(A, p, method=made, full_output=True)
    w, V = np.linalg.eigh(A)
    assert info.status is matfun.Status.CONVERGED
    assert np.linalg.norm(X - (V * w ** (-1 / p)) @ V.T) <= 1e-11 * np.linalg.norm(X)


def test_sign_square_roots_and_inverse():
    A = spd(50.0)
    made = matfun.design(1e-2, steps=6)
    assert np.allclose(matfun.sqrtm(A, method=made) @ matfun.sqrtm(A, method=made), A, atol=1e-14)
    S = matfun.signm(A - 0.3 * np.eye(8), method=made)
    assert np.allclose(S @ S, np.eye(8), atol=1e-12)
    inverse = matfun.design(1e-3, degree=7, steps=5, p=1, dtype=None)
    assert np.allclose(matfun.invm(A, method=inverse) @ A, np.eye(8), atol=1e-12)


def test_a_schedule_for_another_root_is_refused():
    made = matfun.design(p=3, lower=0.1, dtype=None)
    with pytest.raises(ValueError, match=r"method: expected a schedule made for p = 2, got one for p = 3"):
        matfun.orthogonalize(np.eye(3), method=made)


def test_simulation_prices_and_curve():
    for lower in (0.05, 0.5):  # from 0.5 the residual form of degree 17 has no scheme of three products
        plan = matfun.design(degree=17, steps=4, lower=lower, **EXACT)
        assert matfun.simulate(plan, [lower, 1.0], steps=4).products == plan.products
    made = matfun.design(degree=(3, 5, 9, 17), lower=0.05, **EXACT)
    sigmas = np.geomspace(0.05, 1, 7)
    curve = matfun.simulate(made, sigmas, steps=4)
    assert curve.products == made.products == 2 + 3 + 4 + 5
    assert curve.errors[-1] <= made.error + 1e-13
    exact = matfun.simulate(made, np.array([mp.mpf(s) for s in sigmas], dtype=object), steps=4)
    assert [float(s) for s in exact.sigmas[-1]] == pytest.approx(list(curve.sigmas[-1]), rel=1e-12)


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_it_can_be_traced(library):
    made = matfun.design(1e-2, target=1e-3, dtype="float32")
    A = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
    plain = matfun.orthogonalize(A, method=made, steps=len(made))
    if library == "jax":
        jax = pytest.importorskip("jax", reason="jax is not installed")
        X = jax.jit(lambda a: matfun.orthogonalize(a, method=made, steps=len(made)))(A)
    else:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        X = torch.compile(
            lambda a: matfun.orthogonalize(a, method=made, steps=len(made)), fullgraph=True, backend="eager"
        )(torch.from_numpy(A))
    assert np.allclose(np.asarray(X), plain, atol=1e-5)


# ---- a spectrum in place of an interval -----------------------------------------------------------


def test_on_a_spectrum_each_step_is_best_there():
    sigmas = np.linalg.svd(np.random.default_rng(0).standard_normal((40, 30)), compute_uv=False)
    sigmas /= sigmas[0]
    for steps in (1, 2, 3):
        fitted = matfun.design_on_spectrum(sigmas, 5, steps)
        interval = matfun.design(float(sigmas[-1]), 1.0, 5, steps, **EXACT)
        moved = matfun.simulate(fitted, sigmas, steps=steps)
        assert moved.errors[-1] == pytest.approx(fitted.attained, rel=1e-9, abs=1e-15)
        if steps == 1:  # a subset of the interval cannot be worse for the first polynomial
            assert fitted.attained <= interval.error
            assert fitted.error >= interval.error * (1 - 1e-12)
    squares = matfun.design_on_spectrum(sigmas, 5, 1, criterion="least-squares")
    best = matfun.design_on_spectrum(sigmas, 5, 1)
    errors = [np.abs(matfun.simulate(made, sigmas, steps=1).sigmas[-1] - 1) for made in (squares, best)]
    assert np.sum(errors[0] ** 2) <= np.sum(errors[1] ** 2)
    assert errors[1].max() <= errors[0].max()


def test_on_a_histogram_and_a_gap():
    measure = matfun.SpectralMeasure.from_histogram([0.1, 0.12, 0.8, 1.0], [3.0, 0.0, 5.0])
    made = matfun.design_on_spectrum(measure, 5, 2)
    x = np.concatenate([np.linspace(0.1, 0.12, 101), np.linspace(0.8, 1.0, 101)])
    assert np.abs(matfun.simulate(made, x, steps=2).sigmas[-1] - 1).max() <= 1.05 * made.attained + 1e-6
    assert made.attained < matfun.design(0.1, steps=2, **EXACT).error


# ---- refusals -------------------------------------------------------------------------------------

REFUSALS = [
    ({"lower": 0.0}, r"lower: expected a number in \(0, 1.0\), got 0.0"),
    ({"lower": 2.0}, r"lower: expected a number in \(0, 1.0\), got 2.0"),
    ({"lower": "small"}, r"lower: expected a number in \(0, 1.0\), got 'small'"),
    ({"lower": None}, "lower: expected a number, or None with target and steps, got None"),
    ({"upper": -1}, "upper: expected a positive number, got -1"),
    ({"upper": float("inf")}, "upper: expected a positive number, got inf"),
    ({"degree": 4}, r"degree: expected one or several of \(3, 5, .*\), got 4"),
    ({"degree": "5"}, r"degree: expected one or several of \(3, 5, .*\), got '5'"),
    ({"degree": ()}, r"degree: expected one or several of \(3, 5, .*\), got \(\)"),
    ({"degree": (3, 5), "steps": 3}, r"steps: expected None or 2, the number of degrees, got 3"),
    ({"steps": 0}, "steps: expected"),
    ({"steps": 65}, "steps: expected at most 64, got 65"),
    ({"steps": 2.5}, "steps: expected"),
    ({"target": 0}, r"target: expected a number in \(1e-290, 0.999\), got 0"),
    (
        {"target": 1e-2, "steps": 5},
        r"steps: expected None together with target or products \(or lower=None with target\)",
    ),
    ({"target": 1e-2, "products": 9}, r"target, products: expected at most one of the two, got \(0.01, 9\)"),
    ({"products": 1}, "products: expected"),
    ({"cushion": 1.0}, r"cushion: expected a number in \[0, 1\), got 1.0"),
    ({"safety": 0.9}, r"safety: expected a number in \[1, 2\), got 0.9"),
    ({"p": 0}, "p: expected"),
    ({"dtype": "float8"}, "dtype: expected .*, got 'float8'"),
    ({"dtype": np.int64}, "dtype: expected .*, got 'int64'"),
    (
        {"products": 2, "degree": 17, **EXACT},
        r"products = 2: no schedule of degrees \(17,\) grants it for \[0.001, 1\]",
    ),
    (
        {"target": 1e-3, "degree": 3, "cushion": 0.9, "lower": 1e-300, "dtype": None},
        r"target = 0.001: no schedule of degrees \(3,\) grants it for \[1e-300, 1\]",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSALS, ids=[str(a) for a, _ in REFUSALS])
def test_refusals_name_the_argument(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        matfun.design(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spectrum": [0.0, 0.0]}, "spectrum: expected at least one positive value, got zeros alone"),
        ({"spectrum": [0.5, -0.1]}, "expected"),
        ({"spectrum": [0.5, 1.0], "criterion": "best"}, "criterion: expected"),
        ({"spectrum": [0.5, 1.0], "steps": 0}, "steps: expected"),
        ({"spectrum": [0.5, 1.0], "degree": 4}, "degree: expected"),
    ],
)
def test_refusals_on_a_spectrum(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        matfun.design_on_spectrum(**arguments)


def test_names_of_published_lists_are_methods():
    A = np.random.default_rng(0).standard_normal((6, 4))
    for problem, function in (("polar", matfun.orthogonalize), ("sign", matfun.signm)):
        X, info = function(A if problem == "polar" else spd(9.0), method="you-5", steps=5, full_output=True)
        assert info.method == "you-5"
        assert np.isfinite(X).all()
    with pytest.raises(ValueError, match=r"method: no method for inv is called 'you-5'"):
        matfun.invm(spd(9.0), method="you-5")
    with pytest.raises(ValueError, match=r"did you mean 'cans-quintic'"):
        matfun.orthogonalize(A, method="cans-quintik")
    with pytest.raises(ValueError, match=r"name: no published list is called 'cubic'; did you mean 'cubic5'"):
        matfun.preset("cubic")
    assert set(matfun.presets()) >= {"muon", "you-5", "you-6", "cubic5", "deepseek-v4", "turbo-muon", "modded-nanogpt"}


def test_rule_and_designer_share_their_stages():
    rule = matfun.PolarExpress(lower=1e-3, cushion=0.0, safety=1.0)
    made = matfun.design(steps=7, **EXACT)
    for step in range(7):
        assert rule.next(_view(2, step)) == made.next(_view(2, step))
