"""Is the limit the polar decomposition, to rounding, over the whole gallery, and is each Status reached?

Errors are measured in float64 against the matrix that was given; the bounds are those that the package states:
(12 + sqrt k) eps for the small side k (matfun/functions/unitary.py).
"""

import math
from functools import cache

import numpy as np
import pytest
import scipy.linalg
from mpmath import mp

import matfun
from matfun import NewtonSchulz, PolarExpress, Polynomial, Prism, Status
from matfun.functions.unitary import rounding_floor
from matfun.lab import matrices as named
from matfun.lab import truth
from matfun.lab.gallery import gallery
from matfun.lab.spectra import gaussian, inner_minimum, log_spaced, rank_deficient, with_singular_values
from tests.exam.walk import each_library, library_called

GALLERY = gallery(max_size=128)

CASES = {case.name: case for case in GALLERY}

METHODS = {
    "newton-schulz-3": NewtonSchulz(3),
    "newton-schulz-5": NewtonSchulz(5),
    "newton-schulz-7": NewtonSchulz(7),
    "prism-3": Prism(3),
    "prism-5": Prism(5),
    "prism-3-exact": Prism(3, sketch_size=None),
    "prism-5-exact": Prism(5, sketch_size=None),
    "polar-express-3": PolarExpress(degree=3),
    "polar-express-5": PolarExpress(degree=5),
    "chen-chow": "chen-chow",
    "svd": "svd",
}

LAPACK = 5
"""Room for the backward error of a library's SVD, in units of that of the other iterations."""

SLACK = {"svd": LAPACK, "chen-chow": 2}
"""Room by method; the stretched cubic lets p(x)/x fall to 0.1, the others keep it higher."""

EASY = "log-spaced-1e3"


def allowed(k, eps):
    return (12 + math.sqrt(k)) * eps


@cache
def stored(name, dtype):
    """The matrix of a case as the dtype holds it; None where it does not."""
    A = CASES[name].matrix()
    if np.dtype(dtype).kind != "c" and np.iscomplexobj(A):
        return None
    with np.errstate(over="ignore", under="ignore"):
        B = A.astype(dtype)
    tiny = float(np.finfo(dtype).tiny)
    fits = np.isfinite(B).all() and (not A.any() or np.max(np.abs(B)) > tiny / np.finfo(dtype).eps)
    return B if fits else None


@cache
def measured_truth(name, dtype):
    A = stored(name, dtype).astype(np.result_type(dtype, np.float64))
    U, H = truth.polar_truth(A)
    top = np.max(np.abs(A)) or 1.0
    sigmas = np.linalg.svd(A / top, compute_uv=False)
    condition = truth.polar_condition(sigmas, A.shape, np.iscomplexobj(A))
    return A, U, H, condition, sigmas[-1] / max(np.linalg.norm(sigmas), 1e-300)


def spectral_defect(U):
    U = U.astype(np.result_type(U.dtype, np.float64))
    gram = U.conj().T @ U if U.shape[0] >= U.shape[1] else U @ U.conj().T
    return float(np.linalg.norm(gram - np.eye(len(gram)), 2))


def examine(A, U, H, info, slack=1.0):
    """The defining properties of a polar decomposition, to rounding."""
    eps, k = float(np.finfo(U.dtype).eps), min(A.shape)
    bound = slack * allowed(k, eps)
    assert info.status in (Status.CONVERGED, Status.COMPLETED)
    assert U.dtype == H.dtype == A.dtype
    assert truth.backward_error(A, U, H) <= bound
    assert spectral_defect(U) <= bound
    assert np.array_equal(H, H.conj().T)
    # eigenvalues of H move by the backward error times ||A||_F, relative to ||A||_2, and by storing H
    assert truth.semidefinite_defect(H) <= 2 * math.sqrt(k) * bound


def stored_cases():
    """Every case in the dtypes that can hold it: real ones in float64 and float32, complex ones in complex128."""
    found = []
    for name, case in CASES.items():
        complex_too = "complex" in case.tags or name in (EASY, "rank-half", "one-tiny-1e15", "zero")
        dtypes = [d for d in ("float64", "float32", "complex128") if complex_too or d != "complex128"]
        found += [pytest.param(name, d, id=f"{name}-{d}") for d in dtypes if stored(name, d) is not None]
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "dtype"), stored_cases())
def test_gallery(name, method, dtype):
    A = stored(name, dtype)
    U, H, info = *(result := matfun.polar(A, method=METHODS[method], rng=1)), result.info
    examine(A, U, H, info, SLACK.get(method, 1))
    wide, U_true, H_true, condition, smallest = measured_truth(name, dtype)
    eps = float(np.finfo(dtype).eps)
    room = 2 * SLACK.get(method, 1) * allowed(min(A.shape), eps)
    # H is determined by A to sqrt 2 times its backward error, U to the condition number times that
    if wide.any():
        assert truth.forward_error(H, H_true) <= 2 * room
    if smallest > 10 * room:  # else the smallest singular value may change sign within the backward error
        assert truth.forward_error(U, U_true) <= max(1.0, condition) * room


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "name", [EASY, "one-tiny-1e15", "rank-half", "tall-4-1e6", "wide-4-1e6", "zero", "scaled-2^100"]
)
@each_library
def test_every_library(library_name, name, method, dtype):
    library = library_called(library_name)
    A = stored(name, dtype)
    result = matfun.polar(library.put(A), method=METHODS[method], rng=1)
    U, H = (library.get(Y) for Y in result)
    examine(A, U, H, result.info, SLACK.get(method, 1))


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("method", ["newton", "prism-newton", "halley", "pade", "qdwh", "zolotarev"])
@pytest.mark.parametrize("name", [EASY, "log-spaced-1e9", "tall-4-1e6", "wide-4-1e6", "scaled-2^100"])
@each_library
def test_rational_methods_on_every_library(library_name, name, method, dtype):
    library = library_called(library_name)
    A = stored(name, dtype)
    result = matfun.polar(library.put(A), method=method, rng=1)
    U, H = (library.get(Y) for Y in result)
    # a Cholesky factorisation with shift 1/100 amplifies rounding by up to 10
    examine(A, U, H, result.info, 10.0 if method in ("qdwh", "zolotarev") else LAPACK)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["wilson", "lotkin", "column", "row", "complex-scalar", "zero-tall", "minus-identity"])
def test_agrees_with_50_digits(name, method):
    A = CASES[name].matrix()
    dtype = A.dtype.name
    U, H = matfun.polar(A, method=METHODS[method], rng=1)
    U_true, H_true = truth.polar_truth_mp(A)
    condition = measured_truth(name, dtype)[3]
    eps = 2.0**-52
    room = 2 * SLACK.get(method, 1) * allowed(min(A.shape), eps)
    assert truth.forward_error(H, H_true) <= 2 * room
    if "rank-deficient" not in CASES[name].tags:
        assert truth.forward_error(U, U_true) <= max(1.0, condition) * room


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("shape", [(20, 20), (30, 12), (12, 30)], ids=["square", "tall", "wide"])
def test_agrees_with_scipy(method, side, shape):
    A = with_singular_values(log_spaced(min(shape), 100.0), *shape, 3)
    U, H = matfun.polar(A, side=side, method=METHODS[method], rng=0)
    U_true, H_true = scipy.linalg.polar(A, side=side)
    room = 2 * LAPACK * allowed(min(shape), 2.0**-52)
    assert truth.forward_error(U, U_true) <= 100 * room
    assert truth.forward_error(H, H_true) <= 2 * room


TOO_FINE = ("float32", 1e-6)
"""The floor of float32 in the Frobenius norm is (4 sqrt k + k/4) eps, 3.7e-6 for k = 32."""


@pytest.mark.parametrize(
    ("dtype", "tol"), [(d, t) for d in ("float64", "float32", "complex128") for t in (1e-2, 1e-6) if (d, t) != TOO_FINE]
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [EASY, "log-spaced-1e12", "one-tiny-1e8", "gaussian-tall", "wide-4-1e6", "rank-half"])
def test_tol_is_kept(name, method, dtype, tol):
    """||I - U^H U||_F <= tol; and not vacuously: tol = 1e-2 leaves more than full accuracy would."""
    A = stored(name, dtype)
    U, H, info = *(result := matfun.polar(A, method=METHODS[method], tol=tol, rng=1)), result.info
    assert info.ok
    defect = truth.orthogonality(U)
    assert defect <= tol + 4 * allowed(min(A.shape), float(np.finfo(dtype).eps))
    assert np.max(info.residual) <= tol
    assert np.array_equal(H, H.conj().T)
    accurate = matfun.polar(A, method=METHODS[method], rng=1).info
    assert info.products <= accurate.products
    if method != "svd" and tol == 1e-2 and name == EASY:
        assert defect > 100 * np.finfo(dtype).eps
        assert info.products < accurate.products


@pytest.mark.parametrize("method", [m for m in METHODS if m != "svd"])
def test_the_stated_bound_is_not_slack(method):
    """The worst of the gallery comes within a factor 32 of (12 + sqrt k) eps."""
    worst = 0.0
    for name in (EASY, "log-spaced-1e9", "gaussian", "htmp-100.0", "power-law-0.5", "two-level-hadamard"):
        A = stored(name, "float64")
        U, H = matfun.polar(A, method=METHODS[method], rng=1)
        worst = max(worst, truth.backward_error(A, U, H) / allowed(min(A.shape), 2.0**-52))
    assert 1 / 32 < worst / SLACK.get(method, 1) < 1


# ---- every Status ---------------------------------------------------------------------------------


def diagonal(*values):
    return np.diag(np.array(values, dtype=np.float64))


def run(A, method, **options):
    """The result, also where there was a failure."""
    try:
        return matfun.polar(A, method=method, **options)
    except matfun.ConvergenceError as error:
        return error.result


class ToInfinity:
    """A rule that blows up in its third step."""

    def next(self, view):
        return Polynomial((1e200,)) if view.step >= 2 else Polynomial((1.0, 0.5))


class Nothing:
    """A rule that does not move."""

    def next(self, view):  # noqa: ARG002
        return Polynomial((1.0,))


ILL = with_singular_values(inner_minimum(32, 1e15), rng=0)
"""Half of the values where the plain minimax quintic dips lowest: without a cushion the backward error is large."""

REACHED = {
    Status.CONVERGED: lambda: run(diagonal(3, 2, 1), "polar-express"),
    Status.COMPLETED: lambda: run(diagonal(3, 2, 0), "newton-schulz"),
    Status.UNCHECKED: lambda: run(diagonal(3, 2, 1), "newton-schulz", steps=2),
    Status.FELL_BACK: lambda: run(diagonal(3, 2, 1), "muon", on_failure="svd"),
    Status.STAGNATED: lambda: run(diagonal(3, 2, 1), "muon"),
    Status.MAX_STEPS: lambda: run(diagonal(3, 2, 1e-9), "newton-schulz", max_steps=3),
    Status.NOT_FINITE: lambda: run(diagonal(3, 2, 1), ToInfinity()),
    Status.INACCURATE: lambda: run(ILL, PolarExpress(cushion=0.0), certificate="exact"),
}
"""Those of the polar decomposition; the functions of square matrices have the others (test_problems_limit.py)."""


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("status", list(REACHED), ids=lambda s: s.name)
def test_every_status_is_reached(status):
    result = REACHED[status]()
    assert result.info.status is status
    assert result.info.ok is status.ok


def test_an_inaccurate_answer_is_one_that_its_own_residual_calls_perfect():
    info = REACHED[Status.INACCURATE]().info
    assert info.residual < 1e-7
    assert info.backward_error > 8 * allowed(32, 2.0**-52)
    assert info.orthogonality <= allowed(32, 2.0**-52)
    matfun.polar(ILL, method=PolarExpress(), certificate="exact")  # with its cushion it is accurate


def test_a_rule_that_does_not_move_is_stopped():
    assert run(diagonal(3, 2, 1), Nothing(), max_steps=20).info.status in (Status.MAX_STEPS, Status.STAGNATED)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_overflow_leaves_the_last_finite_iterate():
    result = REACHED[Status.NOT_FINITE]()
    assert np.isfinite(result.U).all()
    assert result.info.steps == 2


def test_each_member_of_a_stack_has_its_own_status():
    A = np.stack([diagonal(3, 2, 1), diagonal(3, 2, 0), diagonal(3, 2, np.nan), diagonal(0, 0, 0)])
    with pytest.warns(matfun.ConvergenceWarning):
        U, _, info = *(r := matfun.polar(A, method="newton-schulz", check_finite=False, on_failure="warn")), r.info
    assert list(info.status) == [Status.CONVERGED, Status.COMPLETED, Status.NOT_FINITE, Status.COMPLETED]
    assert np.isnan(U[2]).all()
    assert np.isfinite(U[[0, 1, 3]]).all()
    assert np.array_equal(U[3], np.eye(3))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rank", [0, 1, 7, 15, 16])
@pytest.mark.parametrize("exact", [True, False], ids=["zeros", "rounded"])
def test_rank_deficient_matrices_are_completed(method, rank, exact):
    """U is an isometry, and on the range of A^H it is the unitary factor of what is there."""
    if exact:
        A = np.zeros((24, 16))
        A[3 : 3 + rank, :rank] = with_singular_values(log_spaced(rank, 10.0), rng=4) if rank else 0.0
    else:
        A = rank_deficient(24, 16, rank, 4)
    U, H, info = *(r := matfun.polar(A, method=METHODS[method], rng=0)), r.info
    examine(A, U, H, info, SLACK.get(method, 1))
    if rank == 16:
        assert info.status is Status.CONVERGED
    elif exact and (method != "svd" or not rank):
        # singular values that rounding left at some u may be lifted, and an SVD completes by itself
        assert info.status is Status.COMPLETED
    if rank:
        P, s, Qh = np.linalg.svd(A, full_matrices=False)
        isometry, onto = P[:, :rank] @ Qh[:rank], Qh[:rank].conj().T @ Qh[:rank]
        assert np.linalg.norm(U @ onto - isometry) <= 1e-13 * s[0] / s[rank - 1]


# ---- a rational rule that the package does not have -----------------------------------------------


class Qdwh:
    """QDWH: X (a + b G)(I + c G)^-1 with the weights of the interval [lower, 1] (Nakatsukasa, Bai, Gygi 2010)."""

    def __init__(self, lower):
        self.lower = lower

    def weights(self, step):
        low = self.lower
        for k in range(step + 1):
            square = low * low
            d = (4 * max(0.0, 1 - square) / square**2) ** (1 / 3)
            root = math.sqrt(1 + d)
            a = root + math.sqrt(max(0.0, 8 - 4 * d + 8 * (2 - square) / (square * root))) / 2
            b = (a - 1) ** 2 / 4
            c = a + b - 1
            if k == step:
                return a, b, c
            low = min(1.0, low * (a + b * square) / (1 + c * square))
        raise AssertionError

    def next(self, view):
        a, b, c = self.weights(view.step)
        return matfun.PartialFractions(b / c, ((a - b / c) / c,), (1 / c,))


def test_weights_of_the_rational_rule():
    """c from l = 1e-16 as in the literature, and the map is odd, fixes 1 and has the slope a."""
    values = [Qdwh(1e-16).weights(k)[2] for k in range(6)]
    assert values == pytest.approx([3.4e21, 6.0e6, 80.8, 3.85, 3.0007, 3], rel=2e-2)
    h = Qdwh(0.1).next(type("View", (), {"step": 0}))
    a, b, c = Qdwh(0.1).weights(0)
    x = np.array([0.1, 0.5, 1.0])
    assert x * h(1 - x * x) == pytest.approx(x * (a + b * x * x) / (1 + c * x * x), rel=1e-14)


RATIONAL = {
    "kappa-1e15": (log_spaced(32, 1e15), 32),
    "one-tiny": (np.append(np.ones(31), 1e-15), 32),
    "tall-1e8": (log_spaced(16, 1e8), 48),
    "easy": (np.linspace(0.7, 1.0, 24), 24),  # c < 100 from the first step: Cholesky alone
}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("kind", RATIONAL)
@each_library
def test_a_rational_rule_converges_in_six_steps(library_name, kind, dtype):
    library = library_called(library_name)
    sigmas, m = RATIONAL[kind]
    A = with_singular_values(sigmas, m, sigmas.size, 1, complex_=dtype == "complex128")
    rule = Qdwh(0.5 * np.min(sigmas) / np.linalg.norm(sigmas))  # the scale is the Frobenius norm
    result = matfun.polar(library.put(A), method=rule)
    U, H = (library.get(Y) for Y in result)
    info = result.info
    assert info.steps <= 6 + 1  # and the polish
    assert info.method == "Qdwh"
    # a QR or Cholesky with shift 1/100 amplifies rounding by up to 10
    examine(A, U, H, info, slack=10.0)
    shifts = [h.shifts[0] for h in info.history.updates if isinstance(h, matfun.PartialFractions)]
    assert (min(shifts) < 1 / 100) is (kind != "easy")  # QR of [X; sqrt(s) I]
    assert max(shifts) >= 1 / 100  # Cholesky of G + s I
    assert info.residual < 1e-7


@pytest.mark.parametrize("lower", [1e-15, 1e-3, 0.5])
def test_the_rational_rule_on_a_spectrum_alone(lower):
    """In 50 digits, because h is a function of r, and 1 - r has no digits of sigma^2 = 1e-30 in float64."""
    with mp.workdps(50):
        sigmas = np.array([mp.mpf(float(s)) for s in np.geomspace(lower, 1.0, 9)], dtype=object)
        for step, found in enumerate(matfun.simulate(Qdwh(lower), sigmas, steps=6).sigmas[1:]):
            a, b, c = Qdwh(lower).weights(step)
            sigmas = sigmas * (a + b * sigmas**2) / (1 + c * sigmas**2)
            assert found.astype(float) == pytest.approx(sigmas.astype(float), rel=1e-12)
    assert np.max(np.abs(sigmas.astype(float) - 1)) < 1e-12


def test_rational_rule_on_random_matrices():
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = gaussian(20, 20, rng)
        s = np.linalg.svd(A, compute_uv=False)
        result = matfun.polar(A, method=Qdwh(0.9 * s[-1] / np.linalg.norm(s)))
        examine(A, *result, result.info, slack=3.0)


class Newton:
    """Newton's iteration X <- (mu X + X^-H / mu) / 2 with the weights of Byers and Xu for sigma in [lower, 1]."""

    def __init__(self, lower):
        self.lower = lower

    def next(self, view):
        mu = 1 / math.sqrt(self.lower)
        for k in range(view.step):
            mu = math.sqrt(2 * math.sqrt(self.lower) / (1 + self.lower)) if k == 0 else math.sqrt(2 / (mu + 1 / mu))
        return matfun.PartialFractions(mu / 2, (1 / (2 * mu),), (0.0,))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("shape", [(24, 24), (48, 24)], ids=["square", "tall"])
@each_library
def test_newtons_iteration_is_the_term_with_shift_zero(library_name, shape, dtype):
    """Nine steps at most; one solve with X where it is square, with its Gram matrix where it is tall."""
    library = library_called(library_name)
    sigmas = log_spaced(24, 1e8 if shape[0] == 24 else 1e2)  # the Gram matrix squares the condition number
    A = with_singular_values(sigmas, *shape, 2, complex_=dtype == "complex128")
    result = matfun.polar(library.put(A), method=Newton(sigmas[-1] / np.linalg.norm(sigmas)))
    U, H = (library.get(Y) for Y in result)
    info = result.info
    assert info.steps <= 9 + 1
    # scaled Newton is backward stable with a constant of some ten (Byers and Xu 2008)
    examine(A, U, H, info, slack=10.0)


@pytest.mark.parametrize("method", ["newton-schulz", "prism", "polar-express", "window"])
@pytest.mark.parametrize("excess", [0.02, 0.1, -0.5])
@pytest.mark.parametrize("n", [64, 256])
def test_roundings_of_one_sign(method, excess, n):
    """The last step is taken from a residual so small that such roundings no longer matter."""
    A = named.equicorrelation(n, excess)
    U, H, info = *(result := matfun.polar(A, method=method, rng=0, certificate="exact")), result.info
    assert info.status is matfun.Status.CONVERGED
    limit = allowed(n, np.finfo(np.float64).eps)
    assert truth.backward_error(A, U, H) <= limit
    assert truth.orthogonality(U) <= limit * n**0.5


@pytest.mark.filterwarnings("ignore::matfun.ConvergenceWarning")  # below rounding no tolerance is kept
@pytest.mark.parametrize("tol", [0.5, 1e-1, 1e-3, 1e-6, 1e-12, 1e-15, 1e-60])
@pytest.mark.parametrize("method", ["newton-schulz", "prism", "window"])
def test_the_reported_residual_is_a_bound(method, tol):
    A = with_singular_values(np.linspace(0.1, 1, 30), 60, 30, 1)
    U, _, info = *(result := matfun.polar(A, method=method, rng=0, tol=tol, on_failure="warn")), result.info
    # the residual is that of the square factor, which a tall matrix is reduced to; what it is multiplied with is
    # orthonormal to rounding
    floor = rounding_floor(30, np.finfo(np.float64).eps)
    assert truth.orthogonality(U) <= float(info.residual) * (1 + 1e-9) + floor
    assert info.steps == len(info.history.updates)
