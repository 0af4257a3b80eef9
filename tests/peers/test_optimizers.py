"""Does orthogonalize pass what optimizer repositories ask of theirs, and where they return garbage, does it not?

facebookresearch/optimizers (matrix_functions_test.py), NVIDIA Emerging-Optimizers (test_muon_utils.py,
test_polargrad.py), optax (_muon_test.py), microsoft/dion, polargrad (validate_polar_oracles.py), FlagGems; inputs and
tolerances are theirs.
"""

import numpy as np
import pytest

import matfun
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)
METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]
COEFFICIENTS_OF_MUON = (3.4445, -4.7750, 2.0315)


def exact(A):
    left, _, right = np.linalg.svd(A, full_matrices=False)
    return left @ right


# ---- facebookresearch/optimizers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "A",
    [np.diag([1.0, 4.0]), np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([[1.0, 0, 0], [0, 3.0, 0]])],
    ids=["diagonal", "3x2", "2x3"],
)
def test_fb_orthogonalization(A):
    for method in ("muon", "polar-express", "polar-express-published"):
        # their tolerance for Newton-Schulz with five steps of Muon's coefficients
        np.testing.assert_allclose(matfun.orthogonalize(A, method), exact(A), rtol=0, atol=0.3)
    np.testing.assert_allclose(matfun.orthogonalize(A, "svd"), exact(A), rtol=0, atol=10 * EPS)


def test_fb_random_shapes():
    for m, n in ((10, 5), (5, 10), (10, 10)):
        A = np.random.default_rng(m + 10 * n).standard_normal((m, n)).astype(np.float32)
        s = np.linalg.svd(matfun.orthogonalize(A, "muon"), compute_uv=False)
        # the largest value of Muon's map on [0, 1] is 1.2023; what starts below 0.002 is not up in five steps
        assert s.max() <= 1.2024
        assert s[np.linalg.svd(A, compute_uv=False) > 0.01 * np.linalg.norm(A)].min() >= 0.65


# ---- NVIDIA Emerging-Optimizers, KellerJordan/Muon, torch.optim.Muon -----------------------------


def plain_newton_schulz(A, steps, a, b, c):
    """The textbook loop on X of ||X||_F = 1, as in the reference implementations, in the orientation they choose."""
    X = A / np.linalg.norm(A)
    if X.shape[0] > X.shape[1]:
        return plain_newton_schulz(A.T, steps, a, b, c).T
    for _ in range(steps):
        G = X @ X.T
        X = a * X + (b * G + c * G @ G) @ X
    return X


class FrobeniusMuon:
    """Muon's rule without a need for the square of the Gram matrix: the driver then scales by the Frobenius norm."""

    def next(self, _view):
        return matfun.Polynomial(COEFFICIENTS_OF_MUON, basis="gram")


@pytest.mark.parametrize("shape", [(16, 16), (32, 8), (8, 32)])
@pytest.mark.parametrize("steps", [1, 5, 10])
def test_against_the_reference_loop(shape, steps):
    A = np.random.default_rng(1).standard_normal(shape)
    expected = plain_newton_schulz(A, steps, *COEFFICIENTS_OF_MUON)
    # errors grow by at most 3.4445 a step until a value is in the band, and by |p'| <= 3 in it: up to 1e5 in ten steps
    np.testing.assert_allclose(matfun.orthogonalize(A, FrobeniusMuon(), steps), expected, rtol=0, atol=1e5 * 30 * EPS)


def test_torchs_own_muon_agrees():
    torch = pytest.importorskip("torch")
    private = pytest.importorskip("torch.optim._muon")
    A = torch.from_numpy(np.random.default_rng(2).standard_normal((32, 16))).to(torch.bfloat16)
    theirs = private._zeropower_via_newtonschulz(A.clone(), COEFFICIENTS_OF_MUON, 5, 1e-7).float()
    ours = matfun.orthogonalize(A, FrobeniusMuon()).float()
    # two bfloat16 evaluations: u = 2^-8 amplified by the steps' slopes to a few percent
    assert torch.linalg.matrix_norm(ours - theirs, ord=2) <= 0.1


@pytest.mark.parametrize("method", METHODS)
def test_eo_three_dimensions_are_slices(method):
    A = np.random.default_rng(3).standard_normal((4, 12, 7)).astype(np.float32)
    X = matfun.orthogonalize(A, method, rng=0)
    for i in range(4):
        # 30 sum |c_i| eps in float32, with sum |c_i| <= 50
        np.testing.assert_allclose(X[i], matfun.orthogonalize(A[i], method, rng=0), rtol=0, atol=1500 * 1.2e-7)


def test_eo_wide_spectrum_in_enough_steps_of_polar_express(with_spectrum):
    # their sigma = logspace(6, -6), and their 1e-5 for orthogonality
    A = with_spectrum(13, 13, np.logspace(6, -6, 13))
    left, _, right = np.linalg.svd(A)
    # A small value grows 3.9 times a step under the cushion, so that 1e12 takes 20 steps and a few more close the gap.
    # A schedule for 1e-3 is over after 5 and goes on with Newton-Schulz, 1.875 a step: too large a bound costs steps.
    for lower, steps in ((1e-12, 26), (1e-3, 50)):
        X = matfun.orthogonalize(A, matfun.PolarExpress(lower=lower), steps=steps)
        assert np.linalg.norm(X @ X.T - np.eye(13), 2) <= 1e-5
        assert np.linalg.norm(X - left @ right, 2) <= 1e-3  # the condition 1e12 leaves U that many digits


def test_eo_sixteen_steps_of_polar_express_in_single():
    A = np.random.default_rng(4).standard_normal((13, 13)).astype(np.float32) * np.float32(1e3)
    X = matfun.orthogonalize(A, "polar-express", steps=16)
    assert np.linalg.norm(X @ X.T - np.eye(13), 2) <= 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_eo_underflowing_norms(method):
    # float32 elements of 1e-30 have squares of zero
    A = np.random.default_rng(5).standard_normal((6, 9)).astype(np.float32)
    expected = matfun.orthogonalize(A, method, rng=0)
    X = matfun.orthogonalize(A * np.float32(2.0**-100), method, rng=0)
    assert np.array_equal(X, expected)


@pytest.mark.parametrize("method", ["auto", *CONVERGING])
def test_polargrad_equivariance(method):
    rng = np.random.default_rng(6)
    A = rng.standard_normal((10, 6))
    Q, P = np.linalg.qr(rng.standard_normal((10, 10)))[0], np.linalg.qr(rng.standard_normal((6, 6)))[0]
    rows = rng.permutation(10)
    limit = 8 * (12 + 6**0.5) * EPS * np.linalg.cond(A)
    U = matfun.polar(A, method=method, rng=0).U
    for moved, expected in ((Q @ A, Q @ U), (A @ P, U @ P), (A[rows], U[rows])):
        np.testing.assert_allclose(matfun.polar(moved, method=method, rng=0).U, expected, rtol=0, atol=limit)


# ---- optax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", CONVERGING)
def test_optax_singular_values_between_a_tenth_and_two(with_spectrum, method):
    A = with_spectrum(12, 12, np.linspace(0.1, 2, 12))
    X = matfun.orthogonalize(A, method, steps=12, rng=0)
    # a published table for l = 1e-3 has its last row repeated, whose limit is 1 to the digits printed
    assert np.linalg.norm(X - exact(A), 2) <= (1e-6 if method == "polar-express-published" else 1e-9)


def test_optax_complex_is_not_dropped():
    rng = np.random.default_rng(7)
    A = rng.standard_normal((6, 4)) + 1j * rng.standard_normal((6, 4))
    X = matfun.orthogonalize(A, steps=10)
    assert np.linalg.norm(X - exact(A), 2) <= 1e-12


# ---- dion ----------------------------------------------------------------------------------------


def test_dion_stack_with_padding():
    # megabatches are padded with exact zero matrices; these stay zero and the others do not notice
    rng = np.random.default_rng(8)
    A = np.concatenate([rng.standard_normal((5, 16, 12)), np.zeros((3, 16, 12))])
    X = matfun.orthogonalize(A)
    assert not X[5:].any()
    assert np.array_equal(X[:5], matfun.orthogonalize(A[:5]))


def test_dion_never_writes_into_the_input():
    A = np.random.default_rng(9).standard_normal((3, 8, 6)).astype(np.float32)
    before = A.tobytes()
    X = matfun.orthogonalize(A.mT)
    assert A.tobytes() == before
    X *= 2  # the host may work in place on what it got
    assert A.tobytes() == before


# ---- polargrad's oracle --------------------------------------------------------------------------


ORACLE_CASES = [
    ((64, 16), 1e2, 1e-9),
    ((16, 64), 1e2, 1e-9),
    ((48, 12), 1e6, 1e-8),
    ((32, 8), 1e4, 1e-8),
]


def oracle(A, U, H, singular):
    """Metrics of validate_polar_oracles.py."""
    m, n = A.shape
    gram = U.T @ U if m >= n else U @ U.T
    product = U.T @ A
    symmetric = (product + product.T) / 2
    nuclear = singular.sum()
    return {
        "orthogonality": np.linalg.norm(gram - np.eye(min(m, n))),
        "symmetry": np.linalg.norm(product - product.T) / np.linalg.norm(A),
        "definiteness": max(0.0, -np.linalg.eigvalsh(symmetric).min()) / np.linalg.norm(A),
        "reconstruction": np.linalg.norm(A - U @ symmetric) / np.linalg.norm(A),
        "objective gap": abs(nuclear - np.vdot(U, A)) / nuclear,
    }


@pytest.mark.parametrize(("shape", "kappa", "tolerance"), ORACLE_CASES)
@pytest.mark.parametrize("method", ["auto", *CONVERGING])
def test_polargrad_oracle(with_spectrum, method, shape, kappa, tolerance):
    s = np.geomspace(1, 1 / kappa, min(shape))
    A = with_spectrum(*shape, s)
    U, H = matfun.polar(A, method=method, rng=0)
    for name, value in oracle(A, U, H, s).items():
        assert value <= tolerance, name
        assert value <= 200 * EPS, name  # theirs are looser than a stable method needs: (12 + sqrt k) eps sqrt k
    assert np.linalg.norm(U - exact(A)) / np.linalg.norm(exact(A)) <= 200 * EPS * kappa


def test_the_oracle_detects_a_rotated_factor(with_spectrum):
    # an orthogonal factor with the wrong orientation is as orthogonal as the right one
    s = np.geomspace(1, 0.01, 12)
    A = with_spectrum(48, 12, s)
    rotation = np.linalg.qr(np.random.default_rng(10).standard_normal((12, 12)))[0]
    wrong = exact(A) @ rotation
    metrics = oracle(A, wrong, None, s)
    assert metrics["orthogonality"] <= 1e-13
    for name in ("symmetry", "definiteness", "reconstruction", "objective gap"):
        assert metrics[name] > 1e-2, name


# ---- FlagGems ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2), (8, 4), (16, 8), (2, 8, 4), (8, 16, 8)])
@pytest.mark.parametrize("method", ["auto", *CONVERGING])
def test_flaggems_shapes(method, shape):
    A = np.random.default_rng(11).standard_normal(shape).astype(np.float32)
    U, H = matfun.polar(A, method=method, rng=0)
    # their tolerance is 1e-2; float32 gives (12 + sqrt k) 1.2e-7 and an SVD eight times that
    assert np.max(np.abs(U @ H - A)) <= 8 * 15 * 1.2e-7 * np.max(np.linalg.norm(A, axis=(-2, -1)))


# ---- the edge cases that no peer survives ---------------------------------------------------------


def edge_case():
    return np.random.default_rng(12).standard_normal((48, 96))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e20, 1e30])
@pytest.mark.parametrize("method", METHODS)
def test_scales_at_which_peers_return_zero(method, scale):
    # torch, KJ, dion, GramNS: far from orthogonal from 1e-12 down, an exactly zero update from 1e20 up
    A = edge_case().astype(np.float32)
    X = matfun.orthogonalize((A * np.float32(scale)), method, rng=0)
    expected = matfun.orthogonalize(A, method, rng=0)
    np.testing.assert_allclose(X, expected, rtol=0, atol=1500 * 1.2e-7)
    assert np.linalg.norm(X, 2) > 0.6


@pytest.mark.parametrize("method", METHODS)
def test_zeros_give_zeros_and_rank_one_gives_rank_one(method):
    assert not matfun.orthogonalize(np.zeros((48, 96)), method, rng=0).any()
    rng = np.random.default_rng(13)
    a, b = rng.standard_normal(48), rng.standard_normal(96)
    X = matfun.orthogonalize(np.outer(a, b), method, steps=12, rng=0)
    direction = a @ X @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert direction == pytest.approx(1, abs=0.35 if method == "muon" else 1e-6)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "svd"])
def test_one_nan_spoils_its_own_slice_only(method):
    A = np.stack([edge_case()] * 3).astype(np.float32)
    A[1, 3, 4] = np.nan
    with np.errstate(invalid="ignore"):
        X = matfun.orthogonalize(A, method, rng=0)
    assert np.isnan(X[1]).all()
    assert np.isfinite(X[[0, 2]]).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_the_dtype_comes_back(method, dtype):
    A = edge_case()[:6, :9].astype(dtype)
    assert matfun.orthogonalize(A, method, rng=0).dtype == dtype
    assert matfun.orthogonalize(A[None, None], method, rng=0).shape == (1, 1, 6, 9)
