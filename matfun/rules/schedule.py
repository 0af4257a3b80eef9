"""Schedule: a list of polynomials made in advance, one for each step, then Newton-Schulz.

What ``matfun.design`` and ``matfun.preset`` return; any such object is a ``method=``.  A polynomial is applied in the
basis, of R or of I - R, in which it amplifies rounding less.
Map, curve and price of any list: theory/schedule.py.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from matfun.polynomials.certificate import images, region
from matfun.polynomials.composition import Stage, exactly_in_residual, in_better_basis
from matfun.polynomials.degrees import price_of
from matfun.polynomials.formats import FORMATS, tube
from matfun.polynomials.taylor import taylor_inverse_root
from matfun.polynomials.update import Polynomial, Update
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
        sup |1 - x| after all steps over the interval, in exact arithmetic.
    p : int
        2 for polar factor, sign and square roots, 1 for the inverse; else for the inverse p-th root.
    dtype : str or None
        Format in which rounding is known not to push values out of reach; None where that was not asked.
    name : str
        ``info.method`` of a run.
    repeat : bool
        Whether the last polynomial is repeated in further steps; else they are Newton-Schulz steps of its degree.
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

    def __post_init__(self) -> None:
        if not self.coefficients or not all(self.coefficients):
            raise ValueError("coefficients: expected at least one polynomial with at least one coefficient")
        if self.stages:
            updates = [stage.polynomial() for stage in self.stages]
        else:
            ends = images(self.coefficients, *self.interval, self.p)
            lists = zip(self.coefficients, ends, strict=False)
            updates = [in_better_basis(c, exactly_in_residual(c), *e, self.p) for c, e in lists]
        object.__setattr__(self, "_updates", tuple(updates))

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
        return sum(price_of(c, self.p) for c in self.coefficients)

    @property
    def forms_square(self) -> bool:
        """Whether the first step needs the square of the Gram matrix anyway."""
        return len(self.coefficients[0]) > 2

    @property
    def region(self) -> float:
        """Value below which every positive start stays positive and bounded, and converges unless ``repeat``."""
        return region(self.coefficients, self.p, repeat=self.repeat)

    @property
    def safe_in(self) -> tuple[str, ...]:
        """Formats in which rounding cannot push values of the interval out of reach, the coarsest first."""
        return tuple(name for name in FORMATS if not self.hazard(name))

    def hazard(self, dtype: str) -> str:
        """Why rounding in a format may push values out of reach; empty if it cannot.

        Parameters
        ----------
        dtype : {"bfloat16", "float16", "tfloat32", "float32", "float64"}
        """
        lower, upper = self.interval
        # as if started on [lower / upper, 1]
        first = tuple(c * upper ** (1 + self.p * i) for i, c in enumerate(self.coefficients[0]))
        return tube([first, *self.coefficients[1:]], dtype, lower / upper, self.p).reason

    def next(self, view: ResidualView) -> Update:
        """Return the polynomial of this step.

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
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"text: expected a document of Schedule.to_json with format {FORMAT}, got {text[:40]!r}")
        known = {f.name: document[f.name] for f in fields(cls) if f.init}
        known["coefficients"] = tuple(map(tuple, known["coefficients"]))
        known["interval"] = tuple(known["interval"])
        known["stages"] = tuple(Stage(**{**s, "best": tuple(s["best"])}) for s in known["stages"])
        return cls(**known)
