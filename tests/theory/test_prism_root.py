"""PRISM for general p: the expansion, the computed intervals, and the exact fit."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from theory import inverse_root, prism
from theory import prism_root as twin
from theory.scalar import horner

CASES = [(p, d) for p in (1, 2, 3, 4, 8) for d in (1, 2)]


def spectra(count: int, p: int, seed: int) -> list[Any]:
    """Values sigma in (0, 1]: uniform, logarithmic, clustered m."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        n = int(rng.integers(1, 8))
        m = [rng.uniform(0.01, 1, n), 10 ** rng.uniform(-4, 0, n), np.clip(0.4 + 0.01 * rng.standard_normal(n), 0, 1)]
        found.append(m[k % 3] ** (1 / p))
    return found


@pytest.mark.parametrize(("p", "d"), CASES)
def test_parts_are_an_exact_identity(p: int, d: int) -> None:
    for i in range(p * d + 2):
        for j in range(p + 1):
            r, a = Fraction(i - 2, 5), Fraction(j + 1, 3)
            g = 1 + a * r if d == 1 else 1 + r / p + a * r * r
            u = twin.parts(r, p, d)
            assert len(u) == p + 1
            assert horner(u, a) == 1 - (1 - r) * g**p
    if p == 2:
        assert tuple(twin.parts(Fraction(2, 7), 2, d)) == prism.parts(Fraction(2, 7), 2 * d + 1)


@pytest.mark.parametrize(("p", "d"), CASES)
def test_fit_is_the_minimiser(p: int, d: int) -> None:
    rng = np.random.default_rng(5)
    lower, upper = (float(end) for end in twin.interval(p, d))
    grid = np.linspace(lower, upper, 2001)
    for sigmas in spectra(12, p, 11):
        weights: Any = rng.chisquare(4, len(sigmas)) if len(sigmas) % 2 else None
        w = np.ones(len(sigmas)) if weights is None else weights
        r = (1 - sigmas**p)[:, None]
        a = float(twin.alpha(sigmas, p=p, d=d, weights=weights))
        assert lower <= a <= upper

        def objective(t: Any, r: Any = r, w: Any = w) -> Any:
            g = 1 + t * r if d == 1 else 1 + r / p + t * r * r
            return w @ ((1 - (1 - r) * g**p) ** 2)

        # float64 sums of numbers up to the size of w
        assert objective(np.array([a]))[0] <= objective(grid).min() + 1e-14 * w.sum()


@pytest.mark.parametrize("d", [1, 2])
def test_closed_form_for_the_inverse(d: int) -> None:
    lower, upper = twin.interval(1, d)
    inside = 0
    for sigmas in spectra(60, 1, 3):
        t = [np.sum((1 - sigmas) ** k) for k in range(7)]
        top, bottom = (t[2] - t[3], t[2] - 2 * t[3] + t[4]) if d == 1 else (t[4] - t[5], t[4] - 2 * t[5] + t[6])
        want = min(max(top / bottom, float(lower)), float(upper))
        inside += float(lower) < want < float(upper)
        assert float(twin.alpha(sigmas, p=1, d=d)) == pytest.approx(want, rel=1e-9)
    assert inside


@pytest.mark.parametrize(("p", "d"), CASES)
def test_single_eigenvalue(p: int, d: int) -> None:
    with mp.workdps(40):
        lower, upper = twin.interval(p, d)
        for r in (mp.mpf("0.2"), mp.mpf("0.5"), mp.mpf("0.99")):
            root = mp.root(1 / (1 - r), p)
            exact = (root - 1) / r if d == 1 else (root - 1 - r / p) / r**2
            # a multiple zero of the objective is a simple one of its derivative only for r' with a simple zero
            assert abs(twin.fit([r], p, d) - min(max(exact, lower), upper)) < mp.mpf(10) ** -25
        assert twin.fit([mp.mpf(0)], p, d) == lower


def test_two_is_prism() -> None:
    rng = np.random.default_rng(9)
    for degree in (3, 5):
        s = rng.uniform(0.05, 1, 6)
        assert (
            twin.next_spectrum(s, 0, p=2, d=degree // 2).tolist() == prism.next_spectrum(s, 0, degree=degree).tolist()
        )
        assert float(twin.interval(2, degree // 2)[1]) == float(prism.INTERVALS[degree][1])
        for p in (1, 3):
            through = prism.next_spectrum(s, 0, degree=degree, p=p).tolist()
            assert through == twin.next_spectrum(s, 0, p=p, d=degree // 2).tolist()
            held = prism.alpha(s, 0, degree=degree, warm_start=1, p=p)
            assert held == twin.interval(p, degree // 2)[1]


def test_upper_ends() -> None:
    with mp.workdps(30):
        assert abs(twin.upper_end(1, 1) - (2 * mp.sqrt(2) - 1)) < mp.mpf(10) ** -28
        assert abs(twin.upper_end(1, 2) - 4) < mp.mpf(10) ** -28
        assert abs(twin.upper_end(2, 2) - prism.cap()) < mp.mpf(10) ** -25
    linear = {p: twin.linear_end(p) for p in range(1, 9)}
    assert linear[2] == twin.PUBLISHED_ENDS[2, 1]
    first = [1.828427, 0.935756, 0.633944, 0.481236, 0.388689, 0.326456, 0.281372, 0.247086]
    second = [4.0, 1.472229, 0.863971, 0.603869, 0.461911, 0.373152, 0.312635, 0.268823]
    for p in range(1, 9):
        assert float(twin.upper_end(p, 1)) == pytest.approx(first[p - 1], abs=5e-7)
        assert float(twin.upper_end(p, 2)) == pytest.approx(second[p - 1], abs=5e-7)
        assert twin.upper_end(p, 1) < mp.mpf(linear[p].numerator) / linear[p].denominator
        for d in (1, 2):
            assert (
                twin.interval(p, d)[0]
                == mp.mpf(inverse_root.taylor(p, d)[d].numerator) / inverse_root.taylor(p, d)[d].denominator
            )
    # 29/20 is the only end in print that lies inside, 1 does not
    assert twin.stays_near(mp.mpf("1.45"), 2, 2)
    assert not twin.stays_near(mp.mpf(1), 2, 1)


def moved(m: Any, a: float, p: int, d: int) -> Any:
    r = 1 - m
    return m * (1 + a * r if d == 1 else 1 + r / p + a * r * r) ** p


@pytest.mark.parametrize(("p", "d"), [(p, d) for p in range(1, 9) for d in (1, 2)])
def test_upper_end_is_the_largest_that_never_moves_away(p: int, d: int) -> None:
    end, lower = float(twin.upper_end(p, d)), float(twin.interval(p, d)[0])

    def growth(a: float, top: float) -> float:
        m = np.concatenate([np.linspace(1e-9, 1, 4001), np.linspace(1, top, 4001)])
        return float(np.max(np.abs(1 - moved(m, a, p, d)) - np.abs(1 - m)))

    top = float(twin.overshoot(mp.mpf(end), p, d))
    grid = np.linspace(1e-9, 1, 20001)
    # a grid misses the maximum by the square of its spacing
    assert top == pytest.approx(moved(grid, end, p, d).max(), abs=1e-7)
    for a in np.linspace(lower, end, 9):
        # every smaller alpha too, on everything that the largest one can reach
        assert growth(float(a), top) <= 1e-12
        assert moved(np.linspace(0, top, 4001), float(a), p, d).max() <= top * (1 + 1e-12)
    above = end * 1.001
    assert growth(above, float(twin.overshoot(mp.mpf(above), p, d))) > 1e-6


def test_linear_end_is_that_of_values_next_to_one() -> None:
    for p in (1, 2, 3, 8):
        end = float(twin.linear_end(p))
        for factor, shrinks in ((0.99, True), (1.01, False)):
            m = 1 + 1e-6
            assert bool(abs(1 - moved(m, end * factor, p, 1)) < 1e-6) is shrinks
    assert 1 - moved(1.185, 1.0, 2, 1) == pytest.approx(0.213, abs=5e-4)


@pytest.mark.parametrize(("p", "d"), CASES)
def test_exact_fit_is_never_worse_than_taylor_and_converges(p: int, d: int) -> None:
    for start in spectra(6, p, 23):
        s = start
        for step in range(60):
            residual = np.linalg.norm(1 - s**p)
            if residual < 1e-14:
                break
            taylor = inverse_root.next_spectrum(s, 0, p=p, q=d)
            s = twin.next_spectrum(s, step, p=p, d=d)
            assert np.linalg.norm(1 - s**p) <= np.linalg.norm(1 - taylor**p) * (1 + 1e-12) + 1e-15
            assert np.linalg.norm(1 - s**p) <= residual * (1 + 1e-12)
        assert np.linalg.norm(1 - s**p) < 1e-14


@pytest.mark.parametrize(("p", "d"), CASES)
def test_region(p: int, d: int) -> None:
    upper = twin.region(p=p, d=d)[1]
    for offset in (-1e-6, 1e-6):
        # a bulk of tiny values holds alpha at its upper end; the last has no weight
        s = np.array([1e-12] * 3 + [upper + offset]) ** (1 / p)
        s = twin.next_spectrum(s, 0, p=p, d=d, weights=[1, 1, 1, 0])
        if offset < 0:
            assert 0 < s[-1] ** p < upper
        else:
            assert s[-1] < 0 if d == 1 else s[-1] ** p > upper
