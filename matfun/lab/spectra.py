"""Chosen spectra, and matrices that have them.

The functions of a size `n` return singular values, shape (n,), descending, largest 1: feed them to
`matfun.simulate` as they are, or to `with_singular_values` for a dense matrix.  `one_large`, `one_tiny`,
`log_spaced` and `linear_spaced` are modes 1 to 4 of randsvd (N. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., sec. 28.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

Rng = np.random.Generator | int | None


def haar(m: int, k: int, rng: Rng = None, *, complex_: bool = False) -> np.ndarray:
    """Draw k orthonormal columns from Haar measure: QR of a Gaussian, phases fixed so that diag(R) > 0.

    Parameters
    ----------
    m, k : int
        Shape, m >= k.
    rng : Generator, int or None
        Source of randomness.
    complex_ : bool
        Unitary in place of orthogonal.

    Returns
    -------
    Q : array, shape (m, k)
        Without the phase fix the law depends on LAPACK's sign convention and is not Haar (F. Mezzadri, 2007).
    """
    q, r = np.linalg.qr(gaussian(m, k, rng, complex_=complex_))
    d = np.diagonal(r)
    return np.asarray(q * (d / np.abs(d)))


def gaussian(m: int, n: int, rng: Rng = None, *, complex_: bool = False) -> np.ndarray:
    """Draw independent standard normal entries, shape (m, n); complex ones have variance 1 too."""
    rng = np.random.default_rng(rng)
    if not complex_:
        return rng.standard_normal((m, n))
    return np.asarray((rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))) / np.sqrt(2))


def with_singular_values(
    sigmas: Sequence[float] | np.ndarray,
    m: int | None = None,
    n: int | None = None,
    rng: Rng = None,
    *,
    complex_: bool = False,
) -> np.ndarray:
    """Make A = U diag(sigmas) V^H with Haar factors.

    Parameters
    ----------
    sigmas : array, shape (k,)
        Singular values; the rest, up to min(m, n), is zero.
    m, n : int, optional
        Shape, each at least k; k by default.
    rng : Generator, int or None
        Source of randomness.
    complex_ : bool
        Unitary factors.

    Returns
    -------
    A : array, shape (m, n)
        Its singular values are `sigmas` up to a few eps times the largest: what is smaller drowns.
    """
    s = np.asarray(sigmas, dtype=np.float64)
    m, n = s.size if m is None else m, s.size if n is None else n
    if s.ndim != 1 or s.size > min(m, n):
        raise ValueError(f"sigmas must be a vector of at most min(m, n) = {min(m, n)} values, got {s.shape}")
    rng = np.random.default_rng(rng)
    left, right = haar(m, s.size, rng, complex_=complex_), haar(n, s.size, rng, complex_=complex_)
    return np.asarray((left * s) @ right.conj().T)


def rank_deficient(m: int, n: int, rank: int, rng: Rng = None, *, complex_: bool = False) -> np.ndarray:
    """Multiply Gaussian factors (m, rank) and (rank, n): the other singular values are pure rounding."""
    rng = np.random.default_rng(rng)
    return np.asarray(gaussian(m, rank, rng, complex_=complex_) @ gaussian(rank, n, rng, complex_=complex_))


def log_spaced(n: int, kappa: float) -> np.ndarray:
    """Geometric from 1 to 1 / kappa."""
    return np.geomspace(1.0, 1.0 / kappa, n)


def linear_spaced(n: int, kappa: float) -> np.ndarray:
    """Arithmetic from 1 to 1 / kappa."""
    return np.linspace(1.0, 1.0 / kappa, n)


def one_tiny(n: int, kappa: float) -> np.ndarray:
    """All 1, and one 1 / kappa: the bulk converges at once and hides the last value from any fit."""
    return np.append(np.ones(n - 1), 1.0 / kappa)


def one_large(n: int, kappa: float) -> np.ndarray:
    """One 1, and the rest 1 / kappa: any norm of the matrix is a poor scale for the bulk."""
    return np.append(1.0, np.full(n - 1, 1.0 / kappa))


def repeated(n: int, levels: Sequence[float] = (1.0, 0.5, 0.1)) -> np.ndarray:
    """Each level exactly repeated, in shares as equal as possible."""
    return np.sort(np.resize(np.asarray(levels, dtype=np.float64), n))[::-1]


def clustered(n: int, kappa: float, clusters: int = 4, width: float = 1e-6) -> np.ndarray:
    """Clusters at geometric levels from 1 to 1 / kappa, each of relative width `width`."""
    levels = np.geomspace(1.0, 1.0 / kappa, clusters)
    shares = [len(part) for part in np.array_split(np.arange(n), clusters)]
    return np.concatenate([x * (1 - np.linspace(0.0, width, k)) for x, k in zip(levels, shares, strict=True)])


def power_law(n: int, alpha: float) -> np.ndarray:
    """i^(-alpha), i = 1..n: 0.5 to 2 in gradients and in natural data."""
    return np.asarray(np.arange(1.0, n + 1.0) ** -alpha)


def spike_and_flat(n: int, spikes: int = 8, flat: float = 1e-3) -> np.ndarray:
    """`spikes` values from 1 to 0.1, the rest `flat`: a signal on noise (8 and 1e-3: arXiv:2605.06316)."""
    return np.append(np.geomspace(1.0, 0.1, spikes), np.full(n - spikes, flat))


# As l -> 0 the minimax quintic on [l, 1] tends to c x (x^2 - q)^2, which must be as high at x = 1 as at its
# inner maximum x^2 = q / 5: (1 - q)^2 = (4/5)^2 q^2 sqrt(q / 5).  At l = 1e-3 the minimum has moved by 1e-4.
INNER_MINIMUM = float(np.sqrt(brentq(lambda q: (1 - q) ** 2 - (0.8 * q) ** 2 * np.sqrt(q / 5), 0.1, 1.0)))


def inner_minimum(n: int, kappa: float, position: float = INNER_MINIMUM) -> np.ndarray:
    """Half of the values where a minimax polynomial dips lowest.

    An uncushioned minimax composition sends `position` down to the image of 1 / kappa: large singular values
    become small ones, and the backward error grows like eps * kappa while orthogonality stays perfect.
    Log-spaced spectra miss it.

    Parameters
    ----------
    n : int
        Number of values, at least 4.
    kappa : float
        Ratio of the largest to the smallest.
    position : float
        Where the dip is, relative to the largest value; by default that of the first quintic at large kappa.

    Returns
    -------
    sigmas : array, shape (n,)
        Ones, n // 2 times `position`, and 1 / kappa.
    """
    return np.concatenate([np.ones(n - n // 2 - 1), np.full(n // 2, position), [1.0 / kappa]])
