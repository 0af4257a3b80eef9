"""``matfun.orthogonalize_each``: many matrices of any shapes, those of one shape as stacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matfun.functions.form import Form
from matfun.functions.inputs import Input, check_count, check_matrix
from matfun.functions.orthogonalize import orthogonalize
from matfun.ops import Array, Ops
from matfun.rules.rule import Rule


def orthogonalize_each(
    matrices: Sequence[Any],
    method: str | Rule = "polar-express",
    steps: int = 5,
    *,
    form: Form = "auto",
    rng: Any = None,
    stack_bytes: int = 2**28,
    backend: str | Ops | None = None,
) -> list[Any]:
    """Approximate the unitary polar factor of each of many matrices: all gradients of a network in one call.

    Matrices of one shape, library, dtype and device, or of that shape transposed, are worked on as stacks, which saves
    the calls of small ones and fills a GPU.  Where a provider works on one matrix at a time anyway, nothing is copied.

    Parameters
    ----------
    matrices : sequence of array_like, each of shape (m, n)
        Of whatever shapes, dtypes and libraries.  Never modified.
    method : str or Rule
    steps : int
    form : {"auto", "standard", "gram"}
    rng : numpy.random.Generator, seed or None
        As for ``matfun.orthogonalize``; a sketch is drawn once for a stack.
    stack_bytes : int
        Most bytes that are copied into one stack; a stack has at least one matrix.
    backend : str or Ops, optional

    Returns
    -------
    list of array, each of the shape of the matrix in its place
        Of its library, dtype and device.  Matrices of one stack are views of one array.

    Raises
    ------
    ValueError, TypeError
        As ``matfun.orthogonalize`` does, and for matrices that are not two-dimensional; the message says which.

    Notes
    -----
    The products of ``matfun.orthogonalize``.  Beyond the results, memory for one stack and for its iteration.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> gradients = [np.diag([3.0, 2.0]), np.ones((3, 2)), np.diag([1.0, 5.0])]
    >>> [X.shape for X in matfun.orthogonalize_each(gradients, steps=8)]
    [(2, 2), (3, 2), (2, 2)]
    """
    check_count("stack_bytes", stack_bytes, least=1)
    orthogonalize([[1.0]], method, steps, form="auto" if form == "gram" else form, rng=rng)  # which checks them
    given = [_matrix(i, A, backend) for i, A in enumerate(matrices)]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, one in enumerate(given):
        groups.setdefault(_kind(one), []).append(i)
    found: list[Any] = [None] * len(given)
    for members in groups.values():
        ops, first = given[members[0]].ops, given[members[0]].A
        m, n = sorted(first.shape)
        at_once = max(1, stack_bytes // max(1, m * n * _bytes(first)))
        if ops.members_at_once(first) == 1 and not given[members[0]].traced:  # a trace would grow with every matrix
            at_once = 1
        for start in range(0, len(members), at_once):
            some = members[start : start + at_once]
            tall = [_tall(given[i]) for i in some]
            stack = ops.xp.stack(tall) if len(tall) > 1 else tall[0]
            X = orthogonalize(stack, method, steps, form=form, rng=rng, backend=ops)
            for place, i in enumerate(some):
                one = X[place, ...] if len(tall) > 1 else X
                shape = given[i].A.shape
                found[i] = given[i].restore(ops.adjoint(one) if shape[0] < shape[1] else one)
    return found


def _matrix(i: int, A: Any, backend: str | Ops | None) -> Input:
    given = check_matrix(A, backend)
    if given.A.ndim != 2:
        raise ValueError(f"matrices: expected two dimensions of each, got shape {tuple(given.A.shape)} at {i}")
    return given


def _kind(given: Input) -> tuple[Any, ...]:
    from array_api_compat import device

    A = given.A
    # a matrix and its adjoint go together; a square one is what it is
    return (id(given.ops), str(A.dtype), str(device(A)) if not given.traced else "", tuple(sorted(A.shape)))


def _tall(given: Input) -> Array:
    A = given.A
    return given.ops.adjoint(A) if A.shape[0] < A.shape[1] else A


def _bytes(A: Array) -> int:
    """Bytes of an element, where the library says."""
    return int(getattr(A.dtype, "itemsize", 16))
