"""Is a data-driven fit the best polynomial on its measure, to its last digit, whatever the measure was made from?"""

import re
import warnings
from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp
from scipy.linalg import hessenberg
from scipy.optimize import linprog

from matfun.polynomials import fit as fit_module
from matfun.polynomials.fit import fit_least_squares, fit_minimax
from matfun.polynomials.measure import SpectralMeasure
from theory.minimax import minimax_odd

RNG = np.random.default_rng

U = 2.0**-53


def error_at(coefficients, nodes, p):
    """1 - x h(y) of the given float coefficients, in 60 digits."""
    with mp.workdps(60):
        return [
            1 - mp.mpf(y) ** (mp.mpf(1) / p) * mp.polyval([mp.mpf(c) for c in coefficients[::-1]], mp.mpf(y))
            for y in nodes
        ]


def rounding(coefficients, nodes, p):
    """What rounding the coefficients in y (twice: once in another basis) and x may add to an error."""
    y = np.asarray(nodes)
    return (
        4
        * len(coefficients)
        * U
        * float((y ** (1 / p) * np.polynomial.polynomial.polyval(y, np.abs(coefficients))).max())
    )


def rms(errors, weights):
    return float(mp.sqrt(sum(w * e * e for w, e in zip(weights, errors, strict=True))))


def spectra(n):
    """Nothing in common but the size."""
    rng = RNG(n)
    return {
        "uniform": rng.uniform(0.1, 1.0, n),
        "log": np.geomspace(1e-3, 1.0, n),
        "beyond": rng.uniform(0.2, 1.6, n),
        "clustered": np.concatenate([0.3 + 1e-6 * rng.random(n // 2), 0.9 + 1e-6 * rng.random(n - n // 2)]),
        "small": 1e-5 * rng.uniform(0.2, 1.0, n),
        "near 1": 1 + 1e-3 * rng.uniform(-1, 1, n),
    }


CASES = pytest.mark.parametrize("name", spectra(2))
DEGREES = pytest.mark.parametrize("degree", [1, 3, 5, 9])
POWERS = pytest.mark.parametrize("p", [1, 2, 4])


def by_normal_equations(measure, degree, p):
    """Least root mean square error, in digits that the normal equations can afford to lose."""
    q = degree // 2
    with mp.workdps(300):
        y, w = [[mp.mpf(v) for v in values] for values in (measure.nodes, measure.weights)]
        x = [v ** (mp.mpf(1) / p) for v in y]
        gram = mp.matrix(q + 1, q + 1)
        right = mp.matrix(q + 1, 1)
        for i in range(q + 1):
            right[i] = sum(a * b * c**i for a, b, c in zip(w, x, y, strict=True))
            for j in range(q + 1):
                gram[i, j] = sum(a * b * b * c ** (i + j) for a, b, c in zip(w, x, y, strict=True))
        exact = list(mp.lu_solve(gram, right))[::-1]
        return rms([1 - b * mp.polyval(exact, c) for b, c in zip(x, y, strict=True)], w)


@CASES
@DEGREES
@POWERS
def test_least_squares_is_the_solution_of_the_normal_equations(name, degree, p):
    sigmas = spectra(31)[name]
    measure = SpectralMeasure.from_spectrum(sigmas, p, weights=RNG(0).uniform(0.1, 1, sigmas.size))
    fit, best = fit_least_squares(measure, degree, p), by_normal_equations(measure, degree, p)
    allowed = rounding(fit.coefficients, measure.nodes, p)
    assert fit.error == pytest.approx(best, rel=1e-9, abs=20 * U)
    attained = rms(error_at(fit.coefficients, measure.nodes, p), measure.weights)
    assert best * (1 - 1e-12) <= attained <= best + allowed


@pytest.mark.parametrize("lower", [1e-4, 1e-6, 1e-8])
def test_least_squares_over_many_decades(lower):
    """Coefficients of 1e30 and still the least error; orthogonalised once only, it would be 5 to 10 % off."""
    measure = SpectralMeasure.from_spectrum(np.geomspace(lower, 1, 19))
    for degree in (15, 21):
        best = by_normal_equations(measure, degree, 2)
        assert fit_least_squares(measure, degree).error == pytest.approx(best, rel=1e-8)


@DEGREES
@POWERS
@pytest.mark.parametrize("name", ["uniform", "log", "beyond", "clustered"])
def test_minimax_is_the_optimum_of_the_linear_programme(name, degree, p):
    y = np.asarray(SpectralMeasure.from_spectrum(spectra(60)[name], p).nodes)
    fit = fit_minimax(SpectralMeasure(tuple(y), (1.0,) * y.size), degree, p)
    middle, half = (y[0] + y[-1]) / 2, (y[-1] - y[0]) / 2
    rows = y[:, None] ** (1 / p) * np.polynomial.chebyshev.chebvander((y - middle) / half, degree // 2)
    one = np.ones((y.size, 1))
    sides = np.concatenate([np.hstack([-rows, -one]), np.hstack([rows, -one])])
    cost = [0.0] * rows.shape[1] + [1.0]
    best = linprog(cost, sides, np.concatenate([-one, one]), bounds=(None, None), method="highs").fun
    assert fit.error == pytest.approx(best, abs=1e-7)  # HiGHS's default feasibility tolerance


@CASES
@DEGREES
@POWERS
def test_minimax_equioscillates_and_is_attained(name, degree, p):
    """The certificate that needs no twin: de la Vallée Poussin's bound from the coefficients is the error itself."""
    measure = SpectralMeasure.from_spectrum(spectra(200)[name], p)
    fit, count = fit_minimax(measure, degree, p), degree // 2 + 2
    errors = error_at(fit.coefficients, measure.nodes, p)
    allowed = rounding(fit.coefficients, measure.nodes, p) + 1e-12 * fit.error
    assert max(map(abs, errors)) <= fit.error + allowed
    level = fit.error - allowed
    if level > 0:
        signs = [int(mp.sign(e)) for e in errors if abs(e) >= level]
        assert 1 + sum(a != b for a, b in pairwise(signs)) >= count


@pytest.mark.parametrize("name", ["uniform", "log", "beyond", "clustered"])
@pytest.mark.parametrize("degree", [3, 5, 9])
@pytest.mark.parametrize("make", [fit_least_squares, fit_minimax])
def test_no_perturbation_does_better(name, degree, make):
    measure = SpectralMeasure.from_spectrum(spectra(50)[name])
    fit, rng = make(measure, degree), RNG(degree)
    y, w = np.asarray(measure.nodes), np.asarray(measure.weights)

    def objective(c):
        e = 1 - np.sqrt(y) * np.polynomial.polynomial.polyval(y, c)
        return np.sqrt(w @ e**2) if make is fit_least_squares else np.abs(e).max()

    c = np.asarray(fit.coefficients)
    floor = rounding(c, y, 2)
    for size in 10.0 ** rng.integers(-9, 0, 300):
        other = c * (1 + size * rng.standard_normal(c.size))
        assert objective(other) >= fit.error * (1 - 1e-13) - floor


@pytest.mark.parametrize(
    "ends", [(0.1, 1.0), (0.5, 1.2), (0.9, 1.05), (1 - 1e-4, 1 + 1e-4), (1 - 1e-8, 1 + 1e-8)], ids=str
)
@pytest.mark.parametrize("degree", [3, 5, 9, 17])
def test_dense_nodes_tend_to_the_interval_from_below(ends, degree):
    """Relative digits of E down to 1e-72: the residual is never formed as 1 - x h."""
    low, high = ends
    last = 0.0
    for n in (129, 1025):
        # E of the points is at least cos(pi d / (2 n)) E of the interval (Ehlich and Zeller), d = degree
        x = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, n))
        measure = SpectralMeasure.from_spectrum(x)
        r = [1 - mp.mpf(y) for y in (measure.nodes[0], measure.nodes[-1])]  # of the nodes as they were rounded
        exact = minimax_odd(*(mp.sqrt(1 - v) for v in r), degree, 50)[1]
        ratio = float(fit_minimax(measure, degree).error / exact)
        # near 1 rounding moves inner nodes by 1e-16 / spread of the interval: down by its effect on E only
        assert np.cos(np.pi * degree / (2 * (n - 1))) - 1e-7 <= ratio <= 1 + 1e-11
        assert ratio >= last - 1e-7
        last = ratio


def test_least_squares_near_one_keeps_the_digits_of_the_error():
    """p = 2, q = 1, r = +-rho: to leading order 1 - x h = 3/8 r^2 - d_0 - d_1 r, so that d_0 fits 3/8 rho^2 exactly."""
    rho = 2.0**-28
    measure = SpectralMeasure((1 - rho, 1.0, 1 + rho), (1.0, 2.0, 1.0))
    fit = fit_least_squares(measure, 3)
    # target 3/8 rho^2 (1, 0, 1) with weights 1/4, 1/2, 1/4: mean 3/16 rho^2, deviation the same
    assert fit.error == pytest.approx(3 / 16 * rho**2, rel=4 * rho)
    assert fit.polynomial.basis == "residual"
    assert fit.polynomial.coefficients == pytest.approx((1.0, 0.5), rel=1e-15)


@POWERS
@pytest.mark.parametrize("make", [fit_least_squares, fit_minimax])
def test_fewer_nodes_than_coefficients(make, p):
    """Interpolation by the lowest degree, finite also for nodes that almost coincide."""
    for nodes in ([0.7], [0.5, 0.9], [1e-12, 1.0], [1e-12, 1e-6, 1.0], [0.5, 0.5 + 1e-15], [1.0, 1 + 2.0**-52], [1.0]):
        fit = make(SpectralMeasure(tuple(nodes), (1.0,) * len(nodes)), 9, p)
        assert len(fit.coefficients) == len(set(nodes))
        errors = error_at(fit.polynomial.in_basis("gram").coefficients, nodes, p)
        floor = rounding(fit.coefficients, nodes, p)
        assert float(max(map(abs, errors))) <= floor
        assert fit.error <= floor


@pytest.mark.parametrize("make", [fit_least_squares, fit_minimax])
def test_a_huge_spread_is_finite(make):
    sigmas = np.geomspace(1e-12, 1, 100)
    for degree in (3, 9, 17):
        fit = make(SpectralMeasure.from_spectrum(sigmas), degree)
        assert np.isfinite(fit.coefficients).all()
        assert 0 < fit.error < 1
    for degree in (3, 9, 17):  # and nodes in clusters far below the rounding of the largest one
        tight = np.concatenate([1e-9 * np.linspace(1, 1.001, 30), np.linspace(0.5, 1, 30)])
        assert np.isfinite(make(SpectralMeasure.from_spectrum(tight), degree).coefficients).all()


@pytest.mark.parametrize("degree", [7, 15, 17])
def test_where_rounding_stops_the_exchange_the_answer_is_no_worse_than_least_squares(degree):
    """Four clusters: E is some roundings times the terms of x h, and max |e| <= sqrt(n) times the root mean square."""
    rng = RNG(2)
    for width in 10.0 ** -np.arange(3, 13):
        sigmas = rng.choice([0.13, 0.41, 0.55, 0.97], 150) * (1 + width * rng.random(150))
        nodes = SpectralMeasure.from_spectrum(sigmas).nodes
        measure = SpectralMeasure(nodes, (1.0,) * len(nodes))
        fit = fit_minimax(measure, degree)
        assert fit.error <= np.sqrt(150) * fit_least_squares(measure, degree).error * (1 + 1e-9) + 4 * U


def test_nodes_at_zero():
    measure = SpectralMeasure.from_spectrum([0.0, 0.0, 0.5, 1.0])
    assert fit_minimax(measure, 3) == fit_minimax(SpectralMeasure.from_spectrum([0.5, 1.0]), 3)
    fit = fit_least_squares(measure, 3)
    assert fit.error == pytest.approx(np.sqrt(0.5), rel=1e-14)
    assert fit.coefficients == pytest.approx(
        fit_least_squares(SpectralMeasure.from_spectrum([0.5, 1.0]), 3).coefficients
    )
    for make in (fit_least_squares, fit_minimax):
        only = make(SpectralMeasure.from_spectrum([0.0]), 5)
        assert (only.coefficients, only.error) == ((0.0,), 1.0)


def test_weights():
    """Of weight 0 is absent, twice the weight is twice the point, and a common factor is nothing."""
    plain = SpectralMeasure.from_spectrum([0.3, 0.6, 1.0, 1.0])
    assert SpectralMeasure.from_spectrum([0.3, 0.6, 1.0, 0.8], weights=[1, 1, 2, 0]) == plain
    assert SpectralMeasure.from_spectrum([1.0, 0.6, 0.3], weights=[6e200, 3e200, 3e200]) == plain
    assert sum(plain.weights) == pytest.approx(1, rel=1e-15)
    # a heavier node is fitted better
    errors = []
    for w in (1.0, 100.0):
        c = fit_least_squares(SpectralMeasure.from_spectrum([0.3, 0.6, 0.8, 1.0], weights=[w, 1, 1, 1]), 3).coefficients
        errors.append(abs(1 - 0.3 * (c[0] + c[1] * 0.09)))
    assert errors[1] < errors[0] / 5


# ---- what measures are made from -------------------------------------------------------------------


def test_a_histogram_is_its_density():
    """Integrals of polynomials in sigma against the piecewise constant density, and the ends of each bin."""
    edges, counts = [0.1, 0.4, 0.7, 1.0, 1.1], [3.0, 0.0, 1.0, 2.0]
    measure = SpectralMeasure.from_histogram(edges, counts)
    sigma, w = np.sqrt(measure.nodes), np.asarray(measure.weights)
    for k in range(30):  # 2 * 16 - 3 = 29
        bins = [(b ** (k + 1) - a ** (k + 1)) / ((k + 1) * (b - a)) for a, b in pairwise(edges)]
        assert w @ sigma**k == pytest.approx(np.dot(bins, counts) / sum(counts), rel=1e-13)
    assert sigma == pytest.approx(np.unique(sigma))
    for end in edges:
        assert np.abs(sigma - end).min() < 1e-15
    assert not ((sigma > 0.4 + 1e-9) & (sigma < 0.7 - 1e-9)).any()
    fine = fit_minimax(
        SpectralMeasure.from_spectrum(np.concatenate([np.linspace(0.1, 0.4, 500), np.linspace(0.7, 1.1, 500)])), 5
    )
    assert 0.99 * fine.error <= fit_minimax(measure, 5).error <= fine.error * (1 + 1e-4)
    two = SpectralMeasure.from_histogram([0.2, 0.4], [1.0], per_bin=2)
    assert two.nodes == pytest.approx([0.04, 0.16])


def chebyshev_moments(y, w, lower, upper, count):
    t = np.arccos(np.clip((2 * y - lower - upper) / (upper - lower), -1, 1))
    return [float(w @ np.cos(j * t)) for j in range(count)]


def chebyshev_moments_beyond(y, count):
    """On [0, 1], of points that may lie outside of it."""
    return np.polynomial.chebyshev.chebvander(2 * y - 1, count - 1).mean(axis=0)


@pytest.mark.parametrize("interval", [(0.0, 1.0), (0.0, 2.5), (0.05, 1.0)], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_moments_of_a_small_matrix_are_its_spectrum(interval, n):
    sigmas = np.linspace(0.3, 1.0, n)
    exact = SpectralMeasure.from_spectrum(sigmas, weights=np.arange(1, n + 1.0))
    y, w = np.asarray(exact.nodes), np.asarray(exact.weights)
    for count in (2 * n, 2 * n + 1, 2 * n + 7):
        found = SpectralMeasure.from_chebyshev_moments(chebyshev_moments(y, w, *interval, count), *interval)
        # the norm before the last is above 1e-8 of the first, and divides the rounding of the moments
        assert found.nodes == pytest.approx(exact.nodes, abs=1e-8)
        assert found.weights == pytest.approx(exact.weights, abs=1e-7)
        for make in (fit_least_squares, fit_minimax):
            assert make(found, 3).error == pytest.approx(make(exact, 3).error, abs=1e-7)


def test_the_rule_of_chebyshevs_measure():
    """Moments 1, 0, 0, ...: the points of Gauss-Chebyshev quadrature, equal weights, to the last digits."""
    found = SpectralMeasure.from_chebyshev_moments([2.0] + [0.0] * 199, 1.0, 3.0)
    assert found.nodes == pytest.approx(2 - np.cos((np.arange(100) + 0.5) * np.pi / 100), rel=1e-14)
    assert found.weights == pytest.approx(np.full(100, 0.01), rel=1e-11)


def test_noisy_moments_are_cut_and_say_so():
    y = np.linspace(0.3, 1.0, 400) ** 2
    moments = chebyshev_moments(y, np.full(400, 1 / 400), 0, 1, 40)
    moments[1:] += 1e-2 * RNG(0).standard_normal(39)
    with pytest.warns(UserWarning, match=r"moments: only the first \d+ of 40 are those of a positive measure"):
        found = SpectralMeasure.from_chebyshev_moments(moments, 0, 1)
    k = len(found.nodes)
    assert 1 <= k < 20
    assert 0 <= found.nodes[0] <= found.nodes[-1] <= 1
    again = chebyshev_moments(np.asarray(found.nodes), np.asarray(found.weights), 0, 1, 2 * k)
    assert again == pytest.approx(moments[: 2 * k], abs=1e-12)
    # moments that are positive, but of a measure that reaches beyond the interval that is given
    wide = chebyshev_moments_beyond(np.linspace(0.1, 1.05, 40), 20)
    with pytest.warns(UserWarning, match=r"moments: only the first \d+ of 20 are those of a positive measure"):
        found = SpectralMeasure.from_chebyshev_moments(wide, 0, 1)
    assert 0 < found.nodes[0] < found.nodes[-1] <= 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # without noise nothing is said
        SpectralMeasure.from_chebyshev_moments(chebyshev_moments(y, np.full(400, 1 / 400), 0, 1, 40), 0, 1)


def lanczos(G, z):
    """Tridiagonal matrix of G with first basis vector z, by an orthogonal similarity."""
    n = z.size
    first = np.linalg.qr(np.column_stack([z, np.eye(n)[:, : n - 1]]))[0]
    T = hessenberg(first.T @ G @ first)
    return np.diag(T), np.abs(np.diag(T, -1))


def test_lanczos_of_a_small_matrix_is_what_the_probes_see():
    rng, n = RNG(1), 7
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    y = np.linspace(0.2, 1.0, n)
    G = (Q * y) @ Q.T
    probes = rng.standard_normal((3, n))
    runs = [lanczos(G, z) for z in probes]
    found = SpectralMeasure.from_lanczos([a for a, _ in runs], [b for _, b in runs], [z @ z for z in probes])
    seen = ((probes @ Q) ** 2).sum(axis=0)
    exact = SpectralMeasure(tuple(y), tuple(seen))
    for make in (fit_least_squares, fit_minimax):
        assert make(found, 5).error == pytest.approx(make(exact, 5).error, rel=1e-9)
    for k in range(5):
        assert np.dot(found.weights, np.power(found.nodes, k)) == pytest.approx(seen @ y**k / seen.sum(), rel=1e-12)
    one = SpectralMeasure.from_lanczos([runs[0][0]], [runs[0][1]])
    assert one.nodes == pytest.approx(y, rel=1e-12)
    assert one.weights == pytest.approx((probes[0] @ Q) ** 2 / (probes[0] @ probes[0]), rel=1e-9)
    # a breakdown cuts the matrix, and what is behind it is not seen
    assert SpectralMeasure.from_lanczos([[0.5, 0.9]], [[0.0]]).nodes == (0.5,)
    assert SpectralMeasure.from_lanczos([[-1e-9, 1.0]], [[0.0]]).nodes == (0.0,)


# ---- errors ----------------------------------------------------------------------------------------

M = SpectralMeasure.from_spectrum([0.5, 1.0])
SPECTRUM, HISTOGRAM = SpectralMeasure.from_spectrum, SpectralMeasure.from_histogram
MOMENTS, LANCZOS = SpectralMeasure.from_chebyshev_moments, SpectralMeasure.from_lanczos


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SpectralMeasure((1.0,), (1.0, 2.0)), "weights: expected one for each of the 1 nodes, got 2"),
        (lambda: SpectralMeasure((1.0,), (0.0,)), "weights: expected at least one above 0, got none"),
        (lambda: SpectralMeasure((-1.0,), (1.0,)), "nodes: expected finite numbers of at least 0, got -1.0"),
        (lambda: SPECTRUM([]), "sigmas: expected a sequence of at least one number, got shape (0,)"),
        (lambda: SPECTRUM([np.nan]), "sigmas: expected finite numbers of at least 0, got nan"),
        (lambda: SPECTRUM([1e200]), "sigmas: expected numbers whose power p = 2 does not overflow, got 1e+200"),
        (lambda: SPECTRUM([1.0], 0), "p: expected an integer of at least 1, got 0"),
        (lambda: HISTOGRAM([0, 1], [1, 1]), "edges: expected 3 increasing numbers for 2 counts, got [0.0, 1.0]"),
        (lambda: HISTOGRAM([1, 0], [1]), "edges: expected 2 increasing numbers for 1 counts, got [1.0, 0.0]"),
        (lambda: HISTOGRAM([0, 1], [-1]), "counts: expected finite numbers of at least 0, got -1.0"),
        (lambda: HISTOGRAM([0, 1], [1], per_bin=1), "per_bin: expected an integer of at least 2, got 1"),
        (lambda: MOMENTS([1.0], 0, 1), "moments: expected at least two, mu_0 > 0 and |mu_1| <= mu_0, got [1.0]"),
        (
            lambda: MOMENTS([1.0, 1.5], 0, 1),
            "moments: expected at least two, mu_0 > 0 and |mu_1| <= mu_0, got [1.0, 1.5]",
        ),
        (lambda: MOMENTS([1.0, 0.0], -1, 1), "lower, upper: expected 0 <= lower < upper, got -1 and 1"),
        (lambda: LANCZOS([], []), "alphas, betas: expected one sequence for each probe, got 0 and 0 of them"),
        (lambda: LANCZOS([[1.0]], [[1.0]]), "betas: expected 0 finite numbers below 1 alphas, got [1.0]"),
        (lambda: LANCZOS([[1.0]], [[]], [1, 1]), "weights: expected one for each of the 1 probes, got 2"),
        (
            lambda: LANCZOS([[1.0, -1.0]], [[0.1]]),
            "alphas, betas: expected those of a semidefinite matrix, got a Ritz value -1",
        ),
        (lambda: fit_minimax(M, 4), "degree: expected an odd integer, because x h(y) is odd for p = 2, got 4"),
        (lambda: fit_least_squares(M, 0), "degree: expected an integer of at least 1, got 0"),
        (lambda: fit_least_squares(M, 3, 0.5), "p: expected an integer of at least 1, got 0.5"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_what_is_no_measure():
    with pytest.raises(TypeError, match="measure: expected a SpectralMeasure, got list"):
        fit_minimax([1.0], 3)


def test_the_exchange_ends(monkeypatch):
    """Within the limit on random measures; and beyond it there is an error, not an answer."""
    rng = RNG(0)
    for _ in range(40):
        sigmas = 10 ** rng.uniform(-3, 0.3, int(rng.integers(3, 400)))
        fit_minimax(SpectralMeasure.from_spectrum(sigmas), int(rng.integers(1, 8)) * 2 + 1)
    monkeypatch.setattr(fit_module, "EMPIRICAL_MAX_EXCHANGES", 1)
    with pytest.raises(ArithmeticError, match="the exchange on 50 nodes with q = 2 did not end"):
        fit_minimax(SpectralMeasure.from_spectrum(np.geomspace(0.01, 1, 50)), 5)
