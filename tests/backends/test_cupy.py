"""Does the CuPy provider ask cuBLAS for the right thing?  On a stand-in made of NumPy, where there is no device.

The stand-in answers as the sources of CuPy do: ``syrk`` fills one triangle and leaves the other alone, ``gemm`` adds
in place.  The real library is tested by the other files of this folder, where there is one.
"""

import sys
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

CLOSE = {"rtol": 0, "atol": 1e-12}


@pytest.fixture
def cupy(monkeypatch):
    """A module ``cupy`` with what the provider takes of it, and the provider itself."""
    calls = []

    def syrk(trans, a, lower):
        assert lower
        assert a.flags.f_contiguous  # others are copied
        calls.append(("syrk", trans))
        full = a @ a.T if trans == "N" else a.T @ a
        return np.asfortranarray(np.tril(full) + np.triu(np.full_like(full, np.nan), 1))

    def gemm(transa, transb, a, b, out, alpha, beta):
        assert transa == transb == "N"
        assert isinstance(alpha, np.ndarray) == isinstance(beta, np.ndarray)  # cuBLAS has one mode for both
        assert np.asarray(alpha).dtype == a.dtype or not isinstance(alpha, np.ndarray)
        calls.append(("gemm", type(alpha)))
        out[...] = alpha * (a @ b) + beta * out
        return out

    def kernel(inputs, outputs, code, name):
        assert "if (row < column) s[here] = s[there]" in code

        def mirror(n, S, size):
            assert size == n * n == S.size
            row, column = np.divmod(np.arange(size), n)
            upper = row < column
            S[row[upper], column[upper]] = S[column[upper], row[upper]]

        return mirror

    module = ModuleType("cupy")
    for name in ("float16", "ndarray", "ascontiguousarray", "full"):
        setattr(module, name, getattr(np, name))
    module.ElementwiseKernel = kernel
    module.cublas = SimpleNamespace(syrk=syrk, gemm=gemm)
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.delitem(sys.modules, "matfun_backends.cupy", raising=False)
    provider = import_module("matfun_backends.cupy")
    monkeypatch.setattr(provider, "_torch", lambda: None)
    yield SimpleNamespace(ops=provider.CupyOps(np), calls=calls, provider=provider, module=module)
    sys.modules.pop("matfun_backends.cupy", None)


def drawn(*shape, dtype="float64", order="C"):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return np.asarray(X, dtype=dtype, order=order)


@pytest.mark.parametrize(("order", "trans"), [("C", "N"), ("F", "T")])
def test_gram_products_are_rank_k_updates_without_a_copy(cupy, order, trans):
    X = drawn(7, 4, order=order)
    S = cupy.ops.gram(X)
    np.testing.assert_allclose(S, X.T @ X, **CLOSE)
    assert np.array_equal(S, S.T)
    assert cupy.calls == [("syrk", trans)]


def test_squares_are_rank_k_updates(cupy):
    S = drawn(5, 5)
    S = S + S.T
    np.testing.assert_allclose(cupy.ops.square(S), S @ S, **CLOSE)
    assert [name for name, _ in cupy.calls] == ["syrk"]


@pytest.mark.parametrize("X", [drawn(4, 3, dtype="complex128"), drawn(2, 4, 3), drawn(4, 3, dtype="float16")])
def test_what_cublas_has_no_update_for_is_a_product(cupy, X):
    np.testing.assert_allclose(cupy.ops.gram(X), X.swapaxes(-2, -1).conj() @ X, **CLOSE)
    assert cupy.calls == []


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_factors_on_the_device_go_to_cublas_as_they_are(cupy, dtype):
    C, A, B = drawn(5, 3, dtype=dtype), drawn(5, 4, dtype=dtype), drawn(4, 3, dtype=dtype)
    before = C.copy()
    for alpha, beta in ((2.0, -1.0), (np.array(2.0), -1.0), (np.array(2.0), np.array(-1.0, dtype=np.float32))):
        D = cupy.ops.add_matmul(C, A, B, alpha, beta)
        np.testing.assert_allclose(D, 2 * (A @ B) - C, rtol=0, atol=1e-5)
        assert D.dtype == C.dtype
        assert np.array_equal(C, before)
    assert [kind for _, kind in cupy.calls] == [float, np.ndarray, np.ndarray]


def test_torch_is_asked_first_on_the_stream_of_cupy(cupy, monkeypatch):
    """Arrays go over by DLPack, under the stream that CuPy works on; None from torch means cuBLAS."""
    torch = pytest.importorskip("torch")
    streams, asked = [], []

    class Here:
        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            streams.append(self.stream)

        def __exit__(self, *_):
            streams.append(None)

    there = SimpleNamespace(
        cuda=SimpleNamespace(
            stream=Here,
            ExternalStream=lambda ptr, device: ("external", ptr, device),
            default_stream=lambda device: ("default", device),
        ),
        from_dlpack=torch.from_dlpack,
    )

    def symmetric(A, Bt):
        asked.append(streams[-1])
        return A @ Bt.mT if A.shape[-1] > 3 else None

    monkeypatch.setattr(cupy.provider, "_torch", lambda: (there, SimpleNamespace(symmetric=symmetric)))
    cupy.module.from_dlpack = np.from_dlpack
    place = SimpleNamespace(ptr=0)
    cupy.module.cuda = SimpleNamespace(get_current_stream=lambda: place)

    class OnDevice(np.ndarray):
        device = SimpleNamespace(id=1)

        def __dlpack__(self, **how):
            return np.asarray(self).__dlpack__(**how)

        def __dlpack_device__(self):
            return np.asarray(self).__dlpack_device__()

    X = drawn(7, 4).view(OnDevice)
    np.testing.assert_allclose(cupy.ops.gram(X), X.T @ X, **CLOSE)
    place.ptr = 42
    cupy.ops.gram(X)
    assert asked == [("default", 1), ("external", 42, 1)]
    assert cupy.calls == []
    few = drawn(3, 2).view(OnDevice)
    np.testing.assert_allclose(cupy.ops.gram(few), few.T @ few, **CLOSE)
    assert cupy.calls == [("syrk", "N")]
