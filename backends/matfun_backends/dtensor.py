"""DTensor: matrices whose rows are spread over the processes of a mesh, and members of stacks that are.

Collectives are called in the same order by every process, whatever the values: what decides about them - sums, the
numbers that are drawn, whether something failed - is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor, Replicate, Shard

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Array, Ops
from matfun.spread import Arrays, Members, Part, RowBlocks
from matfun_backends.torch import TorchOps

REMEDIES = (
    "A.redistribute(placements=[Shard(axis of the long side)]), [Shard(axis of the stack)] where there is one, or "
    "[Replicate()] gives what is taken"
)


class DTensorOps(TorchOps):
    """Parts of DTensors; their arithmetic is that of torch on the tensors of each process."""

    name = library = "dtensor"
    spread_only = True

    def spread(self, A: Array) -> RowBlocks | Members:
        if A.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                "A: expected a DTensor without gradient, because sums over processes are not differentiated; got "
                "requires_grad=True: pass A.detach(), or call under torch.no_grad()"
            )
        mesh, (placement, *others) = A.device_mesh, A.placements
        if others:
            raise ValueError(
                f"A: expected a DTensor on a mesh of one dimension, got a mesh of shape {tuple(mesh.shape)} with "
                f"placements {A.placements}; {REMEDIES}"
            )
        if mesh.get_coordinate() is None:
            raise ValueError(f"A: expected a DTensor on a mesh with this process in it, got {mesh}")
        *stack, m, n = A.shape
        if placement.is_replicate():
            return DTensorMembers(A)
        if isinstance(placement, Shard):
            axis = placement.dim % A.ndim
            if axis < A.ndim - 2:
                return DTensorMembers(A)
            if not stack and (m >= n if axis == 0 else m <= n):
                return DTensorRows(A, wide=axis == 1)
        raise ValueError(
            "A: expected a DTensor that is sharded along the long side of a matrix or along the stack, or replicated, "
            f"got shape {tuple(A.shape)} with placements {A.placements}; {REMEDIES}"
        )


class _Group:
    """The processes of a mesh of one dimension."""

    def __init__(self, A: Array) -> None:
        self.mesh, self.device = A.device_mesh, A.to_local().device
        self.group = self.mesh.get_group()
        self.rank, self.size = dist.get_rank(self.group), dist.get_world_size(self.group)

    def broadcast(self, x: Array, rank: int = 0) -> Array:
        """X of one of the processes."""
        x = _plain(x)
        dist.broadcast(x, dist.get_global_rank(self.group, rank), group=self.group)
        return x

    def reduce(self, x: Array, how: Any) -> Array:
        """Sum or maximum over the processes; of 16 bits in float32."""
        total = _plain(x).to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else _plain(x)
        dist.all_reduce(total, how, group=self.group)
        return total.to(x.dtype)

    def agree_on_rng(self, rng: Any) -> int:
        """Return a seed, drawn by the first process."""
        seed = int(np.random.default_rng(rng).integers(2**63))
        return int(self.broadcast(torch.tensor(seed, device=self.device)).item())


class DTensorRows(RowBlocks):
    """Rows of a DTensor, one block a process."""

    def __init__(self, A: Array, *, wide: bool) -> None:
        m, n = A.shape
        self.shape, self.wide = ((n, m) if wide else (m, n)), wide
        local = A.to_local()
        self.like = local
        self._A, self._block = A, local.mH if wide else local
        self._group = _Group(A)
        # the longest blocks come first, as torch.chunk cuts them
        self._start = min(self.shape[0], self._group.rank * -(-self.shape[0] // self._group.size))

    def fold(self, part: Part, combine: Callable[[Arrays, Arrays], Arrays], *small: Array) -> Arrays:
        own = part(self._block, self._start, *small)
        total: Arrays | None = None
        for rank in range(self._group.size):
            found = tuple(self._group.broadcast(x, rank) for x in own)
            total = found if total is None else combine(total, found)
        assert total is not None
        return total

    def total(self, part: Part, *small: Array) -> Arrays:
        return tuple(self._group.reduce(x, dist.ReduceOp.SUM) for x in part(self._block, self._start, *small))

    def scaled_total(self, ops: Ops, part: Part) -> tuple[Array, Array]:
        exponent, Y = part(self._block, self._start)
        largest = self._group.reduce(exponent, dist.ReduceOp.MAX)
        return largest, self._group.reduce(ops.times_power_of_two(Y, exponent - largest), dist.ReduceOp.SUM)

    def map(self, part: Part, *small: Array) -> Array:
        Y = part(self._block, self._start, *small)
        local = _plain(Y.mH if self.wide else Y, copy=False)
        return _like(self._A, local, self._A.placements, self._A.shape)

    def replicate(self, Y: Array) -> Array:
        return _like(self._A, _plain(Y), [Replicate()], Y.shape)

    def agree(self, *small: Array) -> Arrays:
        return tuple(map(self._group.broadcast, small))

    def agree_on_rng(self, rng: Any) -> int:
        return self._group.agree_on_rng(rng)


class DTensorMembers(Members):
    """What a process has of a stack that is sharded by its members, or of anything replicated."""

    def __init__(self, A: Array) -> None:
        self.local, self._A, self._group = A.to_local(), A, _Group(A)

    def wrap(self, Y: Array) -> Array:
        return _like(self._A, _plain(Y, copy=False), self._A.placements, (*self._A.shape[:-2], *Y.shape[-2:]))

    def gather(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self._group.size
        dist.all_gather_object(found, value, group=self._group.group)
        return found

    def agree_on_rng(self, rng: Any) -> Any:
        return self._group.agree_on_rng(rng) if self._A.placements[0].is_replicate() else rng


def _plain(x: Array, *, copy: bool = True) -> Array:
    """X in a memory of its own, dense and without a pending conjugation, as collectives need it."""
    x = x.resolve_conj().contiguous()
    return x.clone() if copy else x


def _like(A: Array, local: Array, placements: Any, shape: Any) -> Array:
    stride, step = [], 1
    for side in reversed(shape):
        stride.append(step)
        step *= max(side, 1)
    return DTensor.from_local(
        local, A.device_mesh, placements, run_check=False, shape=torch.Size(shape), stride=tuple(reversed(stride))
    )


def provide(xp: Any) -> Ops:
    """Verbs for DTensors."""
    return DTensorOps(xp)
