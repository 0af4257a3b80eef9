"""``matfun.orthogonalize``: the unitary factor alone, fast, and never waiting for the device."""

from __future__ import annotations

from typing import Any

from matfun.functions.choose import choose_polar
from matfun.functions.fixed import FixedSteps, run_fixed
from matfun.functions.form import Form
from matfun.functions.inputs import Input, check_choice, check_count, check_matrix, check_rng
from matfun.functions.steps_spread import orthogonalize_spread
from matfun.functions.unitary import Start
from matfun.ops import Array, Ops
from matfun.polynomials.update import Polynomial, Update
from matfun.result import Info, Status
from matfun.rules.rule import Rule, rule_for


def orthogonalize(
    A: Any,
    method: str | Rule = "polar-express",
    steps: int = 5,
    *,
    form: Form = "auto",
    rng: Any = None,
    full_output: bool = False,
    backend: str | Ops | None = None,
) -> Any:
    """Approximate the unitary polar factor of A in a fixed number of steps.

    What an optimizer wants: nothing is checked, nothing waits for the device, any scale is right, zero in gives
    zero out, and null directions may stay null.  Traceable by ``jax.jit`` and ``torch.compile``.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        As for ``matfun.polar``.  Never modified.  A Dask array is read once for each Gram matrix, in the call.
    method : str or Rule
        A name from ``matfun.methods("polar")`` or a rule object.
    steps : int
        At least 0.
    form : {"auto", "standard", "gram"}
        Where the sides differ by a factor of 1.5 or more, polynomial rules may iterate on the Gram matrix of the small
        side and touch A a few times only.  ``"auto"`` does so where it costs less, on sides of at least 128, and a
        simulation of the rounding errors allows it (docs/speed.md); ``"gram"`` asks for it whatever the sizes.
    rng : numpy.random.Generator, seed or None
        Source of the sketch, for rules that have one; under ``jax.jit`` the draw becomes a constant of the trace.
    full_output : bool
        Return ``(X, info)``.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    X : array, shape (..., m, n)
        Of A's library, dtype and device.
    info : Info
        Only with ``full_output``; status ``UNCHECKED``.

    Raises
    ------
    ValueError, TypeError
        For bad input, and for ``form="gram"`` where the rule has no polynomials that are known in advance or the dtype
        is too coarse for it.

    Notes
    -----
    ``steps`` times the products of a step of the method, 3 for the quintics: two of them with the large side in the
    standard form; in the Gram form two with the large side for a block of several steps, and up to four with the small
    side for each of them (docs/speed.md).  Of a stack so many matrices are worked on at a time as fit the cache of a
    CPU; each is treated as it would be alone.

    References
    ----------
    Amsel, Persson, Musco, Gower, The Polar Express, arXiv 2505.16932; for the Gram form, Gram Newton-Schulz (Dao AI
    Lab, 2026).

    Examples
    --------
    >>> import numpy as np, matfun
    >>> X = matfun.orthogonalize(np.array([[3e20, 0.0], [0.0, 1e20]]), steps=8)
    >>> bool(abs(X - np.eye(2)).max() < 1e-12)
    True
    """
    check_count("steps", steps, least=0)
    check_choice("form", form, ("auto", "standard", "gram"))
    check_rng(rng)
    given = check_matrix(A, backend, spread=True)
    spread = given.ops.spread(given.A)
    if spread is not None:

        def in_one_place(A: Any, rng: Any) -> tuple[Any, Info]:
            found: tuple[Any, Info] = orthogonalize(A, method, steps, form=form, rng=rng, full_output=True)
            return found

        X, info = orthogonalize_spread(given, spread, in_one_place, method, steps, form, rng)
        return (X, info) if full_output else X
    name, rule = rule_for(choose_polar(given, method, steps), "polar")
    ops = given.ops
    if given.A.shape[-1] == 0 or given.A.shape[-2] == 0 or 0 in given.A.shape[:-2]:
        X = ops.scale(given.A, 1.0)
        info = Info(Status.UNCHECKED, name, ops.name, 0, 0, 0)
        return (given.restore(X), info) if full_output else given.restore(X)
    (X,), known = run_fixed(
        given, FixedSteps(name, rule, steps, _finish, form, scaled_too=False, with_info=full_output), rng
    )
    return (X, known) if full_output else X


def _finish(given: Input, _: Start, X: Array, updates: tuple[Update, ...]) -> tuple[Array]:
    """Give zero for zero."""
    ops = given.ops
    if not all(isinstance(h, Polynomial) for h in updates):  # an SVD completes even the zero matrix, Newton inverts it
        X = ops.select(ops.is_zero(given.A), ops.xp.zeros_like(X), X)
    return (given.restore(X),)
