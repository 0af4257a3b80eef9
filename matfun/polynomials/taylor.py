"""Taylor coefficients of (1 - r)^(-1/p) at r = 0, the limit of every minimax design.

Source: Higham, Functions of Matrices (2008), sec. 5.3 (p = 2); binomial series in general.
"""

from __future__ import annotations


def taylor_inverse_root(p: int, degree: int) -> tuple[float, ...]:
    """Coefficients c_0 .. c_degree of the binomial series of (1 - r)^(-1/p).

    Parameters
    ----------
    p : int
        At least 1.
    degree : int
        Degree in r, at least 0.

    Returns
    -------
    tuple of float
        c_0 = 1 and c_i = c_{i-1} (1/p + i - 1) / i.

    Examples
    --------
    >>> taylor_inverse_root(2, 2)
    (1.0, 0.5, 0.375)
    """
    coefficients = [1.0]
    for i in range(1, degree + 1):
        coefficients.append(coefficients[-1] * (1 + (i - 1) * p) / (i * p))
    return tuple(coefficients)
