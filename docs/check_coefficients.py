"""Recompute the numbers of the page on published coefficients, and write them to docs/coefficients.json.

python docs/check_coefficients.py                    all of them
python docs/check_coefficients.py "lists" ...        these, and keep the others
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "backends")]

import record  # noqa: E402

from matfun import preset as made  # noqa: E402
from matfun.polynomials.presets import JORDAN, POLAR_EXPRESS_PUBLISHED, PRESETS, Preset  # noqa: E402
from theory import minimax, newton_schulz, polar_express  # noqa: E402
from theory.scalar import Number, image, number, odd, real_roots  # noqa: E402

DIGITS = 40

POLISH = tuple(number(c) for c in newton_schulz.taylor(5))
"""What continues a list that its source does not continue: it has the basin (0, sqrt(7/3)) of the fixed point 1."""

COPY_OF_GRAM = (7.89258287442441, -20.386750231831207, 13.554909290386428)
"""First row of a copy of gram-newton-schulz in public code (an optimizer named SodaMuseEq)."""

COPY_OF_FOLDED = {3: (3.2856, -2.4647, 0.5074), 4: (2.2779, -1.6447, 0.4162)}
"""Rows 4 and 5 of two copies of polar-express-folded in public code: two of three numbers are those of cans-quintic."""

UNDER_THE_SAME_NAME = (
    (7.2086, -15.5131, 9.0178),
    (3.9623, -2.5813, 0.4542),
    (3.9466, -2.5765, 0.4544),
    (3.8991, -2.5671, 0.4566),
    (3.7186, -2.5308, 0.4653),
    (3.1390, -2.3073, 0.4733),
    (2.1715, -1.5246, 0.3885),
    (1.8648, -1.2224, 0.3577),
)
"""Called "polar_express" after arXiv 2505.16932 in DeepSpeed and in ports of Megatron."""

Row = Sequence[Number]


# ---- what every list does -------------------------------------------------------------------------


def signed_image(row: Row, low: Number, high: Number) -> tuple[Number, Number]:
    """Image of an interval that may hold negative values, under an odd polynomial."""
    if low >= 0:
        return image(row, low, high)
    if high <= 0:
        below, above = image(row, -high, -low)
        return -above, -below
    parts = [image(row, mp.mpf(0), high), tuple(-v for v in image(row, mp.mpf(0), -low))]
    return min(map(min, parts)), max(map(max, parts))


def images(rows: Sequence[Row], low: Number, high: Number = 1) -> list[tuple[Number, Number]]:
    """Exact image of [low, high] after 0, 1, ... steps: an interval goes to an interval, so images compose."""
    ends = [(number(low), number(high))]
    for row in rows:
        ends.append(signed_image(row, *ends[-1]))
    return ends


def basin(row: Row) -> Number:
    """Right end of the component next to 0 of the start values that repeating ``row`` keeps positive and bounded.

    The largest positive fixed point, which repels; no value below it leaves.
    """
    edge = mp.sqrt(real_roots([number(row[0]) - 1, *map(number, row[1:])], mp.mpf(0), mp.mpf(9))[-1])
    low, high = image(row, mp.mpf(0), edge)
    if low < 0 or high > edge * (1 + mp.mpf(10) ** -30):
        raise ArithmeticError(f"repeating {row} does not keep (0, {edge}) to itself")
    return edge


def pull_back(rows: Sequence[Row], edge: Number) -> Number:
    """Right end of the component next to 0 of the values that ``rows`` map into (0, edge)."""
    for row in reversed(rows):
        c = [number(v) for v in row]
        shifted = [mp.mpf(0)] * (2 * len(c))
        shifted[0], shifted[1::2] = -edge, c
        zeros = [mp.sqrt(y) for y in real_roots(c, mp.mpf(0), mp.mpf(100))]
        edge = min([*zeros, *real_roots(shifted, mp.mpf(0), mp.mpf(10))])
    return edge


def ratios(row: Row, high: Number) -> tuple[Number, Number]:
    """Minimum of p(x)/x over (0, high], and d = (max p)/high over it (theory/stability.py)."""
    c = [number(v) for v in row]
    turns = real_roots([i * v for i, v in enumerate(c)][1:], mp.mpf(0), high * high)
    least = min(odd(c, x) / x for x in [high, *(mp.sqrt(y) for y in turns if y > 0)])
    return least, image(c, mp.mpf(0), high)[1] / high / least


def knee(rows: Sequence[Row]) -> dict[str, Any]:
    """Lowest final value of the plateau and the smallest start value that ends at it or above.

    The image of [start, 1] has its least value at the start itself while that lies below the plateau; from there on the
    least value is that of the plateau.  Bisection for where the one gives way to the other.
    """
    low, high = mp.mpf(10) ** -12, mp.mpf(1)
    while high / low > 1 + mp.mpf(10) ** -12:
        middle = mp.sqrt(low * high)
        value = middle
        for row in rows:
            value = odd([number(c) for c in row], value)
        # up to the knee, the left end itself is what ends lowest
        below = value - images(rows, middle)[-1][0] < mp.mpf(10) ** -30
        low, high = (middle, high) if below else (low, middle)
    return {"start": float(high), "floor": float(images(rows, high)[-1][0])}


def one_list(preset: Preset) -> dict[str, Any]:
    """Everything the tables show about one list."""
    with mp.workdps(DIGITS):
        ends = images(preset.polynomials, repr(preset.lower))
        errors = [float(max(1 - a, b - 1)) for a, b in ends]
        scaled = [ratios(row, b) for row, (_, b) in zip(preset.polynomials, ends[:-1], strict=True) if b > 0]
        last = preset.polynomials[-1]
        quintics = [row for row in preset.polynomials if len(row) == 3]
        fixed = abs(odd([number(c) for c in last], mp.mpf(1)) - 1) < 1e-12
        found: dict[str, Any] = {
            "steps": len(preset.polynomials),
            "products": sum(len(row) for row in preset.polynomials),
            "lower": preset.lower,
            "lower from": preset.lower_from,
            "claimed error": preset.claimed_error,
            "claimed band": preset.band,
            "error": errors[-1],
            "error by step": errors[1:],
            "error on [0.001, 1]": float(max(abs(1 - v) for v in images(preset.polynomials, "0.001")[-1])),
            "image": [float(v) for v in ends[-1]],
            "slope at 0": float(mp.fprod(number(row[0]) for row in preset.polynomials)),
            "least p(x)/x": float(min(r for r, _ in scaled)),
            "stability factor d": float(max(d for _, d in scaled)) if min(scaled)[0] > 0 else None,
            "fixes 1": fixed,
            "largest b^2/(a c)": max((float(number(b) ** 2 / a / c) for a, b, c in quintics), default=None),
            "region, then Newton-Schulz": float(pull_back(preset.polynomials, basin(POLISH))),
            "safe in": list(made(preset.name, allow_defective=True).safe_in),
        }
        if preset.band:
            found["band kept"] = bool(ends[-1][0] >= preset.band[0] and ends[-1][1] <= preset.band[1])
        if preset.repeat:
            found["region, last repeated"] = float(pull_back(preset.polynomials, basin(last)))
            found["last repeated converges to 1"] = fixed
        return found


def lists() -> dict[str, Any]:
    """Every preset."""
    return {name: one_list(preset) for name, preset in PRESETS.items()}


def knees() -> dict[str, Any]:
    """Where the tuned lists begin to work: the source of their ``lower``."""
    with mp.workdps(DIGITS):
        tuned = [p for p in PRESETS.values() if p.lower_from == "recomputed"]
        return {p.name: knee(p.polynomials) for p in tuned}


# ---- which construction it is ---------------------------------------------------------------------


def distances(rows: Sequence[Row], stages: Sequence[Row]) -> dict[str, list[float]]:
    """Largest absolute and relative difference by row."""
    pairs = [[(number(a), number(b)) for a, b in zip(r, s, strict=True)] for r, s in zip(rows, stages, strict=True)]
    return {
        "absolute": [float(max(abs(a - b) for a, b in row)) for row in pairs],
        "relative": [float(max(abs(a / b - 1) for a, b in row)) for row in pairs],
    }


def rounded(rows: Sequence[Row], stages: Sequence[Row], places: int) -> list[str]:
    """Coefficients that are not the correctly rounded ones, with what they should be."""
    wrong = []
    for t, (row, stage) in enumerate(zip(rows, stages, strict=True), 1):
        for i, (printed, exact) in enumerate(zip(row, stage, strict=True)):
            if float(mp.nint(exact * 10**places)) != round(printed * 10**places):
                wrong.append(f"row {t}, x^{2 * i + 1}: {printed}, exactly {mp.nstr(exact, places + 4)}")
    return wrong


def stages_of(lower: Number, steps: int, degree: int, cushion: float = 0.0) -> tuple[list[Row], list[Number]]:
    """Coefficients and errors of the greedy composition."""
    found = polar_express.composition(lower, steps, degree, cushion, DIGITS)
    return [s.coefficients for s in found], [s.error for s in found]


def published() -> dict[str, Any]:
    """The table of Polar Express: cushioned composition, and the error of a float64 exchange on row 7's interval."""
    rows = PRESETS["polar-express-published"].polynomials
    constant = minimax.cushion_constant(5, dps=DIGITS)
    stages, errors = stages_of(1e-3, 8, 5, float(constant))
    plain, plain_errors = stages_of(1e-3, 8, 5)
    spread = float(errors[5])
    return {
        "cushion": mp.nstr(constant, 22),
        "from the cushioned composition": distances(rows, stages),
        "from the plain composition": distances(rows, plain)["absolute"],
        "errors of the cushioned composition": [float(e) for e in errors],
        "errors of the plain composition": [float(e) for e in plain_errors],
        "row 7": exchange_in_double(spread),
    }


def exchange_in_double(spread: float) -> dict[str, float]:
    """One solve of the 4 x 4 exchange system in float64 at the exact extrema of the best quintic on 1 +- spread."""
    with mp.workdps(DIGITS):
        exact, error = minimax.remez(mp.mpf(spread), 5, DIGITS)
        slope = [(2 * i + 1) * c for i, c in enumerate(exact)]
        turns = [mp.sqrt(y) for y in real_roots(slope, (1 - mp.mpf(spread)) ** 2, (1 + mp.mpf(spread)) ** 2)]
        nodes = np.array([float(x) for x in [1 - mp.mpf(spread), *turns, 1 + mp.mpf(spread)]])
    system = np.stack([nodes, nodes**3, nodes**5, (-1.0) ** np.arange(4)], axis=1)
    solved = np.linalg.solve(system, np.ones(4))
    return {
        "half-width of its interval": spread,
        "condition of the exchange system": float(np.linalg.cond(system)),
        "relative error of its float64 solution": distances([solved[:3]], [exact])["relative"][0],
        "relative error of its float64 E": abs(float(solved[3] / error - 1)),
    }


def folded() -> dict[str, Any]:
    """The published table with the safety factor folded in, rounded to 4 decimals."""
    rows = POLAR_EXPRESS_PUBLISHED
    with mp.workdps(DIGITS):
        safety = [mp.mpf("1.01")] * 7 + [mp.mpf(1)]
        stages = [fold(row, s) for row, s in zip(rows, safety, strict=True)]
        return {"not correctly rounded": rounded(PRESETS["polar-express-folded"].polynomials, stages, 4)}


def fold(row: Row, safety: Number) -> list[Number]:
    """Coefficients of p(x / safety)."""
    return [number(c) / safety ** (2 * i + 1) for i, c in enumerate(row)]


def gram() -> dict[str, Any]:
    """The 1.05 of Gram Newton-Schulz, and a copy of it with wrong digits."""
    with mp.workdps(DIGITS):
        stages = [fold(row, mp.mpf("1.05")) for row in POLAR_EXPRESS_PUBLISHED[:5]]
        low, high = images(PRESETS["gram-newton-schulz"].polynomials, "0.001")[-1]
        centre = (low + high) / 2
        return {
            "from p(x / 1.05)": max(distances(PRESETS["gram-newton-schulz"].polynomials, stages)["relative"]),
            "centre of the image": float(centre),
            "half-width over centre": float((high - low) / 2 / centre),
        }


def copies() -> dict[str, Any]:
    """What lists in circulation under these names do on [1e-3, 1]."""
    with mp.workdps(DIGITS):
        rows = PRESETS["polar-express-folded"].polynomials
        mixed = [COPY_OF_FOLDED.get(t, row) for t, row in enumerate(rows)]
        exact = [fold(POLAR_EXPRESS_PUBLISHED[0], mp.mpf("1.05"))]
        found: dict[str, Any] = {
            "gram-newton-schulz, first row off by": distances([COPY_OF_GRAM], exact)["absolute"][0]
        }
        for name, table in {
            "polar-express-folded": rows,
            "rows of two lists mixed": mixed,
            "another list of that name": UNDER_THE_SAME_NAME,
        }.items():
            found[name] = [float(max(1 - a, b - 1)) for a, b in images(table, "0.001")[1:]]
        return found


def inside_the_recursion(lower: Number, steps: int, cushion: Number, safety: Number) -> tuple[list[Row], list[Any]]:
    """Rows and (l, u) when the safety factor shrinks what the next step is designed for.

    q is the best quintic on [max(l, c u), u], times 2/(q(l) + q(u)) where the cushion acts; p(x) = q(x / s), and s = 1
    in the last step; then l <- p(l), u <- 2 - p(l).
    """
    low, high, rows, ends = number(lower), mp.mpf(1), [], []
    for t in range(steps):
        q, _ = minimax.minimax_odd(max(low, cushion * high), high, 5, DIGITS)
        factor = 2 / (odd(q, low) + odd(q, high)) if cushion * high > low else mp.mpf(1)
        p = fold([factor * c for c in q], safety if t < steps - 1 else mp.mpf(1))
        rows.append(p)
        low = odd(p, low)
        high = 2 - low
        ends.append((low, high))
    return rows, ends


def nanogpt() -> dict[str, Any]:
    """The list of modded-nanogpt from cushion 0.02 and safety 1.02 inside the recursion, and from outside it."""
    rows = PRESETS["modded-nanogpt"].polynomials
    with mp.workdps(DIGITS):
        inside, designed = inside_the_recursion("0.001", 5, mp.mpf("0.02"), mp.mpf("1.02"))
        stages, _ = stages_of("0.001", 5, 5, 0.02)
        outside = [fold(row, mp.mpf("1.02") if t < 4 else mp.mpf(1)) for t, row in enumerate(stages)]
        return {
            "inside": distances(rows, inside)["relative"],
            "outside": distances(rows, outside)["relative"],
            "designed for": [[float(v) for v in pair] for pair in designed],
            "true images": [[float(v) for v in pair] for pair in images(rows, "0.001")[1:]],
            "error with the factor outside": float(max(abs(1 - v) for v in images(outside, "0.001")[-1])),
        }


def cans() -> dict[str, Any]:
    """The quintic list of NVIDIA and the cubic one of appendix G: plain minimax compositions."""
    with mp.workdps(DIGITS):
        quintic, errors = stages_of("0.001", 5, 5)
        cubic, cubic_errors = stages_of("0.0009", 7, 3)
        low, high = mp.mpf("8e-4"), mp.mpf("1e-3")
        while high / low > 1 + mp.mpf(10) ** -20:  # the error falls with the left end
            middle = (low + high) / 2
            low, high = (middle, high) if stages_of(middle, 7, 3)[1][-1] > mp.mpf("0.3") else (low, middle)
        return {
            "quintic, not correctly rounded": rounded(PRESETS["cans-quintic"].polynomials, quintic, 4),
            "quintic, error unrounded": float(errors[-1]),
            "cubic": distances(PRESETS["cans-cubic-7"].polynomials, cubic)["absolute"],
            "cubic, error": float(cubic_errors[-1]),
            "left end for 0.3": mp.nstr(low, 12),
        }


def relaxed() -> dict[str, Any]:
    """Cubic5: minimax cubics whose maximum is put at 1.3 in every step, from 7e-3 on."""
    top, rows = mp.mpf("1.3"), PRESETS["cubic5"].polynomials
    with mp.workdps(DIGITS):
        low, high, made = mp.mpf("0.007"), mp.mpf(1), []
        for _ in rows:
            c, error = minimax.minimax_odd(low, high, 3, DIGITS)
            made.append([top / (1 + error) * v for v in c])
            low, high = odd(made[-1], low), top
        error = stages_of("0.007", 5, 3)[1][-1]
        return {
            "not correctly rounded": rounded(rows, made, 7),
            "absolute": distances(rows, made)["absolute"],
            "image": [float(low), float(high)],
            "(1.3 - l)/(1.3 + l)": float((high - low) / (high + low)),
            "error of the plain composition": float(error),
            "smallest start that ends at 0.7": float(start_for(rows, mp.mpf("0.7"))),
        }


def start_for(rows: Sequence[Row], value: Number) -> Number:
    """Smallest start value that ends at ``value``: the first solution, carried back step by step."""
    for row in reversed(rows):
        shifted = [mp.mpf(0)] * (2 * len(row))
        shifted[0], shifted[1::2] = -value, [number(c) for c in row]
        value = real_roots(shifted, mp.mpf(0), mp.mpf(10))[0]
    return value


def constants() -> dict[str, Any]:
    """Value, slope and curvature at 1 of the polynomials that are repeated, and the band of Muon's."""
    found = {}
    with mp.workdps(DIGITS):
        for name, row in {
            "muon": JORDAN,
            "deepseek-v4, last": PRESETS["deepseek-v4"].polynomials[-1],
            "cans-quintic, last": PRESETS["cans-quintic"].polynomials[-1],
            "prism-constant": PRESETS["prism-constant"].polynomials[0],
        }.items():
            a, b, c = (number(v) for v in row)
            found[name] = {
                "p(1)": float(a + b + c),
                "p'(1)": round(float(a + 3 * b + 5 * c), 12),
                "p''(1)": float(6 * b + 20 * c),
                "basin ends at": float(basin(row)),
            }
    return found


def sign_flip() -> dict[str, Any]:
    """The defect of turbo-muon-aol: first zero, values at 1, a rank-one matrix, and a random start."""
    rows = PRESETS["turbo-muon-aol"].polynomials
    with mp.workdps(DIGITS):
        zero = mp.sqrt(real_roots([number(c) for c in rows[0]], mp.mpf(0), mp.mpf(1))[0])
        value = mp.mpf(1)
        for row in rows:
            value = odd([number(c) for c in row], value)
    rng = np.random.default_rng(0)
    A = np.outer(rng.standard_normal(6), rng.standard_normal(4))
    frobenius = A / np.linalg.norm(A)
    by_rows = A / np.abs(A @ A.T).sum(axis=1, keepdims=True) ** 0.5  # arXiv 2512.04632
    return {
        "first zero of the first polynomial": float(zero),
        "its value at 1": float(sum(number(c) for c in rows[0])),
        "1 is sent to": float(value),
        "rank one, scaled by the Frobenius norm": along(rows, frobenius),
        "rank one, rows scaled": along(rows, by_rows) | {"norm": float(np.linalg.norm(by_rows, 2))},
    }


def along(rows: Sequence[Row], X: np.ndarray[Any, Any]) -> dict[str, float]:
    """<X_T, U> for a matrix X_0 of rank one and its polar factor U on its range."""
    U = X / np.linalg.norm(X)
    for a, b, c in rows:
        G = X.T @ X
        X = X @ (a * np.eye(X.shape[1]) + b * G + c * G @ G)
    return {"times its polar factor": float(np.sum(X * U))}


PARTS: dict[str, Callable[[], Any]] = {
    "lists": lists,
    "knees": knees,
    "polar-express-published": published,
    "polar-express-folded": folded,
    "gram-newton-schulz": gram,
    "modded-nanogpt": nanogpt,
    "copies": copies,
    "cans": cans,
    "cubic5": relaxed,
    "constants": constants,
    "sign flip": sign_flip,
}
"""Every part of the JSON, by the name it has there."""


if __name__ == "__main__":
    record.write(HERE / "coefficients.json", PARTS, sys.argv[1:], ("numpy", "mpmath"))
