"""Dask matrices in blocks of rows: as accurate as in one place, read once a pass, never held together."""

import tracemalloc

import numpy as np
import pytest
from matfun_backends.numpy import NumpyOps

import matfun

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask is not installed")

DTYPES = ("float32", "float64", "complex64", "complex128")


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def limit(A):
    """The documented bound on both errors of an answer."""
    return (12 + min(A.shape) ** 0.5) * np.finfo(A.dtype).eps


def errors(A, U, H):
    """Relative backward error and defect of orthonormality, in float64 and with A near 1."""
    wide = A.shape[0] < A.shape[1]
    scale = 2.0 ** np.round(np.log2(np.max(np.abs(A)))) if np.any(A) else 1.0
    double = complex if A.dtype.kind == "c" else float
    A, U, H = (A / scale).astype(double), U.astype(double), (H / scale).astype(double)
    gram, product = (U @ U.conj().T, H @ U) if wide else (U.conj().T @ U, U @ H)
    k = len(gram)
    size = np.linalg.norm(A) or 1.0
    return np.linalg.norm(product - A) / size, np.linalg.norm(gram - np.eye(k)) / k**0.5


def matrix(m, n, singular_values, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)

    def orthonormal(rows):
        Z = rng.standard_normal((rows, n))
        return np.linalg.qr(Z + 1j * rng.standard_normal((rows, n)) if np.dtype(dtype).kind == "c" else Z)[0]

    return (orthonormal(m) * singular_values @ orthonormal(n).conj().T).astype(dtype)


class Source:
    """A matrix whose blocks are made when they are asked for, and counted."""

    def __init__(self, block, blocks, rows, n):
        self.made = []

        def make(block_id):
            self.made.append(int(block_id[0]))
            return block(int(block_id[0]))

        def generate(block_id=None):
            return make(block_id)

        chunks = ((rows,) * blocks, (n,))
        self.array = da.map_blocks(generate, chunks=chunks, dtype=float, meta=np.empty((0, 0)))

    def passes(self):
        """How often every block was made, which has to be the same for all."""
        times = np.bincount(self.made)
        assert np.all(times == times[0])
        return int(times[0])


# ---- accuracy --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(61, 7), (7, 61), (12, 12), (9, 1)])
@pytest.mark.parametrize("size", [5, 20, 1000])
def test_polar_is_what_it_is_in_one_place(known, shape, size, dtype):
    given = known(shape, dtype)
    wide = shape[0] < shape[1]
    A = da.from_array(given.A, chunks=(-1, size) if wide else (size, -1))
    U, H = result = matfun.polar(A, "left" if wide else "right", rng=0)
    assert result.info.status is matfun.Status.CONVERGED
    assert result.info.backend == "dask"
    assert isinstance(U, da.Array)
    assert U.chunks == A.chunks
    assert isinstance(H, da.Array)
    assert H.npartitions == 1
    assert U.dtype == H.dtype == np.dtype(dtype)
    host = U.compute(), H.compute()
    assert max(errors(given.A, *host)) <= limit(given.A)
    # condition 4: the factors move by four times what A moves by
    for found, exact in zip(host, (given.U, given.K if wide else given.H), strict=True):
        assert np.linalg.norm(found - exact) <= 4 * limit(given.A) * np.linalg.norm(exact)


@pytest.mark.parametrize("method", ["polar-express", "newton-schulz", "newton", "qdwh", "svd"])
def test_methods_and_tolerances(known, method):
    given = known((60, 8))
    A = da.from_array(given.A, chunks=(17, -1))
    U, H = result = matfun.polar(A, method=method, rng=0)
    assert result.info.method == method
    assert max(errors(given.A, U.compute(), H.compute())) <= limit(given.A)
    if method != "svd":
        loose = matfun.polar(A, method=method, tol=1e-2, rng=0)
        assert loose.info.status is matfun.Status.CONVERGED
        assert loose.info.steps <= result.info.steps
        U = loose.U.compute()
        assert np.linalg.norm(U.T @ U - np.eye(8)) <= 1e-2


KINDS = {
    "condition 1e7": lambda n, _: np.geomspace(1e-7, 1, n),
    "condition 1e12": lambda n, _: np.geomspace(1e-12, 1, n),
    "down to eps": lambda n, eps: np.geomspace(eps, 1, n),
    "below eps": lambda n, eps: np.geomspace(eps**1.5, 1, n),
    "half null": lambda n, _: np.r_[np.zeros(n // 2), np.ones(n - n // 2)],
    "rank one": lambda n, _: np.r_[np.zeros(n - 1), 1.0],
    "half at the edge": lambda n, eps: np.r_[np.full(n // 2, 1.1 * eps * n**0.5), np.ones(n - n // 2)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(150, 20), (40, 40)])
@pytest.mark.parametrize("kind", KINDS)
def test_ill_conditioned_and_rank_deficient(kind, shape, dtype):
    A = matrix(*shape, KINDS[kind](shape[1], np.finfo(dtype).eps), dtype)
    # a rule whose backward error is below the limit, which an SVD's is not always
    U, H = result = matfun.polar(da.from_array(A, chunks=(37, -1)), method="qdwh", rng=0)
    assert result.info.ok
    assert max(errors(A, U.compute(), H.compute())) <= limit(A)
    if kind in ("half null", "rank one"):
        assert result.info.status is matfun.Status.COMPLETED


@pytest.mark.parametrize(("n", "rank", "seed"), [(100, 10, 64), (200, 2, 6)])
def test_gaussian_columns_that_are_nearly_dependent(n, rank, seed):
    """In a square matrix a few of a hundred draws are, so that Cholesky's factorisation of their Gram matrix fails."""
    A = matrix(n, n, np.r_[np.zeros(n - rank), np.ones(rank)], "float32", seed)
    U, H = matfun.polar(da.from_array(A, chunks=(n, -1)), method="svd", rng=0)
    assert max(errors(A, U.compute(), H.compute())) <= 2.1 * limit(A)  # of an SVD; docs/semantics.md


@pytest.mark.parametrize("exponent", [-1000, -300, 300, 1000])
def test_scale_is_exact(known, exponent):
    A = known((40, 6)).A
    U, H = matfun.polar(da.from_array(A, chunks=(11, -1)), rng=0)
    V, K = matfun.polar(da.from_array(np.ldexp(A, exponent), chunks=(11, -1)), rng=0)
    assert np.array_equal(U.compute(), V.compute())
    assert np.array_equal(np.ldexp(H.compute(), exponent), K.compute())


def test_blocks_of_very_different_scale():
    A = matrix(60, 5, np.linspace(1, 2, 5))
    A[:20] = 0
    A[20:40] *= 1e-100
    A *= 1e-200  # whose square underflows: a block of zeros must not set the scale
    U, H = matfun.polar(da.from_array(A, chunks=(20, -1)), rng=0)
    assert max(errors(A, U.compute(), H.compute())) <= limit(A)


@pytest.mark.parametrize("shape", [(23, 4), (4, 23)])
def test_the_zero_matrix_gives_the_identity(shape):
    wide = shape[0] < shape[1]
    A = da.zeros(shape, chunks=(-1, 3) if wide else (3, -1))  # the ones are in several blocks
    for steps in (None, 3):
        U, H = result = matfun.polar(A, "left" if wide else "right", steps=steps)
        assert np.array_equal(U.compute(), np.eye(*shape))
        assert not H.compute().any()
        assert result.info.status is (matfun.Status.UNCHECKED if steps else matfun.Status.COMPLETED)
    for method in ("polar-express", "newton"):
        assert not matfun.orthogonalize(A, method).compute().any()


@pytest.mark.parametrize("shape", [(5, 0), (0, 5)])
def test_empty(shape):
    side = "right" if shape[1] == 0 else "left"
    A = da.from_array(np.zeros(shape))
    U, H = result = matfun.polar(A, side)
    assert (U.compute().shape, H.compute().shape) == (shape, (0, 0))
    assert result.info.ok
    assert matfun.orthogonalize(A).compute().shape == shape


def test_half_precision_and_integers():
    A = np.round(matrix(30, 4, np.linspace(20, 30, 4)))
    for dtype, back in (("float16", "float16"), ("int32", "float64")):
        U, H = matfun.polar(da.from_array(A.astype(dtype), chunks=(7, -1)), rng=0)
        u, h = matfun.polar(A.astype(dtype), rng=0)
        assert U.dtype == H.dtype == U.compute().dtype == np.dtype(back)
        eps = np.finfo(back).eps
        assert np.max(np.abs(U.compute() - u)) <= 8 * eps
        assert np.max(np.abs(H.compute() - h)) <= 8 * eps * np.max(h)


# ---- passes and memory -----------------------------------------------------------------------


def gaussian_block(rows, n, decay=1.0):
    rotation = np.linalg.qr(np.random.default_rng(6).standard_normal((n, n)))[0]

    def block(i):
        # rotated, because Cholesky's factorisation does not mind badly scaled columns
        return np.random.default_rng((7, i)).standard_normal((rows, n)) * decay ** np.arange(n) @ rotation

    return block


@pytest.mark.parametrize(("decay", "passes"), [(1.0, 2), (0.8, 3), (10**-0.6, 4)])
def test_polar_reads_a_block_once_a_pass_and_holds_a_few(decay, passes):
    """Gram matrix, certificate; a second Gram matrix in between, and a tree where Cholesky's factorisation fails."""
    rows, n, blocks = 2000, 20, 60
    source = Source(gaussian_block(rows, n, decay), blocks, rows, n)
    block_bytes = rows * n * 8
    # imports and designs are no blocks
    da.linalg.norm(matfun.polar(da.from_array(gaussian_block(40, n, decay)(0), chunks=(20, -1))).U).compute()
    tracemalloc.start()
    U, H = matfun.polar(source.array, rng=0)
    reduced = da.linalg.norm(U)
    peak = tracemalloc.get_traced_memory()[1]
    assert source.passes() == passes
    norm = reduced.compute()
    peak = max(peak, tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert source.passes() == passes + 1  # U is lazy: its blocks are made from those of A
    assert abs(norm - n**0.5) <= limit(np.empty((rows, n))) * n
    # a block, its scaled copy, Q_1, the operands of a solve or a QR; the matrix is 60 blocks
    assert peak <= 9 * block_bytes
    A = np.concatenate([gaussian_block(rows, n, decay)(i) for i in range(blocks)])
    assert max(errors(A, U.compute(), H.compute())) <= 2.1 * limit(A)  # of an SVD; docs/semantics.md


@pytest.mark.parametrize(
    ("method", "form", "passes"),
    [
        ("polar-express", "auto", 2),  # a Gram matrix and one restart
        ("polar-express", "standard", 5),  # a Gram matrix a step
        ("newton-schulz", "auto", 2),
        ("prism", "auto", 2),  # bounds its polynomials
        ("newton", "auto", 1),  # Q R of columns that are nearly orthogonal, and steps on R
    ],
)
def test_orthogonalize_reads_a_block_once_a_pass(method, form, passes):
    rows, n, blocks = 4000, 10, 40
    source = Source(gaussian_block(rows, n), blocks, rows, n)
    matfun.orthogonalize(
        da.from_array(gaussian_block(40, n)(0), chunks=(20, -1)), method, 5, form=form, rng=1
    ).sum().compute()
    tracemalloc.start()
    X = matfun.orthogonalize(source.array, method, 5, form=form, rng=1)
    assert isinstance(X, da.Array)
    assert source.passes() == passes
    X.sum().compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.passes() == passes + 1
    assert peak <= 9 * rows * n * 8


def test_products_are_those_that_were_made():
    """Five quintic steps, each a pass: Gram matrices (of A W but for the first), squares, updates of W; A W at last."""
    A = da.from_array(matrix(40, 5, np.linspace(1, 2, 5)), chunks=(9, -1))
    assert matfun.orthogonalize(A, "muon", 5, form="standard", full_output=True)[1].products == 5 + 4 + 5 + 5 + 1
    one_place = matfun.polar(matrix(5, 5, np.linspace(1, 2, 5)), method="svd").info.products
    # Gram matrix; Q_1 and its Gram matrix; Q_1 again and Q_1 L_2^-H Y
    assert matfun.polar(A, method="svd").info.products == one_place + 1 + 2 + 2
    even = da.from_array(matrix(40, 5, np.ones(5)), chunks=(9, -1))
    assert matfun.polar(even, method="svd").info.products == one_place + 1 + 1  # Gram matrix; X L^-H Y


def test_products_of_the_tree_are_those_that_were_made(monkeypatch):
    """Taken where Cholesky's first factorisation fails, which at the edge depends on the BLAS."""
    cholesky, calls = NumpyOps.cholesky, []

    def failing_once(ops, S):
        calls.append(S)
        return np.full_like(S, np.nan) if len(calls) == 1 else cholesky(ops, S)

    one_place = matfun.polar(matrix(5, 5, np.linspace(1, 2, 5)), method="svd").info.products
    monkeypatch.setattr(NumpyOps, "cholesky", failing_once)
    A = da.from_array(matrix(40, 5, np.linspace(1, 2, 5)), chunks=(9, -1))
    # Gram matrix; X V and its Gram matrix; X V again and X V S^-1 L_2^-H Y.  QR factorisations are none
    assert matfun.polar(A, method="svd").info.products == one_place + 1 + 2 + 2


def test_polar_with_steps_takes_one_pass_more():
    source = Source(gaussian_block(100, 10), 5, 100, 10)
    matfun.polar(source.array, method="newton-schulz", steps=5)
    assert source.passes() == 3


def test_a_graph_can_be_sent_to_other_processes():
    cloudpickle = pytest.importorskip("cloudpickle")
    A = matrix(40, 5, np.linspace(1, 2, 5))
    U, _ = matfun.polar(da.from_array(A, chunks=(9, -1)), rng=0)
    sent = cloudpickle.loads(cloudpickle.dumps(U))
    assert np.array_equal(sent.compute(), U.compute())


# ---- a number of steps -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("method", ["polar-express", "newton-schulz", "prism", "window", "newton", "svd"])
def test_steps_are_the_steps_in_one_place(method, wide, dtype):
    A = matrix(90, 12, np.linspace(0.05, 1, 12), dtype)
    A = np.ascontiguousarray(A.conj().T) if wide else A
    D = da.from_array(A, chunks=(-1, 25) if wide else (25, -1))
    if method == "polar-express":  # no rounding error is lifted by more than some 1/lower
        method = matfun.PolarExpress(lower=0.05)
    x = matfun.orthogonalize(A, method, 4, rng=0)
    X, info = matfun.orthogonalize(D, method, 4, rng=0, full_output=True)
    assert X.chunks == D.chunks
    assert X.dtype == D.dtype
    assert info.status is matfun.Status.UNCHECKED
    # rounding errors are lifted as much as singular values of 1/20
    tolerance = 20 * limit(A) * 12**0.5
    assert np.linalg.norm(X.compute() - x) <= tolerance
    u, h = matfun.polar(A, "left" if wide else "right", method, steps=4, rng=0)
    U, H = matfun.polar(D, "left" if wide else "right", method, steps=4, rng=0)
    assert np.linalg.norm(U.compute() - u) <= tolerance
    assert np.linalg.norm(H.compute() - h) <= tolerance
    assert np.array_equal(H.compute(), H.compute().conj().T)


def test_no_step_divides_by_the_scale(known):
    A = known((30, 4)).A
    X, info = matfun.orthogonalize(da.from_array(A, chunks=(7, -1)), steps=0, full_output=True)
    assert np.allclose(X.compute() * info.scale, A, rtol=8 * np.finfo(float).eps, atol=0)


def test_many_at_once(known):
    matrices = [known(shape).A for shape in ((30, 4), (30, 4), (4, 30))]
    chunks = [(7, -1), (7, -1), (-1, 7)]
    found = matfun.orthogonalize_each([da.from_array(A, chunks=c) for A, c in zip(matrices, chunks, strict=True)])
    for X, A in zip(found, matrices, strict=True):
        assert np.allclose(X.compute(), matfun.orthogonalize(A), atol=20 * limit(A))


# ---- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (
            lambda: da.ones((30, 4), chunks=(5, 2)),
            {},
            ValueError,
            r"A: .*single chunk along axis 1.*rechunk\(\{1: -1\}\)",
        ),
        (
            lambda: da.ones((4, 30), chunks=(2, 5)),
            {},
            ValueError,
            r"A: .*single chunk along axis 0.*rechunk\(\{0: -1\}\)",
        ),
        (lambda: da.ones((6, 6), chunks=(2, 3)), {}, ValueError, r"A: .*single chunk"),
        (lambda: da.ones((2, 30, 4)), {}, ValueError, r"A: .*one Dask matrix.*\(2, 30, 4\)"),
        (lambda: da.ones((30, 4))[da.ones(30) > 0], {}, ValueError, r"A: .*known chunk sizes.*compute_chunk_sizes"),
        (lambda: da.ones((30, 4)), {"side": "left"}, ValueError, r"side: expected 'right'.*30 x 30"),
        (lambda: da.ones((4, 30)), {"side": "right"}, ValueError, r"side: expected 'left'.*30 x 30"),
        (lambda: da.full((30, 4), np.inf, chunks=(7, -1)), {}, ValueError, r"A: expected finite elements"),
        (lambda: da.ones((30, 4)), {"method": "nonsense"}, ValueError, r"method: .*nonsense"),
        (lambda: da.ones((30, 4)), {"backend": "numpy"}, ValueError, r"backend: .*dask"),
        (lambda: da.ones((30, 4), dtype="U3"), {}, TypeError, r"A: .*dtype"),
    ],
)
def test_refused(make, options, error, message):
    with pytest.raises(error, match=message):
        matfun.polar(make(), **options)


@pytest.mark.parametrize("place", [0, 29])
def test_nan_anywhere_is_found(place):
    A = np.ones((30, 4))
    A[place, 2] = np.nan
    D = da.from_array(A, chunks=(7, -1))
    with pytest.raises(ValueError, match="A: expected finite"):
        matfun.polar(D)
    with pytest.raises(matfun.ConvergenceError, match="NOT_FINITE"):
        matfun.polar(D, check_finite=False)
    with pytest.warns(matfun.ConvergenceWarning) as caught:
        U, H = result = matfun.polar(D, check_finite=False, on_failure="warn")
    assert caught[0].filename == __file__
    assert result.info.status is matfun.Status.NOT_FINITE
    assert np.isnan(U.compute()).all()
    assert np.isnan(H.compute()).all()


def test_failure_carries_the_result_and_falls_back(known):
    given = known((40, 5))
    A = da.from_array(given.A, chunks=(9, -1))
    with pytest.raises(matfun.ConvergenceError, match="polar with method 'muon'") as caught:
        matfun.polar(A, method="muon")
    assert caught.value.result.U.chunks == A.chunks
    assert not caught.value.result.info.ok
    U, H = result = matfun.polar(A, method="muon", on_failure="svd")
    assert result.info.status is matfun.Status.FELL_BACK
    assert max(errors(given.A, U.compute(), H.compute())) <= limit(given.A)


def test_blocks_that_change_are_found():
    rng = np.random.default_rng(0)
    source = Source(lambda _: rng.standard_normal((50, 5)) * 4.0 ** np.arange(5), 4, 50, 5)
    with pytest.raises(ValueError, match="A: expected blocks that are the same whenever they are computed"):
        matfun.polar(source.array)
    source = Source(lambda _: rng.standard_normal((50, 5)), 4, 50, 5)  # one Gram matrix is all that is formed
    with pytest.raises(matfun.ConvergenceError, match="INACCURATE"):
        matfun.polar(source.array)


@pytest.mark.parametrize("certificate", ["probes", "exact"])
def test_the_certificate_sees_what_the_small_matrix_cannot(certificate):
    """Blocks that change after the pass for Q R, which is of another matrix."""
    source = Source(lambda i: gaussian_block(50, 5)(i) * (1 + 1e-3 * (source.made.count(i) > 1)), 4, 50, 5)
    with pytest.raises(matfun.ConvergenceError, match="INACCURATE") as caught:
        matfun.polar(source.array, certificate=certificate, rng=0)
    # all rows by the same factor, which the backward error does not see
    assert 1e-4 < caught.value.result.info.orthogonality < 1e-2


@pytest.mark.parametrize("certificate", ["probes", "exact"])
def test_the_certificate_is_about_the_large_matrix(known, certificate):
    given = known((80, 6), "float32")
    U, H = result = matfun.polar(da.from_array(given.A, chunks=(9, -1)), certificate=certificate, rng=0)
    proof = result.info.certificate
    backward, defect = errors(given.A, U.compute(), H.compute())
    # rounding of the certificate's own products, in float32, adds to what float64 sees
    own = 2 * np.finfo("float32").eps
    assert abs(proof.backward_error - backward) <= (proof.factor - 1) * backward + own
    assert abs(proof.orthogonality - defect) <= (proof.factor - 1) * defect + own
    assert proof.probes == (None if certificate == "exact" else 8)


def test_other_functions_stay_lazy():
    S = da.from_array(np.diag([2.0, -3.0]), chunks=-1)
    found = matfun.signm(S, method="newton-schulz", steps=12)
    assert isinstance(found, da.Array)
    assert np.allclose(found.compute(), np.diag([1.0, -1.0]))
