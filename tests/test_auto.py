"""method="auto": does it follow its cost model, and can it be trusted where its first choice fails?"""

import json
from importlib.resources import files

import numpy as np
import pytest

import matfun
from matfun.functions import choose, costs
from matfun.functions.inputs import check_matrix
from matfun.lab.spectra import gaussian, log_spaced, one_tiny, with_singular_values
from matfun.providers import ops_for

VERBS = {"product", "gram", "svd", "eigh", "inverse", "qr", "cholesky", "schur", "step"}


def test_the_table_was_measured_for_every_library_and_says_where():
    table = json.loads(files("matfun.functions").joinpath("costs.json").read_text())
    assert table["machine"]["cpus"] >= 1
    assert set(table["seconds"]) == {"numpy", "torch", "jax"}
    for dtypes in table["seconds"].values():
        for verbs in dtypes.values():
            assert set(verbs) == VERBS
            assert all(t > 0 for times in verbs.values() for t in times.values())


def test_times_are_interpolated_between_sizes_and_cubic_beyond():
    points = [(10, 1.0), (40, 16.0)]
    assert costs._interpolated(points, 5) == 1.0
    assert costs._interpolated(points, 20) == pytest.approx(4.0)
    assert costs._interpolated(points, 80) == pytest.approx(128.0)


@pytest.mark.parametrize("lower", [0.25, 1e-2, 1e-5])
def test_the_model_knows_the_steps(lower):
    A = with_singular_values(np.append(np.ones(15), lower), 16, 16, 0)
    scale = float(matfun.polar(A, method=matfun.PolarExpress(lower=0.5)).info.scale)
    lower = 0.999 * lower / scale
    info = matfun.polar(A, method=matfun.PolarExpress(lower=lower)).info
    predicted = costs.polar_express_steps(lower, 2.0**-26)
    assert abs(info.steps - 1 - predicted) <= 1  # the polishing step; ||R||_F of one value is less than its bound


@pytest.mark.parametrize("kappa", [3.0, 1e2, 1e4])
@pytest.mark.parametrize("shape", [(40, 40), (90, 30)])
def test_the_estimate_is_near(kappa, shape):
    A = 1e200 * with_singular_values(log_spaced(30, kappa), *shape, 1)
    found = choose.smallest_singular_value_estimate(ops_for(A), A)
    if shape == (40, 40):
        assert found is None or found < 1e-5  # rank 30
        return
    scaled = 1 / kappa / np.sum(log_spaced(30, kappa) ** 4) ** 0.25
    # Frobenius norms of G and its inverse, each at most n^(1/4) too large in this scale; rounded up to a power of two
    assert scaled / 30**0.5 <= found <= 2 * scaled * 30**0.25


def test_no_estimate_where_the_gram_matrix_is_singular():
    for A in (np.zeros((4, 4)), with_singular_values(one_tiny(12, 1e9), 12, 12, 0), np.full((3, 3), np.inf)):
        assert choose.smallest_singular_value_estimate(ops_for(A), A) is None


def forced(monkeypatch, **seconds):
    """A cost model in which one thing is cheap."""
    for name, value in seconds.items():
        monkeypatch.setattr(costs, name, lambda *a, value=value: value)  # noqa: ARG005


@pytest.mark.parametrize("seed", range(3))
def test_a_glance_tells_gaussian_matrices_from_well_conditioned_ones(seed):
    n = 256
    ops = check_matrix(np.eye(2), None).ops
    least = choose.LEAST_RITZ_RATIO
    assert 0 < choose.ritz_ratio(ops, gaussian(n, n, seed)) < least
    for kappa, above in ((2.0, True), (10.0, True), (20.0, False), (1e3, False)):
        A = with_singular_values(log_spaced(n, kappa), n, n, seed)
        ratio = choose.ritz_ratio(ops, A)
        assert (ratio > least) == above
        assert ratio >= kappa**-2 * (1 - 1e-10)  # a Ritz value is inside the spectrum
    stack = np.stack([np.eye(n), A])
    assert choose.ritz_ratio(ops, stack) <= choose.ritz_ratio(ops, A) * (1 + 1e-6)


def test_products_are_taken_where_they_are_cheaper(monkeypatch):
    A = with_singular_values(log_spaced(48, 5.0), 48, 48, 0)
    forced(monkeypatch, polar_by_svd=1.0, polar_by_products=0.5, bound=0.1)
    rule = choose.choose_by_cost(ops_for(A), A, None)
    assert isinstance(rule, matfun.PolarExpress)
    assert 0.01 < rule.lower <= 0.25
    result = matfun.polar(A)
    assert (result.info.method, result.info.status) == ("polar-express", matfun.Status.CONVERGED)
    ill = with_singular_values(log_spaced(48, 50.0), 48, 48, 0)  # an estimate would cost more than can be saved
    assert choose.choose_by_cost(ops_for(A), ill, None) == "svd"
    forced(monkeypatch, polar_by_svd=0.7)
    assert choose.choose_by_cost(ops_for(A), A, None) == "svd"


def test_an_iteration_that_auto_took_and_that_failed_is_replaced(monkeypatch):
    A = with_singular_values(log_spaced(12, 10.0), 12, 12, 0)
    monkeypatch.setattr("matfun.functions.polar.choose_polar", lambda *a: matfun.Muon())  # noqa: ARG005
    assert matfun.polar(A).info.status is matfun.Status.FELL_BACK
    monkeypatch.setattr("matfun.functions.square_run.choose_square", lambda *a, hermitian: _wanted(a, hermitian))
    # no rational iteration has a sign to find on a rotation by nearly a right angle: Schur says so, honestly
    G = np.array([[1.0, 1e3], [0.0, 2.0]])
    R, info = matfun.sqrtm(G, full_output=True)
    assert info.ok
    np.testing.assert_allclose(R @ R, G, rtol=0, atol=1e-10)


def _wanted(arguments, hermitian):
    """A rule that does not converge, unless another method is asked for."""
    method = arguments[2].method
    return matfun.PrismNewton(1) if method == "auto" else method


def test_general_matrices_by_the_cheaper_road(monkeypatch):
    A = np.array([[1.0, 2.0], [0.0, 3.0]])
    for cheap, method in ((1e-9, "newton"), (1e9, "schur")):
        forced(monkeypatch, general_by_newton=cheap)
        assert matfun.sqrtm(A, full_output=True)[1].method == method
        assert matfun.signm(A, full_output=True)[1].method == method
    assert matfun.sqrtm(A @ A.T, full_output=True)[1].method == "eigh"
    assert matfun.invm(A, full_output=True)[1].method == "lu"
    assert matfun.invrootm(A, 3, full_output=True)[1].method == "schur"
