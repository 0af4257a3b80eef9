r"""Random matrices S of shape (size, n) with $E[S^H S] = I$, and the sizes that theorems ask for.

A *subspace embedding* of distortion $\epsilon$ has all singular values of S V in $[1 - \epsilon, 1 + \epsilon]$, where
the k columns of V are orthonormal.  All of S is real.  Numbers are drawn on the host, in float64: the same seed
gives the same S for every library and dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, log, log1p, sqrt
from typing import Any, TypeAlias

import numpy as np

from matfun.sketching.checks import check_goal, check_integer, check_shape, generator
from matfun.sketching.chernoff import rows_for_embedding
from matfun.sketching.samples import Dense, HostArray, Selection, Sparse, Transformed


@dataclass(frozen=True)
class Gaussian:
    r"""Independent normal elements of variance 1/size.

    Examples
    --------
    >>> Gaussian().size_for(20, 0.5, 0.01)
    239
    """

    def draw(self, size: int, n: int, rng: Any = None) -> Dense:
        """Draw S; ``rng`` is a numpy.random.Generator, a seed or None."""
        check_shape(size, n)
        return Dense(generator(rng).standard_normal((size, n)) / sqrt(size))

    def size_for(self, dimension: int, distortion: float, failure: float) -> int:
        r"""Rows that embed a subspace of a given dimension k, but for a probability.

        $\sigma(S V)$ is in $1 \pm (\sqrt{k/m} + t)$ but for probability $2 e^{-m t^2/2}$: Davidson and Szarek, Handbook
        of the Geometry of Banach Spaces 1 (2001), Theorem II.13.  For a complex subspace give 2 k: S is real, and the
        real and imaginary parts together span 2 k dimensions.
        """
        check_goal("dimension", dimension, distortion, failure)
        return ceil(((sqrt(dimension) + sqrt(2 * log(2 / failure))) / distortion) ** 2)

    def population(self, n: int) -> float | None:  # noqa: ARG002 - others depend on n
        """Rows are independent: drawn from infinitely many."""
        return inf


@dataclass(frozen=True)
class Rademacher:
    r"""Independent signs over $\sqrt{\mathrm{size}}$.

    Examples
    --------
    >>> Rademacher().size_for(1000, 0.5, 0.01)
    259
    """

    def draw(self, size: int, n: int, rng: Any = None) -> Dense:
        """Draw S; ``rng`` is a numpy.random.Generator, a seed or None."""
        check_shape(size, n)
        return Dense(_signs(generator(rng), (size, n)) / sqrt(size))

    def size_for(self, vectors: int, distortion: float, failure: float) -> int:
        r"""Rows that keep the *squared* norms of N given vectors to $1 \pm \epsilon$, but for a probability.

        Johnson-Lindenstrauss: each side fails for one vector with probability at most $e^{-m r}$ and
        $r = \frac12 (\epsilon - \ln(1 + \epsilon))$.  Achlioptas, J. Comput. Syst. Sci. 66 (2003), section 4, rounds it
        down to $\epsilon^2/4 - \epsilon^3/6$ for his Theorem 1.1.  The upper tail is that of a squared normal number,
        whose moments are the larger; the lower one, with his exponent
        $\ln(1 - t + \frac32 t^2) + t(1 - \epsilon) \le -r$ at $t = \epsilon/(2 + 2\epsilon)$, is smaller.  Holds for
        ``Gaussian`` too.  Count a complex vector as two.
        """
        check_goal("vectors", vectors, distortion, failure)
        return ceil(2 * log(2 * vectors / failure) / (distortion - log1p(distortion)))

    def population(self, n: int) -> float | None:  # noqa: ARG002 - others depend on n
        """Rows are independent: drawn from infinitely many."""
        return inf


@dataclass(frozen=True)
class SparseSign:
    r"""In each column a few signs over the root of their number, in distinct random rows.

    With O(k log k) rows and O(log k) nonzeros it embeds a subspace of dimension k (Cohen, SODA 2016); no constants are
    known, and 8 nonzeros are what is used (Tropp, Yurtsever, Udell, Cevher, SIAM J. Sci. Comput. 41, 2019).

    Parameters
    ----------
    nonzeros : int
        Of each column, at most ``size``.

    Examples
    --------
    >>> SparseSign(nonzeros=2).draw(5, 3, rng=0).rows.shape
    (3, 2)
    """

    nonzeros: int = 8

    def __post_init__(self) -> None:
        check_integer("nonzeros", self.nonzeros)

    def draw(self, size: int, n: int, rng: Any = None) -> Sparse:
        """Draw S; ``rng`` is a numpy.random.Generator, a seed or None."""
        check_shape(size, n)
        if size < self.nonzeros:
            raise ValueError(f"size: expected at least as many rows as nonzeros, {self.nonzeros}, got {size}")
        rng = generator(rng)
        rows = np.empty((n, self.nonzeros), dtype=np.int64)
        for i in range(self.nonzeros):  # Floyd's sample without replacement, Commun. ACM 30 (1987), all columns at once
            last = size - self.nonzeros + i
            pick = rng.integers(0, last + 1, n)
            rows[:, i] = np.where((rows[:, :i] == pick[:, None]).any(axis=1), last, pick)
        return Sparse(rows, _signs(rng, rows.shape) / sqrt(self.nonzeros), size)

    def size_for(self, dimension: int, distortion: float, failure: float) -> int:
        r"""Rows that embed a subspace of dimension k, but for a probability: proved, quadratic in k, and far too many.

        $E\|V^H S^H S V - I\|_F^2 \le (k^2 + k)/m$ for any number of nonzeros, since the product of two columns of S has
        second moment 1/m; Markov's inequality does the rest.  Nelson and Nguyen, FOCS 2013, Theorem 3, have it for one
        nonzero.  Bounds linear in k up to logarithms come without constants.
        """
        check_goal("dimension", dimension, distortion, failure)
        return max(self.nonzeros, ceil(dimension * (dimension + 1) / (failure * (2 * distortion - distortion**2) ** 2)))

    def population(self, n: int) -> float | None:  # noqa: ARG002 - others depend on n
        """Rows depend on each other through the number of nonzeros in a column."""
        return None


@dataclass(frozen=True)
class Srht:
    r"""Random rows of a Walsh-Hadamard transform after random signs and a random permutation.

    n is padded to a power of two N.  Without the permutation, too few rows can lose a coherent basis completely: on the
    first $2^a$ coordinates the transform has $2^a$ different rows, and k log k draws are needed to see all of them.

    Examples
    --------
    >>> Srht().size_for(20, 4096, 0.5, 0.01), Srht().size_for(20, 2**20, 0.5, 0.01)
    (4096, 6328)
    """

    def draw(self, size: int, n: int, rng: Any = None) -> Transformed:
        """Draw S; ``rng`` is a numpy.random.Generator, a seed or None."""
        check_shape(size, n)
        padded = padded_length(n)
        if size > padded:
            raise ValueError(f"size: expected at most the {padded} rows of the transform for n = {n}, got {size}")
        rng = generator(rng)
        return Transformed(_signs(rng, (n,)), rng.permutation(padded), rng.choice(padded, size, replace=False))

    def size_for(self, dimension: int, n: int, distortion: float, failure: float) -> int:
        r"""Rows that embed a subspace of dimension k, but for a probability.

        The transform makes the coherence at most $M = (\sqrt k + \sqrt{8 \ln(\beta N)})^2$ but for probability
        $1/\beta$ (Tropp, Adv. Adapt. Data Anal. 3, 2011, Lemma 3.3); then rows are sampled as by ``RowSampling``
        (Lemma 3.4).  Half of the failure goes to each.  His Theorem 3.1 is made of the same two, for $\sigma$ in
        [0.40, 1.48] and a failure of O(1/k).
        Never more than N, all rows, which is an isometry.
        """
        check_goal("dimension", dimension, distortion, failure)
        check_integer("n", n, least=dimension)
        padded = padded_length(n)
        coherence = (sqrt(dimension) + sqrt(8 * log(2 * padded / failure))) ** 2
        return min(padded, rows_for_embedding(dimension, coherence, distortion, failure / 2))

    def population(self, n: int) -> float | None:
        """Rows are drawn from those of the transform, without replacement."""
        return padded_length(n)


@dataclass(frozen=True)
class RowSampling:
    r"""Uniformly random rows of the identity, without replacement, times $\sqrt{n/\mathrm{size}}$.

    Examples
    --------
    >>> RowSampling().size_for(20, 2**20, 0.5, 0.01, coherence=40)
    823
    """

    def draw(self, size: int, n: int, rng: Any = None) -> Selection:
        """Draw S; ``rng`` is a numpy.random.Generator, a seed or None."""
        check_shape(size, n)
        if size > n:
            raise ValueError(f"size: expected at most n = {n} rows, drawn without replacement, got {size}")
        return Selection(generator(rng).choice(n, size, replace=False), sqrt(n / size), n)

    def size_for(self, dimension: int, n: int, distortion: float, failure: float, coherence: float) -> int:
        r"""Rows that embed a subspace of dimension k and given coherence, but for a probability; at most n.

        The coherence is $M = n \max_j \|e_j^H V\|^2$, between k and n; for M = n nothing less than all rows is enough.
        Tropp, Adv. Adapt. Data Anal. 3 (2011), Lemma 3.4; the matrix Chernoff bound is Theorem 1.1 of Tropp, Found.
        Comput. Math. 12 (2012).
        """
        check_goal("dimension", dimension, distortion, failure)
        check_integer("n", n, least=dimension)
        if not dimension <= coherence <= n:
            raise ValueError(f"coherence: expected a number in [dimension, n] = [{dimension}, {n}], got {coherence!r}")
        return min(n, rows_for_embedding(dimension, coherence, distortion, failure))

    def population(self, n: int) -> float | None:
        """Rows are drawn from n, without replacement."""
        return n


Distribution: TypeAlias = Gaussian | Rademacher | SparseSign | Srht | RowSampling
"""Whatever has ``draw(size, n, rng)``, with the right scale, and says from how many its rows are drawn."""


def padded_length(n: int) -> int:
    """Smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> HostArray:
    return 2.0 * rng.integers(0, 2, shape) - 1.0
