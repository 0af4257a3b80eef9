"""Do polynomials of every degree and p agree with multiprecision Remez, alone and composed, for every interval?"""

from itertools import pairwise, repeat

import numpy as np
import pytest
from mpmath import mp

from matfun.polynomials import remez as module
from matfun.polynomials.composition import compose
from matfun.polynomials.minimax import DEGREES, minimax
from matfun.polynomials.remez import remez
from theory import composition as composed
from theory import minimax as twin

SPREADS = (1 - 1e-8, 1 - 1e-3, 0.9, 0.61, 0.59, 0.3, 1e-2, 1e-5, 1e-12)
"""Both ways to the rest of the series, and the switch between them."""

LOSS = 3e-14
"""Coefficients and E, relatively: a few roundings of well-conditioned sums, times 0.6^-9 = 100 at the switch."""


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("degree", DEGREES)
def test_one_interval(degree, p):
    for spread in SPREADS if p in (2, 4) else SPREADS[1::2]:
        coefficients, error = remez(degree // 2, spread, p)
        # where E is near 1 the coefficients decide, and l' = 1 - E is taken from them
        exact, level = twin.remez(mp.mpf(spread), degree, 30, p=p)
        assert abs(float(error / level - 1)) <= LOSS, (spread, error)
        for c, e in zip(coefficients, exact, strict=True):
            assert abs(float(c / e - 1)) <= LOSS * (1 if p <= 2 else p), (spread, c, e)


@pytest.mark.parametrize("lower", [0.1, 1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("degree", [3, 5, 7, 9])
def test_composition_of_ten_steps(degree, lower):
    """Sup error to 1e-9 and coefficients to 1e-13, wherever the error is above 1e-290.

    A relative error of E is multiplied by q + 1 in every step of the end game, in all by log E_T / log E_t < 700.
    """
    exact = composed.composition(lower, 1, [degree] * 10, dps=40)
    for stage, found in zip(exact, compose(lower, 1.0, repeat(degree, 10)), strict=True):
        if stage.error < 1e-290:
            break
        assert abs(float(found.error / stage.error - 1)) <= 1e-9
        for c, got in zip(stage.coefficients, found.coefficients, strict=True):
            assert abs(float(got / c - 1)) <= 1e-13


@pytest.mark.parametrize("cushion", [0.0, 0.1])
@pytest.mark.parametrize(
    ("p", "degrees", "lower"),
    [
        (2, (3, 9, 5, 17, 3), 1e-3),
        (2, (17, 17, 17), 1e-8),
        (1, (3, 5, 7, 3), 1e-3),
        (3, (5, 3, 9, 5), 1e-2),
        (4, (5, 5, 5, 5, 5), 1e-2),
        (8, (9, 3, 5), 0.3),
    ],
    ids=str,
)
def test_any_degree_in_every_step_for_every_p(p, degrees, lower, cushion):
    exact = composed.composition(lower, 1, degrees, p=p, cushion=cushion, dps=40)
    for stage, found in zip(exact, compose(lower, 1.0, degrees, cushion, p=p), strict=True):
        assert abs(float(found.error / stage.error - 1)) <= 1e-9
        assert found.lower == pytest.approx(float(stage.lower), rel=1e-12)
        for c, got in zip(stage.coefficients, found.coefficients, strict=True):
            assert abs(float(got / c - 1)) <= 1e-13 * p
    assert (found.recentring == 1) == (found.fitted == found.lower)


def test_the_inverse_is_chebyshevs():
    """p = 1: 1 - x h = T_n(.)/T_n(1/delta), and composing loses nothing, since T_a(T_b) = T_ab."""
    degrees = (3, 7, 5, 3)
    orders = np.cumprod([degree // 2 + 1 for degree in degrees])
    for lower in (1e-4, 1e-2, 0.5):
        exact = [twin.inverse_error((1 - mp.mpf(lower)) / (1 + mp.mpf(lower)), int(n)) for n in orders]
        found = [stage.error for stage in compose(lower, 1.0, degrees, p=1)]
        assert found == pytest.approx([float(e) for e in exact], rel=1e-12)


@pytest.mark.parametrize("p", [2, 5, 64])
@pytest.mark.parametrize("q", [1, 3, 8])
def test_it_equioscillates(q, p):
    """Chebyshev's criterion, without a twin: q + 2 alternating extrema of equal size, ends included."""
    for spread in (0.7, 0.2, 0.02):
        coefficients, error = remez(q, spread, p)
        # even in log x, in which the curve for large p is smooth
        x = np.exp(np.log1p(-spread) + (np.log1p(spread) - np.log1p(-spread)) * np.linspace(0, 1, 100001))
        gap = 1 - x * np.polynomial.polynomial.polyval(x**p, coefficients)
        if error < 1e-9:
            continue  # 1e-7 of it is rounding
        starts = [0, *(np.flatnonzero(np.diff(np.sign(gap))) + 1), x.size]
        levels = [np.abs(gap[i:j]).max() for i, j in pairwise(starts)]
        assert len(levels) == q + 2
        assert levels == pytest.approx([error] * (q + 2), rel=1e-4)
        assert np.abs(gap[[0, -1]]) == pytest.approx(error, rel=1e-7)


@pytest.mark.parametrize("degree", [3, 5])
def test_closed_forms_are_the_exchange(degree):
    for spread in SPREADS:
        closed, iterated = minimax(degree, spread), remez(degree // 2, spread)
        assert closed[0] == pytest.approx(iterated[0], rel=1e-14)
        assert closed[1] == pytest.approx(iterated[1], rel=1e-13)


@pytest.mark.parametrize("p", [1, 2, 4])
@pytest.mark.parametrize("degree", DEGREES)
def test_limits_of_the_interval(degree, p):
    """l -> u: Taylor, E / delta^(q+1) -> K.  l -> 0: the slope, which l = 0 itself has to rounding."""
    at_one, error = minimax(degree, 0.0, p)
    assert error == 0
    limit = composed.limits(degree, p=p)
    assert at_one == pytest.approx([float(c) for c in limit.taylor], rel=1e-14)
    coefficients, error = minimax(degree, 1e-9, p)
    assert coefficients == pytest.approx(at_one, rel=1e-7)
    assert error == pytest.approx(float(limit.constant) * 1e-9 ** (degree // 2 + 1), rel=1e-7)
    slope = minimax(degree, 1.0, p)[0][0]
    # on [0, 2] for spread 1, so half of that on [0, 1]; 1e-30 is not 0: p = 1 feels its square root
    assert slope * 2 == pytest.approx(float(limit.slope), rel=1e-7 if p == 1 else 1e-13)


def test_what_cannot_be_represented_is_refused():
    """(1.9)^512 y^8 is no float: the coefficient would underflow, and the polynomial be another one."""
    with pytest.raises(
        ArithmeticError, match=r"coefficients of y\^i underflow: degree 4 on a spread of 0.9 for p = 512"
    ):
        remez(4, 0.9, 512)


def test_an_exchange_that_does_not_level_is_no_answer(monkeypatch):
    monkeypatch.setattr(module, "MOST_EXCHANGES", 1)
    with pytest.raises(ArithmeticError, match=r"did not level: q = 8, delta = 0\.9, nu = 0\.5"):
        remez(8, 0.9)


def test_the_rest_of_the_series_is_the_same_both_ways(monkeypatch):
    """The switch moves no digit that is claimed."""
    series = [remez(q, 0.55) for q in range(1, 9)]
    monkeypatch.setattr(module, "SERIES_BELOW", 0.5)
    for (c, e), (d, f) in zip(series, [remez(q, 0.55) for q in range(1, 9)], strict=True):
        assert c == pytest.approx(d, rel=LOSS * 10)
        assert e == pytest.approx(f, rel=LOSS * 10)
