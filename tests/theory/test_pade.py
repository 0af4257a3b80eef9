"""Padé iterations: the defining system against closed forms, exact identities, positivity, and sharp regions."""

from fractions import Fraction
from math import comb, factorial
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import halley, newton_schulz, rational
from theory import pade as twin
from theory.inverse_root import residual_norm
from theory.scalar import horner

PAIRS = [(o["numerator"], o["denominator"]) for o in twin.OPTIONS]

POWERS = (2, 3, 4, 8)


def rising(a: Fraction, k: int) -> Fraction:
    value = Fraction(1)
    for i in range(k):
        value *= a + i
    return value


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize(("top", "bottom"), [*PAIRS, (3, 1), (5, 5)])
def test_hypergeometric_closed_form(top: int, bottom: int, p: int) -> None:
    a = Fraction(1, p)
    numerator, denominator = twin.coefficients(top, bottom, p)
    for got, n, b in ((numerator, top, a - bottom), (denominator, bottom, -a - top)):
        # 2F1(-n, b; -l - m; r)
        want = [
            rising(Fraction(-n), k) * rising(b, k) / rising(Fraction(-top - bottom), k) / factorial(k)
            for k in range(n + 1)
        ]
        assert list(got) == want


def test_textbook_maps() -> None:
    table = {
        (0, 1): ((2,), (1, 1)),
        (1, 1): ((3, 1), (1, 3)),
        (1, 2): ((4, 4), (1, 6, 1)),
        (2, 1): ((15, 10, -1), (4, 20)),
        (2, 2): ((5, 10, 1), (1, 10, 5)),
    }
    for (l, m), (top, bottom) in table.items():  # noqa: E741
        numerator, denominator = twin.coefficients(l, m)
        for x in range(1, 8):
            g = Fraction(x, 5)
            assert horner(numerator, 1 - g) / horner(denominator, 1 - g) == Fraction(horner(top, g)) / horner(bottom, g)


@pytest.mark.parametrize("degree", [3, 5, 7])
def test_denominator_zero_is_newton_schulz(degree: int) -> None:
    numerator, denominator = twin.coefficients(degree // 2, 0)
    assert list(denominator) == [1]
    assert tuple(rational.reflected(numerator)) == newton_schulz.taylor(degree)


@pytest.mark.parametrize(("top", "bottom"), [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (4, 4)])
def test_cayley_identity_is_exact(top: int, bottom: int) -> None:
    numerator, denominator = twin.coefficients(top, bottom)
    order = twin.order(top, bottom)
    for k in range(1, 2 * order + 2):  # more points than the degree of the identity
        x = Fraction(k, 4)
        r = 1 - x * x
        moved = x * horner(numerator, r) / horner(denominator, r)
        assert (1 - moved) / (1 + moved) == ((1 - x) / (1 + x)) ** order


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize(("top", "bottom"), PAIRS)
def test_next_residual_has_positive_coefficients_of_sum_one(top: int, bottom: int, p: int) -> None:
    numerator, denominator = twin.coefficients(top, bottom, p)
    above = rational.multiply((1, -1), rational.power(numerator, p))
    below = rational.power(denominator, p)
    length = top + bottom + 12
    series: list[Fraction] = []
    for k in range(length):  # 1 - above/below as a power series
        value = (below[k] if k < len(below) else 0) - (above[k] if k < len(above) else 0)
        value -= sum(below[j] * series[k - j] for j in range(1, min(k, len(below) - 1) + 1))
        series.append(Fraction(value))
    order = twin.order(top, bottom)
    assert all(c == 0 for c in series[:order])
    assert all(c > 0 for c in series[order:])
    # r' = 1 at r = 1, and dr'/dr = c r^(l + m) P^(p-1)/Q^(p+1)
    assert horner(above, Fraction(1)) == 0
    assert sum(series) < 1
    inner = [
        horner(numerator, r) * horner(denominator, r)
        - p
        * (1 - r)
        * (
            horner([i * c for i, c in enumerate(numerator)][1:] or [Fraction(0)], r) * horner(denominator, r)
            - horner(numerator, r) * horner([i * c for i, c in enumerate(denominator)][1:], r)
        )
        for r in (Fraction(1, 3), Fraction(-2), Fraction(5))
    ]
    constants = {
        v / r ** (top + bottom) for v, r in zip(inner, (Fraction(1, 3), Fraction(-2), Fraction(5)), strict=True)
    }
    assert len(constants) == 1
    assert constants.pop() > 0


@pytest.mark.parametrize("p", [2, 3])
@pytest.mark.parametrize(("top", "bottom"), PAIRS)
def test_partial_fractions(top: int, bottom: int, p: int) -> None:
    whole, weights, shifts = twin.partial_fractions(top, bottom, p)
    assert len(shifts) == bottom
    assert len(whole) == max(1, top - bottom + 1)
    assert all(s > 0 for s in shifts)
    assert all(w > 0 for w in weights)
    numerator, denominator = twin.coefficients(top, bottom, p)
    with mp.workdps(50):
        for g in ("0.001", "0.3", "1", "7"):
            value = mp.mpf(g)
            h = sum(mp.mpf(c.numerator) / c.denominator * value**i for i, c in enumerate(whole))
            h += sum(w / (value + s) for w, s in zip(weights, shifts, strict=True))
            r = 1 - value
            exact = [
                sum(mp.mpf(c.numerator) / c.denominator * r**i for i, c in enumerate(v))
                for v in (numerator, denominator)
            ]
            assert abs(h - exact[0] / exact[1]) < mp.mpf(10) ** -45
        if p == 2 and top in (bottom - 1, bottom):
            k = top + bottom + 1
            for j, s in enumerate(shifts):
                assert abs(s - mp.tan((2 * j + 1) * mp.pi / (2 * k)) ** 2) < mp.mpf(10) ** -44 * (1 + s)


@pytest.mark.parametrize("p", [2, 3, 4])
@pytest.mark.parametrize("options", twin.OPTIONS)
def test_bound_holds_and_is_not_vacuous(options: dict[str, int], p: int) -> None:
    start = np.linspace(0.8, 1.0, 9)
    order = twin.order(**options)
    with mp.workdps(400):
        s = np.array([mp.mpf(float(v)) for v in start], dtype=object)
        least = residual_norm(start, p)
        for k in (1, 2):
            s = twin.next_spectrum(s, k - 1, p=p, **options)
            true = float(max(abs(1 - x**p) for x in s))
            bound = twin.residual_bound(start, k, p=p, **options)
            assert bound is not None
            assert true <= bound * (1 + 1e-12)
            # r' >= c r^order with c the first coefficient of the series: 1/4 per order is far below it
            assert true >= (least / 4) ** (order**k)
            if p == 2 and options["numerator"] <= options["denominator"]:
                assert true == pytest.approx(bound, rel=1e-12)  # the identity
    outside = np.array([0.5, 3.0])
    bound = twin.residual_bound(outside, 3, **options)
    if options["numerator"] > options["denominator"]:
        assert bound is None
    else:
        for step in range(3):
            outside = twin.next_spectrum(outside, step, **options)
        assert bound is not None
        # a float64 value next to 1 has a residual that is a multiple of its spacing
        assert residual_norm(outside, 2) == pytest.approx(bound, rel=1e-9, abs=4.5e-16)


def run(start: float, steps: int, options: dict[str, int], p: int) -> Any:
    with mp.workdps(60):
        s = np.array([mp.mpf(start)], dtype=object)
        for step in range(steps):
            s = twin.next_spectrum(s, step, p=p, **options)
            if abs(s[0]) > 1e30:
                break
        return float(s[0])


@pytest.mark.parametrize("p", [2, 3, 4])
@pytest.mark.parametrize("options", [*twin.OPTIONS, {"numerator": 3, "denominator": 1}])
def test_region(options: dict[str, int], p: int) -> None:
    upper = twin.region(p=p, **options)[1]
    order = twin.order(**options)
    for start in (1e-4, 0.3, 1.7, min(upper - 1e-9, 1e3)):
        # a small value grows by at least the slope h(1) >= 1 + 1/p in each step
        assert run(start, 160, options, p) == pytest.approx(1.0, abs=1e-15)
    if options["numerator"] <= options["denominator"]:
        assert upper == np.inf
    else:
        outside = run(upper + 1e-9, 160, options, p)
        assert outside < 0 if order % 2 == 0 else outside > upper


def test_region_in_print() -> None:
    assert twin.region(numerator=2, denominator=1)[1] == pytest.approx((5 + 40**0.5) ** 0.5, rel=1e-15)
    assert twin.converges(numerator=2, denominator=1)
    assert twin.region(numerator=1, denominator=0)[1] == pytest.approx(3**0.5, rel=1e-15)
    assert twin.region(numerator=2, denominator=0)[1] == pytest.approx((7 / 3) ** 0.5, rel=1e-15)


def test_p_equal_to_one_is_exact() -> None:
    assert twin.next_spectrum(np.array([0.3, 5.0]), 0, numerator=2, denominator=2, p=1).tolist() == [1.0, 1.0]


def test_price() -> None:
    prices = [twin.price(0, **o) for o in twin.OPTIONS]
    assert [p["cholesky"] for p in prices] == [1, 1, 2, 1, 2, 3, 4]
    assert [p["apply"] for p in prices] == [0, 0, 0, 1, 0, 0, 0]
    assert all(p["gram"] == 1 and p["qr"] == p["solve"] == p["thin"] == p["symm"] == 0 for p in prices)
    # tan^2(pi/34) < 1/100
    assert twin.price(0, numerator=8, denominator=8)["qr"] == 1


def test_order_seventeen_is_zolotarevs_limit() -> None:
    # (1 + x)^17 -+ (1 - x)^17 give the coefficients
    numerator = rational.reflected(twin.coefficients(8, 8)[0])
    ratios = {numerator[i] / comb(17, 2 * i + 1) for i in range(9)}
    assert len(ratios) == 1


def test_halley() -> None:
    s = np.array([1e-6, 0.2, 1.0, 30.0])
    got = halley.next_spectrum(s, 0)
    assert got == pytest.approx(s * (3 + s**2) / (1 + 3 * s**2), rel=1e-15)
    assert halley.next_spectrum(s, 0, p=3) == pytest.approx(s * (2 + s**3) / (1 + 2 * s**3), rel=1e-15)
    assert {k: v for k, v in halley.price(3).items() if v} == {"gram": 1, "cholesky": 1}
    assert halley.region() == halley.region(p=3) == (0.0, np.inf)
    assert halley.residual_bound(np.array([0.5]), 1) == pytest.approx(1 - (0.5 * 3.25 / 1.75) ** 2, rel=1e-14)
    assert halley.converges()


@pytest.mark.parametrize(("kappa", "steps"), [(10, 5), (1e2, 7), (1e4, 11), (1e8, 20), (1e16, 37)])
def test_halley_steps_in_print(kappa: float, steps: int) -> None:
    s = np.array([1 / mp.mpf(kappa), mp.mpf(1)], dtype=object)
    with mp.workdps(50):
        for step in range(steps):
            assert max(abs(1 - x) for x in s) > 1e-15
            s = halley.next_spectrum(s, step)
        assert max(abs(1 - x) for x in s) <= 1e-15
