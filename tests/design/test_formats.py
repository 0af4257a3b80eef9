"""Does the rule of formats.py divide the schedules that a number format carries from those that it does not?

The other side is an emulation that shares no code with the rule.  With overshoot meaning a final singular value above
1 + E by more than rounding, or a large one that ends with the wrong sign:

* no admitted schedule overshoots by more than the rule allows, 2 u A or E/4;
* one that is rejected even with a sixth of the errors does, by more than u A, the last step's own rounding, and E/4;
* in between the search for a bad matrix does not always succeed.
"""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from matfun.ops import Ops
from matfun.polynomials.composition import compose
from matfun.polynomials.formats import (
    CANDIDATES,
    EMPIRICAL_KAPPA,
    EMPIRICAL_STEP,
    FORMATS,
    amplification,
    tube,
)
from matfun.polynomials.update import Polynomial
from theory import emulation

SHARP = 1 / 6
"""Share of the errors assumed by the rule that a worst matrix is sure to have; with 0.2 some are not found."""

EMULATED = ["bfloat16", "float16", "tfloat32", "float32"]
DEGREES = {"bfloat16": (3, 5, 7), "float16": (3, 5, 7, 9), "tfloat32": (3, 5, 7, 9), "float32": (3, 5, 9, 17)}


def schedule(lower, steps, degree, cushion, safety, last_safe=True):
    *stages, last = compose(lower, 1.0, [degree] * steps, cushion, safety)
    return [s.coefficients for s in (*stages, last if last_safe else last.without_safety())]


def value(c, x):
    return x * np.polyval(c[::-1], x * x)


def ends(polynomials, lower):
    """Largest value before the last step, and sup error at the end, in exact arithmetic, by dense sampling."""
    x = np.concatenate([np.geomspace(lower, 1, 20001), np.linspace(lower, 1, 20001)])
    for c in polynomials[:-1]:
        x = value(c, x)
    return x.max(), np.abs(1 - value(polynomials[-1], x)).max()


def drawn(name, count, wanted):
    """Schedules at random from the grid that fulfil a condition."""
    random = Random(f"{name} 1")
    found = []
    while len(found) < count:
        lower = random.choice((1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-6))
        cushion, safety = (
            random.choice((0, 0.01, 0.02, 0.05, 0.1, 0.3)),
            random.choice((1, 1.003, 1.01, 1.02, 1.05, 1.1)),
        )
        steps, degree = random.choice((2, 3, 4, 5, 6, 8)), random.choice(DEGREES[name])
        case = (lower, steps, degree, cushion, safety, random.random() < 0.5)
        if wanted(schedule(*case), lower):
            found.append(case)
    return found


def overshoots(name, case, units):
    """Whether some matrix ends above 1 + E by more than so many u A and E/4, or with a wrong sign."""
    polynomials = schedule(*case)
    top, error = ends(polynomials, case[0])
    unit = FORMATS[name].roundoff * amplification(polynomials[-1], float(top))
    limit = 1 + error + max(units * unit, error / 4)
    for fused in (False, True):
        worst, least = emulation.worst(polynomials, name, limit, fused=fused)
        if worst > limit or least <= 0:
            return True
    return False


@pytest.mark.parametrize("name", EMULATED)
def test_no_admitted_schedule_overshoots(name):
    # six from the edge: rejected with one and a half times the error
    def edge(polynomials, lower):
        return (
            tube(polynomials, name, lower, terms=0).closes
            and not tube(polynomials, name, lower, margin=1.5, terms=0).closes
        )

    cases = drawn(name, 6, edge) + drawn(
        name, 4, lambda polynomials, lower: tube(polynomials, name, lower, terms=0).closes
    )
    assert [case for case in cases if overshoots(name, case, 2)] == []


@pytest.mark.parametrize("name", EMULATED)
def test_every_clearly_rejected_schedule_overshoots(name):
    # half of them from the edge: admitted with half the error
    def rejected(polynomials, lower):
        return not tube(polynomials, name, lower, margin=SHARP, terms=0).closes

    def edge(polynomials, lower):
        return rejected(polynomials, lower) and tube(polynomials, name, lower, margin=SHARP / 2, terms=0).closes

    cases = drawn(name, 8, edge) + drawn(name, 8, rejected)
    assert [case for case in cases if not overshoots(name, case, 1)] == []


@pytest.mark.parametrize("name", EMULATED)
def test_exceptions_are_confined_to_the_zone_between(name):
    # of schedules that the rule rejects at all, from anywhere in the grid, most fail
    cases = drawn(name, 12, lambda polynomials, lower: not tube(polynomials, name, lower, terms=0).closes)
    passed = [case for case in cases if not overshoots(name, case, 1)]
    assert len(passed) <= 4
    assert all(tube(schedule(*case), name, case[0], margin=SHARP, terms=0).closes for case in passed)


@pytest.mark.parametrize("degree", [3, 5, 7, 9, 13, 17])
def test_the_error_of_a_step_is_of_the_size_of_the_amplification(degree):
    # the sum of |c_i| grows from 10 to 1e6 over these degrees, that of (2 i + 1) |c_i| from 20 to 2e7
    (c,) = schedule(1e-3, 1, degree, 0.02, 1)
    unit = FORMATS["float32"].roundoff * amplification(c, 1.0)
    top = max(value(c, x) for x in [*emulation.turns(c, 1.0), 1.0])
    worst, _ = emulation.worst([c], "float32", np.inf, fused=False)
    assert 0.2 <= (worst - top) / unit <= EMPIRICAL_STEP


@pytest.mark.parametrize(
    ("name", "degree", "expected"),
    [
        ("bfloat16", 3, (0.02, 1.02)),
        ("bfloat16", 5, (0.1, 1.05)),
        ("bfloat16", 7, (0.3, 1.1)),
        ("bfloat16", 9, (0.5, 1.3)),
        ("bfloat16", 17, None),
        ("float16", 3, (0.0, 1.003)),
        ("float16", 5, (0.01, 1.01)),
        ("float16", 7, (0.1, 1.05)),
        ("float16", 9, (0.2, 1.1)),
        ("float16", 17, None),
        ("tfloat32", 5, (0.01, 1.01)),
        ("tfloat32", 9, (0.2, 1.1)),
        ("float32", 3, (0.0, 1.0)),
        ("float32", 5, (0.0, 1.003)),
        ("float32", 9, (0.0, 1.003)),
        ("float32", 17, (0.05, 1.02)),
        ("float64", 5, (0.0, 1.0)),
        ("float64", 17, (0.0, 1.0)),
    ],
)
def test_caution_that_each_format_needs(name, degree, expected):
    safe = [pair for pair in CANDIDATES if tube(schedule(1e-3, 8, degree, *pair), name, 1e-3).closes]
    assert (safe or [None])[0] == expected


def test_float64_needs_caution_only_for_tiny_lower():
    # the region of the quintic ends near 1 + 2 lower^2 (theory/polar_express.py): the spacing of 1 at about 1e-8
    assert tube(schedule(1e-4, 12, 5, 0, 1), "float64", 1e-4, terms=0).closes
    assert not tube(schedule(1e-10, 20, 5, 0, 1), "float64", 1e-10, terms=0).closes
    assert not tube(schedule(1e-10, 20, 5, 0.02, 1), "float64", 1e-10, terms=0).closes
    assert tube(schedule(1e-10, 20, 5, 0.02, 1.01), "float64", 1e-10, terms=0).closes


def test_reasons():
    # Turbo-Muon's older list, whose first polynomial is negative above 0.884
    flips = [(4.0098, -7.0585, 2.4635), (3.4585, -5.5479, 2.5959), (2.7573, -3.2939, 1.4254), (2.7215, -3.0494, 1.3169)]
    for name in FORMATS:
        found = tube(flips, name, 1e-3, terms=0)
        assert not found.closes
        assert "step 1" in found.reason
        assert len(found.tops) == 1
    assert "overflow" in tube(schedule(1e-3, 3, 17, 0, 1), "float16", 1e-3, terms=0).reason
    assert "runs away" in tube([(20.0, 0.0)], "float64", 0.1, terms=0).reason
    assert "exceeds" in tube(schedule(1e-2, 3, 5, 0, 1), "float16", 1e-2, terms=0).reason
    assert "least value" in tube([(-1.0,)], "float64", 0.1, terms=0).reason
    assert tube(schedule(1e-3, 5, 5, 0, 1), "float64", 1e-3, terms=0).reason == ""
    with pytest.raises(KeyError):
        tube(flips, "float8", 1e-3, terms=0)


@pytest.mark.parametrize(("p", "c"), [(1, (2.0, -1.0)), (2, (15 / 8, -10 / 8, 3 / 8))])
def test_tops_of_a_contraction_are_one_and_its_rounding(p, c):
    # p(1) = 1 is the maximum of a Taylor polynomial on [0, 1], and p' = 0 there
    found = tube([c] * 3, "float32", 0.5, p, terms=0)
    assert found.closes
    u = 2.0**-24
    expected = 1 + EMPIRICAL_KAPPA * u * sum(map(abs, c))
    assert found.tops[0] == 1 + u
    assert found.amplifications == pytest.approx([sum(map(abs, c))] * 3, rel=1e-6)
    assert found.tops[1:] == pytest.approx([expected] * 3, abs=1e-12)


def test_the_emulated_formats_are_those_of_numpy():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(100_000) * 2.0 ** rng.uniform(-30, 20, 100_000)
    x = np.append(x, [0.0, -0.0, 65519.0, 65520.0, -65520.0, 2.0**-25, 3 * 2.0**-25, 1 + 2.0**-11, 1 + 3 * 2.0**-11])
    with np.errstate(over="ignore"):
        for name in ("float16", "float32"):
            assert np.array_equal(emulation.rounded(x, name), x.astype(name).astype(np.float64))
    for name, bits in (("bfloat16", 8), ("tfloat32", 11)):
        y = emulation.rounded(x, name)
        mantissa = np.frexp(y)[0] * 2.0**bits
        assert np.array_equal(mantissa, np.round(mantissa))
        assert np.max(np.abs(y - x)[x != 0] / np.abs(x[x != 0])) <= FORMATS[name].roundoff
    assert emulation.rounded(np.float64(1 + 2.0**-8), "bfloat16") == 1
    assert emulation.rounded(np.float64(1 + 3 * 2.0**-8), "bfloat16") == 1 + 2.0**-6


@pytest.mark.parametrize("degree", [3, 5, 7, 9, 11, 13])
def test_the_emulation_evaluates_as_the_library_does(degree):
    # 1 x 1 products leave nothing to accumulate: the same operations in the same order give the same bits
    c = tuple(float(np.float32(v)) for v in schedule(0.1, 1, degree, 0, 1)[0])
    X = np.random.default_rng(0).uniform(0, 1, (1000, 1, 1)).astype(np.float32)
    here = emulation.run(X.astype(np.float64), [c], "float32", fused=False)[0]
    there = Ops(np).polynomial_step(X, X * X, Polynomial(c, basis="gram"))
    assert np.array_equal(here, there)


@pytest.mark.parametrize("lower", [1e-1, 1e-3])
@pytest.mark.parametrize("degree", [9, 13, 17])
def test_the_library_keeps_to_the_error_of_a_step(degree, lower):
    # whichever scheme it evaluates by: from degree 17 on it is not the one of the emulation
    u = FORMATS["float32"].roundoff
    for c in schedule(lower, 2, degree, 0.02, 1):
        X = np.random.default_rng(0).uniform(0, 1, (20_000, 1, 1)).astype(np.float32)
        there = Ops(np).polynomial_step(X, X * X, Polynomial(c, basis="gram"))
        assert np.max(np.abs(there - value(c, X.astype(np.float64)))) <= EMPIRICAL_STEP * u * amplification(c, 1.0)


def test_rounding_is_where_the_format_says():
    X = np.array([[[1 + 2.0**-11 + 2.0**-20]]])
    (kept,) = emulation.run(X, [(1.0, 0.0)], "tfloat32")
    assert kept[0, 0, 0] == X[0, 0, 0]  # stored in float32
    (squared,) = emulation.run(X, [(0.0, 1.0)], "tfloat32")
    # x rounds up to 1 + 2^-10, its square 1 + 2^-9 + 2^-20 down to 1 + 2^-9; the last product is stored in float32
    assert squared[0, 0, 0] == np.float32((1 + 2.0**-10) * (1 + 2.0**-9))
