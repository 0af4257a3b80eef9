"""Every constructor has the spectrum it promises, and the HTMP law is the one of the paper."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import eigvalsh_tridiagonal
from scipy.special import digamma

from matfun.lab import matrices, spectra
from matfun.lab.gallery import gallery
from matfun.lab.htmp import htmp, htmp_law, htmp_sample

EPS = np.finfo(np.float64).eps
CASES = gallery()
LAWS = [(0.1, 0.5), (0.5, 0.5), (2.0, 0.5), (3.3, 0.3), (20.0, 0.99), (100.0, 0.5)]


def _tolerance(shape: tuple[int, int]) -> float:
    """Rounding of two Haar factors, a product and the reference SVD: each about sqrt(m n) eps ||A||_2."""
    return 4 * math.sqrt(shape[0] * shape[1]) * EPS


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_case_is_what_it_says(case):
    a = case.matrix(7)
    assert a.shape == case.shape
    assert a.dtype == (np.complex128 if "complex" in case.tags else np.float64)
    assert np.isfinite(a).all()
    assert np.array_equal(a, case.matrix(7)), "not deterministic"
    m, n = case.shape
    assert ("square" in case.tags, "tall" in case.tags, "wide" in case.tags) == (m == n, m > n, m < n)
    s = np.linalg.svd(a, compute_uv=False)
    if case.singular_values is not None:
        promised = np.array(case.singular_values)
        assert promised.shape == (min(m, n),)
        assert np.abs(s - promised).max() <= _tolerance(case.shape) * promised[0]
    if "rank-deficient" in case.tags:
        assert s[-1] <= _tolerance(case.shape) * s[0]
    elif "ill-conditioned" in case.tags:
        assert s[0] > 1e7 * s[-1]
    else:
        assert s[0] <= 1e7 * s[-1]


def test_selection():
    assert len({c.name for c in CASES}) == len(CASES) > 60
    small = gallery(max_size=8)
    assert small
    assert all(max(c.shape) <= 8 for c in small)
    both = gallery(tags={"complex", "tall"})
    assert both
    assert all({"complex", "tall"} <= c.tags for c in both)
    assert gallery(tags="named") == [c for c in CASES if "named" in c.tags]
    with pytest.raises(ValueError, match="no case has the tag nonsense"):
        gallery(tags="nonsense")


def test_random_cases_depend_on_the_seed_and_fixed_ones_do_not():
    by_name = {c.name: c for c in CASES}
    assert not np.array_equal(by_name["gaussian"].matrix(0), by_name["gaussian"].matrix(1))
    assert np.array_equal(by_name["hilbert"].matrix(0), by_name["hilbert"].matrix(1))


@pytest.mark.parametrize(
    ("sigmas", "kappa"),
    [
        (spectra.log_spaced(17, 1e5), 1e5),
        (spectra.linear_spaced(17, 1e5), 1e5),
        (spectra.one_tiny(17, 1e5), 1e5),
        (spectra.one_large(17, 1e5), 1e5),
        (spectra.repeated(17), 10.0),
        (spectra.power_law(17, 2.0), 289.0),
        (spectra.spike_and_flat(17), 1e3),
        (spectra.inner_minimum(17, 1e5), 1e5),
        (spectra.clustered(17, 1e5), 1e5),
    ],
)
def test_spectra_descend_from_one(sigmas, kappa):
    assert sigmas.shape == (17,)
    assert sigmas[0] == 1
    assert (np.diff(sigmas) <= 0).all()
    assert sigmas[0] / sigmas[-1] == pytest.approx(kappa, rel=2e-6)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("shape", [(5, 5), (9, 5), (5, 9), (1, 1)])
def test_haar_factors_and_padding(shape, complex_):
    sigmas = [2.0, 1.0][: min(shape)]
    a = spectra.with_singular_values(sigmas, *shape, rng=3, complex_=complex_)
    expected = np.zeros(min(shape))
    expected[: len(sigmas)] = sigmas
    assert np.abs(np.linalg.svd(a, compute_uv=False) - expected).max() <= 2 * _tolerance(shape)
    with pytest.raises(ValueError, match="sigmas must be a vector of at most"):
        spectra.with_singular_values(np.ones(min(shape) + 1), *shape)


@pytest.mark.parametrize("complex_", [False, True])
def test_haar_has_no_preferred_sign(complex_):
    """Without the phase fix LAPACK gives the diagonal of Q one sign; with it the mean vanishes.

    The mean of 2000 independent variables in the unit disc exceeds 0.15 with probability below
    4 exp(-2000 * 0.15^2 / 4) = 6e-5 (Hoeffding on real and imaginary part); the seed is fixed.
    """
    rng = np.random.default_rng(11)
    corner = [spectra.haar(2, 2, rng, complex_=complex_)[0, 0] for _ in range(2000)]
    assert abs(np.mean(corner)) < 0.15
    q = spectra.haar(12, 5, rng, complex_=complex_)
    assert np.abs(q.conj().T @ q - np.eye(5)).max() < 20 * EPS


def test_two_level_is_exact():
    """All entries times 2^49 n are integers, so A^T A can be formed without any rounding."""
    for n in (4, 16, 32):
        a = matrices.two_level(n, rng=5)
        exact = np.array([[int(x * 2**49 * n) for x in row] for row in a.tolist()], dtype=object)
        assert all(int(e) == x * 2**49 * n for e, x in zip(exact.ravel(), a.ravel().tolist(), strict=True))
        gram = exact.T @ exact
        # (G - big)(G - small) = 0 and the trace fix the spectrum completely.
        big, small = (2**49 * n) ** 2, n**2
        eye = np.eye(n, dtype=int).astype(object)
        assert not ((gram - big * eye) @ (gram - small * eye)).any()
        assert np.trace(gram) == n // 2 * (big + small)


def test_inner_minimum_is_where_the_first_quintic_dips():
    """Minimax quintic on [1e-3, 1] from Amsel et al., arXiv:2505.16932: p'(x) = 0 at its inner minimum."""
    a, b, c = 8.470329, -25.108075, 18.629276
    dip = math.sqrt((-3 * b + math.sqrt(9 * b * b - 20 * a * c)) / (10 * c))
    assert abs(spectra.INNER_MINIMUM - dip) < 2e-4
    assert np.sum(spectra.inner_minimum(33, 1e6) == spectra.INNER_MINIMUM) == 16


def test_named_matrices_have_their_defining_property():
    assert round(np.linalg.det(matrices.wilson())) == 1
    assert np.linalg.det(matrices.frank(8)) == pytest.approx(1, rel=1e-9)
    assert np.linalg.det(matrices.moler(8)) == pytest.approx(1, rel=1e-9)
    assert np.linalg.eigvalsh(matrices.moler(12))[0] == pytest.approx(0, abs=4.0**-10)
    assert np.linalg.eigvals(matrices.lotkin(4)).real.min() < 0
    assert np.linalg.cond(matrices.grcar(40)) < 4
    n = 16
    kappa = np.linalg.cond(matrices.lehmer(n))
    assert kappa > 16
    assert kappa < 4 * 16**2
    k = matrices.kahan(8)
    assert not np.tril(k, -1).any()
    assert k[3, 3] == pytest.approx(np.sin(1.2) ** 3)
    assert k[3, 5] == pytest.approx(-np.cos(1.2) * np.sin(1.2) ** 3)
    assert not np.linalg.matrix_power(matrices.nilpotent(6), 6).any()


@pytest.mark.parametrize(("kappa", "gamma"), LAWS)
def test_htmp_density_is_the_published_formula(kappa, gamma):
    """Independent: eq. E.5 evaluated with mpmath's Tricomi function."""
    law = htmp_law(kappa, gamma)
    a = mpmath.mpf(kappa) / 2
    s = a / mpmath.mpf(gamma)
    for x in (0.3, 0.7, 1.0, 1.6):
        t = s * x
        u = mpmath.hyperu(a, 1 + a - s, -t)
        log_rho = mpmath.log(s) - mpmath.loggamma(a + 1) - mpmath.loggamma(s) - t - 2 * mpmath.log(abs(u))
        expected = float(mpmath.exp(log_rho + (s - 1 - a) * mpmath.log(t)))
        assert float(law.pdf(np.array(x))) == pytest.approx(expected, rel=1e-8)
    assert float(law.pdf(np.array(1e9))) == 0


@pytest.mark.parametrize(("kappa", "gamma"), LAWS)
def test_htmp_moments(kappa, gamma):
    """Mass 1, mean 1, second moment 1 + gamma + 2 gamma / kappa, the last from the Jacobi matrix of the law.

    Its entries are s, and off the diagonal sqrt((n + a)(n + s - 1)), in units of 1 / s (associated Laguerre
    polynomials), so E x^2 = 1 + (1 + a) / s.
    """
    law = htmp_law(kappa, gamma)

    def moment(k: int) -> float:
        low, high = law.log_x[0], law.log_x[-1]
        parts = np.unique(np.clip([low, -30.0, -8.0, -2.0, 0.0, 1.0, 2.0, 3.0, high], low, high))
        total = float(law.lower_tail[0]) if k == 0 else 0.0
        for left, right in pairwise(parts):
            total += quad(lambda y: np.exp((k + 1) * y) * law.pdf(np.exp(y)), left, right, limit=200)[0]
        return total

    assert moment(0) == pytest.approx(1, abs=1e-7)
    assert moment(1) == pytest.approx(1, abs=1e-7)
    assert moment(2) == pytest.approx(1 + gamma + 2 * gamma / kappa, rel=1e-6)


@pytest.mark.parametrize(("kappa", "gamma"), LAWS)
def test_htmp_quantiles(kappa, gamma):
    """Quantile inverts cdf, and the midpoint rule reproduces mean 1.

    The error of n midpoints sits in the upper tail, which falls like exp(-s x): the top cell alone is off by
    (1 - log 2) / (s n), and all cells by less than 1 / (s n); the bulk adds O(n^-2).
    """
    law = htmp_law(kappa, gamma)
    p = np.array([1e-5, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-5])
    x = law.quantile(p)
    assert (np.diff(x) > 0).all()
    assert law.cdf(x) == pytest.approx(p, rel=1e-5)
    n = 1000
    sigmas = htmp(math.ceil(n / gamma), n, kappa)
    assert (np.diff(sigmas) <= 0).all()
    s = kappa / (2 * gamma)
    assert abs(np.mean(sigmas**2) - 1) < 1 / (s * n) + 1e-4
    assert np.array_equal(sigmas, htmp(n, math.ceil(n / gamma), kappa))


def test_htmp_lower_tail_by_phase():
    """The distribution function is arg U(a, b, -t) / (pi a), here down to sigma = 1e-32 at kappa = 0.1."""
    law = htmp_law(0.1, 0.5)
    for log_x in (-150.0, -60.0, -5.0):
        t = mpmath.exp(log_x) * mpmath.mpf(1) / 10
        phase = mpmath.arg(mpmath.hyperu(mpmath.mpf(1) / 20, mpmath.mpf(19) / 20, -t))
        expected = float(abs(phase) / (mpmath.pi / 20))
        assert float(law.cdf(np.exp(log_x))) == pytest.approx(expected, rel=1e-6)


def test_htmp_approaches_marchenko_pastur():
    gamma = 0.5
    low, high = (1 - math.sqrt(gamma)) ** 2, (1 + math.sqrt(gamma)) ** 2

    def density(x: float) -> float:
        return math.sqrt((high - x) * (x - low)) / (2 * math.pi * gamma * x)

    distance = []
    for kappa in (10.0, 100.0, 1000.0):
        law = htmp_law(kappa, gamma)
        grid = np.linspace(low + 0.02, high - 0.02, 25)
        exact = np.array([quad(density, low, x)[0] for x in grid])
        distance.append(np.abs(law.cdf(grid) - exact).max())
    assert distance[0] > 0.02, "kappa = 10 should still differ"
    assert distance[1] < distance[0] / 5
    assert distance[2] < distance[1] / 5


@pytest.mark.parametrize("kappa", [1.0, 10.0])
def test_htmp_sampler_has_the_law(kappa):
    """Means over 2000 draws at n = 100 against the limit law.

    Empirical Bernstein bound (Maurer, Pontil 2009) for a mean of 2000 independent fractions in [0, 1],
    failure probability 1e-6 per check; the finite size adds O(1 / n), for which 2 / n is allowed.
    """
    m, n, draws = 200, 100, 2000
    rng = np.random.default_rng(5)
    squares = np.array([htmp_sample(m, n, kappa, rng) for _ in range(draws)]) ** 2
    law = htmp_law(kappa, n / m)
    log_term = math.log(4 / 1e-6)
    for x in (0.1, 0.5, 1.0, 2.0):
        fraction = np.mean(squares <= x, axis=1)
        slack = math.sqrt(2 * np.var(fraction, ddof=1) * log_term / draws) + 7 * log_term / (3 * (draws - 1))
        error = abs(np.mean(fraction) - float(law.cdf(np.array(x))))
        assert error < slack + 2 / n
        assert slack + 2 / n < 0.05, "too loose to mean anything"


def test_htmp_sampler_is_wishart_at_kappa_n():
    """beta = 1 is a real Wishart matrix, already at n = 4, where a wrong index in the model shows.

    tr T^2 / n has mean 1 + (n + 1) / m, and log det T is a sum of logarithms of chi-square variables with m,
    m - 1, ... degrees of freedom.  6 standard errors: failure probability 2e-9.
    """
    m, n, draws = 6, 4, 20000
    rng = np.random.default_rng(6)
    squares = np.array([htmp_sample(m, n, float(n), rng) for _ in range(draws)]) ** 2
    second, log_det = np.mean(squares**2, axis=1), np.log(squares).sum(axis=1)
    exact = sum(digamma((m - i) / 2) + math.log(2 / m) for i in range(n))
    assert abs(second.mean() - (1 + (n + 1) / m)) < 6 * second.std() / math.sqrt(draws)
    assert abs(log_det.mean() - exact) < 6 * log_det.std() / math.sqrt(draws)


def test_printed_off_diagonal_is_indefinite():
    """Why the sampler does not follow the printed algorithm: d_i t_i makes negative eigenvalues."""
    rng = np.random.default_rng(0)
    d2 = rng.chisquare(0.25 * (40 - np.arange(20)))
    t2 = rng.chisquare(0.25 * (19 - np.arange(19)))
    values = eigvalsh_tridiagonal(d2 + np.append(t2, 0.0), np.sqrt(d2[:-1] * t2))
    assert values[0] < 0


@pytest.mark.parametrize(("kappa", "gamma"), [(0, 0.5), (1, 1.0), (1, 0.0), (1e4, 0.5), (math.nan, 0.5)])
def test_htmp_refuses(kappa, gamma):
    with pytest.raises(ValueError, match="gamma must be in"):
        htmp_law(kappa, gamma)
