"""Do the certificates hold, are they sharp, and does anything that is wrong by one unit in the last place fail them?"""

from fractions import Fraction
from math import ceil, floor, inf, nextafter
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import composition, newton_schulz, polar_express
from theory import sturm as twin
from theory.scalar import image as bracketed_image
from theory.whole import count, odd_part, sign, square_free, sturm, whole

TAYLOR = {d: [float(c) for c in newton_schulz.taylor(d)] for d in (3, 5, 7, 9, 17)}

DEFECTIVE = [(4.0098, -7.0585, 2.4635), (3.4585, -5.5479, 2.5959), (2.7573, -3.2939, 1.4254), (2.7215, -3.0494, 1.3169)]
"""A list in circulation (NVIDIA Emerging-Optimizers, ``aol``) whose first polynomial is negative near 1."""


def floats(lower: float, degrees: tuple[int, ...], p: int = 2) -> list[list[float]]:
    return [[float(c) for c in s.coefficients] for s in composition.composition(lower, 1, degrees, p=p, dps=30)]


def polynomial(*roots: Fraction | int) -> list[int]:
    c: list[Any] = [1]
    for r in roots:
        c = [a - r * b for a, b in zip([0, *c], [*c, 0], strict=True)]
    return whole(c)


def up(x: float) -> float:
    return nextafter(x, inf)


def down(x: float) -> float:
    return nextafter(x, -inf)


# whole numbers


def test_zeros_are_counted_in_half_open_intervals() -> None:
    roots = [Fraction(-3), Fraction(1, 7), Fraction(1, 3), Fraction(1, 3) + Fraction(1, 10**9), Fraction(2)]
    chain = sturm(polynomial(*roots))
    ends = [Fraction(-5), *roots, Fraction(1, 2), Fraction(3)]
    for a in ends:
        for b in ends:
            if a <= b:
                assert count(chain, a, b) == sum(a < r <= b for r in roots)


def test_complex_zeros_do_not_count() -> None:
    # (x^2 + 1)(x - 1)
    assert count(sturm([-1, 1, -1, 1]), Fraction(-9), Fraction(9)) == 1


def test_multiplicities() -> None:
    c = polynomial(1, 1, 2, 2, 2, 3, 5, 5, 5, 5, 5)
    free, odd = square_free(c), odd_part(c)
    assert [sign(free, Fraction(x)) for x in (1, 2, 3, 5)] == [0] * 4
    assert len(free) == 5
    assert [sign(odd, Fraction(x)) for x in (2, 3, 5)] == [0] * 3
    assert len(odd) == 4


def test_random_polynomials_against_their_roots() -> None:
    rng = np.random.default_rng(2)
    for _ in range(60):
        c = rng.integers(-9, 10, size=rng.integers(2, 10)).tolist()
        c[-1] = c[-1] or 1
        roots = np.roots(c[::-1])
        real = roots[np.abs(roots.imag) < 1e-12].real
        if len(real) == len(roots[np.abs(roots.imag) < 1e-3]) and np.all(np.abs(real - 0.5) > 1e-6):
            # double zeros of the float roots split by 1e-8 and count once
            distinct = len(np.unique(np.round(real[(real > 0.5) & (real < 20)], 5)))
            assert count(sturm(square_free(whole(c))), Fraction(1, 2), Fraction(20)) == distinct


# one polynomial


@pytest.mark.parametrize("degree", [3, 5, 7, 9, 17])
def test_touching_counts_as_inside(degree: int) -> None:
    # Taylor: f rises from 0 to 1, where f' has a zero of order q
    assert twin.encloses(TAYLOR[degree], 0, 1, 0, 1)
    assert not twin.encloses(TAYLOR[degree], 0, 1, 0, down(1.0))
    assert not twin.encloses(TAYLOR[degree], 0, 1, up(0.0), 1)
    assert not twin.encloses(TAYLOR[degree], -up(0.0), 1, 0, 1)
    beyond = twin.encloses(TAYLOR[degree], 0, 1.25, 0, 1)
    # q odd: f has its maximum 1 there
    assert beyond == (degree // 2 % 2 == 1)
    assert twin.roots(TAYLOR[degree], 1, 0, 1) == 1
    assert twin.roots(TAYLOR[degree], 0, 0, 1) == 1
    assert twin.roots(TAYLOR[degree], 0, up(0.0), 1) == 0


def test_odd_even_and_degenerate_intervals() -> None:
    c = TAYLOR[3]
    assert twin.encloses(c, -1.5, 1.5, -1, 1)
    assert not twin.encloses(c, -2.001, 1.5, -1, 1)
    assert twin.encloses(c, -2, -2, 1, 1)  # f(-2) = 1
    assert twin.encloses(c, 0.5, 0.5, 0.6875, 0.6875)
    assert not twin.encloses(c, 0.5, 0.5, up(0.6875), inf)
    assert twin.encloses(c, -9, 9, -inf, inf)
    assert twin.encloses((0.0, 0.0), 0, 1, 0, 0)
    assert not twin.encloses((0.0,), 0, 1, up(0.0), 1)
    # x (1 - x): a maximum 1/4 inside, p = 1
    assert twin.encloses((1.0, -1.0), 0, 1, 0, 0.25, p=1)
    assert not twin.encloses((1.0, -1.0), 0, 1, 0, down(0.25), p=1)
    # an arch above the bound that is 1e-8 wide: a grid would miss it
    assert not twin.encloses((1.0, -1.0), 0, 1, 0, 0.25 - 2.0**-55, p=1)


@pytest.mark.parametrize("p", [1, 2, 3, 4])
@pytest.mark.parametrize("degree", [3, 5, 9, 17])
@pytest.mark.parametrize("lower", [1e-3, 0.3])
def test_encloses_and_image_of_the_best_polynomial(lower: float, degree: int, p: int) -> None:
    ((*c, error),) = [(*s.coefficients, s.error) for s in composition.composition(lower, 1, (degree,), p=p, dps=30)]
    c = [float(v) for v in c]
    (low, high), (inner_low, inner_high) = twin.image(c, lower, 1, p=p)
    assert 0 <= inner_low - low <= Fraction(1, 2**twin.BITS)
    assert 0 <= high - inner_high <= Fraction(1, 2**twin.BITS)
    # shorter fractions around them, as long ones make the sequences long
    step = Fraction(1, 2**70)
    low, high = floor(low / step) * step, ceil(high / step) * step
    assert twin.encloses(c, lower, 1, low, high, p=p)
    assert not twin.encloses(c, lower, 1, low + 2 * step, high, p=p)
    assert not twin.encloses(c, lower, 1, low, high - 2 * step, p=p)
    # rounding of the coefficients: half an ulp of each
    slack = 2.0**-53 * sum(abs(v) for v in c)
    assert abs(float(high) - 1 - float(error)) <= slack + 2.0**-52
    assert abs(1 - float(low) - float(error)) <= slack + 2.0**-52
    assert twin.positive(c, 1, p=p)
    # 1 - E at the left end once, E at no other level more often than f alternates
    assert twin.roots(c, 1, lower, 1, p=p) == degree // 2 + 1


def test_image_agrees_with_bracketing_in_multiprecision() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        c = rng.uniform(-3, 3, size=rng.integers(1, 6)).tolist()
        lower, upper = sorted(rng.uniform(0, 1.5, size=2).tolist())
        (low, high), _ = twin.image(c, lower, upper)
        with mp.workdps(60):
            other = bracketed_image(c, mp.mpf(lower), mp.mpf(upper))
            for mine, theirs in zip((low, high), other, strict=True):
                assert abs(mp.mpf(mine.numerator) / mine.denominator - theirs) < 2 * mp.mpf(2) ** -twin.BITS
        for p in (1, 3):
            # f(-x) by reflection, and an interval with 0 inside as the hull of its halves
            (low, high), _ = twin.image(c, -upper, -lower, p=p)
            x = -np.linspace(lower, upper, 4001)
            values = x * np.polyval(c[::-1], x**p)
            assert float(low) == pytest.approx(values.min(), abs=1e-4)
            assert float(high) == pytest.approx(values.max(), abs=1e-4)
            assert float(low) <= values.min() + 1e-12
            assert float(high) >= values.max() - 1e-12


@pytest.mark.parametrize("bits", [1, 3, 6, 20])
def test_coarse_images_are_on_the_right_sides(bits: int) -> None:
    rng = np.random.default_rng(6)
    for _ in range(30):
        c = rng.uniform(-2, 2, size=3).tolist()
        (low, high), (inner_low, inner_high) = twin.image(c, -0.4, 1.3, bits=bits)
        (fine_low, fine_high), (held_low, held_high) = twin.image(c, -0.4, 1.3)
        assert low <= held_low
        assert high >= held_high
        assert inner_low >= fine_low
        assert inner_high <= fine_high
        assert max(inner_low - low, high - inner_high) <= Fraction(1, 2**bits)


def test_positive() -> None:
    assert twin.positive(TAYLOR[3], 1.7)
    assert not twin.positive(TAYLOR[3], 1.8)  # sqrt(3) = 1.732
    assert not twin.positive((1.0, -1.0), 1)  # 0 at 1 itself
    assert twin.positive((1.0, -1.0), down(1.0))
    assert not twin.positive((1.0, -2.0, 1.0), 2)  # (1 - x^2)^2 touches 0
    assert not twin.positive((0.0,), 1)
    assert not twin.positive((-1.0, 0.5), 0.1)
    assert twin.positive((0.0, 1.0), 1)  # x^3


# compositions


def test_published_table() -> None:
    for steps, printed in ((5, 0.1236), (6, 0.00118), (7, 1.0e-9)):
        at_least, at_most = twin.sup_error_bounds(polar_express.PUBLISHED[:steps], 1e-3, 1.0)
        assert at_least <= at_most <= up(at_least)
        assert at_most == pytest.approx(printed, rel=5e-2 if steps == 7 else 5e-3)
        dense = twin.dense_error(polar_express.PUBLISHED[:steps], 1e-3, 1.0, 200_000)
        # float64: 2^-53 times an amplification below 60, and the slopes of the steps after
        assert dense <= at_most + 1e-12
        # 1e5 geometric points, so a maximum is missed by (7e-5)^2/8 times a curvature in log x below 100
        assert dense >= at_least * (1 - 1e-6) - 1e-12


@pytest.mark.parametrize("p", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("lower", "degrees"), [(1e-3, (5,) * 5), (1e-8, (9, 3, 5)), (0.1, (3, 17, 7)), (0.3, (3, 3, 5))]
)
def test_composed_minimax(lower: float, degrees: tuple[int, ...], p: int) -> None:
    polynomials = floats(lower, degrees, p)
    stage = composition.composition(lower, 1, degrees, p=p, dps=30)[-1]
    at_least, at_most = twin.sup_error_bounds(polynomials, lower, 1.0, p=p)
    assert at_least <= at_most <= up(at_least)
    # coefficients of size up to 1e7 (p = 1, degree 17), rounded
    assert abs(at_most - float(stage.error)) < 1e-8
    # no composition of these degrees has a smaller error: not even the rounded one
    with mp.workdps(30):
        assert mp.mpf(at_most) >= stage.error
    dense = twin.dense_error(polynomials, lower, 1.0, 40_000, p=p)
    assert dense <= at_most + 1e-8
    assert dense >= at_least - 1e-8 - 1e-4 * at_least


def test_ten_steps_of_degree_17() -> None:
    at_least, at_most = twin.sup_error_bounds(floats(1e-5, (17,) * 4) + [TAYLOR[17]] * 6, 1e-5, 1.0)
    # the Taylor polynomial has the exact fixed point 1, and what is left is the grid of the carried ends
    assert at_least == 0.0
    assert 0 < at_most < 2.0 ** -(twin.BITS - 2)


def test_more_bits_resolve_what_the_grid_hides() -> None:
    steps = [TAYLOR[3]] * 8
    coarse = twin.sup_error_bounds(steps, 0.9, 1)
    fine = twin.sup_error_bounds(steps, 0.9, 1, bits=900)
    error = Fraction(0.9)
    for _ in steps:
        error = error * (3 - error * error) / 2
    exact = float(1 - error)
    assert coarse[0] == 0.0 < exact < coarse[1]
    assert fine[0] <= exact <= fine[1] <= up(fine[0])


def test_defective_list() -> None:
    first, *others = DEFECTIVE
    assert not twin.positive(first, 1)
    # the zero is 0.88370, printed as 0.884
    assert twin.positive(first, 0.8836)
    assert not twin.positive(first, 0.8837)
    assert all(twin.positive(c, 1) for c in others)
    assert twin.roots(first, 0, 0.5, 1) == 1
    at_least, at_most = twin.sup_error_bounds(DEFECTIVE, 0, 1)
    assert at_least <= at_most <= up(at_least)
    # printed as 2.08
    assert at_most == pytest.approx(2.0844, abs=1e-4)
    assert twin.dense_error(DEFECTIVE, 0.0, 1.0, 200_000) == pytest.approx(at_most, rel=1e-6)
    # below the zero it is an ordinary list
    inside = twin.sup_error_bounds(DEFECTIVE, 0.05, 0.7)[1]
    assert inside < 0.02
    assert twin.dense_error(DEFECTIVE, 0.05, 0.7, 200_000) == pytest.approx(inside, rel=1e-6)


@pytest.mark.parametrize("step", [0, 2, 4])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_changed_digit_is_seen(step: int, index: int) -> None:
    claimed = twin.sup_error_bounds(polar_express.PUBLISHED[:5], 1e-3, 1.0)[1]
    for factor in (1 + 1e-9, 1 - 1e-9):
        mutated = [list(c) for c in polar_express.PUBLISHED[:5]]
        mutated[step][index] *= factor
        at_least, at_most = twin.sup_error_bounds(mutated, 1e-3, 1.0)
        assert not at_least <= claimed <= at_most
    flipped = [list(c) for c in polar_express.PUBLISHED[:5]]
    flipped[step][index] *= -1
    # beyond all floats where the middle sign is the one that changes
    assert twin.sup_error_bounds(flipped, 1e-3, 1.0)[0] > 1


def test_bounds_are_floats_on_either_side() -> None:
    third = Fraction(1, 3)
    at_least, at_most = twin.sup_error_bounds([(third,)], 1, 1)  # |1 - 1/3|, which is no float
    assert Fraction(at_least) < Fraction(2, 3) < Fraction(at_most)
    assert at_most == up(at_least)
    assert twin.sup_error_bounds([], 0.25, 1.5) == (0.75, 0.75)
    assert twin.sup_error_bounds([(1.0,)], -1, 0.5) == (2.0, 2.0)


def intervals(coefficients: Any, low: Any, high: Any) -> tuple[Any, Any]:
    """f on many float intervals at once, 0 <= low: mean value form, each operation rounded outwards."""

    def out(a: Any, b: Any) -> tuple[Any, Any]:
        return np.nextafter(a, -np.inf), np.nextafter(b, np.inf)

    def times(a: Any, b: Any) -> tuple[Any, Any]:
        products = [a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1]]
        return out(np.minimum.reduce(products), np.maximum.reduce(products))

    def plus(a: Any, b: Any) -> tuple[Any, Any]:
        return out(a[0] + b[0], a[1] + b[1])

    def at(c: Any, y: Any) -> tuple[Any, Any]:
        value = (np.full_like(y[0], c[-1]), np.full_like(y[0], c[-1]))
        for v in reversed(c[:-1]):
            value = plus(times(value, y), (v, v))
        return value

    x, middle = (low, high), (low + high) / 2
    slopes = [out((2 * i + 1) * c, (2 * i + 1) * c) for i, c in enumerate(coefficients)]
    y = times(x, x)
    slope = (np.full_like(low, slopes[-1][0]), np.full_like(low, slopes[-1][1]))
    for v in reversed(slopes[:-1]):
        slope = plus(times(slope, y), v)
    centre = (middle, middle)
    value = times(centre, at(coefficients, times(centre, centre)))
    return plus(value, times(slope, out(low - middle, high - middle)))


@pytest.mark.parametrize("degrees", [(5, 5, 5), (3, 9, 5), (9, 9)])
def test_interval_arithmetic_is_of_the_same_opinion(degrees: tuple[int, ...]) -> None:
    lower, pieces = 1e-2, 100_000
    polynomials = floats(lower, degrees)
    ends = np.geomspace(lower, 1.0, pieces + 1)
    ends[0], ends[-1] = lower, 1.0
    low, high = ends[:-1], ends[1:]
    for c in polynomials:
        low, high = intervals(c, low, high)
    rigorous = float(max(np.max(1 - low), np.max(high - 1)))
    at_least, at_most = twin.sup_error_bounds(polynomials, lower, 1.0)
    # an upper bound that shares nothing with Sturm's; its slack is the square of a piece, 5e-5 of x, times
    # curvatures of up to 1e3 (degree 9), times the slopes of later steps
    assert at_least <= rigorous
    assert rigorous - at_most < 1e-2
