r"""Discrete measures: what a fit knows of a spectrum, whatever it was given.

Values y = sigma^p, that is the eigenvalues of the Gram matrix (p = 2) or of M = I - R of an inverse p-th root, each
with a weight.  A list of singular values, a histogram, Chebyshev moments and Lanczos tridiagonals all become one.

* Moments: the recursion coefficients of the measure by the modified Chebyshev algorithm (Sack and Donovan 1971;
  Gautschi, Orthogonal Polynomials, 2004, sec. 2.1.7), its Gauss rule as the eigenvalues and squared first eigenvector
  components of the Jacobi matrix (Golub and Welsch, Math. Comp. 23, 1969).
* Lanczos: the tridiagonal matrix *is* the Jacobi matrix of the measure that the probe sees; the mean over probes is
  stochastic Lanczos quadrature (Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38(4), 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any
from warnings import warn

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import roots_jacobi

NODES_PER_BIN = 16
"""An error of degree d in sigma that is seen at this many Lobatto points of a bin is nowhere in the bin above about
1/cos(d pi / 30) times what was seen (Ehlich and Zeller, Math. Z. 86, 1964, for Chebyshev's points): 1.16 for d = 5."""

EMPIRICAL_MOMENT_ROUNDING = 1e-10
"""A norm below this, relative to the mass, is what rounding of the moments can make of 0: in none of 1024 random
measures of up to 12 points at least 0.02 of the interval apart was it more, and in two more than 1e-11.  The moments
that are not used then differ from the rule's by about as much."""

NODE_ROUNDING = 2.0**-26
"""About the root of the unit roundoff: as far may rounding move a point out of the interval, or a norm below 0."""

NOT_ROUNDING = 2.0**-8
"""Unit roundoff of bfloat16: a Ritz value of a semidefinite matrix that is more negative than this times the largest
comes from no rounding."""


@dataclass(frozen=True)
class SpectralMeasure:
    r"""Points $y_i \ge 0$ with weights, sorted, equal points merged, weights summing to 1, no weight 0.

    The floats y are the data: r = 1 - y is exact for y in [1/2, 2].

    Parameters
    ----------
    nodes : sequence of float
        Non-negative: sigma^p.
    weights : sequence of float
        Non-negative, of any positive sum; points of weight 0 are left out.

    Raises
    ------
    ValueError
        For lengths that differ, no positive weight, or what is negative or not finite.

    Examples
    --------
    >>> SpectralMeasure.from_spectrum([1.0, 0.5, 0.5])
    SpectralMeasure(nodes=(0.25, 1.0), weights=(0.6666666666666666, 0.3333333333333333))
    """

    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        y, w = _vector("nodes", self.nodes), _vector("weights", self.weights)
        if y.size != w.size:
            raise ValueError(f"weights: expected one for each of the {y.size} nodes, got {w.size}")
        size = w.max()
        if size == 0:
            raise ValueError("weights: expected at least one above 0, got none")
        y, inverse = np.unique(y[w > 0], return_inverse=True)
        w = np.bincount(inverse, w[w > 0] / size)
        object.__setattr__(self, "nodes", tuple(y.tolist()))
        object.__setattr__(self, "weights", tuple((w / w.sum()).tolist()))

    @classmethod
    def from_spectrum(
        cls, sigmas: Sequence[float], p: int = 2, weights: Sequence[float] | None = None
    ) -> SpectralMeasure:
        """Take given singular values, or roots of given eigenvalues of M.

        Parameters
        ----------
        sigmas : sequence of float
            Non-negative.
        p : int
            The measure is that of sigma^p.
        weights : sequence of float, optional
            Default: all equal.
        """
        s = _vector("sigmas", sigmas)
        return cls(_power(s, p), tuple(np.ones(s.size).tolist()) if weights is None else tuple(weights))

    @classmethod
    def from_histogram(
        cls, edges: Sequence[float], counts: Sequence[float], p: int = 2, per_bin: int = NODES_PER_BIN
    ) -> SpectralMeasure:
        """Spread each count evenly, in sigma, over its bin.

        Each bin becomes a Gauss-Lobatto rule: positive weights, the ends of the bin among its points (a minimax fit has
        to see them, and Gauss-Legendre points stay inside), and integrals over the bin exact to degree
        2 per_bin - 3 in sigma.  An empty bin says that nothing is there and adds no points, not even for a
        minimax fit: give it a tiny count where the histogram is a sample and it may be populated.

        Parameters
        ----------
        edges : sequence of float
            Of sigma, increasing, non-negative.
        counts : sequence of float
            One fewer than edges, non-negative.
        p : int
        per_bin : int
            At least 2.
        """
        e, c = _vector("edges", edges), _vector("counts", counts)
        if e.size != c.size + 1 or (np.diff(e) <= 0).any():
            raise ValueError(f"edges: expected {c.size + 1} increasing numbers for {c.size} counts, got {e.tolist()}")
        _integer("per_bin", per_bin, least=2)
        # inner points are the zeros of P'_(n-1), a Jacobi polynomial; weights 2 / (n (n-1) P_(n-1)^2)
        inner = roots_jacobi(per_bin - 2, 1.0, 1.0)[0] if per_bin > 2 else np.zeros(0)
        t = np.concatenate([[-1.0], inner, [1.0]])
        w = 1 / (per_bin * (per_bin - 1) * np.polynomial.legendre.legval(t, np.eye(per_bin)[-1]) ** 2)
        full = c > 0
        low, high = e[:-1][full, None], e[1:][full, None]
        s = low * (1 - t) / 2 + high * (1 + t) / 2
        return cls(_power(s.ravel(), p), tuple((c[full, None] * w).ravel().tolist()))

    @classmethod
    def from_chebyshev_moments(cls, moments: Sequence[float], lower: float, upper: float) -> SpectralMeasure:
        r"""Gauss rule of the measure whose Chebyshev moments are given.

        2k moments determine k points.  Moments with noise may belong to no positive measure on the interval: then the
        longest beginning of the recursion that does is used, with a warning.  Fewer points without a warning mean
        that the measure has no more points to within rounding.

        Parameters
        ----------
        moments : sequence of float
            $\mu_j = \frac1n \operatorname{tr} T_j((2 G - (l + u) I)/(u - l))$ for j = 0, 1, ...; at least two.
        lower, upper : float
            $0 \le l < u$, an interval that contains the spectrum of the Gram matrix G.

        Raises
        ------
        ValueError
            Also where not even the mean, $\mu_1/\mu_0$, lies in [-1, 1].

        Warns
        -----
        UserWarning
            Where moments had to be left out.
        """
        mu = _vector("moments", moments, least=-inf)
        if mu.size < 2 or not mu[0] > 0 or not abs(mu[1]) <= mu[0]:
            raise ValueError(f"moments: expected at least two, mu_0 > 0 and |mu_1| <= mu_0, got {mu[:2].tolist()}")
        if not (isfinite(upper) and 0 <= lower < upper):
            raise ValueError(f"lower, upper: expected 0 <= lower < upper, got {lower} and {upper}")
        alphas, betas, negative = _recursion(mu)
        for k in range(len(alphas), 0, -1):
            t, vectors = eigh_tridiagonal(np.asarray(alphas[:k]), np.sqrt(betas[: k - 1]))
            if np.abs(t).max() <= 1 + NODE_ROUNDING:
                break
        if negative or k < len(alphas):
            warn(
                f"moments: only the first {2 * k} of {mu.size} are those of a positive measure on [{lower}, {upper}]; "
                f"the measure has {k} points",
                UserWarning,
                stacklevel=2,
            )
        t = np.clip(t, -1, 1)
        y = lower * (1 - t) / 2 + upper * (1 + t) / 2
        return cls(tuple(y.tolist()), tuple((vectors[0] ** 2).tolist()))

    @classmethod
    def from_lanczos(
        cls, alphas: Sequence[Any], betas: Sequence[Any], weights: Sequence[float] | None = None
    ) -> SpectralMeasure:
        """Stochastic Lanczos quadrature.

        Parameters
        ----------
        alphas : sequence of sequences of float
            Diagonals of the tridiagonal matrices, one for each probe; they may differ in length.
        betas : sequence of sequences of float
            Off-diagonals, each shorter by one.
        weights : sequence of float, optional
            One for each probe, such as the squared norms of probes that are not of unit length.  Default: equal.

        Raises
        ------
        ValueError
            Also for a Ritz value too negative to be the rounding of a semidefinite matrix.
        """
        if len(alphas) == 0 or len(alphas) != len(betas):
            raise ValueError(
                f"alphas, betas: expected one sequence for each probe, got {len(alphas)} and {len(betas)} of them"
            )
        each = np.ones(len(alphas)) if weights is None else _vector("weights", weights)
        if each.size != len(alphas):
            raise ValueError(f"weights: expected one for each of the {len(alphas)} probes, got {each.size}")
        nodes, masses = [], []
        for one, diagonal, off in zip(each, alphas, betas, strict=True):
            a, b = _vector("alphas", diagonal, least=-inf), np.asarray(off, dtype=float).ravel()
            if b.size != a.size - 1 or not np.isfinite(b).all():
                raise ValueError(f"betas: expected {a.size - 1} finite numbers below {a.size} alphas, got {b.tolist()}")
            y, vectors = eigh_tridiagonal(a, b)
            if y[0] < -NOT_ROUNDING * abs(y).max():
                raise ValueError(f"alphas, betas: expected those of a semidefinite matrix, got a Ritz value {y[0]:.3g}")
            nodes.append(np.maximum(y, 0))
            masses.append(one * vectors[0] ** 2)
        return cls(tuple(np.concatenate(nodes).tolist()), tuple(np.concatenate(masses).tolist()))


def _recursion(mu: np.ndarray) -> tuple[list[float], list[float], bool]:
    """Coefficients of t pi_k = pi_(k+1) + alpha_k pi_k + beta_k pi_(k-1), and whether positivity was lost.

    P_k = 2^(k-1) pi_k is of the size of T_k, and s_k(l) is the integral of P_k T_l: 2 t T_l = T_(l+1) + T_(l-1) gives
    s_k from s_(k-1) and s_(k-2).  The norm 2^(2k-2) ||pi_k||^2 is s_k(k), and alpha_0 + ... + alpha_k =
    s_k(k+1) / (2 s_k(k)), because T_(k+1) has no term t^k.
    """
    s = mu / (2 * mu[0])
    before, total, norm = 0 * s, float(2 * s[1]), 0.25
    alphas, betas = [total], [0.0]
    for k in range(1, mu.size // 2):
        below = np.concatenate([[s[1]], s[:-2]])  # T_(-1) = T_1
        before, s = s, s[1:] + below - 2 * alphas[-1] * s[:-1] - 4 * betas[-1] * before[: s.size - 1]
        if not s[k] > EMPIRICAL_MOMENT_ROUNDING:
            return alphas, betas[1:], bool(s[k] < -NODE_ROUNDING)
        betas.append(float(s[k]) / (4 * norm))
        alphas.append(float(s[k + 1] / (2 * s[k])) - total)
        norm, total = float(s[k]), total + alphas[-1]
    return alphas, betas[1:], False


def _power(sigmas: np.ndarray, p: int) -> tuple[float, ...]:
    _integer("p", p, least=1)
    with np.errstate(over="ignore", under="ignore"):
        y = sigmas**p
    if not np.isfinite(y).all():
        raise ValueError(f"sigmas: expected numbers whose power p = {p} does not overflow, got {sigmas.max():.3g}")
    return tuple(y.tolist())


def _integer(name: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def _vector(name: str, values: Sequence[float], *, least: float = 0.0) -> np.ndarray:
    """At least one number, all finite and none below ``least``."""
    v = np.asarray(values, dtype=float)
    if v.ndim != 1 or v.size == 0:
        raise ValueError(f"{name}: expected a sequence of at least one number, got shape {v.shape}")
    if not np.isfinite(v).all() or (v < least).any():
        wanted = "finite numbers" if least == -inf else f"finite numbers of at least {least:g}"
        raise ValueError(f"{name}: expected {wanted}, got {v[~(np.isfinite(v) & (v >= least))][0]}")
    return v
