"""What the comparison with other packages is run on: shapes, dtypes and spectra, by table.

Inputs are made in float64 from a fixed seed and rounded to the dtype once, so that every library and the float64
truth see the same numbers.  Sizes rise within a table, because a method that was hopeless on the smaller matrix of the
same kind is not run on the larger one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from matfun.lab.spectra import gaussian, log_spaced, with_singular_values

Matrix = np.ndarray[Any, Any]

CONDITION = 1e3
TABLES = ("overhead", "steps", "stacks", "tall", "scaling", "cuda", "polar")
SPECTRA = ("gaussian", "log 1e3")
SQUARES = (256, 512, 1024, 2048, 4096)
WIDE = ((512, 2048), (512, 4096), (1024, 4096), (2048, 8192))
# the weights of a transformer of 1.0e9 parameters in its 16 blocks: count, rows, columns
TRANSFORMER = ((32, 2048, 2048), (32, 512, 2048), (32, 8192, 2048), (16, 2048, 8192))


@dataclass(frozen=True)
class Case:
    """One input, and what is asked of it.

    Attributes
    ----------
    table : str
        One of `TABLES`.
    asked : str
        "polar", U and H as accurate as the dtype allows, or "steps", five steps towards U.
    shape : tuple of int
        (..., m, n).
    dtype : str
        float32, float64 or bfloat16.
    spectrum : str
        One of `SPECTRA`; log-spaced singular values have random orthogonal vectors on both sides.
    device : str
        cpu or cuda.
    weights : tuple of (count, m, n)
        A set of stacks in place of one shape.
    """

    table: str
    asked: str
    shape: tuple[int, ...]
    dtype: str
    spectrum: str = "gaussian"
    device: str = "cpu"
    weights: tuple[tuple[int, ...], ...] = ()

    @property
    def name(self) -> str:
        """Shape as a reader writes it."""
        return "transformer" if self.weights else "x".join(map(str, self.shape))

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the stacks of a set, or the only one."""
        return self.weights or (self.shape,)

    @property
    def side(self) -> str:
        """Where H stands: on the small side, which all peers can do."""
        return "left" if self.shapes[0][-2] < self.shapes[0][-1] else "right"

    @property
    def small(self) -> int:
        """The small side k, the largest of a set."""
        return max(min(shape[-2:]) for shape in self.shapes)

    @property
    def product_flops(self) -> float:
        """2 m k^2 for each matrix: the product of the matrix with a square one on its small side."""
        return sum(2.0 * prod(s[:-2]) * max(s[-2:]) * min(s[-2:]) ** 2 for s in self.shapes)

    @property
    def square_flops(self) -> float:
        """2 k^3 for each matrix: a product of two matrices of the small side."""
        return sum(2.0 * prod(s[:-2]) * min(s[-2:]) ** 3 for s in self.shapes)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What two cases share that differ in shape alone."""
        return (self.asked, self.dtype, self.device, len(self.shape), bool(self.weights))

    def matrices(self) -> list[Matrix]:
        """Make the input, one array a stack; float32 holds what bfloat16 rounds to."""
        return [rounded(self._stack(shape, seed), self.dtype) for seed, shape in enumerate(self.shapes)]

    def _stack(self, shape: tuple[int, ...], seed: int) -> Matrix:
        *stack, m, n = shape
        rng = np.random.default_rng(seed)
        members = [self._member(m, n, rng) for _ in range(prod(stack))]
        return np.stack(members).reshape(shape)

    def _member(self, m: int, n: int, rng: np.random.Generator) -> Matrix:
        if self.spectrum == "gaussian":
            return gaussian(m, n, rng)
        return with_singular_values(log_spaced(min(m, n), CONDITION), m, n, rng)


def rounded(A: Matrix, dtype: str) -> Matrix:
    """A in the dtype; NumPy has no bfloat16, so that those numbers stay in float32."""
    if dtype != "bfloat16":
        return A.astype(dtype)
    import torch

    return np.asarray(torch.from_numpy(A).bfloat16().float().numpy())


def cases(table: str, cuda: bool) -> Iterator[Case]:
    """Cases of a table, small ones first."""
    if table == "polar":
        for n in SQUARES[:-1]:
            for dtype in ("float32", "float64"):
                yield Case(table, "polar", (n, n), dtype)
                if n < 1024 or (n == 1024 and dtype == "float64"):
                    yield Case(table, "polar", (n, n), dtype, SPECTRA[1])
        # the largest take minutes each: last, and in one dtype
        for shape in (*WIDE, (SQUARES[-1], SQUARES[-1])):
            yield Case(table, "polar", shape, "float32")
    elif table == "steps":
        for shape in (*((n, n) for n in SQUARES), *WIDE):
            for dtype in ("float32", "bfloat16") if max(shape) > 2048 else ("float32", "float64", "bfloat16"):
                yield Case(table, "steps", shape, dtype)
        for dtype in ("float32", "bfloat16"):
            yield Case(table, "steps", (1024, 1024), dtype, SPECTRA[1])
    elif table == "stacks":
        for shape in ((256, 16, 16), (256, 32, 32), (256, 64, 64), (64, 256, 256), (12, 1024, 1024)):
            for asked in ("steps", "polar"):
                yield Case(table, asked, shape, "float32")
    elif table == "tall":
        for spectrum in SPECTRA:
            yield Case(table, "polar", (200_000, 256), "float64", spectrum)
    elif table == "scaling":
        for asked in ("steps", "polar"):
            yield from (Case(table, asked, (batch, 128, 128), "float32") for batch in (1, 4, 16, 64))
            yield from (Case(table, asked, (256 * aspect, 256), "float32") for aspect in (1, 2, 4, 8, 16))
    elif table == "cuda" and cuda:
        for shape in ((4096, 4096), (4096, 11008), (8192, 8192)):
            yield Case(table, "steps", shape, "bfloat16", device="cuda")
        for shape in ((2048, 2048), (4096, 4096)):
            yield Case(table, "polar", shape, "float32", device="cuda")
        yield Case(table, "steps", (), "bfloat16", device="cuda", weights=TRANSFORMER)


def quick_cases(table: str, cuda: bool) -> Iterator[Case]:
    """A few small cases of a table, to see that everything runs."""
    if table == "polar":
        yield Case(table, "polar", (48, 48), "float32")
        yield Case(table, "polar", (24, 96), "float64", SPECTRA[1])
    elif table == "steps":
        for n in (32, 64, 128):
            yield Case(table, "steps", (n, n), "float32")
        for dtype in ("float64", "bfloat16"):
            yield Case(table, "steps", (32, 128), dtype, SPECTRA[1])
    elif table == "stacks":
        for asked in ("steps", "polar"):
            yield Case(table, asked, (8, 16, 16), "float32")
    elif table == "tall":
        yield Case(table, "polar", (4000, 32), "float64")
    elif table == "scaling":
        yield from (Case(table, "steps", (batch, 16, 16), "float32") for batch in (1, 2, 4))
    elif table == "cuda" and cuda:
        yield Case(table, "steps", (256, 256), "bfloat16", device="cuda")
        yield Case(table, "polar", (256, 256), "float32", device="cuda")
        yield Case(table, "steps", (), "bfloat16", device="cuda", weights=((4, 128, 128), (2, 256, 128)))
