"""Window against Polar Express told the true interval, PRISM and others: steps, products, accuracy, and its price.

    python benchmarks/window.py            # measure, then figures and tables; about ten minutes
    python benchmarks/window.py figures    # from the JSON
    python benchmarks/window.py tables     # from the JSON, into docs/window.md
    python benchmarks/window.py price      # measure one experiment again, keep the others

The oracle is the plain minimax composition for the true interval [sigma_n / sigma_1, 1], in exact arithmetic, on the
matrix divided by its exact norm: of all compositions of quintics none reaches a smaller error on that interval, and
nobody can run it without a singular value decomposition.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import typer
from machine import describe
from matplotlib.figure import Figure

import matfun
from matfun.functions.inputs import check_matrix
from matfun.functions.unitary import Start, accuracy_limit, prepare, start
from matfun.lab import spectra as sp
from matfun.lab.gallery import gallery
from matfun.lab.htmp import htmp, htmp_sample
from matfun.lab.plots import COLOURS, STYLE
from matfun.lab.prices import spent
from matfun.lab.recorded import recorded
from matfun.polynomials.composition import next_stage
from matfun.polynomials.composition import start as interval_of
from matfun.polynomials.degrees import fewest_products
from matfun.polynomials.update import PartialFractions, Update
from matfun.problems.polar import PolarProblem
from matfun.problems.spectrum import SpectrumProblem
from matfun.rules.qdwh import halley_weights
from matfun.rules.rule import ResidualView, Rule
from matfun.rules.window import Window

Matrix = np.ndarray[Any, Any]
Vector = np.ndarray[Any, Any]
Row = dict[str, Any]

HERE = Path(__file__).parent
JSON = HERE / "results" / "window.json"
DOCS = HERE.parent / "docs"
PAGE = DOCS / "window.md"
END = "<!-- end -->"

EPS = float(np.finfo(np.float64).eps)
TOL = 1e-8
LEVELS = (1e-2, 1e-4, 1e-8)
TOLD = 1e-16
"""Lower bound that simulated rules are told where an accuracy-driven call would tell the unit roundoff."""

UNREACHED = TOL**5
"""Tolerance for which residuals are measured until below TOL: a run ends where its square is below the tolerance."""

KAPPA = 1e8 * (1 + 1e-6)
"""Of the conjecture; constructed matrices of kappa 1e8 have it up to rounding."""

SEEDS = range(20)
FEW_SEEDS = range(3)
MAX_STEPS = 120
SEARCH_SEED, SPECTRA, SPECTRA_OTHERS = 20250517, 8000, 800
CLIMBERS, CLIMB_STEPS = 10, 200
LARGE_SPECTRA = 120

WINDOW, WINDOW9, EXACT, PRISM, NS, PE, PE3, TRUE, ORACLE, MUON, CANS = (
    "Window-5",
    "Window-9",
    "Window-5, exact windows",
    "PRISM-5",
    "Newton-Schulz-5",
    "Polar Express, default",
    "Polar Express, lower 1e-3",
    "Polar Express, true lower bound",
    "Polar Express, true interval",
    "Muon",
    "CANS",
)


@dataclass(frozen=True)
class OfDegree9(Window):
    """The rule with polynomials of degree 9, 4 products a step: not shipped."""

    degree: ClassVar[int] = 9


RULES: dict[str, Rule] = {
    WINDOW: matfun.Window(),
    WINDOW9: OfDegree9(),
    EXACT: matfun.Window(columns=None),
    PRISM: matfun.Prism(),
    NS: matfun.NewtonSchulz(degree=5),
    PE: matfun.PolarExpress(),
    PE3: matfun.PolarExpress(lower=1e-3),
    MUON: matfun.Muon(),
    CANS: replace(matfun.preset("cans-quintic"), repeat=False),
}
ORDINARY = (PRISM, NS, PE3)
"""What one would run without knowing the spectrum."""


# What everything below uses


def plain(x: Any, digits: int = 4) -> float | None:
    """A JSON number with a few digits, None for what is absent or not finite."""
    return None if x is None or not np.isfinite(x) else float(f"{float(x):.{digits - 1}e}")


def scaled(sigmas: Vector) -> Vector:
    """What the package starts from: the polar factor's Gram bound."""
    return np.asarray(sigmas / sigmas.max() / np.sum((sigmas / sigmas.max()) ** 8) ** 0.125)


def first_below(residuals: Iterable[Any], level: float = TOL) -> int | None:
    return next((k for k, r in enumerate(residuals) if r <= level), None)


def curve_of(rule: Rule, sigmas: Vector, steps: int, seed: int = 0) -> matfun.Curve:
    """Exact-arithmetic run without warnings about what overflows."""
    with np.errstate(all="ignore"):
        return matfun.simulate(rule, sigmas, steps=steps, lower=TOLD, rng=seed)


SAFETIES = (1.0, 1 + 1e-9, 1 + 1e-6)
"""Of the oracle: beyond kappa 1e8 the rounding of its values puts them where the next polynomial overflows."""


def oracle_curve(sigmas: Vector) -> matfun.Curve:
    """The oracle, until it has reached TOL."""
    unit = sigmas / sigmas.max()
    for safety in SAFETIES:
        rule = matfun.PolarExpress(lower=float(unit.min()), cushion=0, safety=safety)
        for steps in (12, 30, MAX_STEPS):
            curve = curve_of(rule, unit, steps)
            if first_below(curve.residuals) is not None:
                return curve
            if not np.isfinite(curve.sigmas[-1]).all():
                break
    raise ArithmeticError("the oracle does not converge")


def counted(residuals: Vector) -> tuple[int, float]:
    """Steps to TOL, and the same with a fraction: where the logarithm of the residual, interpolated, passes it."""
    steps = first_below(residuals)
    if steps is None:
        return MAX_STEPS, float(MAX_STEPS)
    if steps == 0:
        return 0, 0.0
    before, after = np.log(residuals[steps - 1]), np.log(max(residuals[steps], EPS))
    return steps, float(steps - 1 + (before - np.log(TOL)) / (before - after))


def oracle_steps(sigmas: Vector) -> tuple[int, float]:
    """Steps of the oracle to TOL, as ``counted``."""
    return counted(oracle_curve(sigmas).residuals)


def rule_steps(rule: Rule, sigmas: Vector, expected: int, seed: int) -> tuple[int, float]:
    """Steps to TOL from the package's scaling, as ``counted``."""
    for steps in (expected + 1, expected + 12, MAX_STEPS):
        residuals = curve_of(rule, scaled(sigmas), steps, seed).residuals
        if first_below(residuals) is not None:
            break
    return counted(residuals)


def excess(rule: Rule, sigmas: Vector, seed: int, oracle: tuple[int, float] | None = None) -> tuple[int, float]:
    """Steps beyond the oracle, and the same with fractions."""
    steps, part = oracle or oracle_steps(sigmas)
    mine, own_part = rule_steps(rule, sigmas, steps, seed)
    return mine - steps, own_part - part


def histogram(values: Iterable[Any]) -> dict[str, int]:
    """Counts by value, sorted; None last."""
    counts = Counter(values)
    return {str(k): counts[k] for k in sorted(counts, key=lambda k: (k is None, k or 0))}


def run(problem: str, A: Matrix, rule: Rule, seed: int, tol: float | None) -> matfun.Info:
    """One matrix run; a failure is a status, not an exception."""
    options: dict[str, Any] = {"method": rule, "tol": tol, "rng": seed, "on_failure": "warn", "max_steps": MAX_STEPS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matfun.ConvergenceWarning)
        if problem == "polar":
            info = matfun.polar(A, certificate="exact", **options).info
        else:
            function = matfun.signm if problem == "sign" else matfun.sqrtm
            _, info = function(A, full_output=True, **options)
    assert info is not None
    return info


def singular_values(A: Matrix) -> Vector:
    """Of a matrix of any scale, relative to the largest."""
    big = float(np.max(np.abs(A)))
    return np.asarray(np.linalg.svd(A / big, compute_uv=False)) if big > 0 else np.zeros(min(A.shape))


def tried() -> Iterator[tuple[str, Callable[[int], Matrix]]]:
    """Gallery and recorded matrices, in double precision: name, and matrix by seed."""
    for case in gallery():
        yield case.name, case.matrix
    for name, A in recorded().items():
        yield name, partial(_double, A)


def _double(A: Matrix, _: int) -> Matrix:
    return np.asarray(A, dtype=np.float64)


def hermitian(values: Vector, seed: int, complex_: bool) -> Matrix:
    """Haar eigenvectors around these eigenvalues."""
    Q = sp.haar(values.size, values.size, seed, complex_=complex_)
    H = (Q * values) @ Q.conj().T
    return np.asarray((H + H.conj().T) / 2)


def kappa_of(sigmas: Vector) -> float:
    return float(sigmas.max() / sigmas.min()) if sigmas.min() > 0 else float("inf")


# 1. Against the oracle


def oracle_experiment() -> Iterator[Row]:
    """Steps of matrix runs to TOL beyond those of the oracle."""
    for name, make in tried():
        fixed = "/" in name
        for problem in ("polar", "sign", "sqrt"):
            head: Row = {"experiment": "oracle", "problem": problem, "matrix": name}
            beyond: dict[str, list[int | None]] = {}
            statuses: set[str] = set()
            needed: list[int] = []
            kappas: list[float] = []
            for seed in SEEDS:
                A = make(seed)
                sigmas = singular_values(A)
                kappas.append(kappa_of(sigmas))
                if kappas[-1] > KAPPA:
                    continue
                if problem != "polar":
                    signs = (-1.0) ** np.arange(sigmas.size) if problem == "sign" else 1.0
                    A = hermitian(sigmas * signs, seed, np.iscomplexobj(A))
                told = sigmas if problem != "sqrt" else np.sqrt(sigmas)
                needed.append(oracle_steps(told)[0])
                for label in (WINDOW, EXACT, PRISM, NS, PE, PE3):
                    sketched = label == WINDOW or (label == PRISM and seed in FEW_SEEDS)
                    if not (sketched or seed == 0 or (label == EXACT and seed in FEW_SEEDS and not fixed)):
                        continue
                    info = run(problem, A, RULES[label], seed, UNREACHED)
                    steps = first_below(info.history.residuals)
                    beyond.setdefault(label, []).append(None if steps is None else steps - needed[-1])
                    if steps is None:
                        statuses.add(f"{label}: {info.status.name.lower()}")
            if not needed:
                yield head | {"left out": f"kappa {min(kappas):.1e}"}
                continue
            head |= {"size": len(sigmas), "kappa": plain(max(kappas), 3), "seeds": len(needed)}
            head |= {"oracle": [min(needed), max(needed)], "failed": sorted(statuses)}
            yield head | {"excess": {label: histogram(found) for label, found in beyond.items()}}


# 2. Products and accuracy


def full(A: Matrix, rule: Rule, seed: int = 0) -> Row:
    """A run to full accuracy: price, and errors in units of what is allowed."""
    info = run("polar", A, rule, seed, None)
    limit = accuracy_limit(min(A.shape), EPS)
    return {
        "status": info.status.name,
        "steps": int(info.steps),
        "products": int(info.products),
        "thin": int(info.thin_products),
        "backward": plain(info.backward_error / limit, 3),
        "orthogonality": plain(info.orthogonality / limit, 3),
    }


def told_the_truth(sigmas: Vector) -> Rule | None:
    """Polar Express as shipped, told the smallest singular value of the package's start."""
    lower = float(scaled(sigmas)[-1]) if sigmas[0] > 0 else 0.0
    return matfun.PolarExpress(lower=lower * (1 - 1e-6)) if lower > 0 else None


def accuracy_experiment() -> Iterator[Row]:
    """Every matrix to full accuracy, every method."""
    for name, make in tried():
        A = make(0)
        sigmas = singular_values(A)
        rules = {k: RULES[k] for k in (WINDOW, WINDOW9, PRISM, NS, PE3, PE)}
        truth = told_the_truth(sigmas)
        rules |= {TRUE: truth} if truth else {}
        for label, rule in rules.items():
            head = {"experiment": "accuracy", "matrix": name, "kappa": plain(kappa_of(sigmas), 3), "method": label}
            yield head | full(A, rule)


CUSHIONS = ((5, 0.02), (5, 0.03), (5, 0.05), (5, 0.1), (9, 0.05), (9, 0.1), (9, 0.2))


def adversarial(n: int, position: float, kappa: float) -> Vector:
    """Ones, half of the values at a position, the rest log-spaced down to 1/kappa."""
    rest = n // 4
    return np.concatenate([np.ones(n - n // 2 - rest), np.full(n // 2, position), np.geomspace(1, 1 / kappa, rest)])


@dataclass(frozen=True)
class ScaledFirst:
    """The start is divided by the largest value seen, in a step of its own, and then windows."""

    then: matfun.Window

    forms_square = True

    def next(self, view: ResidualView) -> Update:
        """Return the factor first."""
        if view.step:
            h: Update = self.then.next(view)
            return h
        seen = view.ends(self.then.columns, self.then.products)
        upper = view.clip(view.clip(view.largest, seen.largest, seen.most), 1e-4, 1.0)
        return matfun.Polynomial((1 / upper,), image=(TOLD, 1.0))


def cushion_experiment() -> Iterator[Row]:
    """Worst backward error over positions of half of the spectrum, where a steep polynomial may be low."""
    for first in ("polynomial", "factor"):
        for n in (32, 100):
            for kappa in (1e3, 1e8, 1e15):
                for degree, cushion in CUSHIONS:
                    window = (matfun.Window if degree == 5 else OfDegree9)(cushion=cushion)
                    rule = window if first == "polynomial" else ScaledFirst(window)
                    rows: list[Row] = []
                    for position in np.arange(0.60, 0.981, 0.02):
                        A = sp.with_singular_values(adversarial(n, float(position), kappa), rng=0)
                        rows.append(full(A, rule) | {"position": round(float(position), 2)})
                    worst = max(rows, key=lambda row: row["backward"])
                    head: Row = {"experiment": "cushion", "first step": first, "n": n, "kappa": kappa}
                    head |= {"degree": degree, "cushion": cushion, "position": worst["position"]}
                    head |= {"statuses": histogram(row["status"] for row in rows), "backward": worst["backward"]}
                    yield head | {"orthogonality": max(row["orthogonality"] for row in rows)}


# 3. The conjecture


def random_spectrum(rng: np.random.Generator, largest: int = 1000) -> Vector:
    """A mixture of up to four parts: cluster, geometric, linear, beta, outlier, power law; kappa up to 1e8."""
    sizes = [k for k in (2, 3, 5, 8, 13, 20, 40, 80, 200, 500, 1000) if k <= largest]
    n = int(rng.choice(sizes))
    kappa = 10 ** rng.uniform(0.05, 8)
    parts = []
    for _ in range(int(rng.integers(1, 5))):
        k = max(1, int(n * rng.uniform(0, 1) ** 2))
        low, high = np.sort(kappa ** -rng.uniform(0, 1, 2))
        kind = int(rng.integers(6))
        if kind == 0:
            parts.append(np.full(k, high))
        elif kind == 1:
            parts.append(np.geomspace(high, low, k))
        elif kind == 2:
            parts.append(np.linspace(high, low, k))
        elif kind == 3:
            parts.append(low + (high - low) * rng.beta(0.5 + rng.uniform(0, 3), 0.5 + rng.uniform(0, 3), k))
        elif kind == 4:
            parts.append(np.full(1, low))
        else:
            parts.append(high * np.arange(1, k + 1.0) ** -rng.uniform(0.2, 2))
    sigmas = np.concatenate(parts)[:n]
    return np.asarray(np.maximum(sigmas / sigmas.max(), 1 / kappa))


def numbered(number: int, stream: int = 0, largest: int = 1000) -> tuple[Vector, int]:
    """Random spectrum of that number, and the seed of its sketch."""
    rng = np.random.default_rng([SEARCH_SEED, stream, number])
    return random_spectrum(rng, largest), int(rng.integers(1 << 30))


DEFAULTS = "defaults: 4 columns, 8 products, cushion 0.05"
TRIVIAL = 1.01
"""Spectra of a smaller kappa are left out: the oracle then needs one step or none, and knows the scale exactly."""

LARGEST_CLIMBED = 200


def variants() -> dict[str, Rule]:
    """The defaults, and one option changed at a time."""
    found: dict[str, Rule] = {DEFAULTS: matfun.Window()}
    found |= {f"{b} column{'s' * (b > 1)}": matfun.Window(columns=b) for b in (1, 2, 8)}
    found |= {f"{k} products": matfun.Window(products=k) for k in (4, 6, 12)}
    found |= {f"cushion {c}": matfun.Window(cushion=c) for c in (0.02, 0.035, 0.1)}
    return found | {"exact windows": matfun.Window(columns=None), PRISM: RULES[PRISM]}


def search_experiment() -> Iterator[Row]:
    """Random spectra, then hill-climbing from the worst of them."""
    rules = variants()
    seen: dict[str, list[tuple[int, float, int]]] = {label: [] for label in rules}
    sizes: dict[int, int] = {}
    for number in range(SPECTRA):
        sigmas, seed = numbered(number)
        if kappa_of(sigmas) < TRIVIAL:
            continue
        sizes[number] = sigmas.size
        oracle = oracle_steps(sigmas)
        for label, rule in rules.items():
            if label == DEFAULTS or number < SPECTRA_OTHERS:
                seen[label].append((*excess(rule, sigmas, seed, oracle), number))
    for label, found in seen.items():
        worst = max(found)
        sigmas, seed = numbered(worst[2])
        yield {
            "experiment": "search",
            "variant": label,
            "spectra": len(found),
            "excess": histogram(steps for steps, _, _ in found),
            "mean": plain(np.mean([steps for steps, _, _ in found]), 3),
            "largest fraction": plain(max(part for _, part, _ in found), 3),
            "worst": {"number": worst[2], "excess": worst[0], "fraction": plain(worst[1], 3)}
            | {"n": sigmas.size, "kappa": plain(kappa_of(sigmas), 3), "sketch seed": seed},
        }
    tried_from = [row for row in seen[DEFAULTS] if sizes[row[2]] <= LARGEST_CLIMBED]
    for _, _, number in sorted(tried_from, reverse=True)[:CLIMBERS]:
        yield climb(number)


def climb(number: int) -> Row:
    """Random changes of the logarithms of a spectrum, kept where the excess grows: whole steps, then fractions."""
    sigmas, seed = numbered(number)
    rng = np.random.default_rng([SEARCH_SEED, 1, number])
    rule = matfun.Window()
    first = best = excess(rule, sigmas, seed)
    for _ in range(CLIMB_STEPS):
        some = rng.random(sigmas.size) < rng.choice([0.1, 0.5, 1.0])
        moved = np.log(sigmas) + some * rng.standard_normal(sigmas.size) * 10 ** rng.uniform(-3, 0)
        moved = np.exp(np.maximum(moved - moved.max(), -np.log(1e8)))
        found = excess(rule, moved, seed) if kappa_of(moved) >= TRIVIAL else first
        if found > best:
            sigmas, best = moved, found
    oracle = oracle_steps(sigmas)
    return {
        "experiment": "climb",
        "number": number,
        "n": sigmas.size,
        "kappa": plain(kappa_of(sigmas), 3),
        "first": [first[0], plain(first[1], 3)],
        "last": [best[0], plain(best[1], 3)],
        "excess of 100 other sketches": histogram(excess(rule, sigmas, s, oracle)[0] for s in range(100)),
    }


def thin_tailed(rng: np.random.Generator, n: int) -> tuple[Vector, Vector]:
    """Levels and multiplicities of a spectrum whose smallest values are few among many, where Lanczos sees least.

    Powers of equidistant numbers in 150 bins (a Gaussian square matrix has about the power 1), or a linear bulk with a
    tail of levels, each of them smaller and with fewer values than the one before.
    """
    if rng.integers(2):
        last = np.unique(np.round(np.geomspace(1, n, 150)))
        counts = np.diff(np.append(0.0, last))
        levels = ((last - counts / 2) / n) ** rng.uniform(0.3, 1.6)
    else:
        bulk, thinning, tail = rng.uniform(0.05, 0.95), rng.uniform(1.5, 300), [n // 2]
        while tail[-1] > 1:
            tail.append(max(1, int(tail[-1] / thinning)))
        below = bulk * rng.uniform(0.1, 0.95) ** np.arange(1, len(tail))
        levels = np.concatenate([np.linspace(1, bulk, 60), below])
        counts = np.concatenate([np.full(60, tail[0] / 60), tail[1:]])
    return np.maximum(levels / levels.max(), 1e-8), counts


class WithMultiplicities(SpectrumProblem):
    """A spectrum of few levels with many values each: of a block only its norms on the eigenspaces matter.

    Their squares are chi-squared with the multiplicity as degrees of freedom.  The bounds are made for the number of
    levels, which makes them a little sharper than those of the whole matrix.
    """

    def __init__(self, rng: np.random.Generator, counts: Vector) -> None:
        super().__init__(rng)
        self.counts = counts

    def block(self, size: int, columns: int, *, fresh: bool = False) -> Vector:  # noqa: ARG002
        """Return the norms with random signs, drawn once."""
        if columns not in self._blocks:
            norms = np.sqrt(self._rng.chisquare(self.counts[:, None], (size, columns)))
            self._blocks[columns] = norms * self._rng.choice([-1, 1], (size, columns))
        return self._blocks[columns]


def many_steps(rule: Rule, begin: Vector, counts: Vector, seed: int) -> tuple[int, float]:
    """Steps to TOL with multiplicities, as ``counted``."""
    problem, values = WithMultiplicities(np.random.default_rng(seed), counts), begin
    residuals, before = [], None
    for step in range(MAX_STEPS):
        residuals.append(float(np.sqrt(np.sum(counts * (1 - values**2) ** 2))))
        if residuals[-1] <= TOL:
            break
        residual = problem.residual(values)
        h = rule.next(ResidualView(2, step, False, TOLD, EPS, residual, before, 1.0))
        values, before = problem.update(values, residual, h), h
    return counted(np.asarray(residuals))


LOOKED = ((1, 8), (2, 8), (4, 6), (4, 8), (4, 12), (4, 16))
"""Columns and products."""


def large_experiment() -> Iterator[Row]:
    """The search on spectra of very many values."""
    for n in (10**3, 10**4, 10**5, 10**6, 10**8, 10**12):
        seen: dict[tuple[int, int], list[tuple[int, float, int, float]]] = {look: [] for look in LOOKED}
        for number in range(LARGE_SPECTRA):
            rng = np.random.default_rng([SEARCH_SEED, 7, n, number])
            levels, counts = thin_tailed(rng, n)
            begin, seed = levels / np.sum(counts * levels**8) ** 0.125, int(rng.integers(1 << 30))
            oracle = matfun.PolarExpress(lower=float(levels.min()), cushion=0, safety=1)
            steps, part = many_steps(oracle, levels, counts, 0)
            for (columns, products), found in seen.items():
                mine = many_steps(matfun.Window(columns=columns, products=products), begin, counts, seed)
                found.append((mine[0] - steps, mine[1] - part, number, kappa_of(levels)))
        for look, found in seen.items():
            worst = max(found)
            row: Row = {"experiment": "large", "n": n, "look": list(look), "spectra": len(found)}
            row |= {"excess": histogram(one[0] for one in found)}
            row |= {"largest fraction": plain(max(one[1] for one in found), 3)}
            yield row | {"worst": {"number": worst[2], "excess": worst[0], "kappa": plain(worst[3], 3)}}


HIDDEN = (0.0772, 1.163, 4.23e-8)
"""Least bulk value, exponent and value below of the first spectrum of 300 values that was found to need two more."""


def hidden(n: int, least: float, exponent: float, lowest: float) -> Vector:
    """A power of a linear bulk, and one value far below it."""
    return np.append(np.linspace(least, 1, n - 1) ** exponent, lowest)[::-1]


def hidden_experiment() -> Iterator[Row]:
    """One value far below a linear bulk: the found spectrum with many sketches, and others like it."""
    sigmas = hidden(300, *HIDDEN)
    found = histogram(excess(matfun.Window(), sigmas, seed)[0] for seed in range(100))
    yield {"experiment": "hidden", "spectrum": "found", "n": 300, "excess": found}
    for n in (30, 100, 300, 1000):
        steps = []
        for number in range(SPECTRA_OTHERS // 2):
            rng = np.random.default_rng([SEARCH_SEED, 9, n, number])
            least, exponent, lowest = rng.uniform(0.02, 0.5), rng.uniform(0.5, 2), 10 ** -rng.uniform(2, 8)
            steps.append(excess(matfun.Window(), hidden(n, least, exponent, lowest), int(rng.integers(1 << 30)))[0])
        yield {"experiment": "hidden", "spectrum": "others", "n": n, "excess": histogram(steps)}


# 4. Performance profiles

PROFILED = (WINDOW, WINDOW9, PRISM, ORACLE, PE3, PE, CANS, NS, MUON)
SHOWN = (WINDOW, PRISM, NS, ORACLE, PE3)
RANDOM_PROBLEMS = 200


def profile_problems() -> Iterator[tuple[str, Vector, Matrix]]:
    """Name, spectrum and matrix: kappa from 1.01 to 1e12, no vectors, and three heavy-tailed spectra of any kappa."""
    for name, make in tried():
        A = make(0)
        sigmas = singular_values(A)
        if sigmas.size > 1 and TRIVIAL <= kappa_of(sigmas) <= 1e12 * (1 + 1e-2):
            yield name, sigmas, A
    for kappa in (0.1, 0.5, 100.0):
        sigmas = htmp(512, 256, kappa)
        yield f"HTMP {kappa:g}, 512 x 256", sigmas, sp.with_singular_values(sigmas, 512, 256, 0)
    number = left = 0
    while left < RANDOM_PROBLEMS:
        sigmas, seed = numbered(number, stream=2, largest=200)
        if kappa_of(sigmas) >= TRIVIAL:
            left += 1
            sigmas = np.sort(sigmas)[::-1]
            yield f"random {number}", sigmas, sp.with_singular_values(sigmas, rng=seed)
        number += 1


def profile_experiment() -> Iterator[Row]:
    """Products to every level, by simulation, and to full accuracy, by a matrix run."""
    for name, sigmas, A in profile_problems():
        row: Row = {"experiment": "profile", "problem": name, "n": sigmas.size, "kappa": plain(kappa_of(sigmas), 3)}
        products: dict[str, list[int | None]] = {}
        for label in PROFILED:
            for steps in (16, 30) if label == MUON else (16, MAX_STEPS):
                curve = oracle_curve(sigmas) if label == ORACLE else curve_of(RULES[label], scaled(sigmas), steps)
                at = [first_below(curve.residuals, level) for level in LEVELS]
                if at[-1] is not None:
                    break
            price = spent(curve)
            products[label] = [None if k is None else round(float(price[k])) for k in at]
            shipped = told_the_truth(singular_values(A)) if label == ORACLE else RULES[label]
            end = None if shipped is None else full(A, shipped)
            ok = end is not None and end["status"] in ("CONVERGED", "COMPLETED")
            products[label].append(end["products"] if end is not None and ok else None)
        yield row | {"products": products}


def curve_experiment() -> Iterator[Row]:
    """Residual against products on three spectra, in exact arithmetic."""
    chosen = {
        "Gaussian, 1024 x 1024": htmp_sample(1024, 1024, 1024.0, np.random.default_rng(0)),
        "Gaussian, 4096 x 1024": htmp_sample(4096, 1024, 1024.0, np.random.default_rng(0)),
        "log-spaced, kappa 1e6, n = 1024": sp.log_spaced(1024, 1e6),
    }
    for name, sigmas in chosen.items():
        for label in SHOWN:
            curve = oracle_curve(sigmas) if label == ORACLE else curve_of(RULES[label], scaled(sigmas), 30)
            last = (first_below(curve.residuals, 1e-12) or 30) + 1
            row = {"experiment": "curve", "spectrum": name, "kappa": plain(kappa_of(sigmas), 3), "method": label}
            residuals = [plain(r, 3) for r in curve.residuals[:last]]
            yield row | {"products": [round(float(p)) for p in spent(curve)[:last]], "residuals": residuals}


# 5. The price of looking


def started(A: Any) -> Start:
    """A as a run of the window rule starts from it."""
    given = check_matrix(A, None)
    return start(prepare(given, reduce=False), matfun.Window(), PolarProblem(given.ops, 0))


def price_experiment() -> Iterator[Row]:
    """Seconds of the look and of the products of a quintic step."""
    import torch

    rule = matfun.Window()
    for n in (256, 512, 1024, 2048):
        for library, dtype in (("numpy", "float64"), ("numpy", "float32"), ("torch", "float32")):
            X = sp.gaussian(n, n, 0).astype(dtype)
            A: Any = X if library == "numpy" else torch.from_numpy(X)
            begin = started(A)
            problem, ops, state = begin.problem, begin.problem.ops, begin.problem.settle(begin.state)
            looks, products, steps, thins = [], [], [], []
            block = problem.sketch(n, rule.columns or 1, state.X)
            before = None
            for repeat in range(5 if n > 1000 else 15):
                t0 = time.perf_counter()
                residual = problem.residual(state)
                t1 = time.perf_counter()
                _ = residual.matrix  # what the step needs anyway
                view = ResidualView(2, 1, False, TOLD, ops.eps(A.dtype), residual, before, 1.0)
                t2 = time.perf_counter()
                h = rule.next(view)
                t3 = time.perf_counter()
                problem.update(state, residual, h)
                t4 = time.perf_counter()
                gram = ops.gram(state.X)
                ops.matmul(state.X, ops.square(gram))
                t5 = time.perf_counter()
                for _ in range(rule.products):
                    ops.thin_matmul(gram, block)
                t6 = time.perf_counter()
                before = h
                if repeat:
                    looks.append(t3 - t2)
                    steps.append(t1 - t0 + t2 - t1 + t4 - t3)
                    products.append(t5 - t4)
                    thins.append(t6 - t5)
            look, product, step, thin = (statistics.median(v) for v in (looks, products, steps, thins))
            yield {
                "experiment": "price",
                "library": library,
                "dtype": dtype,
                "n": n,
                "look": plain(look, 3),
                "thin": plain(thin, 3),
                "products": plain(product, 3),
                "step without look": plain(step, 3),
                "share": plain(look / product, 3),
                "flops": plain(rule.products * (rule.columns or 0) / (3 * n), 3),
            }


# 6. Looking further

FURTHER = 100
"""Random spectra of each of the experiments below."""


def degrees_experiment() -> Iterator[Row]:
    """Fewest products over sequences of degrees, on intervals and on spectra with exact windows."""
    for lower in (0.5, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8):
        row: Row = {"experiment": "degrees", "interval": lower}
        for label, degree in (("any", (3, 5, 9, 17)), ("5", (5,)), ("9", (9,)), ("17", (17,))):
            stages = fewest_products(interval_of(lower), degree, TOL, 0.0, 1.0, 2)
            assert stages is not None
            row[label] = sum(2 + stage.polynomial().symmetric_products for stage in stages)
            row |= {"sequence": [stage.degree for stage in stages]} if label == "any" else {}
        yield row
    gains: dict[str, list[int]] = {"5": [], "9": []}
    for number in range(FURTHER):
        sigmas = scaled(numbered(number, stream=3, largest=200)[0])
        best = fewest(sigmas, (3, 5, 9, 17))
        for fixed, saved in gains.items():
            saved.append(fewest(sigmas, (int(fixed),)) - best)
    for label, found in gains.items():
        yield {"experiment": "degrees on spectra", "fixed": label, "products saved": histogram(found)}


def fewest(sigmas: Vector, degrees: Sequence[int]) -> int:
    """Products to TOL with exact windows: of all ways to have spent k only the narrowest window is kept."""
    reached = {0: sigmas}
    for k in range(200):
        values = reached.pop(k, None)
        if values is None:
            continue
        if np.linalg.norm(1 - values**2) <= TOL:
            return k
        upper = float(values.max())
        lower = max(float(values.min()), 0.05 * upper)
        for degree in degrees:
            h = next_stage(interval_of(lower, upper), degree, 0.0, 1.0, 2).polynomial()
            after = np.asarray(values * h.at(1 - values**2, values**2))
            cost = k + 2 + h.symmetric_products
            if cost not in reached or kappa_of(after) < kappa_of(reached[cost]):
                reached[cost] = after
    raise ArithmeticError("more than 200 products")


SHIFT = 1 / 100
"""Of the rational first step: from there on a Cholesky factorisation is stable."""


@dataclass(frozen=True)
class RationalFirst:
    """Halley's weights with c = 1 / SHIFT, which need a Cholesky factorisation, then windows."""

    then: matfun.Window = matfun.Window()  # noqa: RUF009 - frozen

    forms_square = True

    def next(self, view: ResidualView) -> Update:
        """Return the rational function first."""
        if view.step:
            h: Update = self.then.next(view)
            return h
        low, high = 1e-8, 1.0
        for _ in range(100):  # c falls as the bound grows
            middle = (low * high) ** 0.5
            low, high = (middle, high) if halley_weights(middle)[2] > 1 / SHIFT else (low, middle)
        a, _, c = halley_weights(high)
        return PartialFractions((a - 1) / (a + 3), ((a + 1) ** 2 / (a + 3) / c,), (1 / c,))


def rational_experiment() -> Iterator[Row]:
    """Steps that one rational step first saves, and what it costs in products."""
    by_kappa: dict[str, list[int]] = {}
    for number in range(FURTHER):
        sigmas, seed = numbered(number, stream=4)
        expected, _ = oracle_steps(sigmas)
        saved = rule_steps(RULES[WINDOW], sigmas, expected, seed)[0]
        saved -= rule_steps(RationalFirst(), sigmas, expected, seed)[0]
        decade = f"1e{2 * int(np.log10(kappa_of(sigmas)) // 2)} to 1e{2 * int(np.log10(kappa_of(sigmas)) // 2) + 2}"
        by_kappa.setdefault(decade, []).append(saved)
    for decade in sorted(by_kappa):
        yield {"experiment": "rational", "kappa": decade, "steps saved": histogram(by_kappa[decade])}
    for m, n in ((512, 512), (1024, 1024), (2048, 512)):
        for dtype in ("float64", "float32"):
            A = sp.gaussian(m, n, 0).astype(dtype)
            begin = started(A)
            problem, state = begin.problem, begin.problem.settle(begin.state)
            view = ResidualView(2, 0, False, TOLD, EPS, None, None, 1.0)
            rational, quintic = RationalFirst().next(view), RULES[NS].next(view)
            times: dict[str, list[float]] = {"rational": [], "quintic": []}
            for repeat in range(6):
                for label, h in (("rational", rational), ("quintic", quintic)):
                    begun = time.perf_counter()
                    problem.update(state, problem.residual(state), h)
                    times[label] += [time.perf_counter() - begun] if repeat else []
            seconds = {label: statistics.median(values) for label, values in times.items()}
            row: Row = {"experiment": "rational price", "shape": [m, n], "dtype": dtype}
            yield (
                row
                | {k: plain(v, 3) for k, v in seconds.items()}
                | {"quintic steps": plain(seconds["rational"] / seconds["quintic"], 3)}
            )


def fitted_experiment() -> Iterator[Row]:
    """Steps of polynomials fitted to every single value of the spectrum, against exact windows."""
    groups: dict[str, list[int | None]] = {}
    for number in range(FURTHER):
        sigmas = scaled(np.unique(numbered(number, stream=5, largest=80)[0]))
        expected, _ = oracle_steps(sigmas)
        windows = rule_steps(RULES[EXACT], sigmas, expected, 0)[0]
        steps: int | None = 0
        values = sigmas
        assert steps is not None
        while steps <= windows and np.linalg.norm(1 - values**2) > TOL:
            try:
                h = matfun.design_on_spectrum(values, 5, 1).coefficients[0]
            except ValueError:
                break
            values = values * matfun.Polynomial(h, "gram")(1 - values**2)
            values = np.abs(values)
            steps += 1
        reached = np.linalg.norm(1 - values**2) <= TOL
        few = "4 to 20 values" if sigmas.size <= 20 else "more values"
        few = "1 to 3 values" if sigmas.size <= 3 else few
        groups.setdefault(few, []).append(windows - steps if reached else None)
    for few in sorted(groups):
        yield {"experiment": "fitted", "distinct": few, "steps saved": histogram(groups[few])}


def promise_experiment() -> Iterator[Row]:
    """Error promised by the image of the last update after a fixed number of steps, against the true one."""
    for share in (1 - 1e-6, 0.1, 0.01):
        for steps in (2, 4, 6, 8, 10):
            ratios, violated = [], 0
            for number in range(FURTHER):
                sigmas, seed = numbered(number, stream=6, largest=80)
                A = sp.with_singular_values(sigmas, rng=seed)
                lower = float(scaled(np.linalg.svd(A, compute_uv=False))[-1]) * share
                result = matfun.polar(A, method=matfun.Window(lower=lower), steps=steps, rng=seed)
                assert result.info is not None
                last = result.info.history.updates[-1]
                assert isinstance(last, matfun.Polynomial)
                assert last.image is not None
                low, high = (float(x) for x in last.image)
                values = np.linalg.svd(result.U, compute_uv=False)
                promised, true = max(1 - low, high - 1), float(np.max(np.abs(values - 1)))
                violated += bool(values[-1] < low - 100 * EPS or values[0] > high + 100 * EPS)
                if true > 1e-12:
                    ratios.append(promised / true)
            row: Row = {"experiment": "promise", "told": share, "steps": steps, "matrices": FURTHER}
            row |= {"violated": violated, "compared": len(ratios)}
            spread = [float(np.quantile(ratios, q)) for q in (0, 0.5, 0.9, 1)] if ratios else []
            yield row | {"promised over true": [plain(x, 3) for x in spread]}


EXPERIMENTS: dict[str, Callable[[], Iterator[Row]]] = {
    "price": price_experiment,
    "oracle": oracle_experiment,
    "accuracy": accuracy_experiment,
    "cushion": cushion_experiment,
    "search": search_experiment,
    "hidden": hidden_experiment,
    "large": large_experiment,
    "profile": profile_experiment,
    "curve": curve_experiment,
    "degrees": degrees_experiment,
    "rational": rational_experiment,
    "fitted": fitted_experiment,
    "promise": promise_experiment,
}


def write(rows: list[Row], seconds: dict[str, int]) -> None:
    """One row a line."""
    head = json.dumps({"machine": describe(), "seconds": seconds}, indent=1, allow_nan=False)
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    JSON.write_text(f'{head[:-2]},\n "results": [\n{lines}\n ]\n}}\n')


def read() -> list[Row]:
    rows: list[Row] = json.loads(JSON.read_text())["results"]
    return rows


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """Rows with these values; an underscore in a key stands for a space."""
    return [row for row in rows if all(row.get(key.replace("_", " ")) == value for key, value in wanted.items())]


# Figures

LOOKS: dict[str, dict[str, Any]] = {
    WINDOW: {"color": "black", "linewidth": 2.6},
    WINDOW9: {"color": "black", "linewidth": 1.6, "linestyle": (0, (5, 2))},
    ORACLE: {"color": COLOURS[0], "linewidth": 1.4, "marker": "o"},
    PRISM: {"color": COLOURS[1], "linewidth": 1.4, "marker": "s", "linestyle": (0, (6, 2, 1, 2))},
    NS: {"color": COLOURS[2], "linewidth": 1.4, "marker": "D", "linestyle": (0, (1, 1))},
    PE3: {"color": COLOURS[3], "linewidth": 1.4, "marker": "^"},
    CANS: {"color": COLOURS[4], "linewidth": 1.4, "marker": "v", "linestyle": (0, (2, 2))},
    PE: {"color": COLOURS[5], "linewidth": 1.4, "marker": "P"},
}
"""Told apart by marker and line as well as by colour."""

FULL = "full accuracy"
GOALS = (*(f"residual 1e-{round(-np.log10(level))}" for level in LEVELS), FULL)
LARGEST_RATIO = 6.0


def ratios(rows: list[Row], goal: int) -> dict[str, Vector]:
    """Products over the fewest of any method, by method; infinite where it did not get there."""
    table = {
        label: np.asarray([np.inf if (k := row["products"][label][goal]) is None else k for row in rows], dtype=float)
        for label in PROFILED
    }
    best = np.min(list(table.values()), axis=0)
    return {label: values / best for label, values in table.items()}


def draw_profiles(rows: list[Row], path: Path) -> None:
    """Dolan-More profiles, one panel per goal."""
    figure = Figure(figsize=(10.5, 7.6), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True, sharex=True)
    problems = pick(rows, experiment="profile")
    for ax, goal, name in zip(axes.flat, range(len(GOALS)), GOALS, strict=True):
        found = ratios(problems, goal)
        for i, (label, look) in enumerate(LOOKS.items()):
            tau = np.geomspace(1, LARGEST_RATIO, 400)
            share = [float(np.mean(found[label] <= t * (1 + 1e-12))) for t in tau]
            every = {"markevery": (8 * i, 66), "markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.5}
            ax.plot(tau, share, label=label, **look, **(every if "marker" in look else {}))
        ax.set_title(f"to {name}" if name != FULL else "to full accuracy (matrix runs in float64)")
        ax.set_xscale("log", base=2)
        ax.set_xticks([1, 1.25, 1.5, 2, 3, 4, 6], ["1", "1.25", "1.5", "2", "3", "4", "6"])
        ax.minorticks_off()
        ax.set_xlim(1, LARGEST_RATIO)
        ax.set_ylim(-0.02, 1.03)
    figure.supxlabel("products, as a multiple of the fewest that any of the methods needs", fontsize=10)
    figure.supylabel(f"share of the {len(problems)} problems", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, fontsize=9, handlelength=3.4)
    figure.savefig(path)


def draw_curves(rows: list[Row], path: Path) -> None:
    """Residual against products on three spectra."""
    names = list(dict.fromkeys(row["spectrum"] for row in pick(rows, experiment="curve")))
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        for row in pick(rows, experiment="curve", spectrum=name):
            points = [(x, max(y, EPS)) for x, y in zip(row["products"], row["residuals"], strict=True)]
            style = {"markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.4}
            look = LOOKS[row["method"]]
            style |= {"marker": "X", "markersize": 6.5} if "marker" not in look else {}
            ax.plot(*zip(*points, strict=True), label=row["method"], **(style | look))
        for level in LEVELS:
            ax.axhline(level, color="0.45", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        kappa = pick(rows, experiment="curve", spectrum=name)[0]["kappa"]
        ax.set_title(name if "kappa" in name else f"{name}, kappa {kappa:.3g}", fontsize=9.5)
        ax.set_yscale("log")
        ax.set_ylim(1e-13, 300)
        ax.set_xlim(left=0)
    figure.supxlabel("matrix products spent (thin products not counted)", fontsize=10)
    figure.supylabel(r"residual  $\|I - X_k^{\mathsf{T}} X_k\|_F$", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=5, fontsize=9, handlelength=3.4)
    figure.savefig(path)


def draw(rows: list[Row]) -> None:
    from matplotlib import rc_context

    with rc_context({**STYLE, "savefig.dpi": 130}):
        draw_profiles(rows, DOCS / "figures" / "window-profiles.png")
        draw_curves(rows, DOCS / "figures" / "window-curves.png")


# Tables


def table(corner: str, columns: Iterable[str], lines: dict[str, list[str]]) -> str:
    """A Markdown table."""
    heads = [corner, *columns]
    out = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*out, *("| " + " | ".join([name, *cells]) + " |" for name, cells in lines.items())])


def merged(histograms: Iterable[dict[str, int]]) -> dict[str, int]:
    """Sum of histograms over integers, sorted."""
    total: Counter[str] = Counter()
    for one in histograms:
        total.update(one)
    return {k: total[k] for k in sorted(total, key=lambda k: (k == "None", int(k) if k != "None" else 0))}


def signed(found: dict[str, int]) -> str:
    """A histogram of excess in one cell."""
    return ", ".join(
        f"{'not reached' if k == 'None' else f'{int(k):+d}' if k != '0' else '0'}: {v}" for k, v in found.items()
    )


def span(found: dict[str, int]) -> str:
    """Mean and range of a histogram with many values."""
    values = [int(k) for k, v in found.items() if k != "None" for _ in range(v)]
    lost = f", {found['None']} not reached" if "None" in found else ""
    return f"mean {statistics.mean(values):+.1f} [{min(values):+d} to {max(values):+d}]{lost}"


PROBLEMS = ("polar", "sign", "sqrt")


def oracle_table(rows: list[Row]) -> str:
    here = [row for row in pick(rows, experiment="oracle") if "excess" in row]
    lines = {}
    for label in (WINDOW, EXACT, PRISM, PE3, PE, NS):
        cells = [merged(row["excess"][label] for row in here if row["problem"] == problem) for problem in PROBLEMS]
        lines[label] = [signed(c) if label in (WINDOW, EXACT) else span(c) for c in cells]
    return table("steps beyond the oracle", PROBLEMS, lines)


def worst_table(rows: list[Row]) -> str:
    """Matrices on which the rule needs the most steps more than the oracle."""
    here = [row for row in pick(rows, experiment="oracle") if "excess" in row]
    most = max(int(k) for row in here for k in row["excess"][WINDOW] if k != "None")
    lines = {}
    for problem in PROBLEMS:
        found = [row for row in here if row["problem"] == problem and str(most) in row["excess"][WINDOW]]
        always = [row["matrix"] for row in found if len(row["excess"][WINDOW]) == 1]
        some = [f"{r['matrix']} ({r['excess'][WINDOW][str(most)]})" for r in found if r["matrix"] not in always]
        lines[problem] = [", ".join(always) or "–", ", ".join(some) or "–"]
    return table(f"{most:+d}", ("with every seed", "with some seeds (how many)"), lines)


def left_out(rows: list[Row]) -> str:
    found = [row for row in pick(rows, experiment="oracle", problem="polar") if "left out" in row]
    return "Left out: " + ", ".join(f"{row['matrix']}" for row in found) + "."


def ok(row: Row) -> bool:
    return row["status"] in ("CONVERGED", "COMPLETED")


def accuracy_table(rows: list[Row]) -> str:
    here = pick(rows, experiment="accuracy")
    names = list(dict.fromkeys(row["matrix"] for row in here))
    lines = {}
    for label in (WINDOW, WINDOW9, PRISM, NS, PE3, PE, TRUE):
        found = pick(here, method=label)
        good = [row for row in found if ok(row)]
        bad = histogram(row["status"].lower() for row in found if not ok(row))
        backward, orthogonality = (
            max((row[key], row["matrix"]) for row in good if row[key] is not None)
            for key in ("backward", "orthogonality")
        )
        over = sum(row["backward"] > 1 for row in good if row["backward"] is not None)
        lines[label] = [
            f"{len(good)} of {len(found)}" + "".join(f", {v} {k.replace('_', ' ')}" for k, v in bad.items()),
            f"{statistics.median(row['products'] for row in good):g}",
            f"{sum(row['products'] for row in good)}",
            f"{backward[0]:.2f} ({backward[1]})",
            f"{over}",
            f"{orthogonality[0]:.2f}",
        ]
    heads = ("good answers", "median products", "products in all", "largest backward error", "above 1", "orthogonality")
    return table(f"{len(names)} matrices", heads, lines)


def dearer(rows: list[Row]) -> dict[str, tuple[int, int, str]]:
    """Matrices where the rule needs more products than the best of the ordinary ones."""
    here = pick(rows, experiment="accuracy")
    found = {}
    for row in pick(here, method=WINDOW):
        others = [r for r in pick(here, matrix=row["matrix"]) if r["method"] in ORDINARY and ok(r)]
        best = min(others, key=lambda r: r["products"])
        if not ok(row) or row["products"] > best["products"]:
            found[row["matrix"]] = (row["products"], best["products"], best["method"])
    return found


def dearer_table(rows: list[Row]) -> str:
    lines = {name: [str(mine), str(best), who] for name, (mine, best, who) in dearer(rows).items()}
    return table("products", (WINDOW, "fewest of the three", "by"), lines)


def hard_table(rows: list[Row]) -> str:
    """Products on every matrix of kappa above 1e8."""
    here = pick(rows, experiment="accuracy")
    labels = (WINDOW, WINDOW9, PRISM, NS, PE3, PE, TRUE)
    lines = {}
    for name in dict.fromkeys(row["matrix"] for row in here):
        found = {row["method"]: row for row in pick(here, matrix=name)}
        kappa = found[WINDOW]["kappa"]
        if kappa is not None and kappa > KAPPA and "zero" not in name:
            cells = [found.get(label) for label in labels]
            shown = ["–" if c is None else str(c["products"]) if ok(c) else c["status"].lower() for c in cells]
            lines[name] = [f"{kappa:.0e}", *shown]
    return table("products", ("kappa", *labels), lines)


def cushion_table(rows: list[Row], first: str) -> str:
    here = pick(rows, experiment="cushion", first_step=first)
    lines = {}
    for degree, cushion in CUSHIONS:
        cells = []
        for n in (32, 100):
            for kappa in (1e3, 1e8, 1e15):
                row = pick(here, degree=degree, cushion=cushion, n=n, kappa=kappa)[0]
                failed = sum(v for k, v in row["statuses"].items() if k not in ("CONVERGED", "COMPLETED"))
                cells.append(f"{row['backward']:.2f}" + (f" ({failed} refused)" if failed else ""))
        lines[f"{degree}, {cushion:g}"] = cells
    heads = [f"n = {n}, kappa {kappa:.0e}" for n in (32, 100) for kappa in (1e3, 1e8, 1e15)]
    return table("degree, cushion", heads, lines)


def search_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="search"):
        worst = row["worst"]
        what = f"no. {worst['number']}: {worst['excess']:+d} (n = {worst['n']}, kappa {worst['kappa']:.1e})"
        shown = signed(row["excess"]) if row["variant"] != PRISM else span(row["excess"])
        cells = [str(row["spectra"]), shown, f"{row['mean']:+.3f}", f"{row['largest fraction']:+.2f}", what]
        lines[row["variant"]] = cells
    return table("", ("spectra", "steps beyond the oracle", "mean", "largest, with fractions", "a worst one"), lines)


def large_table(rows: list[Row]) -> str:
    here = pick(rows, experiment="large")
    sizes = list(dict.fromkeys(row["n"] for row in here))
    lines = {}
    for look in LOOKED:
        found = [pick(here, look=list(look), n=n)[0] for n in sizes]
        lines[f"{look[0]}, {look[1]}"] = [f"{signed(r['excess'])} ({r['largest fraction']:+.2f})" for r in found]
    return table("columns, products", [f"{n:.0e} values" for n in sizes], lines)


def hidden_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="hidden"):
        what = "the one that was found, 100 sketches" if row["spectrum"] == "found" else f"others, n = {row['n']}"
        lines[what] = [signed(row["excess"])]
    return table("", ("steps beyond the oracle",), lines)


def climb_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="climb"):
        cells = [f"{steps:+d} ({part:+.2f})" for steps, part in (row["first"], row["last"])]
        others = signed(row["excess of 100 other sketches"])
        lines[f"no. {row['number']}"] = [str(row["n"]), f"{row['kappa']:.1e}", *cells, others]
    heads = ("n", "kappa", "before (with fractions)", "after", "after, with 100 other sketches")
    return table("climbed from", heads, lines)


def profile_table(rows: list[Row]) -> str:
    """Share of the problems with the fewest products, within a quarter of it, and not reached."""
    problems = pick(rows, experiment="profile")
    found = [ratios(problems, goal) for goal in range(len(GOALS))]

    def cell(r: Vector) -> str:
        lost = f", {int(np.sum(np.isinf(r)))} not reached" if np.isinf(r).any() else ""
        return f"{np.mean(r <= 1 + 1e-12):.0%} / {np.mean(r <= 1.25 + 1e-12):.0%}{lost}"

    return table("", GOALS, {label: [cell(f[label]) for f in found] for label in PROFILED})


def saving_table(rows: list[Row]) -> str:
    """Products of the others over those of the rule: geometric mean over the problems both solve."""
    problems = pick(rows, experiment="profile")
    lines = {}
    for label in PROFILED[1:]:
        cells = []
        for goal in range(len(GOALS)):
            pairs = [(row["products"][label][goal], row["products"][WINDOW][goal]) for row in problems]
            both = [a / b for a, b in pairs if a and b]
            cells.append(f"{np.exp(np.mean(np.log(both))):.2f} ({len(both)})" if both else "–")
        lines[label] = cells
    return table(f"products over those of {WINDOW}", GOALS, lines)


def price_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="price"):
        cells = [f"{1e3 * row[k]:.3g}" for k in ("thin", "look", "products")]
        shares = [f"{row['thin'] / row['products']:.1%}", f"{row['share']:.1%}", f"{row['flops']:.1%}"]
        lines[f"{row['n']}, {row['dtype']}, {row['library']}"] = [*cells, *shares]
    heads = ("thin products, ms", "look, ms", "three products, ms", "share of thin", "share of look", "of flops")
    return table("n", heads, lines)


def degrees_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="degrees"):
        fixed = [str(row[k]) for k in ("5", "9", "17")]
        lines[f"[{row['interval']:g}, 1]"] = [str(row["any"]), ", ".join(map(str, row["sequence"])), *fixed]
    return table("products to 1e-8", ("any degrees", "which", "5", "9", "17"), lines)


def saved_table(rows: list[Row], experiment: str, key: str, corner: str, what: str) -> str:
    lines = {}
    for row in pick(rows, experiment=experiment):
        found = row[what]
        lines[str(row[key])] = [", ".join(f"{'none' if k == 'None' else k}: {v}" for k, v in found.items())]
    return table(corner, (f"{what}: how often",), lines)


def rational_price_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="rational price"):
        m, n = row["shape"]
        cells = [f"{1e3 * row[k]:.3g}" for k in ("rational", "quintic")]
        lines[f"{m} x {n}, {row['dtype']}"] = [*cells, f"{row['quintic steps']:.2f}"]
    return table("", ("Cholesky step, ms", "quintic step, ms", "ratio"), lines)


def promise_table(rows: list[Row]) -> str:
    lines = {}
    for row in pick(rows, experiment="promise"):
        told = "the smallest value" if row["told"] > 0.9 else f"{row['told']:g} of it"
        spread = row["promised over true"]
        shown = [f"{spread[k]:.3g}" for k in (1, 2, 3)] if spread else ["–"] * 3
        lines[f"{told}, {row['steps']}"] = [f"{row['violated']} of {row['matrices']}", str(row["compared"]), *shown]
    heads = ("violated", "true error above 1e-12", "median ratio", "9 of 10 below", "largest")
    return table("told, steps", heads, lines)


def summary(rows: list[Row]) -> str:
    """The numbers of the page in a few lines."""
    oracle = [row for row in pick(rows, experiment="oracle") if "excess" in row]
    runs = merged(row["excess"][WINDOW] for row in oracle)
    best = next(row for row in pick(rows, experiment="search") if row["variant"].startswith("defaults"))
    total, climbs = sum(best["excess"].values()), pick(rows, experiment="climb")
    problems = pick(rows, experiment="profile")
    to_tol = ratios(problems, LEVELS.index(TOL))[WINDOW]
    more = dearer(rows)
    small = [row for row in pick(rows, experiment="accuracy", method=WINDOW) if row["backward"] is not None]
    climbed = max(row["last"][0] for row in climbs)
    return "\n".join(
        [
            f"* Against the oracle: {sum(runs.values())} matrix runs of polar factor, sign and square root, steps to "
            f"1e-8 beyond the oracle's: {signed(runs)}.",
            f"* Search: {total} random spectra: {signed(best['excess'])}.  Climbing from {len(climbs)} of the worst, "
            f"{CLIMB_STEPS} trials each, ended at {climbed:+d} at most.",
            f"* Products to 1e-8 on {len(problems)} problems: {WINDOW} has the fewest of all (the oracle included) on "
            f"{np.mean(to_tol <= 1 + 1e-12):.0%}, and at most {np.max(to_tol):.3g} times the fewest.",
            f"* To full accuracy on {len(small)} matrices: more products than the best of PRISM-5, Newton-Schulz-5 and "
            f"Polar Express with lower 1e-3 on {len(more)}; largest backward error "
            f"{max(row['backward'] for row in small):.2f} of the limit.",
        ]
    )


def tables(rows: list[Row]) -> dict[str, str]:
    """All tables by name."""
    return {
        "summary": summary(rows),
        "oracle": oracle_table(rows),
        "worst": worst_table(rows),
        "left out": left_out(rows),
        "accuracy": accuracy_table(rows),
        "dearer": dearer_table(rows),
        "hard": hard_table(rows),
        "cushion": cushion_table(rows, "polynomial"),
        "scaled first": cushion_table(rows, "factor"),
        "search": search_table(rows),
        "climb": climb_table(rows),
        "hidden": hidden_table(rows),
        "large": large_table(rows),
        "profile": profile_table(rows),
        "saving": saving_table(rows),
        "price": price_table(rows),
        "degrees": degrees_table(rows),
        "degrees on spectra": saved_table(rows, "degrees on spectra", "fixed", "fixed degree", "products saved"),
        "rational": saved_table(rows, "rational", "kappa", "kappa", "steps saved"),
        "rational price": rational_price_table(rows),
        "fitted": saved_table(rows, "fitted", "distinct", "distinct values", "steps saved"),
        "promise": promise_table(rows),
    }


def fill(found: dict[str, str]) -> None:
    """Put every table between its marks in the page."""
    text = PAGE.read_text()
    for name, body in found.items():
        mark = f"<!-- table: {name} -->"
        before, found_mark, rest = text.partition(mark)
        if found_mark:
            text = f"{before}{mark}\n\n{body}\n\n{END}{rest.partition(END)[2]}"
    PAGE.write_text(text)


def main(what: str = typer.Argument("all", help="all, figures, tables or the name of an experiment")) -> None:
    """Measure, draw, and put the numbers into the page."""
    if what == "all" or what in EXPERIMENTS:
        rows = [] if what == "all" else [row for row in read() if row["group"] != what]
        seconds = {} if what == "all" else json.loads(JSON.read_text()).get("seconds", {})
        for name, experiment in EXPERIMENTS.items():
            if what in ("all", name):
                begun = time.perf_counter()
                for row in experiment():
                    rows.append({"group": name} | row)
                    typer.echo(json.dumps(row)[:240])
                seconds[name] = round(time.perf_counter() - begun)
        rows.sort(key=lambda row: list(EXPERIMENTS).index(row["group"]))
        write(rows, {name: seconds.get(name, 0) for name in EXPERIMENTS})
    rows = read()
    if what != "tables":
        draw(rows)
    if what != "figures":
        found = tables(rows)
        if PAGE.exists():
            fill(found)
        for name, body in found.items():
            typer.echo(f"\n{name}\n\n{body}")


if __name__ == "__main__":
    typer.run(main)
