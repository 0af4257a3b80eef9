"""Which tile a product is cut into, and whether cutting it pays: arithmetic on counts, without any library.

A device computes as many tiles at a time as it has multiprocessors, so a product takes a whole number of waves.  The
time of a wave is proportional to the area of the tile.  The triangle of a matrix of 4096 is 528 = 4 x 132 tiles of
128 x 128: four full waves on a device of 132 multiprocessors.  Its 272 tiles of 128 x 256 are three waves for the work
of 2.06, and 264 = 2 x 132 where the halves of those on the diagonal are taken in pairs.
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
    slowness : float
        Time of an element in a full wave, relative to the best tile.
    divided : bool
        Whether one warp reads and two groups of four multiply (specialised.py): on Hopper only.
    """

    rows: int
    halves: int
    depth: int
    warps: int
    stages: int
    slowness: float = 1.0
    divided: bool = False

    @property
    def name(self) -> str:
        """Rows x columns x depth, warps and stages."""
        divided = " divided" if self.divided else ""
        return f"{self.rows}x{self.rows * self.halves}x{self.depth} w{self.warps} s{self.stages}{divided}"

    def shared(self, item: int) -> int:
        """Bytes of shared memory for elements of so many bytes: all stages of both operands, and what is stored.

        That is a square, or the whole tile where warps are divided.
        """
        stored = self.rows * (self.halves if self.divided else 1)
        return (self.stages * (1 + self.halves) * self.depth + stored) * self.rows * item

    @property
    def area(self) -> int:
        """Elements of the tile."""
        return self.rows * self.rows * self.halves


DIVIDED = Tile(128, 2, 64, warps=12, stages=3, divided=True)
"""Warps are three groups of four, of which the last has one that works (specialised.py)."""

WIDE = Tile(128, 2, 64, warps=8, stages=3, slowness=1.05)
SQUARE = Tile(128, 1, 64, warps=8, stages=4, slowness=1.1)
SMALL = Tile(64, 1, 64, warps=4, stages=4, slowness=2.7)
TILES: tuple[Tile, ...] = (DIVIDED, WIDE, SQUARE, SMALL)
"""Of 16-bit matrices.  The slowness of the square and the small one is that of a symmetric product of 4096; the wide
one was measured at 0.99 to 1.09, where its waves are as many (benchmarks/results/gpu.json)."""

SQUARE_32 = Tile(128, 1, 32, warps=8, stages=3)
SMALL_32 = Tile(64, 1, 32, warps=4, stages=3, slowness=2.0)
TILES_32: tuple[Tile, ...] = (SQUARE_32, SMALL_32)
"""Of float32 matrices, each product of which is three on the tensor cores.  The small one reads twice the bytes."""


def fitting(tiles: tuple[Tile, ...], item: int, shared_memory: int) -> tuple[Tile, ...]:
    """Tiles that a multiprocessor with so much shared memory can hold."""
    return tuple(tile for tile in tiles if tile.shared(item) + BARRIERS <= shared_memory)


WITHIN = 1.05
"""The larger of two tiles is taken up to this factor in time: a choice, since its operands are read less often."""

WORTH = 0.8
"""A symmetric kernel is taken where by count it needs at most this share of a full product's time: at 2048, where it is
1, cuBLAS is faster; at 1536 and from 2560 on, with 1/2 to 2/3, it is slower (benchmarks/results/gpu.json)."""

LEAST_SIDE, LEAST_AREA = 512, 1280**2
"""Smallest order and elements of a stack for which a symmetric kernel is taken: one matrix of 1024 takes cuBLAS 8.9
microseconds and the best tile 12.4 (benchmarks/results/gpu.json); what lies between was not measured."""

FILLED = 0.85
"""A product is taken where the elements of D need at least this share of the time of its waves.  With 0.97, at 2048,
4096 and 6144, it is faster than ``addmm``, which copies C; with 0.79 and 0.55, at 3072 and 1536, slower; 2560, with
0.76, is an exception (benchmarks/results/gpu.json)."""


def symmetric_count(n: int, batch: int, tile: Tile) -> int:
    """Tiles on and below the diagonals of a stack of n x n matrices.

    Wide tiles come in pairs that are squares.  Where warps are divided, the upper one of a pair on the diagonal is half
    a tile, and two of these are taken together.
    """
    rows = -(-n // (tile.rows * tile.halves))
    if tile.divided:
        return rows * rows * batch + -(-rows * batch // 2)
    return rows * (rows + 1) // 2 * tile.halves * batch


def product_count(m: int, n: int, batch: int, tile: Tile) -> int:
    """Tiles of a stack of m x n matrices."""
    return -(-m // tile.rows) * -(-n // (tile.rows * tile.halves)) * batch


def cost(count: int, tile: Tile, multiprocessors: int) -> float:
    """Time of so many tiles, in that of one element of the best tile: waves times area times slowness."""
    return -(-count // multiprocessors) * tile.area * tile.slowness


def _best(costs: dict[Tile, float]) -> Tile:
    limit = WITHIN * min(costs.values())
    return max((tile for tile in costs if costs[tile] <= limit), key=lambda tile: tile.area)


def symmetric_tile(n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> Tile:
    """Tile for a symmetric product.

    Examples
    --------
    >>> [symmetric_tile(n, 1, 132).name for n in (3072, 4096)]
    ['128x128x64 w8 s4', '128x256x64 w12 s3 divided']
    """
    return _best({tile: cost(symmetric_count(n, batch, tile), tile, multiprocessors) for tile in tiles})


def product_tile(m: int, n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> Tile:
    """Tile for a product that is not symmetric."""
    return _best({tile: cost(product_count(m, n, batch, tile), tile, multiprocessors) for tile in tiles})


def symmetric_pays(
    n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES, *, fused: bool = False
) -> bool:
    """Whether a triangle takes so much less time than the square that a slower inner loop is made up for.

    Not where half of the multiprocessors would be idle: there launches and the length of the sum decide.  ``fused``
    says that C or the identity is added, which costs cuBLAS passes of their own.
    """
    triangle = symmetric_tile(n, batch, multiprocessors, tiles)
    square = product_tile(n, n, batch, multiprocessors, tiles)
    count = symmetric_count(n, batch, triangle)
    full = cost(product_count(n, n, batch, square), square, multiprocessors)
    worth = 1.0 if fused else WORTH
    if n < LEAST_SIDE or n * n * batch < LEAST_AREA:
        return False
    return 2 * count >= multiprocessors and cost(count, triangle, multiprocessors) <= worth * full


def product_pays(m: int, n: int, batch: int, multiprocessors: int, tiles: tuple[Tile, ...] = TILES) -> bool:
    """Whether a product keeps the device busy: elsewhere, the copy of C that it saves is not what takes the time."""
    tile = product_tile(m, n, batch, multiprocessors, tiles)
    needed = m * n * batch / multiprocessors
    return needed >= FILLED * cost(product_count(m, n, batch, tile), tile, multiprocessors)
