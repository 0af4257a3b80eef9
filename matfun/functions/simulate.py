"""``matfun.simulate``: a rule on a spectrum alone, the exact-arithmetic curve in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from matfun.drive import run_steps
from matfun.functions.inputs import check_choice, check_count, check_rng
from matfun.polynomials.update import Update
from matfun.problems.spectrum import PROBLEMS, SpectrumProblem
from matfun.rules.rule import Rule, rule_for


@dataclass(frozen=True)
class Curve:
    """A simulated run.

    Attributes
    ----------
    sigmas : tuple of numpy arrays, shape (k,)
        The spectrum before the first step and after every step.
    updates : tuple of Update
        The function h of every step.
    products, thin_products : int
        What a matrix run of these steps costs (without scaling).
    method : str
    p : int
        r = 1 - sigma^p.
    """

    sigmas: tuple[np.ndarray[Any, Any], ...]
    updates: tuple[Update, ...]
    products: int
    thin_products: int
    method: str
    p: int = 2

    @property
    def residuals(self) -> np.ndarray[Any, Any]:
        r"""$\|R\|_F$ before the first and after every step, shape (steps + 1,)."""
        return np.asarray([np.sqrt(np.sum((1 - s**self.p) ** 2)) for s in self.sigmas])

    @property
    def errors(self) -> np.ndarray[Any, Any]:
        r"""$\max |\sigma - 1|$, the distance to the unitary factor in the 2-norm, shape (steps + 1,)."""
        return np.asarray([np.max(np.abs(s - 1)) for s in self.sigmas])


def simulate(
    rule: str | Rule,
    sigmas: Any,
    *,
    steps: int = 10,
    lower: float | None = None,
    eps: float = float(np.finfo(np.float64).eps),
    rng: Any = None,
    problem: str = "polar",
    p: int | None = None,
) -> Curve:
    """Run a rule on singular values.

    Parameters
    ----------
    rule : str or Rule
        The same objects and names that ``matfun.polar`` takes as ``method``.
    sigmas : array_like, shape (k,)
        Singular values of the scaled start, at most 1 for most rules; NumPy floats, or an object array of mpmath
        numbers for more digits.
    steps : int
        Exactly so many.
    lower : float, optional
        Lower bound that the rule is told; ``matfun.polar`` without ``steps`` tells eps/2.
    eps : float
        Spacing of 1 in the dtype that the rule is told.
    rng : numpy.random.Generator, seed or None
        Source of the sketch.
    problem : {"polar", "sign", "sqrt", "invroot", "inv"}
        For the last three, sigma is the p-th root of an eigenvalue of M = I - R: of A / scale for the roots, of A X_0
        for the inverse.
    p : int, optional
        For "invroot", which root; 1 for "inv" and 2 for the others.

    Returns
    -------
    Curve

    Raises
    ------
    ValueError, TypeError
        For bad arguments, naming them.

    Examples
    --------
    >>> import matfun
    >>> curve = matfun.simulate("newton-schulz", [0.1, 1.0], steps=3)
    >>> [round(float(e), 4) for e in curve.errors], curve.products
    ([0.9, 0.8137, 0.6588, 0.4081], 9)
    """
    check_count("steps", steps, least=0)
    check_rng(rng)
    check_choice("problem", problem, PROBLEMS)
    for key, value in (("lower", 0.5 if lower is None else lower), ("eps", eps)):
        if not (isinstance(value, Real) and 0 < value <= 1):
            raise ValueError(f"{key}: expected a number in (0, 1], got {value!r}")
    power = _power(problem, p)
    values = _spectrum(sigmas)
    name, made = rule_for(rule, problem)
    increments = getattr(made, "increments", False)
    spectrum = SpectrumProblem(np.random.default_rng(rng), problem, power, increments=increments)
    spectra = [values]
    _, updates = run_steps(_Recording(spectrum, spectra), made, values, steps=steps, eps=eps, lower=lower)
    return Curve(tuple(spectra), updates, spectrum.work.products, spectrum.work.thin, name, power)


def _power(problem: str, p: int | None) -> int:
    fixed = {"inv": 1, "invroot": None}.get(problem, 2)
    if fixed is None:
        check_count("p", p, least=1)
        assert p is not None
        return p
    if p not in (None, fixed):
        raise ValueError(f"p: expected {fixed} or None for problem {problem!r}, got {p!r}")
    return fixed


def _spectrum(sigmas: Any) -> np.ndarray[Any, Any]:
    """Sigmas as a vector of float64, or of mpmath numbers if that is what they are."""
    try:
        values: Any = np.asarray(sigmas)
        if values.dtype != object:
            values = values.astype(np.float64, casting="same_kind") if values.dtype.kind in "fiu" else None
        usable = values is not None and values.ndim == 1 and values.size > 0
        if usable and all(0 <= v < float("inf") for v in values):
            return np.asarray(values)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"sigmas: expected a vector of non-negative numbers, got {sigmas!r}")


class _Recording:
    """A spectrum problem that keeps every state."""

    def __init__(self, inner: SpectrumProblem, spectra: list[np.ndarray[Any, Any]]) -> None:
        self.p, self.largest = inner.p, inner.largest
        self._inner, self._spectra, self.work = inner, spectra, inner.work

    def residual(self, state: Any) -> Any:
        return self._inner.residual(state)

    def update(self, state: Any, residual: Any, h: Update) -> Any:
        self._spectra.append(self._inner.update(state, residual, h))
        return self._spectra[-1]

    def select(self, mask: Any, new: Any, old: Any) -> Any:
        return self._inner.select(mask, new, old)

    def as_host(self, x: Any) -> Any:
        return self._inner.as_host(x)
