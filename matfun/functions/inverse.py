"""``matfun.invm``: the inverse with a statement of how good it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.certificate import Kind
from matfun.functions.condition import relative, two_norm
from matfun.functions.square import solve
from matfun.functions.square_function import Measured, Options, Setting, SquareFunction, Started
from matfun.ops import Array, Ops
from matfun.problems.inverse import InverseProblem, InverseState
from matfun.rules.rule import Rule


class Inverse(SquareFunction):
    """A^-1 from X = A^H / (||A||_1 ||A||_inf), or from ``initial``."""

    name = "invm"
    problem = "inv"
    needs_definite = False
    powers = (-1.0,)
    warm_power = -1.0

    def start(self, setting: Setting) -> Started:
        """Return the problem and its first state."""
        ops, A = setting.ops, setting.A
        size = ops.positive_or_one(ops.norm_one(A)) * ops.positive_or_one(ops.norm_inf(A))
        X = ops.scale(ops.adjoint(A), 1 / size)  # ||I - A X||_2 < 1 for every invertible A (Ben-Israel and Cohen 1966)
        initial, good = self.warm_start(setting, commuting=False)
        if initial is not None:
            X = ops.select(good, initial, X)
        # the eigenvalues of A X are the squares of the singular values of A
        least = ops.eps(A.dtype) ** 2 / 4
        return Started(InverseProblem(ops, setting.rng, A=A), InverseState(X), None, good, least=least)

    def values(self, started: Started, state: Any) -> tuple[Array, ...]:  # noqa: ARG002
        """All values, of which ``returned`` are what the caller gets."""
        return (state.X,)

    def measure(self, setting: Setting, values: tuple[Array, ...], W: Array, rng: np.random.Generator) -> Measured:
        """Errors of the values, recomputed from A."""
        ops, A, (X,) = setting.ops, setting.A, values
        E = ops.matmul(A, ops.matmul(X, W)) - W
        size = ops.plain_norm_fro(X)
        norm = two_norm(ops, X, rng)
        return Measured(
            ops.plain_norm_fro(E) / ops.positive_or_one(ops.plain_norm_fro(A) * size),
            ops.as_host(ops.plain_norm_fro(ops.solve(A, E)) / ops.positive_or_one(size)),  # X = A^-1 (I + E)
            relative(ops, norm * norm, A, X),
            distance=ops.as_host(1 / ops.positive_or_one(norm * two_norm(ops, A, rng))),
        )


def invm(
    A: Any,
    method: str | Rule = "auto",
    *,
    tol: float | None = None,
    steps: int | None = None,
    hermitian: bool | None = None,
    ridge: float = 0.0,
    pinv: float | None = None,
    initial: Any = None,
    rng: Any = None,
    on_failure: str = "raise",
    check_finite: bool = True,
    certificate: Kind = "probes",
    max_steps: int = 250,
    full_output: bool = False,
    backend: str | Ops | None = None,
) -> Any:
    r"""Inverse of a square matrix.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Real or complex, of any library that follows the array API; leading dimensions are a stack.  Never modified.
    method : str or Rule
        A name from ``matfun.methods("inv")``, a rule object, or ``"auto"``.
    tol : float, optional
        Bound on $\|I - A X\|_F$.  Default: as accurate as the dtype allows.
    steps : int, optional
        Exactly so many steps, no checks and no host synchronisation; status ``UNCHECKED``.  Not together with ``tol``.
    hermitian : bool, optional
        Whether A is Hermitian, so that the result is made Hermitian to the last bit.  Default: looked at; under
        ``steps``, False.
    ridge : float
        Added to the diagonal, relative to the largest modulus of an eigenvalue (Hermitian A).
    pinv : float, optional
        Treat eigenvalues below this, relative to the largest, as zeros that stay zero (Hermitian A): the
        pseudo-inverse, by eigenvalues.
    initial : array, shape (..., n, n), optional
        Warm start.  Taken for those matrices for which $\|I - A X_0\|_F < 1$; the others start as usual
        (``info.warm_start``).
    rng : numpy.random.Generator, seed or None
        Source of sketches and probes (SPEC 7), drawn on the host so that every library sees the same numbers.
    on_failure : {"raise", "warn", "fallback"}
        Raise ``ConvergenceError`` (which carries the best result), warn and return it, or compute the failed members by
        LU.
    check_finite : bool
        Refuse NaN and infinity.  If False, such matrices of a stack come back as NaN with ``Status.NOT_FINITE``, which
        counts as a failure.
    certificate : {"probes", "exact"}
        Estimate the final errors with a few random vectors, or compute them.
    max_steps : int
        Limit for accuracy-driven runs.
    full_output : bool
        Return ``(X, info)``.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    X : array, shape (..., n, n)
        Of A's library, dtype and device.
    info : Info
        Only with ``full_output``; with ``condition`` and ``forward_error``.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.
    ConvergenceError
        With ``on_failure="raise"``, for a singular matrix for example.

    Notes
    -----
    A hyperpower step of order q + 1 costs 2 products and those of a polynomial of degree q; LU 2 n^3 flops.

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms (2002), ch. 14; Ben-Israel and Greville (2003), ch. 7.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> V = matfun.invm(np.array([[2.0, 1.0], [1.0, 1.0]]), method="newton-schulz")
    >>> np.round(V, 12) + 0.0
    array([[ 1., -1.],
           [-1.,  2.]])
    """
    options = Options(
        method,
        tol,
        steps,
        hermitian,
        ridge,
        pinv,
        initial,
        rng,
        on_failure,
        check_finite,
        certificate,
        max_steps,
        backend,
    )
    (X,), info = solve(Inverse(), A, options)
    return (X, info) if full_output else X
