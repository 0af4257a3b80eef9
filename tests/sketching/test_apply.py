"""Is S X what it is with S written out, on every library, dtype and stack, at the rounding of a sum of that length?

An inner product of n terms has in any order of summation an error of at most n eps |s|^H |x| (Higham, Accuracy and
Stability, eq. 3.4); complex products, the rounding of S and of the scale make it less than 4 N eps, N the padded n.
"""

import numpy as np
import pytest

from matfun.functions.sketch import sketch
from matfun.ops import Ops
from matfun.providers import ops_for
from matfun.sketching import Gaussian, Rademacher, RowSampling, SparseSign, Srht
from tests.backends.test_half import SIXTEEN_BIT, UNIT, put

ALL = [Gaussian(), Rademacher(), SparseSign(3), Srht(), RowSampling()]
distributions = pytest.mark.parametrize("distribution", ALL, ids=lambda d: type(d).__name__)


def matrix(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return X.astype(dtype)


def check(got, sample, X, eps):
    S, wide = sample.matrix(), X.astype(np.complex128 if X.dtype.kind == "c" else np.float64)
    expected = S @ wide
    assert got.shape == expected.shape
    bound = 4 * (1 << (X.shape[-2] - 1).bit_length()) * eps * (np.abs(S) @ np.abs(wide))
    assert (np.abs(got - expected) <= bound).all()


@distributions
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("plain", [False, True], ids=["own", "defaults"])
def test_the_sketch_is_the_product_with_the_matrix(library, plain, dtype, distribution):
    if library.name == "jax" and (plain or dtype in ("float32", "complex128")):
        pytest.skip("JAX compiles every operation again for each shape and dtype")
    sample = distribution.draw(9, 20, 3)
    for shape in ((20, 3), (2, 20, 3), (2, 2, 20, 1), (0, 20, 3)):
        X = matrix(shape, dtype)
        given = library.put(X)
        ops = ops_for(given, "array-api" if plain else None)
        assert type(ops) is Ops or not plain
        got = ops.sketch(sample, given)
        assert got.dtype == given.dtype
        assert type(got) is type(given)
        check(library.get(got), sample, X, float(np.finfo(dtype).eps))
        assert np.array_equal(library.get(given), X)


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 300, 4096])
def test_transforms_of_every_number_of_passes(n):
    X = matrix((n, 2), "float64")
    sample = Srht().draw(min(n, 100), n, 0)
    check(ops_for(X).sketch(sample, X), sample, X, 2.3e-16)


@distributions
def test_the_defaults_and_the_providers_agree_without_columns(distribution):
    sample = distribution.draw(9, 20, 3)
    X = np.zeros((2, 20, 0))
    assert ops_for(X).sketch(sample, X).shape == ops_for(X, "array-api").sketch(sample, X).shape == (2, 9, 0)


@pytest.mark.parametrize(("name", "dtype"), SIXTEEN_BIT)
@distributions
def test_16_bit_matrices_are_added_up_in_float32(name, dtype, distribution):
    given, back = put(name, dtype, matrix((600, 2), "float64"))
    Y = sketch(given, distribution, 9, rng=0)
    assert Y.dtype == given.dtype
    X = back(given)
    S = distribution.draw(9, 600, 0).matrix()
    # the result is rounded once; what is added up in float32 is 2^-16 or 2^-13 of that, times 4 N of the bound
    bound = UNIT[dtype] * np.abs(S @ X) + 4 * 1024 * 2.0**-24 * np.abs(S) @ np.abs(X)
    assert (np.abs(back(Y) - S @ X) <= bound).all()


@distributions
def test_traced_and_counted(distribution):
    jax = pytest.importorskip("jax")
    X = matrix((20, 3), "float64")
    sample = distribution.draw(9, 20, 3)
    traced = jax.jit(lambda x: sketch(x, distribution, 9, rng=3))(jax.numpy.asarray(X))
    check(np.asarray(traced), sample, X, 2.3e-16)
    counting = ops_for(X, "counting")
    before = counting.counts["sketch"]
    check(sketch(X, distribution, 9, rng=3, backend=counting), sample, X, 2.3e-16)
    assert counting.counts["sketch"] == before + 1


def test_what_is_not_finite_stays_so_and_lists_are_taken():
    X = np.ones((8, 2))
    X[3, 1] = np.nan
    assert np.isfinite(sketch(X, Gaussian(), 4, rng=0)[:, 0]).all()
    assert np.isnan(sketch(X, Gaussian(), 4, rng=0)[:, 1]).all()
    assert sketch([[1, 2], [3, 4]], Rademacher(), 3, rng=0).shape == (3, 2)
