"""Muon's quintic: its band attracts, and nothing converges."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from theory import muon as twin
from theory.scalar import residual_norm


def p(x: float) -> float:
    return 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5


def test_turning_and_fixed_points_by_brute_force() -> None:
    first, second = twin.turning_points()
    # minimize_scalar stops at sqrt(eps) of the argument
    assert first == pytest.approx(
        minimize_scalar(lambda x: -p(x), bounds=(0.3, 0.8), method="bounded", options={"xatol": 1e-9}).x,
        abs=1e-7,
    )
    assert second == pytest.approx(
        minimize_scalar(p, bounds=(0.9, 1.3), method="bounded", options={"xatol": 1e-9}).x, abs=1e-7
    )
    low, high = twin.fixed_points()
    assert low == pytest.approx(brentq(lambda x: p(x) - x, 0.7, 0.9), rel=1e-11)
    assert high == pytest.approx(brentq(lambda x: p(x) - x, 1.2, 1.4), rel=1e-11)
    for x in (low, high):
        assert abs(3.4445 - 14.325 * x**2 + 10.1575 * x**4) > 1.5


def test_band_is_its_own_image_and_its_end_is_attained() -> None:
    low, high = twin.band()
    inside = p(np.linspace(low, high, 200001))
    # a grid of 2e5 points misses an extremum by less than 1e-9
    assert inside.min() == pytest.approx(low, abs=1e-9)
    assert inside.max() == pytest.approx(high, abs=1e-9)
    assert 1 - low == pytest.approx(0.3182, abs=5e-5)  # the figure in print
    assert p(1.0) == pytest.approx(0.701, abs=1e-12)
    assert twin.polynomials(2) == [twin.COEFFICIENTS] * 2


def test_every_start_of_the_region_enters_the_band() -> None:
    low, high = twin.band()
    upper = twin.region()[1]
    s = np.concatenate([np.geomspace(1e-6, 0.1, 40), np.linspace(0.1, upper - 1e-6, 200)])
    for step in range(40):
        s = twin.next_spectrum(s, step)
    assert s.min() >= low - 1e-12
    assert s.max() <= high + 1e-12
    # it does not converge: some are far from 1
    assert np.max(np.abs(s - 1)) > 0.25
    outside = np.array([upper + 1e-6])
    for step in range(15):
        outside = twin.next_spectrum(outside, step)
    assert outside[0] > 10
    assert not twin.converges()


def test_bound_holds_and_is_attained_by_an_interval() -> None:
    s = start = np.linspace(0.2, 1.0, 2001)
    for step in range(6):
        s = twin.next_spectrum(s, step)
        bound = twin.residual_bound(start, step + 1)
        true = residual_norm(s)
        assert bound is not None
        # slack: 2001 points fill the interval so densely that its image is filled to a tenth
        assert 0.9 * bound <= true <= bound * (1 + 1e-14)
    assert twin.price(0) == {"gram": 1, "symm": 1, "apply": 1, "thin": 0}
