"""``matfun.sketch``: a matrix multiplied from the left by a random one with fewer rows."""

from __future__ import annotations

from typing import Any

from matfun.functions.inputs import check_matrix
from matfun.ops import Ops
from matfun.sketching.checks import check_integer
from matfun.sketching.distributions import Distribution


def sketch(A: Any, distribution: Distribution, size: int, *, rng: Any = None, backend: str | Ops | None = None) -> Any:
    r"""S A for a random S with $E[S^H S] = I$, which is formed only where it is dense.

    Parameters
    ----------
    A : array_like, shape (..., n, k)
        Of any library that follows the array API; leading dimensions are a stack, all of which see the same S.  Never
        modified.
    distribution : Gaussian, Rademacher, SparseSign, Srht or RowSampling
        From ``matfun.sketching``.  Its method ``size_for`` is the theorem that says how many rows are enough.
    size : int
        Rows of S.
    rng : numpy.random.Generator, seed or None
        The same seed gives the same S for every library and dtype.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    array, shape (..., size, k)
        Of A's library, dtype and device.

    Raises
    ------
    ValueError, TypeError
        For bad input; the message names the argument, what was expected and what came.

    Notes
    -----
    Multiplications and additions for each column of A: 2 size n for ``Gaussian`` and ``Rademacher``, 2 nonzeros n for
    ``SparseSign`` (2 size n where a library cannot add to given rows), O(n log n) for ``Srht``, none but the scale for
    ``RowSampling``.  Waits for nothing.  16-bit matrices are added up in float32.

    References
    ----------
    Martinsson and Tropp, Randomized numerical linear algebra, Acta Numerica 29 (2020), sec. 8 and 9.

    Examples
    --------
    >>> import numpy as np
    >>> from matfun.sketching import Gaussian
    >>> A = np.random.default_rng(0).standard_normal((2000, 5))
    >>> gaussian = Gaussian()
    >>> size = gaussian.size_for(5, distortion=0.25, failure=1e-6)
    >>> B = sketch(A, gaussian, size, rng=1)
    >>> ratio = np.linalg.norm(B @ np.ones(5)) / np.linalg.norm(A @ np.ones(5))
    >>> B.shape, bool(abs(ratio - 1) < 0.25)
    ((930, 5), True)
    """
    given = check_matrix(A, backend)
    check_distribution(distribution)
    check_integer("size", size)
    n = given.A.shape[-2]
    if n == 0:
        raise ValueError(f"A: expected at least one row, got shape {tuple(given.A.shape)}")
    if given.ops.library == "mpmath":
        raise TypeError("A: expected an array of floats for sketch, got an object array of numbers")
    return given.restore(given.ops.sketch(distribution.draw(size, n, rng), given.A))


def check_distribution(value: Any) -> None:
    """Raise unless value is one of the distributions.

    Raises
    ------
    TypeError
    """
    if not isinstance(value, Distribution):
        raise TypeError(
            "distribution: expected Gaussian(), Rademacher(), SparseSign(), Srht() or RowSampling() of "
            f"matfun.sketching, got {value!r}"
        )
