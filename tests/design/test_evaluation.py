"""Does every evaluation scheme give the polynomial, at the price and within the rounding error that it states?

Products are counted by the counting provider, values and errors compared with multiprecision Horner on eigenvalues.
"""

import warnings
from functools import lru_cache
from math import comb

import numpy as np
import pytest
from matfun_backends.counting import CountingOps
from matfun_backends.mpmath import MpmathOps
from mpmath import mp

import matfun
from matfun.lab.spectra import log_spaced, with_singular_values
from matfun.ops import Ops
from matfun.polynomials.evaluation import (
    EMPIRICAL_RATIO,
    Scheme,
    choose,
    degree_eight,
    horner,
    paterson_stockmeyer,
)
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial
from matfun.providers import ops_for
from tests.exam.walk import each_library, library_called
from theory import evaluation as twin
from theory.minimax import minimax_odd
from theory.scalar import symmetric_products

DEGREES = range(1, 21)

LEAST = [0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7]
"""Products of Paterson-Stockmeyer for q = 1 to 20, counted by hand; q = 2, 4, 6, 9, 12, 16, 20 are the last of each
price, as in Higham, Functions of Matrices (2008), Table 4.2."""


def coefficients_of(q, seed=0):
    return tuple(np.random.default_rng([seed, q]).standard_normal(q + 1).tolist())


def hermitian(n, *stack, seed=0, is_complex=False):
    """Matrices of spectral norm 1."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((*stack, n, n))
    if is_complex:
        A = A + 1j * rng.standard_normal(A.shape)
    S = A + np.swapaxes(A.conj(), -1, -2)
    return S / np.linalg.norm(S, 2, axis=(-2, -1), keepdims=True)


def without_constant(S, coefficients):
    """Horner's rule on the eigenvalues, in float64."""
    values, vectors = np.linalg.eigh(S)
    p = np.polynomial.polynomial.polyval(values, [0.0, *coefficients[1:]])
    return (vectors * p[..., None, :]) @ np.swapaxes(vectors.conj(), -1, -2)


def schemes(c):
    """Every scheme there is for these coefficients."""
    q = len(c) - 1
    found = [horner(c), *(paterson_stockmeyer(c, s) for s in range(2, q + 1)), choose(c)]
    return found + ([degree_eight(c)] if degree_eight(c) else [])


def run(ops, scheme, S, *, is_hermitian=True):
    multiply = ops.symm_matmul if is_hermitian else ops.matmul
    square = (ops.square(S) if is_hermitian else ops.matmul(S, S)) if scheme.block > 1 else None
    return scheme.evaluate(S, square, ops, multiply)


def on_moduli(scheme, bound):
    return twin.amplification(lambda S, verbs: scheme.evaluate(S, verbs.multiply(S, S), verbs, verbs.multiply), bound)


# ---- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", DEGREES)
def test_every_scheme_gives_the_polynomial(q):
    """In float64, to the amplification; ``eigh`` and the comparison add some n sum |c_i| of their own."""
    c = coefficients_of(q)
    for is_complex in (False, True):
        S = hermitian(7, 2, is_complex=is_complex)
        want = without_constant(S, c)
        for scheme in schemes(c):
            for is_hermitian in (True, False):
                got = run(ops_for(S), scheme, S, is_hermitian=is_hermitian)
                allowed = 2.0**-53 * 7 * (scheme.amplification() + 10 * q * sum(map(abs, c)))
                assert np.max(np.abs(got - want)) <= allowed, scheme.name


@pytest.mark.parametrize("given_square", [False, True], ids=["no-square", "square"])
@pytest.mark.parametrize("scalars", ["floats", "device"])
@each_library
def test_the_verb_on_every_library(library_name, scalars, given_square):
    """Degrees above those of test_price.py; on stacks with coefficients for each matrix; inputs stay as they are."""
    library = library_called(library_name)
    for q in (8, 9, 13):
        c = coefficients_of(q) if q != 8 else tuple(taylor_inverse_root(2, 8))
        S = hermitian(6, 2, 3, seed=q)
        factors = np.random.default_rng(q).uniform(0.5, 2.0, (q + 1, 2, 3))
        given = library.put(S.copy())
        ops = ops_for(given)
        if scalars == "device":
            want = np.stack(
                [without_constant(S[i], [x * f[i] for x, f in zip(c, factors, strict=True)]) for i in np.ndindex(2, 3)]
            ).reshape(S.shape)
            coefficients = tuple(library.put(x * f) for x, f in zip(c, factors, strict=True))
        else:
            want, coefficients = without_constant(S, c), c
        square = ops.square(given) if given_square else None
        for is_hermitian in (True, False):
            got = ops.polynomial(given, coefficients, square, hermitian=is_hermitian)
            np.testing.assert_allclose(library.get(got), want, rtol=0, atol=2e-13 * max(map(abs, c)))
            assert np.array_equal(library.get(given), S)
        X = library.put(hermitian(6, 2, 3, seed=1))
        step = ops.polynomial_step(X, given, Polynomial(coefficients), square)
        constant = c[0] * (factors[0][..., None, None] if scalars == "device" else 1.0)
        wanted = library.get(X) @ (want + constant * np.eye(6))
        np.testing.assert_allclose(library.get(step), wanted, rtol=0, atol=4e-13 * max(map(abs, c)))


def test_low_degrees_keep_their_digits():
    """Blocks of two, in the order of the sums that the records of the exam were made with."""
    S = hermitian(9, seed=3)
    ops = Ops(np)
    T = S @ S
    for q in (1, 2, 3, 4):
        c = coefficients_of(q, seed=1)
        high = {
            1: lambda c: S * c[1],
            2: lambda c: T * c[2] + S * c[1],
            3: lambda c: T @ (S * c[3] + c[2] * np.eye(9)) + S * c[1],
            4: lambda c: T @ (S * c[3] + T * c[4] + c[2] * np.eye(9)) + S * c[1],
        }
        assert np.array_equal(ops.polynomial(S, c), high[q](c))
        assert np.array_equal(ops.polynomial(S, c, T), high[q](c))


def test_multiprecision_keeps_its_digits():
    """The parameters of the degree-8 scheme are computed again in the precision of the matrices."""
    c = tuple(taylor_inverse_root(2, 8))
    with mp.workdps(40):
        S = np.array([[mp.mpf(1) / 3]], dtype=object)
        counting = CountingOps(MpmathOps())
        got = counting.polynomial(S, c)[0, 0]
        want = sum(mp.mpf(x) * (mp.mpf(1) / 3) ** i for i, x in enumerate(c)) - c[0]
        assert abs(got - want) <= mp.mpf(10) ** -38
    assert counting.counts["symm"] == 3


# ---- prices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hermitian", [True, False], ids=["hermitian", "general"])
@pytest.mark.parametrize("q", DEGREES)
def test_the_counting_provider_confirms_every_price(q, is_hermitian):
    c = coefficients_of(q)
    S = hermitian(3)
    kind = "symm" if is_hermitian else "matmul"

    def counted(action):
        ops = CountingOps(ops_for(S))
        action(ops)
        assert set(ops.counts) <= {kind}
        return ops.counts[kind]

    for scheme in schemes(c):
        assert counted(lambda ops, s=scheme: run(ops, s, S, is_hermitian=is_hermitian)) == scheme.products
    h = Polynomial(c)
    if q != 2 or is_hermitian:  # c_1 S + c_2 S^2 is one fused product, counted as that of S with itself
        assert counted(lambda ops: ops.polynomial(S, c, hermitian=is_hermitian)) == h.symmetric_products
    less = max(h.symmetric_products - 1, 0)
    assert counted(lambda ops: ops.polynomial(S, c, S @ S, hermitian=is_hermitian)) == less


def test_prices_are_those_of_the_twin():
    for q in DEGREES:
        c = coefficients_of(q)
        assert paterson_stockmeyer(c).products == symmetric_products(q) == LEAST[q - 1]
        assert horner(c).products == q - 1
        assert [paterson_stockmeyer(c, s).products for s in range(1, q + 1)] == [
            s - 1 + -(-q // s) - 1 for s in range(1, q + 1)
        ]
        assert choose(c).products == twin.price(c)
        # ties go to the fewest stored powers, of those that use a known square
        cheapest = [s for s in range(2, q + 1) if paterson_stockmeyer(c, s).products == LEAST[q - 1]]
        assert paterson_stockmeyer(c).block == (cheapest[0] if q > 1 else 1)
    assert Polynomial((2.0,)).symmetric_products == choose((2.0,)).products == 0
    assert Polynomial(tuple(taylor_inverse_root(2, 8))).symmetric_products == 3 == twin.price(taylor_inverse_root(2, 8))
    for seed in range(40):  # of degree 8, where there is a scheme in two of three
        c = coefficients_of(8, seed)
        assert twin.price(c) == (3 if degree_eight(c) else 4)


class Seventeenth:
    """Newton-Schulz of degree 17 in X, in either basis and with either scaling."""

    def __init__(self, basis, forms_square):
        self.h = Polynomial(tuple(taylor_inverse_root(2, 8))).in_basis(basis)
        self.forms_square = forms_square

    def next(self, view):  # noqa: ARG002
        return self.h


@pytest.mark.parametrize("forms_square", [False, True])
@pytest.mark.parametrize("basis", ["residual", "gram"])
def test_a_rule_of_degree_17_costs_five_products_a_step(basis, forms_square):
    """In the matrix run, also where the scaling's division is pending, in the info, and in the simulation."""
    rule = Seventeenth(basis, forms_square)
    A = with_singular_values(np.linspace(0.5, 1.0, 5), 8, 5, 0) * 3.0
    for X in (A, np.stack([A, 2 * A])):
        ops = CountingOps(ops_for(X))
        U = matfun.orthogonalize(X, rule, steps=3, backend=ops)
        assert sum(ops.counts[k] for k in ("gram", "symm", "apply")) == 3 * 5
        assert ops.counts["gram"] == ops.counts["apply"] == 3
        assert ops.counts["symm"] == 3 * 3
        left, _, right = np.linalg.svd(X, full_matrices=False)
        # the smallest singular value is 0.5/2.2 after scaling by the Frobenius norm, 1 - 2e-16 after three steps
        np.testing.assert_allclose(U, left @ right, atol=1e-12)
    assert matfun.simulate(rule, np.linspace(0.2, 1.0, 5), steps=3).products == 3 * 5


@pytest.mark.parametrize("problem", ["sign", "invsqrt"])
def test_other_problems_pay_the_same(problem):
    """X h of the sign; Y h and h Z of the square root after a first step from the identity."""
    rule = Seventeenth("residual", False)
    S = hermitian(5, seed=2)
    S = S @ S + 0.5 * np.eye(5)
    ops = CountingOps(ops_for(S))
    if problem == "sign":
        _, info = matfun.signm(S, rule, steps=2, backend=ops, full_output=True)
        assert info.products == 2 * (1 + 3 + 1)
    else:
        _, info = matfun.invsqrtm(S, rule, steps=2, backend=ops, full_output=True)
        assert info.products == (3 + 1) + (1 + 3 + 2)


# ---- the degree-8 scheme --------------------------------------------------------------------------


def signed(scheme):
    """Parameters of the scheme for the polynomial whose leading coefficient is positive."""
    sign, c1, c2, c3, c4, c5, c6, c7, c8 = map(mp.mpf, scheme.parameters)
    return (c1, c2, sign * c3, sign * c4, c5, sign * c6, sign * c7, sign * c8), sign


@pytest.mark.parametrize("spread", [0, 3, 9])
def test_the_degree_8_scheme_expands_to_its_polynomial(spread):
    """Even where coefficients are of sizes 1e18 apart: the parameters' own rounding is within the amplification."""
    rng = np.random.default_rng(1)
    for _ in range(300):
        assert_expands((rng.standard_normal(9) * 10.0 ** rng.uniform(-spread, spread, 9)).tolist())


def assert_expands(c):
    scheme = degree_eight(c)
    sign = 1 if c[8] > 0 else -1
    with mp.workdps(120):
        exact = twin.degree_eight([sign * x for x in c])
        for p in exact:
            expanded = twin.expand(p)
            assert max(abs(e - sign * x) for e, x in zip(expanded[1:], c[1:], strict=True)) <= mp.mpf(10) ** -40
        if scheme is None:
            assert exact == []
            return
        p, found_sign = signed(scheme)
        assert found_sign == sign
        defect = sum(abs(e - sign * x) for e, x in zip(twin.expand(p)[1:], c[1:], strict=True))
        assert defect <= scheme.amplification() * 2.0**-54
        # of the two roots the one that amplifies less; c_5 tells them apart
        best = min(exact, key=lambda e: on_moduli(Scheme(scheme.coefficients, 2, (mp.mpf(1), *e)), 1))
        assert abs(p[4] - best[4]) <= 1e-6 * (abs(exact[0][4]) + abs(exact[1][4]))


UNAVAILABLE = {
    "no S^8": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    "even": (1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0),
    "no S^7 and no S^5": (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0),
    # c_1 = c_2 = 1, s = c_4 = 0: c_5^2 + b_4 - b_3 = 0
    "no real root": (1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 1.0, 2.0, 1.0),
    "not a number": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, float("nan"), 1.0),
    "overflow": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e200, 1e-200),
}


@pytest.mark.parametrize("case", UNAVAILABLE)
def test_where_there_is_no_degree_8_scheme_paterson_stockmeyer_is_taken(case):
    c = UNAVAILABLE[case]
    assert degree_eight(c) is None
    assert choose(c) == paterson_stockmeyer(c)
    assert Polynomial(c).symmetric_products == 4
    if case not in ("not a number", "overflow"):  # which multiprecision does not know
        assert twin.price(c) == 4


def test_the_scheme_is_for_degree_8_alone():
    assert degree_eight((1.0,) * 8) is None
    assert degree_eight((1.0,) * 10) is None


def test_one_coefficient_below_a_real_root_there_is_a_scheme():
    """b_4 = 1 where b_4 = 2 has none; b_7 = 0 with b_5 = 1 makes the equation linear; and negative b_8."""
    for c in (
        (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 2.0, 1.0),
        (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 1.0, -1.0, -1.0, 0.0, -1.0, -2.0, -1.0),
    ):
        scheme = degree_eight(c)
        p, sign = signed(scheme)
        with mp.workdps(30):
            assert [float(sign * e) for e in twin.expand(p)[1:]] == pytest.approx(c[1:], abs=1e-15)
        S = hermitian(5, seed=4)
        np.testing.assert_allclose(run(ops_for(S), scheme, S), without_constant(S, c), rtol=0, atol=1e-13)


def test_coefficients_on_a_device_get_paterson_stockmeyer():
    c = tuple(np.asarray(x) for x in taylor_inverse_root(2, 8))
    assert choose(c).name == "paterson-stockmeyer"
    assert Polynomial(c).symmetric_products == 4


def test_an_unstable_scheme_is_not_chosen():
    """A small b_8 beside b_7: c_2 = b_7 / (2 sqrt b_8), and c_2^2 cancels in b_6."""
    for b8, chosen in ((0.25, True), (0.24, True), (0.23, False), (0.125, False), (1e-5, False)):
        c = (1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, b8)
        scheme, other = degree_eight(c), paterson_stockmeyer(c)
        assert chosen == (scheme.amplification() <= EMPIRICAL_RATIO * other.amplification())
        assert choose(c) == (scheme if chosen else other)


def test_the_schemes_refuse_blocks_that_are_none():
    for block in (0, 4, -1):
        with pytest.raises(ValueError, match=f"block: expected 1 to 3, got {block}"):
            paterson_stockmeyer((1.0, 1.0, 1.0, 1.0), block)


# ---- stability ------------------------------------------------------------------------------------


@lru_cache
def designed():
    """(l, step, basis, coefficients, bound) of best polynomials of degree 17, and Taylor polynomials."""
    found = []
    for lower in ("1e-1", "1e-3", "1e-8"):
        low, high = mp.mpf(lower), mp.mpf(1)
        for step in range(4):
            with mp.workdps(40):
                c, error = minimax_odd(low, high, 17, 40)
                bounds = {"gram": float(high**2), "residual": float(max(high**2 - 1, 1 - low**2))}
                r = [sum((-1) ** j * comb(i, j) * c[i] for i in range(j, 9)) for j in range(9)]
                for basis, values in (("gram", c), ("residual", r)):
                    found.append((lower, step, basis, tuple(map(float, values)), bounds[basis]))
                low, high = 1 - error, 1 + error
            if error < 1e-8:
                break
    for p in (1, 2, 4):
        found += [("taylor", p, "residual", tuple(taylor_inverse_root(p, 8)), bound) for bound in (1.0, 0.5, 0.01)]
    return found


def test_the_degree_8_scheme_is_as_stable_on_what_is_designed():
    """So it is taken for all of them; the figures are those that EMPIRICAL_RATIO quotes."""
    unit, own = [], []
    for *_, c, bound in designed():
        scheme, other = degree_eight(c), paterson_stockmeyer(c)
        assert choose(c) == scheme
        assert twin.price(c) == scheme.products
        unit.append(scheme.amplification() / other.amplification())
        own.append(scheme.amplification(bound) / other.amplification(bound))
    assert 1.28 < min(unit) < 1.29
    assert 1.76 < max(unit) < 1.77 < EMPIRICAL_RATIO
    assert 1.0 < min(own) < 1.01
    assert 1.45 < max(own) < 1.46


def test_the_residual_basis_is_the_more_stable_one():
    """1.4 to 1.7 times in the first step, 24 times and more after it, and without limit at convergence."""
    amplification = {(low, s, b): choose(c).amplification(r) for low, s, b, c, r in designed() if low != "taylor"}
    for (lower, step, basis), value in amplification.items():
        if basis == "gram":
            gain = value / amplification[lower, step, "residual"]
            assert gain > (1.4 if step == 0 else 24)
    assert amplification["1e-3", 3, "gram"] > 1e4 * amplification["1e-3", 3, "residual"]


@pytest.mark.parametrize("q", [1, 2, 3, 5, 8, 9, 16])
def test_amplification_is_the_derivative_with_respect_to_a_common_error(q):
    """Numerical differentiation in 50 digits; the schemes' coefficients are of both signs."""
    c = coefficients_of(q, seed=5)
    for bound in (0.1, 1.0, 3.0):
        for scheme in schemes(c):
            with mp.workdps(50):
                exact = on_moduli(scheme, bound)
                assert abs(scheme.amplification(bound) - exact) <= 1e-13 * exact
    assert horner((1.0,)).amplification() == 0
    # c_1 S + c_2 S^2 by hand: 2 for a scaling, 1 for a constant, a sum and a product
    assert horner((1.0, 3.0, 5.0)).amplification() == 5 * (2 + 1 + 1) + 3 * (1 + 1 + 1)
    assert paterson_stockmeyer((1.0, 3.0, 5.0)).amplification() == 5 * (1 + 2 + 1) + 3 * (2 + 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_errors_stay_below_the_amplification(dtype):
    """On 1 x 1 matrices every operation is one rounding, so the bound holds as it is.

    To first order; no term passes more than 25 roundings, so the rest is at most 25 u of the bound, which is a worst
    case over all signs and never reached.  In the residual basis a tenth of it is reached within 600 points, in the
    gram basis, where neighbouring terms of opposite signs share most of their roundings, 2 % by one of the schemes.
    """
    u = float(np.finfo(dtype).eps) / 2
    for *_, basis, c, bound in designed():
        low = -bound if basis == "residual" else 0.0
        points = np.random.default_rng(0).uniform(low, bound, 600).astype(dtype)
        points = points[np.abs(points) <= bound]
        with mp.workdps(40):
            want = [mp.polyval([*map(mp.mpf, c[:0:-1]), 0], mp.mpf(float(x))) for x in points]
        ratios = []
        for scheme in (choose(c), horner(c), paterson_stockmeyer(c), paterson_stockmeyer(c, 4)):
            got = run(ops_for(points), scheme, points[:, None, None])[:, 0, 0]
            assert got.dtype == dtype
            error = max(abs(mp.mpf(float(x)) - y) for x, y in zip(got, want, strict=True))
            ratios.append(float(error) / (scheme.amplification(bound) * u))
        assert max(ratios) <= 1
        assert max(ratios) >= (0.1 if basis == "residual" else 0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_errors_of_full_matrices(dtype):
    """A product is off by about sqrt n units in the spectral norm; n at most was needed in no case."""
    n = 32
    u = float(np.finfo(dtype).eps) / 2
    vectors = np.linalg.qr(np.random.default_rng(1).standard_normal((n, n)))[0]
    for *_, basis, c, bound in designed()[-9:]:
        values = np.linspace(-bound if basis == "residual" else 0.0, bound, n)
        S = ((vectors * values) @ vectors.T).astype(dtype)
        S = (S + S.T) / 2
        wide = S.astype(np.longdouble)
        want = np.zeros_like(wide)
        for x in c[:0:-1]:
            want = wide @ (want + np.longdouble(x) * np.eye(n, dtype=np.longdouble))
        for scheme in (choose(c), paterson_stockmeyer(c)):
            got = run(ops_for(S), scheme, S)
            ratio = np.linalg.norm((got - want).astype(np.float64), 2) / (scheme.amplification(bound) * u)
            assert 0.05 < ratio <= n**0.5, scheme.name


# ---- compilers ------------------------------------------------------------------------------------


def test_torch_compiles_a_rule_of_degree_17_whole():
    """Through one compiled function: for the second rule torch carries the coefficients as unknowns."""
    torch = pytest.importorskip("torch")
    torch.compiler.reset()
    A = torch.from_numpy(with_singular_values(log_spaced(5, 2.0), 8, 5, 0))
    with warnings.catch_warnings():  # importing its machinery makes torch warn about a decorator of its own
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script_method.*", category=DeprecationWarning)
        compiled = torch.compile(
            lambda A, rule: matfun.orthogonalize(A, rule, steps=3), fullgraph=True, backend="eager"
        )
        for rule in (Seventeenth("residual", False), Seventeenth("gram", True), Seventeenth("gram", False)):
            eager = matfun.orthogonalize(A, rule, steps=3)
            np.testing.assert_allclose(compiled(A, rule), eager, rtol=0, atol=1e-12)
    torch.compiler.reset()


def test_jax_traces_a_rule_of_degree_17():
    jax = pytest.importorskip("jax")
    A = jax.numpy.asarray(with_singular_values(log_spaced(5, 2.0), 8, 5, 0))
    for rule in (Seventeenth("residual", False), Seventeenth("gram", True)):
        compiled = jax.jit(lambda A, rule=rule: matfun.orthogonalize(A, rule, steps=3))(A)
        np.testing.assert_allclose(compiled, matfun.orthogonalize(A, rule, steps=3), rtol=0, atol=1e-12)
