"""The measures that the peers' tests share: orthonormality, symmetry, definiteness, reconstruction."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest


@dataclass(frozen=True)
class Measured:
    """Errors of a polar decomposition, each relative and in units of eps of the dtype."""

    orthonormality: float
    reconstruction: float
    asymmetry: float
    indefiniteness: float


def frobenius(X: np.ndarray) -> float:
    """Frobenius norm, of long doubles too."""
    return float(np.sqrt(np.sum(np.abs(X) ** 2)))


@pytest.fixture(scope="session")
def measure() -> Callable[..., Measured]:
    """Measure U and H against A in a wider precision, so that measuring adds nothing.

    With ``fast`` doubles are measured in double, whose matrix products add up to sqrt(n) eps / 2.
    """

    def measured(A: np.ndarray, U: np.ndarray, H: np.ndarray, side: str = "right", *, fast: bool = False) -> Measured:
        eps = float(np.finfo(U.dtype).eps)
        wider = np.longdouble if eps < 1e-10 and not fast else np.float64
        A, U, H = (np.asarray(x).astype(np.result_type(x, wider)) for x in (A, U, H))
        m, n = A.shape
        gram = U.conj().T @ U if m >= n else U @ U.conj().T
        size = frobenius(A) or 1.0
        product = U @ H if side == "right" else H @ U
        in_double = H.astype(complex if np.iscomplexobj(H) else float)
        return Measured(
            float(frobenius(gram - np.eye(min(m, n))) / min(m, n) ** 0.5 / eps),
            float(frobenius(A - product) / size / eps),
            float(frobenius(H - H.conj().T) / size / eps),
            float(max(0.0, -np.linalg.eigvalsh(in_double).min()) / size / eps),
        )

    return measured


@pytest.fixture(scope="session")
def with_spectrum() -> Callable[..., np.ndarray]:
    """Make an m x n matrix with the given singular values and Haar-like singular vectors."""

    def make(m: int, n: int, sigmas: object, *, is_complex: bool = False, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        s = np.asarray(sigmas, dtype=float)

        def factor(size: int) -> np.ndarray:
            Z = rng.standard_normal((size, len(s)))
            return np.linalg.qr(Z + 1j * rng.standard_normal(Z.shape) if is_complex else Z)[0]

        return factor(m) * s @ factor(n).conj().T

    return make
