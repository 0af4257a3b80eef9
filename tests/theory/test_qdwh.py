"""QDWH: closed weights against the definition and against free optimisation, and every count in print."""

import numpy as np
import pytest
from mpmath import mp

from theory import qdwh as twin
from theory.scalar import residual_norm

LOWERS = [1e-16, 1e-8, 1e-3, 0.1, 0.5, 0.99]


@pytest.mark.parametrize("lower", LOWERS)
def test_closed_form_is_the_balanced_function(lower: float) -> None:
    with mp.workdps(60):
        closed, found = twin.weights(lower), twin.balanced(lower)
        for a, b in zip(closed, found, strict=True):
            assert abs(a / b - 1) < mp.mpf(10) ** -50
        assert abs(closed.b - (closed.a - 1) ** 2 / 4) < mp.mpf(10) ** -50 * closed.b
        assert abs(closed.c - (closed.a + closed.b - 1)) < mp.mpf(10) ** -50 * closed.c


@pytest.mark.parametrize("lower", LOWERS)
def test_four_alternations(lower: float) -> None:
    with mp.workdps(60):
        f, low = twin.weights(lower), mp.mpf(lower)
        peak, valley = 1 / mp.sqrt(f.b), twin.valley(f)
        assert low < peak < valley < 1
        least = f(low)
        assert abs(f(valley) / least - 1) < mp.mpf(10) ** -50
        assert abs(f(peak) - 1) < mp.mpf(10) ** -50
        assert abs(f(mp.mpf(1)) - 1) < mp.mpf(10) ** -50
        for k in range(400):
            x = low ** (mp.mpf(k) / 399)
            assert least * (1 - mp.mpf(10) ** -50) <= f(x) <= 1 + mp.mpf(10) ** -50


@pytest.mark.parametrize("lower", [1e-3, 0.1, 0.5])
def test_no_other_weights_do_better(lower: float) -> None:
    best = np.array([float(v) for v in twin.weights(lower)])
    ratio = float(twin.schedule(2, lower)[1][1])
    x = np.concatenate([np.geomspace(lower, 1, 2001), np.linspace(lower, 1, 2001)])
    rng = np.random.default_rng(1)
    for size in (1.0, 1e-1, 1e-3, 1e-5):
        for trial in best * np.exp(size * rng.standard_normal((300, 3))):
            value = x * (trial[0] + trial[1] * x**2) / (1 + trial[2] * x**2)
            # a grid of 2000 points misses extrema by less than 1e-5
            assert value.min() / value.max() <= ratio * (1 + 1e-5)


def test_weights_in_print() -> None:
    c = [float(f.c) for f, _ in twin.schedule(7, 1e-16)]
    assert c[:5] == pytest.approx([3.4e21, 6.0e6, 80.8, 3.85, 3.0007], rel=6e-3)
    assert c[2:5] == pytest.approx([80.8, 3.85, 3.0007], rel=1.5e-3)
    assert c[4] == pytest.approx(3.0007, abs=5e-5)
    assert c[5:] == pytest.approx([3.0, 3.0], abs=1e-12)
    with mp.workdps(40):
        assert tuple(float(v) for v in twin.weights(1)) == (3.0, 1.0, 3.0)


TABLE = {
    1e-15: [(0, 2), (0, 3), (0, 4), (1, 3), (1, 3), (2, 3), (2, 3), (2, 3), (2, 4)],
    1e-7: [(0, 2), (0, 2), (0, 3), (1, 2), (1, 3), (2, 2), (2, 2), (2, 3), (2, 3)],
    4e-3: [(0, 1), (0, 2), (0, 2), (1, 2), (1, 2), (2, 1), (2, 2), (2, 2), (2, 2)],
}


@pytest.mark.parametrize("tolerance", TABLE)
def test_factorisations_in_print(tolerance: float) -> None:
    kappas = (1.1, 2, 10, 1e2, 1e4, 1e6, 1e8, 1e12, 1e16)
    assert [twin.factorisations(1 / k, tolerance) for k in kappas] == TABLE[tolerance]
    assert [twin.steps_to(1 / k, tolerance) for k in kappas] == [sum(pair) for pair in TABLE[tolerance]]


def taken(lower: float, sigma: float, tolerance: float) -> int:
    with mp.workdps(40):
        s, step = np.array([mp.mpf(sigma), mp.mpf(1)], dtype=object), 0
        while max(abs(1 - x) for x in s) > tolerance:
            s = twin.next_spectrum(s, step, lower=lower)
            step += 1
        return step


def test_a_bound_too_small_by_a_million_costs_one_step_at_most() -> None:
    for kappa in np.geomspace(1.5, 1e10, 25):
        right = taken(1 / kappa, 1 / kappa, 1e-15)
        assert right == twin.steps_to(1 / kappa, 1e-15)
        # for kappa near 1 the bound 1e-6 is another matrix's altogether: as many steps as that one would take
        extra = taken(1e-6 / kappa, 1 / kappa, 1e-15) - right
        assert extra <= 1 if kappa > 20 else extra <= 3
    # and too large a bound costs many; factors on the bound for kappa = 1e6
    counts = [taken(min(f * 1e-6, 1.0), 1e-6, 1e-15) for f in (1e-6, 1e-3, 0.1, 1, 10, 1e3, 1e6)]
    assert counts == [5, 5, 5, 5, 7, 11, 16]


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_bound_is_attained_at_the_lower_end(options: dict[str, float]) -> None:
    lower = options["lower"]
    start = np.concatenate([[lower], np.geomspace(lower, 1, 40)[1:]])
    with mp.workdps(50):
        s = np.array([mp.mpf(float(v)) for v in start], dtype=object)
        for step in range(4):
            s = twin.next_spectrum(s, step, **options)
            bound = twin.residual_bound(start, step + 1, **options)
            assert residual_norm(s) == pytest.approx(bound, rel=1e-12, abs=1e-45)
    assert twin.residual_bound(np.array([lower / 2, 1]), 1, **options) is None
    assert twin.residual_bound(np.array([lower, 1.1]), 1, **options) is None


def test_values_outside_of_the_interval_converge() -> None:
    for options in twin.OPTIONS:
        s = np.array([options["lower"] * 1e-8, 0.5, 20.0, 1e6])
        for step in range(45):
            s = twin.next_spectrum(s, step, **options)
        assert np.max(np.abs(s - 1)) <= 2.0**-52
    assert twin.region(lower=0.1) == (0.0, np.inf)
    assert twin.converges(lower=0.1)


def test_partial_fractions_and_price() -> None:
    with mp.workdps(50):
        for f, _ in twin.schedule(4, 1e-3):
            constant, weight, shift = twin.partial_fractions(f)
            for x in (mp.mpf("0.01"), mp.mpf("0.4"), mp.mpf(2)):
                assert abs(x * (constant + weight / (x * x + shift)) - f(x)) < mp.mpf(10) ** -45
    kinds = [twin.price(k, lower=1e-16) for k in range(6)]
    assert [p["qr"] for p in kinds] == [1, 1, 0, 0, 0, 0]
    assert [p["cholesky"] for p in kinds] == [0, 0, 1, 1, 1, 1]
    assert {p["gram"] for p in kinds} == {1}
