"""Rank-deficient matrices: is polar an isometry that is right on the range, does orthogonalize leave nulls null?"""

import numpy as np
import pytest

import matfun
from matfun import Status
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)
METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]
INVERTING = [name for name in METHODS if getattr(registered()[name].make(), "needs_square", False)]
ITERATIONS = [name for name in CONVERGING if name != "svd" and name not in INVERTING]
LIMIT = 8 * (12 + 6**0.5) * EPS
"""Documented limit (12 + sqrt k) eps of the certified errors times the slack 8 that a factorisation may need."""

each_converging = pytest.mark.parametrize("method", ["auto", *CONVERGING])


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("rank", [1, 2, 4, 5])
@each_converging
def test_right_on_the_range_and_an_isometry_everywhere(with_spectrum, method, rank, is_complex):
    for m, n in ((6, 6), (9, 6), (6, 8)):
        s = np.geomspace(0.1, 1, rank)
        A = with_spectrum(m, n, s, is_complex=is_complex, seed=rank)
        U, H = result = matfun.polar(A, method=method, rng=0)
        assert result.info.ok
        gram = U.conj().T @ U if m >= n else U @ U.conj().T
        assert np.linalg.norm(gram - np.eye(6)) <= LIMIT * 6**0.5
        assert np.linalg.norm(A - U @ H) <= LIMIT * np.linalg.norm(A)
        # H is unique whatever the completion: (A^H A)^(1/2)
        w, V = np.linalg.svd(A)[1:]
        exact = (V[:rank].conj().T * w[:rank]) @ V[:rank]
        np.testing.assert_allclose(H, exact, rtol=0, atol=10 * LIMIT)
        # on the range U is unique too, with condition 1/sigma_rank = 10
        P = np.linalg.svd(A)[0][:, :rank]
        np.testing.assert_allclose(U @ V[:rank].conj().T, P, rtol=0, atol=10 * LIMIT)


@pytest.mark.parametrize("method", ITERATIONS)
def test_exact_null_directions_are_completed_and_say_so(with_spectrum, method):
    # nothing can grow out of a column of zeros; a null space hidden in rounding noise may pass for noise
    for m, n, rank in ((6, 6, 5), (6, 6, 1), (9, 6, 3), (6, 8, 4)):
        A = np.zeros((m, n))
        A[:, :rank] = with_spectrum(m, rank, np.geomspace(0.1, 1, rank))
        U, H = result = matfun.polar(A, method=method, rng=0)
        assert result.info.status is Status.COMPLETED
        gram = U.T @ U if m >= n else U @ U.T
        assert np.linalg.norm(gram - np.eye(6)) <= LIMIT * 6**0.5
        left, _, right = np.linalg.svd(A[:, :rank], full_matrices=False)
        np.testing.assert_allclose(U[:, :rank], left @ right, rtol=0, atol=10 * LIMIT)
        np.testing.assert_allclose(H[rank:], 0, rtol=0, atol=LIMIT)


@pytest.mark.parametrize("noise", [1e-15, 1e-16, 1e-17, 1e-30])
@each_converging
def test_rank_n_minus_one_plus_rounding_noise(with_spectrum, method, noise):
    # the typical gradient: one direction at the level of rounding
    for n in (5, 40):
        s = np.append(np.geomspace(1, 0.1, n - 1), noise)
        A = with_spectrum(n, n, s)
        U, H = result = matfun.polar(A, method=method, rng=0)
        assert result.info.ok
        limit = 8 * (12 + n**0.5) * EPS
        assert np.linalg.norm(U.T @ U - np.eye(n)) <= limit * n**0.5
        assert np.linalg.norm(A - U @ H) <= limit * np.linalg.norm(A)


@each_converging
def test_small_but_meaningful_singular_values_are_kept(with_spectrum, method):
    # far below sqrt(eps), far above eps: no method may take them for noise
    for smallest in (1e-9, 1e-12, 1e-14):
        A = with_spectrum(5, 5, [1, 0.7, 0.5, 0.3, smallest])
        left, _, right = np.linalg.svd(A)
        result = matfun.polar(A, method=method, rng=0)
        assert result.info.status is Status.CONVERGED
        # condition 1/smallest for complex, 2/(sigma_n + sigma_(n-1)) for real square matrices: 7
        np.testing.assert_allclose(result.U, left @ right, rtol=0, atol=10 * LIMIT)


@each_converging
def test_the_zero_matrix(method):
    for shape in ((1, 1), (3, 3), (4, 2), (2, 5), (2, 3, 3)):
        for dtype in ("float32", "complex128"):
            for side, size in (("right", shape[-1]), ("left", shape[-2])):
                U, H = result = matfun.polar(np.zeros(shape, dtype), side, method)
                assert np.array_equal(U, np.broadcast_to(np.eye(*shape[-2:]), shape))
                assert np.array_equal(H, np.zeros((*shape[:-2], size, size)))
                assert result.info.ok
                assert np.all(np.asarray(result.info.residual) <= EPS)
    U, H = matfun.polar(np.zeros((3, 2)), method=method, steps=4)
    assert np.array_equal(U, np.eye(3, 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [0, 1, 5, 20])
def test_orthogonalize_zero_in_zero_out(method, steps):
    for shape in ((1, 1), (4, 2), (2, 5), (3, 2, 2)):
        for dtype in ("float32", "complex128"):
            X = matfun.orthogonalize(np.zeros(shape, dtype), method, steps, rng=0)
            assert np.array_equal(X, np.zeros(shape))


@pytest.mark.parametrize("method", INVERTING)
def test_methods_that_invert_say_that_a_matrix_is_singular(method):
    A = np.diag([2.0, 1.0, 0.0])
    with pytest.raises(matfun.ConvergenceError, match="SINGULAR") as caught:
        matfun.polar(A, method=method)
    assert caught.value.result.info.status is Status.SINGULAR
    result = matfun.polar(np.stack([A, np.eye(3)]), method=method, on_failure="svd")
    assert list(result.info.status) == [Status.FELL_BACK, Status.CONVERGED]
    assert np.array_equal(result.U[1], np.eye(3)) or np.allclose(result.U[1], np.eye(3), atol=LIMIT)


LIFTING = ("svd", "qdwh", "zolotarev")
"""Their first step with the worst-case bound lifts rounding noise itself to the size of a singular value."""


@pytest.mark.parametrize("method", [m for m in METHODS if m not in LIFTING and m not in INVERTING])
def test_orthogonalize_leaves_null_directions_null(with_spectrum, method):
    for m, n in ((8, 8), (12, 7), (6, 9)):
        for rank in (1, 3, 5):
            A = with_spectrum(m, n, np.geomspace(1, 0.3, rank))
            X = matfun.orthogonalize(A, method, rng=0)
            s = np.linalg.svd(X, compute_uv=False)
            # rounding puts a few eps into the null directions, and five steps grow it by 8.5 at most each
            assert s[rank] <= 8 * 8.5**5 * EPS
            assert s[rank - 1] > 0.1  # while those of the range have grown, or been kept by Chen and Chow's stretching
            # in exactly zero rows and columns nothing can appear
            padded = np.zeros((m + 3, n + 2))
            padded[:m, :n] = A
            Y = matfun.orthogonalize(padded, method, rng=0)
            assert not Y[m:].any()
            assert not Y[:, n:].any()


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("method", [m for m in METHODS if m not in INVERTING])
def test_orthogonalize_never_points_backwards(method, steps):
    # <X, A> = sum sigma g(sigma) and every g is positive on (0, 1]: no update may increase a linear loss
    rng = np.random.default_rng(steps)
    for m, n in ((5, 5), (9, 4), (3, 8)):
        for A in (
            rng.standard_normal((m, n)),
            rng.standard_normal((m, n)) * np.geomspace(1, 1e-8, n),
            np.outer(rng.standard_normal(m), rng.standard_normal(n)),
            rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n)),
        ):
            X = matfun.orthogonalize(A, method, steps, rng=0)
            alignment = np.vdot(X, A).real
            assert alignment > 0
            # and never more than twice the nuclear norm: a minimax polynomial deviates from 1 by less than 1
            nuclear = np.linalg.svd(A, compute_uv=False).sum()
            assert alignment <= 2 * nuclear


@pytest.mark.parametrize("method", METHODS)
def test_orthogonalize_approaches_the_factor(with_spectrum, method):
    if method == "muon":
        pytest.skip("does not converge: test_failure.py")
    A = with_spectrum(8, 5, np.geomspace(0.1, 1, 5))
    left, _, right = np.linalg.svd(A, full_matrices=False)
    errors = [np.linalg.norm(matfun.orthogonalize(A, method, k, rng=0) - left @ right, 2) for k in (2, 4, 8, 16)]
    # a published table for l = 1e-3 has its last row repeated, whose limit is 1 to the digits printed: 1e-6
    assert errors[-1] <= (1e-6 if method == "polar-express-published" else 350 * EPS)
    assert errors[0] >= errors[2]
