"""Does polar pass what SciPy asks of its own polar (scipy/linalg/tests/test_decomp_polar.py), and agree with it?

The matrices are SciPy's; SciPy allows 1e-15 for orthonormality and 1e-14 for the rest on these small cases.
"""

import numpy as np
import pytest
import scipy.linalg

import matfun
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)
CONVERGING = [name for name in matfun.methods("polar") if registered()[name].converges]
METHODS = ["auto", *CONVERGING]
SIDES = ("right", "left")

r2, r3 = np.sqrt(2), np.sqrt(3)

PRECOMPUTED = [
    ([[0]], "right", [[1]], [[0]]),
    ([[0]], "left", [[1]], [[0]]),
    ([[9]], "right", [[1]], [[9]]),
    ([[9]], "left", [[1]], [[9]]),
    ([[-9]], "right", [[-1]], [[9]]),
    (np.diag([2, 3]), "right", np.eye(2), np.diag([2, 3])),
    (np.diag([2, 3]), "left", np.eye(2), np.diag([2, 3])),
    ([[1, 2, 2]], "right", np.array([[1, 2, 2]]) / 3, np.outer([1, 2, 2], [1, 2, 2]) / 3),
    ([[1, 2, 2]], "left", np.array([[1, 2, 2]]) / 3, [[3]]),
]

VERIFIED = {
    "square": [[1, 2], [3, 4]],
    "row": [[1, 2, 3]],
    "column": [[1], [2], [3]],
    "wide": [[1, 2, 3], [3, 4, 0]],
    "tall": [[1, 2], [3, 4], [5, 5]],
    "complex square": [[1, 2], [3, 4 + 5j]],
    "complex row": [[1, 2, 3j]],
    "complex wide": [[1, 2, 3 + 2j], [3, 4 - 1j, -4j]],
    "complex tall": [[1, 2], [3 - 2j, 4j], [5, 5 + 1j]],
    "large element": [[10000, 10, 1], [-1, 2, 3j], [0, 1, 2]],
    "two equal": [[1, 1], [1, -1]],
}


@pytest.mark.parametrize(("A", "side", "U", "H"), PRECOMPUTED)
@pytest.mark.parametrize("method", METHODS)
def test_precomputed(method, A, side, U, H):
    u, h = matfun.polar(A, side, method, rng=0)
    np.testing.assert_allclose(u, U, rtol=0, atol=20 * EPS)
    np.testing.assert_allclose(h, H, rtol=0, atol=20 * EPS * max(1, np.max(np.abs(A))))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", VERIFIED)
@pytest.mark.parametrize("method", METHODS)
def test_verified_properties_and_scipys_answer(measure, method, name, side):
    A = np.array(VERIFIED[name])
    U, H = result = matfun.polar(A, side, method, rng=0)
    assert result.info.ok
    errors = measure(A, U, H, side)
    # the documented (12 + sqrt k) eps, which SciPy's 1e-15 = 4.5 eps on these is not far from
    limit = 12 + min(A.shape) ** 0.5
    assert errors.orthonormality <= limit
    assert errors.reconstruction <= limit
    assert errors.asymmetry == 0
    assert errors.indefiniteness <= limit
    V, K = scipy.linalg.polar(A, side)
    singular = np.linalg.svd(A, compute_uv=False)
    # both are backward stable, so they differ by the condition numbers 1/sigma_min and sqrt 2 times some 2 limit eps
    np.testing.assert_allclose(U, V, rtol=0, atol=2 * limit * EPS * singular[0] / singular[-1])
    np.testing.assert_allclose(H, K, rtol=0, atol=3 * limit * EPS * singular[0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 2), (2, 0)])
@pytest.mark.parametrize("dtype", [int, np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("side", SIDES)
def test_empty(shape, dtype, side):
    A = np.empty(shape, dtype)
    U, H = matfun.polar(A, side)
    V, K = scipy.linalg.polar(A, side)
    assert U.shape == V.shape
    assert H.shape == K.shape
    assert U.dtype == (np.float64 if dtype is int else dtype)
    np.testing.assert_array_equal(H, K)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("method", METHODS)
def test_stacks_as_in_test_batch(measure, method, side):
    rng = np.random.default_rng(8342310302941288912051 % 2**63)
    for core in ((3, 3), (5, 3), (3, 5)):
        for dtype in (np.float32, np.float64, np.complex64, np.complex128):
            A = rng.random((5, 3, *core)).astype(dtype)
            if A.dtype.kind == "c":
                A = A + 1j * rng.random(A.shape).astype(A.real.dtype)
            U, H = matfun.polar(A, side, method, rng=0)
            assert U.dtype == H.dtype == dtype
            for index in np.ndindex(5, 3):
                errors = measure(A[index], U[index], H[index], side)
                # an SVD may need several times the limit of an iteration, as documented
                limit = (12 + 3**0.5) * (8 if method in ("svd", "auto") else 1)
                assert max(errors.orthonormality, errors.reconstruction) <= limit


@pytest.mark.parametrize("method", METHODS)
def test_random_matrices_agree_with_scipy(with_spectrum, method):
    for m, n in ((1, 1), (2, 2), (10, 10), (20, 7), (7, 20), (50, 50)):
        for is_complex in (False, True):
            for kappa in (1.0, 1e3, 1e6):
                k = min(m, n)
                A = with_spectrum(m, n, np.geomspace(1, 1 / kappa, k) if k > 1 else [1.0], is_complex=is_complex)
                for side in SIDES:
                    U, H = matfun.polar(A, side, method, rng=0)
                    V, K = scipy.linalg.polar(A, side)
                    limit = 4 * (12 + k**0.5) * EPS
                    assert np.linalg.norm(U - V, 2) <= limit * k**0.5 * kappa
                    assert np.linalg.norm(H - K, 2) <= limit * k**0.5


@pytest.mark.parametrize("method", METHODS)
def test_the_agreement_can_fail(with_spectrum, method):
    # a wrong completion of the polar factor is an isometry all the same: the comparison must see it
    A = with_spectrum(6, 6, np.geomspace(1, 0.1, 6))
    left, _, right = np.linalg.svd(A)
    wrong = left @ np.diag([1, 1, 1, 1, 1, -1]) @ right
    U = matfun.polar(A, method=method, rng=0).U
    assert np.linalg.norm(U - wrong, 2) > 1.9
