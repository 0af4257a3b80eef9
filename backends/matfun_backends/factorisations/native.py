"""LAPACK as NumPy carries it, in the precision of the matrix, with NaN where it fails.

NumPy's public functions compute in double precision whatever they are given.  SciPy's do not, but bring BLAS threads of
their own: where two such pools take turns, each call waits for idle threads of the other that still spin.  An SVD and a
product of order 256 take 32 ms in place of 9 (benchmarks/results/thread_pools.json).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def native(name: str, kinds: str, *operands: np.ndarray[Any, Any]) -> Any:
    """Results of a routine of NumPy's LAPACK for the dtype of the last operand; None where this NumPy has it not.

    Parameters
    ----------
    name : str
        Of a generalised ufunc behind ``numpy.linalg``, which is not public: hence the None.
    kinds : str
        Its operands and results, such as "xx->x": x of the dtype, r real of the same precision.
    operands : arrays, none of them empty
        Singular matrices and those that are not positive definite give NaN, each for itself.
    """
    routine: Any = getattr(getattr(np.linalg, "_umath_linalg", None), name, None)
    char = operands[-1].dtype.char
    signature = kinds.replace("x", char).replace("r", char.lower())
    usual = all(X.dtype.char == char and X.size for X in operands)
    if not usual or signature not in getattr(routine, "types", ()):
        return None
    with np.errstate(all="ignore"):
        return routine(*operands, signature=signature)
