"""Which tile a product is cut into, and whether cutting it pays: arithmetic on counts, without any library.

A device computes as many tiles at a time as it has multiprocessors, so a product takes a whole number of waves.  The
time of a wave is proportional to the area of the tile.  The triangle of a matrix of 4096 is 528 = 4 x 132 tiles of
128 x 128: four full waves on a device of 132 multiprocessors.  Its 272 tiles of 128 x 256 are three waves for the work
of 2.06.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARED_MEMORY = 227 * 1024
"""Bytes of shared memory that a block may have at compute capability 9.0 (CUDA C++ Programming Guide, table of
technical specifications per compute capability)."""

BARRIERS = 1024
"""Bytes left for what Triton keeps beside the tiles: 16 to 64 in benchmarks/results/kernels_sm90.json."""

BAND = 8
"""Tile rows that are walked together: 132 tiles at a time are then some 8 x 16, near the square, which reads the fewest
panels of the operands, 24 against 67 where they lie along one row of 66."""


@dataclass(frozen=True)
class Tile:
    """What one program computes at a time, and how.

    Parameters
    ----------
    rows : int
        Side of the square, a power of two.
    halves : int
        2 for rows x 2 rows, whose halves are stored one after the other: whole, tile and mirror image do not
        fit into shared memory.
    depth : int
        Length of the pieces of the sum.
    warps, stages : int
        Triton's ``num_warps`` and ``num_stages``.
    programs : int
        Programs for each multiprocessor.
    """

    rows: int
    halves: int
    depth: int
    warps: int
    stages: int
    programs: int = 1

    @property
    def name(self) -> str:
        """Rows x columns x depth, warps and stages."""
        return f"{self.rows}x{self.rows * self.halves}x{self.depth} w{self.warps} s{self.stages}"

    def shared(self, item: int) -> int:
        """Bytes of shared memory for elements of so many bytes: all stages of both operands, and a square to store."""
        return (self.stages * (1 + self.halves) * self.depth + self.rows) * self.rows * item

    @property
    def area(self) -> int:
        """Elements of the tile."""
        return self.rows * self.rows * self.halves


SQUARE = Tile(128, 1, 64, warps=8, stages=4)
WIDE = Tile(128, 2, 64, warps=8, stages=3)
SMALL = Tile(64, 1, 64, warps=4, stages=4)
TILES: tuple[Tile, ...] = (SQUARE, WIDE, SMALL)
"""Of 16-bit matrices."""

SQUARE_32 = Tile(128, 1, 32, warps=8, stages=3)
SMALL_32 = Tile(64, 1, 32, warps=4, stages=3)
TILES_32: tuple[Tile, ...] = (SQUARE_32, SMALL_32)
"""Of float32 matrices, each product of which is three on the tensor cores."""

PAIR = Tile(128, 1, 64, warps=4, stages=2, programs=2)
"""Two programs to a multiprocessor: one stores while the other multiplies.  Not chosen: see benchmarks/gpu.py."""


def fitting(tiles: tuple[Tile, ...], item: int, shared_memory: int) -> tuple[Tile, ...]:
    """Tiles that a multiprocessor with so much shared memory can hold."""
    return tuple(tile for tile in tiles if tile.shared(item) + BARRIERS <= shared_memory)


WITHIN = 1.05
"""The larger of two tiles is taken up to this factor in time: a choice, since its operands are read less often."""

WORTH = 0.8
"""A symmetric kernel is taken where by count it needs at most this share of a full product's time.  Published Triton
kernels ran their tiles at 0.63 to 0.80 of the rate of cuBLAS (flash-muon, H800: 0.80 for n = 4096, 0.78 for 8192;
PyTorch pull request 184886, H100: 0.63 and 0.73)."""


def symmetric_count(n: int, batch: int, tile: Tile) -> int:
    """Tiles on and below the diagonals of a stack of n x n matrices; wide tiles come in pairs that are squares."""
    rows = -(-n // (tile.rows * tile.halves))
    return rows * (rows + 1) // 2 * tile.halves * batch


def product_count(m: int, n: int, batch: int, tile: Tile) -> int:
    """Tiles of a stack of m x n matrices."""
    return -(-m // tile.rows) * -(-n // (tile.rows * tile.halves)) * batch


def cost(count: int, tile: Tile, multiprocessors: int) -> float:
    """Time of so many tiles, in that of one element: waves times area, times the bytes that small tiles read again."""
    waves = -(-count // multiprocessors)
    return waves * tile.area * (SQUARE.rows / tile.rows)


def _best(counts: dict[Tile, int], multiprocessors: int) -> Tile:
    costs = {tile: cost(count, tile, multiprocessors) for tile, count in counts.items()}
    limit = WITHIN * min(costs.values())
    return max((tile for tile in costs if costs[tile] <= limit), key=lambda tile: tile.area)


def symmetric_tile(n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> Tile:
    """Tile for a symmetric product.

    Examples
    --------
    >>> [symmetric_tile(n, 1, 132).name for n in (4096, 8192)]
    ['128x128x64 w8 s4', '128x256x64 w8 s3']
    """
    return _best({tile: symmetric_count(n, batch, tile) for tile in tiles}, multiprocessors)


def product_tile(m: int, n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> Tile:
    """Tile for a product that is not symmetric."""
    return _best({tile: product_count(m, n, batch, tile) for tile in tiles}, multiprocessors)


def symmetric_pays(n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> bool:
    """Whether a triangle takes so much less time than the square that a slower inner loop is made up for.

    Not below one full wave, where launches and the length of the sum decide.
    """
    triangle = symmetric_tile(n, batch, multiprocessors, tiles)
    square = product_tile(n, n, batch, multiprocessors, tiles)
    count = symmetric_count(n, batch, triangle)
    full = cost(product_count(n, n, batch, square), square, multiprocessors)
    return count >= multiprocessors and cost(count, triangle, multiprocessors) <= WORTH * full


def product_pays(m: int, n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> bool:
    """Whether a product fills the device once: below, the copy of C that it saves is not what takes the time."""
    tile = product_tile(m, n, batch, multiprocessors, tiles)
    return product_count(m, n, batch, tile) >= multiprocessors
