"""Decompositions from polar factors: are they those of LAPACK, backward stable, for every kind of spectrum?"""

import numpy as np
import pytest

import matfun
from tests.exam.walk import each_library, library_called

N = 48
EPS = float(np.finfo(np.float64).eps)
LIMIT = 8 * (12 + N**0.5) * EPS
"""Every split adds the error of one polar factor; five levels and the leaves share this."""

SPECTRA = {
    "random": lambda rng: rng.standard_normal(N),
    "clusters": lambda rng: np.repeat([1.0, 0.0, -1.0], N // 3),  # noqa: ARG005
    "graded": lambda rng: np.geomspace(1e-14, 1.0, N),  # noqa: ARG005
    "one outlier": lambda rng: np.append(np.full(N - 1, 1.0), -1e3),  # noqa: ARG005
    "multiple of I": lambda rng: np.full(N, -2.0),  # noqa: ARG005
    "zero": lambda rng: np.zeros(N),  # noqa: ARG005
}


def hermitian(kind, *, is_complex):
    rng = np.random.default_rng(3)
    Z = rng.standard_normal((N, N)) + (1j * rng.standard_normal((N, N)) if is_complex else 0)
    Q = np.linalg.qr(Z)[0]
    A = (Q * SPECTRA[kind](rng)) @ Q.conj().T
    return (A + A.conj().T) / 2


@pytest.mark.parametrize("method", ["qdwh", "zolotarev", "prism"])
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("kind", SPECTRA)
def test_eigh(kind, is_complex, method):
    A = hermitian(kind, is_complex=is_complex)
    values, vectors = matfun.eigh_via_polar(A, method, leaf=4, rng=0)
    size = max(np.linalg.norm(A), 1e-300)
    assert np.linalg.norm(A - (vectors * values) @ vectors.conj().T) <= LIMIT * size
    assert np.linalg.norm(vectors.conj().T @ vectors - np.eye(N), 2) <= LIMIT
    assert np.max(np.abs(values - np.linalg.eigvalsh(A))) <= LIMIT * size
    assert (np.diff(values) >= 0).all()


@pytest.mark.parametrize("shape", [(N, N), (N, 20), (20, N)], ids=["square", "tall", "wide"])
@pytest.mark.parametrize("kind", SPECTRA)
def test_svd(kind, shape):
    A = hermitian(kind, is_complex=True)[: shape[0], : shape[1]]
    U, S, Vh = matfun.svd_via_polar(A, leaf=4, rng=0)
    k, size = min(shape), max(np.linalg.norm(A), 1e-300)
    assert (U.shape, S.shape, Vh.shape) == ((shape[0], k), (k,), (k, shape[1]))
    assert np.linalg.norm(A - (U * S) @ Vh) <= LIMIT * size
    for V in (U, Vh.conj().T):
        assert np.linalg.norm(V.conj().T @ V - np.eye(k), 2) <= LIMIT
    assert np.max(np.abs(S - np.linalg.svd(A, compute_uv=False))) <= LIMIT * size
    assert (S >= 0).all()
    assert (np.diff(S) <= 0).all()


@each_library
def test_stacks_on_every_library(library_name):
    """One split each: JAX compiles every operation again for every size of a block."""
    library, n = library_called(library_name), N // 2
    A = np.stack([hermitian(kind, is_complex=False)[:n, :n] for kind in ("random", "graded")])
    values, vectors = (library.get(x) for x in matfun.eigh_via_polar(library.put(A), leaf=n - 1, rng=0))
    assert values.shape == (2, n)
    back = (vectors * values[:, None, :]) @ np.swapaxes(vectors, -1, -2)
    assert np.linalg.norm(back - A) <= LIMIT * np.linalg.norm(A)
    U, S, Vh = (library.get(x) for x in matfun.svd_via_polar(library.put(A[..., :12]), leaf=8, rng=0))
    assert np.linalg.norm((U * S[:, None, :]) @ Vh - A[..., :12]) <= LIMIT * np.linalg.norm(A)


@pytest.mark.parametrize("shape", [(0, 3, 3), (4, 0, 5, 5), (0, 0), (2, 0, 0)])
def test_nothing_gives_nothing(shape):
    values, vectors = matfun.eigh_via_polar(np.zeros(shape))
    assert (values.shape, vectors.shape) == (shape[:-1], shape)
    U, s, Vh = matfun.svd_via_polar(np.zeros(shape))
    assert (U.shape, s.shape, Vh.shape) == (shape, shape[:-1], shape)


def test_the_products_do_the_work():
    """With a leaf of 1 nothing is left to the library's own routine but blocks that will not split."""
    values, _ = matfun.eigh_via_polar(np.diag([4.0, 1.0, 3.0, 2.0]), leaf=1, rng=0)
    assert values == pytest.approx([1, 2, 3, 4], abs=LIMIT * 4)


@pytest.mark.parametrize("call", [matfun.eigh_via_polar, matfun.svd_via_polar])
def test_refusals(call):
    with pytest.raises(ValueError, match="A: expected finite elements"):
        call(np.array([[1.0, np.nan], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="leaf: expected at least 1, got 0"):
        call(np.eye(2), leaf=0)
    with pytest.raises(ValueError, match="method: no method for polar is called 'qwdh'"):
        call(np.diag(np.arange(100.0)), "qwdh")
    if call is matfun.eigh_via_polar:
        with pytest.raises(ValueError, match="A: expected square matrices"):
            call(np.ones((2, 3)))
