"""Is a kernel right on this device?  Asked once per process and class of shapes, before the first answer is used.

A kernel runs on small matrices of its class that are drawn for the purpose, into memory that is full of NaN, and is
compared with products in float64 by the plain path.  The user's matrices are not looked at.  A kernel that differs, or
raises, is never used again in this process, and a warning says so.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch

from matfun_backends.kernels import launch
from matfun_backends.kernels.tiles import BAND, Tile


class Case(NamedTuple):
    """What is checked together: matrices for which the same machine code runs."""

    kernel: str
    device: torch.device
    dtype: torch.dtype
    tile: Tile
    descriptors: bool
    on_device: bool
    columns: tuple[bool, bool]
    has_c: bool = True


_verdicts: dict[Case, bool] = {}

PRODUCT_ERROR = {torch.float32: 2.0**-21, torch.bfloat16: 2.0**-24, torch.float16: 2.0**-24}
"""Relative error of one product of two elements.  TF32 keeps 11 bits of each part; of the four products of parts the
smallest, 2^-22 at most, is left out, and its parts are rounded once more.  16-bit products are exact in float32."""

ROUNDED = {torch.float32: 2.0**-23, torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10}
"""Relative error of storing: one unit, since not all that stores rounds to nearest (Triton's interpreter cuts)."""


def bound(product: Any, sizes: Any, depth: int, dtype: torch.dtype) -> Any:
    """Largest permissible error of each element.

    Parameters
    ----------
    product : array
        The exact answer.
    sizes : array
        The same sums of the moduli of their terms.
    depth : int
        Number of terms.
    dtype : torch.dtype
        Of the operands and the answer.

    Notes
    -----
    Sums of k terms in float32, in any order and with truncation, are off by at most k 2^-23 of the sum of moduli
    (Higham, Accuracy and Stability, sec. 4.2); two more operations combine the terms.
    """
    return ROUNDED[dtype] * abs(product) + (PRODUCT_ERROR[dtype] + (depth + 2) * 2.0**-23) * sizes


def trusted(case: Case) -> bool:
    """Whether the kernel of this case agrees with the plain path; found out at the first call, by waiting for it."""
    if case not in _verdicts:
        wrong = _difference_or_error(case)
        if wrong:
            distrust(case, wrong)
        else:
            _verdicts[case] = True
    return _verdicts[case]


def known(case: Case) -> bool:
    """Whether ``trusted`` answers without a run."""
    return case in _verdicts


def forget() -> None:
    """Check every kernel again before it is used again."""
    _verdicts.clear()


def distrust(case: Case, reason: str) -> None:
    """Never use the kernel again in this process, and say why."""
    _verdicts[case] = False
    warnings.warn(
        f"the {case.kernel} kernel {reason} ({case.dtype}, tile {case.tile.name}, {case.device}); "
        "plain products are used instead, in this process",
        RuntimeWarning,
        stacklevel=2,
    )


def raised(error: Exception) -> str:
    """What to say of a kernel that raised."""
    return f"raised {type(error).__name__}: {error}"


def _difference_or_error(case: Case) -> str:
    try:
        return _difference(case)
    except Exception as error:  # a compiler, a driver or a launcher may raise anything
        return raised(error)


def _difference(case: Case) -> str:
    """What is wrong, or nothing."""
    # two bands of the triangle, a tile that is not full, and two matrices
    side = (BAND + 1) * case.tile.rows * case.tile.halves + launch.SPECIALISED
    depth, batch = 2 * case.tile.depth + launch.SPECIALISED, 2
    rng = np.random.default_rng(0)

    def draw(*shape: int, by_columns: bool = False) -> torch.Tensor:
        X = torch.from_numpy(rng.standard_normal(shape)).to(case.device, case.dtype)
        return X.mT.contiguous().mT if by_columns else X

    factors = [draw(batch).float() for _ in range(3)] if case.on_device else [1.5, -0.75, 0.5]
    a, b, g = (torch.as_tensor(x, device=case.device, dtype=torch.float64).reshape(-1, 1, 1) for x in factors)
    how = {"tile": case.tile, "multiprocessors": 7, "descriptors": case.descriptors}
    poisoned = torch.full((batch, side, side), torch.nan, dtype=case.dtype, device=case.device)
    C = draw(batch, side, side)
    A = draw(batch, side, depth, by_columns=case.columns[0])
    if case.kernel == "symmetric":
        Bt = A if case.columns[0] == case.columns[1] else A.mT.contiguous().mT if case.columns[1] else A.contiguous()
        C = C + C.mT
        D = launch.symmetric(A, Bt, C if case.has_c else None, *factors, **how, out=poisoned)  # type: ignore[arg-type]
        if not torch.equal(D, D.mT):
            return "gave a matrix that is not symmetric, or left parts of it unwritten"
        B, b, g = A.mT, b * case.has_c, g
    else:
        B = draw(batch, side, depth, by_columns=case.columns[1]).mT
        D = launch.product(C, A, B, *factors[:2], **how, out=poisoned)  # type: ignore[arg-type]
        g = g * 0
    eye = torch.eye(side, dtype=torch.float64, device=case.device)
    A, B, C = A.double(), B.double(), C.double()
    exact = a * (A @ B) + b * C + g * eye
    sizes = abs(a) * (abs(A) @ abs(B)) + abs(b) * abs(C) + abs(g) * eye
    ratio = ((D.double() - exact).abs() / bound(exact, sizes, depth, case.dtype)).max()
    return "" if ratio <= 1 else f"differs from the plain product by {float(ratio):.3g} times the bound of its rounding"
