"""Is every verb of every provider what its name says, on stacks too, and does it leave its arguments alone?

Each is compared with a plain NumPy expression: sums of at most 7 products, five times over in the longest polynomial,
so some 100 eps of the largest element.
"""

import numpy as np
import pytest
from scipy.linalg import hadamard

from matfun.ops import Ops
from matfun.polynomials.update import Polynomial
from matfun.providers import ops_for
from matfun.sketching import Gaussian, RowSampling, SparseSign, Srht

CLOSE = 100 * 2.3e-16


def draw(rng, *shape, is_complex):
    Z = rng.standard_normal(shape)
    return Z + 1j * rng.standard_normal(shape) if is_complex else Z


def H(X):
    return np.swapaxes(X, -1, -2).conj()


def T(c):
    """A scalar per matrix, ready to multiply."""
    return np.asarray(c)[..., None, None]


def polynomial(S, c):
    """sum c_i S^i from i = 1."""
    power, total = S, T(c[1]) * S
    for ci in c[2:]:
        power = power @ S
        total = total + T(ci) * power
    return total


def cases(is_complex, stack):
    """Name, the call on a provider, the NumPy expression, and the NumPy arguments, for one kind of matrix."""
    rng = np.random.default_rng(0)
    X, Y = (draw(rng, *stack, 7, 4, is_complex=is_complex) for _ in range(2))
    W = draw(rng, *stack, 7, 3, is_complex=is_complex)
    A = draw(rng, *stack, 4, 4, is_complex=is_complex)
    S = (A + H(A)) / 8  # of norm about 1
    P = H(X) @ X + np.eye(4)
    L = np.linalg.cholesky(P)
    alpha, beta = rng.standard_normal((2, *stack))
    real_eye = np.eye(4)
    yield "gram", lambda o, x: o.gram(x), lambda x: H(x) @ x, (X,)
    yield "hermitian_gram", lambda o, x: o.hermitian_gram(x), lambda x: H(x) @ x, (X,)
    yield "matmul", lambda o, x, a: o.matmul(x, a), lambda x, a: x @ a, (X, A)
    yield "symm_matmul", lambda o, s: o.symm_matmul(s, s), lambda s: s @ s, (S,)
    yield "square", lambda o, s: o.square(s), lambda s: s @ s, (S,)
    yield "thin_matmul", lambda o, a, w: o.thin_matmul(o.adjoint(a), w), lambda a, w: H(a) @ w, (X, W)
    yield "add_matmul", lambda o, c, x, a: o.add_matmul(c, x, a), lambda c, x, a: c + x @ a, (Y, X, A)
    yield (
        "add_matmul, floats",
        lambda o, c, x, a: o.add_matmul(c, x, a, alpha=-2.0, beta=0.5),
        lambda c, x, a: 0.5 * c - 2 * (x @ a),
        (Y, X, A),
    )
    yield (
        "add_matmul, arrays",
        lambda o, c, x, a, p, q: o.add_matmul(c, x, a, alpha=p, beta=q),
        lambda c, x, a, p, q: T(q) * c + T(p) * (x @ a),
        (Y, X, A, alpha, beta),
    )
    yield (
        "add_matmul, itself",
        lambda o, s: o.add_matmul(s, s, s, alpha=2.0, beta=3.0),
        lambda s: 3 * s + 2 * s @ s,
        (S,),
    )
    yield "add_diagonal", lambda o, s: o.add_diagonal(s, -2.5), lambda s: s - 2.5 * real_eye, (S,)
    yield "add_diagonal, array", lambda o, s, c: o.add_diagonal(s, c), lambda s, c: s + T(c) * real_eye, (S, alpha)
    yield "scale", lambda o, x: o.scale(x, 3.0), lambda x: 3 * x, (X,)
    yield "scale, array", lambda o, x, c: o.scale(x, c), lambda x, c: T(c) * x, (X, alpha)
    yield "adjoint", lambda o, x: o.adjoint(x), H, (X,)
    yield "hermitian_part", lambda o, a: o.hermitian_part(a), lambda a: (a + H(a)) / 2, (A,)
    for c in (
        (0.0, 2.0),
        (1.0, -0.5, 0.25),
        (1.0, 0.5, 0.375, 0.3125),
        (1.0, 0.0, -1.0, 0.5, 2.0),
        (0.3, 1, 2, 3, 4, 5),
    ):
        yield f"polynomial {len(c)}", lambda o, s, c=c: o.polynomial(s, c), lambda s, c=c: polynomial(s, c), (S,)
        yield (
            f"polynomial {len(c)}, square",
            lambda o, s, c=c: o.polynomial(s, c, o.square(s)),
            lambda s, c=c: polynomial(s, c),
            (S,),
        )
        for basis in ("residual", "gram"):
            yield (
                f"polynomial_step {len(c)} {basis}",
                lambda o, x, s, c=c, b=basis: o.polynomial_step(x, s, Polynomial(tuple(map(float, c)), b)),
                lambda x, s, c=c: x @ (c[0] * real_eye + polynomial(s, c)),
                (X, S),
            )
            yield (
                f"polynomial_step {len(c)} {basis}, square",
                lambda o, x, s, c=c, b=basis: o.polynomial_step(x, s, Polynomial(tuple(map(float, c)), b), o.square(s)),
                lambda x, s, c=c: x @ (c[0] * real_eye + polynomial(s, c)),
                (X, S),
            )
    yield (
        "polynomial_step, arrays",
        lambda o, x, s, p, q: o.polynomial_step(x, s, Polynomial((1.0, p, q), "gram")),
        lambda x, s, p, q: x + x @ polynomial(s, (1, p, q)),
        (X, S, alpha, beta),
    )
    yield (
        "polynomial_step, arrays, square",
        lambda o, x, s, p, q: o.polynomial_step(x, s, Polynomial((q, p, q), "gram"), o.square(s)),
        lambda x, s, p, q: T(q) * x + x @ polynomial(s, (q, p, q)),
        (X, S, alpha, beta),
    )
    for distribution in (Gaussian(), SparseSign(2), Srht(), RowSampling()):
        sample = distribution.draw(4, 7, 0)
        name = f"sketch, {type(distribution).__name__}"
        yield name, lambda o, x, s=sample: o.sketch(s, x), lambda x, s=sample: s.matrix() @ x, (X,)
    Q = draw(rng, *stack, 8, 3, is_complex=is_complex)
    yield "walsh_hadamard", lambda o, x: o.walsh_hadamard(x), lambda x: hadamard(8) @ x, (Q,)
    yield "cholesky", lambda o, p: o.cholesky(p), np.linalg.cholesky, (P,)
    yield "solve", lambda o, p, a: o.solve(p, a), np.linalg.solve, (P, A)
    yield "solve_triangular", lambda o, x, a: o.solve_triangular(x, a), np.linalg.solve, (L, A)
    yield (
        "solve_triangular, upper",
        lambda o, x, a: o.solve_triangular(o.adjoint(x), a, lower=False),
        lambda x, a: np.linalg.solve(H(x), a),
        (L, A),
    )
    yield "qr", lambda o, x: o.matmul(*o.qr(x)), lambda x: x, (X,)
    yield "qr, orthonormal", lambda o, x: o.gram(o.qr(x)[0]), lambda x: x * 0 + real_eye, (A,)
    yield "svd", lambda o, x: o.svd(x)[1], lambda x: np.linalg.svd(x, compute_uv=False), (X,)
    yield "svd, factors", lambda o, x: o.matmul(o.svd(x)[0], o.svd(x)[2]), _unitary, (X,)
    yield "eigh", lambda o, s: o.eigh(s)[0], np.linalg.eigvalsh, (S,)
    yield "eigh, vectors", lambda o, s: o.gram(o.eigh(s)[1]), lambda s: s * 0 + real_eye, (S,)
    for name, ord_ in (("norm_fro", "fro"), ("plain_norm_fro", "fro"), ("norm_one", 1), ("norm_inf", np.inf)):
        yield (
            name,
            lambda o, x, name=name: getattr(o, name)(x),
            lambda x, ord_=ord_: np.linalg.norm(x, ord_, axis=(-2, -1)),
            (X,),
        )
    yield "max_abs", lambda o, x: o.max_abs(x), lambda x: np.abs(x).max(axis=(-2, -1)), (X,)
    yield "trace", lambda o, a: o.trace(a), lambda a: np.trace(a, axis1=-2, axis2=-1), (A,)
    yield "dot", lambda o, x, y: o.dot(x, y), lambda x, y: (x.conj() * y).real.sum(axis=(-2, -1)), (X, Y)
    yield "all_finite", lambda o, x: o.all_finite(x), lambda x: np.isfinite(x).all(axis=(-2, -1)), (X,)
    yield "eye", lambda o, x: o.eye(3, 5, x), lambda x: np.eye(3, 5, dtype=x.dtype), (X,)


def _unitary(X):
    left, _, right = np.linalg.svd(X, full_matrices=False)
    return left @ right


@pytest.mark.parametrize("stack", [(), (2,), (2, 3)], ids=["lone", "stack", "stack of stacks"])
@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("plain", [False, True], ids=["own", "defaults"])
def test_verbs(library, plain, is_complex, stack):
    if library.name == "jax" and (plain or len(stack) == 2):
        pytest.skip("JAX compiles every operation again for each shape; the defaults are tested on the others")
    for name, call, expression, arguments in cases(is_complex, stack):
        given = [library.put(x.copy()) for x in arguments]
        ops = ops_for(given[0], "array-api" if plain else None)
        assert type(ops) is Ops or not plain
        result = call(ops, *given)
        expected = expression(*arguments)
        assert tuple(result.shape) == expected.shape, name
        np.testing.assert_allclose(
            library.get(result), expected, rtol=0, atol=CLOSE * max(1, np.max(np.abs(expected))), err_msg=name
        )
        for before, after in zip(arguments, given, strict=True):
            assert np.array_equal(library.get(after), before), name
        # and what comes back is not a view that a later verb might write through
        assert all(result is not x for x in given), name


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
def test_norms_neither_overflow_nor_underflow(library, is_complex):
    X = draw(np.random.default_rng(1), 3, 5, 4, is_complex=is_complex)
    ops = ops_for(library.put(X))
    for scale in (1e-300, 1e-200, 1e200, 1e300):
        norm = library.get(ops.norm_fro(library.put(X * scale)))
        np.testing.assert_allclose(norm / scale, np.linalg.norm(X, axis=(-2, -1)), rtol=1e-14)
    assert np.array_equal(library.get(ops.norm_fro(library.put(X * 0))), np.zeros(3))


def test_select_takes_and_never_blends(library):
    good, bad = np.ones((3, 2, 2)), np.full((3, 2, 2), np.nan)
    ops = ops_for(library.put(good))
    mask = ops.from_host(np.array([True, False, True]), library.put(good), ops.xp.bool)
    result = library.get(ops.select(mask, library.put(good), library.put(bad)))
    assert np.array_equal(np.isnan(result).all(axis=(-2, -1)), [False, True, False])
    assert np.array_equal(result[[0, 2]], good[[0, 2]])


def test_prescaling_is_an_exact_power_of_two(library):
    X = (
        draw(np.random.default_rng(2), 6, 4, 3, is_complex=False)
        * np.array([1e-300, 1e-160, 1.0, 0.0, 1e160, 1e300])[:, None, None]
    )
    ops = ops_for(library.put(X))
    scaled, exponent = (library.get(x) for x in ops.prescale(library.put(X)))
    assert np.array_equal(exponent, np.round(exponent))
    assert np.array_equal(np.ldexp(scaled, exponent.astype(int)[:, None, None]), X)
    norms = np.linalg.norm(scaled, axis=(-2, -1))
    assert norms[3] == 0
    assert ((norms > 1e-100) & (norms < 1e150))[[0, 1, 2, 4, 5]].all()  # squares of squares remain numbers


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_rescaling_brings_norms_near_one_and_prescaling_leaves_those_that_need_nothing(library, shape):
    X = library.put(np.full(shape, 2.0**-40))
    ops = ops_for(X)
    scaled, exponent = (library.get(x) for x in ops.rescale(X))
    assert np.array_equal(np.ldexp(scaled, exponent.astype(int)[..., None, None]), library.get(X))
    assert (np.abs(np.log2(np.linalg.norm(scaled, axis=(-2, -1)))) < 3).all()
    if ops.known_norm(X) is not None:
        assert np.array_equal(ops.known_norm(X), np.full(shape[:-2], 12**0.5 * 2.0**-40))
        assert ops.prescale(X)[0] is X
