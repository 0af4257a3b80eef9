"""Do torch's transformations go through large and tall matrices, whose products are formed in blocks or whose form is
the Gram form?
"""

import numpy as np
import pytest

import matfun

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(autouse=True)
def _blocks_of_small_matrices(monkeypatch):
    from matfun_backends.products import blocked

    monkeypatch.setattr(blocked, "EMPIRICAL_WORK", ((1e6, 0, 3),))


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def total(X):
    return (matfun.orthogonalize(X, steps=2) * torch.linspace(-1, 1, X.shape[-1], dtype=X.dtype)).sum()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
@pytest.mark.parametrize("shape", [(520, 512), (400, 130)], ids=["blocked", "gram"])
def test_derivatives_agree_with_differences(shape):
    A, D = normal(*shape), normal(*shape[::-1]).mT
    step = 1e-5
    want = float((total(A + step * D) - total(A - step * D)) / (2 * step))
    forward = float(torch.func.jvp(total, (A,), (D,))[1])
    backward = float((torch.func.grad(total)(A) * D).sum())
    assert forward == pytest.approx(want, rel=1e-5, abs=1e-6)
    assert backward == pytest.approx(forward, rel=1e-9, abs=1e-10)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("shape", [(6, 5), (3, 6, 5)])
@pytest.mark.parametrize("transform", ["grad", "jvp", "vmap"])
def test_a_tensor_from_outside_is_a_constant(shape, transform):
    A = normal(*shape)
    c = torch.tensor(2.0, dtype=A.dtype)
    X = matfun.orthogonalize(A)

    def weighted(c):
        return (c * matfun.orthogonalize(A)).sum()

    if transform == "grad":
        found = torch.func.grad(weighted)(c)
    elif transform == "jvp":
        found = torch.func.jvp(weighted, (c,), (torch.ones_like(c),))[1]
    else:
        found = torch.func.vmap(weighted)(c[None])[0] / c
    # both are sums of the same 30 to 90 numbers below 1, by paths that round differently
    assert float(found) == pytest.approx(float(X.sum()), abs=1e-12)


@pytest.mark.parametrize("stack", [(), (3,)])
def test_another_default_device_changes_nothing(stack):
    A = normal(*stack, 6, 5)
    U, H = matfun.polar(A)
    with torch.device("meta"):
        V, K = result = matfun.polar(A)
        X, info = matfun.orthogonalize(A, full_output=True)
    assert torch.equal(U, V)
    assert torch.equal(H, K)
    assert torch.equal(X, matfun.orthogonalize(A))
    assert all(torch.as_tensor(i.scale, device="cpu").shape == stack for i in (info, result.info))


def test_vmap_of_large_matrices_and_of_stacks():
    A = normal(2, 520, 512)
    torch.testing.assert_close(torch.func.vmap(total)(A), torch.stack([total(X) for X in A]))
    stacks = normal(2, 5, 200, 130)
    found = torch.func.vmap(matfun.orthogonalize)(stacks)
    torch.testing.assert_close(found, torch.stack([matfun.orthogonalize(S) for S in stacks]))


def test_a_compiled_function_takes_several_tall_shapes():
    compiled = torch.compile(lambda X: matfun.orthogonalize(X), backend="eager", fullgraph=True)
    for shape in ((400, 130), (500, 140), (600, 150)):
        A = normal(*shape)
        np.testing.assert_allclose(compiled(A).numpy(), matfun.orthogonalize(A).numpy(), rtol=0, atol=1e-12)
