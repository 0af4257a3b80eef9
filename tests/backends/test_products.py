"""Are the Hermitian products and the triangular systems of CPUs what they should be, in every dtype, order and view?"""

import json
from pathlib import Path

import numpy as np
import pytest
from matfun_backends.products import hermitian

import matfun
from matfun.lab.spectra import gaussian, with_singular_values
from matfun.providers import ops_for


def bound(X):
    """Of an element of X^H X: n products of complex numbers and their sums (Higham, Accuracy, sec. 3.5)."""
    return 2**0.5 * (len(X) + 2) * float(np.finfo(X.dtype).eps) * np.max(np.sum(np.abs(X) ** 2, axis=0))


@pytest.mark.parametrize("view", ["rows", "columns", "strided", "reversed"])
@pytest.mark.parametrize("shape", [(300, 70), (70, 70), (40, 520)], ids=str)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_complex_gram_matrix(dtype, shape, view):
    X = gaussian(2 * shape[0], shape[1], 0, complex_=True).astype(dtype)
    X = {
        "rows": X[: shape[0]],
        "columns": np.asfortranarray(X[: shape[0]]),
        "strided": X[::2],
        "reversed": X[: shape[0], ::-1],
    }[view]
    assert hermitian.worthwhile(X) == (shape[1] >= 512)
    before, wide = X.copy(), X.astype(np.complex128)
    G = hermitian.gram(X)
    want = wide.conj().T @ wide
    assert G.dtype == X.dtype
    assert np.array_equal(X, before)
    assert np.array_equal(G, G.conj().T)
    assert np.max(np.abs(G - want)) <= bound(X)


@pytest.mark.parametrize("combined", [False, True, "exact"], ids=["product", "beta C + alpha A B", "exact"])
@pytest.mark.parametrize(("n", "count"), [(90, 1), (128, 2), (310, 4), (301, 8)])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64", "complex128"])
def test_blocks_of_torch(dtype, n, count, combined, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from matfun_backends.products import blocked

    monkeypatch.setattr(blocked, "blocks", lambda *_: count)
    host = gaussian(90, n, 1, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    X = torch.from_numpy(host)
    other = torch.from_numpy(gaussian(n, n, 2, complex_=np.dtype(dtype).kind == "c").astype(dtype))
    C = (other + other.mH).resolve_conj()
    before = X.clone(), C.clone()
    if combined is True:
        D = blocked.hermitian_product(X.mH, X, C, alpha=0.5, beta=-2.0)
    else:
        D = blocked.hermitian_product(X.mH, X, exact=combined == "exact")
        assert torch.equal(D, D.mH) or combined != "exact"
    wide = host.astype(np.result_type(dtype, np.float64))
    want = wide.conj().T @ wide
    want = 0.5 * want - 2.0 * C.resolve_conj().numpy() if combined is True else want
    allowed = 4 * bound(host)  # of 2 C, which is rounded itself, and of A B / 2
    assert np.max(np.abs(D.numpy() - want)) <= allowed
    assert np.max(np.abs(D.numpy() - D.numpy().conj().T)) <= 2 * allowed
    assert torch.equal(X, before[0])
    assert torch.equal(C, before[1])


def test_the_number_of_blocks_is_the_one_that_was_measured(monkeypatch):
    """It lost a quarter to the fastest at most."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from matfun_backends.products import blocked

    results = Path(__file__).parents[2] / "benchmarks" / "results" / "blocked.json"
    for row in json.loads(results.read_text())["results"]:
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=row["threads"]: threads)
        m, n = row["shape"]
        assert blocked.blocks(n, m, torch.empty(0, dtype=getattr(torch, row["dtype"]))) == row["rule"]
        assert row["seconds"][str(row["rule"])] <= 1.25 * min(row["seconds"].values())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_large_members_of_a_stack_take_blocks_too(dtype, count, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from matfun_backends.products import blocked

    monkeypatch.setattr(blocked, "EMPIRICAL_WORK", ((1e6, 0, 3),))
    A = torch.from_numpy(np.random.default_rng(0).standard_normal((count, 160, 140))).to(getattr(torch, dtype))
    assert ops_for(A).members_at_once(A) == 1
    X = matfun.orthogonalize(A, steps=8)
    for member, alone in zip(X, A, strict=True):
        assert torch.equal(member, matfun.orthogonalize(alone, steps=8))
    monkeypatch.setattr(blocked, "EMPIRICAL_WORK", ())
    whole = matfun.orthogonalize(A, steps=8)
    # the factor is as far from the exact one as its condition number, here about 30, times the rounding
    eps = float(torch.finfo(A.dtype).eps)
    assert float((X.double() - whole.double()).abs().max()) <= 100 * eps


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_small_stack_that_fits_is_run_as_it_is(library):
    """One matrix too: no part of it is copied."""
    from matfun.functions import parts

    xp = pytest.importorskip(library, reason=f"{library} is not installed")
    for count in (1, 3):
        A = xp.asarray(np.random.default_rng(0).standard_normal((count, 5, 4)))
        seen = []
        parts.in_parts(lambda X, seen=seen: seen.append(X) or parts.Part((X,), None, ()), ops_for(A), A)
        assert seen[0] is A


@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_a_product_keeps_the_order_of_the_matrix(dtype, by_columns):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    is_complex = dtype == "complex128"
    X = torch.from_numpy(gaussian(9, 4, 0, complex_=is_complex).astype(dtype))
    X = X.mT.contiguous().mT if by_columns else X
    P = torch.from_numpy(gaussian(4, 4, 1, complex_=is_complex).astype(dtype))
    P = (P + P.mH).resolve_conj()
    Y = ops_for(X).times_hermitian(X, P)
    np.testing.assert_allclose(Y.numpy(), X.numpy() @ P.numpy(), rtol=0, atol=50 * float(np.finfo(dtype).eps))
    assert Y.mT.is_contiguous() == (by_columns and not is_complex)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (33, 5), (100, 130), (3, 70, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_triangular_systems(dtype, shape, lower):
    """Residuals as small as those of substitution (Higham, Accuracy, sec. 8.1), whatever the condition."""
    *stack, n, k = shape
    eps, is_complex = float(np.finfo(dtype).eps), np.dtype(dtype).kind == "c"
    sigmas = np.geomspace(1, eps**0.7, n)
    members = [with_singular_values(sigmas, n, n, i, complex_=is_complex) for i in range(*stack or (1,))]
    L = np.linalg.qr(np.stack(members))[1].astype(dtype).reshape(*stack, n, n)
    L = np.ascontiguousarray(L.mT.conj() if lower else L)
    B = np.stack([gaussian(n, k, 9 + i, complex_=is_complex) for i in range(*stack or (1,))])
    B = L @ B.astype(dtype).reshape(*stack, n, k)  # of a solution that is small for the condition of L
    before, ops = (L.copy(), B.copy()), ops_for(L)
    X = ops.solve_triangular(L, B, lower=lower)
    assert X.dtype == B.dtype
    size = np.linalg.norm(L, axis=(-2, -1)) * np.linalg.norm(X, axis=(-2, -1)) + np.linalg.norm(B, axis=(-2, -1))
    assert np.all(np.linalg.norm(L @ X - B, axis=(-2, -1)) <= n**0.5 * eps * size)
    if lower and not stack:
        Y = ops.divide_by_adjoint(B.mT.copy(), L)
        size = np.linalg.norm(L) * np.linalg.norm(Y) + np.linalg.norm(B)
        assert np.linalg.norm(Y @ L.mT.conj() - B.mT) <= n**0.5 * eps * size
    assert np.array_equal(L, before[0])
    assert np.array_equal(B, before[1])


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_an_inverse_alone_would_not_do(dtype):
    """Of a triangle of Gaussian numbers, it leaves more than a thousand roundings."""
    is_complex = np.dtype(dtype).kind == "c"
    L = np.tril(gaussian(32, 32, 0, complex_=is_complex)).astype(dtype)
    B, ops, eps = L @ gaussian(32, 5, 1, complex_=is_complex), ops_for(L), float(np.finfo(dtype).eps)
    by_inverse = ops.inverse(L) @ B
    assert np.linalg.norm(L @ by_inverse - B) > 1e3 * eps * np.linalg.norm(L) * np.linalg.norm(by_inverse)
    X, Y = ops.solve_triangular(L, B), ops.divide_by_adjoint(B.mT.conj().copy(), L)
    for residual, solution in ((L @ X - B, X), (Y @ L.mT.conj() - B.mT.conj(), Y)):
        assert np.linalg.norm(residual) <= 32**0.5 * eps * (np.linalg.norm(L) * np.linalg.norm(solution))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_factorisations_keep_the_precision_and_give_nan_where_there_is_none(dtype):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((3, 9, 9)).astype(dtype)
    A = A + 1j * A.mT if A.dtype.kind == "c" else A
    S, ops = A @ A.mT.conj() + np.eye(9, dtype=dtype), ops_for(A)
    S[1] = -S[1]
    singular = A.copy()
    singular[2, :, 3] = 0
    L, (values, V), inverse = ops.cholesky(S), ops.eigh(S), ops.inverse(singular)
    U, s, Vh = ops.svd(A)
    assert {X.dtype for X in (L, V, inverse, U, Vh, ops.solve(A, S))} == {np.dtype(dtype)}
    assert s.dtype == values.dtype == A.real.dtype
    eps = float(np.finfo(dtype).eps)
    good = [0, 2]
    assert np.isnan(L[1]).any()
    assert list(ops.positive_definite(S)) == [True, False, True]
    assert np.linalg.norm(L[good] @ L[good].mT.conj() - S[good]) <= 9 * eps * np.linalg.norm(S[good])
    assert np.linalg.norm((V * values[:, None, :]) @ V.mT.conj() - S) <= 30 * eps * np.linalg.norm(S)
    assert np.linalg.norm((U * s[:, None, :]) @ Vh - A) <= 30 * eps * np.linalg.norm(A)
    assert np.isnan(inverse[2]).any()
    assert np.isfinite(inverse[:2]).all()


def test_another_numpy_may_lack_them(monkeypatch):
    """What is not public may go: the public functions serve then."""
    A = np.random.default_rng(1).standard_normal((6, 6)).astype("float32")
    S = A @ A.T + np.eye(6, dtype="float32")
    ops = ops_for(A)

    def found():
        return (*ops.svd(A)[1:2], ops.cholesky(S), ops.eigh(S)[0], ops.inverse(S), ops.solve(S, A))

    before = found()
    monkeypatch.delattr(np.linalg, "_umath_linalg")
    for X, Y in zip(before, found(), strict=True):
        np.testing.assert_allclose(X, Y, rtol=0, atol=100 * np.finfo("float32").eps * np.abs(X).max())


@pytest.mark.parametrize("method", ["muon", "polar-express", "newton-schulz"])
@pytest.mark.parametrize("shape", [(30, 50), (40, 40), (50, 30)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_steps_of_torch_are_those_of_numpy_in_either_layout(dtype, shape, method):
    """Rows first, transposed or not: what may be taken for its own transpose is symmetric only where it is real."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    A = gaussian(*shape, 0, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    want = matfun.orthogonalize(A, method, 3, form="standard")
    for X in (torch.from_numpy(A), torch.from_numpy(np.ascontiguousarray(A.T)).mT):
        before = X.clone()
        found = matfun.orthogonalize(X, method, 3, form="standard")
        # each is off by 30 sum |c_i| eps with sum |c_i| <= 50 (tests/backends/test_agreement.py)
        np.testing.assert_allclose(found.resolve_conj().numpy(), want, rtol=0, atol=3000 * np.finfo(float).eps)
        assert torch.equal(X, before)


@pytest.mark.parametrize("shape", [(4096, 256), (256, 4096)], ids=["tall", "wide"])
def test_prices_are_those_of_the_blocks(shape, monkeypatch):
    """A Gram product runs over the long side, a square over the short one."""
    torch = pytest.importorskip("torch", reason="torch is not installed")

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    X = torch.empty(shape, dtype=torch.float32)
    assert ops_for(X).symmetric_prices(X) == (5 / 8, 1.0, 1.0)  # four blocks, and none


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5, 3), (700, 140), (2, 40, 30), (600, 530)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_hermitian_gram_matrix_is_so_to_the_last_bit(library, dtype, shape, order):
    """Whichever way the provider forms it: rank-k updates, blocks, plain products."""
    *stack, m, n = shape
    is_complex = np.dtype(dtype).kind == "c"
    X = np.stack([gaussian(m, n, 5 + i, complex_=is_complex) for i in range(*stack or (1,))]).reshape(shape)
    X = given = np.asarray(X, dtype=dtype, order=order)
    if library == "torch":
        given = pytest.importorskip("torch", reason="torch is not installed").from_numpy(X)
    G = np.asarray(ops_for(given).hermitian_gram(given))
    assert np.array_equal(G, G.mT.conj())
    for ours, member in zip(G.reshape(-1, n, n), X.reshape(-1, m, n), strict=True):
        wide = member.astype(np.complex128)
        assert np.max(np.abs(ours - wide.conj().T @ wide)) <= bound(member)


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_large_products_of_numpy_are_aligned(dtype):
    """So that JAX takes them over; they are those of NumPy to the last bit, in its order."""
    A = gaussian(1100, 300, 0, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    for B in (A[:300], A[:300].T):
        C = ops_for(A).matmul(A, B)
        assert C.ctypes.data % 64 == 0
        assert C.flags.c_contiguous
        assert np.array_equal(C, A @ B)
    jax = pytest.importorskip("jax", reason="jax is not installed")
    if jax.dtypes.canonicalize_dtype(C.dtype) == C.dtype:  # or double precision is switched off
        assert jax.device_put(C).unsafe_buffer_pointer() == C.ctypes.data
