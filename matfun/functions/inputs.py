"""Checks of what the caller gave, each message naming the argument, what was expected and what came."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from matfun.ops import Array, Ops
from matfun.providers import ops_for
from matfun.sketching.checks import check_integer


@dataclass(frozen=True)
class Input:
    """A checked matrix or stack.

    Attributes
    ----------
    ops : Ops
    A : array, shape (..., m, n)
        In the dtype of the computation.
    dtype : Any
        Dtype of the result.
    traced : bool
    lender : Input or None
        What the caller gave, where A is its memory as a NumPy array (``host_memory.py``).
    """

    ops: Ops
    A: Array
    dtype: Any
    traced: bool
    lender: Input | None = None

    def restore(self, Y: Array) -> Array:
        """Y in the dtype of the result."""
        return Y if Y.dtype == self.dtype else self.ops.xp.astype(Y, self.dtype)


def check_matrix(A: Any, backend: str | Ops | None, *, spread: bool = False) -> Input:
    """Take an array of any library, or what NumPy makes an array of, as a stack of matrices.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
    backend : str, Ops or None
    spread : bool
        Whether the function takes matrices that are not in one place.

    Raises
    ------
    TypeError
        For masked arrays, mixed libraries, and dtypes that cannot be computed with.
    ValueError
        For fewer than two dimensions.
    """
    if isinstance(A, (list, tuple, int, float, complex, np.generic)):
        try:
            A = np.asarray(A)
        except ValueError as error:
            raise ValueError(f"A: expected rows of equal length, got {error}") from None
    if isinstance(A, np.ma.MaskedArray):
        raise TypeError("A: expected an array without a mask, got a masked array; fill it first")
    if isinstance(A, np.matrix):
        A = np.asarray(A)
    ops = ops_for(A, backend)
    if ops.spread_only and not spread:
        raise TypeError(
            f"A: expected an array in one place, because only polar and orthogonalize take one that is spread; got a "
            f"{type(A).__name__}: pass A.full_tensor() or A.to_local()"
        )
    if A.ndim < 2:
        raise ValueError(f"A: expected at least two dimensions (..., m, n), got shape {tuple(A.shape)}")
    compute = ops.compute_dtype(A)
    result = compute
    if compute != A.dtype:
        # 16-bit storage comes back as it went in, also where it has to be computed in float32
        result = A.dtype if str(A.dtype).endswith("float16") else compute
        A = ops.xp.astype(A, compute)
    return Input(ops, A, result, ops.is_traced(A))


def finite_members(ops: Ops, A: Array, *, required: bool, norm: Any = None) -> np.ndarray[Any, Any]:
    """Which matrices of a stack are finite; waits for the device.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., m, n)
    required : bool
        Raise unless all are.
    norm : float or numpy array, optional
        ``Ops.known_norm`` of A, if it is at hand.

    Raises
    ------
    ValueError
        Naming the matrices of the stack that are not finite.
    """
    if norm is not None and np.isfinite(norm).all():
        return np.asarray(np.isfinite(norm))
    finite = np.asarray(ops.as_host(ops.all_finite(A)), dtype=bool)
    if required and not finite.all():
        bad = [tuple(map(int, index)) for index in np.argwhere(~finite)[:5]]
        where = f" in the matrices at {bad}" if finite.ndim else ""
        raise ValueError(f"A: expected finite elements, got NaN or infinity{where}")
    return finite


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise unless value is one of the choices.

    Raises
    ------
    ValueError
    """
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name}: expected {' or '.join(map(repr, choices))}, got {value!r}")


def check_accuracy(tol: float | None, steps: int | None) -> None:
    """Raise unless tol and steps make sense together.

    Raises
    ------
    ValueError, TypeError
    """
    if tol is not None and steps is not None:
        raise ValueError(f"tol, steps: expected at most one of the two, got tol={tol!r} and steps={steps!r}")
    if tol is not None and not (isinstance(tol, Real) and 0 < tol < 1):
        raise ValueError(f"tol: expected a number in (0, 1) or None, got {tol!r}")
    if steps is not None:
        check_count("steps", steps, least=0)


check_count = check_integer


def check_rng(rng: Any) -> None:
    """Raise unless NumPy can make a generator of it.

    Raises
    ------
    ValueError, TypeError
    """
    if rng is None or isinstance(rng, np.random.Generator) or (isinstance(rng, int) and rng >= 0):
        return
    try:
        np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng: expected a numpy.random.Generator, a seed or None, got {rng!r}") from None
