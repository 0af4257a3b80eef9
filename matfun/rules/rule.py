"""What a rule is, what it may ask, and the register of rules by name.

A rule knows nothing about arrays: it sees a step number, bounds on the start spectrum, and inner
products of polynomials in the residual.  Registration is one decorator; every file of this folder is imported on first
use, so that a new method is one new file.
"""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, TypeVar, runtime_checkable

from matfun.host import host_constant
from matfun.polynomials.minimise import Solver
from matfun.polynomials.presets import PRESETS
from matfun.polynomials.update import Basis, Polynomial, Scalar, Update
from matfun.sketching.ends import Ends


@dataclass(frozen=True, slots=True)
class ResidualView:
    """What a rule may ask about the residual R, whose eigenvalues r are 0 at convergence.

    Attributes
    ----------
    p : int
        The function is that of (1 - r)^(-1/p): 2 for the polar factor.
    step : int
        0 for the first.
    last : bool
        Whether this is the last of a fixed number of steps.
    lower : float or None
        Smallest singular value of the start (relative to an upper bound of 1) that matters, if known; accuracy-driven
        calls give the unit roundoff, since smaller ones are noise.
    eps : float
        Spacing of 1 in the dtype of the products.
    residual : Residual
        What the methods below question.
    previous : Update or None
        What the step before applied; None for the first.
    largest : float
        Upper bound on the singular values of the start.
    """

    p: int
    step: int
    last: bool
    lower: float | None
    eps: float
    residual: Any
    previous: Update | None = None
    largest: float = 1.0

    def inner_products(
        self,
        polynomials: Sequence[Sequence[float]],
        sketch_size: int | None = None,
        *,
        square: bool = False,
        fresh: bool = False,
    ) -> list[list[Scalar]]:
        """All <u_a(R) S, u_b(R) S> as device scalars, S a Gaussian sketch, or I for None.

        They share an unknown positive factor, which no minimiser sees: without it they would underflow near
        convergence.  Where R is below rounding they are those of R = 0, and where it is not finite NaN.

        Parameters
        ----------
        polynomials : sequence of sequences of float
            Coefficients in r, from the constant up.
        sketch_size : int, optional
            Columns of S.
        square : bool
            Whether the update forms R^2 anyway: with it a sketch takes 1 + floor(N/2) thin products instead of N for
            the highest power N.
        fresh : bool
            Whether S is drawn anew instead of once per call.
        """
        products: list[list[Scalar]] = self.residual.inner_products(
            polynomials, sketch_size, square=square, fresh=fresh
        )
        return products

    def fit(
        self,
        polynomials: Sequence[Sequence[float]],
        sketch_size: int | None,
        interval: tuple[float, float],
        solver: Solver = "grid",
        *,
        square: bool = False,
        fresh: bool = False,
    ) -> Scalar:
        """Alpha in the interval that makes ||u_0(R) S + alpha u_1(R) S + alpha^2 u_2(R) S + ...||_F least.

        Left on the device, where it takes one launch for each thin product and one for the minimum if the library has
        kernels for that; otherwise by ``inner_products`` and ``argmin``, whose parameters it has.

        Parameters
        ----------
        polynomials : sequence of sequences of float
            u_0, u_1, ... by their coefficients in r, from the constant up.
        sketch_size : int or None
        interval : tuple of float
        solver : {"grid", "roots"}
        square, fresh : bool
        """
        at_once = getattr(self.residual, "fit_at_once", None)
        if at_once is not None and sketch_size is not None and solver == "grid":
            alpha: Scalar | None = at_once(polynomials, sketch_size, interval, fresh=fresh)
            if alpha is not None:
                return alpha
        g = self.inner_products(polynomials, sketch_size, square=square, fresh=fresh)
        size = len(g)
        norm = tuple(
            sum(g[i][k - i] for i in range(max(0, k - size + 1), min(k, size - 1) + 1)) for k in range(2 * size - 1)
        )
        return self.argmin(norm, *interval, solver)

    def argmin(self, coefficients: Sequence[Scalar], lower: float, upper: float, solver: Solver = "grid") -> Scalar:
        """Minimiser over [lower, upper] of the polynomial with these coefficients, left on the device.

        Parameters
        ----------
        coefficients : sequence of Scalar
            From the constant up.
        lower, upper : float
        solver : {"grid", "roots"}
            How the right valley is found; "roots" for polynomials of degree 4 at most.
        """
        return self.residual.argmin(coefficients, lower, upper, solver)

    def ends(self, columns: int | None, products: int) -> Ends:
        """Smallest and largest sigma = (1 - r)^(1/p), seen and possible, by Lanczos from a sketch; device scalars.

        Parameters
        ----------
        columns : int or None
            Of the Gaussian block it starts from, drawn once per run; None computes all eigenvalues of R.
        products : int
            Thin products, of R with such a block.
        """
        found: Ends = self.residual.ends(columns, products)
        return found

    def clip(self, x: Scalar, lower: Scalar, upper: Scalar) -> Scalar:
        """X brought into [lower, upper], on the device; upper wins where they cross."""
        return self.residual.clip(x, lower, upper)

    def minimax(self, degree: int, lower: Scalar, upper: Scalar, narrowest: float, basis: Basis) -> Polynomial:
        """Best polynomial of degree 2 q + 1 for an interval of device scalars with lower / upper >= narrowest."""
        best: Polynomial = self.residual.minimax(degree, lower, upper, narrowest, basis)
        return best

    def newton_scaling(self, kind: str) -> Scalar:
        """Newton's scaling factor by the norms or the determinant of the state and its inverse; 1 near convergence.

        Parameters
        ----------
        kind : {"one-inf", "frobenius", "determinant"}
        """
        return self.residual.newton_scaling(kind)

    def newton_fit(self, mu: Scalar, sketch_size: int | None = None) -> tuple[Scalar, ...]:
        """Coefficients in a, from the constant up, of the next ||R||_F^2 under h = (1 - a) mu + (a / mu) / (1 - r)."""
        coefficients: tuple[Scalar, ...] = self.residual.newton_fit(mu, sketch_size)
        return coefficients


@runtime_checkable
class Rule(Protocol):
    """Anything with a ``next``; pass it as ``method=``.

    A rule may say more of itself by attributes or properties, all False by default:

    * ``forms_square``: its first step needs the square of the Gram matrix anyway, which makes a tighter scaling free;
    * ``needs_square``: it inverts X, so that tall matrices are reduced by QR first;
    * ``follows_lower``: its schedule follows from ``view.lower``, so that each matrix of a stack has its own;
    * ``wants_lower``: that bound should be estimated for the polar factor;
    * ``increments``: on square roots it is Newton's iteration carried by its increments;
    * ``exact``: its first step is a factorisation, which needs no ``initial``;

    by ``hermitian_only``: names of the problems that it serves for Hermitian matrices only;

    by a method ``largest(p, lower)``: where the inverse p-th root should have its largest eigenvalue of M;
    by a method ``steepest(view)``, for rules whose ``next`` looks at the residual: the polynomial, with Python floats
    for coefficients, that none of theirs exceeds for tiny singular values; the Gram form plans its restarts by it;
    and by an attribute ``name``, a str: what ``info.method`` says.
    """

    def next(self, view: ResidualView) -> Update:
        """Return the function h to apply in this step."""
        ...


def require(condition: bool, name: str, expected: str, got: Any) -> None:
    """Raise a ValueError that names a rule's option unless the condition holds.

    Raises
    ------
    ValueError
    """
    if not condition:
        raise ValueError(f"{name}: expected {expected}, got {got!r}")


@dataclass(frozen=True)
class Registered:
    """A rule class under its name.

    Attributes
    ----------
    name : str
    make : callable
        Returns the rule with its default options.
    problems : tuple of str
        Functions it is meant for.
    converges : bool
        Whether its limit is the function; False for presets that only come near.
    """

    name: str
    make: Callable[[], Rule]
    problems: tuple[str, ...]
    converges: bool


_registry: dict[str, Registered] = {}
_T = TypeVar("_T", bound=Callable[[], Any])


def rule(name: str, *, problems: tuple[str, ...] = ("polar",), converges: bool = True) -> Callable[[_T], _T]:
    """Register a rule class (or a function that makes a rule) under a name.

    Parameters
    ----------
    name : str
    problems : tuple of str
    converges : bool
    """

    def register(make: _T) -> _T:
        _registry[name] = Registered(name, make, problems, converges)
        return make

    return register


def registered() -> dict[str, Registered]:
    """All rules by name, sorted; imports every file of this folder once."""
    package = import_module("matfun.rules")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"matfun.rules.{module.name}")
    return dict(sorted(_registry.items()))


_made: dict[tuple[str, str], Rule] = {}


def rule_for(method: Any, problem: str) -> tuple[str, Rule]:
    """Return the rule that ``method=`` means, with its name.

    Parameters
    ----------
    method : str or Rule
    problem : str

    Raises
    ------
    ValueError
        If no rule of that name serves the problem; the message lists the close names.
    TypeError
        If method is neither a name nor a rule.
    """
    if isinstance(method, str):
        _make_named(method, problem)
        return method, _made[method, problem]
    if not isinstance(method, type) and callable(getattr(method, "next", None)):
        return name_of(method), method
    raise TypeError(f"method: expected a name or an object with a 'next' method (a Rule), got {method!r}")


@host_constant
def _make_named(method: str, problem: str) -> bool:
    key = (method, problem)
    if key not in _made:
        known = {name: entry for name, entry in registered().items() if problem in entry.problems}
        _made[key] = known[method].make() if method in known else _published(method, problem, ["auto", *known])
    return True


def _published(method: str, problem: str, known: Sequence[str]) -> Rule:
    """Schedule of that name, if a list is published under it."""
    from matfun.rules import published  # which imports this file

    lists = published.presets() if problem in published.PROBLEMS else []
    if method not in lists:
        names = [*known, *(name for name in lists if name not in known and not PRESETS[name].defect)]
        raise ValueError(unknown_name("method", f"no method for {problem} is called {method!r}", method, names))
    try:
        return published.preset(method)
    except ValueError as error:
        raise ValueError(f"method: {error}") from None


def unknown_name(argument: str, what: str, name: str, known: Iterable[str]) -> str:
    """Message about a name that is not known, with the close ones first."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{argument}: {what}; {hint}known are {', '.join(map(repr, names))}"


def name_of(made: Any) -> str:
    """Return the name that a rule object carries, the registered name of its class, or the name of that."""
    own = getattr(made, "name", None)
    return own if isinstance(own, str) else _name_of_class(type(made))


@host_constant
def _name_of_class(made: type) -> str:
    for name, entry in registered().items():
        if entry.make is made:
            return name
    return made.__name__
