"""Zolotarev's functions: alternation, QDWH and Padé as special cases, composition, and the counts in print."""

from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import pade, qdwh
from theory import zolotarev as twin
from theory.scalar import residual_norm


@pytest.mark.parametrize("terms", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("lower", [1e-16, 1e-4, 0.1, 0.9])
def test_alternation(lower: float, terms: int) -> None:
    with mp.workdps(60):
        f, low = twin.stage(mp.mpf(lower), terms), mp.mpf(lower)
        assert abs(f(mp.mpf(1)) - 1) < mp.mpf(10) ** -55
        least = f(low)
        # turning points: x = low / dn(i K'/(2r + 1); l'), where f is 1 and f(low) in turn
        digits = 60 + 2 * int(-mp.log10(low))
        with mp.workdps(digits):
            m = 1 - low * low
            quarter = mp.ellipk(m)
            points = [low / mp.ellipfun("dn", i * quarter / (2 * terms + 1), m=m) for i in range(2 * terms + 2)]
        values = [f(x) for x in points]
        tolerance = mp.mpf(10) ** -50
        assert abs(points[-1] - 1) < tolerance
        for i, value in enumerate(values):
            assert abs(value - (1 if i % 2 else least)) < tolerance
        assert points == sorted(points)
        for k in range(300):
            assert least - tolerance <= f(low ** (mp.mpf(k) / 299)) <= 1 + tolerance
        # interlacing and signs, on which the factorisations rest
        order = [c for pair in zip(f.odds, f.evens, strict=True) for c in pair]
        assert order == sorted(order)
        assert order[0] > 0


@pytest.mark.parametrize("lower", [1e-16, 1e-8, 1e-3, 0.3, 0.99])
def test_one_term_is_qdwh(lower: float) -> None:
    with mp.workdps(60):
        f, g = twin.stage(mp.mpf(lower), 1), qdwh.weights(lower)
        constant, (weight,), (shift,) = twin.partial_fractions(f)
        for a, b in zip((constant, weight, shift), qdwh.partial_fractions(g), strict=True):
            # the closed form of QDWH loses a third of the digits of 1 - l^2
            assert abs(a / b - 1) < mp.mpf(10) ** -50


@pytest.mark.parametrize("terms", [1, 2, 4, 8])
def test_lower_one_is_pade(terms: int) -> None:
    with mp.workdps(50):
        f = twin.stage(1, terms)
        (constant,), weights, shifts = pade.partial_fractions(terms, terms)
        got = twin.partial_fractions(f)
        assert abs(got[0] - mp.mpf(constant.numerator) / constant.denominator) < mp.mpf(10) ** -45
        for a, b in zip((*got[1], *got[2]), (*weights, *shifts), strict=True):
            assert abs(a / b - 1) < mp.mpf(10) ** -40


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize("lower", [1e-6, 0.05])
def test_composition_is_the_best_function_of_the_product_type(lower: float, first: int, second: int) -> None:
    size = ((2 * first + 1) * (2 * second + 1) - 1) // 2
    with mp.workdps(60):
        f = twin.stage(mp.mpf(lower), first)
        g = twin.stage(f(mp.mpf(lower)), second)
        whole = twin.stage(mp.mpf(lower), size)
        for x in (mp.mpf(lower), mp.mpf("1e-4"), mp.mpf("0.3"), mp.mpf("0.77"), mp.mpf(1), mp.mpf(3)):
            assert abs(g(f(x)) / whole(x) - 1) < mp.mpf(10) ** -50
        assert abs(1 - whole(mp.mpf(lower)) - twin.best_error(lower, size)) < mp.mpf(10) ** -50


def test_no_perturbation_does_better() -> None:
    rng = np.random.default_rng(2)
    lower, terms = 1e-3, 3
    with mp.workdps(60):
        f = twin.stage(mp.mpf(lower), terms)
        ratio = float(f(mp.mpf(lower)))
    odds, evens = (np.array([float(v) for v in c]) for c in (f.odds, f.evens))
    x = np.geomspace(lower, 1, 6001)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(200):
            p, z = (c * np.exp(size * rng.standard_normal(terms)) for c in (odds, evens))
            value = x * np.prod((x[:, None] ** 2 + z) / (x[:, None] ** 2 + p), axis=1)
            # a grid of this spacing in log x, 1.2e-3, misses extrema by less than (1.2e-3)^2
            assert value.min() / value.max() <= ratio * (1 + 2e-6)


def test_thresholds() -> None:
    # two steps to 1e-15; two digits in print
    two = {r: twin.threshold(r) for r in range(1, 9)}
    printed = {2: 7.3, 3: 1.84e2, 4: 1.38e4, 5: 3.02e6, 6: 1.94e9, 7: 3.69e12, 8: 2.05e16}
    for r, value in printed.items():
        assert two[r] == pytest.approx(value, rel=5e-3)
    for r, value in {2: 1.005, 4: 1.147, 8: 2.573}.items():
        assert twin.threshold(r, 1) == pytest.approx(value, abs=5e-4)
    # one step of type 9 is two steps of type 3
    assert twin.threshold(4, 1) == pytest.approx(twin.threshold(1), rel=1e-10)
    for r in range(1, 9):
        assert twin.steps_to(1 / two[r] * (1 + 1e-9), terms=r) == 2
        assert twin.steps_to(1 / two[r] * (1 - 1e-9), terms=r) == 3


def test_terms_for() -> None:
    for kappa in np.geomspace(1.01, 1e16, 12):
        r = twin.terms_for(1 / kappa)
        assert twin.steps_to(1 / kappa, terms=r) <= 2
        assert r == 1 or twin.steps_to(1 / kappa, terms=r - 1) > 2
    assert twin.terms_for(1e-16) == 8
    assert twin.terms_for(1e-16, tolerance=4e-3) == 4
    # the published choice of r at its thresholds: 6.5, 180, 2e6, 1e9, 3e12 are safe, 1.5e4 for r = 4 is not
    assert [twin.terms_for(1 / k) for k in (6.5, 180, 2e6, 1e9, 3e12)] == [2, 3, 5, 6, 7]
    assert twin.terms_for(1 / 1.5e4) == 5


@pytest.mark.parametrize(
    ("kappa", "counts"),
    [
        (1e2, [4, 3, 2, 2, 2, 2, 2, 2]),
        (1e3, [4, 3, 3, 2, 2, 2, 2, 2]),
        (1e5, [5, 3, 3, 3, 2, 2, 2, 2]),
        (1e7, [5, 4, 3, 3, 3, 2, 2, 2]),
        (1e12, [5, 4, 3, 3, 3, 3, 2, 2]),
        (1e16, [6, 4, 3, 3, 3, 3, 3, 2]),
    ],
)
def test_steps_in_print(kappa: float, counts: list[int]) -> None:
    assert [twin.steps_to(1 / kappa, terms=r) for r in range(1, 9)] == counts


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_bound_is_attained_and_price(options: dict[str, Any]) -> None:
    lower = options["lower"]
    start = np.geomspace(lower, 1, 30)
    start[0], start[-1] = lower, 1.0
    with mp.workdps(50):
        s = np.array([mp.mpf(float(v)) for v in start], dtype=object)
        for step in range(3):
            s = twin.next_spectrum(s, step, **options)
            bound = twin.residual_bound(start, step + 1, **options)
            assert residual_norm(s) == pytest.approx(bound, rel=1e-12, abs=1e-45)
            price = twin.price(step, **options)
            assert price["qr"] + price["cholesky"] == options["terms"]
            assert price["qr"] == sum(float(c) < 0.01 for c in twin.schedule(step + 1, **options)[step][0].odds)
    assert twin.residual_bound(np.array([lower / 2, 1]), 1, **options) is None
    assert twin.region(**options) == (0.0, np.inf)
    assert twin.converges(**options)
    outside = np.array([lower * 1e-4, 30.0])
    for step in range(30):
        outside = twin.next_spectrum(outside, step, **options)
    assert np.max(np.abs(outside - 1)) <= 2.0**-52


def test_smallest_shift_in_the_limit() -> None:
    assert [twin.price(2, lower=1e-3, terms=r)["qr"] for r in (6, 7, 8)] == [0, 0, 1]
    assert twin.price(0, lower=1e-16, terms=8)["qr"] == 8
    assert twin.price(1, lower=1e-16, terms=8)["qr"] == 1


@pytest.mark.parametrize("lower", [1e-16, 0.2])
def test_partial_fractions(lower: float) -> None:
    with mp.workdps(60):
        f = twin.stage(mp.mpf(lower), 5)
        constant, weights, shifts = twin.partial_fractions(f)
        assert all(w > 0 for w in weights)
        for x in (mp.mpf(lower), mp.mpf("0.01"), mp.mpf("0.4"), mp.mpf(2)):
            h = constant + sum(w / (x * x + s) for w, s in zip(weights, shifts, strict=True))
            assert abs(x * h / f(x) - 1) < mp.mpf(10) ** -50
