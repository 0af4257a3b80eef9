"""``matfun.estimate_spectrum``: the density of the squared singular values, by stochastic Lanczos quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np

from matfun.functions.gram_operator import gram_operator
from matfun.functions.inputs import check_count, check_matrix, check_rng, finite_members
from matfun.ops import Ops
from matfun.polynomials.measure import SpectralMeasure
from matfun.sketching.lanczos import lanczos

LARGEST_SHIFT = 960
"""Exponent up to which squares of singular values are far from over- and underflow in double precision."""


def estimate_spectrum(
    A: Any, *, probes: int = 8, products: int = 16, rng: Any = None, backend: str | Ops | None = None
) -> SpectralMeasure:
    r"""Estimate the spectrum of $A^H A$ as a measure of a few points.

    Parameters
    ----------
    A : array_like, shape (m, n)
        Real or complex; of a wide matrix the smaller Gram matrix is taken.  Never modified.
    probes : int
        Random start vectors, whose measures are averaged.
    products : int
        Of the Gram matrix with all probes: the points of each probe.
    rng : numpy.random.Generator, seed or None
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    SpectralMeasure
        Of the squared singular values, in the units of A, with total weight 1: what ``matfun.design_on_spectrum`` takes
        once divided by the square of an upper bound.

    Raises
    ------
    ValueError, TypeError
        For bad input, naming the argument.

    Notes
    -----
    2 ``products`` thin products; waits for the device.  $n \sum_i w_i f(y_i)$ estimates $\operatorname{tr} f(A^H A)$:
    for each probe exactly its quadratic form for polynomials f of degree 2 ``products`` - 1, over the probes with the
    variance of Hutchinson's estimate.

    References
    ----------
    Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38(4), 2017.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> A = np.diag(np.linspace(1.0, 3.0, 200))
    >>> seen = matfun.estimate_spectrum(A, rng=0)
    >>> log_det = 200 * sum(w * np.log(y) for y, w in zip(seen.nodes, seen.weights))
    >>> bool(abs(log_det / np.linalg.slogdet(A.T @ A)[1] - 1) < 0.05)
    True
    """
    check_count("probes", probes, least=1)
    check_count("products", products, least=1)
    check_rng(rng)
    given = check_matrix(A, backend)
    ops = given.ops
    if given.A.ndim != 2 or 0 in given.A.shape:
        raise ValueError(f"A: expected one matrix with at least one element, got shape {tuple(given.A.shape)}")
    finite_members(ops, given.A, required=True)
    multiply, X, exponent = gram_operator(given)
    shift = 2 * float(ops.as_host(exponent))
    if abs(shift) > LARGEST_SHIFT:
        raise ValueError(
            f"A: expected elements whose squares are floating-point numbers, got some around 2^{shift / 2:.0f}"
        )
    runs = lanczos(ops, multiply, ops.normal(rng, (X.shape[1], probes), X), products)
    scale = 2.0**shift
    alphas = np.asarray([ops.as_host(a) for a in runs.alphas], dtype=np.float64).T * scale
    betas = np.asarray([ops.as_host(b) for b in runs.betas], dtype=np.float64).T[:, :-1] * scale
    return SpectralMeasure.from_lanczos(list(alphas), list(betas))
