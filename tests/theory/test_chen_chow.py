"""Scaled Newton-Schulz: optimal scale, the root that is its cap, and the cubic minimax map rescaled."""

import numpy as np
import pytest
from mpmath import mp

from theory import chen_chow as twin
from theory import polar_express
from theory.scalar import residual_norm


def ns3(x: float) -> float:
    return x * (3 - x * x) / 2


def test_cap_is_the_root_in_print() -> None:
    with mp.workdps(30):
        root = twin.cap()
        assert abs(ns3(root) - mp.mpf("0.1")) < mp.mpf(10) ** -28
        assert abs(root - mp.mpf(twin.CAP)) < 5e-12  # 11 decimals in print
        # the lower end it belongs to, Chen and Chow's tangent formula
        low = (mp.sqrt(3) * mp.tan(mp.acos(-mp.mpf("0.1")) / 3) - 1) / 2
        assert abs(mp.sqrt(3 / (1 + low + low**2)) - root) < mp.mpf(10) ** -28
        assert abs(low - polar_express.cushion_constant(3)) < mp.mpf(10) ** -25


@pytest.mark.parametrize("lower", [0.05, 0.3, 0.9])
def test_scale_is_the_best_one(lower: float) -> None:
    (alpha, _), (_, after) = twin.schedule(2, lower)
    for a in np.linspace(1.0, 1.7, 2001):
        assert min(ns3(a * lower), ns3(a)) <= float(after) + 1e-15
    assert float(alpha) == pytest.approx((3 / (1 + lower + lower**2)) ** 0.5, rel=1e-15)


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_interval_and_bound(options: dict[str, float]) -> None:
    s = start = np.concatenate([[options["lower"]], np.linspace(options["lower"], 1.0, 501)])
    ends = [end for _, end in twin.schedule(12, **options)]
    for step in range(11):
        s = twin.next_spectrum(s, step, **options)
        bound = twin.residual_bound(start, step + 1, **options)
        # the smallest value is the carried lower end; both sides to rounding of 1 - sigma^2
        assert s.min() == pytest.approx(float(ends[step + 1]), rel=1e-14)
        assert s.max() <= 1.0
        assert residual_norm(s) == pytest.approx(bound, rel=1e-12, abs=4e-16)


def test_same_as_minimax_cubic_up_to_scale() -> None:
    # uncapped from the start: 1 - l_t = 2E/(1 + E)
    lower = 0.05
    stages = polar_express.composition(lower, 6, 3)
    with mp.workdps(50):
        for stage, (_, end) in zip(stages, twin.schedule(7, lower)[1:], strict=True):
            assert abs((1 - end) / (2 * stage.error / (1 + stage.error)) - 1) < mp.mpf(10) ** -25


def test_ten_steps_from_one_thousandth() -> None:
    # the figure in print, 7.04e-6 without the cap, is 2E/(1 + E) of the cubic minimax composition
    error = polar_express.composition(1e-3, 10, 3)[-1].error
    assert float(2 * error / (1 + error)) == pytest.approx(7.04e-6, rel=1e-3)


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_region_is_sharp(options: dict[str, float]) -> None:
    upper = twin.region(**options)[1]
    s = np.array([options["lower"] / 50, options["lower"], 0.7, 1.0, upper - 1e-9, upper + 1e-9])
    for step in range(80):
        s = twin.next_spectrum(s, step, **options)
    assert s.tolist() == [1.0] * 5 + [-1.0]
    assert twin.converges(**options)
    assert twin.price(0, **options) == {"gram": 1, "symm": 0, "apply": 1, "thin": 0}
