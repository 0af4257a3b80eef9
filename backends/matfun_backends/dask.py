"""Dask: tall and wide matrices in blocks of rows, which are read once a pass and never held together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isnan
from typing import Any

import dask
import dask.array as da
import numpy as np

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.spread import Arrays, Part, RowBlocks

FAN_IN = 4
"""Results of blocks that are combined at a time: Dask's own ``split_every`` for reductions."""


class DaskOps(Ops):
    """Blocks of rows for the polar factor; the array-API defaults, which stay lazy, for everything else."""

    name = library = "dask"

    def supports(self, dtype: Any) -> bool:
        return dtype.char in "fdFD" and dtype.isnative

    def compute_dtype(self, A: Array) -> Any:
        if A.dtype.char in "fdFD":
            return A.dtype.newbyteorder("=")
        if A.dtype == np.float16:
            return np.dtype(np.float32)  # products of float16 have no BLAS
        return super().compute_dtype(A)

    def members_at_once(self, X: Array) -> int | None:  # noqa: ARG002 - stacks are refused
        return 1

    def spread(self, A: Array) -> RowBlocks:
        if A.ndim > 2:
            raise ValueError(
                f"A: expected one Dask matrix (m, n), got a stack of shape {A.shape}; take its matrices one by one"
            )
        if any(isnan(side) for side in A.shape):
            raise ValueError(f"A: expected known chunk sizes, got shape {A.shape}; call A.compute_chunk_sizes() first")
        m, n = A.shape
        down, across = A.numblocks
        wide = m < n if m != n else down == 1 and across > 1
        if (down if wide else across) > 1:
            axis = 0 if wide else 1
            raise ValueError(
                f"A: expected a single chunk along axis {axis}, the small side, got shape {A.shape} in {down} x "
                f"{across} chunks, which would have to be read many times; use A.rechunk({{{axis}: -1}}), with smaller "
                f"chunks along axis {1 - axis} if they do not fit into memory"
            )
        return DaskRows(A, wide=wide)


class DaskRows(RowBlocks):
    """Blocks of a Dask array along its long side.

    Every ``fold`` computes the blocks anew, unless the array was persisted, and so does whoever computes what ``map``
    gives.
    """

    def __init__(self, A: Array, *, wide: bool) -> None:
        m, n = A.shape
        self.shape, self.wide, self.like = ((n, m) if wide else (m, n)), wide, A._meta
        self._A = A
        self._sizes = A.chunks[1 if wide else 0]

    def fold(self, part: Part, combine: Callable[[Arrays, Arrays], Arrays], *small: Array) -> Arrays:
        once = [dask.delayed(array) for array in small]
        blocks = self._A.to_delayed().ravel()
        call, join = dask.delayed(_of_block), dask.delayed(_joined)
        found = [
            call(part, self.wide, block, start, *once) for block, start in zip(blocks, self._starts(), strict=True)
        ]
        while len(found) > 1:
            found = [join(combine, found[i : i + FAN_IN]) for i in range(0, len(found), FAN_IN)]
        combined: Arrays = found[0].compute()
        return combined

    def map(self, part: Part, *small: Array) -> Array:
        return da.map_blocks(
            _mapped, self._A, part, self.wide, *small, dtype=self._A.dtype, meta=self._A._meta, name=None
        )

    def replicate(self, Y: Array) -> Array:
        return da.from_array(Y, chunks=Y.shape)

    def _starts(self) -> Iterator[int]:
        start = 0
        for size in self._sizes:
            yield start
            start += size


def _of_block(part: Part, wide: bool, block: Array, start: int, *small: Array) -> Any:
    return part(_adjoint(block) if wide else block, start, *small)


def _mapped(block: Array, part: Part, wide: bool, *small: Array, block_info: Any = None) -> Array:
    start = block_info[0]["array-location"][1 if wide else 0][0]
    Y = _of_block(part, wide, block, start, *small)
    return _adjoint(Y) if wide else Y


def _adjoint(block: Array) -> Array:
    return block.T.conj() if block.dtype.kind == "c" else block.T


def _joined(combine: Callable[[Arrays, Arrays], Arrays], found: list[Arrays]) -> Arrays:
    total = found[0]
    for more in found[1:]:
        total = combine(total, more)
    return total


def provide(xp: Any) -> Ops:
    """Verbs for Dask arrays."""
    return DaskOps(xp)
