"""Scaled Newton: the exact identity, the best scale by brute force, and the step counts in print."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import newton as twin
from theory import pade


def test_identity_in_fractions() -> None:
    x = start = Fraction(3, 17)
    for k in range(1, 6):
        x = (x + 1 / x) / 2
        assert (x - 1) / (x + 1) == ((start - 1) / (start + 1)) ** (2**k)


def test_iterates_are_reciprocals_of_those_of_the_pade_map() -> None:
    with mp.workdps(40):
        newton = inverse = np.array([mp.mpf("0.03"), mp.mpf("0.7"), mp.mpf(5)], dtype=object)
        for step in range(6):
            newton = twin.next_spectrum(newton, step)
            inverse = pade.next_spectrum(inverse, step, numerator=0, denominator=1)
            assert all(abs(a * b - 1) < mp.mpf(10) ** -36 for a, b in zip(newton, inverse, strict=True))


@pytest.mark.parametrize("scaling", ["one-inf", "frobenius", "determinant"])
def test_scales_of_a_diagonal_matrix(scaling: str) -> None:
    s = np.array([0.02, 0.3, 0.7, 4.0])
    x, y = np.diag(s), np.diag(1 / s)
    want = {
        "one-inf": (
            np.linalg.norm(y, 1) * np.linalg.norm(y, np.inf) / (np.linalg.norm(x, 1) * np.linalg.norm(x, np.inf))
        )
        ** 0.25,
        "frobenius": (np.linalg.norm(y) / np.linalg.norm(x)) ** 0.5,
        "determinant": np.linalg.det(x) ** (-1 / 4),
    }[scaling]
    assert float(twin.scale([mp.mpf(v) for v in s], 0, scaling=scaling)) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("scaling", ["one-inf", "frobenius"])
def test_scale_is_the_best_of_its_kind(scaling: str) -> None:
    s = np.array([0.02, 0.3, 0.7, 4.0])
    measure: Any = {"one-inf": np.max, "frobenius": np.linalg.norm}[scaling]
    least = measure(twin.next_spectrum(s, 0, scaling=scaling))
    for mu in np.geomspace(0.01, 100, 4001):
        assert measure((mu * s + 1 / (mu * s)) / 2) >= least * (1 - 1e-14)


@pytest.mark.parametrize("scaling", ["one-inf", "frobenius", "determinant"])
def test_scaling_stops_near_one(scaling: str) -> None:
    for size, scaled in ((0.0040, False), (0.0080, True)):  # Frobenius norms 0.8 and 1.6 per cent
        s = [mp.mpf(1), mp.mpf(1) - size]
        assert (twin.scale(s, 3, scaling=scaling) != 1) is scaled
    with pytest.raises(ValueError, match="scaling"):
        twin.scale([mp.mpf(2)], 0, scaling="nonsense")


@pytest.mark.parametrize("lower", [1e-1, 1e-4, 1e-16])
def test_byers_xu_scales_are_the_best_for_the_interval(lower: float) -> None:
    with mp.workdps(60):
        low, high = mp.mpf(lower), mp.mpf(1)
        before = high
        for step in range(9):
            mu = twin.byers_xu(9, lower)[step]
            assert abs(mu * mp.sqrt(low * high) - 1) < mp.mpf(10) ** -50
            low, high = twin.interval_image(mu * low, mu * high)
            if step:
                assert abs(twin.byers_xu(9, lower)[step] ** -2 - before) < mp.mpf(10) ** -40 * before
            before = high
            assert low == 1


@pytest.mark.parametrize(
    ("lower", "scaled", "plain"), [(1e-1, 5, 8), (1e-2, 6, 11), (1e-4, 7, 18), (1e-8, 8, 31), (1e-16, 9, 58)]
)
def test_steps_in_print(lower: float, scaled: int, plain: int) -> None:
    assert twin.steps_to(lower, 1e-15) == scaled
    assert twin.steps_to(lower, 1e-15, "none") == plain
    # the ends of the interval are the worst of the whole: a spectrum takes as many
    for options, count in (({"scaling": "byers-xu", "lower": lower}, scaled), ({"scaling": "none"}, plain)):
        s = np.array([mp.mpf(lower), *(mp.mpf(v) for v in np.geomspace(lower, 1, 9))], dtype=object)
        with mp.workdps(50):
            for step in range(count):
                assert max(abs(x - 1) for x in s) > 1e-15
                s = twin.next_spectrum(s, step, **options)
            assert max(abs(x - 1) for x in s) <= 1e-15


def test_nine_steps_for_every_condition_number() -> None:
    counts = [twin.steps_to(float(lower), 1e-15) for lower in np.geomspace(1e-16, 0.99, 60)]
    assert max(counts) == 9
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("options", twin.OPTIONS)
@pytest.mark.parametrize("kappa", [10.0, 1e3])
def test_bounds(options: dict[str, Any], kappa: float) -> None:
    start = np.geomspace(1 / kappa, 1, 7)
    s = start.astype(object)
    exact = options["scaling"] in ("none", "byers-xu")
    with mp.workdps(60):
        s = np.array([mp.mpf(float(v)) for v in start], dtype=object)
        for step in range(16):
            s = twin.next_spectrum(s, step, **options)
            true = float(max(abs(1 - x * x) for x in s))
            bound = twin.residual_bound(start, step + 1, **options)
            assert bound is not None
            assert true <= bound * (1 + 1e-12) + 1e-45
            # both ends are in the spectrum: equality, as far as 60 digits see it
            if exact and true > 1e-40:
                assert true == pytest.approx(bound, rel=1e-12)
            elif options["scaling"] == "one-inf" and step < 3:
                assert true >= 0.2 * bound
        assert true < 1e-15
    assert twin.region(**options) == (0.0, np.inf)
    assert twin.converges(**options)


def test_extreme_spectra_converge() -> None:
    for options in twin.OPTIONS:
        s = np.array([1e-12, 1e-6, 0.5, 1.0, 3.0, 1e5])
        for step in range(50):
            s = twin.next_spectrum(s, step, **options)
        # the last roundings are those of f near its minimum 1
        assert np.max(np.abs(s - 1)) <= 2.0**-52


def test_norm_scalings_are_never_worse_than_none_after_the_first_step() -> None:
    rng = np.random.default_rng(3)
    for scaling in ("frobenius", "determinant", "one-inf"):
        for _ in range(30):
            s = 1 + 10 ** rng.uniform(-2, 3, int(rng.integers(1, 7)))
            s[0] = 1.0
            after = twin.next_spectrum(s, 1, scaling=scaling)
            assert after.max() <= (s.max() + 1 / s.max()) / 2 * (1 + 1e-15)


def test_price() -> None:
    for options in twin.OPTIONS:
        price = twin.price(0, **options)
        assert {k: v for k, v in price.items() if v} == {"gram": 1, "solve": 1}
