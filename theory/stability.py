r"""Backward stability and conditioning of the polar factor, as numbers.

Stability (Nakatsukasa and Higham, SIMAX 33 (2012), Thm 2.4).  If each step f is evaluated with mixed
backward-forward stability and $f(\sigma)/\sigma \ge d^{-1} \max f / \sigma_{\max}$ on the spectrum, the
computed U and $H = (U^H A + A^H U)/2$ have a backward error of $O(d)$ times the unit roundoff.  ``factor``
is that d: how much a direction can lose against the largest one.  It is 1 for Newton-Schulz on $(0, 1]$ and
grows without limit as $\sigma_{\max} \to \sqrt 3$.

Distance (Higham, Functions of Matrices, Lemma 8.17).  With singular values x of X, $\|X - U\| = \max |x -
1|$ and $\|X^H X - I\| = \max |x - 1|(x + 1)$, hence $\|X^H X - I\|/(1 + \|X\|) \le \|X - U\| \le \|X^H X -
I\|$.

Conditioning (Functions of Matrices, Thm 8.9), in the Frobenius norm.  U: $2/(\sigma_n + \sigma_{n-1})$ for
real square matrices (0 for n = 1: the sign of a number is locally constant), $1/\sigma_n$ otherwise.
H: $\sqrt2 (1 + \kappa^2)^{1/2}/(1 + \kappa) \le \sqrt 2$, whatever $\kappa$ is.

Observed only: the constant ``EMPIRICAL_BACKWARD`` in the bound on the backward error.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np

from theory.scalar import Spectrum

EMPIRICAL_BACKWARD = 30.0
"""Backward error over factor * eps never exceeded this in float64 runs of all rules."""

POINTS = 1500
"""Points of each of the two grids; a maximum is missed by at most (spacing)^2/8 times the curvature."""


def factor(function: Callable[[Spectrum], Spectrum], lower: float, upper: float) -> float:
    """Return (max f / upper) / min(f(x)/x) over [lower, upper], on a linear and a logarithmic grid.

    Parameters
    ----------
    function : callable
        The scalar map of one step, elementwise on an array.
    lower, upper : float
        0 < lower < upper.
    """
    x = np.concatenate([np.linspace(lower, upper, POINTS), np.geomspace(lower, upper, POINTS)])
    value = function(x)
    return float(np.max(value) / upper / np.min(value / x))


def backward_bound(amplification: float, eps: float) -> float:
    """Bound on the relative backward error of the computed polar decomposition; eps is twice the roundoff."""
    return EMPIRICAL_BACKWARD * amplification * eps


def distance_bounds(residual: float, norm: float) -> tuple[float, float]:
    """Bounds on ||X - U||_2 from ||X^H X - I||_2 and ||X||_2."""
    return residual / (1 + norm), residual


def unitary_condition(sigmas: Spectrum, *, square: bool = True, real: bool = True) -> float:
    """Absolute Frobenius condition number of the unitary factor; singular values in descending order."""
    if not (square and real):
        return float(1 / sigmas[-1])
    return 0.0 if len(sigmas) == 1 else float(2 / (sigmas[-1] + sigmas[-2]))


def hermitian_condition(kappa: float) -> float:
    """Absolute Frobenius condition number of the Hermitian factor."""
    return sqrt(2) * sqrt(1 + kappa**2) / (1 + kappa)
