"""Are the published lists what their entries say, digit for digit, and do they do what the page says they do?"""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

import matfun
from matfun.polynomials.presets import GRAM_SAFETY, JORDAN, POLAR_EXPRESS_PUBLISHED, PRESETS, Preset
from matfun.rules import muon as muon_rule
from theory import minimax, muon, polar_express
from theory.scalar import image, number, odd, real_roots

DOCS = Path(__file__).parents[2] / "docs"

RECORD = json.loads((DOCS / "coefficients.json").read_text())

SOUND = [p for p in PRESETS.values() if not p.defect]

DEFECTIVE = PRESETS["turbo-muon-aol"]

each = pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda p: p.name)

sound = pytest.mark.parametrize("preset", SOUND, ids=lambda p: p.name)

DOUBLE = 4e-15
"""Relative: the sources computed in float64, a few tens of roundings of 1.1e-16 each."""


def end(rows, lower, upper=1):
    """Exact image of [lower, upper]; extrema from the zeros of the derivatives, 40 digits."""
    with mp.workdps(40):
        low, high = number(lower) if not isinstance(lower, str) else mp.mpf(lower), mp.mpf(upper)
        for row in rows:
            low, high = image(row, low, high)
        return low, high


def value(rows, x):
    for row in rows:
        x = odd([number(c) for c in row], x)
    return x


def error(rows, lower):
    low, high = end(rows, lower)
    return float(max(abs(1 - low), abs(high - 1)))


def fold(row, safety):
    return [number(c) / number(safety) ** (2 * i + 1) for i, c in enumerate(row)]


def composition(lower, steps, degree, cushion=0.0):
    return [s.coefficients for s in polar_express.composition(lower, steps, degree, cushion, 40)]


def furthest(rows, exact, relative=True):
    """Largest difference of the coefficients."""
    return max(
        float(abs(number(a) / b - 1) if relative else abs(number(a) - b))
        for row, stage in zip(rows, exact, strict=True)
        for a, b in zip(row, stage, strict=True)
    )


# ---- form -----------------------------------------------------------------------------------------


@each
def test_every_preset_is_well_formed(preset):
    assert isinstance(preset, Preset)
    assert PRESETS[preset.name] is preset
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", preset.name)
    assert preset.polynomials
    for row in preset.polynomials:
        assert len(row) in (2, 3)
        assert all(type(c) is float and math.isfinite(c) for c in row)
        assert row[0] > 1
        assert len(row) == len(preset.polynomials[0])
    assert type(preset.lower) is float
    assert 0 < preset.lower < 1
    assert preset.lower_from in ("source", "reproduced", "recomputed", "assumed")
    assert preset.source
    assert preset.note
    assert preset.claimed_error is None or 0 < preset.claimed_error < 1
    assert preset.band is None or preset.band[0] < 1 < preset.band[1]
    assert hash(preset) == hash(PRESETS[preset.name])


def test_one_list_is_marked_as_defective():
    assert [p.name for p in PRESETS.values() if p.defect] == ["turbo-muon-aol"]
    assert DEFECTIVE.lower_from == "assumed"


def test_lists_whose_source_repeats_the_last_polynomial():
    assert {p.name for p in PRESETS.values() if p.repeat} == {
        "polar-express-published",
        "polar-express-folded",
        "cans-quintic",
        "muon",
        "deepseek-v4",
    }


def test_there_is_one_source_of_digits():
    assert PRESETS["polar-express-published"].polynomials is POLAR_EXPRESS_PUBLISHED
    assert POLAR_EXPRESS_PUBLISHED == polar_express.PUBLISHED
    assert JORDAN == muon_rule.Muon().next(None).coefficients == tuple(float(c) for c in muon.COEFFICIENTS)


# ---- which construction it is ----------------------------------------------------------------------


def test_published_polar_express_is_the_cushioned_composition():
    exact = composition(1e-3, 8, 5, polar_express.CUSHION)
    for t, (row, stage) in enumerate(zip(POLAR_EXPRESS_PUBLISHED, exact, strict=True)):
        found = furthest([row], [stage])
        if t == 6:  # a float64 exchange on an interval of half-width 1.2e-3, condition 2e6
            assert 2.4e-11 < found < 2.5e-11
        else:
            assert found <= DOUBLE
    assert furthest(POLAR_EXPRESS_PUBLISHED[:1], composition(1e-3, 1, 5)[:1], relative=False) > 1.5


def test_its_errors_are_those_of_the_cushion():
    plain, cushioned = (polar_express.composition(1e-3, 5, 5, c, 40)[-1].error for c in (0.0, polar_express.CUSHION))
    assert round(float(plain), 4) == 0.1134
    assert round(float(cushioned), 4) == 0.1236
    assert error(POLAR_EXPRESS_PUBLISHED[:5], "0.001") == pytest.approx(float(cushioned), rel=1e-10)


def test_folded_polar_express_is_the_published_one_rounded():
    wrong = []
    for t, row in enumerate(POLAR_EXPRESS_PUBLISHED):
        exact = fold(row, "1.01" if t < 7 else 1) if t < 7 else row
        for printed, c in zip(PRESETS["polar-express-folded"].polynomials[t], exact, strict=True):
            if round(float(c), 4) != printed:
                wrong.append((t, printed, float(c)))
    assert [(t, printed) for t, printed, _ in wrong] == [(0, 8.2051)]
    assert 8.2051 < wrong[0][2] < 8.2052  # cut, not rounded


def test_gram_newton_schulz_is_the_published_one_stretched():
    with mp.workdps(40):
        exact = [fold(row, "1.05") for row in POLAR_EXPRESS_PUBLISHED[:5]]
        assert furthest(PRESETS["gram-newton-schulz"].polynomials, exact) <= DOUBLE
    # as pinned in a port
    assert PRESETS["gram-newton-schulz"].polynomials[0] == (7.892582874424408, -20.38301394587957, 13.555306149406924)
    assert GRAM_SAFETY == 1.05
    low, high = end(PRESETS["gram-newton-schulz"].polynomials, "0.001")
    assert (low + high) / 2 < 0.93


def test_modded_nanogpt_has_the_safety_factor_inside_the_recursion():
    with mp.workdps(40):
        low, high, rows = mp.mpf("0.001"), mp.mpf(1), []
        for t in range(5):
            q, _ = minimax.minimax_odd(max(low, mp.mpf("0.02") * high), high, 5, 40)
            recentre = 2 / (odd(q, low) + odd(q, high)) if low < mp.mpf("0.02") * high else 1
            rows.append(fold([recentre * c for c in q], "1.02" if t < 4 else 1))
            low = odd(rows[-1], low)
            high = 2 - low
        preset = PRESETS["modded-nanogpt"]
        assert furthest(preset.polynomials, rows) <= DOUBLE
        assert float(1 - low) == pytest.approx(preset.claimed_error, rel=1e-6)
        assert error(preset.polynomials, "0.001") == pytest.approx(preset.claimed_error, rel=1e-6)
        outside = [fold(r, "1.02" if t < 4 else 1) for t, r in enumerate(composition("0.001", 5, 5, 0.02))]
        assert furthest(preset.polynomials, outside) > 0.02


def test_cans_quintic_is_the_plain_composition_rounded():
    stages = polar_express.composition("0.001", 5, 5, 0.0, 40)
    rows = tuple(tuple(round(float(c), 4) for c in s.coefficients) for s in stages)
    assert rows == PRESETS["cans-quintic"].polynomials
    assert float(stages[-1].error) == pytest.approx(PRESETS["cans-quintic"].claimed_error, rel=1e-6)


def test_cans_cubic_is_the_plain_composition_from_a_rounded_left_end():
    preset = PRESETS["cans-cubic-7"]
    assert preset.lower == 9e-4
    assert furthest(preset.polynomials, composition("0.0009", 7, 3), relative=False) <= 3e-14
    found = {lower: polar_express.composition(lower, 7, 3, 0.0, 40)[-1].error for lower in ("8.929e-4", "8.930e-4")}
    assert found["8.930e-4"] < 0.3 < found["8.929e-4"]
    assert error(preset.polynomials, "9e-4") == pytest.approx(0.2975285, rel=1e-6)


def test_cubic5_is_the_relaxed_composition_rounded():
    """Chen and Chow's cubics have maximum 1 on their interval; here it is 1.3."""
    with mp.workdps(40):
        low, high, rows = mp.mpf("0.007"), mp.mpf(1), []
        for _ in range(5):
            alpha = mp.sqrt(3 / (high**2 + high * low + low**2))
            rows.append((mp.mpf("1.3") * 3 * alpha / 2, -mp.mpf("1.3") * alpha**3 / 2))
            low, high = odd(rows[-1], low), mp.mpf("1.3")
        preset = PRESETS["cubic5"]
        assert tuple(tuple(round(float(c), 7) for c in row) for row in rows) == preset.polynomials
        # the same map as the plain composition, up to the factor 1.3/(1 + E)
        plain = polar_express.composition("0.007", 5, 3, 0.0, 40)[-1].error
        assert float((high - low) / (high + low)) == pytest.approx(float(plain), rel=1e-12)


def test_lists_built_from_constants():
    assert PRESETS["muon"].polynomials == (JORDAN,) * 5
    assert PRESETS["deepseek-v4"].polynomials == (JORDAN,) * 8 + ((2.0, -1.5, 0.5),) * 2
    a, b, c = PRESETS["prism-constant"].polynomials[0]
    for r in (-0.3, 0.0, 0.4, 1.0):  # h = 1 + r/2 + 29/20 r^2 with r = 1 - x^2
        assert a + b * (1 - r) + c * (1 - r) ** 2 == pytest.approx(1 + r / 2 + 29 / 20 * r**2, rel=1e-14)
    assert all(c * 1024 == round(c * 1024) for row in PRESETS["you-6"].polynomials for c in row)


@pytest.mark.parametrize("name", ["deepseek-v4", "prism-constant"])
def test_the_last_polynomial_has_1_as_a_fixed_point_of_second_order(name):
    a, b, c = PRESETS[name].polynomials[-1]
    assert a + b + c == pytest.approx(1, abs=1e-15)
    assert a + 3 * b + 5 * c == pytest.approx(0, abs=2e-15)
    assert abs(6 * b + 20 * c) >= 1 - 1e-12  # and not of third order


# ---- what it does ----------------------------------------------------------------------------------


@each
def test_the_sign_of_a_quintic_is_that_of_its_discriminant(preset):
    quintics = [row for row in preset.polynomials if len(row) == 3]
    worst = max((b * b / (a * c) for a, b, c in quintics), default=0.0)
    assert (worst > 4) == bool(preset.defect)
    assert all(a > 0 > b and c > 0 for a, b, c in quintics)


@sound
def test_singular_values_stay_positive(preset):
    """Every sound list maps (0, 1] into (0, 1.5275), from where Newton-Schulz converges."""
    low, high = end(preset.polynomials, 0)
    assert low == 0
    assert 0.99 < high < math.sqrt(7 / 3)
    for row, (start, stop) in zip(preset.polynomials, _ends(preset.polynomials), strict=True):
        assert start >= 0
        assert not [y for y in real_roots([number(c) for c in row], mp.mpf(0), stop * stop) if y > 0]


def _ends(rows):
    ends = [(mp.mpf(0), mp.mpf(1))]
    for row in rows[:-1]:
        ends.append(image(row, *ends[-1]))
    return ends


def test_the_defect_is_real():
    first = DEFECTIVE.polynomials[0]
    with mp.workdps(40):
        zero = mp.sqrt(real_roots([number(c) for c in first], mp.mpf(0), mp.mpf(1))[0])
        assert round(float(zero), 4) == 0.8837
        assert odd([number(c) for c in first], mp.mpf(1)) < -0.58
        x = mp.mpf(1)
        assert value(DEFECTIVE.polynomials, x) == pytest.approx(-0.993521, abs=1e-6)
        worst = max(abs(1 - value(DEFECTIVE.polynomials, mp.mpf(k) / 500)) for k in range(443, 501))
        assert 2.0 < worst <= RECORD["lists"][DEFECTIVE.name]["error"]
    assert "0.8837" in DEFECTIVE.defect


def test_the_defect_turns_a_matrix_round():
    """A rank-one matrix has one singular value, its Frobenius norm: scaled by it, it is sent to minus itself."""
    rng = np.random.default_rng(0)
    A = np.outer(rng.standard_normal(6), rng.standard_normal(4))
    for preset, sign in ((DEFECTIVE, -1), (PRESETS["you-5"], 1)):
        X = U = A / np.linalg.norm(A)
        for row in preset.polynomials:
            X = X @ sum(c * np.linalg.matrix_power(X.T @ X, i) for i, c in enumerate(row))
        assert float(np.sum(X * U)) == pytest.approx(float(value(preset.polynomials, mp.mpf(1))), abs=1e-12)
        assert np.sign(np.sum(X * U)) == sign


@pytest.mark.parametrize("preset", [p for p in SOUND if p.lower_from == "recomputed"], ids=lambda p: p.name)
def test_recomputed_lower_ends_are_where_the_plateau_begins(preset):
    """At ``lower`` the plateau holds the least value; 10 % below, the start itself ends lower than all of it."""
    with mp.workdps(40):
        plateau = end(preset.polynomials, repr(preset.lower))[0]
        assert value(preset.polynomials, number(preset.lower)) >= plateau
        assert value(preset.polynomials, mp.mpf("0.9") * preset.lower) < plateau - mp.mpf("1e-9")


def test_bands():
    """Cubic5 keeps its band; the constant of Muon ends below its own, at 0.68."""
    for name, kept in (("cubic5", True), ("muon", False)):
        preset = PRESETS[name]
        low, high = end(preset.polynomials, repr(preset.lower))
        assert (preset.band[0] <= low and high <= preset.band[1]) == kept
    assert float(end(PRESETS["muon"].polynomials, "0.0016")[0]) == pytest.approx(muon.band()[0], rel=1e-12)


# ---- record and page -------------------------------------------------------------------------------


@each
def test_the_record_is_of_these_digits(preset):
    entry = RECORD["lists"][preset.name]
    assert entry["lower"] == preset.lower
    assert entry["lower from"] == preset.lower_from
    assert entry["claimed error"] == preset.claimed_error
    assert entry["steps"] == len(preset.polynomials)
    assert entry["products"] == sum(map(len, preset.polynomials))
    if not preset.defect:
        low, high = end(preset.polynomials, repr(preset.lower))
        assert entry["image"] == pytest.approx([float(low), float(high)], rel=1e-12)
        assert entry["error"] == pytest.approx(float(max(1 - low, high - 1)), rel=1e-6)
        assert entry["error by step"][-1] == entry["error"]


@sound
def test_the_recorded_regions_are_sharp(preset):
    """Just inside the end Newton-Schulz brings the result to 1, just outside it leaves (0, sqrt(7/3))."""
    edge = RECORD["lists"][preset.name]["region, then Newton-Schulz"]
    with mp.workdps(40):
        gap = mp.mpf(10) ** -12  # the end is recorded in float64
        limit = mp.sqrt(mp.mpf(7) / 3)
        assert 0 < end(preset.polynomials, edge - gap, edge - gap)[0] < limit
        assert value(preset.polynomials, edge + gap) > limit or value(preset.polynomials, edge + gap) < 0
        assert end(preset.polynomials, 0, edge - gap)[1] < limit


def test_the_record_has_every_list_and_the_page_says_what_it_says():
    assert list(RECORD["lists"]) == list(PRESETS)
    page = (DOCS / "coefficients.md").read_text()
    accuracy, robustness = (_table(page, heading) for heading in ("What they reach", "How far one may stray"))
    assert list(accuracy) == list(robustness) == list(PRESETS)
    for name, entry in RECORD["lists"].items():
        steps, products, lower, _, claimed, worst, image_, at = accuracy[name]
        assert [int(steps), int(products)] == [entry["steps"], entry["products"]]
        assert float(lower) == entry["lower"]
        if entry["claimed error"] is not None:
            assert float(claimed) == pytest.approx(entry["claimed error"], rel=1e-3)
        assert float(worst) == pytest.approx(entry["error"], rel=1e-3)
        assert [float(v) for v in image_.split(",")] == pytest.approx(entry["image"], abs=6e-5)
        assert float(at) == pytest.approx(entry["error on [0.001, 1]"], rel=1e-3)
        slope, region, repeated, least, d, safe = robustness[name]
        assert (safe != "none") * len(safe.split(",")) == len(entry["safe in"])
        assert entry["safe in"] == list(matfun.preset(name, allow_defective=True).safe_in)
        assert float(slope) == pytest.approx(entry["slope at 0"], rel=1e-3)
        assert float(region) == pytest.approx(entry["region, then Newton-Schulz"], abs=6e-8)
        if repeated:
            assert float(repeated) == pytest.approx(entry["region, last repeated"], abs=6e-8)
        assert float(least) == pytest.approx(entry["least p(x)/x"], rel=1e-2)
        assert (d == "") == (entry["stability factor d"] is None)
        if d:
            assert float(d) == pytest.approx(entry["stability factor d"], rel=1e-2)


def _table(page, heading):
    """Rows of the first table under a heading, by the name in their first cell."""
    lines = page.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}
