"""What the exam walks (every registered rule in every form, every array library) and how much rounding it allows.

The allowance is derived, not tuned.  A step computes x h(r) from S = X^H X or R = I - S with relative roundings of
u = eps/2 in every operand, so that its error is u times a small number times the GAIN, the sum of
(2 i + 1) |c_i| |s|^i x over the coefficients of h in the basis it is evaluated in; and it carries an old error e on as
|p'(x)| e, where p(x) = x h(1 - x^2).  For matrices of size n norms of rounding errors bring a factor of about sqrt(n).
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

import theory
from matfun.ops import Ops
from matfun.polynomials.update import ExactRoot, Polynomial
from matfun.providers import ops_for
from matfun.rules.rule import ResidualView, registered
from theory import prism as prism_twin

EMPIRICAL_LAPACK = 4.0
"""Loss of orthogonality of LAPACK's singular vectors, in units of that of one product."""

DTYPES = ("float32", "float64", "complex64", "complex128")

NOT_OF_THE_TWIN = {"prism": {"sketch_size": None}}
"""Options of a rule that turn it into what its twin describes by default."""


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
        if "safety" not in self.options:
            return self
        return replace(self, name=f"{self.name} in {steps}", options=self.options | {"fixed_steps": steps})

    def survives(self, u: float) -> bool:
        """Whether rounding of relative size u cannot push a value out of the region, which may end just above 1."""
        return self.region()[1] - 1 > 1e4 * u

    @property
    def is_fitted(self) -> bool:
        return self.twin is prism_twin


@cache
def _region(form: Form) -> tuple[float, float]:
    return form.twin.region(**form.options)


def forms() -> list[Form]:
    """Every registered rule that has a twin, in all forms that the twin lists."""
    found = []
    for rule_name, twin in twins().items():
        make = registered()[rule_name].make
        known = {f.name for f in fields(make)}
        for options in twin.OPTIONS:
            arguments = {k: v for k, v in options.items() if k in known} | NOT_OF_THE_TWIN.get(rule_name, {})
            text = "-".join(f"{k}={v:.4g}" for k, v in options.items())
            found.append(Form(f"{rule_name}-{text}".rstrip("-"), twin, options, make(**arguments)))
    return found


FORMS = forms()
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


def coefficients_of(h: Polynomial) -> list[np.ndarray]:
    """Coefficients on the host in float64, each of the shape of the stack."""
    return [np.asarray(ops_for(c).as_host(c) if hasattr(c, "shape") else c, dtype=np.float64) for c in h.coefficients]


def on_host(h: Any) -> Any:
    """The same update with Python floats (or host arrays) for coefficients."""
    if not isinstance(h, Polynomial):
        return h
    return Polynomial(tuple(c if c.ndim else float(c) for c in coefficients_of(h)), h.basis)


def gain(h: Any, x: np.ndarray) -> np.ndarray:
    """Rounding error of x h(1 - x^2) in units of u, in the less favourable basis; see the head of this file.

    Where the step has degree 5 and is evaluated by completing the square, c_1^2 / (4 c_2) comes in addition.
    """
    if isinstance(h, ExactRoot):
        return np.full_like(x, EMPIRICAL_LAPACK)
    sums = []
    for basis in ("residual", "gram"):
        c = coefficients_of(on_host(h).in_basis(basis))
        s = np.abs(1 - x * x) if basis == "residual" else x * x
        sums.append(sum((2 * i + 1) * np.abs(v) * s**i for i, v in enumerate(c)))
        if basis == "gram" and len(c) == 3:
            with np.errstate(divide="ignore", invalid="ignore"):
                sums[-1] = sums[-1] + np.where(c[2] != 0, c[1] ** 2 / (4 * np.abs(c[2])), 0.0)
    return x * np.maximum(*sums)


def slope(h: Any, x: np.ndarray) -> np.ndarray:
    """|p'(x)| for p(x) = x h(1 - x^2)."""
    if isinstance(h, ExactRoot):
        return np.zeros_like(x)
    c = coefficients_of(on_host(h).in_basis("gram"))
    return np.abs(sum((2 * i + 1) * v * x ** (2 * i) for i, v in enumerate(c)))


def curvature(h: Any, x: np.ndarray) -> np.ndarray:
    """|p''(x)|: what decides where p' is near zero."""
    if isinstance(h, ExactRoot):
        return np.zeros_like(x)
    c = coefficients_of(on_host(h).in_basis("gram"))
    return np.abs(sum((2 * i + 1) * 2 * i * v * x ** (2 * i - 1) for i, v in enumerate(c) if i))


def fit_error(sigmas: np.ndarray, e: np.ndarray, u: float, degree: int, weights: np.ndarray | None = None) -> float:
    """How far rounding can move PRISM's alpha: the derivative of the minimiser of f, |df'| / f''.

    f' = 2 sum w N M with N = u_0 + alpha u_1 + alpha^2 u_2 the next residual and M = dN/d alpha.  Its derivative by
    each singular value multiplies the old error e; evaluating u_a costs 4 u of the sums of moduli.  A minimiser at an
    end of the interval stays there while f' is larger than its error.
    """
    w = np.ones_like(sigmas) if weights is None else weights
    with mp.workdps(50):
        lower, upper = (mp.mpf(v.numerator) / v.denominator for v in prism_twin.INTERVALS[degree])
        r = [1 - mp.mpf(float(s)) ** 2 for s in sigmas]
        a = prism_twin.fit(r, degree, [mp.mpf(float(v)) for v in w])
        h = mp.mpf(10) ** -20

        def moved(x: Any) -> tuple[Any, Any]:
            u0, u1, u2 = prism_twin.parts(x, degree)
            return u0 + a * u1 + a * a * u2, u1 + 2 * a * u2

        bend = first = wobble = mp.mpf(0)
        for x, weight, s, error in zip(r, w, sigmas, e, strict=True):
            n, m = moved(x)
            up, down = moved(x + h), moved(x - h)
            by_r = (up[0] * up[1] - down[0] * down[1]) / (2 * h)
            u0, _, u2 = prism_twin.parts(x, degree)
            size = abs(x) ** (degree // 2) * 4  # moduli of the terms of u_1, whose largest coefficient is 2
            first += 2 * weight * n * m
            bend += 2 * weight * (m * m + 2 * n * u2)
            wobble += 2 * weight * (abs(by_r) * 2 * s * error + 4 * u * (abs(m) * (abs(u0) + size) + abs(n) * size))
        at_end = min(a - lower, upper - a) == 0
        if (at_end and abs(first) > wobble) or bend <= 0:
            return 0.0 if at_end else float(upper - lower)
        return float(min(wobble / bend, upper - lower))


def design_error(form: Form, step: int) -> int:
    """Roundings in a coefficient: a schedule carries its interval on from step to step, with one each time."""
    return step if "lower" in form.options else 0


def carried(
    form: Form, h: Any, sigmas: np.ndarray, e: np.ndarray, u: float, size: float, weights: Any = None, step: int = 0
) -> np.ndarray:
    """Error of the singular values after a step, from that before: see the head of this file."""
    fresh = (size + design_error(form, step)) * u * np.max(gain(h, sigmas))
    new = slope(h, sigmas) * e + curvature(h, sigmas) * e * e / 2 + fresh
    if form.is_fitted and step >= form.options.get("warm_start", 0):
        degree = form.options["degree"]
        moved = fit_error(sigmas, e + fresh, u, degree, weights)
        new = new + sigmas * np.abs(1 - sigmas**2) ** (degree // 2) * moved
    return new


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
    spectra = [np.array(sigmas)]
    for step in range(steps):
        spectra.append(form.move(spectra[-1], step))
    return spectra
