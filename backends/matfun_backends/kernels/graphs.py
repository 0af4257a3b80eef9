"""A function of one matrix as a CUDA graph for each shape: launches cost the host nothing when it is called again.

``Captured(function)`` runs as usual the first time that it sees a shape, which compiles and checks what there is to
compile and check, is captured the second time, and replayed from then on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class _Replay:
    graph: Any
    given: torch.Tensor
    answer: torch.Tensor

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        self.given.copy_(X)
        self.graph.replay()
        return self.answer.clone()


class Captured:
    """A function from tensor to tensor, replayed as a CUDA graph.

    Parameters
    ----------
    function : callable
        Launches the same kernels for every tensor of one shape, and never waits for the device: fixed numbers of steps,
        and a fixed seed where it draws.

    Notes
    -----
    Graphs on one stream share their memory, so they are replayed one after the other.  The argument is copied in, and
    the answer is copied out before anything else may run: it is new memory at every call.  Where a capture fails, a
    warning says why and that shape runs as usual from then on.  Tensors that are not on a CUDA device, and those that a
    derivative is recorded for, always run as usual.

    Examples
    --------
    >>> from functools import partial
    >>> import matfun
    >>> update = Captured(partial(matfun.orthogonalize, steps=5))
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.function = function
        self._runs: dict[tuple[Any, ...], Callable[[torch.Tensor], torch.Tensor] | None] = {}
        self._pools: dict[tuple[Any, ...], Any] = {}

    def __call__(self, X: torch.Tensor) -> torch.Tensor:
        """Value of the function at X.

        Parameters
        ----------
        X : tensor, shape (..., m, n)
        """
        if not _can_be_captured(X):
            return self.function(X)
        stream = torch.cuda.current_stream(X.device).cuda_stream
        key = (X.shape, X.stride(), X.dtype, X.device, stream)
        if key not in self._runs:
            self._runs[key] = None
            return self.function(X)
        run = self._runs[key]
        if run is None:
            run = self._runs[key] = self._capture(X, (X.device, stream))
        return run(X)

    def _capture(self, X: torch.Tensor, place: tuple[Any, ...]) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the graph for tensors like X, or the function itself."""
        try:
            with torch.cuda.device(X.device):
                if place not in self._pools:
                    self._pools[place] = torch.cuda.graph_pool_handle()
                given = torch.empty_strided(X.shape, X.stride(), dtype=X.dtype, device=X.device)
                given.copy_(X)
                graph = torch.cuda.CUDAGraph()
                # other threads, such as those that exchange gradients, go on allocating
                with torch.cuda.graph(graph, pool=self._pools[place], capture_error_mode="thread_local"):
                    answer = self.function(given)
            return _Replay(graph, given, answer)
        except Exception as error:
            self._pools.pop(place, None)  # later graphs share nothing with what was left half done
            warnings.warn(
                f"no CUDA graph for shape {tuple(X.shape)}: {type(error).__name__}: {error}; it runs as usual",
                RuntimeWarning,
                stacklevel=3,
            )
            return self.function


def _can_be_captured(X: torch.Tensor) -> bool:
    recording = torch.is_grad_enabled() and X.requires_grad
    return bool(X.is_cuda and not recording and not torch.cuda.is_current_stream_capturing())
