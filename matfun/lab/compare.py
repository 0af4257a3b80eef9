"""``matfun.compare``: every method on every matrix, against SciPy's ground truth.

Measuring is in ``measure.py``, tables and verdict in ``report.py``, figures in ``plots.py``; they are imported when
called, so that ``import matfun`` needs neither rich nor mpmath nor matplotlib.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

CUSTOMARY_STEPS = 5
"""For methods that do not converge, where neither ``tol`` nor ``steps`` says otherwise (K. Jordan, Muon, 2024)."""

TIMED = (
    "median seconds of repeated calls after a warm-up, with scaling, iteration, both factors, certificate and device "
    "synchronisation, without moving data between libraries"
)


@dataclass(frozen=True)
class Row:
    """One method on one matrix, or on one stack (then everything is the worst over its members).

    Attributes
    ----------
    matrix : str
    shape : tuple of int
    dtype : str
    method : str
        As asked for, with the options of a rule object that differ from its defaults.
    ran : str
        What ran: another name only for ``"auto"``.
    asked : str
        "full accuracy", "tol 0.01", "6 steps", or "5 steps (customary)" for a method that does not converge.
    status : str
        Name of a ``matfun.Status``; "REFERENCE" for ``scipy.linalg.polar``.
    steps, products, thin_products : int
        As in ``matfun.Info``.
    factorisations : int
        Steps that were a factorisation, not a number of products.
    seconds : float
        Wall time, see ``TIMED``.
    eps : float
        Spacing of 1 in the dtype of the result.
    limit : float
        max(tol, (12 + sqrt k) eps) for small side k: what an accurate answer stays below.
    backward_error : float
        ||A - U H||_F / ||A||_F, computed in float64 like all that follow.
    orthogonality : float
        ||U^H U - I||_F / sqrt k on the small side.
    hermitian_defect, semidefinite_defect : float
        ||H - H^H||_F / ||H||_F and max(0, -lambda_min) / ||H||_2.
    forward_error : float
        ||U - U_truth||_F / ||U_truth||_F.
    condition : float
        Relative condition number of U; where it exceeds 1 / eps, U is not determined by A.
    measured, predicted : tuple of (int, float)
        (products spent, ||I - X^H X||_F) along the run, and by ``matfun.simulate`` on the singular values alone.  Empty
        for stacks and where a null space was completed.
    """

    matrix: str
    shape: tuple[int, ...]
    dtype: str
    method: str
    ran: str
    asked: str
    status: str
    steps: int
    products: int
    thin_products: int
    factorisations: int
    seconds: float
    eps: float
    limit: float
    backward_error: float
    orthogonality: float
    hermitian_defect: float
    semidefinite_defect: float
    forward_error: float
    condition: float
    measured: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    predicted: tuple[tuple[float, float], ...] = field(default=(), repr=False)

    @property
    def within(self) -> bool:
        """Whether backward error and orthogonality are both below the limit."""
        return self.backward_error <= self.limit and self.orthogonality <= self.limit

    @property
    def forward_units(self) -> float:
        """Forward error over eps max(1, condition): what the conditioning of A does not excuse."""
        return self.forward_error / self.eps / max(1.0, self.condition)


@dataclass(frozen=True, repr=False)
class Comparison:
    """What ``matfun.compare`` found.

    Attributes
    ----------
    rows : tuple of Row
        Matrix by matrix, in the order of the methods.
    references : tuple of Row
        ``scipy.linalg.polar`` on the host in the dtype of each matrix (float32 for 16 bit), one per matrix.
    environment : dict
        Versions, BLAS and threads, and how time was taken.
    """

    rows: tuple[Row, ...]
    references: tuple[Row, ...]
    environment: dict[str, Any]

    @property
    def matrices(self) -> list[str]:
        """Names of the matrices, in order."""
        return [row.matrix for row in self.references]

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in order."""
        return list(dict.fromkeys(row.method for row in self.rows))

    def table(self, *, summary: bool | None = None, width: int = 100) -> str:
        """Return the results as plain text.

        Parameters
        ----------
        summary : bool, optional
            One line per method, over all matrices; by default for more than four matrices.
        width : int
            Columns of the text.
        """
        from matfun.lab.report import as_text, layout

        return as_text(layout(self, summary), width)

    def verdict(self) -> str:
        """Say in a few sentences how the methods compare with SciPy's ground truth."""
        from matfun.lab.report import verdict

        return "\n".join(verdict(self))

    def plot(self, ax: Any = None, *, matrices: Sequence[str] | None = None) -> Any:
        """Draw the convergence curves.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Draw the first of the matrices there; by default a new figure with up to four matrices.
        matrices : sequence of str, optional
            Which; by default spread over the condition numbers.

        Returns
        -------
        matplotlib Figure
        """
        from matfun.lab.plots import convergence

        return convergence(self, ax, matrices=matrices)

    def to_json(self) -> str:
        """Return everything as strict JSON; null stands for a number that is infinite or not a number."""
        document = {
            "format": 1,
            "environment": self.environment,
            "rows": [asdict(row) | {"within": row.within} for row in self.rows],
            "references": [asdict(row) | {"within": row.within} for row in self.references],
        }
        return json.dumps(finite(document), indent=1, allow_nan=False)

    def __repr__(self) -> str:
        return self.table()


def finite(value: Any) -> Any:
    """Replace numbers that JSON cannot hold by None, at any depth."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def compare(
    A: Any,
    methods: Any = None,
    *,
    tol: float | None = None,
    steps: int | None = None,
    backend: Any = None,
    rng: Any = 0,
    repeats: int = 3,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Run methods on matrices, and measure steps, products, time and errors.

    Parameters
    ----------
    A : array_like, shape (..., m, n), or dict or list of them
        Of any library; leading dimensions are a stack, which is run at once.
    methods : sequence of str or Rule, optional
        Names and rule objects; by default ``matfun.methods("polar")``.
    tol, steps
        As for ``matfun.polar``.  Where neither is given, methods that do not converge run 5 steps.
    backend : str or Ops, optional
        As for ``matfun.polar``.
    rng : numpy.random.Generator, seed or None
        Every run gets the same seed.
    repeats : int
        Timed calls per method and matrix, after a first one that is not timed.
    progress : callable, optional
        Called as ``progress(done, total, matrix)`` before every matrix and at the end.

    Returns
    -------
    Comparison
        Printing it gives a table; see also ``verdict()``, ``plot()`` and ``to_json()``.

    Raises
    ------
    ValueError, TypeError
        As ``matfun.polar`` for bad input, naming the matrix.

    Notes
    -----
    A method that fails is a row with its status, never an exception.  The truth is LAPACK's SVD in float64.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> found = matfun.compare(np.array([[2.0, 1.0], [0.0, 1.0]]), ["svd", "newton-schulz"])
    >>> [(row.method, row.status, row.within) for row in found.rows]
    [('svd', 'CONVERGED', True), ('newton-schulz', 'CONVERGED', True)]
    """
    from matfun.lab.asked import converges, named_matrices, named_methods
    from matfun.lab.environment import environment
    from matfun.lab.measure import Request, Subject

    if isinstance(repeats, bool) or not isinstance(repeats, (int, np.integer)) or repeats < 1:
        raise ValueError(f"repeats: expected a positive integer, got {repeats!r}")
    seed = int(rng if isinstance(rng, (int, np.integer)) else np.random.default_rng(rng).integers(2**32))
    requests = []
    for label, method in named_methods(methods).items():
        customary = tol is None and steps is None and not converges(method)
        count = CUSTOMARY_STEPS if customary else steps
        requests.append(Request(label, method, tol, count, backend, seed, int(repeats), customary))
    matrices = named_matrices(A)
    rows: list[Row] = []
    references: list[Row] = []
    for done, (name, matrix) in enumerate(matrices.items()):
        if progress is not None:
            progress(done, len(matrices), name)
        try:
            subject = Subject.of(name, matrix)
            rows += [subject.row(request) for request in requests]
        except (TypeError, ValueError) as error:
            if len(matrices) == 1:
                raise
            raise type(error)(f"{error} (matrix {name!r})") from error
        references.append(subject.reference(tol, int(repeats)))
    if progress is not None:
        progress(len(matrices), len(matrices), "")
    how = {"time": TIMED, "repeats": int(repeats), "seed": seed}
    return Comparison(tuple(rows), tuple(references), environment() | how)
