"""JAX: are fixed steps one compiled function with the numbers of the operations one by one; are sums rounded once?"""

from dataclasses import dataclass

import numpy as np
import pytest

import matfun
from matfun.providers import ops_for

jax = pytest.importorskip("jax", reason="jax is not installed")
jnp = jax.numpy

ROUNDING = 2000 * float(np.finfo(np.float32).eps)
"""As in test_traced.py: compiled code may contract and reorder."""

asked = []
"""Steps in which a counting rule was asked."""


@dataclass(frozen=True)
class Counted(matfun.NewtonSchulz):
    """A rule whose answers are counted; frozen, so that it may be compiled."""

    def next(self, view):
        asked.append(view.step)
        return super().next(view)


class OneByOne:
    """The same rule, which does not promise to stay the same: nothing is compiled."""

    def __init__(self, rule):
        self.rule = rule
        self.forms_square = rule.forms_square

    def next(self, view):
        asked.append(view.step)
        return self.rule.next(view)


@pytest.fixture(autouse=True)
def nothing_asked():
    asked.clear()


def matrix(shape, dtype=np.float32, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape).astype(dtype))


# ---- what is compiled, and how often --------------------------------------------------------------


def test_a_rule_is_asked_once_for_each_kind_of_call():
    calls = [
        lambda: matfun.orthogonalize(matrix((5, 4)), Counted(), steps=2),
        lambda: matfun.orthogonalize(matrix((4, 5)), Counted(), steps=2),
        lambda: matfun.orthogonalize(matrix((5, 4), np.float64), Counted(), steps=2),
        lambda: matfun.orthogonalize(matrix((5, 4)), Counted(), steps=3),
        lambda: matfun.orthogonalize(matrix((5, 4)), Counted(degree=3), steps=2),
        lambda: matfun.polar(matrix((5, 4)), method=Counted(), steps=2),
        lambda: matfun.polar(matrix((5, 4)), "left", Counted(), steps=2),
    ]
    for number, call in enumerate(calls):
        asked.clear()
        for _ in range(3):
            call()
        assert asked == list(range(3 if number == 3 else 2)), number


def test_a_rule_that_may_change_is_asked_in_every_call():
    mutable = OneByOne(matfun.NewtonSchulz())
    for _ in range(3):
        matfun.orthogonalize(matrix((5, 4)), mutable, steps=2)
    assert asked == [0, 1] * 3

    @dataclass(frozen=True)
    class Listed:
        parts: list

        def next(self, view):
            asked.append(view.step)
            return matfun.Polynomial(tuple(self.parts))

    rule = Listed([1.5, 0.5])
    before = matfun.orthogonalize(matrix((5, 4)), rule, steps=1)
    rule.parts[0] = 0.75
    assert float(abs(matfun.orthogonalize(matrix((5, 4)), rule, steps=1) - before).max()) > 0.01


RULES = {
    "prism": matfun.Prism(),
    "window": matfun.Window(),
}


@pytest.mark.parametrize("name", RULES)
def test_compiled_is_one_by_one(name):
    A, rule = matrix((2, 4, 7), np.float64), RULES[name]
    X, info = matfun.orthogonalize(A, rule, steps=3, rng=3, full_output=True)
    assert asked == []
    Y, other = matfun.orthogonalize(A, OneByOne(rule), steps=3, rng=3, full_output=True)
    assert asked == [0, 1, 2]
    np.testing.assert_allclose(X, Y, rtol=0, atol=2000 * 2.0**-52)
    for field in ("status", "backend", "steps", "products", "thin_products", "residual", "certificate"):
        assert getattr(info, field) == getattr(other, field), field
    np.testing.assert_allclose(info.scale, other.scale, rtol=1e-14)
    assert info.history.residuals == ()
    for h, g in zip(info.history.updates, other.history.updates, strict=True):
        assert h.basis == g.basis
        for c, d in zip(h.coefficients, g.coefficients, strict=True):
            assert type(c) is type(d)  # numbers stay Python's
            np.testing.assert_allclose(c, d, rtol=0, atol=1e-9)  # on a short window they are hardly determined


def test_zero_integers_and_scale_survive_compilation():
    zero = jnp.zeros((2, 3))
    for method in ("polar-express", "svd"):
        assert np.array_equal(matfun.orthogonalize(zero, method), zero)
    U, H = matfun.polar(jnp.asarray([[0, -3], [2, 0]]), steps=12)
    np.testing.assert_allclose(U, [[0, -1], [1, 0]], atol=1e-6)
    assert U.dtype == jnp.asarray(0.0).dtype
    assert np.array_equal(H, H.T)
    for scale in (2.0**-100, 2.0**100):
        U, H = matfun.polar(matrix((3, 3)) * scale, steps=6)
        V, K = matfun.polar(matrix((3, 3)), steps=6)
        assert np.array_equal(U, V)
        assert np.array_equal(H, K * scale)


def test_a_compiled_call_moves_nothing_between_host_and_device():
    A = matrix((5, 4))

    def calls():
        return matfun.orthogonalize(A, steps=3), matfun.orthogonalize(A, "prism", steps=3, rng=0)

    first = calls()
    with jax.transfer_guard("disallow"):
        second = calls()
        with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
            matfun.orthogonalize(A, OneByOne(matfun.Prism()), steps=3, rng=0)
    for X, Y in zip(first, second, strict=True):
        assert np.array_equal(X, Y)


# ---- random numbers -------------------------------------------------------------------------------


def test_every_call_draws_anew_without_a_seed():
    A = matrix((6, 6))
    X, Y = (matfun.orthogonalize(A, "prism", steps=2) for _ in range(2))
    assert not np.array_equal(X, Y)


def test_seeds_are_told_apart_and_repeat():
    A = matrix((6, 6))
    X, Y, Z = (matfun.orthogonalize(A, "prism", steps=2, rng=seed) for seed in (0, 1, np.int64(0)))
    assert not np.array_equal(X, Y)
    assert np.array_equal(X, Z)


def test_a_generator_goes_on():
    A = matrix((6, 6))
    ours, theirs = (np.random.default_rng(5) for _ in range(2))
    for _ in range(2):
        X = matfun.orthogonalize(A, "prism", steps=2, rng=ours)
        Y = matfun.orthogonalize(A, OneByOne(matfun.Prism()), steps=2, rng=theirs)
        np.testing.assert_allclose(X, Y, rtol=0, atol=ROUNDING)
    assert ours.standard_normal() == theirs.standard_normal()
    matfun.orthogonalize(A, "polar-express", steps=2, rng=ours)  # draws nothing
    assert ours.standard_normal() == theirs.standard_normal()


# ---- inside transformations -----------------------------------------------------------------------


def test_a_compiled_call_inside_other_transformations():
    A = matrix((2, 5, 4))
    expected = matfun.orthogonalize(A, steps=3)

    def info_too(a):
        X, info = matfun.orthogonalize(a, steps=3, full_output=True)
        assert info.products == 9
        return X, info.scale

    for run in (jax.jit(info_too), jax.vmap(info_too), jax.jit(jax.vmap(jax.jit(info_too)))):
        X, scale = run(A)
        np.testing.assert_allclose(X, expected, rtol=0, atol=ROUNDING)
        assert scale.shape == (2,)
    _, tangent = jax.jvp(lambda a: info_too(a)[0], (A,), (A,))
    np.testing.assert_allclose(tangent, 0 * A, atol=ROUNDING)  # along A itself nothing changes


# ---- 16 bit ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device_scalars", [False, True])
@pytest.mark.parametrize("cancels", [False, True])
def test_sums_of_products_in_bfloat16_are_rounded_once(cancels, device_scalars):
    """One rounding, u = 2^-8 of the result, and k + 4 of float32, 2^-24 of the moduli, with k = 32 terms.

    Where the two terms nearly cancel, a product that was rounded before would be off by 2^-8 of itself.
    """
    k, u, w = 32, 2.0**-8, 2.0**-24
    A, B = (matrix((k, k), seed=s).astype(jnp.bfloat16) for s in (1, 2))
    a, b, wide = *(np.asarray(x, np.float64) for x in (A, B)), np.float64
    alpha, beta = 0.3125, -0.3046875  # 16-bit numbers
    C = jnp.asarray(a @ b).astype(jnp.bfloat16) if cancels else matrix((k, k), seed=3).astype(jnp.bfloat16)
    c = np.asarray(C, wide)
    exact = beta * c + alpha * (a @ b)
    sizes = abs(beta * c) + alpha * (abs(a) @ abs(b))
    given = [jnp.asarray(x, jnp.float32) if device_scalars else x for x in (alpha, beta)]
    ops = ops_for(A)
    found = ops.add_matmul(C, A, B, *given)
    assert found.dtype == jnp.bfloat16
    bound = u * abs(exact) + 2 * (k + 4) * w * sizes
    assert np.all(abs(np.asarray(found, wide) - exact) <= bound)
    plain = ops_for(A, "array-api").add_matmul(C, A, B, *given)
    assert np.any(abs(np.asarray(plain, wide) - exact) > bound)  # the bound can be failed


def test_products_in_bfloat16_are_summed_in_float32():
    # 1 + 2^-9 added up n times in 16 bit would stop growing at 256
    A = jnp.ones((2, 1000), jnp.bfloat16)
    ops = ops_for(A)
    for product in (ops.matmul(A, A.T), ops.gram(A.T), ops.symm_matmul(A, A.T), ops.thin_matmul(A, A.T)):
        assert product.dtype == jnp.bfloat16
        assert np.array_equal(np.asarray(product, np.float32), np.full((2, 2), 1000.0))


@pytest.mark.parametrize("method", ["polar-express", "prism", "window"])
def test_products_of_float32_have_its_digits_on_every_device(method):
    """On a GPU JAX multiplies in TF32 where nothing is said, and on a TPU in bfloat16."""

    def products(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                yield equation
            for parameter in jax.tree_util.tree_leaves(list(equation.params.values()), is_leaf=callable):
                inner = getattr(parameter, "jaxpr", parameter)  # of closed ones
                if hasattr(inner, "eqns"):
                    yield from products(inner)

    A = jnp.asarray(np.random.default_rng(0).standard_normal((24, 16)), jnp.float32)
    traced = jax.make_jaxpr(lambda A: matfun.orthogonalize(A, method, steps=3, rng=0))(A)
    found = list(products(traced.jaxpr))
    assert len(found) >= 6
    highest = jax.lax.Precision.HIGHEST
    assert {equation.params["precision"] for equation in found} == {(highest, highest)}


@pytest.mark.parametrize(("method", "rng"), [("polar-express", None), ("window", 0), ("prism", 0)])
def test_large_members_of_a_stack_are_worked_on_one_by_one(method, rng):
    """In a loop on the device, which answers as the members do alone, info included."""
    A = jnp.asarray(np.random.default_rng(0).standard_normal((2, 2, 64, 65)).astype(np.float32))
    assert ops_for(A).members_at_once(A) is None  # outside a compiled function nothing is looped over
    assert "scan[" in str(jax.make_jaxpr(lambda A: matfun.orthogonalize(A, method, 3, rng=0))(A))
    X, info = matfun.orthogonalize(A, method, 3, rng=rng, full_output=True)
    traced = jax.jit(lambda A: matfun.orthogonalize(A, method, 3, rng=rng))(A)
    U, H = jax.jit(lambda A: matfun.polar(A, "left", method, steps=3, rng=rng))(A)
    np.testing.assert_allclose(U, X, rtol=0, atol=ROUNDING)
    assert H.shape == (2, 2, 64, 64)
    assert X.shape == traced.shape == A.shape
    assert info.scale.shape == A.shape[:-2]
    for i in np.ndindex(A.shape[:-2]):
        alone, one = matfun.orthogonalize(A[i], method, 3, rng=rng, full_output=True)
        np.testing.assert_allclose(X[i], alone, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(traced[i], alone, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(info.scale[i], one.scale, rtol=1e-5)
        assert info.products == one.products
        for many, single in zip(info.history.updates, one.history.updates, strict=True):
            for c, d in zip(many.coefficients, single.coefficients, strict=True):
                np.testing.assert_allclose(c[i] if hasattr(c, "shape") and c.ndim else c, d, rtol=2e-2)


def test_derivatives_of_a_stack_of_large_members():
    A = jnp.asarray(np.random.default_rng(0).standard_normal((2, 64, 64)))
    D = jnp.asarray(np.random.default_rng(1).standard_normal(A.shape))
    weights = jnp.asarray(np.random.default_rng(2).standard_normal(A.shape))

    def f(A):
        return jnp.sum(weights * matfun.orthogonalize(A, "newton-schulz", 3))

    step = 1e-5
    slope = (f(A + step * D) - f(A - step * D)) / (2 * step)
    assert float(jnp.sum(jax.grad(f)(A) * D)) == pytest.approx(float(slope), rel=1e-6)


def test_a_stack_of_large_members_and_numbers_of_numpy():
    """Coefficients that are NumPy's are numbers, and so are those of a rule that nobody promises to be the same."""
    A = jnp.asarray(np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32))

    class Taylor:
        def next(self, view):  # noqa: ARG002
            return matfun.Polynomial((np.float64(1.0), np.float64(0.5)))

    want = matfun.orthogonalize(A, matfun.NewtonSchulz(3), 3)
    for call in (
        lambda A: matfun.orthogonalize(A, Taylor(), 3),
        jax.jit(lambda A: matfun.orthogonalize(A, Taylor(), 3)),
    ):
        np.testing.assert_allclose(call(A), want, rtol=0, atol=ROUNDING)


def test_many_large_matrices_under_jit_are_one_loop():
    matrices = [jnp.asarray(np.random.default_rng(i).standard_normal((64, 64)).astype(np.float32)) for i in range(5)]
    found = jax.jit(lambda X: matfun.orthogonalize_each(X))(matrices)
    for X, A in zip(found, matrices, strict=True):
        np.testing.assert_allclose(X, matfun.orthogonalize(A), rtol=0, atol=ROUNDING)
    jaxpr = str(jax.make_jaxpr(lambda X: matfun.orthogonalize_each(X))(matrices))
    assert jaxpr.count("scan[") == 1
