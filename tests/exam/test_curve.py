"""Does a matrix with chosen singular values have, at every step, the residual that the twin predicts, from both sides?

The singular values of X_k+1 = p(X_k) + E differ from p of those of X_k by at most ||E||_2, so an error e of a singular
value becomes |p'| e + ||E||_2, and the allowance is carried along the curve (walk.carried).
"""

import numpy as np
import pytest

import matfun
from matfun import PartialFractions
from matfun.lab.spectra import clustered, gaussian, log_spaced, one_tiny, with_singular_values
from matfun.problems.polar import PolarProblem, PolarState
from matfun.rules.muon import Muon
from matfun.rules.newton_schulz import NewtonSchulz
from matfun.rules.polar_express import PolarExpress
from matfun.rules.prism import Prism
from tests.exam.walk import (
    DTYPES,
    Form,
    carried,
    curve,
    design_error,
    each_form,
    each_library,
    gain,
    library_called,
    on_host,
    residual_error,
    residual_of,
    slope,
    twins,
)
from theory import prism as prism_twin

N = 12

EPS = 2.0**-52


def spectra(kappa):
    normal = np.linalg.svd(gaussian(3 * N, N, 5), compute_uv=False)
    return {
        "log-spaced": log_spaced(N, kappa),
        "clustered": clustered(N, kappa),
        "one-tiny": one_tiny(N, kappa),
        "gaussian": normal / normal[0],
    }


KAPPA = {"float32": 1e2, "float64": 1e6, "complex64": 1e2, "complex128": 1e6}
"""Small enough for the rounding of the smallest singular value to stay far below it: kappa u < 1e-5."""

KAPPA_OF_FITS = 10.0
"""For the fit of Newton's parameter, which multiplies rounding by the fourth power of this."""

SIZE = 3 + N**0.5
"""Norm of the rounding error of a product of order n in units of u times the norms of its factors, in walk.carried.

Twice that where the elements are complex and a product of two has four times as many roundings.
"""


SEEN = 0.02
"""A curve counts as predicted while the allowance is below this part of the residual.

Where a schedule has steep polynomials, values around 1 are thrown about until the interval closes; that amplifies
rounding by the product of the slopes, and no theory can say where in the interval a value is then.  There only the step
from one measured spectrum to the next is compared.
"""


def judge(measured, spectra, updates, form, u, weights=None, size=SIZE, first_error=None):
    """Compare residuals with a predicted curve, step by step while it can be predicted; return how many steps were."""
    e = np.full(len(spectra[0]), (size * u) if first_error is None else first_error)
    for step, (rho, sigmas) in enumerate(zip(measured, spectra, strict=False)):
        allowed = residual_error(sigmas, e, u, size)
        predicted = residual_of(sigmas)
        if allowed > SEEN * predicted > SEEN * 1e-2:
            return step
        assert abs(float(rho) - predicted) <= allowed, (step, float(rho), predicted, allowed)
        if step < len(updates):
            e = carried(form, updates[step], sigmas, e, u, size, weights, step)
    return len(measured)


LAPACK = 5 * N * EPS
"""Error of singular values computed in float64: a modest multiple of n eps ||X||_2 (LAPACK Users' Guide, sec. 4.9)."""


def judge_each_step(measured, spectra, updates, form, u, size):
    """Compare every measured spectrum with the twin's image of the one before."""
    for step, h in enumerate(updates):
        sigmas = spectra[step]
        moved = form.move(sigmas, step)
        before = np.full(len(sigmas), LAPACK * np.max(sigmas))
        e = carried(form, h, sigmas, before, u, size, None, step) + LAPACK * np.max(spectra[step + 1])
        off = np.abs(np.sort(moved)[::-1] - spectra[step + 1])
        assert (off <= np.max(e)).all(), (step, np.max(off), np.max(e))
        # the measured norm is that of the measured spectrum: the residual is formed as it says
        allowed = residual_error(sigmas, before, u, size)
        assert abs(measured[step] - residual_of(sigmas)) <= allowed
        # at most some thousand roundings of a value around 1 (of an inverse: times the condition number), more only
        # where a fit is ill conditioned
        rational = isinstance(h, PartialFractions)
        most = np.max(sigmas) / np.min(sigmas) * max(1.0, np.max(moved)) if rational else 1.0
        assert form.is_fitted or form.fits_newton or np.max(e) <= 1e4 * u * most


def walk_one_step_at_a_time(form, rule, library, A, steps, eps, rng=None):
    """Residual norms and spectra before the first and after every step, and the updates."""
    problem = PolarProblem(library.ops(A), rng)
    state = PolarState(A)
    norms, updates, spectra = [], [], []
    for step in range(steps + 1):
        X = library.get(state.X)
        spectra.append(np.linalg.svd(X.astype(np.result_type(X.dtype, np.float64)), compute_uv=False))
        residual = problem.residual(state)
        norms.append(float(library.get(residual.norm())))
        if step < steps:
            h = rule.next(form.view(step, eps, residual))
            state = problem.update(state, residual, h)
            updates.append(on_host(h))
    return norms, spectra, updates


def steps_to_converge(form, sigmas, most=60):
    """Steps of the twin after which rounding is all that is left, and one more."""
    if not form.twin.converges(**form.options):
        return 12
    spectrum, steps = np.asarray(sigmas), 0
    while residual_of(spectrum) > 1e-15 and steps < most:
        steps += 1
        spectrum = curve(form, sigmas, steps)[-1]
    return min(steps + 1, form.fixed_steps or most)


@pytest.mark.parametrize("shape", [(N, N), (3 * N, N)], ids=["square", "tall"])
@pytest.mark.parametrize("kind", ["log-spaced", "clustered", "one-tiny", "gaussian"])
@pytest.mark.parametrize("dtype", DTYPES)
@each_form
def test_every_residual_is_the_predicted_one(form, dtype, kind, shape):
    _compare(form, dtype, kind, shape, "numpy")


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@each_library
@each_form
def test_every_library_has_the_predicted_residuals(form, library_name, dtype):
    _compare(form, dtype, "log-spaced", (3 * N, N), library_name)


def _compare(form, dtype, kind, shape, library_name):
    library = library_called(library_name)
    eps = float(np.finfo(dtype).eps)
    if not form.survives(eps / 2):
        pytest.skip(f"the region of this form ends at 1 + {form.region()[1] - 1:.1g}, within the rounding of {dtype}")
    sigmas = spectra(min(KAPPA[dtype], KAPPA_OF_FITS) if form.fits_newton else KAPPA[dtype])[kind]
    is_complex = np.dtype(dtype).kind == "c"
    if form.needs_square and shape[0] != shape[1]:
        if library_name == "numpy":
            pytest.skip("this rule runs on square matrices; the functions bring others to them by QR")
        shape = (N, N)
    A = with_singular_values(sigmas, *shape, 1, complex_=is_complex).astype(dtype)
    if form.needs_diagonal:
        A = np.diag(sigmas).astype(dtype)
    steps = steps_to_converge(form, sigmas)
    measured, found, updates = walk_one_step_at_a_time(form, form.rule, library, library.put(A), steps, eps)
    size = 2 * SIZE if is_complex else SIZE
    judge_each_step(measured, found, updates, form, eps / 2, size)
    seen = judge(measured, curve(form, sigmas, steps), updates, form, eps / 2, size=size)
    assert seen >= min(len(measured), (5 if eps < 1e-10 else 3) - form.fits_newton)


@each_form
@pytest.mark.parametrize("kind", ["log-spaced", "one-tiny"])
def test_simulate_is_the_twin(form, kind):
    sigmas = spectra(1e6)[kind]
    steps = form.fixed_steps or 20
    form = form.in_steps(steps)
    result = matfun.simulate(form.rule, sigmas, steps=steps)
    predicted = curve(form, sigmas, steps)
    e = np.zeros(N)
    for step in range(steps):
        # 4 roundings a step without norms, as in test_map
        h, before, ulps = result.updates[step], result.sigmas[step], 4 + design_error(form, step)
        local = ulps * EPS / 2 * gain(h, before, alone=True)
        once = carried(form, h, before, 0 * e, EPS / 2, 0.0, None, step, alone=True) + local
        assert (np.abs(result.sigmas[step + 1] - form.move(before, step)) <= once).all()
        local = ulps * EPS / 2 * gain(h, predicted[step], alone=True)
        e = carried(form, h, predicted[step], e, EPS / 2, 0.0, None, step, alone=True) + local
        assert (np.abs(result.sigmas[step + 1] - predicted[step + 1]) <= e + 4 * EPS * predicted[step + 1]).all()
        assert step >= 8 or np.max(e / np.maximum(1.0, predicted[step + 1])) < 1e-2
    assert result.residuals[0] == pytest.approx(residual_of(sigmas), rel=1e-14)
    assert result.errors[-1] == np.max(np.abs(result.sigmas[-1] - 1))


# ---- the public function, run to a goal -----------------------------------------------------------


def accurate_form(name, dtype, **options):
    """A form with the options that polar takes by itself in accuracy-driven runs."""
    u = float(np.finfo(dtype).eps) / 2
    if name == "polar-express":
        options = {"lower": u, "cushion": 0.1, "safety": 1.01, **options}
    return Form(f"{name}-{sorted(options.items())}", twins()[name], options, None)


ACCURATE = [
    ("newton-schulz-3", NewtonSchulz(3), "newton-schulz", {"degree": 3}),
    ("newton-schulz", "newton-schulz", "newton-schulz", {"degree": 5}),
    ("newton-schulz-7", NewtonSchulz(7), "newton-schulz", {"degree": 7}),
    ("polar-express", "polar-express", "polar-express", {"degree": 5}),
    ("polar-express-3", PolarExpress(degree=3), "polar-express", {"degree": 3}),
    ("prism-exact", Prism(sketch_size=None), "prism", {"degree": 5}),
    ("prism-3-exact", Prism(3, sketch_size=None), "prism", {"degree": 3}),
]
"""Not the SVD, after which nobody looks at a residual."""


@pytest.mark.parametrize("shape", [(N, N), (3 * N, N), (N, 2 * N)], ids=["square", "tall", "wide"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("method", "name", "options"), [a[1:] for a in ACCURATE], ids=[a[0] for a in ACCURATE])
@pytest.mark.parametrize("kind", ["log-spaced", "gaussian"])
def test_polar_reports_the_predicted_residuals(method, name, options, dtype, shape, kind):
    _compare_polar(method, name, options, dtype, shape, kind, "numpy")


@pytest.mark.parametrize(("method", "name", "options"), [a[1:] for a in ACCURATE], ids=[a[0] for a in ACCURATE])
@each_library
def test_polar_reports_them_on_every_library(method, name, options, library_name):
    _compare_polar(method, name, options, "float64", (2 * N, N), "log-spaced", library_name)


def _compare_polar(method, name, options, dtype, shape, kind, library_name):
    library = library_called(library_name)
    u = float(np.finfo(dtype).eps) / 2
    form = accurate_form(name, dtype, **options)
    sigmas = 3.7 * spectra(KAPPA[dtype])[kind]  # not a power of two, so that every part of the scale is seen
    A = with_singular_values(sigmas, *shape, 2, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    info = matfun.polar(library.put(A), method=method).info
    assert info.status is matfun.Status.CONVERGED
    scaled = sigmas / float(library.get(info.scale))
    assert 1 / N**0.5 <= scaled[0] <= 1 + 2 * N * u
    residuals = info.history.residuals
    polished = len(info.history.updates) == len(residuals)
    assert info.steps == len(info.history.updates) == len(residuals) - 1 + polished
    predicted = curve(form, scaled, len(residuals) - 1)
    updates = [on_host(h) for h in info.history.updates[: len(residuals) - 1]]
    seen = judge(residuals, predicted, updates, form, u, size=2 * SIZE)
    assert seen >= min(len(residuals), 5 if u < 1e-10 else 3)
    rounding = (4 * N**0.5 + N / 4) * 2 * u
    assert float(info.residual) == pytest.approx(max(float(residuals[-1]) ** 2, rounding), rel=1e-12)
    # it stops in the first step whose residual is at most sqrt(eps), and polishes once
    assert polished
    assert residuals[-1] <= np.sqrt(2 * u) < residuals[-2]


@each_form
def test_orthogonalize_follows_the_twin(form):
    """Fixed steps through the public function: the singular values themselves, from A / info.scale."""
    if form.rule_name == "svd":
        pytest.skip("one step of the SVD is the limit; see test_limit")
    if form.needs_diagonal:
        pytest.skip("this scale is a function of the singular values for diagonal matrices only")
    steps = form.fixed_steps or 6
    form = form.in_steps(steps)
    sigmas = 0.31 * spectra(1e3)["log-spaced"]
    A = with_singular_values(sigmas, 2 * N, N, 3)
    X, info = matfun.orthogonalize(A, method=form.rule, steps=steps, full_output=True)
    predicted = curve(form, sigmas / float(info.scale), steps)
    e = np.full(N, 2 * SIZE * EPS / 2)
    for step in range(steps):
        e = carried(form, on_host(info.history.updates[step]), predicted[step], e, EPS / 2, 2 * SIZE, None, step)
    got = np.linalg.svd(X, compute_uv=False)
    want = np.sort(predicted[-1])[::-1]
    # the orthonormal factors of QR and the rotation: a factorisation and a product each
    around = 4 * SIZE * EPS * form.needs_square
    assert (np.abs(got - want) <= np.max(e) + around + 4 * EPS).all()
    assert form.looks_at_all or np.max(e) < 1e-4


# ---- a Gaussian sketch ---------------------------------------------------------------------------

SKETCHED = [(3, 8), (5, 8), (5, 2)]


def generator(seed):
    """A generator moves on with every draw, unlike a seed: a sketch drawn twice would differ."""
    return np.random.default_rng(seed)


def draw(seed, n, columns):
    return generator(seed).standard_normal((n, columns)) * columns**-0.5


@pytest.mark.parametrize(("degree", "columns"), SKETCHED)
@each_library
def test_sketched_fit_is_the_weighted_fit(library_name, degree, columns):
    """The sketch enters as the weight |S^T v_i|^2 of each right singular vector, for any matrix."""
    library = library_called(library_name)
    sigmas = log_spaced(N, 1e4)
    A = with_singular_values(sigmas, 2 * N, N, 4)
    right = np.linalg.svd(A)[2].T
    weights = prism_twin.sketch_weights(right, draw(11, N, columns).T)
    form = Form(f"prism-{degree}-{columns}", prism_twin, {"degree": degree, "weights": tuple(weights)}, None)
    rule = Prism(degree, sketch_size=columns)
    steps = 14
    measured, _, updates = walk_one_step_at_a_time(form, rule, library, library.put(A), steps, EPS, generator(11))
    predicted = curve(form, sigmas, steps)
    # the singular vectors that give the weights are known to eps / gap only, with gaps of 1e-4 at least
    seen = judge(measured, predicted, updates, form, EPS / 2, np.array(weights), first_error=1e-12)
    assert seen == steps + 1


@pytest.mark.parametrize(("degree", "columns"), SKETCHED)
def test_simulation_of_a_diagonal_matrix_sees_the_same_sketch(degree, columns):
    sigmas = log_spaced(N, 1e4)
    rule = Prism(degree, sketch_size=columns)
    X, info = matfun.orthogonalize(np.diag(sigmas), method=rule, steps=10, rng=generator(5), full_output=True)
    result = matfun.simulate(rule, sigmas / float(info.scale), steps=10, rng=generator(5))
    weights = np.sum(draw(5, N, columns) ** 2, axis=1)
    form = Form(f"diagonal-{degree}-{columns}", prism_twin, {"degree": degree, "weights": tuple(weights)}, None)
    predicted = curve(form, sigmas / float(info.scale), 10)
    e = np.full(N, EPS)
    for step in range(10):
        e = carried(form, result.updates[step], predicted[step], e, EPS / 2, 8.0, weights, step)
        assert (np.abs(result.sigmas[step + 1] - predicted[step + 1]) <= e).all()
    assert np.array_equal(X, np.diag(np.diagonal(X)))
    assert (np.abs(np.diagonal(X) - predicted[-1]) <= e).all()
    assert np.max(e) < 1e-9


@pytest.mark.parametrize(("degree", "columns"), SKETCHED)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_replaying_the_updates_gives_the_residuals(degree, columns, dtype):
    """Whatever was fitted: the coefficients in the history applied to the spectrum give the measured curve."""
    u = float(np.finfo(dtype).eps) / 2
    sigmas = spectra(KAPPA[dtype])["log-spaced"]
    A = with_singular_values(sigmas, 2 * N, N, 6, complex_=dtype == "complex128").astype(dtype)
    info = matfun.polar(A, method=Prism(degree, sketch_size=columns), rng=3).info
    s = sigmas / float(info.scale)
    e = np.full(N, 2 * SIZE * u)
    for rho, h in zip(info.history.residuals, info.history.updates, strict=True):
        h = on_host(h)
        assert abs(float(rho) - residual_of(s)) <= residual_error(s, e, u, 2 * SIZE)
        e = slope(h, s) * e + 2 * SIZE * u * np.max(gain(h, s))
        s = s * h(1 - s * s)
    assert np.max(np.abs(s - 1)) < 1e-2


def test_muon_stays_in_its_band():
    """No convergence, and no divergence either: the twin's attracting band, entered and kept."""
    low, high = twins()["muon"].band()
    A = with_singular_values(log_spaced(N, 1e4), rng=7)
    for steps in (12, 40):
        X = matfun.orthogonalize(A, method=Muon(), steps=steps)
        got = np.linalg.svd(X, compute_uv=False)
        assert low - 1e-12 <= got[-1] <= got[0] <= high + 1e-12
        assert np.max(np.abs(got - 1)) > 0.05
