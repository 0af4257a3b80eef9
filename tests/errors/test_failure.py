"""When a method does not reach the goal: is it said, is everything kept, and are the neighbours in the stack untouched?

The method that never converges is Muon's quintic: its singular values stay in a band around 1.
"""

import warnings

import numpy as np
import pytest

import matfun
from matfun import ConvergenceError, ConvergenceWarning, Status
from matfun.polynomials.update import Polynomial
from matfun.providers import ops_for

EPS = float(np.finfo(np.float64).eps)


def matrix(shape=(6, 4), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def isometry_error(U):
    k = U.shape[-1]
    return np.linalg.norm(np.swapaxes(U, -1, -2).conj() @ U - np.eye(k), axis=(-2, -1))


class Explode:
    """A rule that overflows: singular values grow tenfold at the power of three."""

    def next(self, _view):
        return Polynomial((0.0, 1e3), basis="gram")


class SlowFor:
    """Newton-Schulz of degree 3, for which small singular values take long."""

    def next(self, _view):
        return Polynomial((1.0, 0.5))


# ---- one matrix ----------------------------------------------------------------------------------


def test_raise_carries_the_best_result():
    A = matrix()
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(A, method="muon", rng=0)
    error = caught.value
    assert isinstance(error, ArithmeticError)
    U, H = error.result
    info = error.result.info
    assert info.status is Status.STAGNATED
    assert not info.ok
    assert info.method == "muon"
    assert isinstance(info.steps, int)
    assert info.steps > 0
    assert info.products > 0
    # nothing computed is lost: the result is that of so many steps, and the certificate says how good it is
    np.testing.assert_allclose(U, matfun.orthogonalize(A, "muon", steps=info.steps), rtol=0, atol=1e-9)
    assert isometry_error(U) > 0.1
    assert isometry_error(U) == pytest.approx(info.residual, rel=1e-6)
    # 8 probes: a chi-square estimate within a factor of 4 either way but for 1 in 1e4, and the seed is fixed
    assert isometry_error(U) / 2 / 4 <= info.orthogonality <= isometry_error(U) / 2 * 4
    assert np.array_equal(H, H.T)
    assert len(info.history.residuals) == info.steps + 1
    assert len(info.history.updates) == info.steps


def test_the_message_says_what_happened_and_what_to_do():
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(matrix(), method="muon", tol=1e-3)
    message = str(caught.value)
    assert "polar with method 'muon' did not reach a residual of 1.00e-03" in message
    assert f"residual {caught.value.result.info.residual:.2e}" in message
    assert f"after {caught.value.result.info.steps} steps" in message
    assert f"STAGNATED: {Status.STAGNATED.value}" in message


def test_warn_returns_the_result():
    A = matrix()
    with pytest.warns(ConvergenceWarning, match="polar with method 'muon' did not reach") as caught:
        U, H = result = matfun.polar(A, method="muon", on_failure="warn")
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the warning points at the caller
    assert result.info.status is Status.STAGNATED
    with pytest.raises(ConvergenceError) as error:
        matfun.polar(A, method="muon")
    assert np.array_equal(U, error.value.result.U)
    assert np.array_equal(H, error.value.result.H)


def test_svd_falls_back():
    A = matrix()
    U, H = result = matfun.polar(A, method="muon", on_failure="svd", rng=0)
    assert result.info.status is Status.FELL_BACK
    assert result.info.ok
    assert isometry_error(U) <= 30 * EPS  # (12 + sqrt k) eps in each of sqrt k columns
    assert np.linalg.norm(A - U @ H) <= 14 * 8 * EPS * np.linalg.norm(A)
    exact = matfun.polar(A, method="svd", rng=0)
    np.testing.assert_allclose(U, exact.U, rtol=0, atol=20 * EPS)
    with pytest.raises(matfun.ConvergenceError) as failed:
        matfun.polar(A, method="muon", rng=0)
    # the price of the failed attempt is not hidden, and that of reducing the matrix again
    assert result.info.products == failed.value.result.info.products + exact.info.products


def test_success_says_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for on_failure in ("raise", "warn", "svd"):
            assert matfun.polar(matrix(), on_failure=on_failure).info.status is Status.CONVERGED


def test_too_few_steps_is_its_own_status():
    A = np.diag([1.0, 1e-6])
    with pytest.raises(ConvergenceError, match="MAX_STEPS: ") as caught:
        matfun.polar(A, method="newton-schulz", max_steps=5)
    info = caught.value.result.info
    assert info.status is Status.MAX_STEPS
    assert info.steps == 5
    # the iterate is kept: five quintic steps grow the small value by 1.875 each, at most
    small = abs(caught.value.result.U[1, 1])
    assert 0 < small <= 1e-6 * 1.875**5
    assert matfun.polar(A, method="newton-schulz", max_steps=100).info.ok


def test_overflow_keeps_the_last_finite_iterate():
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ConvergenceError, match="NOT_FINITE: ") as caught:
        matfun.polar(matrix(), method=Explode())
    info = caught.value.result.info
    assert info.status is Status.NOT_FINITE
    assert info.method == "Explode"
    assert np.isfinite(caught.value.result.U).all()
    assert np.isfinite(caught.value.result.H).all()
    with np.errstate(over="ignore", invalid="ignore"):
        result = matfun.polar(matrix(), method=Explode(), on_failure="svd")
    assert result.info.status is Status.FELL_BACK
    assert isometry_error(result.U) <= 30 * EPS


def test_a_loose_tolerance_is_met_and_no_more_is_claimed():
    A = matrix((30, 30))
    for tol in (0.3, 1e-2, 1e-5):
        result = matfun.polar(A, method="newton-schulz", tol=tol)
        assert result.info.status is Status.CONVERGED
        assert isometry_error(result.U) <= tol * (1 + 1e-6)  # it is the bound that the documentation gives
        assert result.info.residual <= tol
    assert (
        matfun.polar(A, method="newton-schulz", tol=1e-2).info.steps
        < matfun.polar(A, method="newton-schulz").info.steps
    )


def turned(angle):
    """A provider whose SVD turns the unitary factor by an angle: as orthonormal as the right one, and wrong."""
    inner = ops_for(np.eye(2))

    class Turned(type(inner)):
        def svd(self, X):
            U, s, Vh = super().svd(X)
            c, d = np.cos(angle), np.sin(angle)
            return U, s, np.concatenate([[c * Vh[0] - d * Vh[1], d * Vh[0] + c * Vh[1]], Vh[2:]])

    return Turned(inner.xp)


@pytest.mark.parametrize("certificate", ["probes", "exact"])
@pytest.mark.parametrize("angle", [1e-11, 1e-6, 1.0])
def test_a_wrong_isometry_is_found_out(certificate, angle):
    # the iteration's own residual is at rounding; only the certificate recomputed from A can tell
    A = matrix((6, 4))
    with pytest.raises(ConvergenceError, match="INACCURATE: ") as caught:
        matfun.polar(A, method="svd", backend=turned(angle), certificate=certificate, rng=0)
    info = caught.value.result.info
    assert info.status is Status.INACCURATE
    assert info.residual <= 30 * EPS
    assert info.orthogonality <= 8 * 14 * EPS
    # A turn by theta in the two leading directions and a Hermitian H miss A by about theta (s_1 + s_2) / sqrt 2
    singular = np.linalg.svd(A, compute_uv=False)
    wrong = np.sin(angle) * (singular[0] + singular[1]) / 2**0.5 / np.linalg.norm(A)
    assert wrong / 10 <= info.backward_error <= 10 * wrong
    assert matfun.polar(A, method="svd", backend=turned(0.0), certificate=certificate, rng=0).info.ok


def test_a_tolerance_loosens_the_certificate_too():
    A = matrix((6, 4))
    assert matfun.polar(A, method="svd", backend=turned(1e-4), tol=1e-3, rng=0).info.status is Status.CONVERGED
    with pytest.raises(ConvergenceError, match="INACCURATE: "):
        matfun.polar(A, method="svd", backend=turned(0.5), tol=1e-3, rng=0)


# ---- stacks --------------------------------------------------------------------------------------


def mixed_stack():
    """Members that fail in five steps of Newton-Schulz and members that do not."""
    good = np.linalg.qr(matrix((4, 4)))[0] @ np.diag([1.0, 0.9, 0.8, 0.7])
    bad = np.diag([1.0, 0.5, 0.1, 1e-9])
    return np.stack([good, bad, 2 * good, bad * 1e-20, np.eye(4)])


BAD = np.array([False, True, False, True, False])


def test_a_stack_fails_member_by_member():
    A = mixed_stack()
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(A, method="newton-schulz", max_steps=8, rng=0)
    info = caught.value.result.info
    assert info.status.shape == info.steps.shape == info.residual.shape == info.backward_error.shape == (5,)
    assert [s is Status.MAX_STEPS for s in info.status] == BAD.tolist()
    assert all(s is Status.CONVERGED for s in info.status[~BAD])
    assert (info.steps[BAD] == 8).all()
    assert (info.steps[~BAD] < 8).all()
    assert "2 of 5 matrices, the first at (1,)" in str(caught.value)
    assert not info.ok
    assert (isometry_error(caught.value.result.U)[~BAD] <= 30 * EPS).all()


def test_the_members_that_succeed_are_those_of_a_lone_call():
    A = mixed_stack()
    with pytest.warns(ConvergenceWarning, match="2 of 5 matrices"):
        result = matfun.polar(A, method="newton-schulz", max_steps=8, on_failure="warn", rng=0)
    for i in np.flatnonzero(~BAD):
        alone = matfun.polar(A[i], method="newton-schulz", max_steps=8, rng=0)
        np.testing.assert_allclose(result.U[i], alone.U, rtol=0, atol=20 * EPS)
        assert result.info.steps[i] == alone.info.steps


def test_fallback_replaces_the_failed_members_only():
    A = mixed_stack()
    with pytest.warns(ConvergenceWarning):
        before = matfun.polar(A, method="newton-schulz", max_steps=8, on_failure="warn", rng=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = matfun.polar(A, method="newton-schulz", max_steps=8, on_failure="svd", rng=0)
    assert [s is Status.FELL_BACK for s in after.info.status] == BAD.tolist()
    assert np.array_equal(after.U[~BAD], before.U[~BAD])
    assert np.array_equal(after.H[~BAD], before.H[~BAD])
    for name in ("steps", "residual", "backward_error", "orthogonality"):
        assert np.array_equal(getattr(after.info, name)[~BAD], getattr(before.info, name)[~BAD])
    assert (isometry_error(after.U) <= 30 * EPS).all()
    errors = np.linalg.norm(A - after.U @ after.H, axis=(-2, -1)) / np.linalg.norm(A, axis=(-2, -1))
    assert (errors <= 14 * 8 * EPS).all()
    assert (after.info.backward_error <= 14 * 8 * EPS).all()
    assert after.info.ok


def test_nan_members_are_reported_and_left_out():
    A = mixed_stack()
    A[2, 0, 0] = np.nan
    bad = np.array([False, True, True, True, False])
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(A, method="newton-schulz", max_steps=8, check_finite=False)
    info = caught.value.result.info
    assert info.status[2] is Status.NOT_FINITE
    assert np.isnan(caught.value.result.U[2]).all()
    assert np.isfinite(caught.value.result.U[~bad]).all()
    # a factorisation cannot mend what is not a number
    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(A, method="newton-schulz", max_steps=8, check_finite=False, on_failure="svd")
    status = caught.value.result.info.status
    assert [s.name for s in status] == ["CONVERGED", "FELL_BACK", "NOT_FINITE", "FELL_BACK", "CONVERGED"]
    assert "1 of 5 matrices, the first at (2,)" in str(caught.value)


def test_a_lone_nan_matrix():
    with pytest.warns(ConvergenceWarning, match="NOT_FINITE"):
        U, H = result = matfun.polar(np.full((3, 2), np.nan), check_finite=False, on_failure="warn")
    assert result.info.status is Status.NOT_FINITE
    assert np.isnan(U).all()
    assert np.isnan(H).all()
    assert np.isnan(result.info.residual)


@pytest.mark.parametrize("name", ["array_api_strict", "torch", "jax.numpy"])
def test_failure_is_the_same_on_every_library(name):
    xp = pytest.importorskip(name)
    A = xp.asarray(mixed_stack())
    with pytest.raises(ConvergenceError, match="2 of 5 matrices, the first at"):
        matfun.polar(A, method="newton-schulz", max_steps=8)
    result = matfun.polar(A, method="newton-schulz", max_steps=8, on_failure="svd")
    assert [s is Status.FELL_BACK for s in result.info.status] == BAD.tolist()
    assert (isometry_error(np.asarray(result.U)) <= 30 * EPS).all()
    assert type(result.U) is type(A)


def test_higher_dimensional_stacks_name_the_full_index():
    A = np.stack([np.eye(3), np.diag([1, 1, 1e-9])] * 3).reshape(3, 2, 3, 3)
    with pytest.raises(ConvergenceError, match=r"3 of 6 matrices, the first at \(0, 1\)") as caught:
        matfun.polar(A, method=SlowFor(), max_steps=10)
    assert caught.value.result.info.status.shape == (3, 2)


def test_statuses_carry_advice():
    for status in Status:
        assert len(status.value) > 30
        assert status.value.endswith(".") or status is Status.FELL_BACK
    assert [s for s in Status if s.ok] == [Status.CONVERGED, Status.COMPLETED, Status.UNCHECKED, Status.FELL_BACK]


def test_errors_survive_pickling_and_info_is_frozen():
    import pickle

    with pytest.raises(ConvergenceError) as caught:
        matfun.polar(matrix(), method="muon", rng=0)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert np.array_equal(copy.result.U, caught.value.result.U)
    assert copy.result.info.status is Status.STAGNATED
    with pytest.raises(AttributeError):
        caught.value.result.info.steps = 0
