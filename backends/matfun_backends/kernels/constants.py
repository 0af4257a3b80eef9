"""Host values that are on the device already: the second time, nothing is copied and nobody waits.

Copies from ordinary host memory wait for the device, and may not be captured in a CUDA graph.  Schedules, grids and
sketches of a fixed seed are the same values in every call.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch

NUMBER = 64
"""Values that are kept; a method uses some ten of them.  Those of a generator, which moves on, push out the oldest."""

LARGEST = 2**20
"""Bytes of a value that is kept; a choice: eight vectors of length 4096 in float64 have a quarter of it."""


class Constants:
    """Tensors by the values that they hold; what is handed out is a copy made on the device, which may be changed."""

    def __init__(self) -> None:
        self._recent: OrderedDict[tuple[Any, ...], torch.Tensor] = OrderedDict()
        self._captured: dict[tuple[Any, ...], torch.Tensor] = {}

    def on_device(self, values: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """New tensor with these values.

        Parameters
        ----------
        values : array_like or tensor
        dtype : torch.dtype
        device : torch.device
        """
        if isinstance(values, torch.Tensor):
            return torch.as_tensor(values, dtype=dtype, device=device)
        values = np.asarray(values)
        if values.nbytes > LARGEST:
            return torch.as_tensor(values, dtype=dtype, device=device)
        key = (values.tobytes(), values.shape, values.dtype.str, dtype, device)
        found = self._captured.get(key)
        if found is None:
            found = self._recent.pop(key, None)
        if found is None:
            found = torch.as_tensor(values, dtype=dtype, device=device)
        if _is_captured(device):  # a graph knows addresses only: what it reads must stay
            self._captured[key] = found
        elif key not in self._captured:
            self._recent[key] = found
            while len(self._recent) > NUMBER:
                self._recent.popitem(last=False)
        return found.clone()


def _is_captured(device: torch.device) -> bool:
    return bool(device.type == "cuda" and torch.cuda.is_current_stream_capturing())
