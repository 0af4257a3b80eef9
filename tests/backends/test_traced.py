"""Can fixed-step runs be compiled, traced, differentiated and mapped, with the numbers of the eager run?"""

import warnings

import numpy as np
import pytest

import matfun

METHODS = ("polar-express", "muon", "newton-schulz", "prism", "window")
DIFFERENTIABLE = METHODS[:-1]
"""A window is found on a grid: the derivative is that of the polynomials as they are, see below."""

SHAPES = ((5, 5), (7, 4), (2, 3, 6))

ROUNDING = 2000 * float(np.finfo(np.float32).eps)
"""Compiled code may contract and reorder: 30 sum |c_i| eps as in test_agreement.py, where sum |c_i| <= 50 (the first
step of Polar Express), with a little room; 2.4e-4 against elements of about 0.4."""

TOL_NEEDS_VALUES = r"steps: expected a number of steps, because the values of a traced or lazy array are not known"


def matrix(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# ---- JAX -----------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_jax_jit_gives_the_eager_numbers(jax, method, shape):
    A = jax.numpy.asarray(matrix(shape))
    compiled = jax.jit(lambda A: matfun.orthogonalize(A, method, steps=5, rng=0))(A)
    eager = matfun.orthogonalize(A, method, steps=5, rng=0)
    assert compiled.dtype == eager.dtype
    np.testing.assert_allclose(compiled, eager, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("method", ["polar-express", "svd", "auto"])
def test_jax_jit_of_polar_with_steps(jax, method, side):
    A = jax.numpy.asarray(matrix((2, 4, 6)))
    compiled = jax.jit(lambda A: matfun.polar(A, side, method, steps=6, rng=0))(A)
    eager = matfun.polar(A, side, method, steps=6, rng=0)
    assert isinstance(compiled, matfun.PolarResult)
    assert compiled.info is None  # documented: a transformation rebuilds the pair from its arrays
    for ours, theirs in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * ROUNDING)


def test_jax_jit_of_a_zero_matrix(jax):
    zero = jax.numpy.zeros((3, 2))
    assert np.array_equal(jax.jit(matfun.orthogonalize)(zero), np.zeros((3, 2)))
    U, H = jax.jit(lambda A: matfun.polar(A, steps=3))(zero)
    assert np.array_equal(U, np.eye(3, 2))
    assert np.array_equal(H, np.zeros((2, 2)))


@pytest.mark.parametrize("method", METHODS)
def test_jax_vmap_is_the_stack(jax, method):
    A = jax.numpy.asarray(matrix((3, 5, 4)))
    mapped = jax.vmap(lambda a: matfun.orthogonalize(a, method, rng=0))(A)
    np.testing.assert_allclose(mapped, matfun.orthogonalize(A, method, rng=0), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("method", DIFFERENTIABLE)
def test_jax_grad_is_the_difference_quotient(jax, method):
    A, W, E = (matrix((4, 3), seed, np.float64) for seed in range(3))

    def f(a):
        return (matfun.orthogonalize(a, method, steps=4, rng=0) * W).sum()

    slope = float(np.sum(np.asarray(jax.grad(f)(jax.numpy.asarray(A))) * E))
    assert_is_slope(slope, lambda t: float(f(jax.numpy.asarray(A + t * E))))


def assert_is_slope(slope, f):
    """Central differences at h and h/2, extrapolated: truncation O(h^4), rounding 1e-16 x 50 / h = 5e-11.

    Compositions of four quintics have degree 625, hence a large fifth derivative: 1e-3 relative at h = 1e-2 was seen,
    1e-11 at h = 1e-4 follows, and 1e-7 leaves room for others.
    """
    h = 1e-4
    coarse, fine = ((f(t) - f(-t)) / (2 * t) for t in (h, h / 2))
    expected = (4 * fine - coarse) / 3
    assert abs(expected) > 1e-2  # the direction is not a null one
    assert abs(slope - expected) <= 1e-7 * max(1.0, abs(expected))


# ---- torch ---------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def compiler(torch):
    """torch.compile with a fresh cache; importing its machinery makes torch warn about a decorator of its own."""
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script_method.*", category=DeprecationWarning)
        yield lambda f, backend: torch.compile(f, fullgraph=True, backend=backend)
    torch.compiler.reset()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_torch_compile_gives_the_eager_numbers(torch, compiler, method, shape):
    A = torch.from_numpy(matrix(shape))
    compiled = compiler(lambda A: matfun.orthogonalize(A, method, steps=5, rng=0), "eager")(A)
    eager = matfun.orthogonalize(A, method, steps=5, rng=0)
    assert compiled.dtype == eager.dtype
    np.testing.assert_allclose(compiled, eager, rtol=0, atol=ROUNDING)


def test_torch_compile_with_inductor(torch, compiler):
    A = torch.from_numpy(matrix((2, 6, 4)))
    compiled = compiler(lambda A: matfun.orthogonalize(A, steps=5), "inductor")(A)
    np.testing.assert_allclose(compiled, matfun.orthogonalize(A, steps=5), rtol=0, atol=ROUNDING)


def test_torch_compile_without_a_seed(torch, compiler):
    # no sketch, no draw: rng=None must not stand in the way
    A = torch.from_numpy(matrix((4, 4)))
    compiled = compiler(lambda A: matfun.orthogonalize(A), "eager")(A)
    np.testing.assert_allclose(compiled, matfun.orthogonalize(A), rtol=0, atol=ROUNDING)


def test_torch_compile_of_polar_with_steps(torch, compiler):
    A = torch.from_numpy(matrix((4, 6)))
    compiled = compiler(lambda A: tuple(matfun.polar(A, steps=6)), "eager")(A)
    for ours, theirs in zip(compiled, matfun.polar(A, steps=6), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=4 * ROUNDING)


def test_torch_compile_of_an_accuracy_driven_call_explains_itself(torch, compiler):
    compiled = compiler(lambda A: matfun.polar(A).U, "eager")
    with pytest.raises(Exception, match=TOL_NEEDS_VALUES):  # torch wraps what is raised while it traces
        compiled(torch.eye(3))


def test_torch_meta_tensors_have_a_shape_and_no_values(torch):
    A = torch.empty((2, 5, 3), device="meta")
    X = matfun.orthogonalize(A)
    assert (X.shape, X.dtype, X.device) == (A.shape, A.dtype, A.device)
    with pytest.raises(ValueError, match=TOL_NEEDS_VALUES):
        matfun.polar(A)


@pytest.mark.parametrize("method", METHODS)
def test_torch_vmap_is_the_stack(torch, method):
    A = torch.from_numpy(matrix((3, 5, 4)))
    mapped = torch.func.vmap(lambda a: matfun.orthogonalize(a, method, rng=0))(A)
    np.testing.assert_allclose(mapped, matfun.orthogonalize(A, method, rng=0), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("method", DIFFERENTIABLE)
def test_torch_autograd_is_the_difference_quotient(torch, method):
    A, W, E = (matrix((4, 3), seed, np.float64) for seed in range(3))

    def f(a):
        return (matfun.orthogonalize(a, method, steps=4, rng=0) * torch.from_numpy(W)).sum()

    leaf = torch.from_numpy(A).requires_grad_()
    f(leaf).backward()
    slope = float((leaf.grad * torch.from_numpy(E)).sum())
    assert_is_slope(slope, lambda t: float(f(torch.from_numpy(A + t * E))))


def test_torch_gradients_of_polar_with_steps_in_a_stack(torch):
    A = torch.from_numpy(matrix((2, 4, 4), dtype=np.float64)).requires_grad_()
    U, H = matfun.polar(A, method="polar-express", steps=8)
    (U.sum() + H.sum()).backward()
    assert torch.isfinite(A.grad).all()
    assert (A.grad.abs().amax(dim=(-2, -1)) > 0).all()


def test_gradients_of_complex_matrices_are_finite(torch):
    leaf = torch.from_numpy(matrix((3, 3)) + 1j * matrix((3, 3), 1)).requires_grad_()
    matfun.orthogonalize(leaf).abs().square().sum().backward()
    assert torch.isfinite(torch.view_as_real(leaf.grad)).all()


def test_a_zero_matrix_does_not_spoil_the_gradients_of_its_neighbours(torch):
    # at zero itself there is no derivative: the map keeps its value along every ray
    A = torch.from_numpy(matrix((3, 4, 4), dtype=np.float64))
    W = torch.from_numpy(matrix((3, 4, 4), 1, np.float64))

    def gradient(A):
        leaf = A.clone().requires_grad_()
        (matfun.orthogonalize(leaf) * W[: len(A)]).sum().backward()
        return leaf.grad

    alone, beside_zero = gradient(A), gradient(torch.stack([A[0], A[1] * 0, A[2]]))
    assert torch.equal(beside_zero[0], alone[0])
    assert torch.equal(beside_zero[2], alone[2])


class Replay:
    """The polynomials of a run that was, whatever the matrix."""

    forms_square = True

    def __init__(self, updates):
        self.updates = updates

    def next(self, view):
        return self.updates[view.step]


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_derivatives_of_windows_are_those_of_their_polynomials(name):
    library = pytest.importorskip(name)
    put = library.from_numpy if name == "torch" else library.numpy.asarray
    A, W = (matrix((6, 4), seed, np.float64) for seed in range(2))
    _, info = matfun.orthogonalize(A, "window", steps=4, rng=0, full_output=True)
    made = [matfun.Polynomial(tuple(map(float, h.coefficients)), h.basis) for h in info.history.updates]

    def gradient(method):
        if name == "torch":
            leaf = put(A).requires_grad_()
            (matfun.orthogonalize(leaf, method, steps=4, rng=0) * put(W)).sum().backward()
            return leaf.grad.numpy()
        return np.asarray(library.grad(lambda a: (matfun.orthogonalize(a, method, steps=4, rng=0) * W).sum())(put(A)))

    # the polynomials of NumPy differ from those of the library by roundings
    np.testing.assert_allclose(gradient("window"), gradient(Replay(made)), rtol=0, atol=1e-9)
