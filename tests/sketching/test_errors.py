"""Is every refusal named: the argument, what was expected, what came?"""

import re

import numpy as np
import pytest

from matfun.functions.estimate_trace import estimate_trace
from matfun.functions.sketch import sketch
from matfun.sketching import (
    Gaussian,
    Rademacher,
    RowSampling,
    SparseSign,
    Srht,
    hutchinson_size,
    hutchinson_size_indefinite,
    hutchpp_size,
    hutchpp_variance,
)

A = np.eye(6)

CASES = {
    "size: expected at least 1, got 0": lambda: sketch(A, Gaussian(), 0),
    "size: expected an integer, got 2.0": lambda: sketch(A, Gaussian(), 2.0),
    "size: expected at most n = 6 rows, drawn without replacement, got 7": lambda: sketch(A, RowSampling(), 7),
    "size: expected at most the 8 rows of the transform for n = 6, got 9": lambda: sketch(A, Srht(), 9),
    "size: expected at least as many rows as nonzeros, 8, got 7": lambda: sketch(A, SparseSign(), 7),
    "n: expected at least 1, got 0": lambda: Gaussian().draw(3, 0),
    "nonzeros: expected at least 1, got 0": lambda: SparseSign(0),
    "rng: expected a numpy.random.Generator, a seed or None, got -1": lambda: sketch(A, Srht(), 2, rng=-1),
    "rng: expected a numpy.random.Generator, a seed or None, got 'seed'": lambda: Gaussian().draw(2, 2, "seed"),
    "distribution: expected Gaussian(), Rademacher(), SparseSign(), Srht() or RowSampling()": lambda: sketch(
        A, "gaussian", 3
    ),
    "RowSampling() of matfun.sketching, got <class": lambda: estimate_trace(A, products=3, distribution=Gaussian),
    "A: expected at least two dimensions": lambda: sketch(np.ones(3), Gaussian(), 2),
    "A: expected at least one row, got shape (0, 3)": lambda: sketch(np.ones((0, 3)), Gaussian(), 2),
    "A: expected an array of floats for sketch": lambda: sketch(np.array([[1, 2]], dtype=object), Gaussian(), 2),
    "backend: no provider is called 'nothing'": lambda: sketch(A, Gaussian(), 2, backend="nothing"),
    "method: expected 'hutch++' or 'hutchinson', got 'exact'": lambda: estimate_trace(A, "exact", products=3),
    "products: expected at least 3, got 2": lambda: estimate_trace(A, products=2),
    "products: expected at least 1, got 0": lambda: estimate_trace(A, "hutchinson", products=0),
    "products: expected an integer, got True": lambda: estimate_trace(A, products=True),
    "products: 7 probes are not what RowSampling() can draw; size: expected at most": lambda: estimate_trace(
        A, "hutchinson", products=7, distribution=RowSampling()
    ),
    "products: 3 probes are not what SparseSign(nonzeros=8) can draw": lambda: estimate_trace(
        A, products=9, distribution=SparseSign()
    ),
    "A: expected square matrices (..., n, n) with n > 0, got shape (2, 3)": lambda: estimate_trace(
        np.ones((2, 3)), products=3
    ),
    "A: expected square matrices (..., n, n) with n > 0, got shape (0, 0)": lambda: estimate_trace(
        np.ones((0, 0)), products=3
    ),
    "A: expected an array of floats for estimate_trace": lambda: estimate_trace(
        np.array([[1]], dtype=object), products=3
    ),
    "like: expected an array of shape (..., n, j) where A is callable, got None": lambda: estimate_trace(
        lambda Z: Z, products=3
    ),
    "like: expected None where A is an array, got ndarray": lambda: estimate_trace(A, products=3, like=A),
    "like: expected at least one row, got shape (0, 2)": lambda: estimate_trace(
        lambda Z: Z, products=3, like=np.ones((0, 2))
    ),
    "dimension: expected at least 1, got 0": lambda: Gaussian().size_for(0, 0.5, 0.1),
    "vectors: expected at least 1, got 0": lambda: Rademacher().size_for(0, 0.5, 0.1),
    "distortion: expected a number in (0, 1), got 1.0": lambda: Gaussian().size_for(2, 1.0, 0.1),
    "failure: expected a number in (0, 1), got 0": lambda: SparseSign().size_for(2, 0.5, 0),
    "failure: expected a number in (0, 1), got nan": lambda: Gaussian().size_for(2, 0.5, float("nan")),
    "n: expected at least 5, got 4": lambda: Srht().size_for(5, 4, 0.5, 0.1),
    "coherence: expected a number in [dimension, n] = [2, 9], got 1": lambda: RowSampling().size_for(2, 9, 0.5, 0.1, 1),
    "distortion: expected a number in (0, 1), got 2": lambda: hutchinson_size(2, 0.1),
    "failure: expected a number in (0, 1), got 2": lambda: hutchpp_size(0.1, 2),
    "products: expected at least 9, got 8": lambda: hutchpp_variance(8),
    "error: expected a positive finite number, got 0": lambda: hutchinson_size_indefinite(0, 0.1, 1, 1),
    "norm_two: expected a positive finite number, got inf": lambda: hutchinson_size_indefinite(1, 0.1, 1, float("inf")),
}


@pytest.mark.parametrize("message", list(CASES))
def test_messages(message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        CASES[message]()
