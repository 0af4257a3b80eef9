"""What ``method="auto"`` takes: the cheapest accurate method by the cost model, from what is known of the spectrum.

On a CPU the candidates for the polar factor are the SVD and Polar Express told its lower bound, which is estimated
where it could decide the matter; for functions of Hermitian matrices the eigendecomposition has no rival at the sizes
measured; for general ones Newton's iteration is weighed against the Schur method; the inverse is LU.  Where products
are much cheaper per flop than factorisations (a GPU, not measured), and for 16-bit matrices, which have none, it is
products throughout.  benchmarks/results/auto.json says how near to the best this comes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions import costs
from matfun.functions.inputs import Input
from matfun.ops import Array, Ops
from matfun.rules.polar_express import PolarExpress
from matfun.sketching.lanczos import lanczos

BEST_LOWER = 0.25
"""A lower bound that no estimate of a matrix exceeds by much: if products lose even with it, none is sought."""

SMALLEST_LOWER = 1e-6
"""Below it the Gram matrix is numerically singular in double precision, and the SVD wins at every size measured."""

WORTH_A_LOOK = 0.75
"""The estimate is made only where products could take less than this part of the time of the SVD: where they could save
less, the estimate itself, wasted on ill-conditioned matrices, would cost more than it gains."""

PROBES = 8

GLANCES = 8
"""Lanczos steps of a first look, which takes products with vectors only."""

LEAST_RITZ_RATIO = 1 / 64
"""Below it products are given up without an estimate.  After 8 steps square Gaussian matrices are below it, log-spaced
singular values of condition number 10 above, of 20 below (tests/test_auto.py)."""

GLANCE_SEED = 8
"""Any but one that callers are likely to have made their matrix with."""

NEWTON_STEPS = 8
"""Of scaled Newton for condition numbers about 1e8 (theory/newton.py: 5 to 9 from 10 to 1e16)."""


def choose_polar(given: Input, method: Any, steps: int | None) -> Any:
    """Rule, or its name, that ``auto`` stands for; any other method as it is.

    "auto" again where ``choose_by_cost`` is to tell.

    Parameters
    ----------
    given : Input
    method : str or Rule
    steps : int, optional
        A fixed number of steps asks for an iteration: Polar Express has the smallest error for it.  In 16 bits its
        default bound, the unit roundoff, is near.
    """
    if not (isinstance(method, str) and method == "auto"):
        return method
    ops, A = given.ops, given.A
    if steps is not None or given.traced or ops.is_16bit(A.dtype):
        return "polar-express"
    if ops.prefers_products(A):
        return "window"
    if 0 in A.shape or ops.library == "mpmath":
        return "svd"
    return "auto"


def choose_by_cost(ops: Ops, X: Array, tol: float | None) -> str | PolarExpress:
    """SVD or Polar Express, whichever is to be cheaper for this matrix; waits for the device.

    Parameters
    ----------
    ops : Ops
    X : array, shape (..., m, n)
        What would be iterated on, m >= n: of a tall matrix its square factor.
    tol : float, optional
    """
    residual = tol or ops.eps(X.dtype) ** 0.5
    factorised = costs.polar_by_svd(ops, X)
    at_best = costs.polar_by_products(ops, X, BEST_LOWER, residual) + costs.bound(ops, X)
    if at_best >= WORTH_A_LOOK * factorised or ritz_ratio(ops, X) < LEAST_RITZ_RATIO:
        return "svd"
    lower = smallest_singular_value_estimate(ops, X)
    if lower is None or costs.polar_by_products(ops, X, lower, residual) >= factorised:
        return "svd"
    return PolarExpress(lower=lower)


def ritz_ratio(ops: Ops, A: Array) -> float:
    """Smallest over largest Ritz value of A^H A, least of the stack: no less than the ratio of its eigenvalues.

    Waits for the device.  ``2 GLANCES`` products with a vector.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., m, n), m >= n
    """
    alphas, betas = ops.compiled(_run_lanczos, (ops,), A)
    a, b = (np.moveaxis(ops.as_host(x)[..., 0].astype(np.float64), 0, -1) for x in (alphas, betas))
    T = np.zeros((*a.shape, a.shape[-1]))
    k = np.arange(a.shape[-1])
    T[..., k, k], T[..., k[1:], k[:-1]] = a, b[..., :-1]
    if not np.isfinite(T).all():
        return 0.0
    values = np.linalg.eigvalsh(T)
    return float(np.min(values[..., 0] / np.maximum(values[..., -1], np.finfo(np.float64).tiny)))


def _run_lanczos(ops: Ops, A: Array) -> tuple[Array, Array]:
    with ops.quiet():
        norm = ops.known_norm(A)
        X, _ = ops.prescale(A, norm)
        adjoint, n, divisor = ops.adjoint(X), X.shape[-1], ops.divisor(X, norm if X is A else None)

        def multiply(V: Array) -> Array:  # X^H X of norm 1 at most: lanczos knows absolutely small numbers
            return ops.scale(ops.matmul(adjoint, ops.matmul(X, V)), divisor**-2)

        Z = ops.xp.broadcast_to(ops.normal(GLANCE_SEED, (n, 1), X), (*X.shape[:-2], n, 1))
        runs = lanczos(ops, multiply, Z, GLANCES)
    return ops.xp.stack(runs.alphas), ops.xp.stack(runs.betas)


def smallest_singular_value_estimate(ops: Ops, A: Array) -> float | None:
    """Smallest over largest singular value, least of the stack, a power of two; None where it is very small.

    Polar Express loses a step to a bound that is too large, and to one that is too small, and nothing else.

    ||L^-1 Z||_F for a few Gaussian vectors Z and the Cholesky factor L of the Gram matrix estimates
    ||L^-1||_F >= 1 / sigma_min; a third of the flops of the Gram matrix.  Waits for the device.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., m, n), m >= n
    """
    with ops.quiet():
        X, _ = ops.prescale(A)
        gram = ops.gram(X)
        n = gram.shape[-1]
        Z = ops.xp.broadcast_to(ops.normal(0, (n, PROBES), gram), (*gram.shape[:-2], n, PROBES))
        largest = ops.plain_norm_fro(ops.solve_triangular(ops.cholesky(gram), Z)) * PROBES**-0.5
        ratio = ops.as_host(1 / (largest * ops.plain_norm_fro(gram) ** 0.5)).astype(np.float64)
    if not np.all(np.isfinite(ratio)) or np.min(ratio) <= 0:
        return None
    lower = min(1.0, float(np.min(ratio)))
    smallest = max(SMALLEST_LOWER, 4 * float(ops.eps(A.dtype)) ** 0.5)
    return None if lower < smallest else float(2.0 ** np.ceil(np.log2(lower)))


def choose_square(function: Any, given: Input, options: Any, *, hermitian: bool) -> Any:
    """Name of the rule that ``auto`` stands for; any other method as it is.

    Parameters
    ----------
    function : SquareFunction
    given : Input
    options : Options
    hermitian : bool
    """
    method = options.method
    if not (isinstance(method, str) and method == "auto"):
        return method
    ops, A = given.ops, given.A
    if function.problem == "inv":
        return "lu" if options.steps is None else "newton-schulz"
    if options.steps is not None:
        if function.problem == "invroot":
            return "newton-schulz"
        return "polar-express" if hermitian else "newton"
    if hermitian:
        return "eigh"
    if function.problem == "invroot" or 0 in A.shape:
        return "schur"
    products = 3 if function.problem == "sqrt" else 1
    by_newton = costs.general_by_newton(ops, A, NEWTON_STEPS, products)
    return "newton" if by_newton < costs.seconds(ops, A, "schur", A.shape[-1]) else "schur"
