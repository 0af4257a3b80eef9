"""Best odd approximation on one interval: equioscillation, optimality, and every constant in print."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp

from theory import minimax, newton_schulz, polar_express
from theory.scalar import image, odd

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
