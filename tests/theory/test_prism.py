"""PRISM: the exact fit, the corrected theorem on random spectra, the counterexample, and what is monotone."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from scipy.optimize import minimize_scalar

from theory import newton_schulz
from theory import prism as twin
from theory.scalar import residual_norm


def spectra(count: int, seed: int) -> list[Any]:
    """Singular values in (0, 1]: uniform, logarithmic, clustered, two-valued; norm 1 or below."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        n = int(rng.integers(1, 9))
        s = [
            rng.uniform(0.01, 1, n),
            10 ** rng.uniform(-4, 0, n),
            np.clip(rng.uniform(0.05, 1) * (1 + 1e-2 * rng.standard_normal(n)), 1e-3, 1),
            rng.choice(rng.uniform(0.02, 1, 2), n),
        ][k % 4]
        found.append(s / s.max() if rng.uniform() < 0.5 else s)
    return found


@pytest.mark.parametrize("degree", [3, 5])
def test_parts_are_an_exact_identity(degree: int) -> None:
    # degree 5 in r and 2 in alpha: 6 by 3 points decide
    for i in range(6):
        for j in range(3):
            r, a = Fraction(i - 2, 5), Fraction(j + 1, 3)
            g = 1 + a * r if degree == 3 else 1 + r / 2 + a * r * r
            u0, u1, u2 = twin.parts(r, degree)
            assert u0 + a * u1 + a * a * u2 == 1 - (1 - r) * g * g


@pytest.mark.parametrize("degree", [3, 5])
def test_fit_is_the_minimiser(degree: int) -> None:
    rng = np.random.default_rng(5)
    lower, upper = (float(end) for end in twin.INTERVALS[degree])
    grid = np.linspace(lower, upper, 4001)
    for sigmas in spectra(60, 11):
        weights = rng.chisquare(4, len(sigmas)) if len(sigmas) % 2 else None
        r = 1 - sigmas**2
        a = float(twin.alpha(sigmas, 0, degree=degree, weights=weights))
        w = np.ones_like(r) if weights is None else weights

        def objective(t: float, r: Any = r, w: Any = w) -> float:
            u0, u1, u2 = twin.parts(r, degree)
            return float(np.sum(w * (u0 + t * u1 + t * t * u2) ** 2))

        values = np.array([objective(t) for t in grid])
        # rounding of the sum in float64
        assert objective(a) <= values.min() + 1e-15 * np.sum(w)
        near = minimize_scalar(
            objective,
            bounds=(max(lower, grid[values.argmin()] - 1e-3), min(upper, grid[values.argmin()] + 1e-3)),
            method="bounded",
        )
        assert objective(a) <= near.fun + 1e-15 * np.sum(w)
        # numpy's roots of the cubic, the textbook way, agree
        c = [float(v) for v in twin.quartic([mp.mpf(v) for v in r], degree, weights)]
        if max(c[1:], key=abs) and abs(c[4]) > 1e-10:
            roots = np.roots([4 * c[4], 3 * c[3], 2 * c[2], c[1]])
            real = [float(z.real) for z in roots if abs(z.imag) < 1e-8 and lower < z.real < upper]
            best = min([lower, upper, *real], key=objective)
            assert objective(best) >= objective(a) - 1e-15 * np.sum(w)


@pytest.mark.parametrize(("r", "d3", "d5"), [("0.5", 0.8284, 0.6569), ("0.8", 1.0, 1.3064), ("0.9", 1.0, 1.45)])
def test_single_eigenvalue(r: str, d3: float, d5: float) -> None:
    with mp.workdps(40):
        value = mp.mpf(r)
        root = 1 / mp.sqrt(1 - value)
        exact = {3: (root - 1) / value, 5: (root - 1 - value / 2) / value**2}
        for degree, printed in ((3, d3), (5, d5)):
            a = twin.fit([value], degree)
            low, high = twin.INTERVALS[degree]
            clipped = min(
                max(exact[degree], mp.mpf(low.numerator) / low.denominator),
                mp.mpf(high.numerator) / high.denominator,
            )
            # a double zero of the quartic is a simple one of its derivative: only guard digits are lost
            assert abs(a - clipped) < mp.mpf(10) ** -35
            assert float(a) == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize("degree", [3, 5])
def test_nothing_to_fit(degree: int) -> None:
    lower = float(twin.INTERVALS[degree][0])
    for sigmas in (np.ones(3), np.zeros(2), np.array([0.0, 1.0])):
        assert float(twin.alpha(sigmas, 0, degree=degree)) == lower
    # and as R -> 0 the minimiser tends to the Taylor coefficient
    assert float(twin.fit([mp.mpf("1e-9"), mp.mpf("-2e-9")], degree)) == pytest.approx(lower, abs=1e-8)
    assert float(twin.alpha(np.array([0.9]), 1, degree=degree, warm_start=2)) == float(twin.INTERVALS[degree][1])


@pytest.mark.parametrize("degree", [3, 5])
def test_bounds_hold_on_random_spectra(degree: int) -> None:
    tightest = np.inf
    for start in spectra(120, 23):
        s = start.astype(object)
        with mp.workdps(40):
            for k in range(1, 6):
                s = twin.next_spectrum(s, k - 1, degree=degree)
                true = residual_norm(s)
                bound = twin.residual_bound(start, k, degree=degree)
                assert bound is not None
                # 40 digits leave 1e-38 of noise in 1 - sigma^2
                assert true <= bound * (1 + 1e-12) + 1e-37
                if true > 1e-30:
                    tightest = min(tightest, bound / true)
                if degree == 3:
                    assert true <= twin.theorem1_bound(residual_norm(start), k) * (1 + 1e-12) + 1e-37
    # slack: spectra exist that come within 5 % of the bound
    assert tightest < 1.05


@pytest.mark.parametrize("degree", [3, 5])
def test_bound_reaches_zero_in_time(degree: int) -> None:
    start = np.geomspace(1e-3, 1, 64)
    s, reached, promised, k = start, 0, 0, 0
    while not promised:
        s = twin.next_spectrum(s, k, degree=degree)
        k += 1
        if not reached and residual_norm(s) < 1e-12:
            reached = k
        bound = twin.residual_bound(start, k, degree=degree)
        assert bound is not None
        if bound < 1e-12:
            promised = k
    assert reached
    # the bound grows like Newton-Schulz (1.5, 1.875), the fit like 2, 2.95; and a few steps for the bulk
    start_up = np.log(1e3) * (1 / np.log(float(newton_schulz.slope(degree))) - 1 / np.log(2 if degree == 3 else 2.95))
    assert reached <= promised <= reached + start_up + 8


@pytest.mark.parametrize("options", [{"warm_start": 3}, {"weights": True}])
@pytest.mark.parametrize("degree", [3, 5])
def test_bound_without_an_exact_fit(degree: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    for start in spectra(40, 31):
        chosen = {"weights": rng.chisquare(2, len(start))} if "weights" in options else options
        s = start
        for k in range(1, 7):
            s = twin.next_spectrum(s, k - 1, degree=degree, **chosen)
            bound = twin.residual_bound(start, k, degree=degree, **chosen)
            assert bound is not None
            assert residual_norm(s) <= bound * (1 + 1e-12) + 1e-15
    assert twin.residual_bound(np.array([1.1]), 1, degree=degree) is None


@pytest.mark.parametrize("degree", [3, 5])
def test_frobenius_norm_never_above_newton_schulz(degree: int) -> None:
    for start in spectra(60, 47):
        s = start
        for k in range(8):
            plain = newton_schulz.next_spectrum(s, k, degree=degree)
            following = twin.next_spectrum(s, k, degree=degree)
            before, fitted, taylor = (np.linalg.norm(1 - v**2) for v in (s, following, plain))
            assert fitted <= taylor + 1e-15
            assert fitted <= before + 1e-15
            # (c) amplification
            assert np.all(following <= s * (2 if degree == 3 else 2.95) * (1 + 1e-15))
            s = following


def test_amplification_is_attained() -> None:
    for degree, most in ((3, 2.0), (5, 2.95)):
        (x,) = twin.next_spectrum(np.array([1e-9]), 0, degree=degree)
        assert x / 1e-9 == pytest.approx(most, rel=1e-14)


def test_one_eigenvalue_may_grow() -> None:
    u0, u1, u2 = twin.parts(-0.185, 3)
    assert u0 + u1 + u2 == pytest.approx(0.213, abs=5e-4)


def matrix_residuals(a: Any, steps: int) -> list[float]:
    """||I - X_k^2||_2 with the exact fit of degree 3, on matrices."""
    x, eye, norms = a, np.eye(len(a)), []
    for _ in range(steps + 1):
        r = eye - x @ x
        norms.append(float(np.linalg.norm(r, 2)))
        best = twin.fit([mp.mpf(v) for v in np.linalg.eigvalsh((r + r.T) / 2)], 3)
        x = x @ (eye + float(best) * r)
    return norms


def test_counterexample_to_theorem_1_as_printed() -> None:
    a = twin.counterexample()
    assert np.linalg.norm(a, 2) == 1.0
    assert np.array_equal(a @ a, -np.eye(2))
    norms = matrix_residuals(a, 3)
    assert norms == pytest.approx([2.0, 5.0, 50.0, 33125.0], rel=1e-12)
    assert norms[2] > twin.theorem1_bound(norms[0], 2) == 2.0
    assert norms[3] > twin.theorem1_bound(norms[0], 3)


def test_theorem_1_with_the_added_hypothesis_on_matrices() -> None:
    # A diagonalisable with real eigenvalues of both signs and A^2 symmetric semidefinite: symmetric A will do
    rng = np.random.default_rng(8)
    for _ in range(20):
        q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
        a = q @ np.diag(rng.uniform(0.05, 1, 5) * rng.choice([-1, 1], 5)) @ q.T
        norms = matrix_residuals(a, 6)
        for k, value in enumerate(norms):
            # 5 by 5 products in float64 leave 1e-14
            assert value <= twin.theorem1_bound(norms[0], k) + 1e-13


def test_theorem_2() -> None:
    # sizes in print: n = 1024, delta = 0.01, k = 20
    assert twin.theorem2_sketch_size(1024, 0.01, 20) == 2023
    # more rows than the matrix has, unless n is large: the theorem says nothing below about n = 2000
    crossing = next(n for n in range(1000, 4000) if twin.theorem2_sketch_size(n, 0.01, 5) <= n)
    assert 1900 < crossing < 2100
    assert min(twin.theorem2_sketch_size(n, 1.0, 1) for n in (1, 2, 10)) >= 1325
    assert twin.theorem2_bound(0.5, 5) == twin.theorem1_bound(0.5, 4) == 0.5**4


def test_small_sketches_keep_the_bound_of_theorem_2() -> None:
    rng = np.random.default_rng(17)
    n = 24
    for p in (4, 8, 16):
        for start in (np.geomspace(1e-2, 1, n), rng.uniform(0.05, 1, n)):
            s = start
            basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
            for k in range(1, 9):
                weights = twin.sketch_weights(basis, rng.standard_normal((p, n)) / np.sqrt(p))
                s = twin.next_spectrum(s, k - 1, degree=3, weights=weights)
                assert residual_norm(s) <= twin.theorem2_bound(residual_norm(start), k) + 1e-15


def test_sketch_weights_are_the_sketched_norm() -> None:
    rng = np.random.default_rng(4)
    basis = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    sketch, r = rng.standard_normal((3, 7)), rng.uniform(0, 1, 7)
    norm = np.linalg.norm(sketch @ (basis * r) @ basis.T) ** 2
    assert np.sum(twin.sketch_weights(basis, sketch) * r**2) == pytest.approx(norm, rel=1e-13)


def test_cap() -> None:
    cap = twin.cap()
    assert float(cap) == pytest.approx(1.47223, abs=5e-6)
    for a, invariant in ((cap - mp.mpf("1e-3"), True), (cap + mp.mpf("1e-3"), False)):
        assert bool(twin.overshoot(a, 5) ** 2 <= 1 + 1 / (2 * a)) is invariant
    top = twin.overshoot(mp.mpf("1.45"), 5)
    assert float(top) == pytest.approx(1.1524, abs=5e-5)
    assert float(1 - top**2) == pytest.approx(-0.328, abs=5e-4)
    x = np.linspace(0, 1, 20001)
    for degree, a in ((3, 1.0), (3, 0.7), (5, 1.45), (5, 0.5)):
        r = 1 - x**2
        brute = np.max(x * (1 + a * r if degree == 3 else 1 + r / 2 + a * r * r))
        assert float(twin.overshoot(mp.mpf(a), degree)) == pytest.approx(brute, abs=1e-8)


@pytest.mark.parametrize(("degree", "constant"), [(3, 0.213), (5, 0.328)])
def test_values_at_or_beyond_one_stay_within_c(degree: int, constant: float) -> None:
    c = float(twin.overshoot_residual(degree))
    assert c == pytest.approx(constant, abs=5e-4)
    low, high = (float(end) for end in twin.INTERVALS[degree])
    least = 1 - float(twin.overshoot(mp.mpf(high), degree)) ** 2
    r, a = np.meshgrid(np.linspace(least, 0, 801), np.linspace(low, high, 401))
    u0, u1, u2 = twin.parts(r, degree)
    following = u0 + a * u1 + a * a * u2
    assert following.max() <= c + 1e-12
    assert following.min() >= least - 1e-12
    r, a = np.meshgrid(np.linspace(0, 1, 801), np.linspace(low, high, 401))
    u0, u1, u2 = twin.parts(r, degree)
    following = u0 + a * u1 + a * a * u2
    assert following.min() >= least - 1e-12
    taylor = twin.parts(r, degree)
    assert np.all(following <= taylor[0] + low * taylor[1] + low**2 * taylor[2] + 1e-12)


@pytest.mark.parametrize("degree", [3, 5])
def test_region_is_sharp(degree: int) -> None:
    upper = twin.region(degree=degree)[1]
    assert upper == pytest.approx(2**0.5 if degree == 3 else 1.15967, abs=5e-6)
    # a bulk of tiny values holds alpha at the upper end, the last value has no weight
    for offset, inside in ((-1e-3, True), (1e-3, False)):
        s = np.array([1e-12] * 3 + [upper + offset])
        for step in range(8):
            s = twin.next_spectrum(s, step, degree=degree, weights=[1, 1, 1, 0])
        if inside:
            assert 0 < s[-1] < upper
        else:
            assert s[-1] < 0 if degree == 3 else s[-1] > upper + 0.01
    # exact fit from all over the region
    s = np.linspace(1e-3, upper - 1e-3, 40)
    for step in range(40):
        s = twin.next_spectrum(s, step, degree=degree)
    assert residual_norm(s) < 1e-15
    assert twin.converges(degree=degree)


def test_price() -> None:
    assert twin.price(0, degree=3) == {"gram": 1, "symm": 2, "apply": 1, "thin": 0}
    assert twin.price(0, degree=5) == {"gram": 1, "symm": 4, "apply": 1, "thin": 0}
    assert twin.price(0, degree=3, sketch=True) == {"gram": 1, "symm": 0, "apply": 1, "thin": 3}
    assert twin.price(0, degree=5, sketch=True) == {"gram": 1, "symm": 1, "apply": 1, "thin": 3}
    assert twin.price(1, degree=5, warm_start=2) == {"gram": 1, "symm": 1, "apply": 1, "thin": 0}
    assert twin.price(1, degree=3, warm_start=2, sketch=True) == {"gram": 1, "symm": 0, "apply": 1, "thin": 0}
