"""Are the rational rules' coefficients those of 50-digit theory, and do they take the steps that theory counts?"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from math import isclose, sqrt

import numpy as np
import pytest
from mpmath import mp, mpf

import matfun
from matfun.polynomials import zolotarev
from matfun.polynomials.pade import pade_inverse_root
from matfun.polynomials.update import PartialFractions
from matfun.polynomials.zolotarev import MOST_TERMS, SMALLEST_LOWER, terms_for, zolotarev_fractions
from matfun.rules.halley import Halley
from matfun.rules.pade import Pade
from matfun.rules.qdwh import HALLEY, Qdwh, halley_weights, next_lower
from matfun.rules.rule import ResidualView
from matfun.rules.zolotarev import Zolotarev

U = 2.0**-53

LOWERS = [1e-20, 1e-16, 1e-8, 1e-3, 0.1, 0.5]

TERMS = range(1, MOST_TERMS + 1)


@pytest.fixture(autouse=True)
def _digits():
    with mp.workdps(60):
        yield


def view(step=0, lower=None, eps=2.0**-52, p=2):
    return ResidualView(p, step, False, lower, eps, None)


def nodes(count, *ends):
    """A grid on [l, 1], dense in the logarithm at both ends, with further points."""
    lower = mpf(min(ends))
    inner = [lower ** (mpf(i) / count) for i in range(count + 1)]
    return sorted({*inner, *(1 - (1 - lower) * x for x in inner), *map(mpf, ends)})


# --------------------------------------------------------------------------------------------------- Padé


@pytest.mark.parametrize("excess", [-1, 0, 1, 2])
@pytest.mark.parametrize("denominator", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 7])
def test_pade_agrees_with_the_linear_system_for_its_coefficients(p, denominator, excess):
    numerator = denominator + excess
    h = pade_inverse_root(p, numerator, denominator)
    assert all(w > 0 for w in h.weights)
    assert all(a < b for a, b in zip(h.shifts, h.shifts[1:], strict=False))
    assert h.shifts[0] > 0 or p == 1
    if p > 1:
        assert len(h.shifts) == denominator
        assert len(h.higher) == max(excess, 0)
        series = [mp.binomial(mpf(1) / p + i - 1, i) for i in range(numerator + denominator + 1)]
        above, below = mp.pade(series, numerator, denominator)
    else:
        above, below = [mpf(1)], [mpf(1), mpf(-1)]
    for g in [mpf(10) ** (mpf(k) / 2) for k in range(-12, 7)]:
        exact = mp.polyval(above[::-1], 1 - g) / mp.polyval(below[::-1], 1 - g)
        # every number is rounded once, every term has at most two
        terms = [h.constant, *(c * g ** (i + 1) for i, c in enumerate(h.higher))]
        terms += [w / (g + s) for w, s in zip(h.weights, h.shifts, strict=True)]
        assert abs(h(1 - g) - exact) <= 2.001 * U * sum(map(abs, terms))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 8, 16])
def test_pade_for_the_polar_factor_has_its_closed_forms(m):
    """Gauss-Chebyshev nodes: tanh(n artanh x) with n = 2 m, and with n = 2 m + 1 (Kenney and Laub)."""
    even, odd = pade_inverse_root(2, m - 1, m), pade_inverse_root(2, m, m)
    xi = [(1 + mp.cos((2 * i - 1) * mp.pi / (2 * m))) / 2 for i in range(1, m + 1)]
    assert even == PartialFractions(0.0, tuple(float(1 / (m * x)) for x in xi), tuple(float(1 / x - 1) for x in xi))
    n = 2 * m + 1
    shifts = [mp.tan((2 * j - 1) * mp.pi / (2 * n)) ** 2 for j in range(1, m + 1)]
    weights = [2 * (1 + s) / n for s in shifts]
    assert odd == PartialFractions(1 / n, tuple(map(float, weights)), tuple(map(float, shifts)))


MAPS = {
    (0, 1): lambda x: 2 * x / (1 + x**2),
    (1, 1): lambda x: x * (3 + x**2) / (1 + 3 * x**2),
    (1, 2): lambda x: 4 * x * (1 + x**2) / (1 + 6 * x**2 + x**4),
    (2, 1): lambda x: x * (15 + 10 * x**2 - x**4) / (4 * (1 + 5 * x**2)),
    (2, 2): lambda x: x * (5 + 10 * x**2 + x**4) / (1 + 10 * x**2 + 5 * x**4),
}
"""Higham, Functions of Matrices (2008), Table 5.1."""


@pytest.mark.parametrize("degrees", MAPS, ids=str)
def test_the_pade_rule_is_the_printed_map(degrees):
    h = Pade(*degrees).next(view())
    for x in nodes(20, 1e-8):
        assert abs(x * h(1 - x * x) / MAPS[degrees](x) - 1) <= 4 * U


@pytest.mark.parametrize(
    ("p", "degrees"), [(p, d) for p in (2, 3, 4) for d in [(0, 1), (1, 1), (1, 2), (2, 2), (3, 1)]]
)
def test_pade_has_its_order(p, degrees):
    """1 - (1 - r) h^p = C r^(l + m + 1) + ..., so halving r divides it by 2^(l + m + 1)."""
    h, order = pade_inverse_root(p, *degrees), sum(degrees) + 1
    first, second = (abs(1 - (1 - r) * h(r) ** p) for r in (mpf(1) / 64, mpf(1) / 128))
    assert abs(mp.log(first / second, 2) - order) < 0.1


def test_halley_is_the_pade_approximant():
    assert Halley().next(view()) == pade_inverse_root(2, 1, 1) == Pade(1, 1).next(view())


@pytest.mark.parametrize(("p", "numerator", "denominator"), [(0, 1, 1), (2, 1, 0), (2, 0, 2), (2, 1, 4)])
def test_pade_refuses_other_degrees(p, numerator, denominator):
    with pytest.raises(ValueError, match=r"numerator >= denominator - 1"):
        pade_inverse_root(p, numerator, denominator)


# -------------------------------------------------------------------------------------- weighted Halley


def exact_halley(lower):
    """Nakatsukasa, Bai, Gygi (2010), as printed."""
    square = mpf(lower) ** 2
    d = mp.cbrt(4 * (1 - square) / square**2)
    a = mp.sqrt(1 + d) + mp.sqrt(8 - 4 * d + 8 * (2 - square) / (square * mp.sqrt(1 + d))) / 2
    b = (a - 1) ** 2 / 4
    return a, b, a + b - 1


def test_weights_lose_no_digits():
    lowers = [*np.geomspace(1e-20, 0.99, 400), *(1 - np.geomspace(0.5, 1e-16, 200)), 1.0]
    for lower in map(float, lowers):
        exact = exact_halley(lower)
        for found, c in zip(halley_weights(lower), exact, strict=True):
            assert abs(found / c - 1) <= 1e-14
        a, b, c = exact
        image = lower * (a + b * mpf(lower) ** 2) / (1 + c * mpf(lower) ** 2)
        assert abs(next_lower(lower, halley_weights(lower)) / image - 1) <= 2e-14
        assert next_lower(lower, halley_weights(lower)) <= 1


@pytest.mark.parametrize("lower", LOWERS)
def test_the_rule_applies_its_weights(lower):
    h = Qdwh().next(view(lower=lower))
    a, b, c = exact_halley(lower)
    for x in nodes(20, lower):
        assert abs(h(1 - x * x) / ((a + b * x * x) / (1 + c * x * x)) - 1) <= 1e-14


def test_weights_printed_for_the_worst_case():
    """From l = 1e-16 (computed independently to the digits given)."""
    printed = [3.4e21, 6.0e6, 80.8, 3.85, 3.0007, 3.0]
    for step, c in enumerate(printed):
        assert 1 / Qdwh(lower=1e-16).next(view(step)).shifts[0] == pytest.approx(c, rel=0.02 if c > 100 else 6e-4)


# -------------------------------------------------------------------------------------------- Zolotarev


def sc(t, lower):
    """sn/cn of t K' for the modulus sqrt(1 - l^2), from products over the nome of whichever modulus is smaller."""
    complement = mp.sqrt((1 - lower) * (1 + lower))
    ratio = mp.agm(1, complement) / mp.agm(1, lower)  # K'/K
    if lower < 0.5:
        q = mp.exp(-mp.pi * ratio)
        value = mp.root(q, 4) * (q ** (-t / 2) - q ** (t / 2))
        factors = [(q ** (2 * n), q ** (2 * n - 1)) for n in range(1, 60)]
        for even, odd in factors:
            value *= (1 - even * q**t) * (1 - even * q**-t) / ((1 - odd * q**t) * (1 - odd * q**-t))
    else:
        q = mp.exp(-mp.pi / ratio)
        value = mp.tan(mp.pi * t / 2)
        for n in range(1, 60):
            middle = 2 * q ** (2 * n) * mp.cos(mp.pi * t)
            value *= (1 - middle + q ** (4 * n)) / (1 + middle + q ** (4 * n))
    return value / mp.sqrt(lower)


def exact_zolotarev(lower, terms):
    """M, the weights M a_j, the shifts, and the new lower bound."""
    lower, n = mpf(lower), 2 * terms + 1
    half = [(lower * sc(mpf(i) / n, lower)) ** 2 for i in range(1, terms + 1)]
    c = half + [lower**2 / v for v in reversed(half)]  # sc(K' - u) = 1/(l sc(u))
    odd, even = c[::2], c[1::2]
    M = mp.fprod((1 + s) / (1 + e) for s, e in zip(odd, even, strict=True))
    residues = [-mp.fprod(s - e for e in even) / mp.fprod(s - t for t in odd if t != s) for s in odd]
    image = M * lower * mp.fprod((lower**2 + e) / (lower**2 + s) for s, e in zip(odd, even, strict=True))
    return M, [M * a for a in residues], odd, image


ROUNDING = 16 * U
"""Relative, of every number of a design: 10 U is the largest found; 20 U or more is what a lost correction costs.

First-order analysis of the worst case gives 90 U, with 2 U for a function of the C library.
"""


def numbers(h):
    return [h.constant, *h.weights, *h.shifts]


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("lower", [*LOWERS, 2e-12, 3e-5, 0.7, 0.7071, 0.7072, 0.8, 0.97])
def test_zolotarev_coefficients_lose_no_digits(lower, terms):
    """Both nomes, both sides of the place where they are equal, and of the places where they are for the image."""
    M, weights, shifts, image = exact_zolotarev(lower, terms)
    h, found = zolotarev_fractions(lower, terms)
    assert abs(found / image - 1) <= 4 * U
    assert type(found) is float
    if h == pade_inverse_root(2, terms, terms):  # the limit l = 1
        assert abs(image - 1) <= U
        return
    for c, exact in zip(numbers(h), [M, *weights, *shifts], strict=True):
        assert type(c) is float
        assert abs(c / exact - 1) <= ROUNDING
    assert all(s < t for s, t in zip(h.shifts, h.shifts[1:], strict=False))
    assert min(h.weights) > 0


@pytest.mark.parametrize("lower", [1e-150, *LOWERS, 0.707, 0.7072, 0.9, 1 - 1e-6, 1 - 1e-12, 1 - U])
def test_the_nome_loses_no_digits(lower):
    """Worst case to first order: 7 U, and 10 U by way of l'.  A design sees little of it where l is about l'."""
    complement = mp.sqrt((1 - mpf(lower)) * (1 + mpf(lower)))
    assert abs(zolotarev._decay(lower) / (mp.pi * mp.agm(1, complement) / mp.agm(1, lower)) - 1) <= 10 * U


@pytest.mark.parametrize(("lower", "terms"), [(1e-150, 1), (1e-150, 8), (1 - 2e-5, 1), (0.999, 2)])
def test_zolotarev_at_the_ends_of_its_range(lower, terms):
    """The smallest bound that is promised, and bounds a little before Padé's approximant takes over."""
    M, weights, shifts, image = exact_zolotarev(lower, terms)
    h, found = zolotarev_fractions(lower, terms)
    for c, exact in zip([*numbers(h), found], [M, *weights, *shifts, image], strict=True):
        assert abs(c / exact - 1) <= ROUNDING


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("lower", LOWERS)
def test_the_second_step_may_start_from_the_rounded_bound(lower, terms):
    """A shift moves by at most twice what l does, a weight by once: l+ has the digits that the next step needs."""
    end = exact_zolotarev(lower, terms)[-1]
    M, weights, shifts, image = exact_zolotarev(end, terms)
    h, found = zolotarev_fractions(zolotarev_fractions(lower, terms)[1], terms)
    if found < 1:  # else it is Padé's
        for c, exact in zip(numbers(h), [M, *weights, *shifts], strict=True):
            assert abs(c / exact - 1) <= ROUNDING + 8 * U
    assert abs(found - image) <= 6 * U


@pytest.mark.parametrize("lower", [1e-20, 1e-16])
def test_one_term_and_qdwh_are_weighted_halley_where_l_is_smallest(lower):
    a, b, c = exact_halley(lower)
    exact = [b / c, (a - b / c) / c, 1 / c]
    for h in (zolotarev_fractions(lower, 1)[0], Qdwh(lower=lower).next(view())):
        for found, number in zip(numbers(h), exact, strict=True):
            assert abs(found / number - 1) <= ROUNDING


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("lower", LOWERS)
def test_zolotarev_equioscillates(lower, terms):
    """2 r + 2 alternations on [l, 1], as many on [-1, -l]: 4 r + 4 of the 4 r + 3 that a best approximant needs."""
    h, image = zolotarev_fractions(lower, terms)
    n = 2 * terms + 1
    modulus = 1 - mpf(lower) ** 2
    K = mp.ellipk(modulus)
    extrema = [mp.ellipfun("dn", i * K / n, m=modulus) for i in range(n + 1)]
    tolerance = ROUNDING  # of the constant and every term: weights and shifts err together
    for i, x in enumerate(extrema):
        assert abs(x * h(1 - x * x) - (image if i % 2 else 1)) <= tolerance
    for x in nodes(100, lower):
        assert image - tolerance <= x * h(1 - x * x) <= 1 + tolerance


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 2.0**-53])
@pytest.mark.parametrize("terms", [1, 2, 8])
def test_zolotarev_close_to_one(gap, terms):
    lower = 1 - gap
    h, image = zolotarev_fractions(lower, terms)
    exact = exact_zolotarev(lower, terms)[-1]
    assert abs(image - exact) <= U
    for x in nodes(10, lower):
        assert exact - ROUNDING <= x * h(1 - x * x) <= 1 + ROUNDING


@pytest.mark.parametrize("lower", [*LOWERS, 0.9, 0.999])
def test_one_term_is_weighted_halley(lower):
    one, halley = zolotarev_fractions(lower, 1)[0], Qdwh().next(view(lower=lower))
    for found, c in zip(
        (halley.constant, *halley.weights, *halley.shifts), (one.constant, *one.weights, *one.shifts), strict=True
    ):
        assert isclose(found, c, rel_tol=1e-14)


@pytest.mark.parametrize("terms", [1, 2, 3])
def test_stages_compose_to_the_function_of_their_product(terms):
    lower = 1e-6
    once, image = zolotarev_fractions(lower, terms)
    twice, last = zolotarev_fractions(image, terms)
    M, weights, shifts, whole = exact_zolotarev(lower, ((2 * terms + 1) ** 2 - 1) // 2)
    product = PartialFractions(M, tuple(weights), tuple(shifts))
    assert abs(last - whole) <= 4 * U
    for x in nodes(20, lower):
        y = x * once(1 - x * x)
        assert abs(y * twice(1 - y * y) - x * product(1 - x * x)) <= 20 * U


@pytest.mark.parametrize("lower", [*LOWERS, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("gap", [1e-15, 1e-6, 3e-2])
def test_terms_are_the_fewest_that_do(lower, gap):
    def left(terms):
        return 1 - exact_zolotarev(exact_zolotarev(lower, terms)[-1], terms)[-1]

    terms = terms_for(lower, gap)
    assert 1 <= terms <= MOST_TERMS
    assert left(terms) <= gap or terms == MOST_TERMS
    assert terms == 1 or left(terms - 1) > gap


THRESHOLDS = {2: 7.3, 3: 1.84e2, 4: 1.38e4, 5: 3.0e6, 6: 1.95e9, 7: 3.7e12}
"""Largest condition number with which two steps reach 1e-15, by terms; 2.0e16 with 8 (all computed here)."""


def test_thresholds_of_the_number_of_terms():
    for terms, kappa in THRESHOLDS.items():
        assert terms_for(1 / (0.98 * kappa)) == terms
        assert terms_for(1 / (1.02 * kappa)) == terms + 1
    assert terms_for(1.0) == 1
    two_steps = [1 - exact_zolotarev(exact_zolotarev(1 / k, 8)[-1], 8)[-1] for k in (1.9e16, 2.1e16)]
    assert two_steps[0] <= 1e-15 < two_steps[1]


# ---------------------------------------------------------------------------------- how many steps it takes


def steps_to(rule, kappa, target, most=45):
    """Steps, and how many of them need a QR factorisation (shift below 1/100), on a grid of singular values."""
    curve = matfun.simulate(rule, np.array(nodes(30, 1 / mpf(kappa)), dtype=object), steps=most, lower=1 / kappa)
    count = next(k for k, s in enumerate(curve.sigmas) if max(abs(1 - x) for x in s) <= target)
    return count, sum(min(h.shifts) < 1 / 100 for h in curve.updates[:count])


QDWH_STEPS = {
    1e-15: {1.1: (2, 0), 2: (3, 0), 10: (4, 0), 1e2: (4, 1), 1e4: (4, 1), 1e6: (5, 2), 1e8: (5, 2), 1e12: (5, 2),
            1e16: (6, 2)},
    1e-7: {1.1: (2, 0), 2: (2, 0), 10: (3, 0), 1e2: (3, 1), 1e4: (4, 1), 1e6: (4, 2), 1e8: (4, 2), 1e12: (5, 2),
           1e16: (5, 2)},
    4e-3: {1.1: (1, 0), 2: (2, 0), 10: (2, 0), 1e2: (3, 1), 1e4: (3, 1), 1e6: (3, 2), 1e8: (4, 2), 1e12: (4, 2),
           1e16: (4, 2)},
}  # fmt: skip
"""(steps, of them with c > 100) by target and condition number."""


@pytest.mark.parametrize(("target", "kappa"), [(t, k) for t, row in QDWH_STEPS.items() for k in row])
def test_steps_of_qdwh(target, kappa):
    assert steps_to(Qdwh(), kappa, target, most=7) == QDWH_STEPS[target][kappa]


@pytest.mark.parametrize(("kappa", "steps"), [(10, 5), (1e2, 7), (1e4, 11), (1e8, 20), (1e16, 37)])
def test_steps_of_halley(kappa, steps):
    assert steps_to(Halley(), kappa, 1e-15)[0] == steps


ZOLOTAREV_STEPS = {
    1e2: "43222222",
    1e3: "43322222",
    1e5: "53332222",
    1e7: "54333222",
    1e12: "54333322",
    1e16: "64333332",
}
"""Steps to 1e-15 with 1..8 terms (Nakatsukasa and Freund 2016 print most of them)."""


@pytest.mark.parametrize("kappa", ZOLOTAREV_STEPS)
def test_steps_of_zolotarev(kappa):
    found = [steps_to(Zolotarev(terms=r), kappa, 1e-15, most=7)[0] for r in TERMS]
    assert found == list(map(int, ZOLOTAREV_STEPS[kappa]))


@pytest.mark.parametrize(("eps", "most"), [(2.0**-52, 2), (2.0**-23, 2), (2.0**-10, 2), (2.0**-7, 2)])
def test_default_terms_reach_the_dtype_in_two_steps(eps, most):
    curve = matfun.simulate(Zolotarev(), np.array(nodes(50, eps / 2), dtype=object), steps=most, eps=eps)
    assert max(abs(1 - x) for x in curve.sigmas[-1]) <= 4 * eps + 4 * U


# ------------------------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("rule", [Qdwh(), Zolotarev()], ids=["qdwh", "zolotarev"])
def test_where_the_lower_bound_comes_from(rule):
    eps = 2.0**-23
    own = type(rule)(lower=0.25)
    assert own.next(view(lower=1e-3, eps=eps)) == rule.next(view(lower=0.25, eps=eps))
    assert rule.next(view(eps=eps)) == rule.next(view(lower=eps / 2, eps=eps))
    assert rule.next(view(lower=0.0, eps=eps)) == rule.next(view(lower=eps / 2, eps=eps))
    assert rule.next(view(lower=1e-60, eps=eps)) == rule.next(view(lower=SMALLEST_LOWER, eps=eps))
    assert rule.wants_lower
    assert not own.wants_lower


def test_schedules_end_in_pade():
    assert Qdwh().next(view(40)) == Qdwh().next(view(lower=1.0)) == Qdwh().next(view(lower=1 - 2.0**-51))
    assert Qdwh().next(view(40)).shifts == (1 / HALLEY[2],)
    assert Zolotarev(terms=3).next(view(40)) == Zolotarev(terms=3).next(view(lower=1.0)) == pade_inverse_root(2, 3, 3)


def test_designs_need_no_multiprecision():
    """Hence none of the caller's, in any thread."""
    design = "zolotarev_fractions(1e-16, 8), zolotarev_fractions(0.9, 8), zolotarev_fractions(1.0, 3)"
    code = f"import sys; from matfun.polynomials.zolotarev import *; {design}; assert 'mpmath' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_designed_twice():
    lowers = [2.0**-k / 3 for k in range(20)] * 20
    once = [zolotarev_fractions(lower, 5) for lower in lowers]
    misses = zolotarev._zolotarev.cache_info().misses
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(zolotarev_fractions, lowers, [5] * len(lowers))) == once
    assert zolotarev._zolotarev.cache_info().misses == misses


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Pade, {"denominator": 0}, "denominator: expected an integer >= 1"),
        (Pade, {"denominator": 1.5}, "denominator: expected an integer >= 1"),
        (Pade, {"numerator": 0}, r"numerator: expected an integer >= denominator - 1 = 1, .* poles .* got 0"),
        (Pade, {"numerator": 1.0}, "numerator: expected an integer"),
        (Qdwh, {"lower": 0}, r"lower: expected a number in \(0, 1\], got 0"),
        (Qdwh, {"lower": 1.5}, r"lower: expected a number in \(0, 1\]"),
        (Qdwh, {"lower": "1"}, r"lower: expected a number in \(0, 1\]"),
        (Zolotarev, {"lower": -1e-3}, r"lower: expected a number in \(0, 1\]"),
        (Zolotarev, {"terms": 0}, "terms: expected an integer from 1 to 8, got 0"),
        (Zolotarev, {"terms": 9}, "terms: expected an integer from 1 to 8, got 9"),
        (Zolotarev, {"terms": 2.0}, "terms: expected an integer from 1 to 8"),
    ],
)
def test_wrong_options(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_growth_of_tiny_values():
    """What a step does to sigma far below the interval is at least what Halley does, so no start stalls."""
    for rule in (Halley(), Pade(1, 2), Qdwh(lower=0.5), Zolotarev(lower=0.5)):
        h = rule.next(view())
        assert h(1 - mpf(10) ** -60) > sqrt(2)
