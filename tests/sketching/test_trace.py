"""Have the estimates the means, variances and tails of their theorems, and is Hutch++ exact where it should be?

Means are held to five standard errors, frequencies to three above the probability.  The sampled variance of T estimates
of m probes has a relative standard error of sqrt((2 + excess) / T), and the excess kurtosis of a mean of m quadratic
forms in normal numbers is 12 tr B^4 / (m ||B||_F^4) <= 12 / m.
"""

import numpy as np
import pytest

from matfun.functions.estimate_trace import estimate_trace
from matfun.providers import ops_for
from matfun.sketching import (
    Gaussian,
    Rademacher,
    RowSampling,
    SparseSign,
    Srht,
    hutchinson_size,
    hutchinson_size_indefinite,
    hutchpp_size,
    hutchpp_variance,
)

ALL = [Gaussian(), Rademacher(), SparseSign(2), Srht(), RowSampling()]
ids = {"ids": lambda d: type(d).__name__}
EPS = 2.3e-16


def estimates(A, method, products, distribution, seeds):
    rng = np.random.default_rng(2)
    found = [estimate_trace(A, method, products=products, distribution=distribution, rng=rng) for _ in range(seeds)]
    errors = None if found[0].standard_error is None else np.array([f.standard_error for f in found])
    return np.array([f.value for f in found]), errors


def symmetric(n, seed=0, *, spectrum=None):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = rng.standard_normal(n) if spectrum is None else np.asarray(spectrum)
    return (Q * values) @ Q.T


def variance(B, m, distribution):
    B = (B + B.T) / 2
    off = np.sum(B**2) - np.sum(np.diag(B) ** 2)
    return 2 * (np.sum(B**2) if distribution == Gaussian() else off) / m


@pytest.mark.parametrize("distribution", [Gaussian(), Rademacher(), SparseSign(2)], **ids)
@pytest.mark.parametrize("kind", ["symmetric", "general", "hermitian"])
def test_variance_of_hutchinson(distribution, kind):
    """Sparse signs have the second moments of all signs: two columns of S have a product of second moment 1/m."""
    m, T, rng = 6, 4000, np.random.default_rng(1)
    A = B = symmetric(12) + np.diag(np.arange(12.0) / 8)
    if kind == "general":
        A = B = rng.standard_normal((12, 12))
    if kind == "hermitian":
        Z = rng.standard_normal((12, 12))
        A = B + 1j * (Z - Z.T)
    values, errors = estimates(A, "hutchinson", m, distribution, T)
    expected = variance(B, m, distribution)
    assert np.abs(values.imag).max() <= 1e-13 * np.abs(values).max()
    assert abs(values.real.mean() - np.trace(B)) <= 5 * np.sqrt(expected / T)
    spread = 5 * np.sqrt((2 + 12 / m) / T)
    assert abs(values.real.var() / expected - 1) <= spread
    if errors is None:
        assert distribution == SparseSign(2)
    else:
        # the squared standard error is unbiased; its own relative spread is at most sqrt((2 m/(m-1) + 12) / m)
        assert abs((errors**2).mean() / expected - 1) <= 5 * np.sqrt((2 * m / (m - 1) + 12) / m / T)


@pytest.mark.parametrize("distribution", [Srht(), RowSampling()], **ids)
def test_standard_error_of_rows_drawn_without_replacement(distribution):
    """Cochran, Theorem 2.2 and 2.4: unbiased for each order and signs, so on average; and 0 for all rows."""
    A, m, T = symmetric(12) + np.diag(np.arange(12.0)), 6, 4000
    values, errors = estimates(A, "hutchinson", m, distribution, T)
    squares = errors**2
    assert abs(values.mean() - np.trace(A)) <= 5 * values.std() / np.sqrt(T)
    # both sides are sampled: the standard errors of a variance, of bounded kurtosis 3, and of a mean
    allowed = 5 * (values.var() * np.sqrt(2 / T) + squares.std() / np.sqrt(T))
    assert abs(squares.mean() - values.var()) <= allowed
    full = 12 if distribution == RowSampling() else 16
    complete = estimate_trace(A, "hutchinson", products=full, distribution=distribution, rng=0)
    assert abs(complete.value - np.trace(A)) <= 16 * 16 * EPS * np.abs(A).sum()
    assert complete.standard_error == 0


@pytest.mark.parametrize("distribution", [Gaussian(), Rademacher()], **ids)
def test_hutchinson_size_for_the_worst_semidefinite_matrix(distribution):
    """Of rank one, with a vector of equal elements: what signs see of it is nearly normal."""
    distortion, failure, T = 0.3, 0.1, 600
    A = np.ones((64, 64)) / 64

    def failed(m):
        return np.mean(np.abs(estimates(A, "hutchinson", m, distribution, T)[0] - 1) > distortion)

    m = hutchinson_size(distortion, failure)
    assert failed(m) <= failure + 3 * np.sqrt(failure * (1 - failure) / T)
    assert failed(m // 4) > failure


def test_hutchinson_size_for_indefinite_matrices():
    """Cortinovis and Kressner, Theorem 1.  A quarter of the probes fails more often than allowed."""
    B, failure, T = symmetric(40, spectrum=np.where(np.arange(40) < 19, 1.0, -1.0)), 0.1, 600

    def failed(m, error):
        return np.mean(np.abs(estimates(B, "hutchinson", m, Gaussian(), T)[0] - np.trace(B)) >= error)

    for error in (3.0, 12.0):
        m = hutchinson_size_indefinite(error, failure, np.sqrt(40), 1.0)
        assert failed(m, error) <= failure + 3 * np.sqrt(failure * (1 - failure) / T)
        assert failed(max(1, m // 4), error) > failure


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("distribution", ALL, **ids)
def test_hutchpp_is_exact_for_low_rank(distribution, is_complex):
    """A Q Q^H = A where the range is caught: an error of rounding, of norms times n."""
    n, rank = 32, 4
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n))
    if is_complex:  # of the same rank
        A = A * np.exp(1j * np.arange(n))[:, None]
    bound = 8 * n * EPS * np.linalg.norm(A) * n
    for products in (3 * rank, 3 * rank + 5):
        found = estimate_trace(A, products=products, distribution=distribution, rng=0)
        assert abs(found.value - np.trace(A)) <= bound
        assert found.products == products
    plain = estimate_trace(A, "hutchinson", products=3 * rank, distribution=distribution, rng=0)
    assert abs(plain.value - np.trace(A)) > 1e6 * bound
    short = estimate_trace(A, products=3 * (rank - 2), distribution=distribution, rng=0)
    assert abs(short.value - np.trace(A)) > 1e6 * bound


def test_hutchpp_is_exact_when_it_has_all_directions():
    A = symmetric(6)
    found = estimate_trace(A, products=20, rng=0)
    assert (found.products, found.standard_error) == (12, 0)
    assert abs(found.value - np.trace(A)) <= 6 * 6 * 8 * EPS * np.linalg.norm(A)


@pytest.mark.parametrize("distribution", [Gaussian(), Rademacher()], **ids)
def test_hutchpp_beats_hutchinson_on_a_decaying_spectrum(distribution):
    """For eigenvalues j^-2 the rest after k of them is k^-1.5 of the whole in Frobenius norm."""
    A, T = symmetric(60, spectrum=np.arange(1.0, 61) ** -2), 300
    better, errors = estimates(A, "hutch++", 30, distribution, T)
    plain, _ = estimates(A, "hutchinson", 30, distribution, T)
    assert better.std() < plain.std() / 8
    assert abs(better.mean() - np.trace(A)) <= 5 * better.std() / np.sqrt(T)
    assert abs((errors**2).mean() / better.var() - 1) <= 5 * np.sqrt((2 + 12 / 10) / T) * 2  # sampled on both sides


@pytest.mark.parametrize("products", [9, 12, 17, 27])
def test_variance_bound_of_hutchpp(products):
    """A projector of rank r > l: Q spans l directions of its range, so that the variance is 2 (r - l) / (g r^2) of 1.

    That is largest for r = 2 l, where the bound is 4 l / (l - 1) times as large: between 4 and 6.
    """
    T, first = 1500, products // 3
    g = products - 2 * first
    for rank in (first, first + 1, 2 * first, 40):
        A = symmetric(40, spectrum=np.arange(40) < rank) / rank
        values, _ = estimates(A, "hutch++", products, Gaussian(), T)
        exact = 2 * (rank - first) / (g * rank**2)
        assert abs(values.mean() - 1) <= 5 * np.sqrt(exact / T) + 1e-12
        assert abs(values.var() - exact) <= 5 * exact * np.sqrt((2 + 12 / g) / T) + 1e-24
        assert exact < hutchpp_variance(products)
    assert 4 <= hutchpp_variance(products) * 2 * g * first <= 6


def test_size_of_hutchpp():
    distortion, failure, T = 0.2, 0.3, 300
    m = hutchpp_size(distortion, failure)
    assert hutchpp_variance(m) <= distortion**2 * failure < hutchpp_variance(m - 1)
    A = symmetric(60, spectrum=np.ones(60)) / 60
    values, _ = estimates(A, "hutch++", m, Gaussian(), T)
    assert np.mean(np.abs(values - 1) > distortion) <= failure + 3 * np.sqrt(failure * (1 - failure) / T)


@pytest.mark.parametrize("method", ["hutch++", "hutchinson"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_libraries_stacks_and_callables_agree(library, method, dtype):
    if library.name == "jax" and dtype != "float32":
        pytest.skip("JAX compiles every operation again for each dtype")
    rng = np.random.default_rng(0)
    A = (rng.standard_normal((2, 12, 12)) + (1j * rng.standard_normal((2, 12, 12)) if dtype[0] == "c" else 0)).astype(
        dtype
    )
    given = library.put(A)
    found = estimate_trace(given, method, products=9, rng=4)
    assert found.value.dtype == given.dtype
    assert np.array_equal(library.get(given), A)
    values = library.get(found.value)
    assert found.value.shape == found.standard_error.shape == (2,)
    by_call = estimate_trace(lambda Z: given @ Z, method, products=9, like=given, rng=4)
    rounding = (
        100 * 12 * 12 * float(np.finfo(dtype).eps) * np.linalg.norm(A)
    )  # a library may multiply thin blocks otherwise
    assert np.abs(library.get(by_call.value) - values).max() <= rounding
    # by NumPy in double precision, one matrix at a time: sums of 12 x 12 products of probes of norm sqrt(12), and a QR
    # factorisation whose effect is bounded by its condition number, below 100 here
    for i in range(2):
        alone = estimate_trace(A[i].astype("complex128" if dtype[0] == "c" else "float64"), method, products=9, rng=4)
        tolerance = 100 * 12 * 12 * float(np.finfo(dtype).eps) * np.linalg.norm(A[i])
        assert abs(values[i] - alone.value) <= tolerance
        assert abs(library.get(found.standard_error)[i] - alone.standard_error) <= tolerance


@pytest.mark.parametrize(("method", "calls"), [("hutch++", 3), ("hutchinson", 1)])
def test_products_are_counted(method, calls):
    A, columns = symmetric(20), []
    counting = ops_for(A, "counting")
    before = counting.counts["thin"]
    found = estimate_trace(A, method, products=11, rng=0, backend=counting)
    assert counting.counts["thin"] - before == calls

    def multiply(Z):
        columns.append(Z.shape[-1])
        return A @ Z

    again = estimate_trace(multiply, method, products=11, like=A, rng=0)
    assert sum(columns) == again.products == found.products == 11
    assert again.value == found.value


def test_16_bit_matrices_are_taken_in_float32():
    torch = pytest.importorskip("torch")
    A = torch.from_numpy(symmetric(40)).to(torch.bfloat16)
    found = estimate_trace(A, products=15, rng=0)
    assert found.value.dtype == torch.float32
    assert float(found.value) == pytest.approx(float(estimate_trace(A.double(), products=15, rng=0).value), abs=1e-4)


def test_one_probe_has_no_standard_error():
    assert estimate_trace(np.eye(3), "hutchinson", products=1, rng=0).standard_error is None
    assert estimate_trace(np.eye(3), products=3, rng=0).standard_error is None


def test_the_standard_error_does_not_over_or_underflow():
    A = symmetric(12)
    plain = estimate_trace(A, "hutchinson", products=5, rng=0)
    for scale in (1e-200, 1e200):
        found = estimate_trace(A * scale, "hutchinson", products=5, rng=0)
        assert found.standard_error / scale == pytest.approx(plain.standard_error, rel=1e-12)
