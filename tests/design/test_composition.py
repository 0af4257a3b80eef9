"""Do the closed forms of minimax polynomials and their compositions agree with 50-digit Remez, for every interval?"""

import json
import subprocess
import sys
from itertools import islice, pairwise, repeat

import numpy as np
import pytest
from mpmath import mp

from matfun.polynomials.composition import CUSHION, EXACT_BELOW, compose, stage_of
from matfun.polynomials.minimax import minimax
from matfun.polynomials.minimise import argmin_on_interval, grid
from matfun.polynomials.presets import POLAR_EXPRESS_PUBLISHED
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial
from theory import minimax as twin
from theory import newton_schulz
from theory import polar_express as express

LOWERS = [float(v) for v in np.geomspace(1e-12, 0.9, 25)] + [0.99, 1 - 1e-3, 1 - 1e-6, 0.999999999]

STEPS = 12

DEGREES = (3, 5)
"""Those with closed forms; tests/design/test_remez.py has the others."""

CUSHIONS = (0.0, express.CUSHION, 0.1)


@pytest.mark.parametrize("cushion", CUSHIONS)
@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("lower", LOWERS, ids=lambda v: f"{v:.9g}")
def test_composition_agrees_with_fifty_digits(lower, degree, cushion):
    exact = express.composition(lower, STEPS, degree, cushion, 50)
    for stage, found in zip(exact, islice(compose(lower, 1.0, repeat(degree), cushion), STEPS), strict=True):
        if stage.error < 1e-290:
            break
        for c, got in zip(stage.coefficients, found.coefficients, strict=True):
            assert abs(float(got / c - 1)) <= 1e-13
        assert abs(float(found.error / stage.error - 1)) <= 1e-9
        assert found.lower == pytest.approx(float(stage.lower), rel=1e-13)
        assert found.upper == pytest.approx(float(stage.upper), rel=1e-15)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("lower", [1e-12, 1e-3, 0.5, 0.999999999])
def test_composition_from_another_upper_end(lower, degree):
    """Scaling: [l u, u] takes the first polynomial of [l, 1] with coefficients c_i / u^(2 i + 1), and the same rest."""
    upper = 1.7
    for t, (a, b) in enumerate(
        zip(compose(lower, 1.0, repeat(degree, 6)), compose(lower * upper, upper, repeat(degree, 6)), strict=True)
    ):
        stretch = upper if t == 0 else 1.0
        expected = [c / stretch ** (2 * i + 1) for i, c in enumerate(a.coefficients)]
        # 1 - l is known to 1e-16 only: the cost near l = 1
        assert b.coefficients == pytest.approx(expected, rel=1e-12)
        if t == 5:
            break


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("exponent", [0.001, 0.1, 0.5, 1, 2, 4, 8, 12, 40, 90])
def test_one_interval_of_any_spread(degree, exponent):
    """delta = 1 - 10^-e downwards from 1 and 10^-e upwards from 0, coefficients and error relatively accurate."""
    for spread in (10.0**-exponent, 1 - 10.0**-exponent):
        if not 0 < spread < 1:
            continue
        coefficients, error = minimax(degree, spread)
        exact, level = twin.remez(mp.mpf(spread), degree, 50)
        assert list(coefficients) == pytest.approx([float(c) for c in exact], rel=1e-13)
        assert abs(float(error / level - 1)) <= 1e-9 or float(level) < 1e-290


@pytest.mark.parametrize("degree", DEGREES)
def test_ends_of_the_family(degree):
    coefficients, error = minimax(degree, 0.0)
    taylor = [float(c) for c in newton_schulz.taylor(degree)]
    assert error == 0
    assert list(coefficients) == pytest.approx(taylor, rel=1e-15)
    coefficients, error = minimax(degree, 1.0)
    assert error == pytest.approx(1.0, abs=1e-15)
    assert coefficients[0] == pytest.approx(2 * float(twin.start_slope(degree)) / 2 / 2, rel=1e-12)


@pytest.mark.parametrize("degree", DEGREES)
def test_it_equioscillates(degree):
    """Chebyshev's criterion, without a twin: q + 2 alternating extrema of equal size, ends included."""
    for spread in (0.3, 0.9, 0.999):
        coefficients, error = minimax(degree, spread)
        x = 1 + spread * np.cos(np.linspace(np.pi, 0, 200001))
        gap = 1 - sum(c * x ** (2 * i + 1) for i, c in enumerate(coefficients))
        turns = [i for i in range(1, x.size - 1) if (gap[i] - gap[i - 1]) * (gap[i + 1] - gap[i]) < 0]
        extrema = gap[[0, *turns, -1]]
        assert len(extrema) == degree // 2 + 2
        assert np.abs(extrema) == pytest.approx(error, rel=1e-7)
        assert (np.sign(extrema[1:]) == -np.sign(extrema[:-1])).all()


def stage_at(step, degree, lower, cushion=0.0):
    return stage_of(compose(lower, 1.0, repeat(degree), cushion), step)


def test_stages_end_with_the_first_that_is_taylor_to_double_precision():
    stages = [stage_at(t, 5, 1e-3) for t in range(30)]
    closed = next(t for t, stage in enumerate(stages) if stage.error < EXACT_BELOW)
    assert 6 <= closed <= 8
    assert len({stage.coefficients for stage in stages[closed:]}) == 1
    assert [stage.coefficients for stage in stages[:closed]] == [
        stage.coefficients for stage in islice(compose(1e-3, 1.0, repeat(5)), closed)
    ]


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("cushion", CUSHIONS)
def test_images_of_the_intervals(degree, cushion):
    """Every stage maps [lower, upper] into the next interval, and reaches both ends of it."""
    stages = list(islice(compose(1e-4, 1.0, repeat(degree), cushion), 8))
    for stage, following in pairwise(stages):
        ends = (stage.lower, stage.upper, 20001)
        x = np.concatenate([np.geomspace(*ends), np.linspace(*ends)])
        y = np.array([stage(float(v)) for v in x])
        assert y.min() >= following.lower - 1e-12
        assert y.max() <= following.upper + 1e-12
        assert y.min() == pytest.approx(following.lower, rel=1e-9, abs=1e-12)
        assert y.max() == pytest.approx(following.upper, rel=1e-6)


def test_published_table_is_the_cushioned_composition():
    """The claim printed with the table, recomputed by the package and by the twin; row 7 lost digits in print."""
    assert pytest.approx(express.CUSHION, rel=1e-14) == CUSHION
    rows = [stage.coefficients for stage in islice(compose(1e-3, 1.0, repeat(5), CUSHION), 8)]
    exact = express.composition(1e-3, 8, 5, express.CUSHION)
    for t, (row, stage, printed) in enumerate(zip(rows, exact, POLAR_EXPRESS_PUBLISHED, strict=True)):
        assert list(row) == pytest.approx([float(c) for c in stage.coefficients], rel=1e-13)
        assert list(row) == pytest.approx(printed, rel=1e-10 if t == 6 else 1e-14)
    assert POLAR_EXPRESS_PUBLISHED == express.PUBLISHED
    plain = next(compose(1e-3, 1.0, repeat(5))).coefficients
    assert abs(plain[0] - POLAR_EXPRESS_PUBLISHED[0][0]) > 0.1


def test_cushion_is_the_constant_it_says():
    assert pytest.approx(float(twin.cushion_constant(5)), rel=1e-14) == CUSHION
    _, error = minimax(5, (1 - CUSHION) / (1 + CUSHION))
    assert (1 - error) / (1 + error) == pytest.approx(0.1, rel=1e-13)


@pytest.mark.parametrize("safety", [1.01, 1.05])
def test_safety_stretches_the_argument_and_the_recursion_follows(safety):
    """p(x / s) while the error is above 1/4; the next interval is its image of the ends, for values up to s u too."""
    stages = list(islice(compose(1e-3, 1.0, repeat(5), CUSHION, safety), 9))
    for stage, following in pairwise(stages):
        plain = stage.without_safety()
        if stage.safety == 1:
            assert plain.error <= 0.25
            assert plain is stage
            continue
        assert stage.safety == safety
        x = np.linspace(stage.lower, stage.upper * safety, 501)
        assert [stage(v) for v in x] == pytest.approx([plain(v / safety) for v in x], rel=1e-12)
        assert following.lower == pytest.approx(plain(stage.lower / safety), rel=1e-13)
        assert following.upper == pytest.approx(1 + plain.error, rel=1e-14)
        assert max(stage(v) for v in x) <= following.upper * (1 + 1e-14)
    assert {stage.safety for stage in stages} == {1.0, safety}
    # what it costs: the certified error after a few steps is a little larger, and the end is as good
    unsafe = list(islice(compose(1e-3, 1.0, repeat(5), CUSHION), 9))
    assert unsafe[5].error < stages[5].error < unsafe[4].error
    assert stages[-1].error < EXACT_BELOW


# ---- values and bases of updates ------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(6))
def test_bases_are_the_same_function(degree):
    rng = np.random.default_rng(degree)
    h = Polynomial(tuple(float(v) for v in rng.standard_normal(degree + 1)))
    r = np.linspace(-1, 1, 41)
    turned = h.in_basis("gram")
    assert turned.basis == "gram"
    assert turned(r) == pytest.approx(h(r), rel=1e-12, abs=1e-13)
    assert turned.in_basis("residual").coefficients == pytest.approx(h.coefficients, rel=1e-12)
    assert h(r) == pytest.approx(np.polynomial.polynomial.polyval(r, h.coefficients), rel=1e-12, abs=1e-14)


def test_taylor_coefficients_are_the_twins():
    for degree in (3, 5, 7, 9):
        h = Polynomial(taylor_inverse_root(2, degree // 2)).in_basis("gram")
        assert h.coefficients == pytest.approx([float(c) for c in newton_schulz.taylor(degree)], rel=1e-15)
    assert taylor_inverse_root(1, 3) == (1, 1, 1, 1)
    assert taylor_inverse_root(4, 2) == (1.0, 0.25, 5 / 32)


def test_values_of_the_rational_updates():
    r = np.linspace(-1, 0.99, 9)
    h = PartialFractions(0.25, (2.0, 3.0), (0.5, 0.0))
    assert h(r) == pytest.approx(0.25 + 2 / (1 - r + 0.5) + 3 / (1 - r), rel=1e-14)
    assert ExactRoot()(r) == pytest.approx((1 - r) ** -0.5, rel=1e-15)
    assert ExactRoot(4)(0.9375) == pytest.approx(2.0)


# ---- the minimiser of a polynomial on an interval -------------------------------------------------


def argmin(coefficients, lower, upper, dtype=np.float64):
    points = np.asarray(grid(lower, upper), dtype=dtype)
    return argmin_on_interval(np, [np.asarray(c, dtype=dtype) for c in coefficients], points, lower, upper)


def best_by_roots(coefficients, lower, upper):
    turns = np.roots([i * c for i, c in enumerate(coefficients)][:0:-1])
    turns = turns[abs(turns.imag) < 1e-9].real
    candidates = np.concatenate([[lower, upper], turns[(turns > lower) & (turns < upper)]])
    values = np.polynomial.polynomial.polyval(candidates, coefficients)
    return candidates[np.argmin(values)], values.min()


@pytest.mark.parametrize("interval", [(0.5, 1.0), (0.375, 1.45), (-1.0, 1.0)])
@pytest.mark.parametrize("degree", [2, 4])
def test_argmin_agrees_with_the_roots_of_the_derivative(degree, interval):
    """Random polynomials of every size, one call for the whole stack; where two valleys tie, by value."""
    rng = np.random.default_rng(7)
    c = rng.standard_normal((400, degree + 1)) * 10.0 ** rng.integers(-30, 30, (400, 1))
    found = argmin(c.T, *interval)
    for row, x in zip(c, found, strict=True):
        best, value = best_by_roots(row, *interval)
        size = np.abs(row[1:]).max()
        at = np.polynomial.polynomial.polyval(x, row)
        # the grid separates valleys to 1/64 of the interval; within the right one Newton is exact
        assert at - value <= 1e-13 * max(size, abs(row[0])) or abs(at - value) <= 2e-4 * size
        assert interval[0] <= x <= interval[1]
        curvature = sum(i * (i - 1) * v * best ** (i - 2) for i, v in enumerate(row) if i > 1)
        if at - value <= 1e-13 * size and curvature > 0.1 * size:
            assert abs(x - best) <= 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_argmin_of_squares_of_quadratics(dtype):
    """What PRISM minimises: (u_0 + a u_1 + a^2 u_2)^2 summed over a spectrum, roots at rounding."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        u = rng.standard_normal((6, 3)) * np.array([1.0, 0.5, 0.2])
        g = u.T @ u
        c = (g[0, 0], 2 * g[0, 1], g[1, 1] + 2 * g[0, 2], 2 * g[1, 2], g[2, 2])
        value = best_by_roots(np.array(c), 0.375, 1.45)[1]
        x = float(argmin(c, 0.375, 1.45, dtype))
        at = float(np.polynomial.polynomial.polyval(x, np.array(c)))
        assert at - value <= 20 * float(np.finfo(dtype).eps) * max(np.abs(c))
        assert 0.375 <= x <= 1.4500001


@pytest.mark.parametrize("c", [(0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (1.0, np.nan, 1.0), (np.inf, np.inf, 0.0)])
def test_argmin_of_nothing_is_the_lower_end(c):
    assert argmin(c, 0.5, 1.0) == 0.5


def test_argmin_at_the_ends():
    assert argmin((0.0, 1.0, 0.0), 0.5, 1.0) == 0.5
    assert argmin((0.0, -1.0, 0.0), 0.5, 1.0) == 1.0
    assert argmin((0.0, 0.0, -1.0), 0.5, 1.0) == 1.0
    assert argmin((0.0, -2e-300, 1e-300), 0.5, 2.0) == pytest.approx(1.0, rel=1e-12)


def test_design_is_the_same_in_every_process():
    """No dependence on what was designed before: a fresh process asked for one late stage gives the same numbers."""
    code = "import json; from itertools import repeat; from matfun.polynomials.composition import compose, stage_of; "
    code += "print(json.dumps(stage_of(compose(1e-3, 1.0, repeat(5), 0.1), 6).coefficients))"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert tuple(json.loads(fresh.stdout)) == stage_at(6, 5, 1e-3, 0.1).coefficients
