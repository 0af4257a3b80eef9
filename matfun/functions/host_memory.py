"""``method="auto"`` for arrays in the host's memory whose library is slow call by call: NumPy computes on that memory.

Which libraries that serves is measured (benchmarks/host_memory.py): JAX, whose eager calls are many small ones, and not
torch, whose threads and those of NumPy's BLAS wait for each other.  A provider says so by ``Ops.lend``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from matfun.functions.inputs import Input
from matfun.ops import Array
from matfun.providers import ops_for
from matfun.result import Info


def on_host(given: Input, method: Any, steps: int | None, backend: Any) -> Input:
    """The same matrix for NumPy, where its library lends the memory and the caller left the choice.

    Parameters
    ----------
    given : Input
    method : str or Rule
    steps : int or None
        A fixed number of steps waits for no device, so that it has to stay there.
    backend : str, Ops or None
    """
    named = not (isinstance(method, str) and method == "auto") or steps is not None or backend is not None
    if named or given.traced or 0 in given.A.shape or given.ops.is_16bit(given.dtype):
        return given
    lent = given.ops.lend(given.A)
    return given if lent is None else Input(ops_for(lent), lent, lent.dtype, traced=False, lender=given)


def handed_back(given: Input, values: tuple[Array, ...], info: Info) -> tuple[tuple[Array, ...], Info]:
    """Values, and the device arrays of the info, in the caller's library.

    Parameters
    ----------
    given : Input
    values : tuple of arrays
    info : Info
    """
    lender = given.lender
    if lender is None:
        return values, info
    real = np.finfo(given.A.dtype).dtype

    def back(x: Any) -> Any:
        if x is None:
            return None
        with given.ops.quiet():  # a scale that the dtype cannot represent is infinite there
            x = np.asarray(x, dtype=real if np.asarray(x).dtype.kind == "f" else None)
        return lender.ops.take_back(x, lender.A)

    info = replace(info, scale=back(info.scale), ridge=back(info.ridge), warm_start=back(info.warm_start))
    return tuple(map(back, values)), info
