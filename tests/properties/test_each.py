"""``orthogonalize_each``: is every answer that of the matrix alone, in its place, shape, dtype and library?"""

import numpy as np
import pytest

import matfun
from matfun.functions import orthogonalize_each as module


def mixed():
    rng = np.random.default_rng(0)
    shapes = [(5, 3), (3, 5), (4, 4), (5, 3), (1, 1), (4, 4), (200, 150), (3, 0), (0, 4)]
    found = [rng.standard_normal(shape) for shape in shapes]
    found[1] = found[1].astype(np.float32)
    found[3] = found[3] + 1j
    found.append(np.asfortranarray(found[0] * 1e200))
    found.append(rng.standard_normal((3, 5)))
    found[-1].flags.writeable = False
    return found


@pytest.mark.parametrize("method", ["polar-express", "window", "qdwh"])
def test_each_answer_is_that_of_the_matrix_alone(method):
    matrices = mixed()
    before = [A.copy() for A in matrices]
    answers = matfun.orthogonalize_each(matrices, method, 6, rng=1)
    for A, X, old in zip(matrices, answers, before, strict=True):
        alone = matfun.orthogonalize(A, method, 6, rng=1)
        assert (X.shape, X.dtype) == (A.shape, A.dtype)
        assert np.array_equal(A, old)
        assert not np.shares_memory(X, A)
        np.testing.assert_allclose(X, alone, rtol=0, atol=1e3 * np.finfo(A.dtype).eps)


def test_libraries_may_be_mixed():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    A = np.random.default_rng(0).standard_normal((4, 3))
    given = [A, torch.from_numpy(A), [[2.0, 0.0], [0.0, 1.0]], torch.from_numpy(A.T.copy()).bfloat16()]
    X, Y, Z, W = matfun.orthogonalize_each(given)
    assert [type(x) for x in (X, Y, Z, W)] == [np.ndarray, torch.Tensor, np.ndarray, torch.Tensor]
    assert (W.dtype, tuple(W.shape)) == (torch.bfloat16, (3, 4))
    np.testing.assert_allclose(X, Y.numpy(), rtol=0, atol=1e-12)


def test_matrices_of_one_shape_and_its_transpose_go_together_within_the_bytes(monkeypatch):
    sizes = []

    def spy(A, *args, **kwargs):
        if hasattr(A, "shape"):
            sizes.append(A.shape)
        return matfun.orthogonalize(A, *args, **kwargs)

    monkeypatch.setattr(module, "orthogonalize", spy)
    rng = np.random.default_rng(0)
    matrices = [rng.standard_normal((6, 4) if i % 2 else (4, 6)) for i in range(5)]
    matfun.orthogonalize_each(matrices)
    assert sizes == [(5, 6, 4)]
    sizes.clear()
    matfun.orthogonalize_each(matrices, stack_bytes=2 * 8 * 24)
    assert sizes == [(2, 6, 4), (2, 6, 4), (6, 4)]


@pytest.mark.parametrize(
    ("matrices", "options", "message"),
    [
        ([np.eye(2), np.ones(3)], {}, "A: expected at least two dimensions"),
        ([np.eye(2), np.ones((2, 3, 3))], {}, r"matrices: expected two dimensions of each, got shape \(2, 3, 3\) at 1"),
        ([], {"method": "nonsense"}, "method: no method for polar"),
        ([], {"steps": -1}, "steps: expected"),
        ([], {"form": "qr"}, "form: expected"),
        ([np.eye(2)], {"stack_bytes": 0}, "stack_bytes: expected"),
    ],
)
def test_bad_input_is_named(matrices, options, message):
    with pytest.raises(ValueError, match=message):
        matfun.orthogonalize_each(matrices, **options)


def test_nothing_gives_nothing():
    assert matfun.orthogonalize_each([]) == []
