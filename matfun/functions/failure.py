"""What becomes of an answer that is not what was asked for: nothing that was computed is lost."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from matfun.functions.certificate import plain
from matfun.ops import Ops
from matfun.result import ConvergenceError, ConvergenceWarning, Info, PolarResult, Status

OnFailure = Literal["raise", "warn", "svd"]


def failed_members(info: Info | None) -> np.ndarray[Any, Any]:
    """Which matrices of the stack have no good answer."""
    assert info is not None
    status = np.asarray(info.status, dtype=object)
    return np.asarray([not s.ok for s in status.ravel()], dtype=bool).reshape(status.shape)


def raise_or_warn(
    function: str,
    result: Any,
    info: Info | None,
    bad: np.ndarray[Any, Any],
    goal: float,
    on_failure: str,
    more: str = "",
    *,
    stacklevel: int = 3,
) -> None:
    """Raise, with the result on board, or warn.

    Parameters
    ----------
    function : str
        Name of the public function.
    result : Any
        What the error carries.
    info : Info
    bad : numpy array of bool, shape of the stack
    goal : float
    on_failure : str
    more : str
        What else is known of the failure.
    stacklevel : int
        Of a warning: 3 where the public function calls.

    Raises
    ------
    ConvergenceError
        Unless ``on_failure`` is "warn".
    """
    assert info is not None
    status = np.asarray(info.status, dtype=object)
    reasons = "  ".join(f"{s.name}: {s.value}" for s in Status if not s.ok and (status == s).any())
    where = ""
    if status.ndim:
        first = tuple(map(int, np.argwhere(bad)[0]))
        where = f", {int(bad.sum())} of {status.size} matrices, the first at {first},"
    worst = np.max(np.asarray(info.residual)[bad])
    message = (
        f"{function} with method {info.method!r}{where} did not reach a residual of {goal:.2e} with an accurate "
        f"certificate (residual {worst:.2e} after {np.max(info.steps)} steps).  {reasons}{more}"
    )
    if on_failure == "warn":
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel)
        return
    raise ConvergenceError(message, result)


def take_over(ops: Ops, result: PolarResult, other: PolarResult, where: np.ndarray[Any, Any]) -> PolarResult:
    """Put the members of another result in the place of failed ones, by a true select.

    Parameters
    ----------
    ops : Ops
    result, other : PolarResult
    where : numpy array of bool, shape of the stack
    """
    info, new = result.info, other.info
    assert info is not None
    assert new is not None
    assert info.certificate is not None
    take = ops.from_host(where, result.U, ops.xp.bool)
    U, H = (ops.select(take, theirs, ours) for theirs, ours in zip(other, result, strict=True))
    failed_too = failed_members(other.info)
    status = np.array(info.status, dtype=object)
    status[where & ~failed_too] = Status.FELL_BACK

    def pick(name: str) -> Any:
        return plain(np.where(where, getattr(new, name), getattr(info, name)))

    proof = replace(info.certificate, backward_error=pick("backward_error"), orthogonality=pick("orthogonality"))
    merged = replace(
        info,
        status=plain(status),
        certificate=proof,
        residual=pick("residual"),
        steps=pick("steps"),
        products=info.products + new.products,
    )
    return PolarResult.of(U, H, merged)
