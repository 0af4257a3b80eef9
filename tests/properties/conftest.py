"""Matrices with prescribed singular values, for all property tests."""

from collections.abc import Callable

import numpy as np
import pytest


def orthonormal(rng: np.random.Generator, m: int, k: int, *, is_complex: bool) -> np.ndarray:
    Z = rng.standard_normal((m, k))
    if is_complex:
        Z = Z + 1j * rng.standard_normal((m, k))
    return np.linalg.qr(Z)[0]


@pytest.fixture(scope="session")
def with_spectrum() -> Callable[..., np.ndarray]:
    """Make an m x n matrix with the given singular values and Haar-like singular vectors."""

    def make(m: int, n: int, sigmas: object, *, is_complex: bool = False, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        s = np.asarray(sigmas, dtype=float)
        P = orthonormal(rng, m, len(s), is_complex=is_complex)
        Q = orthonormal(rng, n, len(s), is_complex=is_complex)
        return P * s @ Q.conj().T

    return make


@pytest.fixture(scope="session")
def unitary() -> Callable[..., np.ndarray]:
    """Make a square matrix with orthonormal columns."""

    def make(n: int, *, is_complex: bool = False, seed: int = 0) -> np.ndarray:
        return orthonormal(np.random.default_rng(seed), n, n, is_complex=is_complex)

    return make
