"""Is a stack the loop over its members, whatever sits beside them: zeros, NaN, rank defects, other scales?"""

import numpy as np
import pytest

import matfun
from matfun import Status
from matfun.providers import ops_for
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)
METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]
CLOSE = 350 * EPS
"""As derived in test_invariances.py for kappa = 10."""

each_converging = pytest.mark.parametrize("method", ["auto", *CONVERGING])
each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def members(with_spectrum):
    """Regular members of one shape, of different conditions."""

    def make(m, n, *, is_complex=False, dtype=None):
        k = min(m, n)
        spectra = [np.geomspace(1 / kappa, 1, k) for kappa in (10, 2, 5)]
        stack = np.stack([with_spectrum(m, n, s, is_complex=is_complex, seed=i) for i, s in enumerate(spectra)])
        return stack if dtype is None else stack.astype(dtype)

    return make


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@each_converging
def test_a_stack_is_a_loop(members, method, is_complex):
    for m, n in ((5, 5), (7, 4), (3, 6)):
        A = members(m, n, is_complex=is_complex)
        for side in ("right", "left"):
            U, H = result = matfun.polar(A, side, method, rng=0)
            for i, a in enumerate(A):
                u, h = alone = matfun.polar(a, side, method, rng=0)
                np.testing.assert_allclose(U[i], u, rtol=0, atol=CLOSE)
                np.testing.assert_allclose(H[i], h, rtol=0, atol=CLOSE)
                assert result.info.steps[i] == alone.info.steps
                assert result.info.status[i] is alone.info.status
                assert result.info.residual[i] == pytest.approx(alone.info.residual, rel=1e-3, abs=20 * EPS)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(("size", "as_it_is"), [(1e-6, False), (2e-5, False), (1e-4, True), (1.0, True), (1.8e3, True)])
def test_stacks_that_are_used_as_they_are_stay_in_range(library, size, as_it_is):
    # powers up to the ninth of the norms are formed; an orthogonal matrix has the least norm of its square for its own
    xp = pytest.importorskip(library)
    Q = np.stack([np.linalg.qr(np.random.default_rng(i).standard_normal((64, 64)))[0] for i in range(2)])
    A = xp.asarray((size * Q).astype(np.float32))
    assert (ops_for(A).prescale(A)[0] is A) == as_it_is
    for rule in (matfun.PolarExpress(degree=9), "polar-express", "muon"):
        X = np.asarray(matfun.orthogonalize(A, rule, steps=8))
        assert np.array_equal(X, np.asarray(matfun.orthogonalize(A * 2.0**-60, rule, steps=8)))
        alone = np.stack([np.asarray(matfun.orthogonalize(a, rule, steps=8)) for a in A])
        np.testing.assert_allclose(X, alone, rtol=0, atol=3000 * np.finfo(np.float32).eps)  # as below
    for rule in (matfun.PolarExpress(degree=9), "polar-express"):
        np.testing.assert_allclose(np.asarray(matfun.orthogonalize(A, rule, steps=8)), Q, rtol=0, atol=1e-4)


def test_what_is_said_of_a_stack_has_the_dtype_of_its_matrices():
    for dtype, real in ((np.float32, np.float32), (np.complex64, np.float32), (np.float64, np.float64)):
        for scale in (1.0, 2.0**-60):  # used as it is, and scaled
            for shape in ((3, 3), (2, 3, 3)):
                A = np.broadcast_to(np.eye(3), shape).astype(dtype) * np.asarray(scale, real)
                assert np.asarray(matfun.orthogonalize(A, "muon", full_output=True)[1].scale).dtype == real


@each_method
def test_a_stack_of_fixed_steps_is_a_loop(members, method):
    A = members(5, 3)
    X = matfun.orthogonalize(A, method, rng=0)
    for i, a in enumerate(A):
        # each is off by 30 sum |c_i| eps with sum |c_i| <= 50 (tests/backends/test_agreement.py): a stack is
        # not evaluated like one matrix
        np.testing.assert_allclose(X[i], matfun.orthogonalize(a, method, rng=0), rtol=0, atol=3000 * EPS)


@each_method
def test_the_shape_of_the_stack_does_not_matter(members, method):
    A = np.concatenate([members(5, 3), members(5, 3) * 2])
    X = matfun.orthogonalize(A, method, rng=0)
    for shape in ((6, 1), (2, 3), (1, 3, 1, 2)):
        assert np.array_equal(matfun.orthogonalize(A.reshape(*shape, 5, 3), method, rng=0), X.reshape(*shape, 5, 3))
    result = matfun.polar(A.reshape(2, 3, 5, 3), method=method, rng=0, on_failure="svd")
    flat = matfun.polar(A, method=method, rng=0, on_failure="svd")
    assert result.info.status.shape == result.info.steps.shape == result.info.residual.shape == (2, 3)
    assert np.array_equal(result.U, flat.U.reshape(2, 3, 5, 3))
    assert np.array_equal(result.H, flat.H.reshape(2, 3, 3, 3))


def neighbours(m, n):
    """What may sit beside a regular matrix."""
    k = min(m, n)
    rng = np.random.default_rng(9)
    low_rank = np.outer(rng.standard_normal(m), rng.standard_normal(n))
    small = np.zeros((m, n))
    small[:k, :k] = np.diag(np.geomspace(1e-13, 1, k))
    return {
        "zero": np.zeros((m, n)),
        "rank one": low_rank,
        "rank one, tiny": low_rank * 1e-250,
        "huge": rng.standard_normal((m, n)) * 1e250,
        "tiny": rng.standard_normal((m, n)) * 1e-250,
        "subnormal": rng.standard_normal((m, n)) * 1e-310,
        "ill-conditioned": small,
        "an isometry": np.eye(m, n),
        "integers": np.ones((m, n)),
    }


@pytest.mark.parametrize("neighbour", list(neighbours(1, 1)))
@each_method
def test_no_neighbour_changes_a_bit(members, method, neighbour):
    for m, n in ((5, 5), (7, 4)):
        A = members(m, n)
        other = np.stack([A[0], neighbours(m, n)[neighbour], A[2]])
        plain, beside = (matfun.orthogonalize(B, method, rng=0) for B in (A, other))
        assert np.array_equal(beside[[0, 2]], plain[[0, 2]])
        plain, beside = (matfun.polar(B, method=method, rng=0, on_failure="svd") for B in (A, other))
        assert np.array_equal(beside.U[[0, 2]], plain.U[[0, 2]])
        assert np.array_equal(beside.H[[0, 2]], plain.H[[0, 2]])
        for i in (0, 2):
            assert beside.info.steps[i] == plain.info.steps[i]
            assert beside.info.status[i] is plain.info.status[i]
        assert beside.info.ok


@each_converging
def test_the_neighbour_gets_its_own_good_answer(members, method):
    if method in ("newton", "prism-newton"):
        pytest.skip("a method that inverts: some neighbours are singular; see test_rank_and_null")
    for m, n in ((5, 5), (7, 4), (4, 6)):
        k = min(m, n)
        for name, other in neighbours(m, n).items():
            A = np.stack([members(m, n)[0], other])
            U, H = result = matfun.polar(A, method=method, rng=0)
            assert result.info.ok, name
            gram = U[1].T @ U[1] if m >= n else U[1] @ U[1].T
            assert np.linalg.norm(gram - np.eye(k)) <= 8 * (12 + k**0.5) * k**0.5 * EPS, name
            largest = np.max(np.abs(other))
            if largest == 0:
                assert np.array_equal(U[1], np.eye(m, n))
                assert np.array_equal(H[1], np.zeros((n, n)))
                continue
            # exact division by a power of two first, lest the norms over- or underflow
            exponent = int(np.floor(np.log2(largest)))
            a, h = np.ldexp(other, -exponent), np.ldexp(H[1], -exponent)
            lost = np.finfo(float).smallest_subnormal / largest * k  # of subnormal numbers, in storing H
            assert np.linalg.norm(a - U[1] @ h) <= (8 * (12 + k**0.5) * EPS + lost) * np.linalg.norm(a), name


@each_converging
def test_nan_and_infinity_stay_where_they_are(members, method):
    A = members(5, 4)
    bad = A.copy()
    bad[1, 2, 3] = np.nan
    plain = matfun.polar(A, method=method, rng=0)
    for value in (np.nan, np.inf, -np.inf):
        bad[1, 2, 3] = value
        with pytest.warns(matfun.ConvergenceWarning, match="NOT_FINITE"):
            result = matfun.polar(bad, method=method, rng=0, check_finite=False, on_failure="warn")
        assert np.isnan(result.U[1]).all()
        assert np.isnan(result.H[1]).all()
        assert result.info.status[1] is Status.NOT_FINITE
        assert np.array_equal(result.U[[0, 2]], plain.U[[0, 2]])
        assert np.array_equal(result.H[[0, 2]], plain.H[[0, 2]])
        assert [result.info.status[i] for i in (0, 2)] == [plain.info.status[i] for i in (0, 2)]


@each_method
def test_nan_spoils_no_neighbour_in_fixed_steps(members, method):
    if method == "svd":
        pytest.skip("LAPACK refuses a stack with NaN, and fixed steps look at nothing")
    A = members(5, 4)
    bad = A.copy()
    bad[1, 2, 3] = np.nan
    with np.errstate(invalid="ignore"):
        X = matfun.orthogonalize(bad, method, rng=0)
    assert np.isnan(X[1]).all()
    assert np.array_equal(X[[0, 2]], matfun.orthogonalize(A, method, rng=0)[[0, 2]])


@each_converging
def test_members_of_all_scales_and_ranks_at_once(with_spectrum, method):
    # scales 1e-30 to 1e30, ranks 4 to 0: as optimizers see them, in float64 and float32
    spectra = [[1, 0.5, 0.3, 0.1], [1, 0.5, 0.3], [1, 0.5], [1], [1, 1, 1, 1]]
    for dtype in ("float64", "float32"):
        eps = float(np.finfo(dtype).eps)
        A = np.stack([with_spectrum(6, 4, s, seed=i) for i, s in enumerate(spectra)] + [np.zeros((6, 4))]).astype(dtype)
        scales = np.array([1e-30, 1e30, 1.0, 1e-20, 1e15, 1.0], dtype=dtype)
        U, H = result = matfun.polar(A * scales[:, None, None], method=method, rng=0)
        U, H = U.astype(float), H.astype(float) / scales[:, None, None]
        k = 4
        gram = np.swapaxes(U, -1, -2) @ U
        assert (np.linalg.norm(gram - np.eye(4), axis=(-2, -1)) <= 8 * (12 + k**0.5) * k**0.5 * eps).all()
        errors = np.linalg.norm(A - U @ H, axis=(-2, -1))
        assert (errors <= 8 * (12 + k**0.5) * eps * 2).all()
        assert result.info.status[0] is result.info.status[4] is Status.CONVERGED
        assert result.info.status[5] is Status.COMPLETED
        assert result.info.ok
        exact = np.linalg.svd(A[0].astype(float), full_matrices=False)
        np.testing.assert_allclose(U[0], exact[0] @ exact[2], rtol=0, atol=CLOSE / EPS * eps)


def test_a_converged_member_waits_without_moving(with_spectrum):
    # one member needs 3 steps, its neighbour 40: the first must be what it was after its own last step
    A = np.stack([with_spectrum(4, 4, [1, 0.9, 0.9, 0.8]), with_spectrum(4, 4, [1, 1e-3, 1e-6, 1e-9])])
    result = matfun.polar(A, method=matfun.NewtonSchulz(degree=3), rng=0)
    alone = matfun.polar(A[:1], method=matfun.NewtonSchulz(degree=3), rng=0)
    assert result.info.steps[0] == alone.info.steps[0] < result.info.steps[1] / 3
    assert np.array_equal(result.U[0], alone.U[0])
