"""What ``method="auto"`` takes: the plain facts about cost that hold everywhere.

On a CPU an SVD costs about as much as five quintic steps and is exact; where products are much cheaper per flop
(a GPU), and for 16-bit matrices, which have no factorisations, it is the other way round.
"""

from __future__ import annotations

from typing import Any

from matfun.functions.inputs import Input


def choose_polar(given: Input, method: Any, tol: float | None, steps: int | None) -> Any:
    """Name of the rule that ``auto`` stands for; any other method as it is.

    Parameters
    ----------
    given : Input
    method : str or Rule
    tol : float, optional
    steps : int, optional
        A fixed number of steps asks for an iteration: Polar Express has the smallest error for it.
    """
    if not (isinstance(method, str) and method == "auto"):
        return method
    ops, A = given.ops, given.A
    if steps is not None or ops.is_16bit(A.dtype) or ops.prefers_products(A):
        return "polar-express"
    loose = tol is not None and tol >= LOOSE_TOLERANCE
    return "prism" if loose and not ops.is_complex(A) and A.shape[-2] >= 4 * A.shape[-1] else "svd"


LOOSE_TOLERANCE = 1e-2
"""From here on a tall matrix needs about four steps of an adaptive quintic, fewer products than its SVD."""


def choose_square(function: Any, given: Input, options: Any, *, hermitian: bool) -> Any:
    """Name of the rule that ``auto`` stands for; any other method as it is.

    Parameters
    ----------
    function : SquareFunction
    given : Input
    options : Options
    hermitian : bool
    """
    method = options.method
    if not (isinstance(method, str) and method == "auto"):
        return method
    if options.steps is not None:
        if function.problem in ("inv", "invroot"):
            return "newton-schulz"
        return "polar-express" if hermitian else "newton"
    if function.problem == "inv":
        return "lu"
    return "eigh" if hermitian else "schur"
