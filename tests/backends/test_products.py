"""Are the Hermitian products that CPUs get products, in every dtype, order and view, and Hermitian?"""

import numpy as np
import pytest
from matfun_backends.products import hermitian

from matfun.lab.spectra import gaussian


def bound(X):
    """Of an element of X^H X: n products of complex numbers and their sums (Higham, Accuracy, sec. 3.5)."""
    return 2**0.5 * (len(X) + 2) * float(np.finfo(X.dtype).eps) * np.max(np.sum(np.abs(X) ** 2, axis=0))


@pytest.mark.parametrize("view", ["rows", "columns", "strided", "reversed"])
@pytest.mark.parametrize("shape", [(300, 70), (70, 70), (520, 300)], ids=str)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_complex_gram_matrix(dtype, shape, view):
    X = gaussian(2 * shape[0], shape[1], 0, complex_=True).astype(dtype)
    X = {
        "rows": X[: shape[0]],
        "columns": np.asfortranarray(X[: shape[0]]),
        "strided": X[::2],
        "reversed": X[: shape[0], ::-1],
    }[view]
    assert hermitian.worthwhile(X)
    before, wide = X.copy(), X.astype(np.complex128)
    G = hermitian.gram(X)
    want = wide.conj().T @ wide
    assert G.dtype == X.dtype
    assert np.array_equal(X, before)
    assert np.array_equal(G, G.conj().T)
    assert np.max(np.abs(G - want)) <= bound(X)


@pytest.mark.parametrize("combined", [False, True], ids=["product", "beta C + alpha A B"])
@pytest.mark.parametrize("n", [512, 700, 1100])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64", "complex128"])
def test_blocks_of_torch(dtype, n, combined):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from matfun_backends.products import blocked

    host = gaussian(90, n, 1, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    X = torch.from_numpy(host)
    other = torch.from_numpy(gaussian(n, n, 2, complex_=np.dtype(dtype).kind == "c").astype(dtype))
    C = (other + other.mH).resolve_conj()
    before = X.clone(), C.clone()
    D = blocked.hermitian_product(X.mH, X, C, alpha=0.5, beta=-2.0) if combined else blocked.hermitian_product(X.mH, X)
    wide = host.astype(np.result_type(dtype, np.float64))
    want = wide.conj().T @ wide
    want = 0.5 * want - 2.0 * C.resolve_conj().numpy() if combined else want
    allowed = 4 * bound(host)  # of 2 C, which is rounded itself, and of A B / 2
    assert np.max(np.abs(D.numpy() - want)) <= allowed
    assert np.max(np.abs(D.numpy() - D.numpy().conj().T)) <= 2 * allowed
    assert torch.equal(X, before[0])
    assert torch.equal(C, before[1])
