"""Do 2e6 samples and exact arithmetic agree with every certificate: of each preset, of designs of each kind?

Every certificate is that of the floats.  ``sup_error`` evaluates them in float64, and agrees to their rounding.
"""

from itertools import pairwise

import numpy as np
import pytest

import matfun
from matfun import Polynomial, ResidualView
from matfun.polynomials.certificate import image, images, sup_error
from matfun.polynomials.composition import CUSHION
from matfun.polynomials.formats import amplification
from matfun.polynomials.presets import PRESETS
from matfun.polynomials.taylor import taylor_inverse_root
from theory import schedule as twin
from theory import sturm

POINTS = 2_000_000

EXACT = {"dtype": None, "cushion": 0, "safety": 1}

DESIGNS = {
    f"degree-{degree}-{lower:g}-{steps}": {"degree": degree, "lower": lower, "steps": steps, **EXACT}
    for degree, lower, steps in ((3, 1e-3, 8), (5, 1e-3, 5), (5, 1e-6, 9), (7, 1e-2, 4), (9, 1e-4, 5), (17, 1e-3, 3))
} | {
    "mixed": {"degree": (3, 5, 9, 13), "lower": 1e-2, **EXACT},
    "cushioned": {"degree": 5, "steps": 6, "dtype": None, "cushion": CUSHION, "safety": 1.0},
    "safe": {"degree": 5, "steps": 6, "dtype": None, "cushion": CUSHION, "safety": 1.02},
    "converged": {"degree": 5, "steps": 8, **EXACT},
    "wide": {"upper": 3.0, "lower": 0.1, "steps": 4, **EXACT},
    "target": {"target": 1e-3, **EXACT},
    "products": {"products": 18, "lower": 1e-2, **EXACT},
    "widest": {"lower": None, "target": 0.3, "steps": 4, **EXACT},
    "inverse": {"p": 1, "degree": 7, "lower": 1e-2, "steps": 4, **EXACT},
    "third-root": {"p": 3, "degree": (3, 9, 5), "lower": 0.2, **EXACT},
    "fourth-root": {"p": 4, "lower": 0.05, "steps": 5, **EXACT},
}

SCHEDULES = {name: matfun.preset(name, allow_defective=True) for name in matfun.presets()} | {
    name: matfun.design(**arguments) for name, arguments in DESIGNS.items()
}

each_schedule = pytest.mark.parametrize("name", list(SCHEDULES))


def floats_amplify(made):
    """What rounding the coefficients can do to the values: their moduli times u, carried on by the slopes."""
    noise, ends = 0.0, images(made.coefficients, *made.interval, made.p)
    for c, (low, high) in zip(made.coefficients, ends, strict=False):
        top = max(abs(low), abs(high))
        slope = max(
            abs(np.polynomial.polynomial.polyval(x**made.p, [(1 + made.p * i) * v for i, v in enumerate(c)]))
            for x in np.linspace(low, high, 2001)
        )
        noise = slope * noise + 2.0**-53 * sum(abs(v) * top ** (1 + made.p * i) for i, v in enumerate(c))
    return noise


@each_schedule
def test_exact_arithmetic_agrees(name):
    """sup |1 - x| of the float coefficients lies between two rational bounds, and so does the certificate."""
    made = SCHEDULES[name]
    at_least, at_most = sturm.sup_error_bounds(made.coefficients, *made.interval, p=made.p)
    assert at_most - at_least <= 1e-14 * at_most + 1e-28
    assert at_least * (1 - 1e-12) - 1e-30 <= made.error <= at_most * (1 + 1e-12) + 1e-30
    noise = 8 * floats_amplify(made)
    again = sup_error(made.coefficients, *made.interval, made.p)
    assert at_least * (1 - 1e-9) - noise <= again <= at_most * (1 + 1e-9) + noise


@pytest.mark.parametrize(("p", "degree", "lower", "steps"), [(3, 13, 0.3, 6), (3, 17, 0.9, 8), (5, 17, 0.3, 8)])
def test_intervals_so_short_that_powers_of_their_width_underflow(p, degree, lower, steps):
    made = matfun.design(lower, degree=degree, steps=steps, p=p, dtype=None)
    at_least, at_most = sturm.sup_error_bounds(made.coefficients, lower, 1, p=p)
    assert at_least <= made.error <= at_most


@each_schedule
def test_two_million_samples_agree(name):
    made = SCHEDULES[name]
    dense = sturm.dense_error(made.coefficients, *made.interval, POINTS, p=made.p)
    noise = floats_amplify(made)
    assert dense <= made.error * (1 + 1e-9) + 8 * noise
    # both ends are among the points, and one of them has the error, or an extremum is sampled closely enough
    assert dense >= made.error * (1 - 1e-2) - 8 * noise


@each_schedule
def test_the_image_after_every_step_is_enclosed(name):
    made = SCHEDULES[name]
    for c, (before, after) in zip(
        made.coefficients, pairwise(images(made.coefficients, *made.interval, made.p)), strict=True
    ):
        outer, inner = sturm.image(c, *before, p=made.p)
        size = 2.0**-50 * sum(abs(v) * max(map(abs, before)) ** (1 + made.p * i) for i, v in enumerate(c))
        assert float(inner[0]) - size <= after[0] + 2 * size
        assert after[1] - 2 * size <= float(outer[1]) + size
        assert after[0] - size <= float(inner[0])
        assert float(inner[1]) <= after[1] + size


def goes_on(made):
    """Coefficients of the list and of what follows it, until that is Newton-Schulz (or for ever the last one)."""
    rows, step = list(made.coefficients), len(made)
    while made.stages:
        h = made.next(ResidualView(made.p, step, False, None, 2.0**-52, None))
        if h == Polynomial(taylor_inverse_root(made.p, h.degree)):
            break
        rows.append(tuple(float(c) for c in h.in_basis("gram").coefficients))
        step += 1
    return tuple(rows)


@each_schedule
def test_region_is_the_twins_and_sharp(name):
    """Just below it a start stays positive and bounded for 80 more steps, just above it does not."""
    made = SCHEDULES[name]
    rows = goes_on(made)
    options = {"coefficients": rows, "p": made.p, "repeat": made.repeat}
    edge = twin.region(**options)[1]
    # changing the basis of what follows rounds its coefficients, which moves the end by as much as they amplify
    ends = images(rows, *made.interval, made.p)
    largest = max(amplification(c, top, made.p) for c, (_, top) in zip(rows, ends, strict=False))
    assert made.region == pytest.approx(edge, rel=1e-12 + 4 * 2.0**-53 * largest)
    assert made.region > made.interval[1] or name in PRESETS
    width = min(1e-3 * abs(edge - 1), 1e-3) if made.p == 2 else 1e-6 * edge
    below, above = edge - max(width, 1e-13), edge + max(width, 1e-13)
    for start, inside in ((below, True), (above, False)):
        values = np.array([start])
        good = True
        for step in range(len(rows) + 80):
            values = twin.next_spectrum(values, step, **options)
            good = good and bool(0 < values[0] < 9)
            if not good:
                break
        assert good is inside, (start, values)


def test_a_negative_interval_is_followed_too():
    """What a wrong sign leaves: images on both sides of 0, for odd and even p."""
    for p in (1, 2, 3):
        c = (1.5, -0.75, 0.1)
        x = np.linspace(-0.8, 1.3, 200001)
        y = x * np.polynomial.polynomial.polyval(x**p, c)
        after = images([c], -0.8, 1.3, p)[1]
        assert after == pytest.approx((y.min(), y.max()), rel=1e-8)
        x = np.linspace(-1.3, -0.2, 200001)
        y = x * np.polynomial.polynomial.polyval(x**p, c)
        assert images([c], -1.3, -0.2, p)[1] == pytest.approx((y.min(), y.max()), rel=1e-8)


def test_image_at_a_double_critical_point():
    """The Taylor quintic turns at 1 twice, where its derivative does not change sign: no extremum is invented."""
    assert image((1.875, -1.25, 0.375), 0.5, 1.4) == pytest.approx(
        (0.5 * (1.875 - 1.25 / 4 + 0.375 / 16), 1.4 * (1.875 - 1.25 * 1.96 + 0.375 * 1.96**2)), rel=1e-14
    )


# ---- the defective list --------------------------------------------------------------------------


def test_the_defective_list_flips_signs_and_is_refused():
    """p_1 < 0 from 0.8837 on: exactly shown, seen in an answer, and refused unless it is asked for."""
    name = next(name for name, preset in PRESETS.items() if preset.defect)
    rows = PRESETS[name].polynomials
    assert sturm.positive(rows[0], 0.8836)
    assert not sturm.positive(rows[0], 0.8838)
    assert sturm.sup_error_bounds(rows, 1e-3, 1.0)[0] > 2.08
    u = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 1)))[0]
    A = u @ u.T
    with pytest.raises(ValueError, match=rf"method: the published list '{name}' is defective: .*allow_defective=True"):
        matfun.orthogonalize(A, method=name, steps=4)
    with pytest.raises(ValueError, match="is defective"):
        matfun.preset(name)
    X = matfun.orthogonalize(A, method=matfun.preset(name, allow_defective=True), steps=4)
    assert np.trace(u.T @ X @ u) == pytest.approx(-0.99, abs=0.01)
    # any other published list leaves the sign
    for other in matfun.presets():
        if not PRESETS[other].defect:
            made = matfun.preset(other)
            assert all(
                sturm.positive(c, top)
                for c, (_, top) in zip(made.coefficients, images(made.coefficients, 0.0, 1.0), strict=False)
            )
            X = matfun.orthogonalize(A, method=other, steps=len(made))
            assert 0.6 < np.trace(u.T @ X @ u) < 1.35
