"""Is the caller's array left alone, whatever its layout, and does every kind of element come back as promised?"""

import numpy as np
import pytest

import matfun

METHODS = matfun.methods("polar")
TOLERANCE = 60 * float(np.finfo(np.float64).eps)
"""As derived in test_agreement.py for matrices with sigma_max / sigma_min = 4."""


def numpy_layouts(A):
    """The same numbers in memory in every order that NumPy knows."""
    m, n = A.shape[-2:]
    spread = np.full((*A.shape[:-2], 2 * m, 3 * n), np.nan, A.dtype)
    spread[..., ::2, ::3] = A
    read_only = A.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + A.tobytes(), np.uint8)[1:].view(A.dtype).reshape(A.shape)
    return {
        "C order": A.copy(),
        "Fortran order": np.asfortranarray(A),
        "transposed view": np.ascontiguousarray(A.mT).mT,
        "strided": spread[..., ::2, ::3],
        "negative strides": np.ascontiguousarray(A[..., ::-1, ::-1])[..., ::-1, ::-1],
        "read-only": read_only,
        "big-endian": A.astype(A.dtype.newbyteorder(">")),
        "unaligned": unaligned,
        "subclass": A.copy().view(np.ndarray),
    }


CALLS = {
    "polar": lambda A, method: matfun.polar(A, method=method, rng=0, on_failure="svd").U,
    "polar left": lambda A, method: matfun.polar(A, "left", method, rng=0, on_failure="svd").U,
    "polar steps": lambda A, method: matfun.polar(A, method=method, steps=4, rng=0).U,
    "orthogonalize": lambda A, method: matfun.orthogonalize(A, method, rng=0),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (2, 3, 6)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_numpy_layouts_change_nothing_and_are_not_changed(known, dtype, shape, method, call):
    A = known(shape, dtype).A
    tolerance = 1500 * float(
        np.finfo(dtype).eps
    )  # 30 sum |c_i| with the cushioned step of Polar Express: test_agreement
    expected = CALLS[call](A.copy(), method)
    for layout, given in numpy_layouts(A).items():
        base = given if given.base is None else given.base
        before = base if isinstance(base, bytes) else base.tobytes()
        X = CALLS[call](given, method)
        assert (base if isinstance(base, bytes) else base.tobytes()) == before, layout
        assert type(X) is np.ndarray
        assert X.dtype == np.dtype(dtype), layout
        assert X.dtype.isnative
        assert X.flags.writeable
        assert not np.shares_memory(X, given), layout
        np.testing.assert_allclose(X, expected, rtol=0, atol=tolerance, err_msg=layout)


def test_scales_that_need_the_power_of_two_do_not_touch_the_input():
    rng = np.random.default_rng(0)
    for exponent in (-1000, 1000):
        for dtype in (np.float64, np.complex128):
            A = np.ldexp(rng.standard_normal((4, 3)), exponent).astype(dtype)
            before = A.tobytes()
            for call in CALLS.values():
                call(A, "polar-express")
            assert A.tobytes() == before


@pytest.mark.parametrize("method", METHODS)
def test_torch_layouts_change_nothing_and_are_not_changed(known, method):
    torch = pytest.importorskip("torch")
    A = known((2, 6, 4), "complex128").A
    plain = torch.from_numpy(A.copy())
    spread = torch.full((2, 12, 8), float("nan"), dtype=plain.dtype)
    spread[:, ::2, ::2] = plain
    layouts = {
        "transposed view": plain.mT.contiguous().mT,
        "strided": spread[:, ::2, ::2],
        "lazily conjugated": plain.conj().resolve_conj().conj(),
        "expanded": plain[:1].expand(2, -1, -1),
        "permuted stack": plain.permute(1, 2, 0).contiguous().permute(2, 0, 1),
        "requires grad": plain.clone().requires_grad_(),
    }
    for layout, given in layouts.items():
        expected_from = plain[:1].expand(2, -1, -1).clone() if layout == "expanded" else plain
        before = given.detach().clone()
        version = given._version
        for call in CALLS.values():
            X = call(given, method)
            assert given._version == version, layout  # torch counts in-place writes
            expected = call(expected_from, method)
            np.testing.assert_allclose(
                X.detach().resolve_conj().numpy(), expected.resolve_conj().numpy(), rtol=0, atol=10 * TOLERANCE
            )
        assert torch.equal(torch.nan_to_num(given.detach()), torch.nan_to_num(before)), layout


def test_other_libraries_inputs_are_not_changed(library, known):
    A = known((2, 5, 3), "float32").A
    given = library.put(A.copy())
    # JAX arrays cannot be changed but through the memory that they lend
    for method in ("auto",) if library.name == "jax" else METHODS:
        for call in CALLS.values():
            call(given, method)
    assert np.array_equal(library.get(given), A)


def test_an_isometry_comes_back_as_a_new_array(library):
    # a fixed point of every method: nothing may be returned by reference
    given = library.put(np.eye(3))
    for how in ({}, {"steps": 0}, {"steps": 2}):
        U, H = matfun.polar(given, **how)
        assert U is not given
        assert H is not given
    assert matfun.orthogonalize(given, steps=0) is not given
    empty = library.put(np.zeros((2, 0)))
    assert matfun.orthogonalize(empty) is not empty


def test_fixed_steps_of_numpy_do_not_share_memory_with_the_input():
    A = np.eye(3)
    for method in METHODS:
        for steps in (0, 1):
            U, H = matfun.polar(A, method=method, steps=steps)
            assert not np.shares_memory(U, A)
            assert not np.shares_memory(H, A)
            assert not np.shares_memory(U, H)
            assert not np.shares_memory(matfun.orthogonalize(A, method, steps), A)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "bool"])
def test_integers_and_booleans_become_the_default_float(library, dtype):
    A = np.array([[1, 0, 1], [1, 1, 0]]).astype(dtype)
    default = library.xp.asarray(0.0).dtype
    # exact factor: A A^T = [[2, 1], [1, 2]] has eigenvalues 3, 1
    s, d = (1 / 3**0.5 + 1) / 2, (1 / 3**0.5 - 1) / 2
    exact = np.array([[s, d], [d, s]]) @ A.astype(float)
    U, H = matfun.polar(library.put(A))
    assert U.dtype == H.dtype == default
    np.testing.assert_allclose(library.get(U), exact, rtol=0, atol=60 * float(library.xp.finfo(default).eps))
    assert matfun.orthogonalize(library.put(A)).dtype == default


def test_extreme_integers_do_not_overflow():
    for dtype in ("int8", "int64", "uint64"):
        info = np.iinfo(dtype)
        A = np.array([[info.max, 0], [0, info.min or info.max]], dtype)
        U, H = matfun.polar(A)
        np.testing.assert_allclose(U, np.sign(A.astype(float)), rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(H, np.abs(A.astype(float)), rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    "given",
    [
        [[3, 0], [4, 5]],
        ((3, 0), (4, 5)),
        [[3.0, 0], [4, 5]],
        [(3, 0), np.array([4, 5])],
        [[3 + 0j, 0], [4, 5]],
    ],
)
def test_lists_and_matrices_become_numpy_arrays(given):
    expected = matfun.polar(np.array([[3.0, 0.0], [4.0, 5.0]])).U
    U, H = matfun.polar(given)
    assert type(U) is type(H) is np.ndarray
    assert U.dtype == (np.complex128 if np.iscomplexobj(np.asarray(given)) else np.float64)
    np.testing.assert_allclose(U, expected, rtol=0, atol=TOLERANCE)
    assert type(matfun.orthogonalize(given)) is np.ndarray


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_numpys_matrix_class_comes_back_as_an_array():
    U, H = matfun.polar(np.matrix([[3.0, 0.0], [4.0, 5.0]]))
    assert type(U) is type(H) is np.ndarray
    np.testing.assert_allclose(U, matfun.polar([[3.0, 0.0], [4.0, 5.0]]).U, rtol=0, atol=TOLERANCE)


def test_nested_lists_are_stacks():
    A = [[[1, 2], [3, 4]], [[0, 1], [1, 0]]]
    assert matfun.polar(A).U.shape == (2, 2, 2)
    assert matfun.polar([A, A]).H.shape == (2, 2, 2, 2)
    assert matfun.orthogonalize([A]).shape == (1, 2, 2, 2)


def test_a_one_by_one_matrix_is_its_sign(library):
    for value, sign in ((-2.5, -1), (1e-200, 1), (3 - 4j, 0.6 - 0.8j)):
        A = library.put(np.array([[value]]))
        for method in ("auto", "svd", "polar-express", "newton-schulz", "prism"):
            U, H = matfun.polar(A, method=method, rng=0)
            assert abs(library.get(U)[0, 0] - sign) <= 8 * 2.3e-16
            assert abs(library.get(H)[0, 0] - abs(value)) <= 8 * 2.3e-16 * abs(value)
