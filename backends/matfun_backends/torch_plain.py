"""PyTorch without the Triton kernels: what they are compared with, and the way to switch them off."""

from __future__ import annotations

from typing import Any

from matfun.ops import API_VERSION as API_VERSION
from matfun.ops import Ops
from matfun_backends.torch import TorchOps


class TorchPlainOps(TorchOps):
    """Torch's own products on every device."""

    name = "torch_plain"
    uses_kernels = False


def provide(xp: Any) -> Ops:
    """Verbs for torch tensors, none of them a kernel."""
    return TorchPlainOps(xp)
