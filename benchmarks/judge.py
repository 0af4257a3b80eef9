"""How methods are judged in the comparison with other packages: time in turns, peak memory, accuracy in float64.

Memory is what the resident set of this process grew by at its highest during the second call, or the only one: VmHWM,
reset through /proc/self/clear_refs, minus VmRSS before; freed blocks that the allocator kept are given back to the
system first, and the answer is counted.  On a GPU it is torch's own count.

The truth is an SVD in float64.  In float64 it is itself one of the routes compared: a route that repeats it reads
distance 0, and the others cannot read less than its own error.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case
from own_methods import Answer, Method

MOST = 15
FEWEST = 3
SHORT = 0.1
LONG = 5.0
"""Seconds of a call that is not repeated."""
ASLEEP = 0.05
"""Seconds after which idle threads of every library sleep: those of OpenBLAS spin for 2^26 cycles, some 25 ms."""


@dataclass
class Timing:
    """Seconds of each repetition and of the first call, MiB, and what was seen in the answer.

    failed : why there are none.
    """

    times: list[float] = field(default_factory=list)
    first: float = 0.0
    memory: float | None = None
    seen: dict[str, Any] = field(default_factory=dict)
    failed: str = ""

    @property
    def median(self) -> float:
        """Median of the repetitions."""
        return statistics.median(self.times)


# ---- arrays ---------------------------------------------------------------------------------------


def put(library: str, host: np.ndarray[Any, Any], case: Case) -> Any:
    """A host array as the library's own, of the dtype and on the device of the case."""
    if library == "torch":
        import torch

        return torch.from_numpy(np.array(host)).to(case.device, getattr(torch, case.dtype))
    if library == "jax":
        import jax.numpy as jnp

        return jnp.asarray(host, dtype=case.dtype)
    return host


def finish(answers: list[Answer], case: Case) -> None:
    """Wait for libraries that answer before they are done."""
    if case.device == "cuda":
        import torch

        torch.cuda.synchronize()
    for answer in answers:
        for x in (*parts(answer.U), *parts(answer.H)):
            if hasattr(x, "block_until_ready"):
                x.block_until_ready()


def parts(x: Any) -> list[Any]:
    """Of a loop's answer the members, of any other the array."""
    return x if isinstance(x, list) else [x]


def in_float64(x: Any, case: Case) -> Any:
    """Where accuracy is computed: NumPy, or on a GPU torch."""
    if isinstance(x, list):
        x = [in_float64(member, case) for member in x]
        if case.device == "cpu":
            return np.stack(x)
        import torch

        return torch.stack(x)
    if hasattr(x, "detach"):
        return x.detach().double().cpu().numpy() if case.device == "cpu" else x.detach().double()
    return np.asarray(x, dtype=np.float64)


# ---- time -----------------------------------------------------------------------------------------


def in_turns(
    found: list[Method],
    arrays: dict[str, list[Any]],
    case: Case,
    seconds: float,
    look: Callable[[list[Answer]], dict[str, Any]],
) -> dict[str, Timing]:
    """Time methods in turns, so that a drift of the machine's speed touches all of them.

    Each has a first call, one whose memory is measured and whose answer is looked at, and at most `MOST` more for so
    many seconds, at least `FEWEST`.  Where one call takes longer than all those seconds, and `LONG`, it is the only
    one.  Before each there is a pause until the threads of the library that was on turn before are asleep, and before a
    `SHORT` one another that is not timed, so that its own are awake: neither is a part of it.
    """
    longest = max(seconds, LONG)
    timings = {method.name: Timing() for method in found}
    for method in found:
        timing = timings[method.name]
        try:
            taken, answers, timing.memory = once(method, arrays[method.library], case, memory=True)
            timing.first = taken
            if taken <= longest or method.warms_up:
                taken, answers, timing.memory = once(method, arrays[method.library], case, memory=True)
            timing.seen = look(answers)  # before the next method, so that few answers are held
        except Exception as error:  # a peer may fail in any way; it is reported
            timing.failed = f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            continue
        if taken > longest:
            timing.times.append(taken)
    going = [m for m in found if not timings[m.name].failed and not timings[m.name].times]
    while going:
        for method in going:
            times = timings[method.name].times
            time.sleep(ASLEEP)
            if not times or times[-1] < SHORT:
                once(method, arrays[method.library], case)
            times.append(once(method, arrays[method.library], case)[0])
        going = [m for m in going if more(timings[m.name].times, seconds)][::-1]  # who comes first alternates
    return timings


def more(times: list[float], seconds: float) -> bool:
    """Whether another repetition is due."""
    return len(times) < FEWEST or (len(times) < MOST and sum(times) < seconds)


def once(
    method: Method, arrays: list[Any], case: Case, *, memory: bool = False
) -> tuple[float, list[Answer], float | None]:
    """Seconds, answers and MiB of one call, on each stack of a set."""
    if method.consumes:
        arrays = [A.clone() for A in arrays]
    finish([], case)
    read = watch_memory(case) if memory else None
    start = time.perf_counter()
    answers = [method.call(A, case) for A in arrays]
    finish(answers, case)
    taken = time.perf_counter() - start
    return taken, answers, read() if read else None


def watch_memory(case: Case) -> Callable[[], float | None]:
    """Begin to watch; what is returned tells the peak in MiB."""
    if case.device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        return lambda: (torch.cuda.max_memory_allocated() - held) / 2**20
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
    except OSError:
        return lambda: None
    return lambda: (resident("VmHWM") - before) / 1024


def resident(key: str) -> int:
    """An entry of /proc/self/status, KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


# ---- accuracy -------------------------------------------------------------------------------------


def truths(hosts: list[np.ndarray[Any, Any]], case: Case) -> tuple[list[Any], list[Any]]:
    """A in float64, and its unitary factor by a singular value decomposition in float64; none for a set of weights."""
    if case.weights:
        return [], []
    wide = [A.astype(np.float64) for A in hosts]
    if case.device == "cpu":
        factors = [np.linalg.svd(A, full_matrices=False) for A in wide]
        return wide, [left @ right for left, _, right in factors]
    import torch

    on_device = [torch.from_numpy(A).to(case.device) for A in wide]
    found = [torch.linalg.svd(A, full_matrices=False) for A in on_device]
    return on_device, [left @ right for left, _, right in found]


def accuracy(answer: Answer, A: Any, truth: Any, case: Case) -> dict[str, float | None]:
    """Backward error, orthogonality and distance to the unitary factor, the worst of a stack.

    ||A - U H||_F / ||A||_F; ||U^H U - I||_F / sqrt k; ||U - U_exact||_F / sqrt k.  Where a method returns no H, it is
    the Hermitian part of U^H A.
    """
    k = case.small
    U = in_float64(answer.U, case)
    gram = U.mT @ U if case.side == "right" else U @ U.mT
    defect = norms(gram - np.eye(k)) if case.device == "cpu" else norms(gram - gram.new_ones(k).diag())
    del gram
    if answer.H is None:
        H = U.mT @ A if case.side == "right" else A @ U.mT
        H = (H + H.mT) / 2
    else:
        H = in_float64(answer.H, case)
    rest = A - (U @ H if case.side == "right" else H @ U)
    return {
        "backward_error": finite((norms(rest) / norms(A)).max()),
        "orthogonality": finite(defect.max() / sqrt(k)),
        "distance": finite(norms(U - truth).max() / sqrt(k)),
    }


def norms(x: Any) -> Any:
    """Frobenius norms of a stack; NumPy and torch."""
    return (x * x).sum((-2, -1)) ** 0.5


def finite(x: Any) -> float | None:
    """A float that JSON can hold."""
    return float(x) if isfinite(float(x)) else None
