"""Is the greedy composition the best one for every p, what does it cost, and how far does it reach?"""

from functools import cache
from itertools import pairwise, permutations, product
from math import inf, prod
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from scipy.optimize import minimize

from theory import composition as twin
from theory import minimax, polar_express
from theory.scalar import horner

POWERS = [1, 2, 3, 4]

MIXED = [(3, 5), (9, 3, 5), (17, 7), (3, 3, 3, 3)]


def composed(polynomials: Any, x: Any, p: int) -> Any:
    for c in polynomials:
        x = x * horner(c, x**p)
    return x


def grid(lower: float, upper: float, points: int = 20001) -> Any:
    return np.concatenate([np.geomspace(lower, upper, points), np.linspace(lower, upper, points)])


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degrees", MIXED)
@pytest.mark.parametrize(("lower", "upper"), [(0.05, 1.0), (0.5, 2.0)])
def test_error_is_attained_and_not_exceeded(lower: float, upper: float, degrees: tuple[int, ...], p: int) -> None:
    stages = twin.composition(lower, upper, degrees, p=p, dps=30)
    floats = [[float(c) for c in stage.coefficients] for stage in stages]
    worst = float(np.max(np.abs(1 - composed(floats, grid(lower, upper), p))))
    # float64 evaluation of coefficients up to 1e7 (degree 17, p = 1)
    assert worst == pytest.approx(float(stages[-1].error), abs=1e-8)
    with mp.workdps(30):
        end = composed([s.coefficients for s in stages], mp.mpf(lower), p)
        assert abs(1 - end - stages[-1].error) < mp.mpf(10) ** -20


@pytest.mark.parametrize("degree", [3, 5, 9])
@pytest.mark.parametrize("cushion", [0.0, polar_express.CUSHION, 0.1])
def test_odd_polynomials_are_those_of_polar_express(degree: int, cushion: float) -> None:
    old = polar_express.composition(1e-3, 6, degree, cushion, dps=40)
    new = twin.composition(1e-3, 1, (degree,) * 6, cushion=cushion, dps=40)
    with mp.workdps(60):
        for a, b in zip(old, new, strict=True):
            for x, y in zip((*a.coefficients, *a[1:]), (*b.coefficients, *b[1:]), strict=True):
                assert abs(x / y - 1) < mp.mpf(10) ** -38


@pytest.mark.parametrize("p", [1, 3, 4])
def test_a_cushion_keeps_the_image_centred(p: int) -> None:
    for stage in twin.composition(1e-4, 1, (3, 5, 9, 5), p=p, cushion=0.05, dps=30):
        with mp.workdps(30):
            points = [stage.lower * (stage.upper / stage.lower) ** (mp.mpf(k) / 2000) for k in range(2001)]
            values = [composed([stage.coefficients], x, p) for x in points]
            # a step of the grid is 0.5 %, so a maximum is missed by (0.0025)^2/2 times x^2 |f''| < 500
            assert min(values) == values[0]
            assert abs(values[0] - (1 - stage.error)) < mp.mpf(10) ** -20
            assert (1 + stage.error) * (1 - 2e-3) < max(values) < 1 + stage.error + mp.mpf(10) ** -20


@pytest.mark.parametrize("p", [1, 2, 3, 4])
def test_any_map_leaves_a_ratio_that_is_no_better(p: int) -> None:
    """Step 3 of the proof, on maps that need not rise, be positive, or be near the best one."""
    rng = np.random.default_rng(5)
    known = cache(lambda q, lower: minimax.minimax_odd(lower, 1.0, 2 * q + 1, 15, p=p))
    negative = turning = tight = 0
    for _ in range(400):
        q, lower = int(rng.integers(1, 4)), float(rng.choice([0.01, 0.03, 0.1, 0.3, 0.7]))
        best, error = known(q, lower)
        c = np.array([float(v) for v in best]) * (1 + 10 ** rng.uniform(-4, 0) * rng.standard_normal(q + 1))
        c *= rng.choice([-3.0, 0.2, 1.0])
        values = composed([c], grid(lower, 1.0, 2001), p)
        low, high = float(np.min(values)), float(np.max(values))
        if low < 0 < high:
            continue  # 1. of the proof
        ratio = low / high if low > 0 else high / low
        bound = (1 - float(error)) / (1 + float(error))
        # the grid of 2001 points misses an extremum by less than 1e-4 of the values here
        assert ratio <= bound * (1 + 1e-4) + 1e-6
        negative += high < 0
        turning += ratio < abs(values[0] / values[2000]) * 0.999
        tight += ratio > 0.9 * bound
    # none of the three kinds is missing
    assert min(negative, turning, tight) > 20


@pytest.mark.parametrize(("p", "measure"), [(1, "value"), (3, "value"), (4, "value"), (3, "residual"), (4, "residual")])
def test_local_search_finds_no_better_pair(p: int, measure: str) -> None:
    lower, degrees = 0.1, (3, 3)
    stages = twin.composition(lower, 1.0, degrees, p=p, dps=20)
    error = float(stages[-1].error)
    best = error if measure == "value" else float(twin.residual(error, p)[1])
    greedy = np.array([float(c) for stage in stages for c in stage.coefficients])
    coarse, fine = grid(lower, 1.0, 151), grid(lower, 1.0)

    def worst(c: Any, x: Any) -> float:
        y = composed([c[:2], c[2:]], x, p)
        return float(np.max(np.abs(1 - (y if measure == "value" else y**p))))

    rng = np.random.default_rng(p)
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for trial in range(15):
            start = greedy * (1 + 10 ** rng.uniform(-2, 0) * rng.standard_normal(4))
            if trial % 3 == 0:  # a negative image in between
                start *= np.array([-1, -1, -1, -1]) if p % 2 == 0 else np.array([-1, -1, -1, 1])
            options = {"maxiter": 1200, "xatol": 1e-9, "fatol": 1e-12, "adaptive": True}
            result = minimize(worst, start, args=(coarse,), method="Nelder-Mead", options=options)
            again = minimize(worst, result.x, args=(coarse,), method="Nelder-Mead", options=options)
            found.append(worst(again.x, fine))
    # 20001 points: a maximum is missed by (1e-4)^2/8 times a curvature below 1e4
    assert min(found) >= best * (1 - 1e-4)
    # and the search is not blind: it comes near the optimum
    assert min(found) <= best * 1.02


@pytest.mark.parametrize("degrees", [(3, 3), (3, 5), (9, 3, 5), (17, 17), (3, 5, 7, 9)])
@pytest.mark.parametrize(("lower", "upper"), [(1e-3, 1.0), (0.2, 3.0)])
def test_the_inverse_loses_nothing_by_composing(lower: float, upper: float, degrees: tuple[int, ...]) -> None:
    n = prod(d // 2 + 1 for d in degrees)
    with mp.workdps(60):
        spread = (mp.mpf(upper) - mp.mpf(lower)) / (mp.mpf(upper) + mp.mpf(lower))
        best = minimax.inverse_error(spread, n)
        for order in set(permutations(degrees)):
            stages = twin.composition(lower, upper, order, p=1, dps=40)
            assert abs(stages[-1].error / best - 1) < mp.mpf(10) ** -35
        # and the whole polynomial is the one of degree n
        for k in range(1, 8):
            x = lower + (mp.mpf(upper) - lower) * k / 8
            single = 1 - best * mp.chebyt(n, (mp.mpf(upper) + lower - 2 * x) / (mp.mpf(upper) - lower))
            assert abs(composed([s.coefficients for s in stages], x, 1) - single) < mp.mpf(10) ** -25


def test_the_inverse_composed_is_the_best_of_the_whole_degree() -> None:
    # (3, 5) and (9, 3): degrees 2 * 3 = 6 and 5 * 2 = 10 in x; Remez knows nothing of composition
    for degrees, q in (((3, 5), 5), ((9, 3), 9), ((3, 3, 3), 7)):
        _, error = minimax.minimax_odd(0.05, 1.0, 2 * q + 1, 30, p=1)
        with mp.workdps(30):
            assert abs(twin.composition(0.05, 1.0, degrees, p=1, dps=30)[-1].error / error - 1) < mp.mpf(10) ** -25


@pytest.mark.parametrize("p", [2, 3, 4])
def test_for_other_p_composing_loses_and_order_matters(p: int) -> None:
    errors = {order: float(twin.composition(0.05, 1.0, order, p=p, dps=20)[-1].error) for order in ((3, 5), (5, 3))}
    assert abs(errors[3, 5] - errors[5, 3]) > 1e-3 * errors[3, 5]
    # (p + 1)(2 p + 1) = 2 p^2 + 3 p + 1 is the degree of both, so one h of degree 2 p + 3 could have it
    _, single = minimax.minimax_odd(0.05, 1.0, 2 * (2 * p + 3) + 1, 20, p=p)
    assert float(single) < 0.93 * min(errors.values())


@pytest.mark.parametrize("p", [1, 2, 3, 5])
def test_residual_of_the_best_scale(p: int) -> None:
    for error in (1e-12, 0.1, 0.9):
        factor, smallest = twin.residual(error, p)
        with mp.workdps(30):
            low, high = (factor * (1 - mp.mpf(error))) ** p, (factor * (1 + mp.mpf(error))) ** p
            assert abs(max(abs(1 - low), abs(1 - high)) - smallest) < 1e-14
        assert (smallest == pytest.approx(error, rel=1e-14)) if p == 1 else smallest > error


def test_every_error_grows_with_the_one_before() -> None:
    for p, degree in product(POWERS, (3, 5, 17)):
        firsts = [twin.composition(lower, 1, (5, degree), p=p, dps=20) for lower in (0.5, 0.3, 0.1, 1e-2, 1e-3)]
        assert all(a[0].error < b[0].error for a, b in pairwise(firsts))
        assert all(a[1].error < b[1].error for a, b in pairwise(firsts))


def cheapest_by_brute_force(
    lower: float, target: float, degrees: tuple[int, ...], p: int, longest: int
) -> tuple[int, Any]:
    """All sequences of up to ``longest`` steps, none left out."""
    best: tuple[Any, ...] = (inf,)
    for steps in range(1, longest + 1):
        for sequence in product(degrees, repeat=steps):
            error = twin.composition(lower, 1, sequence, p=p, dps=20)[-1].error
            if error <= target:
                best = min(best, (sum(map(twin.polar_price, sequence)), error))
    return best[0], best[1]


@pytest.mark.parametrize(
    ("lower", "target", "degrees", "p", "longest"),
    [
        (0.1, 0.1, (3, 5), 2, 5),
        (0.02, 0.2, (3, 5), 2, 6),
        (0.1, 1e-3, (3, 5, 9), 2, 5),
        (0.3, 1e-8, (3, 5, 7), 2, 5),
        (0.1, 1e-2, (3, 5), 1, 5),
        (0.1, 1e-2, (3, 5), 4, 6),
    ],
)
def test_nothing_cheaper_is_left_out(
    lower: float, target: float, degrees: tuple[int, ...], p: int, longest: int
) -> None:
    found = twin.fewest_products(lower, target, degrees, p)
    # a sequence longer than ``longest`` costs more than that already
    assert found.products <= 2 * (longest + 1) - 1
    products, error = cheapest_by_brute_force(lower, target, degrees, p, longest)
    assert found.products == products
    assert abs(found.error / error - 1) < 1e-14
    assert sum(map(twin.polar_price, found.degrees)) == products
    again = twin.composition(lower, 1, found.degrees, p=p, dps=20)[-1].error
    assert abs(again / found.error - 1) < 1e-14


@pytest.mark.parametrize(
    ("lower", "target", "degrees", "products"),
    [
        # independent figures of a dynamic programme
        (1e-3, 0.3, (3, 5), 14),
        (1e-3, 0.1, (3, 5), 16),
        (1e-3, 1e-2, (3, 5), 17),
        (1e-3, 1e-3, (3, 5), 18),
        (1e-3, 1e-7, (3, 5), 21),
        (1e-3, 1e-15, (3, 5), 23),
        (1e-6, 0.1, (3, 5), 30),
        (1e-3, 0.1, (3, 5, 9), 15),
        (1e-3, 1e-2, (3, 5, 9), 16),
        (1e-3, 0.3, (3, 5, 9, 17), 13),
    ],
)
def test_fewest_products_in_print(lower: float, target: float, degrees: tuple[int, ...], products: int) -> None:
    assert twin.fewest_products(lower, target, degrees).products == products


def test_orders_in_print() -> None:
    sixteen, seventeen = (twin.fewest_products(1e-3, target, (3, 5)) for target in (0.1, 1e-2))
    # printed with 3 digits
    assert sixteen.degrees == (3, 3, 5, 5, 5, 5)
    assert float(sixteen.error) == pytest.approx(0.0415, rel=2e-3)
    assert seventeen.degrees == (3, 5, 5, 5, 5, 5)
    assert float(seventeen.error) == pytest.approx(0.00877, rel=2e-3)


def test_price_is_an_argument_and_nothing_to_do_is_free() -> None:
    assert [twin.polar_price(d) for d in (3, 5, 7, 9, 11, 13, 15, 17)] == [2, 3, 4, 4, 5, 5, 6, 5]
    # where every step costs the same, the highest degree is taken
    flat = twin.fewest_products(0.01, 0.1, (3, 5, 9), price=lambda _: 1)
    assert flat.degrees == (9,) * flat.products
    assert twin.fewest_products(0.9, 0.2, (3, 5)) == (0, (), pytest.approx(0.1))


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degrees", [(5,), (3, 3, 3), (9, 5), (3, 17), (3,) * 12])
@pytest.mark.parametrize("error", [0.99, 0.3, 1e-6])
def test_widest_left_end_is_the_widest(degrees: tuple[int, ...], error: float, p: int) -> None:
    left = twin.widest_left_end(degrees, error, p, dps=25)
    with mp.workdps(60):
        reached = twin.composition(left, 1, degrees, p=p, dps=25)[-1].error
        # at E = 0.99, 1 - E is what depends on l
        assert abs(reached / mp.mpf(error) - 1) < mp.mpf(10) ** -22
        wider = twin.composition(left * (1 - mp.mpf(10) ** -9), 1, degrees, p=p, dps=25)[-1].error
        assert wider > error


def test_left_end_scales_with_the_upper_one() -> None:
    left, half = (twin.widest_left_end((3, 5), 0.2, 3, upper=upper, dps=25) for upper in (1, 0.5))
    with mp.workdps(30):
        assert abs(half / left - 0.5) < mp.mpf(10) ** -22


def test_left_ends_in_print() -> None:
    # printed with 3 digits, delta = .3, .1, .01
    rows = {
        (5, 4): (0.002136, 0.00455, 0.0106),
        (9, 3): (0.00157, 0.00331, 0.00756),
    }
    for (degree, steps), printed in rows.items():
        for delta, left in zip((0.3, 0.1, 0.01), printed, strict=True):
            assert float(twin.widest_left_end((degree,) * steps, delta, dps=15)) == pytest.approx(left, rel=5e-3)


def test_left_end_of_the_inverse_in_closed_form() -> None:
    with mp.workdps(30):
        for degrees, error in (((3, 5), mp.mpf("0.3")), ((9, 3, 5), mp.mpf("1e-5"))):
            n = prod(d // 2 + 1 for d in degrees)
            spread = mp.sech(mp.acosh(1 / error) / n)
            left = twin.widest_left_end(degrees, error, 1)
            assert abs(left / ((1 - spread) / (1 + spread)) - 1) < mp.mpf(10) ** -25


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 5, 9, 17])
def test_slopes_of_a_tiny_left_end(degree: int, p: int) -> None:
    slope = twin.limits(degree, p=p, dps=20).slope
    stages = twin.composition(mp.mpf(10) ** -25, 1, (degree,) * 4, p=p, dps=20)
    lowers = [s.lower for s in stages]
    for t, (before, after) in enumerate(pairwise(lowers)):
        # relative gap: s l^(p or 1), l below 1e-18 after three steps of slope at most 162
        assert abs(after / before / (slope if t == 0 else slope / 2) - 1) < mp.mpf(10) ** -14


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("degree", [3, 5, 9])
def test_ends_in_taylor(degree: int, p: int) -> None:
    q = degree // 2
    limit = twin.limits(degree, p=p)
    stages = twin.composition(0.5, 1, (degree,) * 9, p=p, dps=25)
    assert stages[-1].error < mp.mpf(10) ** -200
    with mp.workdps(40):
        for before, after in pairwise(stages):
            gap = before.error
            # E / K - 1 is O(delta), coefficients are within O(delta^2) of Taylor's; exact below the switch
            assert abs(after.error / before.error ** (q + 1) / limit.constant - 1) < 2 * p * (q + 1) * gap + 1e-24
            for mine, taylor in zip(after.coefficients, limit.taylor, strict=True):
                exact = mp.mpf(taylor.numerator) / taylor.denominator
                assert abs(mine / exact - 1) < 100 * 4**q * gap**2 + 1e-24


@pytest.mark.parametrize("p", [1, 2, 4])
def test_the_switch_to_taylor_is_invisible(p: int) -> None:
    # dps = 20 switches below 1e-35; at dps = 40 the exchange still runs
    for spread in (mp.mpf(10) ** -36, mp.mpf(10) ** -37):
        with mp.workdps(100):
            ends = 1 - spread, 1 + spread
        (coarse,), (fine,) = (twin.composition(*ends, (5,), p=p, dps=dps) for dps in (20, 40))
        with mp.workdps(60):
            for a, b in zip((*coarse.coefficients, coarse.error), (*fine.coefficients, fine.error), strict=True):
                assert abs(a / b - 1) < mp.mpf(10) ** -20


@pytest.mark.parametrize("p", POWERS)
def test_digits_asked_for_are_right(p: int) -> None:
    for lower in (1e-30, 1e-8, 0.9):
        coarse, fine = (twin.composition(lower, 1, (3, 9, 5, 5), p=p, dps=dps) for dps in (25, 50))
        with mp.workdps(60):
            for a, b in zip(coarse, fine, strict=True):
                for x, y in zip((*a.coefficients, *a[1:]), (*b.coefficients, *b[1:]), strict=True):
                    assert abs(x / y - 1) < mp.mpf(10) ** -25
