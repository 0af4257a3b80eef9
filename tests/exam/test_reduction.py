"""Cholesky QR of a tall matrix: which road is taken, what it costs, and are its factors as good as Householder's?"""

from collections import Counter

import numpy as np
import pytest
from matfun_backends.counting import CountingOps
from matfun_backends.numpy import EMPIRICAL_VERY_TALL

import matfun
from matfun.functions.long_sums import EMPIRICAL_TERMS
from matfun.functions.tall import EVEN, TallFactors, is_even, reduce_tall
from matfun.functions.unitary import accuracy_limit, rounding_floor
from matfun.lab.spectra import gaussian, log_spaced, with_singular_values
from matfun.ops import Ops
from matfun.providers import ops_for
from tests.exam.walk import each_library, library_called

M, N = 96, 12

VERY_TALL = EMPIRICAL_VERY_TALL * N

ROADS = {
    "one pass": (M, 1.8, Counter(gram=1, cholesky=3)),
    "two passes": (M, 30.0, Counter(gram=2, cholesky=2, apply=1, matmul=1)),
    "two passes, very tall": (VERY_TALL, 30.0, Counter(gram=5, cholesky=2, apply=1, qr=1, matmul=2)),
    "Householder": (M, 1e9, Counter(gram=2, cholesky=2, apply=1, qr=1, matmul=1)),
    "Householder, very tall": (VERY_TALL, 1e9, Counter(gram=5, cholesky=2, apply=1, qr=2, matmul=2)),
}
"""Rows, a condition number that is on it, and what it takes, in double precision.

The two Gram matrices of the very tall are made of two; that of the eigenvectors, and the product and the QR
factorisation that go with them, are of the small side."""

DTYPES = ["float32", "float64", "complex64", "complex128"]


def edge(smallest, largest):
    """Singular values whose squares have these extremes and a mean of 1."""
    count = (1 - smallest) / (largest - smallest) * N
    values = np.full(N, smallest)
    values[: int(count)] = largest
    values[int(count)] += N - values.sum()  # the rest, between the two
    assert smallest <= values[int(count)] <= largest
    return np.sqrt(np.sort(values)[::-1])


@pytest.mark.parametrize("plain", [False, True], ids=["numpy", "array-api"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_even_spectra_are_told_at_their_edges(dtype, plain):
    """Within rounding of 1/2 and 2 times the mean, each side alone, and a mean square that saves looking."""
    spectra = {
        (1 / EVEN, EVEN): True,
        (0.98 / EVEN, EVEN): False,
        (1 / EVEN, 1.02 * EVEN): False,
        (0.9, 1.1): True,
        (0.9, 2.1): False,  # which their mean square allows
        (0.48, 1.05): False,
    }
    is_complex = np.dtype(dtype).kind == "c"
    inside = 1 - 1e-4  # a bit into the open interval, for float32
    members = []
    for smallest, largest in spectra:
        sigmas = edge(1 - inside * (1 - smallest), 1 + inside * (largest - 1))
        members.append(with_singular_values(7 * sigmas, M, N, len(members), complex_=is_complex))
    X = np.stack(members).astype(dtype)
    ops = Ops(ops_for(X).xp) if plain else ops_for(X)
    found = is_even(ops, ops.gram(X))
    assert found.tolist() == list(spectra.values())
    for member, even in zip(X, spectra.values(), strict=True):
        assert bool(is_even(ops, ops.gram(member))) == even


def test_gaussian_matrices_of_aspect_12_are_even_and_numbers_that_are_none_are_not():
    X = gaussian(12 * 200, 200, 0)
    ops = ops_for(X)
    assert is_even(ops, ops.gram(X))
    assert not is_even(ops, ops.gram(X[: 6 * 200]))
    with ops.quiet():
        for bad in (np.nan, np.inf, 0.0):
            assert not is_even(ops, np.full((3, 3), bad))


@pytest.mark.parametrize("road", ROADS)
def test_each_road_takes_its_products(road):
    rows, kappa, want = ROADS[road]
    X = with_singular_values(log_spaced(N, kappa), rows, N, 0)
    ops = CountingOps(ops_for(X))
    found = reduce_tall(ops, X)
    assert ops.counts == want
    assert found.products == (2 if road == "one pass" else 4)
    assert (found.basis is X) == (road == "one pass")


def good_factors(library, given, found, amplified=1.0):
    """Whether Q is orthonormal and gives X back to rounding, column by column."""
    X = library.get(given).astype("complex128")
    eps, n = library.ops(given).eps(given.dtype), X.shape[-1]
    Q = library.get(found.times(library.ops(given), library.put(np.eye(n, dtype=library.get(given).dtype)))).astype(
        "complex128"
    )
    assert np.array_equal(np.tril(library.get(found.R), -1), np.zeros((n, n)))
    assert np.linalg.norm(Q.T.conj() @ Q - np.eye(n)) <= amplified * rounding_floor(n, eps)
    errors = np.linalg.norm(Q @ library.get(found.R) - X, axis=0)
    assert np.all(errors <= amplified * accuracy_limit(n, eps) * np.linalg.norm(X, axis=0))


@each_library
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("road", ROADS)
def test_factors_are_orthonormal_and_give_the_matrix_back(road, dtype, library_name):
    """Rounding of the Gram matrix that is divided by, times the condition of what it is the Gram matrix of, squared."""
    library, (rows, kappa, _) = library_called(library_name), ROADS[road]
    X = with_singular_values(log_spaced(N, kappa), rows, N, 1, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    given = library.put(X)
    good_factors(library, given, reduce_tall(library.ops(given), given), EVEN**2 if road == "one pass" else 1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [M, VERY_TALL])
def test_columns_of_any_scale_do_not_take_householders_method(rows, dtype):
    X = with_singular_values(log_spaced(N, 10.0), rows, N, 2, complex_=np.dtype(dtype).kind == "c")
    X = (X * 10.0 ** -np.arange(N)).astype(dtype)
    ops = CountingOps(ops_for(X))
    found = reduce_tall(ops, X)
    assert ops.counts["qr"] == (rows == VERY_TALL)  # of the small side
    good_factors(library_called("numpy"), X, found)


@each_library
@pytest.mark.parametrize("rows", [M, VERY_TALL])
def test_a_column_of_zeros_does(rows, library_name):
    """And one whose square underflows, in single precision: then nothing is divided by zero."""
    library = library_called(library_name)
    for value in (0.0, 1e-30):
        X = gaussian(rows, N, 4).astype(np.float32)
        X[:, 3] = value
        given = library.put(X)
        good_factors(library, given, reduce_tall(library.ops(given), given))
        U, H = result = matfun.polar(given)
        assert result.info.ok
        U, H = library.get(U), library.get(H)
        limit = 3 * accuracy_limit(N, 2.0**-23)  # of an SVD; docs/semantics.md
        assert np.linalg.norm(U @ H - X) <= limit * np.linalg.norm(X)
        assert np.linalg.norm(U.T @ U - np.eye(N)) <= limit * N**0.5


@pytest.mark.parametrize("rows", [M, VERY_TALL])
def test_members_of_a_stack_take_their_own_roads(rows):
    kappas = [kappa for m, kappa, _ in ROADS.values() if m in (M, rows)]
    X = np.stack([with_singular_values(log_spaced(N, kappa), rows, N, 3) for kappa in kappas])
    ops = ops_for(X)
    found = reduce_tall(ops, X)
    assert found.products == 4
    for i, (member, kappa) in enumerate(zip(X, kappas, strict=True)):
        mine = TallFactors(found.basis[i], found.transform[i], found.R[i], 4)
        good_factors(library_called("numpy"), member, mine, EVEN**2 if kappa < EVEN else 1.0)
        # X itself after one pass, and after Householder's method Q itself
        assert np.array_equal(mine.basis, member) == (kappa < EVEN)
        assert np.array_equal(mine.transform, np.eye(N)) == (kappa == max(kappas))


@each_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spread", [0, 1], ids=["one pass", "two passes"])
def test_long_sums_of_equal_terms_do_not_pile_up_rounding(spread, dtype, library_name):
    """1.21 is rounded to the same side in every sum; torch's factors were refused by the certificate."""
    if library_name == "jax":
        pytest.skip("XLA adds in blocks, and would compile every sum")
    library, n = library_called(library_name), 4
    X = np.random.default_rng(0).choice([-1.1, 1.1], (2**18, n)) * 3.0 ** (spread * np.arange(n))
    given = library.put(X.astype(dtype))
    result = matfun.polar(given, method="svd", certificate="exact")
    assert result.info.status is matfun.Status.CONVERGED
    U = library.get(result.U).astype(np.float64)
    eps = library.ops(given).eps(given.dtype)
    # so many roundings eps / 2 in the sums of every column (Higham, Accuracy, sec. 4.2)
    limit = EMPIRICAL_TERMS * eps / 2 + accuracy_limit(n, eps)
    assert np.linalg.norm(U.T @ U - np.eye(n)) <= (1 if spread else EVEN**2) * limit * n**0.5


@pytest.mark.parametrize("side", ["tall", "wide"])
@pytest.mark.parametrize("library_name", ["numpy", "torch"])
def test_the_certificate_of_a_long_column_of_equal_numbers(library_name, side):
    """Whose product with itself, in one sum, is off by more than the status allows on torch."""
    library = library_called(library_name)
    A = np.full((2**18, 1), 1.1)
    given = library.put(A if side == "tall" else A.T)
    for certificate in ("probes", "exact"):
        H_of = "right" if side == "tall" else "left"
        info = matfun.polar(given, H_of, method="svd", certificate=certificate, rng=0).info
        assert info.status is matfun.Status.CONVERGED
        assert info.orthogonality <= 4 * EVEN**2 * EMPIRICAL_TERMS * 2.0**-53  # the probes' norm may be 4


def test_derivatives_do_not_go_through_eigenvectors(monkeypatch):
    """Of columns that are orthogonal and graded, for which the scaled Gram matrix has one eigenvalue only."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    # whose provider solves: nobody has both, yet
    monkeypatch.setattr(type(ops_for(torch.eye(2))), "prefers_eigenvectors", lambda *_: True)
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((EMPIRICAL_VERY_TALL * 4, 4)))[0] * 10.0 ** -np.arange(4)
    weights, direction = (torch.from_numpy(rng.standard_normal(X.shape)) for _ in range(2))

    def value(A):
        return (matfun.polar(A, method="newton-schulz").U * weights).sum()

    A = torch.from_numpy(X).requires_grad_()
    found = (torch.autograd.grad(value(A), A)[0] * direction).sum()
    step = 1e-9
    want = (value(A.detach() + step * direction) - value(A.detach() - step * direction)) / (2 * step)
    # the quotient has rounding eps |U| |weights| / step, and a third derivative that grows with (1e3)^3 step^2
    size = float(torch.linalg.vector_norm(weights)) * 2
    assert abs(float(found - want)) <= size * (100 * 2.0**-52 / step + 1e9 * step**2)


def test_newton_stays_backward_stable_on_what_eigenvectors_leave():
    """Its inverses lose on full matrices with graded rows, as R was before it was made triangular: above the limit."""
    n, dtype = 256, np.complex64
    X = gaussian(128 * n, n, 0, complex_=True) * 10.0 ** -np.linspace(0, 5, n)
    X = X.astype(dtype)
    ops = CountingOps(ops_for(X))
    reduce_tall(ops, X)
    assert ops.counts["qr"] == 1  # of the small side alone
    U, H = matfun.polar(X, method="newton")
    assert np.linalg.norm(X - U @ H) <= accuracy_limit(n, 2.0**-23) * np.linalg.norm(X)
