"""Newton's iteration with a fitted parameter: expansion, exact fit, monotone residual, and convergence."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import newton
from theory import prism_newton as twin
from theory.scalar import horner


def test_parts_are_an_exact_identity() -> None:
    for i in range(1, 5):
        for j in range(4):
            m, a = Fraction(i, 3), Fraction(j, 3)
            e = twin.parts(m)
            assert horner(e, a) == ((1 - a) * m + a) ** 2 / m - 1
            assert horner(e, Fraction(1, 2)) == (m - 1) ** 2 / (4 * m)


@pytest.mark.parametrize("m", ["0.001", "0.3", "2", "5000"])
def test_single_eigenvalue(m: str) -> None:
    with mp.workdps(40):
        value = mp.mpf(m)
        root = mp.sqrt(value)
        assert abs(twin.fit([value]) - root / (1 + root)) < mp.mpf(10) ** -30
    (x,) = twin.next_spectrum(np.array([float(m) ** 0.5]), 0, scaling="none", interval=twin.WHOLE)
    assert x == pytest.approx(1.0, abs=1e-15)


def test_fit_is_the_minimiser() -> None:
    rng = np.random.default_rng(2)
    grid = np.linspace(0, 1, 4001)
    for _ in range(40):
        m = 10 ** rng.uniform(-2, 1, int(rng.integers(1, 7)))
        w = rng.chisquare(3, len(m))
        a = float(twin.fit([mp.mpf(float(v)) for v in m], [mp.mpf(float(v)) for v in w]))

        def objective(t: float, m: Any = m, w: Any = w) -> float:
            return float(w @ (((1 - t) * m + t) ** 2 / m - 1) ** 2)

        least = min(objective(float(t)) for t in grid)
        assert objective(a) <= least * (1 + 1e-12) + 1e-15
    assert twin.fit([mp.mpf(1)] * 3) == 0.5
    # in the end it is Newton's own step
    assert float(twin.fit([mp.mpf(1) + 1e-9, mp.mpf(1) - 2e-9])) == pytest.approx(0.5, abs=1e-8)


def test_residual_never_grows_without_a_scale() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        start = s = 10 ** rng.uniform(-2, 1, int(rng.integers(1, 7)))
        for step in range(25):
            after = twin.next_spectrum(s, step, scaling="none", interval=twin.WHOLE)
            size, plain = np.linalg.norm(1 - s**2), np.linalg.norm(1 - newton.next_spectrum(s, step) ** 2)
            # rounding of a value next to 1
            assert np.linalg.norm(1 - after**2) <= min(size, plain) * (1 + 1e-12) + 2e-15
            s = after
            bound = twin.residual_bound(start, step + 1, scaling="none", interval=twin.WHOLE)
            assert bound is not None
            assert np.linalg.norm(1 - s**2) <= bound * (1 + 1e-12) + 2e-15
        assert np.max(np.abs(s - 1)) <= 1e-15
    assert twin.residual_bound(start, 1) is None


@pytest.mark.parametrize(("kappa", "steps"), [(10.0, 5), (1e3, 6), (1e6, 8)])
def test_scaled_convergence(kappa: float, steps: int) -> None:
    s = plain = np.geomspace(1 / kappa, 1, 20)
    for step in range(steps):
        classical = newton.next_spectrum(s, step, scaling="frobenius")
        s = twin.next_spectrum(s, step)
        plain = newton.next_spectrum(plain, step, scaling="frobenius")
        assert np.linalg.norm(1 - s**2) <= np.linalg.norm(1 - classical**2) * (1 + 1e-12) + 2e-15
    assert np.max(np.abs(s - 1)) <= 1e-14
    assert np.max(np.abs(plain - 1)) >= np.max(np.abs(s - 1))


def test_price_and_region() -> None:
    assert {k: v for k, v in twin.price(0).items() if v} == {"gram": 1, "solve": 1, "apply": 3}
    assert {k: v for k, v in twin.price(0, sketch=True).items() if v} == {"gram": 1, "solve": 1, "thin": 4}
    assert twin.region() == (0.0, np.inf)
    assert twin.converges()
