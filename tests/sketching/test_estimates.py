"""Do estimates of extreme singular values err on the side that they say, as seldom, and is the measure right?"""

import numpy as np
import pytest

import matfun
from matfun.functions.choose import ritz_ratio
from matfun.lab.spectra import gaussian, log_spaced, with_singular_values
from matfun.providers import ops_for
from tests.exam.walk import each_library, library_called

RESOLUTION = 2e-3
"""Of the grid of a square of a singular value, relative to the bracket, in a singular value around 1."""


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("method", ["lanczos", "power"])
@pytest.mark.parametrize("shape", [(60, 40), (30, 50), (40, 40)])
@each_library
def test_each_errs_on_its_side(library_name, shape, method, dtype):
    library = library_called(library_name)
    A = gaussian(*shape, 1, complex_=dtype == "complex128").astype(dtype)
    s = np.linalg.svd(A.astype(np.complex128), compute_uv=False)
    found = matfun.estimate_singular_values(library.put(A), method, products=10, rng=0)
    smallest, largest, lower, upper = (
        float(library.get(v)) for v in (found.smallest, found.largest, found.lower, found.upper)
    )
    slack = RESOLUTION * s[0]
    assert lower <= s[-1] <= smallest + slack
    assert largest - slack <= s[0] <= upper
    assert 0.8 * s[0] <= largest
    assert upper <= 2 * s[0]
    assert found.products == 20
    assert found.failure == 1e-6
    assert np.dtype(str(library.get(found.upper).dtype)).char in "fd"


@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_many_products_find_values_that_stand_apart(method):
    A = with_singular_values(np.concatenate([[1.0], np.linspace(0.75, 0.7, 38), [0.3]]), 50, 40, 2)
    found = matfun.estimate_singular_values(A, method, products=60, rng=0)
    assert found.largest == pytest.approx(1.0, abs=RESOLUTION)
    assert found.smallest == pytest.approx(0.3, abs=0.01)
    assert method == "power" or found.lower == pytest.approx(0.3, abs=0.2)
    assert found.upper == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("stack", [(), (2,)], ids=["lone", "stack"])
@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1.0, 1e20, 1e200])
def test_any_scale(scale, stack):
    A = np.broadcast_to(with_singular_values(log_spaced(20, 10.0), rng=3), (*stack, 20, 20))
    plain = matfun.estimate_singular_values(A, rng=1)
    scaled = matfun.estimate_singular_values(A * scale, rng=1)
    for field in ("smallest", "largest", "lower", "upper"):
        assert getattr(scaled, field) / scale == pytest.approx(getattr(plain, field), rel=1e-3)


@pytest.mark.parametrize("library_name", ["numpy", "torch"])
@pytest.mark.parametrize("scale", [1e-200, 1e-31, 1e-20, 1e20, 1e200])
def test_any_scale_of_what_looks_at_the_spectrum(scale, library_name):
    library = library_called(library_name)
    A = with_singular_values(log_spaced(20, 10.0), rng=3)
    plain, scaled = library.put(A), library.put(A * scale)
    assert ritz_ratio(ops_for(plain), scaled) == pytest.approx(ritz_ratio(ops_for(plain), plain), rel=1e-6)
    if 1e-100 < scale < 1e100:  # whose squares are numbers
        found, at_scale = (matfun.estimate_spectrum(X, rng=0) for X in (plain, scaled))
        for power in (1, 2):  # moments, because nodes of an exhausted run are rounding
            moments = [np.dot(m.weights, np.asarray(m.nodes) ** power) for m in (found, at_scale)]
            assert moments[1] / scale ** (2 * power) == pytest.approx(moments[0], rel=1e-6)


@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_zero_and_identity_and_stacks(method):
    A = np.stack([np.zeros((6, 4)), np.eye(6, 4), 3 * np.eye(6, 4)])
    found = matfun.estimate_singular_values(A, method, rng=0)
    assert found.largest == pytest.approx([0, 1, 3], abs=1e-12)
    assert (np.asarray(found.upper) >= [0, 1 - 1e-12, 3 - 1e-12]).all()
    if method == "lanczos":  # one eigenvalue: the first product exhausts the space
        for field in ("smallest", "lower", "upper"):
            assert getattr(found, field) == pytest.approx([0, 1, 3], abs=1e-7)
    assert np.shape(found.lower) == (3,)


@pytest.mark.parametrize("failure", [0.1, 0.02])
@pytest.mark.parametrize("method", ["lanczos", "power"])
def test_the_bounds_fail_no_more_often_than_they_say(method, failure):
    """400 blocks; the spectrum has a lone largest and a lone smallest value, which are the hard ones to see."""
    s = np.concatenate([[1.0], np.linspace(0.6, 0.4, 198), [0.3]])
    A, draws, wrong, rng = np.diag(s), 400, 0, np.random.default_rng(2)
    for _ in range(draws):
        found = matfun.estimate_singular_values(A, method, products=4, columns=1, failure=failure, rng=rng)
        wrong += found.upper < s[0] or found.lower > s[-1]
    assert wrong <= draws * (failure + 3 * (failure / draws) ** 0.5)


def test_more_products_bring_the_bounds_nearer():
    A = gaussian(300, 300, 5)
    widths = []
    for products in (4, 8, 16, 32):
        found = matfun.estimate_singular_values(A, products=products, rng=0)
        widths.append(float(found.upper - found.largest))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 5


@pytest.mark.parametrize("shape", [(80, 50), (30, 50)])
@each_library
def test_the_measure_has_the_moments(library_name, shape):
    """Each probe's rule is exact to degree 2 k - 1 for its quadratic form: the mean over probes is computed here."""
    library = library_called(library_name)
    A = gaussian(*shape, 2)
    probes, products, n = 5, 6, min(shape)
    seen = matfun.estimate_spectrum(library.put(A), probes=probes, products=products, rng=7)
    G = A.T @ A if shape[0] >= shape[1] else A @ A.T
    Z = np.random.default_rng(7).standard_normal((n, probes))
    Z = Z / np.linalg.norm(Z, axis=0)
    size = np.linalg.norm(G, 2)
    for degree in range(2 * products):
        want = np.mean(np.sum(Z * (np.linalg.matrix_power(G / size, degree) @ Z), axis=0))
        got = sum(w * (y / size) ** degree for y, w in zip(seen.nodes, seen.weights, strict=True))
        assert got == pytest.approx(want, rel=1e-10)


def test_the_measure_is_what_a_design_takes():
    A = gaussian(200, 50, 3)
    seen = matfun.estimate_spectrum(A, rng=0)
    top = float(matfun.estimate_singular_values(A, rng=0).upper)
    measure = matfun.SpectralMeasure(tuple(y / top**2 for y in seen.nodes), seen.weights)
    plan = matfun.design_on_spectrum(measure, steps=3)
    s = np.linalg.svd(A, compute_uv=False) / top
    assert np.max(np.abs(1 - matfun.simulate(plan, s, steps=3).sigmas[-1])) < 0.02


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "qr"}, "method: expected 'lanczos' or 'power', got 'qr'"),
        ({"products": 0}, "products: expected at least 1, got 0"),
        ({"method": "power", "products": 3}, "products: expected at least 4, got 3"),
        ({"columns": 0}, "columns: expected at least 1"),
        ({"failure": 0.0}, r"failure: expected a number in \(0, 1\), got 0.0"),
        ({"failure": True}, r"failure: expected a number in \(0, 1\), got True"),
        ({"rng": "x"}, "rng: expected"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        matfun.estimate_singular_values(np.eye(3), **arguments)


def test_what_is_not_finite_says_so():
    A = np.eye(4)
    A[1, 2] = np.nan
    found = matfun.estimate_singular_values(np.stack([A, np.eye(4), np.full((4, 4), np.inf)]), rng=0)
    assert np.isnan(found.upper[[0, 2]]).all()
    assert found.upper[1] == pytest.approx(1)
    with pytest.raises(ValueError, match="A: expected finite elements, got NaN or infinity"):
        matfun.estimate_spectrum(A)
    for scale in (1e-200, 1e200):
        with pytest.raises(ValueError, match="A: expected elements whose squares are floating-point numbers"):
            matfun.estimate_spectrum(np.eye(3) * scale)


def test_errors_of_shapes():
    with pytest.raises(ValueError, match="A: expected at least two dimensions"):
        matfun.estimate_singular_values(np.ones(3))
    with pytest.raises(ValueError, match="A: expected at least one element"):
        matfun.estimate_singular_values(np.ones((0, 3)))
    with pytest.raises(ValueError, match="A: expected one matrix with at least one element"):
        matfun.estimate_spectrum(np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="probes: expected at least 1"):
        matfun.estimate_spectrum(np.eye(3), probes=0)
    with pytest.raises(ValueError, match="products: expected at least 1"):
        matfun.estimate_spectrum(np.eye(3), products=0)
