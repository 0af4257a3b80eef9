"""The measures see every planted fault, at every scale; the truth agrees with 50 digits."""

import math

import mpmath
import numpy as np
import pytest
from scipy.linalg import expm, polar

from matfun.lab import truth
from matfun.lab.gallery import gallery
from matfun.lab.spectra import gaussian, haar, log_spaced, with_singular_values

EPS = np.finfo(np.float64).eps
SIDES = ("right", "left")
SMALL = [c for c in gallery(max_size=8) if min(c.shape) <= 5 or c.name in ("complex-tall-1e4", "frank")]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", gallery(), ids=lambda c: c.name)
def test_truth_is_a_polar_decomposition(case, side):
    """Every gallery case; the SVD is backward stable with a constant of a few sqrt(size)."""
    a = case.matrix()
    u, h = truth.polar_truth(a, side)
    assert u.shape == a.shape
    order = a.shape[1] if side == "right" else a.shape[0]
    assert h.shape == (order, order)
    errors = truth.measure_polar(a, u, h, side)
    tolerance = 10 * math.sqrt(max(a.shape) * min(a.shape)) * EPS
    assert errors.backward < tolerance
    assert errors.orthogonality < tolerance
    assert errors.hermitian == 0
    assert errors.semidefinite < tolerance
    assert errors.forward == 0


def test_zero_gives_the_identity():
    u, h = truth.polar_truth(np.zeros((3, 2)))
    assert np.array_equal(u, np.eye(3, 2))
    assert not h.any()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", SMALL, ids=lambda c: c.name)
def test_truth_agrees_with_50_digits(case, side):
    """Within a small multiple of eps times the condition number (U where it is determined, H always)."""
    a = case.matrix()
    u, h = truth.polar_truth(a, side)
    exact_u, exact_h = truth.polar_truth_mp(a, side)
    assert truth.backward_error(a, exact_u, exact_h, side) < 4 * EPS * max(a.shape)
    if a.any():
        assert truth.forward_error(h, exact_h) < 20 * EPS * max(a.shape)
    condition = truth.measure_polar(a, u, h, side).condition
    if condition < 1e12 and "rank-deficient" not in case.tags:
        assert truth.forward_error_in_condition_units(u, exact_u, condition) < 20


def test_truth_agrees_with_scipy():
    a = gaussian(7, 4, 0)
    for side in SIDES:
        u, h = truth.polar_truth(a, side)
        expected_u, expected_h = polar(a, side)
        assert np.abs(u - expected_u).max() < 50 * EPS
        assert np.abs(h - expected_h).max() < 100 * EPS


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("shape", [(6, 6), (9, 6), (6, 9)])
def test_rotated_factor_is_seen_although_orthogonal(shape, complex_):
    """The fault that orthogonality cannot see: U times a rotation."""
    a = gaussian(*shape, 1, complex_=complex_)
    u, h = truth.polar_truth(a)
    bad = u @ haar(shape[1], shape[1], 2, complex_=complex_)
    errors = truth.measure_polar(a, bad, h)
    if shape[0] >= shape[1]:
        assert errors.orthogonality < 1e-13
    assert errors.backward > 0.1
    assert errors.forward > 0.1
    assert errors.forward_units > 1e10
    without_h = truth.measure_polar(a, bad)
    assert max(without_h.backward, without_h.semidefinite) > 0.1


def test_small_rotation_is_measured_to_its_size():
    """exp(t K) with ||K||_F = 1 moves U by t ||U K||_F / ||U||_F = t / sqrt(n), up to O(t^2)."""
    a = gaussian(8, 8, 3)
    u, h = truth.polar_truth(a)
    k = gaussian(8, 8, 4)
    k = (k - k.T) / np.linalg.norm(k - k.T)
    rotated = u @ expm(1e-6 * k)
    assert truth.forward_error(rotated, u) == pytest.approx(1e-6 / math.sqrt(8), rel=1e-4)
    assert truth.backward_error(a, rotated, h) > 1e-8
    assert truth.orthogonality(rotated) < 1e-13


def test_faults_in_h():
    a = gaussian(8, 8, 5)
    u, h = truth.polar_truth(a)
    skew = np.zeros((8, 8))
    skew[0, 1] = 1e-3 * np.linalg.norm(h)
    assert truth.hermitian_defect(h + skew) == pytest.approx(math.sqrt(2) * 1e-3, rel=1e-2)
    assert truth.backward_error(a, u, h + skew) == pytest.approx(1e-3, rel=1e-6)
    values, vectors = np.linalg.eigh(h)
    values[0] = -0.25 * values[-1]
    indefinite = (vectors * values) @ vectors.T
    assert truth.semidefinite_defect(indefinite) == pytest.approx(0.25, rel=1e-12)
    assert truth.hermitian_defect(indefinite) < 1e-14
    assert truth.semidefinite_defect(-h) == 1


def test_wrong_sign():
    """(-U)(-H) = A: backward error, orthogonality and symmetry are perfect; only the two others see it."""
    a = gaussian(6, 6, 6)
    u, h = truth.polar_truth(a)
    errors = truth.measure_polar(a, -u, -h)
    assert max(errors.backward, errors.orthogonality) < 1e-13
    assert errors.semidefinite == 1
    assert errors.forward == 2
    assert truth.measure_polar(a, -u).semidefinite > 0.9


def test_scaled_factor_and_wrong_side():
    a = gaussian(6, 6, 7)
    u, h = truth.polar_truth(a)
    assert truth.orthogonality(1.01 * u) == pytest.approx((1.01**2 - 1) * math.sqrt(6), rel=1e-10)
    assert truth.backward_error(a, 1.01 * u, h) == pytest.approx(0.01, rel=1e-10)
    assert truth.backward_error(a, u, h, side="left") > 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_read_as_infinite_error(bad):
    a = gaussian(4, 4, 8)
    u, h = truth.polar_truth(a)
    broken = u.copy()
    broken[1, 2] = bad
    errors = truth.measure_polar(a, broken)
    assert errors.backward == errors.orthogonality == errors.forward == errors.hermitian == math.inf
    assert truth.semidefinite_defect(np.full((2, 2), bad)) == math.inf
    assert truth.measure_polar(a, u, h).backward < 1e-14


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("exponent", [-996, -500, 500, 996])  # 1e-300 to 1e300
def test_scale_safety(exponent, complex_):
    """A power of two changes nothing, bit for bit, although squares of the entries leave the range."""
    base = with_singular_values(log_spaced(6, 1e2), 9, 6, rng=9, complex_=complex_)
    u, h = truth.polar_truth(base)
    a, scaled_h = base * 2.0**exponent, h * 2.0**exponent
    assert truth.measure_polar(a, u, scaled_h) == truth.measure_polar(base, u, h)
    assert truth.measure_polar(a, u) == truth.measure_polar(base, u)
    got_u, got_h = truth.polar_truth(a)
    assert np.array_equal(got_u, u)
    assert np.array_equal(got_h, scaled_h)
    exact_u, exact_h = truth.polar_truth_mp(a)
    assert truth.backward_error(a, exact_u, exact_h) < 1e-14


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1e300])
def test_decimal_scales_and_huge_faults(scale):
    a = np.array([[3.0, 0.0], [0.0, 4.0]]) * scale
    eye = np.eye(2)
    assert truth.backward_error(a, eye, a) == 0
    assert truth.backward_error(a, eye, 1.5 * a) == pytest.approx(0.5, rel=1e-3)
    assert truth.backward_error(a, 1e300 * eye, eye) >= 0.5 / 4
    assert truth.orthogonality(1e300 * eye) == math.inf
    assert truth.semidefinite_defect(-a) == 1
    assert truth.forward_error(np.full((2, 2), 1.7e308), -np.full((2, 2), 1.7e308)) == pytest.approx(2)


def test_half_precision_input_is_measured_in_double():
    """float16 would overflow at 65504 and round at 5e-4; converted, the measures are exact to eps."""
    a = (100 * gaussian(16, 16, 10)).astype(np.float16)
    u, h = truth.polar_truth(a)
    assert u.dtype == np.float64
    assert truth.backward_error(a, u, h) < 1e-14
    rounded = u.astype(np.float16)
    errors = truth.measure_polar(a, rounded)
    assert 1e-5 < errors.orthogonality < 16 * 2**-10
    assert errors.forward_units < 10


def test_zero_matrix_and_empty_ratio():
    zero = np.zeros((3, 3))
    assert truth.backward_error(zero, np.eye(3), zero) == 0
    assert truth.backward_error(zero, np.eye(3), np.eye(3)) == math.inf
    assert truth.hermitian_defect(zero) == truth.semidefinite_defect(zero) == 0
    assert truth.forward_error(zero, zero) == 0


@pytest.mark.parametrize(
    ("shape", "complex_", "expected"),
    [
        ((3, 3), False, 2 / 0.3),
        ((3, 3), True, 1 / 0.1),
        ((5, 3), False, 1 / 0.1),
        ((3, 5), True, 1 / 0.1),
    ],
)
def test_condition_is_attained(shape, complex_, expected):
    """The formula, and a perturbation along the extremal direction that reaches it to first order."""
    sigmas = np.array([2.0, 0.2, 0.1])
    assert truth.polar_condition(sigmas, shape, complex_, relative=False) == pytest.approx(expected)
    relative = truth.polar_condition(sigmas, shape, complex_)
    assert relative == pytest.approx(expected * np.linalg.norm(sigmas) / math.sqrt(3))
    m, n = shape
    a, e = np.zeros(shape, complex), np.zeros(shape, complex)
    a[range(3), range(3)] = sigmas
    if m == n and not complex_:
        e[1, 2], e[2, 1] = 1, -1
    elif m == n:
        e[2, 2] = 1j
    elif m > n:
        e[3, 2] = 1
    else:
        e[2, 3] = 1
    e /= np.linalg.norm(e)
    step = 1e-6
    moved = truth.polar_truth(a + step * e)[0] - truth.polar_truth(a)[0]
    assert np.linalg.norm(moved) / step == pytest.approx(expected, rel=1e-4)


def test_condition_of_singular_and_scalar():
    assert truth.polar_condition(np.array([1.0, 0.0]), (2, 2)) == pytest.approx(2 / math.sqrt(2))
    assert truth.polar_condition(np.array([1.0, 0.0]), (2, 2), complex_=True) == math.inf
    assert truth.polar_condition(np.array([3.0]), (1, 1)) == 0
    assert truth.polar_condition(np.array([3.0]), (1, 1), complex_=True) == 1
    u = np.eye(2)
    assert truth.forward_error_in_condition_units(u, -u, math.inf) == 0


def test_mp_truth_resolves_what_float64_cannot():
    """diag(1, 1e-40): the small singular vector is decided by 1e-40, far below eps."""
    angle = 0.3
    v = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    a = np.array([[1.0, 0.0], [0.0, 1e-40]])
    u, h = truth.polar_truth_mp(a, dps=80)
    assert np.array_equal(u, np.eye(2))
    assert np.array_equal(h, a)
    assert mpmath.mp.dps == 15, "the caller's precision was changed"
    assert truth.backward_error(v @ a, *truth.polar_truth_mp(v @ a, dps=80)) < 1e-15
