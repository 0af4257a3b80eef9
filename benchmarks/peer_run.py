"""One case of the comparison with other packages: who is asked, who is refused, and the rows of results.

Work is counted as follows.  The unit is the bare product of the matrix with a square one on its small side k, 2 m k^2
operations, timed in the same turns with the same library and dtype; `units` is time in that unit.  `fraction` is the
rate of a method over the rate of that product.  Its operations are, for five steps, 5 (4 m k^2 + 2 k^3), what plain
quintic steps take, whatever the method did (symmetric products and the Gram form then read as more than their share);
for `polar` by products 2 (2 s m k^2 + (p - 2 s) k^3) + 2 m k^2 of s steps and p products; for factorisations there is
none.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cases import Case
from judge import Timing, accuracy, in_turns, put, truths
from own_methods import STEPS, Answer, Method, loops, product, two_passes
from threadpoolctl import threadpool_info

import matfun

HOPELESS = 20.0
LARGE = 512  # from this small side on, times say something about larger ones
IN_SCALING = ("matfun auto", "matfun polar-express", "numpy SVD", "torch SVD", "pytorch-optimizer", "optax")
# of this package: what is run on stacks, on tall matrices and where one call takes half a minute
PRINCIPAL = ("matfun auto", "matfun window", "matfun polar-express", "matfun muon")
HUGE = 5e10  # operations of the product

Row = dict[str, Any]


@dataclass
class Run:
    """What is known while the run goes on.

    Attributes
    ----------
    found : list of Method
    seconds, longest, deadline : float
        Of repetitions of a method; of a call that is expected to be worth it; when to stop.
    earlier : dict
        By kind of case and method: operations of a product, seconds, and ratio to the best, of the cases so far.
    """

    found: list[Method]
    seconds: float
    longest: float
    deadline: float
    earlier: dict[tuple[Any, ...], list[tuple[float, float, float]]] = field(default_factory=dict)

    def measure(self, case: Case) -> list[Row]:
        """One row a method."""
        asked = [m.suited(case) for m in self.found if m.answers(case)]
        if case.table == "stacks" or (case.table == "scaling" and len(case.shape) == 3):
            asked += loops(self.found, case)
        if case.table == "scaling":
            asked = [m for m in asked if m.name.startswith(IN_SCALING)]
        if case.table in ("stacks", "tall") or (case.asked == "polar" and case.product_flops > HUGE):
            asked = [m for m in asked if m.package != "matfun" or m.name.startswith(PRINCIPAL)]
        reasons = {m.name: self.refuse(case, m) for m in asked}
        going = [m for m in asked if not reasons[m.name]]
        if not going:
            return [row(case, m, reasons[m.name]) for m in asked]
        bare = [product(library, case) for library in sorted({m.library for m in going})]
        if case.table == "tall":
            bare.append(two_passes(case))
        hosts = case.matrices()
        arrays = {library: [put(library, A, case) for A in hosts] for library in {m.library for m in [*bare, *going]}}
        wide, exact = truths(hosts, case)

        def look(answers: list[Answer]) -> Row:
            seen = facts(answers[0].info, case)
            return seen | accuracy(answers[0], wide[0], exact[0], case) if wide else seen

        timings = in_turns([*bare, *going], arrays, case, self.seconds, look)
        self.remember(case, going, timings)
        unit = {m.library: timings[m.name] for m in bare[: len(arrays)]}
        measured = [row(case, m, timings[m.name].failed, timings[m.name], unit[m.library]) for m in [*bare, *going]]
        return measured + [row(case, m, reasons[m.name]) for m in asked if reasons[m.name]]

    def refuse(self, case: Case, method: Method) -> str:
        """Why a method is not run, or nothing."""
        if time.perf_counter() > self.deadline:
            return "skipped: out of time"
        smaller = [e for e in self.earlier.get((case.kind, method.name), ()) if e[0] < case.product_flops]
        if not smaller:
            return ""
        worst, (flops, seconds, _) = max(e[2] for e in smaller), max(smaller)
        if worst > HOPELESS:
            return f"skipped: slow, {worst:.0f} times the best on a smaller matrix"
        expected = seconds * case.product_flops / flops
        return f"skipped: slow, {expected:.0f} s a call expected" if expected > self.longest else ""

    def remember(self, case: Case, going: list[Method], timings: dict[str, Timing]) -> None:
        """Keep what larger cases are judged by."""
        shortest = {m.name: min(timings[m.name].times) for m in going if timings[m.name].times}
        if case.small >= LARGE:
            for name, seconds in shortest.items():
                entry = (case.product_flops, seconds, seconds / min(shortest.values()))
                self.earlier.setdefault((case.kind, name), []).append(entry)


def facts(info: Any, case: Case) -> Row:
    """What the methods of this package tell of themselves, and the operations of those that are made of products."""
    if info is None:
        return {}
    steps = int(np.max(info.steps))
    found: Row = {"chosen": info.method, "steps": steps, "products": info.products, "thin_products": info.thin_products}
    polynomials = all(isinstance(h, matfun.Polynomial) for h in info.history.updates)
    if case.asked == "polar" and polynomials and info.products >= 2 * steps:
        found["flops"] = (2 * steps + 1) * case.product_flops + (info.products - 2 * steps) * case.square_flops
    return found


def row(case: Case, method: Method, failed: str, timing: Timing | None = None, unit: Timing | None = None) -> Row:
    """One result, with as much as is known."""
    result: Row = {
        "table": case.table,
        "asked": case.asked,
        "case": case.name,
        "shape": list(case.shape) or [list(s) for s in case.weights],
        "dtype": case.dtype,
        "spectrum": case.spectrum,
        "device": case.device,
        "method": method.name,
        "package": method.package,
        "library": method.library,
        "role": method.role,
        "status": failed or "measured",
    }
    if failed or timing is None:
        return result
    flops = timing.seen.get("flops")
    if method.name == "two passes":
        flops = 4 * case.product_flops
    elif method.role == "minimum":
        flops = case.product_flops
    elif case.asked == "steps":
        flops = STEPS * (2 * case.product_flops + case.square_flops)
    result |= {
        "median_s": timing.median,
        "minimum_s": min(timing.times),
        "repetitions": len(timing.times),
        "first_call_s": timing.first,
        "peak_mib": timing.memory,
        "threads": threads(method.library),
    }
    if method.role != "minimum":
        result |= timing.seen
    result["flops"] = flops
    if unit is not None and unit.times:
        result["units"] = timing.median / unit.median
        result["fraction"] = flops / case.product_flops / result["units"] if flops else None
    return result


def threads(library: str) -> int:
    """Threads that a library's products may take."""
    if library == "torch":
        import torch

        return int(torch.get_num_threads())
    if library == "jax":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max((pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] != "openmp"), default=1)
