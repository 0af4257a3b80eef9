"""A stack worked on in parts that fit the cache of a CPU, so that it is never slower than a loop over its members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from typing import Any

from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar, Update


@dataclass(frozen=True)
class Part:
    """What a fixed number of steps gives for some matrices of a stack.

    Attributes
    ----------
    results : tuple of array, each of shape (..., m, n) for its own m and n
    divisor : Scalar or None
        None where nobody asks for it and for the updates.
    updates : tuple of Update
    """

    results: tuple[Array, ...]
    divisor: Scalar | None
    updates: tuple[Update, ...]


def in_parts(run: Callable[[Array], Part], ops: Ops, A: Array) -> Part:
    """Run on as many matrices at a time as the provider says, and put the answers together.

    Parameters
    ----------
    run : callable
        Of a matrix or a stack.
    ops : Ops
    A : array, shape (..., m, n)
    """
    stack = A.shape[:-2]
    size = ops.members_at_once(A) if stack else None
    count = prod(stack)
    if size is None or (size > 1 and count <= size):
        return run(A)
    looped: Part | None = ops.each_member(run, A) if size == 1 else None
    if looped is not None:
        return looped
    flat = ops.xp.reshape(A, (count, *A.shape[-2:]))
    parts: list[Part] = []
    results: tuple[Array, ...] = ()
    for start in range(0, count, size):
        part = run(flat[start, ...] if size == 1 else flat[start : start + size, ...])
        if not parts:
            results = tuple(_empty(ops, Y, count) for Y in part.results)
        for Y, some in zip(results, part.results, strict=True):
            Y[start : start + size, ...] = some
        parts.append(replace(part, results=()))

    def join(values: Sequence[Any]) -> Any:
        """One value per matrix of the stack, of the shape of the stack; equal floats stay what they are."""
        first = values[0]
        if isinstance(first, tuple):
            return tuple(map(join, zip(*values, strict=True)))
        if not hasattr(first, "shape"):
            return first
        return ops.xp.reshape(ops.xp.concat([ops.xp.reshape(v, (-1,)) for v in values]), stack)

    results = tuple(ops.xp.reshape(Y, (*stack, *Y.shape[-2:])) for Y in results)
    if parts[0].divisor is None:
        return Part(results, None, ())
    updates = tuple(
        type(step[0])(**{f.name: join([getattr(h, f.name) for h in step]) for f in fields(step[0])})
        for step in zip(*(part.updates for part in parts), strict=True)
    )
    return Part(results, join([part.divisor for part in parts]), updates)


def _empty(ops: Ops, like: Array, count: int) -> Array:
    from array_api_compat import device

    return ops.xp.empty((count, *like.shape[-2:]), dtype=like.dtype, device=device(like))
