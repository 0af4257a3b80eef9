"""``matfun.design_on_spectrum``: polynomials fitted to the singular values that are there, not to an interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.inputs import check_choice, check_count
from matfun.polynomials.certificate import exact_sup_error
from matfun.polynomials.fit import fit_least_squares, fit_minimax
from matfun.polynomials.measure import SpectralMeasure
from matfun.rules.schedule import Schedule

CRITERIA = {"minimax": fit_minimax, "least-squares": fit_least_squares}


def design_on_spectrum(
    spectrum: Any, degree: int = 5, steps: int = 1, *, criterion: str = "minimax", p: int = 2
) -> Schedule:
    r"""Fit each polynomial to where the spectrum is before its step.

    Parameters
    ----------
    spectrum : SpectralMeasure or array_like, shape (k,)
        Singular values of the scaled matrix (for other p than 2, p-th roots of the eigenvalues of M); as a measure also
        a histogram, Chebyshev moments, or what stochastic Lanczos quadrature found.
    degree : int
        Odd, 2 q + 1 for h of degree q.
    steps : int
        At least 1.
    criterion : {"minimax", "least-squares"}
        Whether the largest error over the points is minimised in each step, or the weighted sum of squares.
    p : int
        At least 1.

    Returns
    -------
    Schedule
        ``attained`` is $\max |1 - x|$ over the points after all steps; ``error`` is the supremum over the interval
        between the smallest positive and the largest one, which a gap in the spectrum can make much larger.

    Raises
    ------
    ValueError, TypeError
        For bad arguments, naming them.

    Notes
    -----
    Best in every step; that the composition is best is not proved, and false for points with gaps between them.
    Zeros cannot be moved and do not count.

    References
    ----------
    Cheney, Introduction to Approximation Theory (1966), ch. 2 and 3, for discrete approximation.

    Examples
    --------
    >>> import matfun
    >>> plan = matfun.design_on_spectrum([0.1, 0.11, 0.9, 1.0], degree=5, steps=2)
    >>> plan.attained < 1e-3 < plan.error
    True
    """
    check_count("steps", steps, least=1)
    check_count("p", p, least=1)
    check_choice("criterion", criterion, tuple(CRITERIA))
    measure = spectrum if isinstance(spectrum, SpectralMeasure) else SpectralMeasure.from_spectrum(spectrum, p)
    nodes = measure.nodes
    points = np.asarray([y for y in nodes if y > 0])
    if points.size == 0:
        raise ValueError("spectrum: expected at least one positive value, got zeros alone")
    sigmas = points ** (1 / p)
    ends = (float(sigmas.min()), float(sigmas.max()))
    coefficients = []
    try:
        with np.errstate(over="raise", under="ignore", invalid="raise"):
            for _ in range(steps):
                h = CRITERIA[criterion](measure, degree, p).polynomial
                coefficients.append(h.in_basis("gram").coefficients)
                y = np.asarray(measure.nodes)
                measure = SpectralMeasure(tuple(map(float, y * np.abs(h(1 - y)) ** p)), measure.weights)
            attained = max(abs(1 - y ** (1 / p)) for y in measure.nodes if y > 0 or 0 not in nodes)
            error = exact_sup_error(coefficients, *ends, p)
    except ArithmeticError as problem:
        raise ValueError(
            f"spectrum: expected one that {steps} steps of degree {degree} can carry, got {problem}"
        ) from None
    return Schedule(tuple(coefficients), ends, error, p, name="design-on-spectrum", attained=attained)
