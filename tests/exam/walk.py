"""What the exam walks (every registered rule in every form, every array library) and how much rounding it allows.

The allowance is derived, not tuned.  A step computes x h(r) from S = X^H X or R = I - S with relative roundings of
u = eps/2 in every operand, so that its error is u times a small number times the GAIN, the sum of
(2 i + 1) |c_i| |s|^i x over the coefficients of h in the basis it is evaluated in; and it carries an old error e on as
|p'(x)| e, where p(x) = x h(1 - x^2).  For matrices of size n norms of rounding errors bring a factor of about sqrt(n).

A rational h is applied term by term, and each term w x/(x^2 + s) has its own gain. With g = x^2 between g_n and g_1:
Cholesky of G + s I (s >= 1/100) and two solves have the backward error 3 u (g_1 + s), which (G + s I)^-1 X turns into
w x/(g + s) (g_1 + s)/(g_n + s). QR of [X; sqrt(s) I] has the backward error u x_1 in X, which the slope of the term
carries on, and its Q is orthonormal to u, which 1/sqrt(s) multiplies: w / sqrt(s). An inverse (s = 0), from two
triangular factors and their product, is off by 3 u x_1/x_n^2.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import matfun
import theory
from matfun.ops import Ops
from matfun.polynomials.update import ExactRoot, PartialFractions, Polynomial
from matfun.providers import ops_for
from matfun.rules.rule import ResidualView, registered
from theory import newton as newton_twin
from theory import prism as prism_twin
from theory import prism_newton as prism_newton_twin
from theory import prism_root, qdwh, rational, zolotarev
from theory import schedule as schedule_twin
from theory import window as window_twin
from theory.scalar import horner
from theory.window import window as twin_window

EMPIRICAL_LAPACK = 4.0
"""Loss of orthogonality of LAPACK's singular vectors, in units of that of one product."""

DTYPES = ("float32", "float64", "complex64", "complex128")

NOT_OF_THE_TWIN = {
    "prism": {"sketch_size": None, "fresh": False, "solver": "grid"},
    "prism-newton": {"sketch_size": None},
    "window": {"columns": None, "products": 1},
}
"""Options of a rule that turn it into what its twin describes by default, or do not change the map."""


def twins() -> dict[str, ModuleType]:
    """Twin of every rule by its name, found by walking the folder."""
    modules = [import_module(f"theory.{m.name}") for m in pkgutil.iter_modules(theory.__path__)]
    return {m.RULE: m for m in modules if hasattr(m, "RULE")}


@dataclass(frozen=True)
class Form:
    """One rule with one choice of options, and its twin with the same ones."""

    name: str
    twin: ModuleType = field(compare=False)
    options: dict[str, Any] = field(compare=False)
    rule: Any = field(compare=False)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def rule_name(self) -> str:
        return getattr(self.twin, "RULE", "schedule")

    @property
    def fixed_steps(self) -> int | None:
        return self.options.get("fixed_steps")

    def view(self, step: int, eps: float, residual: Any) -> ResidualView:
        """What the driver shows the rule before a step."""
        return ResidualView(2, step, step + 1 == self.fixed_steps, None, eps, residual)

    def move(self, sigmas: np.ndarray, step: int) -> np.ndarray:
        """One step of the twin."""
        return self.twin.next_spectrum(sigmas, step, **self.options)

    def price(self, step: int) -> dict[str, int]:
        return self.twin.price(step, **self.options)

    def region(self) -> tuple[float, float]:
        return _region(self)

    def in_steps(self, steps: int) -> Form:
        """The same in exactly so many steps, which spares the last one a safety factor."""
        if "safety" not in self.options or self.sees_window:
            return self
        return replace(self, name=f"{self.name} in {steps}", options=self.options | {"fixed_steps": steps})

    def survives(self, u: float) -> bool:
        """Whether rounding of relative size u cannot push a value out of the region, which may end just above 1."""
        return self.region()[1] - 1 > 1e4 * u

    @property
    def is_fitted(self) -> bool:
        """Whether a coefficient of a polynomial is fitted to the spectrum."""
        return self.twin is prism_twin

    @property
    def looks_at_all(self) -> bool:
        """Whether the map of one value depends on the other ones."""
        return self.is_fitted or self.fits_newton or self.sees_window or self.options.get("scaling") in NORMS

    @property
    def fits_newton(self) -> bool:
        return self.twin is prism_newton_twin

    @property
    def sees_window(self) -> bool:
        """Whether the polynomial is made for the extreme values of the spectrum."""
        return self.twin is window_twin

    @property
    def needs_square(self) -> bool:
        return getattr(self.rule, "needs_square", False)

    @property
    def needs_diagonal(self) -> bool:
        """Whether only for a diagonal matrix the scale is a function of the singular values."""
        return self.options.get("scaling") == "one-inf"


@cache
def _region(form: Form) -> tuple[float, float]:
    return form.twin.region(**form.options)


PROBLEMS = ("polar", "sign", "sqrt", "invroot", "inv")

NORMS = ("one-inf", "frobenius", "determinant")
"""Scalings of Newton's iteration that look at the matrix."""


def forms(problem: str = "polar") -> list[Form]:
    """Every rule that has a twin which serves the problem, in all forms that the twin lists."""
    found = []
    for rule_name, twin in twins().items():
        if problem not in getattr(twin, "PROBLEMS", PROBLEMS):
            continue
        make = registered()[rule_name].make
        known = {f.name for f in fields(make)}
        for options in twin.OPTIONS:
            arguments = {k: v for k, v in options.items() if k in known} | NOT_OF_THE_TWIN.get(rule_name, {})
            text = "-".join(f"{k}={v}" if isinstance(v, str) else f"{k}={v:.4g}" for k, v in options.items())
            found.append(Form(f"{rule_name}-{text}".rstrip("-"), twin, options, make(**arguments)))
    return found


SCHEDULES = {
    **{name: matfun.preset(name) for name in ("cubic5", "modded-nanogpt", "muon")},
    "degree-7": matfun.design(degree=7, steps=4, lower=0.3, dtype=None),
    "mixed": matfun.design(degree=(5, 3, 9), lower=0.2, dtype=None, cushion=0.1, safety=1.02),
    "bfloat16": matfun.design(dtype=None, steps=6, cushion=0.1, safety=1.05),
    "third-root": matfun.design(p=3, degree=(5, 3, 9), lower=0.3, dtype=None),
    "fourth-root": matfun.design(p=4, degree=5, steps=5, lower=0.1, dtype=None),
    "inverse": matfun.design(p=1, degree=7, steps=4, lower=1e-2, dtype=None),
}
"""Lists of polynomials: published ones, one of them repeated, and designs of every kind.

Of high degree where the interval is narrow, since the exam asks for curves that rounding does not hide.
"""


def _end(made: matfun.Schedule) -> tuple[float, float, float] | None:
    if not made.stages:
        return None
    image = made.stages[-1].image
    return image.lower, image.upper, image.spread


def schedules(*powers: int) -> list[Form]:
    """The lists for these p, as forms of one twin."""
    return [
        Form(
            f"schedule-{name}",
            schedule_twin,
            {"coefficients": made.coefficients, "p": made.p, "repeat": made.repeat, "end": _end(made)},
            made,
        )
        for name, made in SCHEDULES.items()
        if made.p in powers
    ]


FORMS = forms() + schedules(2)
each_form = pytest.mark.parametrize("form", FORMS, ids=[f.name for f in FORMS])


# ---- array libraries -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Library:
    """One array library: how an array gets in and out."""

    name: str
    put: Callable[[np.ndarray], Any] = field(repr=False)
    get: Callable[[Any], np.ndarray] = field(repr=False)

    def ops(self, x: Any) -> Ops:
        return ops_for(x)


def _numpy() -> Library:
    return Library("numpy", np.asarray, np.asarray)


def _strict() -> Library:
    xp = pytest.importorskip("array_api_strict", reason="array_api_strict is not installed")
    return Library("array_api_strict", xp.asarray, np.asarray)


def _torch() -> Library:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    return Library("torch", lambda x: torch.from_numpy(np.array(x)), lambda x: x.resolve_conj().numpy())


def _jax() -> Library:
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    return Library("jax", jnp.asarray, np.asarray)


def _cupy() -> Library:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("cupy.cuda.is_available() is False: no CUDA device")
    return Library("cupy", cupy.asarray, cupy.asnumpy)


_MAKERS = {"numpy": _numpy, "array_api_strict": _strict, "torch": _torch, "jax": _jax, "cupy": _cupy}

each_library = pytest.mark.parametrize("library_name", list(_MAKERS))


@cache
def _made(name: str) -> Library:
    return _MAKERS[name]()


def library_called(name: str) -> Library:
    """Return the library, or skip the test where it is missing."""
    return _made(name)


# ---- rounding ------------------------------------------------------------------------------------


def on_host(h: Any) -> Any:
    """The same update with Python floats (or host arrays) for coefficients."""
    if isinstance(h, PartialFractions):
        parts = (_host_values((h.constant,)), _host_values(h.weights), h.shifts, _host_values(h.higher))
        return PartialFractions(parts[0][0], *parts[1:])
    return replace(h, coefficients=_host_values(h.coefficients)) if isinstance(h, Polynomial) else h


def _host_values(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(c if c.ndim else float(c) for c in map(_host_value, values))


def _host_value(c: Any) -> np.ndarray:
    return np.asarray(ops_for(c).as_host(c) if hasattr(c, "shape") else c, dtype=np.float64)


def coefficients_of(h: Polynomial) -> list[np.ndarray]:
    """Coefficients on the host in float64, each of the shape of the stack."""
    return [_host_value(c) for c in h.coefficients]


def gain(h: Any, x: np.ndarray, *, alone: bool = False) -> np.ndarray:
    """Rounding error of x h(1 - x^2) in units of u, in the less favourable basis; see the head of this file.

    Where the step has degree 5 and is evaluated by completing the square, c_1^2 / (4 c_2) comes in addition.
    ``alone``: every x is a matrix of its own.
    """
    if isinstance(h, ExactRoot):
        return np.full_like(x, EMPIRICAL_LAPACK)
    if isinstance(h, PartialFractions):
        return _gain_of_fractions(on_host(h), x, alone)
    sums = []
    # a polynomial that says where it sends a window comes in the basis that suits the window, and stays in it
    for basis in ("residual", "gram") if getattr(h, "image", None) is None else (h.basis,):
        c = coefficients_of(on_host(h).in_basis(basis))
        s = np.abs(1 - x * x) if basis == "residual" else x * x
        sums.append(sum((2 * i + 1) * np.abs(v) * s**i for i, v in enumerate(c)))
        if basis == "gram" and len(c) == 3:
            with np.errstate(divide="ignore", invalid="ignore"):
                sums[-1] = sums[-1] + np.where(c[2] != 0, c[1] ** 2 / (4 * np.abs(c[2])), 0.0)
    return x * np.max(sums, axis=0)


def _gain_of_fractions(h: PartialFractions, x: np.ndarray, alone: bool) -> np.ndarray:
    first, last = (x, x) if alone else (np.max(x), np.min(x))
    g = x * x
    total = x * (np.abs(h.constant) + sum((2 * i + 3) * np.abs(c) * g ** (i + 1) for i, c in enumerate(h.higher)))
    for w, s in zip(h.weights, h.shifts, strict=True):
        if s == 0:
            total = total + 3 * w * first / last**2
        elif s < rational.CHOLESKY_FROM:
            spread = s**-0.5 + first * np.abs(s - g) / (g + s) ** 2
            total = total + w * spread
        else:
            total = total + 3 * w * x / (g + s) * (first * first + s) / (last * last + s)
    return np.asarray(total)


def slope(h: Any, x: np.ndarray) -> np.ndarray:
    """|p'(x)| for p(x) = x h(1 - x^2)."""
    if isinstance(h, ExactRoot):
        return np.zeros_like(x)
    if isinstance(h, PartialFractions):
        h, g = on_host(h), x * x
        terms = sum(w * (s - g) / (g + s) ** 2 for w, s in zip(h.weights, h.shifts, strict=True))
        return np.abs(h.constant + sum((2 * i + 3) * c * g ** (i + 1) for i, c in enumerate(h.higher)) + terms)
    c = coefficients_of(on_host(h).in_basis("gram"))
    return np.abs(sum((2 * i + 1) * v * x ** (2 * i) for i, v in enumerate(c)))


def curvature(h: Any, x: np.ndarray) -> np.ndarray:
    """|p''(x)|: what decides where p' is near zero."""
    if isinstance(h, ExactRoot):
        return np.zeros_like(x)
    if isinstance(h, PartialFractions):
        h, g = on_host(h), x * x
        terms = sum(2 * w * x * (g - 3 * s) / (g + s) ** 3 for w, s in zip(h.weights, h.shifts, strict=True))
        return np.abs(sum((2 * i + 3) * (2 * i + 2) * c * x ** (2 * i + 1) for i, c in enumerate(h.higher)) + terms)
    c = coefficients_of(on_host(h).in_basis("gram"))
    return np.abs(sum((2 * i + 1) * 2 * i * v * x ** (2 * i - 1) for i, v in enumerate(c) if i))


def fit_error(
    sigmas: np.ndarray, e: np.ndarray, u: float, degree: int, weights: np.ndarray | None = None, p: int = 2
) -> float:
    """How far rounding can move PRISM's alpha: the derivative of the minimiser of f, |df'| / f''.

    f' = 2 sum w N M with N the next residual and M = dN/d alpha.  Its derivative by each eigenvalue multiplies the old
    error e; evaluating the parts of N and M costs 4 u of the sums of moduli.  A minimiser at an end of the interval
    stays there while f' is larger than its error.
    """
    w = np.ones_like(sigmas) if weights is None else weights
    d = degree // 2
    with mp.workdps(50):
        lower, upper = prism_root.interval(p, d)
        r = [1 - mp.mpf(float(s)) ** p for s in sigmas]
        a = prism_root.fit(r, p, d, [mp.mpf(float(v)) for v in w])
        h = mp.mpf(10) ** -20

        def moved(x: Any) -> tuple[Any, Any, Any]:
            g = (1 if d == 1 else 1 + x / p) + a * x**d
            first = -(1 - x) * p * g ** (p - 1) * x**d
            return 1 - (1 - x) * g**p, first, -(1 - x) * p * (p - 1) * (g ** (p - 2) if p > 1 else 0) * x ** (2 * d)

        bend = first = wobble = mp.mpf(0)
        for x, weight, s, error in zip(r, w, sigmas, e, strict=True):
            n, m, m2 = moved(x)
            up, down = moved(x + h), moved(x - h)
            by_r = (up[0] * up[1] - down[0] * down[1]) / (2 * h)
            size = 2 * p * abs(x) ** d * (1 + abs(x)) ** (p * d - d)  # moduli of the terms of u_1
            first += 2 * weight * n * m
            bend += 2 * weight * (m * m + n * m2)
            wobble += 2 * weight * abs(by_r) * p * s ** (p - 1) * error
            wobble += 8 * u * weight * (abs(m) * (abs(n) + size) + abs(n) * size)
        at_end = min(a - lower, upper - a) <= mp.mpf(10) ** -12
        if (at_end and abs(first) > wobble) or bend <= 0:
            return 0.0 if at_end else float(upper - lower)
        return float(min(wobble / bend, upper - lower))


def newton_error(
    form: Form,
    sigmas: np.ndarray,
    e: np.ndarray,
    u: float,
    step: int,
    weights: Any = None,
    *,
    of: int = 1,
    alone: bool = False,
) -> np.ndarray:
    """How far rounding moves a Newton step by its scale mu and its parameter a, where they come from the spectrum.

    e are errors of sigma, and u is the rounding of a product of matrices; of the inverse it is kappa u. log mu is a
    mean of the log sigma, and the next value moves with it by |(1 - a) mu x - a / (mu x)|, with a by |mu x - 1/(mu
    x)|. The error of a is, as for PRISM, that of f' over f''; there (1 - m)^2 / m is formed as M^-1 times the square,
    whose rounding has the size of the largest value and is divided by the smallest m.
    """
    condition = 1.0 if alone else float(np.max(sigmas) / np.min(sigmas))
    scaling = "frobenius" if form.fits_newton else form.options.get("scaling")
    if scaling not in NORMS:
        return np.zeros_like(sigmas)
    mu = float(newton_twin.scale([mp.mpf(float(s)) for s in sigmas], step, scaling=scaling, of=of))
    relative = e / sigmas
    if mu == 1:
        scale = 0.0
    elif scaling == "frobenius":
        low, high = sigmas ** (-2.0 * of), sigmas ** (2.0 * of)
        scale = float(np.sum(low * relative) / np.sum(low) + np.sum(high * relative) / np.sum(high)) / 2
        scale += condition * u
    else:
        scale = float(np.max(relative)) + condition * u
    y = mu * sigmas
    a, moved = 0.5, 0.0
    if form.fits_newton:
        w = np.ones_like(sigmas) if weights is None else np.asarray(weights, dtype=np.float64)
        m = y * y
        parts = prism_newton_twin.parts(m)
        a = float(
            prism_newton_twin.fit([mp.mpf(float(v)) for v in m], [mp.mpf(float(v)) for v in w], (1 / 64, 63 / 64))
        )
        n, first = parts[0] + a * parts[1] + a * a * parts[2], parts[1] + 2 * a * parts[2]
        by_m = (1 - 2 * a + a * a * (1 - m**-2)) * first + n * (-2 + 2 * a * (1 - m**-2))
        moduli = np.abs(first) * sum(np.abs(v) for v in parts) + np.abs(n) * (np.abs(parts[1]) + np.abs(parts[2]))
        wobble = np.sum(2 * w * (np.abs(by_m) * m * 2 * (relative + scale) + 4 * u * moduli))
        squared = parts[0] ** 2 + 2 * (1 + mu * mu) * np.abs(parts[0])
        last = 4 * u * (squared / m if alone else np.max(squared) / np.min(m))
        wobble += np.sum(2 * w * (np.abs(first) * a * a + np.abs(n) * 2 * a) * last)
        bend = np.sum(2 * w * (first * first + 2 * n * parts[2]))
        moved = float(min(wobble / bend, 1.0)) if bend > 0 else 1.0
    return np.abs((1 - a) * y - a / y) * scale + np.abs(y - 1 / y) * moved


def window_error(form: Form, sigmas: np.ndarray, e: np.ndarray, u: float, step: int, p: int = 2) -> np.ndarray:
    """How far errors e of the extreme values, and u in the eigenvalues s^p they are roots of, move the next values."""
    low, high = int(np.argmin(sigmas)), int(np.argmax(sigmas))
    options = {k: form.options[k] for k in ("cushion", "safety")} | {"p": p}
    with mp.workdps(50):
        values = [mp.mpf(float(s)) for s in sigmas]
        here = twin_window(values, step, **options)
        moved = np.zeros(len(sigmas))
        for at in {low, high}:
            for sign in (-1, 1):
                shifted = list(values)
                off = float(e[at] + u * np.max(sigmas) ** p / (p * sigmas[at] ** (p - 1)))
                shifted[at] = max(shifted[at] + sign * off, shifted[at] / 2)
                ends = twin_window(shifted, step, **options)
                if ends == here:
                    continue
                a, b = (window_twin.best(*w, 5, p)[0] for w in (here, ends))
                change = [abs(float(x * (horner(a, x**p) - horner(b, x**p)))) for x in values]
                moved = moved + np.array(change)
    return moved


def schedule_error(form: Form, sigmas: np.ndarray, step: int, eps: float) -> np.ndarray:
    """What a schedule may differ by: its lower end carries roundings from each step, and counts as 1 at the end.

    Those are 2e-14 a step of QDWH (tests/test_rational.py) and one of Zolotarev.  The end is reached at 1 - 4 eps, or
    where [r/r] Padé is as good as the best function on [l, 1] to 2^-54; then they differ outside of it by O(1 - l).
    """
    if form.twin not in (qdwh, zolotarev):
        return np.zeros_like(sigmas)
    with mp.workdps(60):
        low = form.twin.schedule(step + 1, **form.options)[step][1]
        relative, values = step * (2e-14 if form.twin is qdwh else 2.0**-52), []
        if form.twin is qdwh:
            at_end = 1 - low <= 8 * eps
        else:
            at_end = 2 * ((1 - low) / (1 + low)) ** (2 * form.options["terms"] + 1) < 2.0**-53
        for end in (low * (1 - relative), mp.mpf(1) if at_end else min(low * (1 + relative), mp.mpf(1))):
            if form.twin is qdwh:
                f = qdwh.weights(end) if end < 1 else qdwh.Weights(mp.mpf(3), mp.mpf(1), mp.mpf(3))
            else:
                f = zolotarev.stage(end, form.options["terms"])
            values.append(np.array([float(f(mp.mpf(float(s)))) for s in sigmas]))
    return np.abs(values[0] - values[1])


def design_error(form: Form, step: int) -> int:
    """Roundings in a coefficient: a schedule carries its interval on from step to step, with one each time.

    The coefficients for a window are made in the dtype of the matrix, by some operations each.
    """
    if form.sees_window:
        return 6
    return step if "lower" in form.options else 0


def carried(
    form: Form,
    h: Any,
    sigmas: np.ndarray,
    e: np.ndarray,
    u: float,
    size: float,
    weights: Any = None,
    step: int = 0,
    *,
    alone: bool = False,
) -> np.ndarray:
    """Error of the singular values after a step, from that before: see the head of this file."""
    fresh = (size + design_error(form, step)) * u * np.max(gain(h, sigmas, alone=alone))
    new = slope(h, sigmas) * e + curvature(h, sigmas) * e * e / 2 + fresh
    if form.is_fitted and step >= form.options.get("warm_start", 0):
        degree = form.options["degree"]
        moved = fit_error(sigmas, e + fresh, u, degree, weights)
        new = new + sigmas * np.abs(1 - sigmas**2) ** (degree // 2) * moved
    elif form.sees_window:
        new = new + window_error(form, sigmas, e, size * u, step)
    elif form.looks_at_all:
        new = new + newton_error(form, sigmas, e, (size + 4) * u, step, weights, alone=alone)
    return new + schedule_error(form, sigmas, step, 2 * u)


def residual_of(sigmas: np.ndarray) -> float:
    """Frobenius norm of the diagonal matrix of 1 - sigma^2."""
    return float(np.linalg.norm((1 - sigmas) * (1 + sigmas)))


def residual_error(sigmas: np.ndarray, e: np.ndarray, u: float, size: float) -> float:
    """Allowed error of that norm: 2 sigma e per value, and the rounding of I - X^H X with n columns."""
    rounding = size * u * max(1.0, float(np.max(sigmas)) ** 2) * len(sigmas) ** 0.5
    return float(np.linalg.norm(2 * sigmas * e + e * e)) + rounding


def curve(form: Form, sigmas: Sequence[float], steps: int) -> list[np.ndarray]:
    """The twin's spectra, before the first and after every step; computed once."""
    return _curve(form, tuple(float(s) for s in sigmas), steps)


@cache
def _curve(form: Form, sigmas: tuple[float, ...], steps: int) -> list[np.ndarray]:
    if steps == 0:
        return [np.array(sigmas)]
    before = _curve(form, sigmas, steps - 1)
    return [*before, form.move(before[-1], steps - 1)]
