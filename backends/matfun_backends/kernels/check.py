"""Is a kernel right on this device?  Asked once per process and class of shapes, before the first answer is used.

A kernel runs on small matrices of its class that are drawn for the purpose, into memory that is full of NaN, and is
compared with products in float64 by the plain path.  The user's matrices are not looked at.  A kernel that differs, or
raises, is never used again in this process, and a warning says so.
"""

from __future__ import annotations

import warnings
from itertools import combinations_with_replacement, zip_longest
from typing import Any, NamedTuple

import numpy as np
import torch

from matfun_backends.kernels import fit, launch
from matfun_backends.kernels.tiles import BAND, Tile


class Case(NamedTuple):
    """What is checked together: the same source and options; the compiler may know more of one matrix than of another.

    ``columns`` says which operands are contiguous by columns; of a fit it is the columns of S and the highest power.
    """

    kernel: str
    device: torch.device
    dtype: torch.dtype
    tile: Tile | None
    descriptors: bool
    on_device: tuple[bool, ...]
    columns: tuple[Any, Any]
    has_c: bool = True
    has_gamma: bool = False


_verdicts: dict[Case, bool] = {}

PRODUCT_ERROR = {torch.float32: 2.0**-21, torch.bfloat16: 2.0**-24, torch.float16: 2.0**-24}
"""Relative error of one product of two elements.  TF32 keeps 11 bits of each part; of the four products of parts the
smallest, 2^-22 at most, is left out, and its parts are rounded once more.  16-bit products are exact in float32."""

ROWS = 48
"""Of the matrices that a combination is checked on; a multiple of 16 elements."""

SUBNORMAL = {torch.float32: 0.0, torch.bfloat16: 0.0, torch.float16: 2.0**-24}
"""Spacing of the smallest numbers, where it is not far below all that a check draws."""

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
    return ROUNDED[dtype] * abs(product) + SUBNORMAL[dtype] + (PRODUCT_ERROR[dtype] + (depth + 2) * 2.0**-23) * sizes


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
    tile = f"tile {case.tile.name}" if case.tile else "rows"
    warnings.warn(
        f"the {case.kernel} kernel {reason} ({case.dtype}, {tile}, {case.device}); "
        "the plain path is used instead, in this process",
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


def _difference_of_fit(case: Case) -> str:
    """What is wrong with a fit, or nothing: each power beside the one before, the inner products, and the minimum.

    Of four matrices one has its minimum inside of the interval, one beyond its upper end; one is zero, one NaN.
    """
    columns, last = case.columns
    n, rng, (lower, upper) = (
        fit.DEPTH + launch.SPECIALISED,
        np.random.default_rng(0),
        (0.25, 2.0),
    )  # two pieces of a row
    S = torch.from_numpy(rng.standard_normal((n, columns))).to(case.device, case.dtype)
    R = torch.from_numpy(rng.standard_normal((4, n, n)) / n**0.5).to(case.device)
    R = ((R + R.mT) * torch.tensor([0.02, 1.0, 0.0, torch.nan], device=case.device)[:, None, None]).to(case.dtype)
    u0, u1, u2 = np.zeros((3, last + 1))
    least = last // 2
    u0[least], u1[least] = 1.0, -1 / 1.3  # alone they are least at 1.3
    u0[last], u1[last] = 1.0, -1 / 5
    u2[least:] = 0.01 * rng.standard_normal(last + 1 - least)
    polynomials = (tuple(u0), tuple(u1), tuple(u2))
    found = launch.fit(R, S, polynomials, (lower, upper))
    alpha, R = found.alpha.cpu().double(), R[:2].double()
    if not (lower < alpha[0] < upper and alpha[1] == upper and alpha[2] == alpha[3] == lower):
        return f"gave the minima {alpha.tolist()}"
    V = torch.cat([S.double().expand(2, 1, n, columns), found.powers[:2].double()], 1)
    rho = (V[:, 1].norm(dim=(-2, -1)) / n**0.5).reshape(-1, 1, 1)
    V[:, 1] /= rho
    each = ROUNDED[case.dtype] + PRODUCT_ERROR[case.dtype] + (n + 8) * 2.0**-23  # operand, products, sum and scales
    worst = [
        ((V[:, k] * rho - R @ V[:, k - 1]).abs() / (each * (abs(R) @ abs(V[:, k - 1])))).max()
        for k in range(1, last + 1)
    ]
    # over rho^least
    powers_of_rho = rho[:, None] ** (torch.arange(last + 1, device=case.device)[:, None, None] - least)
    terms = torch.tensor(polynomials, device=case.device)[:, None, :, None, None] * (powers_of_rho * V)
    u, sizes, sums = terms.sum(2), abs(terms).sum(2), found.sums[:2].double().sum(-1)
    for k, (a, b) in enumerate(combinations_with_replacement(range(3), 2)):
        off = (sums[:, k] - (u[a] * u[b]).sum((-2, -1))).abs()
        worst.append((off / ((n * columns + 8 * last) * 2.0**-23 * (sizes[a] * sizes[b]).sum((-2, -1)))).max())
    c = torch.stack([0 * sums[:, 0], 2 * sums[:, 1], 2 * sums[:, 2] + sums[:, 3], 2 * sums[:, 4], sums[:, 5]], -1).cpu()
    for a, x in zip((c / abs(c).amax(-1, keepdim=True)).numpy(), alpha[:2].numpy(), strict=True):
        lowest = np.polyval(a[::-1], np.linspace(lower, upper, 1025)).min()
        worst.append(torch.tensor((np.polyval(a[::-1], x) - lowest) / (2 * fit.ROUNDINGS * 2.0**-23)))
    ratio = max(float(x) for x in worst)
    return "" if all(x <= 1 for x in worst) else f"differs from float64 by {ratio:.3g} times the bound of its rounding"


def _difference(case: Case) -> str:
    """What is wrong, or nothing."""
    if case.kernel == "fit":
        return _difference_of_fit(case)
    rng = np.random.default_rng(0)
    batch = 3

    def draw(*shape: int, by_columns: bool = False) -> torch.Tensor:
        X = torch.from_numpy(rng.standard_normal(shape)).to(case.device, case.dtype)
        return X.mT.contiguous().mT if by_columns else X

    factors: list[Any] = [1.5, -0.75, 0.5]
    factors = [draw(batch).float() if there else x for x, there in zip_longest(factors, case.on_device)]
    factors[2] = factors[2] if case.has_gamma else 0.0
    a, b, g = (torch.as_tensor(x, device=case.device, dtype=torch.float64).reshape(-1, 1, 1) for x in factors)
    if case.tile is None:  # two pieces of a row, the second not full
        S, C = (draw(batch, ROWS, launch.LONGEST_PIECE + launch.SPECIALISED, by_columns=case.columns[0]) for _ in "SC")
        poisoned = torch.full_like(S, torch.nan)
        D = launch.combination(S, C if case.has_c else None, *factors, out=poisoned)
        product, moduli, depth, b = S.double(), S.double().abs(), 0, b * case.has_c
    else:  # two bands of the triangle, tiles that are not full, as many pieces of the sum as no ring has places
        side = BAND * case.tile.rows * case.tile.halves + launch.SPECIALISED
        depth = 4 * case.tile.depth + launch.SPECIALISED
        how: Any = {"tile": case.tile, "multiprocessors": 7, "descriptors": case.descriptors}
        poisoned = torch.full((batch, side, side), torch.nan, dtype=case.dtype, device=case.device)
        C = draw(batch, side, side)
        A = draw(batch, side, depth, by_columns=case.columns[0])
        if case.kernel == "symmetric":
            same = case.columns[0] == case.columns[1]
            Bt = A if same else A.mT.contiguous().mT if case.columns[1] else A.contiguous()
            C = C + C.mT
            D = launch.symmetric(A, Bt, C if case.has_c else None, *factors, **how, out=poisoned)
            if not torch.equal(D, D.mT):
                return "gave a matrix that is not symmetric, or left parts of it unwritten"
            B, b = A.mT, b * case.has_c
        else:
            B = draw(batch, side, depth, by_columns=case.columns[1]).mT
            D = launch.product(C, A, B, *factors[:2], **how, out=poisoned)
        A, B = A.double(), B.double()
        product, moduli = A @ B, abs(A) @ abs(B)
    C = C.double()
    eye = torch.eye(*C.shape[-2:], dtype=torch.float64, device=case.device)
    exact = a * product + b * C + g * eye
    sizes = abs(a) * moduli + abs(b) * abs(C) + abs(g) * eye
    ratio = ((D.double() - exact).abs() / bound(exact, sizes, depth, case.dtype)).max()
    return "" if ratio <= 1 else f"differs from the plain product by {float(ratio):.3g} times the bound of its rounding"
