"""Newton-Schulz: exact identities, the region from both sides, and the bound from both sides."""

from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp

from theory import newton_schulz as twin
from theory.scalar import horner, residual_norm

DEGREES = (3, 5, 7, 9)


@pytest.mark.parametrize(
    ("degree", "numerators", "denominator"),
    [(3, (3, -1), 2), (5, (15, -10, 3), 8), (7, (35, -35, 21, -5), 16), (9, (315, -420, 378, -180, 35), 128)],
)
def test_textbook_polynomials(degree: int, numerators: tuple[int, ...], denominator: int) -> None:
    assert twin.taylor(degree) == tuple(Fraction(n, denominator) for n in numerators)
    assert twin.slope(degree) == Fraction(numerators[0], denominator)
    assert twin.polynomials(3, degree=degree) == [twin.taylor(degree)] * 3


@pytest.mark.parametrize("degree", [*DEGREES, 11, 13])
def test_residual_recursion_is_an_exact_identity(degree: int) -> None:
    s = twin.recursion(degree)
    q = degree // 2
    # A polynomial identity of degree 2q + 1 holds if it holds at 2q + 2 points.
    for k in range(2 * q + 2):
        r = Fraction(k - q, 7)
        h = horner(twin.taylor(degree), 1 - r)
        assert 1 - (1 - r) * h * h == r ** (q + 1) * horner(s, r)
    assert all(c > 0 for c in s)
    assert sum(s) == 1


def test_residual_recursion_in_print() -> None:
    assert twin.recursion(3) == (Fraction(3, 4), Fraction(1, 4))
    assert twin.recursion(5) == (Fraction(40, 64), Fraction(15, 64), Fraction(9, 64))


@pytest.mark.parametrize("degree", DEGREES)
def test_derivative_is_a_power(degree: int) -> None:
    q = degree // 2
    lead = (2 * q + 1) * twin.taylor(degree)[-1] * (-1) ** q
    for k in range(degree + 1):
        x2 = Fraction(k, 3)
        slope = horner([(2 * i + 1) * c for i, c in enumerate(twin.taylor(degree))], x2)
        assert slope == lead * (1 - x2) ** q


def run(start: float, steps: int, degree: int) -> list[float]:
    values = []
    with mp.workdps(40):
        x = mp.mpf(start)
        for _ in range(steps):
            (x,) = twin.next_spectrum(np.array([x], dtype=object), 0, degree=degree)
            values.append(float(x))
            if abs(x) > 10:
                break
    return values


@pytest.mark.parametrize(("degree", "value"), [(3, 3**0.5), (5, (7 / 3) ** 0.5), (7, 1.589292), (9, 1.494382)])
def test_region_is_sharp_from_both_sides(degree: int, value: float) -> None:
    lower, upper = twin.region(degree=degree)
    assert lower == 0.0
    # the references are printed with 6 decimals
    assert upper == pytest.approx(value, abs=5e-7)
    # 1e-9 inside and outside; the distance grows by at least 1.5 per step, so 80 steps decide
    assert run(upper - 1e-9, 80, degree)[-1] == 1.0
    outside = run(upper + 1e-9, 80, degree)
    assert outside[-1] == -1.0 if degree % 4 == 3 else outside[-1] > 10
    for start in np.linspace(1e-3, upper - 1e-6, 50):
        assert run(float(start), 60, degree)[-1] == 1.0


@pytest.mark.parametrize("options", twin.OPTIONS)
def test_bound_holds_and_is_not_vacuous(options: dict[str, int]) -> None:
    sigmas = np.linspace(0.5, 1.0, 17)
    start, s = sigmas, sigmas.astype(object)
    sharp = 0
    with mp.workdps(40):
        for k in range(1, 4):
            s = twin.next_spectrum(s, k - 1, **options)
            true = residual_norm(s)
            bound = twin.residual_bound(start, k, **options)
            assert bound is not None
            # r' >= s(0) r^(q+1) with s(0) >= 35/64 for q <= 3: k steps lose at most s(0)^((m^k - 1)/(m - 1))
            m = options["degree"] // 2 + 1
            least = float(twin.recursion(options["degree"])[0]) ** ((m**k - 1) / (m - 1))
            assert least * bound * (1 - 1e-12) <= true <= bound * (1 + 1e-12)
            sharp += true > 0.6 * bound
    assert sharp
    assert twin.residual_bound(np.array([1.5]), 1, **options) is None


@pytest.mark.parametrize("degree", DEGREES)
def test_slow_start(degree: int) -> None:
    tiny = np.array([1e-8])
    steps = 0
    while tiny[0] < 0.5:
        tiny = twin.next_spectrum(tiny, steps, degree=degree)
        assert tiny[0] <= float(twin.slope(degree)) ** (steps + 1) * 1e-8
        steps += 1
    least = np.log(0.5 / 1e-8) / np.log(float(twin.slope(degree)))
    # from 0.1 to 0.5 the growth is not yet down to 1.2, so at most log(5)/log(1.2) = 9 steps are lost
    assert least <= steps <= least + 9


def test_price() -> None:
    assert [twin.price(0, degree=d)["symm"] for d in DEGREES] == [0, 1, 2, 2]
    assert twin.price(4, degree=5) == {"gram": 1, "symm": 1, "apply": 1, "thin": 0}
    assert twin.converges(degree=3)


def test_float_map_is_correctly_rounded() -> None:
    sigmas = np.random.default_rng(1).uniform(0, 1.5, 200)
    for degree in DEGREES:
        exact = twin.next_spectrum(sigmas.astype(object), 0, degree=degree)
        c = [float(v) for v in twin.taylor(degree)]
        plain = sigmas * horner(c, sigmas**2)
        # Horner: relative to the sum of moduli, at most 2 (q + 1) roundings
        size = sigmas * horner([abs(v) for v in c], sigmas**2)
        assert np.all(np.abs(plain - twin.next_spectrum(sigmas, 0, degree=degree)) <= 12 * 2**-53 * size)
        assert exact.dtype == object
