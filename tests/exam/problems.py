"""The bare problems of square matrices, their states on a chosen spectrum, and how much rounding is allowed.

Every problem moves M = I - R, whose eigenvalues are m = sigma^p, by F(m) = m h(1 - m)^p. An error D of M, written in
the eigenvectors V of A, goes on as the divided differences of F times its elements, exactly to first order; what a
step adds is u times the norms of the factors that it multiplies, and V^-1 E V is at most cond(V) ||E||:

* sign: M = X^2, X' = X H; 2 ||X H|| times the rounding of X H, and the rounding of X^2 in what H was formed of
* sqrt: M = Z Y, Y' = Y H, Z' = H Z; the same with the products of norms ||Z|| ||Y||
* invroot: M' = H^p M; p ||H||^(p - 1) ||M|| times the rounding of H, and that of p + 1 products
* inv: M = A X, X' = X H; ||A|| ||X|| times the rounding of H

The rounding of H is u times the sum of (2 i + 1) |c_i| ||S||^i for a polynomial in S, and w ||(M + s)^-1|| cond(M +
s) for a partial fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from matfun.polynomials.update import ExactRoot, PartialFractions
from matfun.problems.inverse import InverseProblem, InverseState
from matfun.problems.inverse_root import InverseRootProblem, InverseRootState
from matfun.problems.polar import PolarProblem, PolarState
from matfun.problems.sign import SignProblem, SignState
from matfun.problems.square_root import SquareRootProblem, SquareRootState
from matfun.problems.square_root_increment import SquareRootIncrementProblem
from matfun.rules.rule import ResidualView
from tests.exam.walk import Form, coefficients_of, forms, on_host, schedules

ROOTS = (1, 2, 3, 4, 5, 8)


@dataclass(frozen=True)
class Case:
    """A problem, its p, and a form of a rule."""

    problem: str
    p: int
    form: Form

    @property
    def name(self) -> str:
        p = self.p if self.problem == "invroot" else ""
        return f"{self.problem}{p}-{self.form.name}"

    @property
    def increments(self) -> bool:
        return getattr(self.form.rule, "increments", False)

    @property
    def exact(self) -> bool:
        return self.form.rule_name in ("eigh", "schur", "lu")

    def options(self) -> dict[str, Any]:
        """Options of the twin for this p."""
        name, options = self.form.rule_name, dict(self.form.options)
        if name in ("newton-schulz", "prism", "polar-express", "pade", "eigh", "schur", "lu", "window"):
            options["p"] = self.p
        if self.problem == "sqrt" and (name == "prism-newton" or options.get("scaling") in ("frobenius",)):
            options["of"] = 2
        return options

    def move(self, sigmas: np.ndarray, step: int) -> np.ndarray:
        """One step of the twin."""
        return self.form.twin.next_spectrum(sigmas, step, **self.options())

    def view(self, step: int, eps: float, residual: Any) -> ResidualView:
        return ResidualView(self.p, step, step + 1 == self.form.fixed_steps, None, eps, residual)

    def upper(self) -> float:
        """Largest start sigma, within the region of convergence."""
        return _upper(self)


@cache
def _upper(case: Case) -> float:
    options = {k: v for k, v in case.options().items() if k != "of"}
    if case.form.is_fitted:
        return _upper_of_prism(case.p, options["degree"])
    try:
        return case.form.twin.region(**options)[1]
    except TypeError:
        return case.form.twin.region(**case.form.options)[1]


@cache
def _upper_of_prism(p: int, degree: int) -> float:
    from theory import prism_root

    return prism_root.region(p=p, d=degree // 2)[1] ** (1 / p)


def cases() -> list[Case]:
    found = [Case(problem, 2, form) for problem in ("sign", "sqrt") for form in forms(problem) + schedules(2)]
    found += [Case("invroot", p, form) for p in ROOTS for form in forms("invroot") + schedules(p) if serves(form, p)]
    return found + [Case("inv", 1, form) for form in forms("inv") + schedules(1)]


def serves(form: Form, p: int) -> bool:
    """Two forms of each rule for large p; Padé of 1/(1 - r) is the function itself, and so needs no more than one."""
    if form.rule_name == "pade" and p == 1:
        return form.options == {"numerator": 0, "denominator": 1}
    if form.sees_window:  # a window is one for every p: an exact minimax polynomial a step is what takes long
        return p in (1, 3)
    small = form.rule_name not in ("pade", "newton-schulz", "prism") or "warm_start" not in form.options
    cheap = form.options.get("degree", 3) <= 5 and form.options.get("denominator", 1) <= 2
    return small and (p <= 4 or cheap)


CASES = cases()


def begin(case: Case, ops: Any, A: Any, *, hermitian: bool, rng: Any = None, start: Any = None) -> tuple[Any, Any]:
    """The bare problem and its first state; ``start`` is X_0 of the inverse."""
    if case.problem == "sign":
        if hermitian and case.form.rule_name == "eigh":
            return PolarProblem(ops, rng), PolarState(A)
        return SignProblem(ops, rng), SignState(A)
    if case.problem == "inv":
        return InverseProblem(ops, rng, A=A), InverseState(start)
    if case.problem == "invroot":
        return InverseRootProblem(ops, rng, p=case.p, hermitian=hermitian), InverseRootState(None, A)
    if case.increments:
        problem = SquareRootIncrementProblem(ops, rng)
        return problem, problem.begin(A)
    return SquareRootProblem(ops, rng, hermitian=hermitian), SquareRootState(A)


def factors(case: Case, state: Any) -> tuple[Any, ...]:
    """The matrices of a state whose norms multiply in M."""
    if case.increments:
        return (state.X,)
    if case.problem == "sqrt":
        return (state.Y,) if state.Z is None else (state.Y, state.Z)
    if case.problem == "invroot":
        return (state.M,)
    return (state.X,)


def h_at(h: Any, m: np.ndarray, p: int) -> np.ndarray:
    return m ** (-1 / p) if isinstance(h, ExactRoot) else h.at(1 - m, m)


def divided_differences(h: Any, m: np.ndarray, p: int) -> np.ndarray:
    """Moduli of (F(m_i) - F(m_j)) / (m_i - m_j), on the diagonal |F'|, by differences over at least 1e-5 m."""
    if isinstance(h, ExactRoot):
        return np.zeros((m.size, m.size))
    a, b = m[:, None] + 0 * m, m[None, :] + 0 * m[:, None]
    near = np.abs(a - b) < 1e-5 * (a + b)
    a, b = np.where(near, a * (1 + 1e-5), a), np.where(near, a * (1 - 1e-5), b)
    return np.abs((a * h_at(h, a, p) ** p - b * h_at(h, b, p) ** p) / (a - b))


def rounding_of_h(h: Any, m: np.ndarray, norm_R: float, norm_M: float, cond: float) -> tuple[float, float, float]:
    """||H||, its rounding in units of u, and its sensitivity to errors of M, for eigenvectors of that condition."""
    if isinstance(h, ExactRoot):
        size = cond * float(np.max(np.abs(m) ** -0.5))
        return size, size, 0.0
    if isinstance(h, PartialFractions):
        norm, rounding, bend = abs(h.constant), abs(h.constant), 0.0
        for i, c in enumerate(h.higher):
            norm += abs(c) * norm_M ** (i + 1)
            rounding += (2 * i + 3) * abs(c) * norm_M ** (i + 1)
            bend += (i + 1) * abs(c) * norm_M**i
        for w, s in zip(h.weights, h.shifts, strict=True):
            inverse = cond / float(np.min(m + s))
            norm += w * inverse
            rounding += 3 * w * inverse * inverse * (norm_M + s)
            bend += w * inverse**2
        return norm, rounding, bend
    total = []
    for basis, size in (("residual", norm_R), ("gram", norm_M)):
        c = [abs(float(v)) for v in coefficients_of(on_host(h).in_basis(basis))]
        norm = sum(v * size**i for i, v in enumerate(c))
        rounding = sum((2 * i + 1) * v * size**i for i, v in enumerate(c))
        bend = sum(i * v * size ** (i - 1) for i, v in enumerate(c) if i)
        total.append((norm, rounding, bend))
    return total[0] if h.basis == "residual" else total[1]


def norm(X: np.ndarray) -> float:
    return float(np.linalg.norm(X, 2))


def fresh(case: Case, h: Any, m: np.ndarray, before: list[np.ndarray], A: np.ndarray, V: np.ndarray) -> float:
    """Rounding of one step in M, in units of u times the size of a product; see the head of this file."""
    cond = float(np.linalg.cond(V))
    W = np.linalg.inv(V)
    norm_M, norm_R = norm((V * m) @ W), norm((V * (1 - m)) @ W)
    norm_H = norm((V * h_at(h, m, case.p)) @ W)
    after = norm((V * (m * h_at(h, m, case.p) ** case.p)) @ W)
    _, rounding, bend = rounding_of_h(h, m, norm_R, norm_M, cond)
    norms = [norm(X) for X in before]
    if case.problem == "invroot":
        p = case.p
        return p * norm_H ** (p - 1) * norm_M * rounding + (p + 1) * norm_H**p * norm_M
    if case.problem == "inv":
        size = norm(A) * norms[0]
        return size * (rounding + norm_H + norm_M * 0 + bend * size) + size * norm_H
    if case.problem == "sign":
        formed = norms[0] ** 2
        if isinstance(h, PartialFractions) and 0 in h.shifts:  # X^-1 itself
            inverse = norm(np.linalg.inv(before[0]))
            w = h.weights[0]
            return 2 * after**0.5 * (abs(h.constant) * norms[0] + 3 * w * inverse * inverse * norms[0]) + after
        return 2 * norms[0] * norm_H * norms[0] * (rounding + norm_H + bend * formed) + formed * norm_H**2
    y, z = (norms[0], norms[1] if len(norms) > 1 else 1.0)
    if case.increments:
        inverse = norm(np.linalg.inv(before[0]))
        return 6 * (1 + norm_M) * (1 + 1 / float(np.min(m))) * (y * inverse) ** 2
    formed = y * z if len(norms) > 1 else 0.0
    return 2 * norm_H * y * z * (rounding + norm_H + bend * formed) + y * z * norm_H**2
