"""Are tiles chosen by counting waves, and is every place of a grid visited once?"""

import doctest
import itertools
from math import ceil

import pytest
from matfun_backends.kernels import tiles
from matfun_backends.kernels.tiles import DIVIDED, SMALL, SQUARE, TILES, TILES_32, WIDE, Tile

MULTIPROCESSORS = 132


@pytest.mark.parametrize(
    ("n", "square", "wide"),
    [(1024, 36, 20), (2048, 136, 72), (3072, 300, 156), (4096, 528, 272), (5120, 820, 420), (8192, 2080, 1056)],
)
def test_counts_of_a_triangle(n, square, wide):
    """Half of the tiles on the diagonal are halves where warps are divided, and go in pairs."""
    assert 4 * tiles.symmetric_count(n, 1, DIVIDED) == 4 * wide - n // 128
    assert tiles.symmetric_count(n, 1, SQUARE) == square
    assert tiles.symmetric_count(n, 1, WIDE) == wide
    assert tiles.symmetric_count(n, 12, SQUARE) == 12 * square


@pytest.mark.parametrize(("n", "ceiling"), [(4096, 0.97), (8192, 0.97), (6144, 0.87), (7168, 0.85), (5120, 0.76)])
def test_the_tile_reaches_what_quantisation_allows(n, ceiling):
    """Share of the time in which the tiles are of use, as tabulated for both tiles; the better one is taken."""
    tile = tiles.symmetric_tile(n, 1, MULTIPROCESSORS)
    waves = ceil(tiles.symmetric_count(n, 1, tile) / MULTIPROCESSORS)
    assert n * n / 2 / (waves * MULTIPROCESSORS * tile.area) == pytest.approx(ceiling, abs=0.006)


@pytest.mark.parametrize("n", [64, 500, 1024, 2048, 4096, 8192])
@pytest.mark.parametrize("batch", [1, 12, 48])
def test_no_other_tile_is_much_better(n, batch):
    def time(tile):
        return tiles.cost(tiles.symmetric_count(n, batch, tile), tile, MULTIPROCESSORS)

    chosen = tiles.symmetric_tile(n, batch, MULTIPROCESSORS)
    assert time(chosen) <= tiles.WITHIN * min(map(time, TILES))
    assert all(time(tile) > tiles.WITHIN * min(map(time, TILES)) for tile in TILES if tile.area > chosen.area)


def test_small_matrices_get_small_tiles_and_others_what_fills_the_device():
    assert tiles.symmetric_tile(500, 1, MULTIPROCESSORS) == SMALL
    assert tiles.symmetric_tile(3072, 1, MULTIPROCESSORS) == SQUARE
    assert tiles.symmetric_tile(4096, 1, MULTIPROCESSORS) == DIVIDED
    assert tiles.symmetric_tile(4096, 1, MULTIPROCESSORS, (WIDE, SQUARE, SMALL)) == SQUARE
    assert tiles.symmetric_tile(8192, 1, MULTIPROCESSORS, (WIDE, SQUARE, SMALL)) == WIDE
    assert tiles.product_tile(8192, 8192, 1, MULTIPROCESSORS) == DIVIDED
    assert tiles.symmetric_tile(4096, 1, MULTIPROCESSORS, TILES_32) in TILES_32


@pytest.mark.parametrize(
    ("n", "batch", "pays"),
    [
        *[(1280, 1, False), (1536, 1, True), (2304, 1, True), (384, 48, False), (512, 12, True)],
        *[(1, 1, False), (128, 48, False), (1024, 1, False), (2048, 1, False)],
        *[(1408, 1, False), (1416, 1, True), (1920, 1, True), (1928, 1, False), (2056, 1, True)],  # docs/gpu.md
        *[(1024, 12, True), (2048, 12, True), (3072, 1, True), (4096, 1, True), (8192, 1, True)],
    ],
)
def test_where_a_symmetric_kernel_is_taken(n, batch, pays):
    """Not at 1024 and 2048 alone, where cuBLAS is faster (benchmarks/results/gpu.json)."""
    assert tiles.symmetric_pays(n, batch, MULTIPROCESSORS) is pays


def test_a_sum_in_the_same_pass_pays_where_the_product_alone_does_not():
    assert tiles.symmetric_pays(2048, 1, MULTIPROCESSORS, fused=True)
    assert not tiles.symmetric_pays(1024, 1, MULTIPROCESSORS, fused=True)


def test_where_a_product_is_taken():
    assert not tiles.product_pays(1536, 1536, 1, MULTIPROCESSORS)
    assert not tiles.product_pays(3072, 3072, 1, MULTIPROCESSORS)
    assert tiles.product_pays(2048, 2048, 1, MULTIPROCESSORS)
    assert not tiles.product_pays(512, 512, 1, MULTIPROCESSORS)
    assert tiles.product_pays(4096, 4096, 1, MULTIPROCESSORS)
    assert tiles.product_pays(7168, 2048, 12, MULTIPROCESSORS)


@pytest.mark.parametrize("tile", [*TILES, *TILES_32])
def test_tiles_can_be_compiled(tile):
    for size in (tile.rows, tile.depth, *(() if tile.divided else (tile.warps,))):
        assert size & (size - 1) == 0
    assert str(tile.rows * tile.halves) in tile.name


def test_examples():
    assert doctest.testmod(tiles) == (0, 1)


def test_tiles_that_do_not_fit_are_left_out():
    """The 99 KiB of capabilities 8.6, 8.9 and 12.0 hold the small tile alone."""
    assert tiles.fitting(TILES, 2, tiles.SHARED_MEMORY) == TILES
    assert tiles.fitting(TILES_32, 4, tiles.SHARED_MEMORY) == TILES_32
    assert tiles.fitting(TILES, 2, 99 * 1024) == (SMALL,)
    assert tiles.fitting(TILES, 2, 48 * 1024) == ()


@pytest.mark.parametrize("n", range(1, 300, 23))
def test_wide_tiles_cover_the_triangle(n):
    """Squares of 2 rows x 2 rows on and below the diagonal, in two halves."""
    tile = Tile(16, 2, 16, warps=4, stages=2)
    rows = ceil(n / 32)
    places = [(r, c) for r, c in itertools.product(range(rows), repeat=2) if r >= c]
    assert tiles.symmetric_count(n, 1, tile) == 2 * len(places)
