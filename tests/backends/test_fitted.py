"""Do PRISM's fits survive where the powers of R underflow or overflow, in 16 bit, and in compiled code?"""

import warnings

import numpy as np
import pytest
from mpmath import mp

import matfun
from matfun.ops import Ops
from matfun.polynomials.fitted import fit_interval
from matfun.problems.inverse_root import InverseRootProblem
from matfun.problems.matrix import MatrixResidual
from matfun.problems.polar import PolarProblem, PolarState
from matfun.providers import ops_for
from matfun.rules.rule import ResidualView
from theory import prism_root

N = 12

RULES = [matfun.Prism(degree, sketch_size=size) for degree in (3, 5) for size in (None, 8)]
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.degree}-{r.sketch_size}")
each_p = pytest.mark.parametrize("p", [1, 2, 3])


class HalfOps(Ops):
    """NumPy's float16, which no provider computes in on a CPU: the verbs called directly."""

    def matmul(self, A, B):
        with np.errstate(over="ignore", invalid="ignore"):
            return (A.astype(np.float32) @ B.astype(np.float32)).astype(A.dtype)

    symm_matmul = thin_matmul = matmul


def made(kind, R):
    """Residuals of that dtype and their verbs."""
    if kind == "float16":
        import array_api_compat

        return R.astype(np.float16), HalfOps(array_api_compat.array_namespace(R))
    if kind == "bfloat16":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        X = torch.from_numpy(np.asarray(R, dtype=np.float32)).to(torch.bfloat16)
        return X, ops_for(X)
    X = R.astype(kind)
    return X, ops_for(X)


def fitted(rule, ops, R, p, rng=0):
    """The coefficient that the rule fits to R itself."""
    problem = InverseRootProblem(ops, rng, p=p, hermitian=True)
    residual = MatrixResidual(problem, R, hermitian=True)
    residual._matrix = R  # I - R would not hold the small ones
    with np.errstate(all="ignore"):
        h = rule.next(ResidualView(p, 0, False, None, 1e-3, residual))
    return np.asarray(ops.as_host(h.coefficients[-1]), dtype=np.float64)


def symmetric(seed=0):
    """A random symmetric matrix of spectral norm 1, eigenvalues of both signs."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((N, N)))[0]
    return (Q * np.linspace(-1, 1, N)) @ Q.T


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
@each_p
@each_rule
def test_small_residuals_have_the_taylor_coefficient(rule, p, kind):
    """The minimiser tends to it linearly in R; whatever underflows on the way, nothing else is found."""
    lower, upper = fit_interval(p, rule.degree // 2)
    assert float(prism_root.interval(p, rule.degree // 2)[0]) == pytest.approx(lower, rel=1e-15)
    powers = (2, 3, 4) if kind == "float16" else (2, 4, 6, 8, 10, 14, 19, 20, 22, 25, 30, 37)
    u = {"float32": 2.0**-24, "bfloat16": 2.0**-9, "float16": 2.0**-12}[kind]
    for size in [*(10.0**-k for k in powers), 1e-40, 0.0]:
        R, ops = made(kind, size * symmetric())
        # R^2 of float16 loses what is below 6e-8
        lost = 6e-8 / size**2 if kind == "float16" and size else 0.0
        found = fitted(rule, ops, R, p)
        assert lower <= found + 1e-7
        assert found - lower <= 4 * size + 16 * u * N**0.5 + min(lost, upper), size


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
@each_p
@each_rule
def test_overflowing_residuals_have_a_coefficient_of_the_interval(rule, p, kind):
    lower, upper = fit_interval(p, rule.degree // 2)
    for size in (3.0, 1e3, 6e4, 1e10, 1e19, 1e30, 3e38, np.inf, np.nan):
        with np.errstate(all="ignore"):
            R, ops = made(kind, size * symmetric())
        found = fitted(rule, ops, R, p)
        assert lower * (1 - 1e-6) <= found <= upper * (1 + 1e-6)
        if not np.isfinite(size):
            assert found == pytest.approx(lower, rel=1e-6)


@each_rule
def test_members_of_a_stack_do_not_see_each_other(rule):
    """Zero, tiny, ordinary and infinite beside each other."""
    S = symmetric().astype(np.float32)
    with np.errstate(all="ignore"):
        R = np.stack([S * np.float32(c) for c in (0.0, 1e-25, 1e-3, 0.7, np.inf)])
    found = fitted(rule, ops_for(R), R, 2)
    alone = [fitted(rule, ops_for(R), M, 2) for M in R]
    np.testing.assert_allclose(found, alone, rtol=2e-6)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@each_p
@pytest.mark.parametrize("degree", [3, 5])
def test_every_size_is_fitted_to_rounding(degree, p, kind):
    """Against the exact minimiser for the spectrum, over the whole range in which it moves."""
    eps = float(np.finfo(kind).eps)
    for size in (0.9, 0.3, 0.03, 1e-3, 1e-6):
        r = size * np.linspace(-0.3, 1, N)
        Q = np.linalg.qr(np.random.default_rng(3).standard_normal((N, N)))[0]
        R = ((Q * r) @ Q.T).astype(kind)
        found = fitted(matfun.Prism(degree, sketch_size=None), ops_for(R), R, p)
        with mp.workdps(40):
            want = float(prism_root.fit([mp.mpf(v) for v in r], p, degree // 2))
            found = min(found, float(prism_root.interval(p, degree // 2)[1]))  # which the package knows to 1e-8
        # the rounding of R is relative to its norm, which the fit divides by
        assert abs(found - want) <= 16 * N**0.5 * eps, size


@pytest.mark.parametrize("method", RULES, ids=lambda r: f"{r.degree}-{r.sketch_size}")
@pytest.mark.parametrize("size", [0.0, 1e-20, 1e-7])
def test_gradients_at_convergence_are_finite(method, size):
    """R = 0 has no norm to differentiate, nor a fit."""
    jax = pytest.importorskip("jax")
    torch = pytest.importorskip("torch")
    A = np.eye(3) + size * np.random.default_rng(0).standard_normal((3, 3))
    for solver in ("grid", "roots"):
        rule = matfun.Prism(method.degree, sketch_size=method.sketch_size, solver=solver)

        def f(ops, X, rule=rule):
            problem, state = PolarProblem(ops, 0), PolarState(X)
            for step in range(3):
                residual = problem.residual(state)
                state = problem.update(state, residual, rule.next(ResidualView(2, step, False, None, 1e-7, residual)))
            return state.X.sum()

        X = jax.numpy.asarray(A.astype(np.float32))
        assert np.isfinite(np.asarray(jax.grad(lambda x, f=f: f(ops_for(x), x))(X))).all()
        for dtype in ("float32", "float64"):
            leaf = torch.from_numpy(A.astype(dtype)).requires_grad_()
            f(ops_for(leaf), leaf).backward()
            assert torch.isfinite(leaf.grad).all()


# ---- compiled ------------------------------------------------------------------------------------

OPTIONS = [{"solver": "roots"}, {"fresh": True}, {"solver": "roots", "fresh": True, "degree": 3}]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)
each_option_and_some_shape = pytest.mark.parametrize(
    ("options", "shape"), list(zip(OPTIONS, ((7, 4), (2, 3, 6), (2, 3, 6)), strict=True)), ids=str
)

ROUNDING = 2000 * float(np.finfo(np.float32).eps)
"""As in test_traced.py."""


def matrix(shape, dtype=np.float32):
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


@each_option_and_some_shape
def test_jax_jit_gives_the_eager_numbers(options, shape):
    jax = pytest.importorskip("jax")
    A, rule = jax.numpy.asarray(matrix(shape)), matfun.Prism(**options)
    compiled = jax.jit(lambda A: matfun.orthogonalize(A, rule, steps=5, rng=0))(A)
    np.testing.assert_allclose(compiled, matfun.orthogonalize(A, rule, steps=5, rng=0), rtol=0, atol=ROUNDING)
    by_generator = jax.jit(lambda A: matfun.orthogonalize(A, rule, steps=5, rng=np.random.default_rng(0)))(A)
    np.testing.assert_allclose(by_generator, compiled, rtol=0, atol=ROUNDING)


@each_option_and_some_shape
def test_torch_compile_gives_the_eager_numbers(options, shape):
    torch = pytest.importorskip("torch")
    A, rule = torch.from_numpy(matrix(shape)), matfun.Prism(**options)
    eager = matfun.orthogonalize(A, rule, steps=5, rng=0)
    generator = np.random.default_rng(0)
    for rng in (0, generator):
        torch.compiler.reset()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*torch\.jit\.script_method.*", category=DeprecationWarning)
            f = torch.compile(
                lambda A, rng=rng: matfun.orthogonalize(A, rule, steps=5, rng=rng), fullgraph=True, backend="eager"
            )
            compiled = f(A)
        np.testing.assert_allclose(compiled, eager, rtol=0, atol=ROUNDING)
    torch.compiler.reset()


@each_option
def test_gradients_of_the_closed_form_are_difference_quotients(options):
    torch = pytest.importorskip("torch")
    A, W, E = (np.random.default_rng(k).standard_normal((4, 3)) for k in range(3))
    rule = matfun.Prism(**options)

    def f(a):
        return (matfun.orthogonalize(a, rule, steps=4, rng=0) * torch.from_numpy(W)).sum()

    leaf = torch.from_numpy(A).requires_grad_()
    f(leaf).backward()
    slope = float((leaf.grad * torch.from_numpy(E)).sum())
    at = [float(f(torch.from_numpy(A + t * E))) for t in (1e-4, -1e-4, 5e-5, -5e-5)]
    coarse, fine = (at[0] - at[1]) / 2e-4, (at[2] - at[3]) / 1e-4
    assert slope == pytest.approx((4 * fine - coarse) / 3, rel=1e-6)
