"""Schedule: a list of polynomials made in advance, one for each step, then its continuation or Newton-Schulz.

What ``matfun.design`` and ``matfun.preset`` return; any such object is a ``method=``.  A polynomial is applied in the
basis, of R or of I - R, in which it amplifies rounding less.
Map, curve and price of any list: theory/schedule.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from itertools import repeat
from typing import Any

from matfun.host import host_constant
from matfun.polynomials.certificate import images, region, stability
from matfun.polynomials.composition import (
    ACCURATE_CUSHION,
    EXACT_BELOW,
    SAFETY,
    Interval,
    Stage,
    compose_from,
    stage_of,
)
from matfun.polynomials.degrees import price_of
from matfun.polynomials.formats import FORMATS, hazard
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Basis, Polynomial, Update, exactly_in_residual, in_better_basis
from matfun.rules.rule import ResidualView

FORMAT = 1
"""Of the JSON document."""


@dataclass(frozen=True)
class Schedule:
    """Polynomials by step, what they are for and how good they are.

    Attributes
    ----------
    coefficients : tuple of tuple of float
        Of h by step in powers of x^p: of x, x^3, x^5, ... in the polynomial for p = 2.
    interval : tuple of float
        Singular values of the start (for the inverse p-th root, p-th roots of the eigenvalues of M) for which ``error``
        is certified.
    error : float
        sup |1 - x| after all steps over the interval: of the floats in ``coefficients``, in exact arithmetic.
        ``stages[-1].error`` is that of the polynomials before their coefficients were rounded.
    p : int
        2 for polar factor, sign and square roots, 1 for the inverse; else for the inverse p-th root.
    dtype : str or None
        Format in which rounding is known not to push values out of reach; None where that was not asked.
    name : str
        ``info.method`` of a run.
    repeat : bool
        Whether the last polynomial is repeated in further steps.
    stages : tuple of Stage
        How each polynomial was made: interval, cushion, recentring, safety factor.  Empty for a list that was given.
    attained : float or None
        max |1 - x| over the points that the polynomials were fitted to, where that is how they were made.
    note, defect : str
        Of a published list: where it is from and what it really is; and what is wrong with it, if it is wrong.
    """

    coefficients: tuple[tuple[float, ...], ...]
    interval: tuple[float, float]
    error: float
    p: int = 2
    dtype: str | None = None
    name: str = "schedule"
    repeat: bool = False
    stages: tuple[Stage, ...] = ()
    attained: float | None = None
    note: str = ""
    defect: str = ""
    _updates: tuple[Polynomial, ...] = field(init=False, repr=False, compare=False)
    _end: tuple[str, str, str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.coefficients or not all(self.coefficients):
            raise ValueError("coefficients: expected at least one polynomial with at least one coefficient")
        if not 0 < self.interval[0] <= self.interval[1]:
            raise ValueError(f"interval: expected 0 < lower <= upper, got {self.interval!r}")
        try:
            updates = self._in_better_bases()
        except OverflowError:
            raise ValueError(
                f"coefficients: expected a bounded image of {self.interval}, got one that overflows"
            ) from None
        object.__setattr__(self, "_updates", tuple(updates))
        object.__setattr__(self, "_end", _as_text(self.stages[-1].image) if self.stages else None)

    def _in_better_bases(self) -> list[Polynomial]:
        if self.stages:
            return [stage.polynomial() for stage in self.stages]
        ends = images(self.coefficients, *self.interval, self.p)
        forms = [(Polynomial(c, "gram"), exactly_in_residual(c)) for c in self.coefficients]
        return [in_better_basis(*both, *e, self.p) for both, e in zip(forms, ends, strict=False)]

    def __len__(self) -> int:
        return len(self.coefficients)

    @property
    def degrees(self) -> tuple[int, ...]:
        """2 q + 1 by step for h of degree q: the degree in x for p = 2."""
        return tuple(2 * len(c) - 1 for c in self.coefficients)

    @property
    def products(self) -> int:
        """Full-size products of all steps: of the polar factor and the sign, the inverse, or the inverse p-th root.

        The coupled square roots take one more a step.  ``matfun.simulate`` counts them for any problem.
        """
        return sum(price_of(h, self.p) for h in self._updates)

    @property
    def forms_square(self) -> bool:
        """Whether the first step needs the square of the Gram matrix anyway."""
        return len(self.coefficients[0]) > 2

    @property
    def region(self) -> float:
        """Value below which every positive start stays positive and bounded, and converges unless ``repeat``."""
        chain = list(self.coefficients)
        if self._end is not None:
            for stage in _following(self.stages[-1].image, self.degrees[-1], self.p):
                chain.append(stage.coefficients)
                if stage.error < EXACT_BELOW:
                    break
        return region(chain, self.p, repeat=self.repeat)

    @property
    def stability(self) -> float:
        """The d of Nakatsukasa and Higham: a computed polar factor has a backward error of up to some d roundings.

        The largest, over the steps, of the growth max p / u of the largest value over the least growth p(x) / x of any
        value up to u; inf where a polynomial has a wrong sign (SIAM J. Matrix Anal. Appl. 33, 2012, Thm 2.4).  A
        cushion keeps it small: about 10 for 0.02 and below 3 for 0.1 with quintics.
        """
        return stability(self.coefficients, *self.interval, self.p)

    @property
    def safe_in(self) -> tuple[str, ...]:
        """Formats in which rounding cannot push values of the interval out of reach, the coarsest first.

        That says nothing about backward errors: see ``stability``.
        """
        return tuple(name for name in FORMATS if not self.hazard(name))

    def hazard(self, dtype: str) -> str:
        """Why rounding in a format may push values out of reach; empty if it cannot.

        Parameters
        ----------
        dtype : {"bfloat16", "float16", "tfloat32", "float32", "float64"}

        Raises
        ------
        ValueError
            For another name.
        """
        return hazard(self.coefficients, dtype, *self.interval, self.p)

    def next(self, view: ResidualView) -> Update:
        """Return the polynomial of this step.

        After the last one: that again if ``repeat``; the composition continued, if the schedule is a designed one; else
        the Taylor polynomial, whose region an unfinished list may not have reached.

        Raises
        ------
        ValueError
            If the schedule was made for another p than the problem has.
        """
        if view.p != self.p:
            raise ValueError(f"method: expected a schedule made for p = {view.p}, got one for p = {self.p}")
        step, last = view.step, len(self.coefficients) - 1
        if step <= last or self.repeat:
            return self._updates[min(step, last)]
        if self._end is not None:
            degree = 2 * len(self.coefficients[-1]) - 1
            return Polynomial(*_continued(*self._end, degree, self.p, step - last - 1))
        return Polynomial(taylor_inverse_root(self.p, len(self.coefficients[-1]) - 1))

    def plot(self) -> Any:
        """Draw the error after every step over the interval, with the levels between which it oscillates.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ModuleNotFoundError
            Saying how to install matplotlib.
        """
        from matfun.lab.schedule_plot import draw

        return draw(self)

    def to_python(self) -> str:
        """Return source code that defines the coefficients, exactly, and says what they are in a comment."""
        kind = f"x h(x^{self.p})" if self.p != 2 else "x, x^3, ..."
        safe = f", safe in {self.dtype}" if self.dtype else ""
        head = [
            f"# {self.name}: coefficients of {kind} by step, {self.products} products,",
            f"# sup |1 - x| = {self.error:.3e} on {list(self.interval)}{safe}",
        ]
        rows = [f"    ({', '.join(map(repr, c))}{',' if len(c) == 1 else ''})," for c in self.coefficients]
        return "\n".join([*head, "COEFFICIENTS = (", *rows, ")"])

    def to_json(self) -> str:
        """Return everything as JSON, from which ``from_json`` makes an equal schedule."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        values["stages"] = [asdict(stage) for stage in self.stages]
        document = {"format": FORMAT, **values, "degrees": self.degrees, "products": self.products}
        return json.dumps(document, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """Schedule that ``to_json`` wrote.

        Raises
        ------
        ValueError
            If the text is not such a document.
        """
        document = json.loads(text)
        names = [f.name for f in fields(cls) if f.init]
        if not isinstance(document, dict) or document.get("format") != FORMAT or not document.keys() >= set(names):
            raise ValueError(f"text: expected a document of Schedule.to_json with format {FORMAT}, got {text[:40]!r}")
        known = {name: document[name] for name in names}
        known["coefficients"] = tuple(map(tuple, known["coefficients"]))
        known["interval"] = tuple(known["interval"])
        known["stages"] = tuple(Stage(**{**s, "best": tuple(s["best"])}) for s in known["stages"])
        return cls(**known)


def _following(end: Interval, degree: int, p: int) -> Iterator[Stage]:
    """The composition continued, as accuracy-driven Polar Express does it."""
    return compose_from(end, repeat(degree), ACCURATE_CUSHION, SAFETY, p)


def _as_text(end: Interval) -> tuple[str, str, str]:
    """Exact text: torch.compile takes a float that has changed between calls for a variable, a str never."""
    return end.lower.hex(), end.upper.hex(), end.spread.hex()


@host_constant
def _continued(lower: str, upper: str, spread: str, degree: int, p: int, k: int) -> tuple[tuple[float, ...], Basis]:
    """Step k, from 0, after a schedule that ends on this interval; plain values, as a trace needs them."""
    return _remembered(lower, upper, spread, degree, p, k)


@lru_cache(maxsize=2**10)
def _remembered(lower: str, upper: str, spread: str, degree: int, p: int, k: int) -> tuple[tuple[float, ...], Basis]:
    end = Interval(float.fromhex(lower), float.fromhex(upper), float.fromhex(spread))
    stage = stage_of(_following(end, degree, p), k)
    if stage.error < EXACT_BELOW:
        return taylor_inverse_root(p, degree // 2), "residual"
    h = stage.in_residual()
    return h.coefficients, h.basis
