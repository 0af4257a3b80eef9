"""What the comparison with other packages was run to find out: claims with a target, and exponents of the time.

Nothing is filtered: a claim is made for every case that has the numbers, met or not, and one whose numbers are not
there says so.  Ratios are of medians.

(a) `orthogonalize(steps=5)` over the bare products.
(b) torch.optim.Muon's function over ours in bfloat16: no slower on square matrices, where the work is the same, and
    faster by what the Gram form saves at aspects 4 and 8.
(c) `polar(method="auto")`, certificate included, on the arrays of each library, over the fastest route outside this
    package that is as accurate, whatever its library.
(d) a stack over a loop over its members.
(e) a tall matrix over two passes of the bare products.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from overhead import VARIANTS, measure

from matfun.functions.unitary import accuracy_limit

Row = dict[str, Any]

OVERHEAD = 1.05
FASTER_THAN_MUON = {1: 1.0, 4: 1.25, 8: 1.6}
OVER_BEST_ROUTE = 1.05
STACK_OVER_LOOP = 1.0
SMALL_STACK_OVER_LOOP = 1 / 3
SMALL = 64
OVER_TWO_PASSES = 1.3
AS_ACCURATE = 8.0
ROUTES = ("scipy", "numpy", "torch", "jax")


def overheads(sizes: tuple[int, ...], seconds: float) -> list[Row]:
    """orthogonalize(steps=5) over the bare products, as benchmarks/overhead.py has it."""
    rows = []
    for library, dtype, make in VARIANTS:
        for n in sizes:
            t = measure(make(n, dtype), seconds)
            rows.append(
                {"library": library, "dtype": dtype, "n": n, "over_bare": t["matfun"] / t["bare"], "seconds": t}
            )
    return rows


def claims(rows: list[Row], bare: list[Row]) -> list[Row]:
    """All claims, (a) to (e)."""
    cases: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["status"] == "measured":
            key = (row["table"], row["asked"], row["case"], row["dtype"], row["spectrum"], row["device"])
            cases.setdefault(key, []).append(row)
    found = [
        claim("a", f"orthogonalize / bare products, {r['library']} {r['dtype']} {r['n']}", r["over_bare"], OVERHEAD)
        for r in bare
    ]
    for (table, asked, *_), here in cases.items():
        if asked == "steps" and here[0]["dtype"] == "bfloat16" and table != "scaling":
            found += over_muon(here)
        if asked == "polar" and table != "scaling":
            found += over_routes(here)
        if table == "stacks":
            found += over_loop(here)
        if table == "tall":
            found += over_two_passes(here)
    known = {c["claim"] for c in found}
    return found + [claim(letter, "not measured", None, None) for letter in "abcde" if letter not in known]


def claim(
    letter: str, what: str, ratio: float | None, target: float | None, *, least: bool = False, **more: Any
) -> Row:
    """A ratio with its target, an upper bound unless least."""
    met = None
    if ratio is not None and target is not None:
        met = ratio >= target if least else ratio <= target
    return {"claim": letter, "what": what, "ratio": ratio, "target": target, "at_least": least, "met": met, **more}


def named(here: list[Row]) -> str:
    """A case in words."""
    return f"{here[0]['case']} {here[0]['dtype']} {here[0]['spectrum']}"


def by_name(here: list[Row]) -> dict[str, Row]:
    """Rows of a case by method."""
    return {row["method"]: row for row in here}


def over_muon(here: list[Row]) -> list[Row]:
    """(b) the time of torch.optim.Muon's function over ours, with its constants and with ours, in bfloat16."""
    rows = by_name(here)
    theirs = rows.get("torch.optim.Muon")
    shape = here[0]["shape"]
    if theirs is None or len(shape) != 2 or isinstance(shape[0], list):
        return []
    target = FASTER_THAN_MUON.get(round(max(shape) / min(shape)))
    return [
        claim(
            "b",
            f"torch.optim.Muon / {name}, {named(here)}",
            theirs["median_s"] / rows[name]["median_s"],
            target,
            least=True,
            distances=[theirs.get("distance"), rows[name].get("distance")],
        )
        for name in ("matfun polar-express (torch)", "matfun muon (torch)")
        if name in rows
    ]


def over_routes(here: list[Row]) -> list[Row]:
    """(c) polar(auto), certificate included, over the fastest of the other libraries' routes that is as accurate."""
    routes = [r for r in here if r["package"] in ROUTES and r["role"] == "plain" and accurate(r)]
    if not routes:
        return []
    best = min(routes, key=lambda r: r["median_s"])
    found = []
    for row in here:
        if row["method"].startswith("matfun auto") and row["role"] == "plain":
            own = [r["median_s"] for r in routes if r["library"] == row["library"]]
            found.append(
                claim(
                    "c",
                    f"{row['method']} / {best['method']}, {named(here)}",
                    row["median_s"] / best["median_s"],
                    OVER_BEST_ROUTE,
                    chosen=row.get("chosen"),
                    accurate=accurate(row),
                    over_own_library=row["median_s"] / min(own) if own else None,
                )
            )
    return found


def accurate(row: Row) -> bool:
    """Whether backward error and orthogonality are within eight times what accurate answers stay below."""
    k, eps = min(row["shape"][-2:]), float(np.finfo(row["dtype"]).eps)
    errors = (row.get("backward_error"), row.get("orthogonality"))
    return all(e is not None and e <= AS_ACCURATE * accuracy_limit(k, eps) for e in errors)


def over_loop(here: list[Row]) -> list[Row]:
    """(d) a stack over a loop over its members."""
    rows = by_name(here)
    target = SMALL_STACK_OVER_LOOP if min(here[0]["shape"][-2:]) <= SMALL else STACK_OVER_LOOP
    return [
        claim(
            "d",
            f"{name}, stack / loop, {here[0]['asked']} {named(here)}",
            row["median_s"] / rows[f"{name}, loop"]["median_s"],
            target,
        )
        for name, row in rows.items()
        if row["package"] == "matfun" and f"{name}, loop" in rows
    ]


def over_two_passes(here: list[Row]) -> list[Row]:
    """(e) a tall matrix over twice the bare Gram product and multiplication, the fastest run of these."""
    rows = by_name(here)
    passes = [row["median_s"] for row in here if row["method"] == "two passes"]
    return [
        claim(
            "e",
            f"{name} / two passes, {named(here)}",
            rows[name]["median_s"] / min(passes),
            OVER_TWO_PASSES,
            chosen=rows[name].get("chosen"),
        )
        for name in ("matfun auto", "matfun auto (torch)", "matfun auto (jax)")
        if name in rows and passes
    ]


def scaling(rows: list[Row]) -> list[Row]:
    """Exponents of time against size, batch and aspect, least squares in logarithms, where there are three points."""
    series: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for row in rows:
        point = variable(row)
        if row["status"] == "measured" and row["spectrum"] == "gaussian" and row["device"] == "cpu" and point:
            key = (point[0], row["asked"], row["dtype"], row["method"])
            series.setdefault(key, []).append((point[1], row["median_s"]))
    found = []
    for (against, asked, dtype, method), points in series.items():
        x, t = np.log(np.array(points)).T
        if len(np.unique(x)) >= 3:
            exponent = float(np.polyfit(x, t, 1)[0])
            names = {"against": against, "asked": asked, "dtype": dtype, "method": method}
            found.append(names | {"exponent": exponent, "points": [list(p) for p in points]})
    return found


def variable(row: Row) -> tuple[str, float] | None:
    """What a row's case varies, and its value."""
    shape = row["shape"]
    if row["table"] in ("polar", "steps") and re.fullmatch(r"(\d+)x\1", row["case"]):
        return "n", float(shape[0])
    if row["table"] == "scaling":
        return ("batch", float(shape[0])) if len(shape) == 3 else ("aspect", shape[0] / shape[1])
    return None
