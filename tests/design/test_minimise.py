"""Does the closed form find the minimiser of a quartic on every array library, whatever the quartic looks like?

The reference is exact: mpmath's roots of the derivative of the coefficients as they are stored, and the ends.  Near its
minimum f is flat: its value says where that is to sqrt(eps), Newton's method on the slope to eps over the curvature.
Between two valleys of the same depth nothing decides.
"""

import numpy as np
import pytest
from mpmath import mp

import matfun
from matfun.polynomials.minimise import argmin_by_roots, argmin_on_interval, grid
from matfun.providers import ops_for
from tests.exam.walk import each_library, library_called

INTERVALS = [(0.5, 1.0), (0.375, 1.45), (-1.0, 1.0)]


def from_slope(lead, roots):
    """Coefficients of the quartic whose derivative has this leading coefficient and these roots; f(0) = 1."""
    slope = lead * np.poly(roots)[::-1]
    return np.concatenate([[1.0], slope / np.arange(1, 5)])


def quartics():
    """Name and rows, each (k, 5); sizes from 1e-25 to 1e25, which float32 holds."""
    rng = np.random.default_rng(1)
    inside, near = rng.uniform(0.4, 1.0, (60, 3)), rng.uniform(-0.9, 0.9, 60)
    ordered = np.sort(inside, axis=1)
    squares = [(u.T @ u) for u in rng.standard_normal((60, 6, 3)) * np.array([1.0, 0.5, 0.2])]
    flat = np.zeros((4, 5))
    flat[1, 0], flat[2, 2], flat[3, 4] = 3.0, 1.0, -2.0
    small = rng.standard_normal((60, 5))
    small[:, 4] *= 10.0 ** rng.uniform(-40, 0, 60)
    smaller = small.copy()
    smaller[:, 3] *= 10.0 ** rng.uniform(-40, 0, 60)
    found = {
        "random": rng.standard_normal((200, 5)),
        "no-quartic-term": np.c_[rng.standard_normal((60, 4)), np.zeros(60)],
        "no-cubic-term-either": np.c_[rng.standard_normal((60, 3)), np.zeros((60, 2))],
        "straight": np.c_[rng.standard_normal((20, 2)), np.zeros((20, 3))],
        "small-leading-term": small,
        "two-small-leading-terms": smaller,
        "flat": flat,
        "three-roots": np.array([from_slope(a, r) for a, r in zip(rng.choice([1, -1], 60), inside, strict=True)]),
        "middle-root-is-the-maximum": np.array([from_slope(2.0, r) for r in ordered]),
        "double-root": np.array([from_slope(1.0, [a, a, b]) for a, b in zip(inside[:, 0], near, strict=True)]),
        "triple-root": np.array([from_slope(1.0, [a] * 3) for a in inside[:, 0]]),
        "complex-pair": np.array([from_slope(1.0, [a, b + 0.3j, b - 0.3j]).real for a, b in inside[:, :2]]),
        "squares": np.array([[g[0, 0], 2 * g[0, 1], g[1, 1] + 2 * g[0, 2], 2 * g[1, 2], g[2, 2]] for g in squares]),
    }
    return {k: v * 10.0 ** rng.integers(-25, 25, (len(v), 1)) for k, v in found.items()}


QUARTICS = quartics()


def value(row, x):
    """f(x) - f(0), exactly."""
    return mp.polyval([mp.mpf(float(c)) for c in row[:0:-1]] + [0], mp.mpf(float(x)))


def exact(row, lower, upper):
    """Minimiser and f(x) - f(0) there."""
    slope = [i * mp.mpf(float(c)) for i, c in enumerate(row)][:0:-1]
    while slope and slope[0] == 0:
        slope = slope[1:]
    roots = mp.polyroots(slope, maxsteps=500, extraprec=600, error=False) if len(slope) > 1 else []
    # the real part of a root that is not real is one more point of the interval
    points = [lower, upper, *(float(mp.re(z)) for z in roots if lower < mp.re(z) < upper)]
    return min(((x, value(row, x)) for x in points), key=lambda pair: pair[1])


def judge(rows, found, lower, upper, eps, valley=0.0):
    """As deep as the best up to roundings of f, and as near where the curvature says so."""
    for row, x in zip(rows, found, strict=True):
        assert lower * (1 - eps) - eps <= x <= upper * (1 + eps) + eps
        size = float(np.max(np.abs(row[1:])))
        if size == 0:
            assert x == lower
            continue
        best, depth = exact(row, lower, upper)
        off = float((value(row, x) - depth) / size)
        assert off <= 8 * eps + valley, (row, x, best, off)
        scaled = row / size
        curvature = sum(i * (i - 1) * c * best ** (i - 2) for i, c in enumerate(scaled) if i > 1)
        # another valley, as deep up to rounding, is as good
        if curvature > 0.1 and lower < best < upper and abs(x - best) < 0.05:
            assert abs(x - best) <= 64 * eps / curvature


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", list(QUARTICS))
@each_library
def test_the_closed_form_finds_the_exact_minimiser(library_name, kind, dtype):
    """Every row of a stack at once; among them, where the middle root is the maximum, it must not be taken."""
    library = library_called(library_name)
    rows = QUARTICS[kind].astype(dtype)
    for lower, upper in INTERVALS if library_name == "numpy" else INTERVALS[1:2]:
        c = [library.put(np.ascontiguousarray(v)) for v in rows.T]
        found = library.get(ops_for(c[0]).argmin(c, lower, upper, "roots"))
        assert found.dtype == rows.dtype
        judge(rows.astype(np.float64), found.astype(np.float64), lower, upper, float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", list(QUARTICS))
def test_the_grid_finds_it_where_valleys_are_wider_than_its_cells(kind, dtype):
    """A valley between two points of the grid can be missed; what that costs is its depth below them, (1/64)^2."""
    rows = QUARTICS[kind].astype(dtype)
    for lower, upper in INTERVALS:
        points = np.asarray(grid(lower, upper), dtype=dtype)
        found = argmin_on_interval(np, list(rows.T), points, lower, upper)
        cell = (upper - lower) / 64
        judge(rows.astype(np.float64), found.astype(np.float64), lower, upper, float(np.finfo(dtype).eps), 2 * cell**2)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_stacks_and_parabolas(shape):
    """Any shape of coefficients, and three of them, as for p = 1."""
    rng = np.random.default_rng(4)
    c = rng.standard_normal((3, *shape))
    found = argmin_by_roots(np, list(c), 0.2, 1.3)
    assert found.shape == shape
    for index in np.ndindex(shape):
        row = c[(slice(None), *index)]
        assert float(value(row, found[index]) - exact(row, 0.2, 1.3)[1]) <= 1e-15


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", range(1, 5))
def test_what_is_not_finite_is_the_lower_end_and_leaves_its_neighbour_alone(at, bad):
    rows = np.stack([QUARTICS["random"][0], QUARTICS["random"][1]]).astype(np.float64)
    alone = argmin_by_roots(np, list(rows[1:].T), 0.375, 1.45)[0]
    rows[0, at] = bad
    found = argmin_by_roots(np, list(rows.T), 0.375, 1.45)
    assert found[0] == 0.375
    assert found[1] == alone


def test_roots_are_for_quartics():
    with pytest.raises(ValueError, match="coefficients: expected 5 at most for the roots in closed form, got 7"):
        argmin_by_roots(np, [np.ones(())] * 7, 0.5, 1.0)
    A = np.diag([1.0, 0.5])
    rule = matfun.Prism(solver="roots")
    with pytest.raises(ValueError, match="solver: expected 'grid' for p = 3, got 'roots'"):
        matfun.invrootm(A, 3, method=rule)
    for p in (1, 2):
        want = matfun.invrootm(A, p, method="prism", rng=0)
        np.testing.assert_allclose(matfun.invrootm(A, p, method=rule, rng=0), want, rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="solver: expected one of"):
        matfun.Prism(solver="cubic")
    with pytest.raises(ValueError, match="fresh: expected True or False"):
        matfun.Prism(fresh=3)
