"""What was drawn: one matrix S of shape (size, n), as host values that every library applies alike.

Nothing here is random and nothing here multiplies; the verb ``sketch`` of ``matfun/ops.py`` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np

HostArray: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Dense:
    """All elements.

    Parameters
    ----------
    elements : numpy.ndarray, shape (size, n)
    """

    elements: HostArray

    @property
    def shape(self) -> tuple[int, int]:
        """(size, n)."""
        size, n = self.elements.shape
        return size, n

    def matrix(self) -> HostArray:
        """S itself."""
        return self.elements


@dataclass(frozen=True, eq=False)
class Sparse:
    """The same number of nonzeros in each column.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (n, nonzeros)
        Where the nonzeros of column j are, without repetition.
    values : numpy.ndarray, shape (n, nonzeros)
    size : int
        Rows of S.
    """

    rows: HostArray
    values: HostArray
    size: int

    @property
    def shape(self) -> tuple[int, int]:
        """(size, n)."""
        return self.size, self.rows.shape[0]

    def matrix(self) -> HostArray:
        """S itself, mostly zeros."""
        S = np.zeros(self.shape)
        S[self.rows, np.arange(self.shape[1])[:, None]] = self.values
        return S


@dataclass(frozen=True, eq=False)
class Transformed:
    r"""Rows of a Walsh-Hadamard transform of permuted columns with signs, over $\sqrt{\mathrm{size}}$.

    Parameters
    ----------
    signs : numpy.ndarray, shape (n,)
        1 or -1, what the rows of X are multiplied with.
    order : numpy.ndarray of int, shape (N,)
        A permutation; N is a power of two, at least n.  Row order[i] of X, or of the zeros below it, comes to place i.
    rows : numpy.ndarray of int, shape (size,)
        Of the transform, without repetition.
    """

    signs: HostArray
    order: HostArray
    rows: HostArray

    @property
    def shape(self) -> tuple[int, int]:
        """(size, n)."""
        return self.rows.size, self.signs.size

    @property
    def scale(self) -> float:
        """What the elements of the transform, 1 and -1, are multiplied with."""
        return 1 / sqrt(self.rows.size)

    def matrix(self) -> HostArray:
        """S itself: size x N elements, which the transform never forms."""
        S = np.empty((self.rows.size, self.order.size))
        S[:, self.order] = walsh_hadamard(self.rows, self.order.size)
        return S[:, : self.signs.size] * self.signs * self.scale


@dataclass(frozen=True, eq=False)
class Selection:
    """Some rows of the identity.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (size,)
    scale : float
    n : int
        Columns of S.
    """

    rows: HostArray
    scale: float
    n: int

    @property
    def shape(self) -> tuple[int, int]:
        """(size, n)."""
        return self.rows.size, self.n

    def matrix(self) -> HostArray:
        """S itself, one element in each row."""
        S = np.zeros(self.shape)
        S[np.arange(self.rows.size), self.rows] = self.scale
        return S


Sample: TypeAlias = Dense | Sparse | Transformed | Selection
"""What a distribution draws and the verb ``sketch`` applies."""


def walsh_hadamard(rows: HostArray, n: int) -> HostArray:
    """Rows of the n x n Hadamard matrix of Sylvester: element (i, j) is -1 to the number of ones in i & j.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (size,)
    n : int
        A power of two.
    """
    ones: HostArray = np.bitwise_count(rows[:, None] & np.arange(n))
    return 1.0 - 2.0 * (ones % 2)
