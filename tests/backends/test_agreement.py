"""Does every library give the same numbers, in its own arrays, for every method, dtype and shape?"""

import numpy as np
import pytest

import matfun
from matfun.providers import ops_for
from matfun.rules.rule import registered

METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]
SHAPES = ((6, 6), (9, 4), (2, 2, 3, 5))


def shapes_for(library, dtype):
    """All shapes; for JAX, which compiles every operation again for each of them, only in one of the dtypes."""
    return SHAPES[-1:] if library.name == "jax" and dtype != "float32" else SHAPES


DTYPES = ("float32", "float64", "complex64", "complex128")

SMALLEST = 0.25
"""Smallest over largest singular value; the Frobenius norm divides by 2 more at most, so growth is 8 to reach 1."""

SPECTRUM = np.linspace(SMALLEST, 1.0, 6) / np.linalg.norm(np.linspace(SMALLEST, 1.0, 6))


def step_rounding(method, steps):
    """Allowed difference of two libraries after some steps, in eps.

    Evaluating h = sum c_i S^i with ||S|| <= 1 costs about sqrt(k) eps sum |c_i| however it is done, up to sqrt(8) times
    that in complex arithmetic; k <= 6, and what is left of the growth amplifies an early difference by 4 at most:
    30 sum |c_i|, where the worst measured is 11.  For the SVD the condition number of the unitary factor,
    1/sigma_min = 4, stands in the place of the sum.
    """
    updates = matfun.simulate(method, SPECTRUM, steps=steps, rng=0).updates
    return 30 * max(sum(abs(float(c)) for c in getattr(h, "coefficients", (4.0,))) for h in updates)


LIMIT_ROUNDING = 60
"""Allowed distance to the exact unitary factor, in eps.

Storing A costs eps/2 ||A||_F <= 1.5 eps ||A||_2 for k <= 6, which the condition number 1/sigma_min = 4 turns into 6
eps; a backward error of (12 + sqrt k) eps would be 4 x 15 eps, measured below 20 eps.
"""


def eps_of(dtype):
    return float(np.finfo(dtype).eps)


def assert_belongs(library, x, dtype, shape):
    assert type(x) is type(library.put(np.zeros((1, 1), dtype)))
    assert x.dtype == library.dtype(dtype)
    assert tuple(x.shape) == shape
    assert library.device_of(x) == library.device


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_orthogonalize_is_the_same_everywhere(library, known, method, dtype):
    for shape in shapes_for(library, dtype):
        A = known(shape, dtype, smallest=SMALLEST).A
        X = matfun.orthogonalize(library.put(A), method, steps=5, rng=7)
        assert_belongs(library, X, dtype, shape)
        expected = matfun.orthogonalize(A, method, steps=5, rng=7)
        np.testing.assert_allclose(library.get(X), expected, rtol=0, atol=step_rounding(method, 5) * eps_of(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", ["auto", *CONVERGING])
def test_polar_is_right_everywhere(library, known, method, dtype):
    for shape in shapes_for(library, dtype):
        case = known(shape, dtype, smallest=SMALLEST)
        for side, exact, size in (("right", case.H, shape[-1]), ("left", case.K, shape[-2])):
            U, H = result = matfun.polar(library.put(case.A), side, method, rng=7)
            assert_belongs(library, U, dtype, shape)
            assert_belongs(library, H, dtype, (*shape[:-2], size, size))
            np.testing.assert_allclose(library.get(U), case.U, rtol=0, atol=LIMIT_ROUNDING * eps_of(dtype))
            # H is U^H A: the error of U times ||A||_2 = 3
            np.testing.assert_allclose(library.get(H), exact, rtol=0, atol=3 * LIMIT_ROUNDING * eps_of(dtype))
            assert np.array_equal(library.get(H), np.swapaxes(library.get(H), -1, -2).conj())
            assert result.info.ok
            lent = (library.name, method) == ("jax", "auto")  # test_host_memory.py
            assert result.info.backend == ("numpy" if lent else library.provider)
            assert np.shape(result.info.status) == np.shape(result.info.steps) == shape[:-2]


@pytest.mark.parametrize("method", METHODS)
def test_polar_with_steps_is_the_same_everywhere(library, known, method):
    for shape in SHAPES[1:] if library.name == "jax" else SHAPES:  # it compiles for each
        A = known(shape, "float32", smallest=SMALLEST).A
        for side in ("right", "left"):
            U, H = result = matfun.polar(library.put(A), side, method, steps=4, rng=7)
            V, K = matfun.polar(A, side, method, steps=4, rng=7)
            assert_belongs(library, U, "float32", shape)
            assert_belongs(library, H, "float32", K.shape)
            np.testing.assert_allclose(library.get(U), V, rtol=0, atol=step_rounding(method, 4) * eps_of("float32"))
            np.testing.assert_allclose(library.get(H), K, rtol=0, atol=3 * step_rounding(method, 4) * eps_of("float32"))
            assert result.info.status is matfun.Status.UNCHECKED
            assert result.info.residual is None
            assert result.info.certificate is None


@pytest.mark.parametrize("method", METHODS)
def test_the_certificate_tells_the_true_errors(library, known, method):
    if method not in CONVERGING:
        pytest.skip(f"{method} has no limit to certify")
    case = known((4, 7, 5), "float32", smallest=SMALLEST)
    A = case.A.astype(np.float64)
    U, H = result = matfun.polar(library.put(case.A), method=method, certificate="exact", rng=7)
    U, H = (library.get(x).astype(np.float64) for x in (U, H))
    backward = np.linalg.norm(A - U @ H, axis=(-2, -1)) / np.linalg.norm(A, axis=(-2, -1))
    orthogonality = np.linalg.norm(np.swapaxes(U, -1, -2) @ U - np.eye(5), axis=(-2, -1)) / 5**0.5
    # the certificate is itself computed in float32: each element of U H and of U^H U carries about sqrt(5) eps
    slack = 4 * eps_of("float32")
    np.testing.assert_allclose(result.info.backward_error, backward, rtol=0, atol=slack)
    np.testing.assert_allclose(result.info.orthogonality, orthogonality, rtol=0, atol=slack)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (0, 2, 3), (2, 0, 3, 3), (2, 3, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_in_gives_nothing_out(library, shape, dtype):
    A = np.zeros(shape, dtype)
    for side, size in (("right", shape[-1]), ("left", shape[-2])):
        for how in ({}, {"steps": 3}):
            U, H = result = matfun.polar(library.put(A), side, **how)
            assert_belongs(library, U, dtype, shape)
            assert_belongs(library, H, dtype, (*shape[:-2], size, size))
            assert np.all(library.get(H) == 0)
            assert result.info.ok
    assert_belongs(library, matfun.orthogonalize(library.put(A)), dtype, shape)


def test_every_library_draws_the_same_numbers(library):
    ops = ops_for(library.put(np.zeros((2, 2))))
    expected = np.random.default_rng(3).standard_normal((4, 2))
    for dtype in ("float64", "complex128"):
        draw = ops.normal(3, (4, 2), library.put(np.zeros((1, 1), dtype)))
        assert_belongs(library, draw, dtype, (4, 2))
        assert np.array_equal(library.get(draw), expected)
