"""The twin of the window rule against brute force: window, exclusion theorem and its probability, growth."""

from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp

from theory import composition, window

FAILURE = 0.05
"""Large enough to be seen in some hundred draws."""

SPECTRA = {
    "log-spaced": np.geomspace(1.0, 1e-4, 20),
    "one small": np.append(np.linspace(0.8, 1.2, 19), 1e-3),
    "clusters": np.repeat([0.1, 0.5, 1.0], 7),
    "two": np.array([0.2, 0.9]),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("degree", [5, 9])
def test_the_image_is_what_the_polynomial_promises(name, degree):
    """Every value lands in (0, 1 + E], those of the window in [1 - E, 1 + E], with equality at the ends."""
    s = SPECTRA[name]
    with mp.workdps(50):
        low, high = window.window([mp.mpf(float(v)) for v in s], cushion=0.05)
        _, error = window.best(low, high, degree, 2)
        after = window.next_spectrum(np.array([mp.mpf(float(v)) for v in s], dtype=object), 0, degree=degree)
        inside = [x for v, x in zip(s, after, strict=True) if v >= low]
        assert max(after) <= 1 + error * (1 + mp.mpf(10) ** -30)
        assert min(after) > 0
        assert min(inside) >= 1 - error * (1 + mp.mpf(10) ** -30)
        assert max(abs(1 - x) for x in inside) >= error * (1 - mp.mpf(10) ** -30)  # the upper end is in the spectrum


def test_an_overestimated_lower_end_costs_growth_only():
    x = [mp.mpf(10) ** -k for k in range(1, 6)]
    for low in ("0.05", "0.2", "0.7", "0.99"):
        coefficients, error = window.best(mp.mpf(low), mp.mpf(1), 5, 2)
        values = [v * (coefficients[0] + coefficients[1] * v**2 + coefficients[2] * v**4) for v in x]
        assert all(0 < v <= 1 + error for v in values)
        assert all(v > 1.8 * u for u, v in zip(x[1:], values[1:], strict=True))
        for beyond in (1.1, 2.0, 10.0):  # no change of sign
            assert coefficients[0] + coefficients[1] * beyond**2 + coefficients[2] * beyond**4 > 0


@pytest.mark.parametrize("degree", [5, 9])
def test_growth_decreases_to_that_of_newton_schulz(degree):
    ratios = [0.01, 0.05, 0.1, 0.3, 0.6, 0.9, 0.99, 0.9999]
    found = [float(window.growth(r, degree)) for r in ratios]
    assert all(a > b for a, b in pairwise(found))
    limit = float(composition.taylor(degree)[0])
    assert limit < found[-1] < limit * (1 + 1e-3)
    assert limit == {5: 15 / 8, 9: 315 / 128}[degree]
    # far from a small value the slope of l -> 0 is reached from below: 8.514/2 for quintics (theory/minimax.py)
    assert float(window.growth(1e-4, 5)) == pytest.approx(8.514302 / 2, rel=2e-3)


@pytest.mark.parametrize("name", SPECTRA)
def test_the_residual_bound_holds_and_is_reached(name):
    s = SPECTRA[name]
    current = s
    for steps in range(1, 8):
        current = window.next_spectrum(current, steps - 1)
        found = float(np.max(np.abs(1 - current**2)))
        bound = window.residual_bound(s, steps)
        assert found <= bound * (1 + 1e-12) + 1e-15
        if name == "two":
            assert found >= 0.05 * bound or bound < 1e-12


def test_exact_windows_are_never_slower_than_not_looking():
    s = np.append(np.full(30, 0.9), 0.3)
    looked = window.next_spectrum(window.next_spectrum(s, 0), 1)
    assert np.max(np.abs(1 - looked**2)) < window.interval_residual(0.3, 0.9, 2) * (1 + 1e-9)


def weights(n, columns, rng):
    """Squared components of random unit vectors."""
    z = rng.standard_normal((n, columns))
    return z**2 / np.sum(z**2, axis=0)


@pytest.mark.parametrize(("n", "columns"), [(2, 1), (5, 2), (40, 1), (40, 4), (1000, 4)])
def test_the_threshold_bounds_the_probability(n, columns):
    """One eigenvector: P(sum log w < -C) <= failure, the union over n undone by n failure; and it is not vacuous."""
    draws, rng = 20000, np.random.default_rng(n + columns)
    z = rng.standard_normal((draws, columns))
    rest = rng.chisquare(n - 1, (draws, columns))
    total = np.sum(np.log(z**2 / (z**2 + rest)), axis=1)
    C = window.exclusion_threshold(n, columns, FAILURE * n)
    frequency = float(np.mean(total < -C))
    assert frequency <= FAILURE + 3 * (FAILURE / draws) ** 0.5
    assert np.mean(total < -0.4 * C) > FAILURE  # not vacuous: Chernoff's bound loses less than that


@pytest.mark.parametrize("complex_", [False, True])
def test_the_weight_inequality_is_exact(complex_):
    """w p_k(lambda)^2 <= 1 for every eigenvalue and every start, with equality where one eigenvalue has all weight."""
    rng = np.random.default_rng(5)
    values = [mp.mpf(float(v)) for v in rng.uniform(-1, 1, 12)]
    with mp.workdps(40):
        w = weights(12, 1, rng)[:, 0] if not complex_ else rng.dirichlet(np.ones(12))
        alphas, betas = window.jacobi(values, [mp.mpf(float(v)) for v in w], 5)
        total = mp.mpf(0)
        ritz = window.ritz_values(alphas, betas)
        for v, weight in zip(values, w, strict=True):
            p = mp.fprod(v - t for t in ritz) / mp.fprod(betas)
            assert float(weight) * p**2 <= 1
            total += mp.mpf(float(weight)) * p**2
        assert total == pytest.approx(float(sum(w)), rel=1e-12)


@pytest.mark.parametrize("name", ["log-spaced", "one small", "clusters"])
def test_the_bounds_hold_as_often_as_they_say(name):
    """The true ends against bounds for a failure of 5 %, over both ends of 300 draws."""
    values = [mp.mpf(1) - mp.mpf(float(s)) ** 2 for s in SPECTRA[name]]
    n, draws, wrong, slack = len(values), 150, 0, []
    rng = np.random.default_rng(7)
    threshold = window.exclusion_threshold(n, 2, FAILURE)
    with mp.workdps(30):
        for _ in range(draws):
            smallest, largest, least, most = window.ends(values, weights(n, 2, rng), 6, threshold)
            assert least <= smallest <= largest <= most
            assert min(values) <= smallest + mp.mpf(10) ** -25
            assert largest <= max(values) + mp.mpf(10) ** -25
            tiny = mp.mpf(10) ** -20  # of the rounding of an exhausted run
            wrong += least > min(values) + tiny or most < max(values) - tiny
            slack.append(float(most - max(values)))
    assert wrong <= draws * (FAILURE + 3 * (FAILURE / draws) ** 0.5)
    assert np.median(slack) < 1.0  # the spectrum of R is in [0, 1]: better than nothing known


def test_exhausted_runs_know_everything():
    values = [mp.mpf(v) for v in ("0.25", "0.25", "0.75", "0.5")]
    with mp.workdps(40):
        found = window.ends(values, weights(4, 2, np.random.default_rng(1)), 4, 30.0)
        assert [float(v) for v in found] == pytest.approx([0.25, 0.75, 0.25, 0.75], abs=1e-15)


def test_prices():
    assert window.price(0) == {"gram": 1, "symm": 1, "apply": 1, "thin": 0}
    assert window.price(3, degree=9, sketch=True, products=6) == {"gram": 1, "symm": 2, "apply": 1, "thin": 6}


def test_what_is_below_the_carried_bound_is_refused():
    with pytest.raises(ValueError, match="carried"):
        window.next_spectrum(np.array([1e-3, 1.0]), 0, lower=0.1)
    assert window.region() == (0.0, np.inf)
    assert window.converges()
