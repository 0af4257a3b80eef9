"""Matrices that are not in one place: all that an algorithm may ask of their parts.

A tall matrix in blocks of rows is touched by sums over its blocks and by maps of each block, and by nothing else.  What
is small, n x n, is an array of the library of the blocks, the same one wherever it is needed.  A provider says by
``Ops.spread`` which of its arrays are such; how blocks are computed and what is summed where is its own affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from matfun.ops import Array, Ops

Arrays: TypeAlias = tuple[Array, ...]

Part: TypeAlias = Callable[..., Any]
"""Of a block of rows, shape (b, n), the index of its first row, and small arrays.  No row depends on another block."""


class RowBlocks(ABC):
    """A tall matrix, or the adjoint of a wide one, in blocks of rows.

    Attributes
    ----------
    shape : tuple of int
        (m, n), m >= n.
    wide : bool
        Whether the caller's matrix is the adjoint.
    like : array
        Of the library, dtype and device of the blocks; its elements mean nothing.
    """

    shape: tuple[int, int]
    wide: bool
    like: Array

    @abstractmethod
    def fold(self, part: Part, combine: Callable[[Arrays, Arrays], Arrays], *small: Array) -> Arrays:
        """Combine what a part gives for every block, in the order of the rows; a pass over the matrix.

        Parameters
        ----------
        part : callable
            Gives a tuple of arrays of shapes that do not depend on the block.
        combine : callable
            Associative up to rounding.
        *small : array
        """

    @abstractmethod
    def map(self, part: Part, *small: Array) -> Array:
        """Matrix of the shape and the blocks of the caller's, whose rows a part gives; computed when it is needed.

        Parameters
        ----------
        part : callable
            Gives an array of the shape of the block.
        *small : array
        """

    @abstractmethod
    def replicate(self, Y: Array) -> Array:
        """Small array as one of the caller's library."""

    def total(self, part: Part, *small: Array) -> Arrays:
        """Sum what a part gives for every block."""
        return self.fold(part, _add, *small)

    def scaled_total(self, ops: Ops, part: Part) -> tuple[Array, Array]:
        """Sum what a part gives as (exponent, Y), meaning Y 2^exponent; the sum has the largest exponent.

        Parameters
        ----------
        ops : Ops
            For the blocks.
        part : callable
        """
        exponent, Y = self.fold(part, partial(_add_scaled, ops))
        return exponent, Y

    def agree(self, *small: Array) -> Arrays:
        """Give arrays that are the same, to the last bit, wherever this is called for the same matrix."""
        return small

    def agree_on_rng(self, rng: Any) -> Any:
        """Give a source of random numbers that are the same wherever this is called for the same matrix."""
        return rng


class Members(ABC):
    """A whole matrix, or whole members of a stack, at hand: whatever is done, is done on these alone.

    Attributes
    ----------
    local : array, shape (..., m, n)
    """

    local: Array

    @abstractmethod
    def wrap(self, Y: Array) -> Array:
        """What became of ``local`` as an array like the caller's, of shape (..., k, l)."""

    @abstractmethod
    def gather(self, value: Any) -> list[Any]:
        """Values of everyone who has a part of the matrix, in an order that is the same everywhere."""

    @abstractmethod
    def agree_on_rng(self, rng: Any) -> Any:
        """Give a source of random numbers that are the same wherever the same matrix is at hand."""


def _add(a: Arrays, b: Arrays) -> Arrays:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _add_scaled(ops: Ops, a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    largest = ops.xp.maximum(a[0], b[0])
    X, Y = (ops.times_power_of_two(y, e - largest) for e, y in (a, b))
    return largest, X + Y
