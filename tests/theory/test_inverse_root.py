"""Coupled inverse p-th root iterations: exact recursion, sharp regions, the wrong branch, and the best start."""

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

from theory import inverse_root as twin
from theory import newton_schulz
from theory.scalar import horner

POWERS = (1, 2, 3, 4, 5, 8)


@pytest.mark.parametrize("p", POWERS)
def test_taylor_coefficients(p: int) -> None:
    with mp.workdps(30):
        want = mp.taylor(lambda r: (1 - r) ** (-mp.mpf(1) / p), 0, 4)
        for got, value in zip(twin.taylor(p, 4), want, strict=True):
            # mpmath differentiates numerically
            assert abs(mp.mpf(got.numerator) / got.denominator - value) < mp.mpf(10) ** -20
    assert list(twin.taylor(2, 2)) == [1, Fraction(1, 2), Fraction(3, 8)]
    assert twin.taylor(p, 2)[2] == Fraction(1 + p, 2 * p * p)


@pytest.mark.parametrize("q", [1, 2, 3, 4])
@pytest.mark.parametrize("p", [*POWERS, 12])
def test_residual_recursion_is_an_exact_identity(p: int, q: int) -> None:
    s, b = twin.recursion(p, q), twin.taylor(p, q)
    assert len(s) == (p - 1) * q + 1
    for k in range(p * q + 2):
        r = Fraction(k - q, 5)
        assert 1 - (1 - r) * horner(b, r) ** p == r ** (q + 1) * horner(s, r)
    assert all(c > 0 for c in s)
    assert sum(s) == 1
    # dr'/dr = b_q (1 + p q) r^q h^(p-1), at a few points: s is its integral
    lead = b[-1] * (1 + p * q)
    for r in (Fraction(1, 3), Fraction(-3, 2)):
        slope = sum((q + 1 + i) * c * r ** (q + i) for i, c in enumerate(s))
        assert slope == lead * r**q * horner(b, r) ** (p - 1)
    if p == 2:
        assert s == newton_schulz.recursion(2 * q + 1)


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_bound_holds_and_is_not_vacuous(options: dict[str, int]) -> None:
    p, q = options["p"], options["q"]
    start = np.linspace(0.7, 1.0, 7) ** (1 / p)
    least = twin.residual_norm(start, p)
    with mp.workdps(300):
        s = np.array([mp.mpf(float(v)) for v in start], dtype=object)
        for k in range(1, 4):
            s = twin.next_spectrum(s, k - 1, **options)
            true, bound = float(max(abs(1 - x**p) for x in s)), twin.residual_bound(start, k, **options)
            assert bound is not None
            first = float(twin.recursion(p, q)[0])  # r' >= s_0 r^(q + 1) for r >= 0
            least = first * least ** (q + 1)
            assert least * (1 - 1e-12) <= true <= bound * (1 + 1e-12)
    assert twin.residual_bound(np.array([2.5]), 1, **options) is None


def run(m: float, p: int, q: int, steps: int = 300) -> tuple[float, float]:
    """Last sigma and last m; 1e-9 inside of p + 1 the first image is 1e-79 for p = 8, and grows by 2 or more a step."""
    with mp.workdps(60):
        s = np.array([mp.root(mp.mpf(m), p)], dtype=object)
        for step in range(steps):
            s = twin.next_spectrum(s, step, p=p, q=q)
            if abs(s[0]) > 1e30:
                break
        return float(s[0]), float(s[0] ** p)


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_region_is_sharp(options: dict[str, int]) -> None:
    p, q = options["p"], options["q"]
    lower, upper = twin.region(**options)
    assert lower == 0.0
    for m in [*np.linspace(1e-3, upper - 1e-6, 25), upper - 1e-9]:
        assert run(float(m), p, q)[0] == 1.0
    sigma, m = run(upper + 1e-9, p, q)
    if q % 2 == 0 or p % 2:
        assert abs(m) > 10
        assert sigma < 0 if q % 2 else sigma > 0
    else:
        # the trap: M converges to I and X to minus the root
        assert (sigma, m) == (-1.0, 1.0)
    assert newton_schulz.region(degree=2 * q + 1, p=p)[1] == pytest.approx(upper ** (1 / p), rel=1e-15)


def test_regions_in_closed_form() -> None:
    for p in POWERS:
        assert twin.region(p=p, q=1)[1] == p + 1
        assert twin.region(p=p, q=2)[1] == pytest.approx((3 * p + 1) / (p + 1), rel=1e-15)
    assert [twin.region(p=1, q=q)[1] for q in (1, 2, 3, 4)] == [2.0] * 4
    printed = {
        (2, 3): 2.525848,
        (2, 4): 2.233179,
        (3, 3): 2.887704,
        (3, 4): 2.338780,
        (4, 3): 3.166578,
        (4, 4): 2.399144,
        (8, 3): 3.914445,
        (8, 4): 2.501474,
    }
    for (p, q), value in printed.items():
        assert twin.region(p=p, q=q)[1] == pytest.approx(value, abs=5e-7)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("kappa", [1.01, 10.0, 1e6])
def test_start_gives_both_ends_the_same_image_and_is_the_best(p: int, kappa: float) -> None:
    with mp.workdps(40):
        scale = twin.start(p, 1, kappa)

        def worst(c: object) -> object:
            return min(m * (1 + (1 - m) / p) ** p for m in (1 / c, kappa / c))  # type: ignore[operator]

        first, second = (m * (1 + (1 - m) / p) ** p for m in (1 / scale, mp.mpf(kappa) / scale))
        # the larger end is close to p + 1, where its image loses the digits of kappa
        assert abs(first / second - 1) < mp.mpf(10) ** -20
        assert 1 / scale < 1 < mp.mpf(kappa) / scale < p + 1
        for factor in (0.5, 0.9, 0.999, 1.001, 1.1, 2):
            if kappa / (scale * factor) < p + 1:
                assert worst(scale * factor) < first
    assert twin.start(p, 3, 3) == 3


TABLE = {
    1: [8, 11, 18, 31, 45],
    2: [7, 10, 15, 27, 38],
    3: [7, 9, 14, 25, 36],
    4: [7, 9, 14, 24, 34],
    8: [7, 9, 13, 23, 32],
}


@pytest.mark.parametrize("p", TABLE)
def test_steps_in_print(p: int) -> None:
    # to the spacing of float64
    assert [twin.steps_to(p, k, 2.0**-52) for k in (10, 1e2, 1e4, 1e8, 1e12)] == TABLE[p]


@pytest.mark.parametrize(("kappa", "steps"), [(10.0, 11), (1e2, 18), (1e4, 31), (1e8, 58)])
def test_schulz_from_the_transpose(kappa: float, steps: int) -> None:
    # X_0 = 2 A^H/(s_1^2 + s_n^2): m = s^2 on [1, kappa^2], the best start for p = 1, and r' = r^2
    r = Fraction(int(kappa) ** 2 - 1, int(kappa) ** 2 + 1)
    with mp.workdps(40):
        scale = twin.start(1, 1, int(kappa) ** 2)
        value = 1 - 1 / scale
        assert abs(value - mp.mpf(r.numerator) / r.denominator) < mp.mpf(10) ** -38
        assert value ** (2**steps) <= 1e-13 < value ** (2 ** (steps - 1))
    assert list(twin.recursion(1, 1)) == [1]
    assert list(twin.recursion(1, 2)) == [1]


def test_general_p_through_the_rule() -> None:
    s = np.array([0.3, 0.9, 1.1])
    for p in (1, 3, 4):
        got = newton_schulz.next_spectrum(s, 0, degree=3, p=p)
        assert got == pytest.approx(s * (1 + (1 - s**p) / p), rel=1e-15)
        assert newton_schulz.residual_bound(np.array([0.9]), 2, degree=3, p=p) == pytest.approx((1 - 0.9**p) ** 4)
