"""Named matrices of the field, by their usual names, and a few built to break one particular thing.

Definitions: N. Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., ch. 28), and the MATLAB
gallery.  All are float64, shape (n, n) unless said.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag, hadamard

from matfun.lab.spectra import Rng, gaussian, log_spaced, with_singular_values


def _indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    i = np.arange(1.0, n + 1.0)
    return i[:, None], i[None, :]


def hilbert(n: int) -> np.ndarray:
    """1 / (i + j - 1): kappa about e^(3.5 n)."""
    i, j = _indices(n)
    return np.asarray(1.0 / (i + j - 1.0))


def lotkin(n: int) -> np.ndarray:
    """Hilbert with a first row of ones: unsymmetric, eigenvalues tiny and negative."""
    matrix = hilbert(n)
    matrix[0] = 1.0
    return matrix


def kahan(n: int, theta: float = 1.2) -> np.ndarray:
    """diag(1, s, s^2, ...) times the unit triangle with -c above (c, s = cos, sin theta): hides rank."""
    c, s = np.cos(theta), np.sin(theta)
    return np.asarray(s ** np.arange(n)[:, None] * (np.eye(n) - c * np.triu(np.ones((n, n)), 1)))


def frank(n: int) -> np.ndarray:
    """Upper Hessenberg, n + 1 - max(i, j): determinant 1, ill-conditioned eigenvalues."""
    i, j = _indices(n)
    return np.where(j >= i - 1, n + 1 - np.maximum(i, j), 0.0)


def lehmer(n: int) -> np.ndarray:
    """min(i, j) / max(i, j): totally positive, kappa between n and 4 n^2."""
    i, j = _indices(n)
    return np.asarray(np.minimum(i, j) / np.maximum(i, j))


def minij(n: int) -> np.ndarray:
    """min(i, j): definite, eigenvalues 1 / (4 sin^2((2 k - 1) pi / (4 n + 2)))."""
    i, j = _indices(n)
    return np.asarray(np.minimum(i, j))


def wilson() -> np.ndarray:
    """Return the 4 x 4 Wilson matrix: small integers, determinant 1, kappa 2984."""
    return np.array([[5.0, 7, 6, 5], [7, 10, 8, 7], [6, 8, 10, 9], [5, 7, 9, 10]])


def moler(n: int) -> np.ndarray:
    """min(i, j) - 2, diagonal i: definite with one eigenvalue near 4^-n."""
    i, j = _indices(n)
    return np.asarray(np.minimum(i, j) - 2.0 + 2.0 * np.eye(n))


def grcar(n: int, superdiagonals: int = 3) -> np.ndarray:
    """Toeplitz with -1 below and 1 on and above the diagonal: strongly non-normal, kappa below 4."""
    ones = np.ones((n, n))
    return np.asarray(np.triu(np.tril(ones, superdiagonals)) - np.eye(n, k=-1))


def nilpotent(n: int) -> np.ndarray:
    """Ones above the diagonal: singular values 1 (n - 1 times) and 0, eigenvalues all 0."""
    return np.eye(n, k=1)


def graded(n: int, ratio: float = 0.5, rng: Rng = None) -> np.ndarray:
    """Gaussian with rows and columns scaled by ratio^i: entries from 1 to ratio^(2 n)."""
    scale = ratio ** np.arange(n)
    return np.asarray(scale[:, None] * gaussian(n, n, rng) * scale)


def equicorrelation(n: int, excess: float = 0.02) -> np.ndarray:
    """I plus excess / n everywhere: one eigenvalue 1 + excess, the others 1.

    The sums of its Gram matrix add n equal tiny numbers to one near 1, so that their roundings have one sign: what is
    measured once and not looked at again is off by n eps, where a random matrix shows sqrt(n) eps.
    """
    return np.eye(n) + excess / n


def two_level(n: int, kappa: float = 2.0**49, rng: Rng = None) -> np.ndarray:
    """H diag(1, ..., 1, 1/kappa, ..., 1/kappa) P H^T / n, Hadamard H and permutation P: an exact spectrum.

    For a power of two n <= 32 and kappa = 2^j, j <= 49, every entry is a float64 without rounding.  At kappa
    2^49 QDWH by QR without pivoting loses over three digits on it, none on a random matrix of that condition.

    Parameters
    ----------
    n : int
        Size, a power of two.
    kappa : float
        Ratio of the two levels.
    rng : Generator, int or None
        Draws the permutation; with P = I the matrix decouples into 2 x 2 blocks and the fault hides.

    Returns
    -------
    A : array, shape (n, n)
        n / 2 singular values 1 and n / 2 equal to 1 / kappa.
    """
    h = hadamard(n).astype(np.float64)
    p, half = h[:, np.random.default_rng(rng).permutation(n)], n // 2
    # Two integer products, joined once: a sum over both levels would round on the way.
    return np.asarray((h[:, :half] @ p[:, :half].T + h[:, half:] @ p[:, half:].T / kappa) / n)


def block_diagonal(n: int, kappas: tuple[float, ...] = (1e1, 1e6, 1e12), rng: Rng = None) -> np.ndarray:
    """Blocks (n, n), each log-spaced with its own kappa and all of norm 1."""
    rng = np.random.default_rng(rng)
    return np.asarray(block_diag(*(with_singular_values(log_spaced(n, k), rng=rng) for k in kappas)))
