"""``matfun.hermitian_function``: f(A) of Hermitian A by a Chebyshev series, in products alone.

Source: the series and its evaluation in polynomials/chebyshev.py; the bounds of the spectrum are Gershgorin's and
those from tr A and tr A^2 of Wolkowicz and Styan, Linear Algebra Appl. 29 (1980).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import frexp, sqrt
from typing import Any

import numpy as np

from matfun.functions.inputs import Input, check_matrix, finite_members
from matfun.functions.square_scaling import hermitian_part
from matfun.ops import Array, Ops
from matfun.polynomials.chebyshev import ChebyshevSeries, chebyshev

NOT_ROUNDING = 64.0
"""A matrix that differs from its adjoint by more than this times n roundings of its norm was not meant as Hermitian."""

SAFE_EXPONENT = 120
"""2^-120 to 2^120 are normal numbers of float32 with room to spare."""


def hermitian_function(
    A: Any,
    f: Callable[[float], float] | ChebyshevSeries,
    lower: float | None = None,
    upper: float | None = None,
    *,
    degree: int | None = None,
    tol: float | None = None,
    backend: str | Ops | None = None,
    full_output: bool = False,
) -> Any:
    r"""f(A) of a Hermitian matrix, by Chebyshev interpolation of f on an interval that contains the spectrum.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Hermitian; of any library that follows the array API; leading dimensions are a stack, which shares one series.
        Never modified.
    f : callable or ChebyshevSeries
        Real function of a float, or a series made before (``matfun.chebyshev``), used on its own interval.
    lower, upper : float, optional
        Bounds of the spectrum.  Taken as they are: outside of them the series grows like
        $\cosh(\mathrm{degree} \cdot \operatorname{arccosh} |t|)$.  A missing one is bounded on the safe side, by
        Gershgorin's discs and by tr A and $\|A\|_F$, which waits for the device; f has to be smooth up to there.
    degree : int, optional
        Of the interpolant.  Default: as high as ``tol`` needs.
    tol : float, optional
        Allowed error of the series relative to the largest |f| on the interval.  Default: the rounding of A's dtype.
    backend : str or Ops, optional
        Provider other than that of A's own library.
    full_output : bool
        Return ``(F, series)``.

    Returns
    -------
    F : array, shape (..., n, n)
        Of A's library, dtype and device, Hermitian to the last bit.
    series : ChebyshevSeries
        Only with ``full_output``; with ``degree``, ``products``, ``error`` and ``observed``.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.

    Notes
    -----
    ``series.products`` products of two n x n matrices, about $2 \sqrt{\mathrm{degree}}$.  With both bounds or a series
    given nothing waits for the device, nothing about A is checked, and the call can be traced by ``jax.jit``.
    $\|f(A) - F\|_2$ is the error of the series on the spectrum plus rounding, which is relative to the largest
    |f| on the interval and not to f(A): an interval that is much wider than the spectrum costs digits too.
    Of a 16-bit A the function is computed in float32.

    References
    ----------
    Trefethen, Approximation Theory and Approximation Practice (2013).  Higham, Functions of Matrices (2008), ch. 4.

    Examples
    --------
    >>> import numpy as np, math
    >>> F, series = hermitian_function(np.array([[0.0, 1.0], [1.0, 0.0]]), math.exp, -1, 1, full_output=True)
    >>> bool(abs(F[0, 1] - math.sinh(1)) < 1e-15), series.degree, series.products
    (True, 13, 6)
    """
    given = check_matrix(A, backend)
    ops, shape = given.ops, tuple(given.A.shape)
    if shape[-1] != shape[-2]:
        raise ValueError(f"A: expected square matrices (..., n, n), got shape {shape}")
    if ops.library == "mpmath":
        raise TypeError("A: expected an array of floats for hermitian_function, got an object array of numbers")
    given = replace(given, A=ops.widen(given.A))
    series = _series(given, f, lower, upper, degree, tol)
    F = given.restore(ops.scale(given.A, 1.0) if 0 in shape else evaluate(ops, series, given.A))
    return (F, series) if full_output else F


def _series(given: Input, f: Any, lower: Any, upper: Any, degree: int | None, tol: float | None) -> ChebyshevSeries:
    if isinstance(f, ChebyshevSeries):
        if degree is not None or tol is not None:
            raise ValueError(
                f"degree, tol: expected None with a ChebyshevSeries, which has its own degree (see economise), got "
                f"degree={degree!r} and tol={tol!r}"
            )
        for name, value, own in (("lower", lower, f.lower), ("upper", upper, f.upper)):
            if value is not None and value != own:
                raise ValueError(f"{name}: expected None or that of the ChebyshevSeries, {own}, got {value!r}")
        return f
    if not callable(f):
        raise TypeError(f"f: expected a function of a float or a ChebyshevSeries, got {type(f).__name__}")
    if (
        tol is None and degree is None and given.ops.eps(given.A.dtype) > 1e-10
    ):  # the float64 default is chebyshev's own
        tol = given.ops.eps(given.A.dtype)
    if lower is not None and upper is not None:
        return chebyshev(f, lower, upper, degree, tol)
    low, high = (0.0, 0.0) if 0 in given.A.shape else spectrum_bounds(given)
    low, high = low if lower is None else lower, high if upper is None else upper
    if low > high:
        raise ValueError(f"lower, upper: expected bounds of the spectrum, which lies in [{low}, {high}]")
    try:
        return chebyshev(f, low, high, degree, tol)
    except ValueError as error:
        if not str(error).startswith("f:"):
            raise
        raise ValueError(
            f"{error}; [{low:.6g}, {high:.6g}] is a safe interval, give lower= and upper= if you know a narrower one"
        ) from error


def spectrum_bounds(given: Input) -> tuple[float, float]:
    r"""Bounds of the eigenvalues of all matrices of a stack, never inside of them; waits for the device.

    The narrower of Gershgorin's discs and, with $m = \operatorname{tr} A / n$, of $m \pm \|A - m I\|_F \sqrt{(n-1)/n}$;
    widened by 4 n roundings of the larger bound.

    Parameters
    ----------
    given : Input
        Not empty.

    Raises
    ------
    ValueError
        For traced or lazy arrays, matrices that are not Hermitian, NaN and infinity.
    """
    ops, A, n = given.ops, given.A, given.A.shape[-1]
    if given.traced:
        raise ValueError(
            "lower, upper: expected two numbers, because the values of a traced or lazy array are not known while "
            "Python runs; got at least one None"
        )
    finite_members(ops, A, required=True)
    rounding = 4 * n * ops.eps(A.dtype)
    skew = np.asarray(ops.as_host(ops.norm_fro(A - ops.adjoint(A))), dtype=float)
    size = np.asarray(ops.as_host(ops.norm_fro(A)), dtype=float)
    if (skew > NOT_ROUNDING / 4 * rounding * size).any():
        worst = float((skew / np.where(size > 0, size, 1)).max())
        raise ValueError(f"A: expected Hermitian matrices, got ||A - A^H||_F = {worst:.3g} ||A||_F")
    A = hermitian_part(ops, A)
    diagonal = ops.xp.linalg.diagonal(A)
    real = ops.xp.real(diagonal) if ops.is_complex(A) else diagonal
    radius = ops.xp.sum(ops.xp.abs(A), axis=-1) - ops.xp.abs(diagonal)
    mean = ops.xp.mean(real, axis=-1)
    spread = ops.norm_fro(ops.add_diagonal(A, -mean)) * sqrt((n - 1) / n)
    lower = ops.xp.maximum(ops.xp.min(real - radius, axis=-1), mean - spread)
    upper = ops.xp.minimum(ops.xp.max(real + radius, axis=-1), mean + spread)
    low = float(np.asarray(ops.as_host(lower), dtype=float).min())
    high = float(np.asarray(ops.as_host(upper), dtype=float).max())
    margin = rounding * max(abs(low), abs(high))
    return low - margin, high + margin


def evaluate(ops: Ops, series: ChebyshevSeries, A: Array) -> Array:
    """p(A) in ``series.products`` products; waits for nothing.

    Parameters
    ----------
    ops : Ops
    series : ChebyshevSeries
    A : array, shape (..., n, n)
        Hermitian.
    """
    one = ops.xp.broadcast_to(ops.eye(A.shape[-1], A.shape[-1], A), A.shape)
    if series.degree == 0:
        return ops.scale(one, series.coefficients[0])
    s = series.block
    t = ops.add_diagonal(hermitian_part(ops, A), -series.middle)
    mantissa, exponent = frexp(series.half)
    if abs(exponent) > SAFE_EXPONENT:  # in two steps, because 1/half itself may not be representable
        t = ops.scale(t, 2.0 ** -(exponent // 2))
        exponent -= exponent // 2
    T = [one, ops.scale(t, 2.0**-exponent / mantissa)]
    for j in range(2, s + 1):
        a, b = T[j // 2], T[j - j // 2]
        if j % 2 == 0:
            T.append(ops.add_diagonal(ops.scale(ops.square(a), 2.0), -1.0))
        else:
            T.append(ops.scale(ops.symm_matmul(a, b), 2.0) - T[1])
    rows = series.blocks(s)
    # Clenshaw in T_s: B_k = D_k + 2 T_s B_(k+1) - B_(k+2), and D_0 + T_s B_1 - B_2
    lead = rows[-1]
    after: Array | None = None
    B = _combination(ops, T, lead)
    for k in range(len(rows) - 2, -1, -1):
        twice = 2.0 if k else 1.0
        if after is None and len(lead) == 1:
            step = ops.scale(T[s], twice * lead[0])
        else:
            step = ops.scale(ops.symm_matmul(T[s], B), twice)
        step = step + _combination(ops, T, rows[k])
        B, after = step if after is None else step - after, B
    return ops.hermitian_part(B)


def _combination(ops: Ops, T: list[Array], row: list[float]) -> Array:
    """Sum of row[j] T_j."""
    total = ops.scale(T[0], row[0])
    for c, term in zip(row[1:], T[1:], strict=False):
        if c != 0:
            total = total + ops.scale(term, c)
    return total
