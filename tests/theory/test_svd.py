"""The singular value decomposition as a rule."""

import numpy as np
import pytest

from theory import svd as twin


def test_one_step_is_enough() -> None:
    sigmas = np.array([1e-300, 1e-3, 0.0, 1.0, 7.0])
    s = twin.next_spectrum(sigmas, 0)
    assert s.tolist() == [1.0] * 5
    assert twin.residual_bound(sigmas, 1) == 0.0
    assert twin.residual_bound(sigmas, 0) == 48.0
    assert twin.region() == (0.0, np.inf)
    assert twin.converges()


def test_polish_squares_what_is_left() -> None:
    for e in (1e-3, -1e-3, 1e-6):
        (x,) = twin.next_spectrum(np.array([1 + e]), 1)
        # p(1 + e) = 1 - 3 e^2/2 - e^3/2, rounded once
        assert x - 1 == pytest.approx(-1.5 * e * e - 0.5 * e**3, abs=2.0**-53)


def test_price() -> None:
    assert twin.price(0) == {"gram": 1, "svd": 1, "apply": 1}
    assert twin.price(1) == {"gram": 1, "symm": 0, "apply": 1, "thin": 0}
