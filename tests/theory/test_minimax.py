"""Is it the best approximation of 1 by x h(x^p): equioscillation, optimality, closed forms, constants in print?"""

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from mpmath import mp

from theory import inverse_root, minimax, newton_schulz, polar_express
from theory.scalar import horner, image, odd

INTERVALS = [(1e-12, 1.0), (1e-3, 1.0), (0.1, 1.9), (0.5, 1.0), (0.9999, 1.0001), (1 - 1e-6, 1.0)]


@pytest.mark.parametrize("degree", [3, 5, 7, 9])
@pytest.mark.parametrize(("lower", "upper"), INTERVALS)
def test_equioscillation(lower: float, upper: float, degree: int) -> None:
    c, error = minimax.minimax_odd(lower, upper, degree)
    q = degree // 2
    with mp.workdps(60):
        low, high = mp.mpf(lower), mp.mpf(upper)
        # cancellation in 1 - p leaves 60 digits less those of E
        tolerance = mp.mpf(10) ** -52
        smallest, largest = image(c, low, high)
        assert abs(smallest - (1 - error)) < tolerance
        assert abs(largest - (1 + error)) < tolerance
        assert abs(odd(c, low) - (1 - error)) < tolerance
        assert abs(odd(c, high) - (1 + (-1) ** q * error)) < tolerance
        # q + 2 alternations: on a grid that refines towards the lower end 1 - p changes its sign q + 1 times
        grid = [low * (high / low) ** (mp.mpf(k) / 400) for k in range(401)]
        signs = [mp.sign(1 - odd(c, x)) for x in grid]
        assert sum(a != b for a, b in pairwise(signs)) == q + 1


@pytest.mark.parametrize("degree", [3, 5, 7])
def test_no_perturbation_does_better(degree: int) -> None:
    rng = np.random.default_rng(7)
    for lower in (0.01, 0.3, 0.8):
        c, error = minimax.minimax_odd(lower, 1.0, degree, 30)
        best = np.array([float(v) for v in c])
        x = np.linspace(lower, 1.0, 3001)
        powers = np.stack([x ** (2 * i + 1) for i in range(len(c))])
        for size in (1e-1, 1e-3, 1e-5):
            trial = best * (1 + size * rng.standard_normal((200, len(c))))
            worst = np.max(np.abs(1 - trial @ powers), axis=1)
            # the grid misses a maximum by (1/3000)^2/8 times the curvature, which is below 200: 3e-6 relative
            assert np.all(worst >= float(error) * (1 - 3e-6))


@pytest.mark.parametrize(("lower", "upper"), [*INTERVALS, (0.2, 3.0)])
def test_cubic_closed_form(lower: float, upper: float) -> None:
    # arXiv 2505.16932, cubic case: p = beta (3 alpha x - alpha^3 x^3)/2
    c, error = minimax.minimax_odd(lower, upper, 3)
    with mp.workdps(70):
        low, high = mp.mpf(lower), mp.mpf(upper)
        alpha = mp.sqrt(3 / (high**2 + low * high + low**2))
        beta = 4 / (2 + low * high * (low + high) * alpha**3)
        for mine, closed in zip(c, (3 * alpha * beta / 2, -(alpha**3) * beta / 2), strict=True):
            assert abs(mine / closed - 1) < mp.mpf(10) ** -58
        spread = (high - low) / (high + low)
        printed = mp.tanh(mp.mpf(3) / 4 * mp.log1p(spread**2 / 3) - mp.log1p(-(spread**2)) / 2)
        # the spread of an interval given by its ends loses the digits of u - l, here at most 6 of 70
        assert abs(error / printed - 1) < mp.mpf(10) ** -50


def test_quintic_in_terms_of_its_extrema() -> None:
    # interior extrema q < r: c = 3/(5 q^2 r^2 (q + r) - q^5 - r^5), E = c (r - q)^3 (r^2 + 3 r q + q^2)/3
    for lower in (1e-3, 0.2, 0.9):
        (a, b, c), error = minimax.minimax_odd(lower, 1.0, 5)
        with mp.workdps(60):
            root = mp.sqrt(9 * b * b - 20 * a * c)
            q, r = mp.sqrt((-3 * b - root) / (10 * c)), mp.sqrt((-3 * b + root) / (10 * c))
            assert abs(c / (3 / (5 * q**2 * r**2 * (q + r) - q**5 - r**5)) - 1) < mp.mpf(10) ** -50
            assert abs(error / (c / 3 * (r - q) ** 3 * (r * r + 3 * r * q + q * q)) - 1) < mp.mpf(10) ** -45


@pytest.mark.parametrize("degree", [3, 5, 7, 9])
def test_end_game_constant_and_taylor_limit(degree: int) -> None:
    q = degree // 2
    constant = minimax.end_constant(degree)
    assert Fraction(str(constant)) == newton_schulz.recursion(degree)[0]
    for spread in (1e-4, 1e-8):
        with mp.workdps(60):
            delta = mp.mpf(spread)
            c, error = minimax.minimax_odd(1 - delta, 1 + delta, degree)
            # the next term of the expansion is of order delta or smaller
            assert abs(error / delta ** (q + 1) / constant - 1) < 2 * q * delta
            # Newton-Schulz has 2^q times more
            taylor = [mp.mpf(v.numerator) / v.denominator for v in newton_schulz.taylor(degree)]
            low, high = image(taylor, 1 - delta, 1 + delta)
            assert abs(max(1 - low, high - 1) / error / 2**q - 1) < 4 * q * delta
            for mine, limit in zip(c, taylor, strict=True):
                assert abs(mine - limit) < 100 * delta**2


@pytest.mark.parametrize(
    ("degree", "printed"), [(3, 27**0.5), (5, 8.514302), (7, 11.86057), (9, 15.21725), (11, 18.57885)]
)
def test_start_slope(degree: int, printed: float) -> None:
    # printed with 5 decimals
    assert float(minimax.start_slope(degree)) == pytest.approx(printed, abs=5e-6)


def test_cushion_constants() -> None:
    with mp.workdps(30):
        value = minimax.cushion_constant(5)
        c, error = minimax.minimax_odd(value, 1, 5, 40)
        assert abs(odd(c, value) / (1 + error) - mp.mpf("0.1")) < mp.mpf(10) ** -25
        assert abs(value - mp.mpf("0.02407327424182759566602")) < mp.mpf(10) ** -23
        # the authors' constant is this to float64 accuracy of their computation
        assert abs(value - mp.mpf(polar_express.CUSHION)) < 2e-17


def test_cans_values() -> None:
    first = minimax.minimax_odd(1e-3, 1.0, 5)[0]
    assert [float(v) for v in first] == pytest.approx([8.470329, -25.108075, 18.629276], abs=5e-7)
    cushioned = minimax.minimax_odd(0.1, 1.0, 5)[0]
    assert [float(v) for v in cushioned] == pytest.approx([5.603695, -13.883690, 9.733413], abs=5e-7)
    # CANS, degree 3: p = 2((a^2 + ab + b^2) x - x^3)/D and its error, here for [9e-4, 1]
    a, b = 9e-4, 1.0
    s = (a * a + a * b + b * b) / 3
    d = 2 * s**1.5 + a * a * b + a * b * b
    c, error = minimax.minimax_odd(a, b, 3)
    assert [float(v) for v in c] == pytest.approx([6 * s / d, -2 / d], rel=1e-14)
    assert float(error) == pytest.approx((2 * s**1.5 - a * a * b - a * b * b) / d, rel=1e-14)
    # as published (order 3, seven steps, a = 9e-4)
    assert [float(v) for v in c] == pytest.approx([5.181702879894027, -5.177039351076183], rel=1e-13)


def test_digits_asked_for_are_right() -> None:
    for lower, upper in INTERVALS:
        coarse, fine = minimax.minimax_odd(lower, upper, 5, 55), minimax.minimax_odd(lower, upper, 5, 110)
        with mp.workdps(110):
            for a, b in zip((*coarse[0], coarse[1]), (*fine[0], fine[1]), strict=True):
                assert abs(a / b - 1) < mp.mpf(10) ** -52


POWERS = [1, 2, 3, 4]

WIDE = [(1e-8, 1.0), (1e-3, 1.0), (0.1, 1.9), (0.5, 1.0)]


def value(c, x, p):
    return x * horner(c, x**p)


@pytest.mark.parametrize("p", [1, 3, 4, 7])
@pytest.mark.parametrize("degree", [3, 5, 9, 17])
def test_equioscillation_for_every_p(p: int, degree: int) -> None:
    q = degree // 2
    for lower, upper in WIDE:
        c, error = minimax.minimax_odd(lower, upper, degree, p=p)
        with mp.workdps(60):
            low, high = mp.mpf(lower), mp.mpf(upper)
            # coefficients up to 1e9 (p = 1, degree 17) leave 60 digits less those
            tolerance = mp.mpf(10) ** -45
            assert abs(value(c, low, p) - (1 - error)) < tolerance
            assert abs(value(c, high, p) - (1 + (-1) ** q * error)) < tolerance
            # equal steps of the angle in which, for p = 1, extrema are equally spaced; an odd number misses its zeros
            middle, half = (high**p + low**p) / 2, (high**p - low**p) / 2
            errors = [1 - value(c, mp.root(middle - half * mp.cos(mp.pi * k / 397), p), p) for k in range(398)]
            assert max(abs(e) for e in errors) <= error + tolerance
            changes = [0, *(k for k in range(397) if errors[k] * errors[k + 1] < 0), 397]
            assert len(changes) == q + 3
            # each arch is 8 steps wide or more, so its top is missed by less than (pi/16)^2/2 = 2 % of E
            assert all(max(map(abs, errors[a : b + 1])) > 0.98 * error for a, b in pairwise(changes))


@pytest.mark.parametrize("p", [1, 3, 4])
def test_no_perturbation_does_better_for_any_p(p: int) -> None:
    rng = np.random.default_rng(11)
    for lower in (0.01, 0.3, 0.8):
        c, error = minimax.minimax_odd(lower, 1.0, 5, 30, p=p)
        best = np.array([float(v) for v in c])
        x = np.linspace(lower, 1.0, 3001)
        powers = np.stack([x ** (p * i + 1) for i in range(3)])
        for size in (1e-1, 1e-3, 1e-5):
            worst = np.max(np.abs(1 - (best * (1 + size * rng.standard_normal((200, 3)))) @ powers), axis=1)
            # as for p = 2; the curvature stays below 200 here too
            assert np.all(worst >= float(error) * (1 - 3e-6))


@pytest.mark.parametrize("degree", [3, 5, 7, 17])
@pytest.mark.parametrize(("lower", "upper"), [*WIDE, (1 - 1e-9, 1.0)])
def test_inverse_is_a_chebyshev_polynomial(lower: float, upper: float, degree: int) -> None:
    n = degree // 2 + 1
    c, error = minimax.minimax_odd(lower, upper, degree, p=1)
    with mp.workdps(60):
        low, high = mp.mpf(lower), mp.mpf(upper)
        spread = (high - low) / (high + low)
        # u - l costs at most 9 of 60 digits, and E is of order spread^n
        assert abs(error / minimax.inverse_error(spread, n) - 1) < mp.mpf(10) ** -45
        for k in range(1, 6):
            x = low + (high - low) * k / 6
            best = 1 - mp.chebyt(n, (high + low - 2 * x) / (high - low)) * error
            assert abs(value(c, x, 1) - best) < mp.mpf(10) ** -45
    # T_n(1/spread) once more, by its recurrence in fractions
    y = (Fraction(upper) + Fraction(lower)) / (Fraction(upper) - Fraction(lower))
    before, now = Fraction(1), y
    for _ in range(n - 1):
        before, now = now, 2 * y * now - before
    assert abs(float(error) * float(now) - 1) < 1e-14


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
@pytest.mark.parametrize(("lower", "upper"), [*INTERVALS, (0.2, 3.0)])
def test_two_terms_in_closed_form(lower: float, upper: float, p: int) -> None:
    # f = a x - b x^(p+1): f(l) = f(u) gives b/a, f' = 0 the maximum at y = (a/b)/(p+1), f(l) + max f = 2 gives a
    c, error = minimax.minimax_odd(lower, upper, 3, p=p)
    with mp.workdps(70):
        low, high = mp.mpf(lower), mp.mpf(upper)
        ratio = (high - low) / (high ** (p + 1) - low ** (p + 1))
        peak = mp.root(1 / (ratio * (p + 1)), p)
        a = 2 / (low * (1 - ratio * low**p) + peak * mp.mpf(p) / (p + 1))
        # u - l costs at most 6 of 70 digits
        assert abs(c[0] / a - 1) < mp.mpf(10) ** -55
        assert abs(c[1] / (-a * ratio) - 1) < mp.mpf(10) ** -55
        assert abs(error - (1 - a * low * (1 - ratio * low**p))) < mp.mpf(10) ** -55


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 5, 7, 9, 17])
def test_end_constant_for_every_p(p: int, degree: int) -> None:
    q = degree // 2
    with mp.workdps(40):
        constant = minimax.end_constant(degree, p=p)
        exact = inverse_root.taylor(p, q + 1)[-1] * Fraction(p) ** (q + 1) / 2**q
        assert abs(constant * exact.denominator / exact.numerator - 1) < mp.mpf(10) ** -38
        if p == 2:
            assert exact == Fraction(2 * comb(2 * q + 2, q + 1), 4 ** (q + 1))
        for delta in (mp.mpf(10) ** -4, mp.mpf(10) ** -12):
            _, error = minimax.remez(delta, degree, 30, p=p)
            # the next term of the expansion is of order delta, times a power of x of size p q
            assert abs(error / delta ** (q + 1) / constant - 1) < p * (q + 1) * delta


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 5, 9, 17])
def test_coefficients_tend_to_taylor(p: int, degree: int) -> None:
    # b_j (1 - y)^j multiplied out
    b = inverse_root.taylor(p, degree // 2)
    limit = [(-1) ** i * sum(comb(j, i) * b[j] for j in range(i, len(b))) for i in range(len(b))]
    with mp.workdps(60):
        for delta in (mp.mpf(10) ** -5, mp.mpf(10) ** -12):
            c, _ = minimax.remez(delta, degree, 40, p=p)
            for mine, taylor in zip(c, limit, strict=True):
                # O(delta^2), times binomials of up to 2^(2 q)
                assert abs(mine * taylor.denominator / taylor.numerator - 1) < 100 * 4 ** (degree // 2) * delta**2


@pytest.mark.parametrize("q", [1, 2, 3, 8])
def test_start_slope_of_the_inverse(q: int) -> None:
    with mp.workdps(30):
        assert abs(minimax.start_slope(2 * q + 1, p=1) / (2 * (q + 1) ** 2) - 1) < mp.mpf(10) ** -24


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
def test_start_slope_of_two_terms(p: int) -> None:
    with mp.workdps(30):
        exact = 2 * mp.mpf(p + 1) ** (1 + mp.mpf(1) / p) / p
        assert abs(minimax.start_slope(3, p=p) / exact - 1) < mp.mpf(10) ** -24


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 17])
def test_error_grows_with_the_interval(p: int, degree: int) -> None:
    spreads = [mp.mpf(s) for s in ("1e-9", "1.001e-9", "0.1", "0.1001", "0.9", "0.999", "0.99999")]
    errors = [minimax.remez(s, degree, 20, p=p)[1] for s in spreads]
    assert all(a < b for a, b in pairwise(errors))
    assert all(e <= s for e, s in zip(errors, spreads, strict=True))


def test_cushion_constants_for_other_p_and_degrees() -> None:
    for p, degree in ((1, 3), (4, 9), (2, 17)):
        with mp.workdps(30):
            lower = minimax.cushion_constant(degree, p=p)
            c, error = minimax.minimax_odd(lower, 1, degree, 40, p=p)
            assert abs(value(c, lower, p) / (1 + error) - mp.mpf("0.1")) < mp.mpf(10) ** -25


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 9, 17])
def test_digits_asked_for_are_right_for_every_p(p: int, degree: int) -> None:
    for lower, upper in [(1e-8, 1.0), (1 - 1e-6, 1.0)]:
        coarse, fine = (minimax.minimax_odd(lower, upper, degree, dps, p=p) for dps in (30, 60))
        with mp.workdps(60):
            for a, b in zip((*coarse[0], coarse[1]), (*fine[0], fine[1]), strict=True):
                assert abs(a / b - 1) < mp.mpf(10) ** -27
