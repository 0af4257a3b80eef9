"""Have all distributions the second moments they claim, and is a sample a function of its seed alone?"""

import numpy as np
import pytest

from matfun.functions.sketch import sketch
from matfun.sketching import Gaussian, Rademacher, RowSampling, SparseSign, Srht
from matfun.sketching.samples import walsh_hadamard

SIZE, N, PADDED = 5, 12, 16
DRAWS = 2000

VARIANCES = {
    Gaussian(): (2 / SIZE, 1 / SIZE),
    Rademacher(): (0.0, 1 / SIZE),
    SparseSign(3): (0.0, 1 / SIZE),
    Srht(): (0.0, (1 - SIZE / PADDED) / (1 - 1 / PADDED) / SIZE),
    RowSampling(): (N / SIZE - 1, 0.0),
}
"""Of the diagonal and the other elements of S^H S: sums of ``SIZE`` independent products, or of as many drawn from a
finite population of mean square 1 (Srht: signs of mean 0; RowSampling: N/SIZE or 0)."""

distributions = pytest.mark.parametrize("distribution", list(VARIANCES), ids=lambda d: type(d).__name__)


@distributions
def test_the_mean_of_the_gram_matrix_is_the_identity(distribution):
    rng = np.random.default_rng(0)
    S = np.stack([distribution.draw(SIZE, N, rng).matrix() for _ in range(DRAWS)])
    grams = np.swapaxes(S, -1, -2) @ S
    diagonal = np.eye(N, dtype=bool)
    rounding = 4 * SIZE * 2.3e-16
    for where, variance in zip((diagonal, ~diagonal), VARIANCES[distribution], strict=True):
        # five standard errors of a mean of DRAWS, for 144 elements: 1e-4 of all seeds would fail
        deviation = np.abs(grams.mean(axis=0) - np.eye(N))[where]
        assert deviation.max() <= 5 * np.sqrt(variance / DRAWS) + rounding
        # and the spread is the one claimed: at least 11 elements of 2000 draws each, whose squares have a relative
        # standard error of at most sqrt(14 / 22000) = 0.025 even for the squares of chi-squares
        sampled = grams.var(axis=0)[where].mean()
        assert abs(sampled - variance) <= 5 * 0.025 * variance + rounding


@distributions
def test_the_same_seed_gives_the_same_bits_on_every_library(library, distribution):
    expected = distribution.draw(SIZE, N, 7).matrix()
    assert np.array_equal(expected, distribution.draw(SIZE, N, np.random.default_rng(7)).matrix())
    assert not np.array_equal(expected, distribution.draw(SIZE, N, 8).matrix())
    # one nonzero in each column of the identity: no sum rounds
    assert np.array_equal(library.get(sketch(library.put(np.eye(N)), distribution, SIZE, rng=7)), expected)


@distributions
def test_a_generator_moves_on_and_the_global_state_is_not_used(distribution):
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    rng = np.random.default_rng(7)
    first, second = (distribution.draw(SIZE, N, rng).matrix() for _ in range(2))
    assert not np.array_equal(first, second)
    assert not np.array_equal(*(distribution.draw(SIZE, N).matrix() for _ in range(2)))
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_nonzeros_are_distinct_and_uniform():
    drawn = SparseSign(3).draw(SIZE, 4000, 0)
    assert all(len(set(rows)) == 3 for rows in drawn.rows.tolist())
    # each row is hit by 3/5 of the columns; standard error sqrt(0.6 * 0.4 / 4000) = 0.0077
    np.testing.assert_allclose(np.bincount(drawn.rows.ravel()) / 4000, 0.6, atol=5 * 0.0077)
    assert sorted(SparseSign(5).draw(5, 1, 0).rows[0].tolist()) == [0, 1, 2, 3, 4]


def test_all_rows_are_an_isometry():
    for sample in (RowSampling().draw(N, N, 0), Srht().draw(PADDED, N, 0)):
        S = sample.matrix()
        np.testing.assert_allclose(S.T @ S, np.eye(N), atol=1e-15 * PADDED)


def test_the_hadamard_matrix_is_that_of_sylvester():
    H = np.ones((1, 1))
    for _ in range(4):
        H = np.kron([[1, 1], [1, -1]], H)
    assert np.array_equal(walsh_hadamard(np.arange(16), 16), H)
