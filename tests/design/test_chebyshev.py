"""Is f(A) by a Chebyshev series f(A) to rounding, at the price that the series says, on every library and scale?"""

import math
import re

import numpy as np
import pytest
from matfun_backends.counting import CountingOps
from mpmath import mp
from numpy.polynomial import chebyshev as reference
from scipy.linalg import eigh

from matfun.functions.hermitian_function import evaluate, hermitian_function, spectrum_bounds
from matfun.functions.inputs import check_matrix
from matfun.polynomials.chebyshev import ChebyshevSeries, chebyshev
from matfun.providers import ops_for

EPS = 2.0**-52

FUNCTIONS = {
    "exp": (math.exp, -1.0, 1.0),
    "cosine": (lambda x: math.cos(40 * x), -1.0, 1.0),
    "runge": (lambda x: 1 / (1 + 25 * x * x), -1.0, 1.0),
    "fermi": (lambda x: 1 / (1 + math.exp(30 * x)), -1.0, 1.0),
    "root": (math.sqrt, 0.01, 2.0),
    "logarithm": (np.log, 1.0, 1e3),
    "decay": (math.exp, -50.0, 0.0),
    "tiny": (lambda x: 1e-200 * math.cos(x), -3.0, 5.0),
    "far": (lambda x: math.cos(x - 1e6), 1e6, 1e6 + 1),
    "line": (lambda x: x, -3.0, 5.0),
    "constant": (lambda _: 3.0, -1.0, 1.0),
    "zero": (lambda _: 0.0, 0.0, 1.0),
}

CASES = pytest.mark.parametrize("name", FUNCTIONS)


def sampled(f, points):
    return np.asarray([float(f(float(x))) for x in points])


def conditioned(f, lower, upper):
    """Size of f plus its largest change when x moves by its own size: what a rounding of x and of f leaves, in EPS."""
    x = np.linspace(lower, upper, 4001)
    y = sampled(f, x)
    return np.abs(y).max() + np.abs(np.diff(y) / np.diff(x)).max() * max(abs(lower), abs(upper))


def hermitian(n, lower, upper, seed=0, stack=(), complex_=False):
    """Spectrum spread over all of [lower, upper], ends included."""
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((*stack, n, n))
    if complex_:
        G = G + 1j * rng.standard_normal((*stack, n, n))
    Q = np.linalg.qr(G)[0]
    A = (Q * np.linspace(lower, upper, n)) @ Q.conj().mT
    return (A + A.conj().mT) / 2


def truth(A, f, lower=-math.inf, upper=math.inf):
    if A.ndim > 2:
        return np.stack([truth(B, f, lower, upper) for B in A])
    values, V = eigh(A)
    return (V * sampled(f, np.clip(values, lower, upper))) @ V.conj().T


# ---- the series -----------------------------------------------------------------------------------


@CASES
def test_the_series_is_f_to_rounding(name):
    f, lower, upper = FUNCTIONS[name]
    p, x = chebyshev(f, lower, upper), np.linspace(lower, upper, 2003)
    unit = EPS * conditioned(f, lower, upper)
    assert np.abs(p(x) - sampled(f, x)).max() <= 16 * unit  # 4 dropped, and what the points and Clenshaw round
    assert p.error <= 4 * unit
    assert p.observed <= 16 * unit
    assert p(x) == pytest.approx(reference.chebval((x - p.middle) / p.half, p.coefficients), abs=4 * unit)
    assert p(float(x[7])) == p(x)[7]


def test_coefficients_are_the_projections():
    """Bessel functions in the coefficients of exp and cos, to a rounding of the size of f."""
    p = chebyshev(math.exp, -1, 1)
    exact = [float((2 if k else 1) * mp.besseli(k, 1)) for k in range(p.degree + 1)]
    assert p.coefficients == pytest.approx(exact, abs=2 * EPS)
    assert abs(float((2 if p.degree + 1 else 1) * mp.besseli(p.degree + 1, 1))) < 8 * EPS  # and no term is missing
    p = chebyshev(lambda x: math.cos(3 * (x - 2)), 1, 3)  # on another interval
    exact = [0 if k % 2 else float((2 if k else 1) * (-1) ** (k // 2) * mp.besselj(k, 3)) for k in range(p.degree + 1)]
    assert p.coefficients == pytest.approx(exact, abs=8 * EPS)


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 12])
def test_a_given_degree_interpolates(degree):
    p = chebyshev(abs, -1.0, 2.0, degree=degree)
    assert p.degree == degree
    t = np.cos(np.arange(degree + 1) * np.pi / degree) if degree else np.zeros(1)
    x = 0.5 + 1.5 * t
    assert p(x) == pytest.approx(np.abs(x), abs=8 * EPS)
    between = np.linspace(-1, 2, 5001)
    worst = np.abs(p(between) - np.abs(between)).max()
    assert 0.3 * worst <= p.observed <= worst + 1e-12
    polynomial = chebyshev(lambda x: x**degree, -1.0, 2.0, degree=degree)
    assert polynomial(between) == pytest.approx(between**degree, abs=32 * EPS * 2**degree)


@pytest.mark.parametrize("tol", [1e-3, 1e-8])
def test_tol_is_kept_and_used(tol):
    f = FUNCTIONS["fermi"][0]
    p, full = chebyshev(f, -1, 1, tol=tol), chebyshev(f, -1, 1)
    x = np.linspace(-1, 1, 4001)
    worst = np.abs(p(x) - sampled(f, x)).max()
    assert worst <= tol
    assert p.degree < full.degree
    for scale in (1e-200, 1e200):
        assert chebyshev(lambda x, c=scale: c * f(x), -1, 1, tol=tol).degree == p.degree
    # not much smaller a degree would do: the series falls like rho^-k, and half of tol is left for what is not seen
    assert np.abs(ChebyshevSeries(full.coefficients[: int(0.8 * p.degree)], -1, 1)(x) - sampled(f, x)).max() > tol


def test_a_bound_of_bernstein():
    """1/(1 + 25 x^2) is analytic up to +-i/5: rho = (1 + sqrt 26)/5, and the degree of full accuracy follows."""
    f, rho = FUNCTIONS["runge"][0], (1 + math.sqrt(26)) / 5
    x = np.linspace(-1, 1, 3001)
    for n in (20, 60, 100):
        worst = np.abs(chebyshev(f, -1, 1, degree=n)(x) - sampled(f, x)).max()
        inside = 1 + (rho - 1) * 0.95
        height = (inside - 1 / inside) / 2
        largest = 1 / (1 - 25 * height**2)  # at the top of the ellipse
        assert worst <= 4 * largest * inside**-n / (inside - 1)
        assert worst >= rho**-n / 20  # and it is not much better than the limit
    assert -math.log(EPS) / math.log(rho) * 0.8 < chebyshev(f, -1, 1).degree < -math.log(EPS) / math.log(rho) * 1.1


@pytest.mark.parametrize("m", [16, 32, 48, 128])
def test_what_the_first_points_cannot_see(m):
    """T_m is 1 or T_0 on 17 points, T_32 also on 33; the check on points of another number sees it."""
    t = chebyshev(lambda x: math.cos(m * math.acos(max(-1.0, min(1.0, x)))), -1, 1)
    unit = np.zeros(m + 1)
    unit[m] = 1
    found = np.zeros(m + 1)
    found[: t.degree + 1] = t.coefficients[: m + 1]
    assert t.degree >= m
    assert found == pytest.approx(unit, abs=m * m * EPS)  # the slope of T_m at the ends is m^2


@pytest.mark.parametrize("f", [abs, lambda x: math.copysign(1, x - 0.3), lambda x: math.sqrt(abs(x - 1 / 3))])
def test_what_is_not_resolved(f):
    with pytest.raises(ValueError, match=r"f: 4097 Chebyshev points on \[-1, 1\] do not resolve it.*Give degree="):
        chebyshev(f, -1, 1)


def test_economise():
    p = ChebyshevSeries((1.0, -0.5, 0.25, 0.0, -0.125), -1.0, 3.0, observed=1e-3)
    assert p.economise(0) == p
    for tol, degree, dropped in [(0.1, 4, 0.0), (0.125, 2, 0.125), (0.374, 2, 0.125), (0.375, 1, 0.375), (9, 0, 0.875)]:
        q = p.economise(tol)
        assert (q.degree, q.error, q.observed) == (degree, dropped, 1e-3)
        x = np.linspace(-1, 3, 101)
        assert np.abs(p(x) - q(x)).max() <= dropped
    assert p.economise(0.125).economise(0.25).error == 0.375
    assert p.economise(9)(np.zeros(3)) == pytest.approx([1, 1, 1])


def test_intervals_near_overflow():
    p = chebyshev(lambda x: x / 1e308, 1.2e308, 1.7e308)
    assert p.degree == 1
    assert p(1.5e308) == pytest.approx(1.5, rel=1e-15)
    q = chebyshev(lambda x: x / 1e308, -1.7e308, 1.7e308)
    assert q(-1.5e308) == pytest.approx(-1.5, rel=1e-15)


def test_numbers_of_other_kinds():
    """mpmath numbers keep their digits, float32 arrays their dtype."""
    p = ChebyshevSeries((0.5, 0.25, 0.125), 0.0, 1.0)
    with mp.workdps(40):
        x = mp.mpf(1) / 3
        t = 2 * x - 1
        assert abs(p(x) - (mp.mpf("0.5") + t / 4 + (2 * t * t - 1) / 8)) < mp.mpf(10) ** -39
    assert p(np.float32([0.5])).dtype == np.float32
    same = chebyshev(math.log, 2, 2)
    assert (same(2.0), same.degree, same.observed) == (math.log(2), 0, 0.0)


# ---- the price and the scheme ----------------------------------------------------------------------


@pytest.mark.parametrize("degree", [*range(21), 50, 99, 100, 101, 333])
def test_the_price_is_the_one_counted(degree):
    """And no s is cheaper; about 2 sqrt(degree), never above Clenshaw's degree - 1."""
    rng = np.random.default_rng(degree)
    p = ChebyshevSeries(tuple(rng.standard_normal(degree + 1) / (1 + np.arange(degree + 1))), -1.0, 1.0)
    A = hermitian(5, -1, 1)
    for complex_ in (False, True):
        ops = CountingOps(ops_for(A))
        F = evaluate(ops, p, hermitian(5, -1, 1, complex_=complex_))
        assert ops.products == p.products
        assert sum(ops.counts.values()) == ops.counts["symm"]
    assert F.shape == (5, 5)
    assert p.products <= max(0, degree - 1)
    assert p.products <= max(0, 2 * math.sqrt(max(degree, 1)) - 1)


@pytest.mark.parametrize("degree", [1, 2, 3, 7, 12, 30])
def test_every_block_is_the_same_polynomial(degree, monkeypatch):
    p = ChebyshevSeries(tuple(np.random.default_rng(degree).standard_normal(degree + 1)), -2.0, 1.0)
    A = hermitian(6, -2, 1)
    exact = truth(A, p)
    for s in range(1, degree + 2):
        monkeypatch.setattr(ChebyshevSeries, "block", s)
        F = evaluate(ops_for(A), p, A)
        # T_k changes by k^2 eps at the ends of the interval
        assert np.abs(F - exact).max() <= 8 * EPS * sum(k * k * abs(c) for k, c in enumerate(p.coefficients)) + 64 * EPS
        rows = p.blocks(s)
        t = np.cos(1.0)
        again = sum(
            math.cos(k * math.acos(math.cos(s * math.acos(t))))
            * sum(d * math.cos(j * math.acos(t)) for j, d in enumerate(row))
            for k, row in enumerate(rows)
        )
        assert again == pytest.approx(reference.chebval(t, p.coefficients), abs=1e-12)


# ---- f(A) ------------------------------------------------------------------------------------------


@CASES
@pytest.mark.parametrize("complex_", [False, True])
def test_matrices_against_eigh(name, complex_):
    """Rounding of A moves eigenvalues by some n eps ||A||, which f's slope carries on; f(A) itself is of f's size."""
    f, lower, upper = FUNCTIONS[name]
    A = hermitian(20, lower, upper, complex_=complex_, stack=(2,))
    before = A.copy()
    F, p = hermitian_function(A, f, lower, upper, full_output=True)
    unit = EPS * conditioned(f, lower, upper)
    # at the ends T_k has the slope k^2, and eigenvalues are known to a rounding; V of eigh is unitary to some n EPS
    steep = 4 * EPS * sum(k * k * abs(c) for k, c in enumerate(p.coefficients)) * max(1, abs(p.middle) / p.half)
    assert np.linalg.norm(F - truth(A, f, lower, upper), 2, axis=(-2, -1)).max() <= 40 * unit + steep
    assert np.array_equal(F, F.conj().mT)
    assert np.array_equal(A, before)
    assert F.dtype == A.dtype
    assert np.array_equal(F, hermitian_function(A, p))
    assert F[1] == pytest.approx(hermitian_function(A[1], p), abs=20 * unit)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
@pytest.mark.parametrize("kind", ["spread", "definite", "diagonal", "one value", "1x1", "laplacian"])
def test_bounds_are_found_and_hold_on_every_scale(kind, scale):
    n = {"1x1": 1}.get(kind, 12)
    A = {
        "spread": hermitian(n, -1, 1),
        "definite": np.eye(n) + 0.03 * hermitian(n, -1, 1),
        "diagonal": np.diag(np.linspace(1, 2, n)),
        "one value": 0.7 * np.eye(n),
        "1x1": np.full((1, 1), -0.3),
        "laplacian": np.diag([1.0, *[2.0] * 10, 1.0]) - np.eye(12, k=1) - np.eye(12, k=-1),  # Gershgorin's is its 0
    }[kind] * scale
    low, high = spectrum_bounds(check_matrix(A, None))
    values = eigh(A / scale, eigvals_only=True) * scale
    known = 4 * n * EPS * abs(values).max()  # of eigh
    assert low <= values[0] + (known if kind == "laplacian" else 0)
    assert values[-1] <= high
    # no wider than +-||A||_F, and where one value is all there is, no wider than rounding
    assert max(-low, high) <= np.linalg.norm(A / scale) * scale * (1 + 1e-12)
    if kind in ("diagonal", "one value", "1x1"):
        assert max(abs(low - values[0]), abs(high - values[-1])) <= 4 * 13 * EPS * abs(values).max()
    if kind == "definite":
        assert low > 0
        root = hermitian_function(A, math.sqrt)
        assert np.abs(root @ root / scale - A / scale).max() < 64 * EPS
    F = hermitian_function(A, lambda x: x / scale)
    assert np.abs(F - A / scale).max() <= 40 * EPS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds_hold_to_the_last_bit(dtype):
    """For 2 x 2 matrices the bounds by traces are the eigenvalues, and rounding alone decides."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b, c = (float(dtype(x)) for x in rng.standard_normal(3))
        low, high = spectrum_bounds(check_matrix(np.asarray([[a, b], [b, c]], dtype=dtype), None))
        with mp.workdps(40):
            middle, radius = (mp.mpf(a) + c) / 2, mp.hypot((mp.mpf(a) - c) / 2, b)
            assert low <= middle - radius
            assert middle + radius <= high
            widest = 40 * float(np.finfo(dtype).eps) * float(abs(middle) + radius)
            assert high - low <= 2 * radius + widest


def test_bounds_are_those_of_the_whole_stack():
    A = np.stack([hermitian(5, -1, 1), hermitian(5, 2, 9), np.zeros((5, 5))])
    low, high = spectrum_bounds(check_matrix(A, None))
    assert low <= -1
    assert high >= 9
    each = [spectrum_bounds(check_matrix(B, None)) for B in A]
    assert (low, high) == pytest.approx((min(a for a, _ in each), max(b for _, b in each)), rel=1e-13)
    assert hermitian_function(A, math.exp) == pytest.approx(truth(A, math.exp), abs=64 * EPS * math.exp(high))


def test_zero_empty_and_one_by_one():
    assert np.array_equal(hermitian_function(np.zeros((2, 3, 3)), math.cos), np.broadcast_to(np.eye(3), (2, 3, 3)))
    assert hermitian_function(np.zeros((0, 3, 3)), math.exp).shape == (0, 3, 3)
    assert hermitian_function(np.zeros((2, 0, 0)), math.exp).shape == (2, 0, 0)
    assert hermitian_function([[2]], math.exp) == pytest.approx(np.exp([[2.0]]), rel=4 * EPS)
    assert hermitian_function([[4.0, 0], [0, 9]], math.sqrt, lower=1, upper=16) == pytest.approx(
        np.diag([2.0, 3]), abs=1e-14
    )


def test_one_bound_may_be_given():
    A = hermitian(9, 0, 1)
    F, p = hermitian_function(A, math.exp, lower=0, full_output=True)
    assert p.lower == 0
    assert p.upper >= 1
    assert pytest.approx(truth(A, math.exp), abs=64 * EPS) == F


def test_degree_and_tol_reach_the_series():
    A = hermitian(8, -1, 1)
    assert hermitian_function(A, math.exp, -1, 1, degree=3, full_output=True)[1] == chebyshev(math.exp, -1, 1, degree=3)
    F, p = hermitian_function(A, math.exp, -1, 1, tol=1e-4, full_output=True)
    assert p == chebyshev(math.exp, -1, 1, tol=1e-4)
    assert 1e-9 < np.linalg.norm(F - truth(A, math.exp), 2) <= 1e-4 * math.e


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64])
def test_short_dtypes_get_short_series(dtype):
    A = hermitian(16, -1, 1, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    F, p = hermitian_function(A, math.exp, -1.01, 1.01, full_output=True)
    assert F.dtype == dtype
    assert p.degree < 10
    # float16 is rounded once at the end
    allowed = 40 * float(np.finfo(dtype).eps) * math.e
    assert np.abs(F - truth(A.astype(np.complex128), math.exp)).max() <= allowed


@pytest.mark.parametrize("library", ["torch", "jax", "array_api_strict"])
@pytest.mark.parametrize("complex_", [False, True])
def test_other_libraries(library, complex_):
    xp = pytest.importorskip("jax.numpy" if library == "jax" else library)
    A = hermitian(7, -1, 1, stack=(2,), complex_=complex_)
    for bounds in ((), (-1, 1)):
        F = hermitian_function(xp.asarray(A), math.exp, *bounds)
        assert type(F) is type(xp.asarray(A))
        assert F.dtype == xp.asarray(A).dtype
        assert np.asarray(F) == pytest.approx(truth(A, math.exp), abs=64 * EPS)
    default = hermitian_function(xp.asarray(A), math.exp, backend="array-api")
    assert np.asarray(default) == pytest.approx(truth(A, math.exp), abs=64 * EPS)


def test_torch_bfloat16():
    torch = pytest.importorskip("torch")
    A = torch.asarray(hermitian(6, -1, 1)).to(torch.bfloat16)
    F = hermitian_function(A, math.exp)
    assert F.dtype == torch.bfloat16
    exact = truth(A.to(torch.float64).numpy(), math.exp)
    # one rounding to eight bits at the end
    assert (np.abs(F.to(torch.float64).numpy() - exact) <= 2.0**-8 * np.abs(exact) + 1e-5).all()


def test_jit_with_bounds_and_without():
    jax = pytest.importorskip("jax")
    A = hermitian(6, -1, 1, stack=(3,))
    compiled = jax.jit(lambda A: hermitian_function(A, math.exp, -1, 1))(A)
    assert np.asarray(compiled) == pytest.approx(truth(A, math.exp), abs=64 * EPS)
    p = chebyshev(math.exp, -1, 1)
    assert np.asarray(jax.jit(lambda A: hermitian_function(A, p))(A)) == pytest.approx(
        np.asarray(compiled), abs=16 * EPS
    )
    with pytest.raises(ValueError, match="lower, upper: expected two numbers, because the values of a traced"):
        jax.jit(lambda A: hermitian_function(A, math.exp))(A)
    slope = jax.grad(lambda x: hermitian_function(x * jax.numpy.eye(2), math.exp, -1, 1)[0, 0])(0.3)
    assert float(slope) == pytest.approx(math.exp(0.3), rel=1e-12)


def test_nothing_waits_when_both_bounds_are_given(monkeypatch):
    A = hermitian(4, -1, 1)
    monkeypatch.setattr(type(ops_for(A)), "as_host", lambda *_: pytest.fail("as_host was called"))
    hermitian_function(A, math.exp, -1, 1)
    hermitian_function(A, chebyshev(math.exp, -1, 1))


# ---- errors ----------------------------------------------------------------------------------------

EYE = np.eye(2)
P = ChebyshevSeries((1.0, 2.0), 0.0, 1.0)
NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ChebyshevSeries((), 0, 1),
            ValueError,
            "coefficients: expected at least one and finite numbers, got ()",
        ),
        (lambda: ChebyshevSeries((NAN,), 0, 1), ValueError, "coefficients: expected at least one and finite numbers"),
        (
            lambda: ChebyshevSeries((1, 2), 1, 1),
            ValueError,
            "lower, upper: expected lower < upper for degree 1, got 1 twice",
        ),
        (lambda: ChebyshevSeries((1,), 2, 1), ValueError, "lower, upper: expected lower <= upper, got 2 and 1"),
        (lambda: P.economise(-1), ValueError, "tol: expected a non-negative number, got -1"),
        (lambda: P.economise(NAN), ValueError, "tol: expected a non-negative number, got nan"),
        (lambda: chebyshev(math.exp, 0, NAN), ValueError, "upper: expected a finite number, got nan"),
        (lambda: chebyshev(math.exp, "0", 1), TypeError, "lower: expected a number, got '0'"),
        (
            lambda: chebyshev(math.exp, 0, 1, degree=-1),
            ValueError,
            "degree: expected a non-negative integer or None, got -1",
        ),
        (lambda: chebyshev(math.exp, 0, 1, degree=1.5), ValueError, "degree: expected a non-negative integer or None"),
        (lambda: chebyshev(math.exp, 0, 1, tol=0), ValueError, "tol: expected a number in (0, 1) or None, got 0"),
        (lambda: chebyshev(math.exp, 0, 1, 3, 0.1), ValueError, "degree, tol: expected at most one of the two"),
        (
            lambda: chebyshev(math.log, 0, 1),
            ValueError,
            "f: expected a real number at every x in the interval, but f(0.0) gave",
        ),
        (lambda: chebyshev(np.log, 0, 1), ValueError, "f: expected finite values on the interval, got -inf at x = 0.0"),
        (lambda: chebyshev(lambda _: 1j, 0, 1), ValueError, "f: expected a real number at every x in the interval"),
        (
            lambda: hermitian_function(np.ones((2, 3)), math.exp),
            ValueError,
            "A: expected square matrices (..., n, n), got shape (2, 3)",
        ),
        (lambda: hermitian_function(np.ones(3), math.exp), ValueError, "A: expected at least two dimensions"),
        (
            lambda: hermitian_function(EYE, "exp"),
            TypeError,
            "f: expected a function of a float or a ChebyshevSeries, got str",
        ),
        (
            lambda: hermitian_function([[0.0, 1.0], [0.0, 0.0]], math.exp),
            ValueError,
            "A: expected Hermitian matrices, got ||A - A^H||_F = 1.41 ||A||_F",
        ),
        (
            lambda: hermitian_function(EYE * NAN, math.exp),
            ValueError,
            "A: expected finite elements, got NaN or infinity",
        ),
        (
            lambda: hermitian_function(EYE.astype(object), math.exp),
            TypeError,
            "A: expected an array of floats for hermitian_function",
        ),
        (lambda: hermitian_function(EYE, P, degree=3), ValueError, "degree, tol: expected None with a ChebyshevSeries"),
        (
            lambda: hermitian_function(EYE, P, upper=2),
            ValueError,
            "upper: expected None or that of the ChebyshevSeries, 1.0, got 2",
        ),
        (
            lambda: hermitian_function(EYE, math.exp, lower=5),
            ValueError,
            "lower, upper: expected bounds of the spectrum, which lies in",
        ),
        (
            lambda: hermitian_function(hermitian(4, 0, 1), math.sqrt),
            ValueError,
            "give lower= and upper= if you know a narrower one",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()
