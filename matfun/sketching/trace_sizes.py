r"""How many products an estimate of a trace takes, by theorems with constants.

For symmetric B and m probes Hutchinson's estimate has mean tr B and variance $2\|B\|_F^2/m$ for Gaussian probes,
$2(\|B\|_F^2 - \sum b_{ii}^2)/m$ for Rademacher ones (Hutchinson, Commun. Statist. Simula. 18, 1989).  Other matrices
have the variance of their symmetric part; with real probes that of a Hermitian matrix is its real part.
"""

from __future__ import annotations

from math import ceil, log, sqrt

from matfun.sketching.checks import check_fraction, check_integer, check_positive
from matfun.sketching.distributions import Rademacher


def hutchinson_size(distortion: float, failure: float) -> int:
    r"""Probes for a relative error of at most $\epsilon$ of the trace of a semidefinite matrix, but for a probability.

    By convexity the worst semidefinite matrix is of rank one, and its trace the squared norm of one vector: the size is
    that of ``Rademacher.size_for`` for one vector, $2 \ln(2/\delta)/(\epsilon - \ln(1 + \epsilon))$, for Gaussian
    probes and for Rademacher ones.

    Parameters
    ----------
    distortion, failure : float
        In (0, 1).

    Raises
    ------
    ValueError

    Notes
    -----
    Roosta-Khorasani and Ascher, Found. Comput. Math. 15 (2015), Theorems 1 and 3, have $6 \ln(2/\delta)/\epsilon^2$ for
    Rademacher probes and 8 for Gaussian ones.  This is between 4 and 6.6; above $\epsilon = 0.78$ it is more than 6,
    since there 6 is less than the upper tail of a dense matrix of rank one needs for very small $\delta$.

    Examples
    --------
    >>> hutchinson_size(0.1, 0.01)
    2260
    """
    return Rademacher().size_for(1, distortion, failure)


def hutchinson_size_indefinite(error: float, failure: float, norm_fro: float, norm_two: float) -> int:
    r"""Gaussian probes for an absolute error of the trace of any symmetric matrix, but for a probability.

    $P(|\mathrm{estimate} - \operatorname{tr} B| \ge e) \le 2 \exp(-m e^2/(4 \|B\|_F^2 + 4 e \|B\|_2))$.

    Parameters
    ----------
    error : float
        Absolute.
    failure : float
        In (0, 1).
    norm_fro, norm_two : float
        Of B, or of its symmetric part; upper bounds serve.

    Raises
    ------
    ValueError

    Notes
    -----
    Cortinovis and Kressner, Found. Comput. Math. 22 (2022), Theorem 1.  It follows from
    $-\frac12 \ln(1 - 2u) - u \le u^2/(1 - 2u)$ for the eigenvalues (Laurent and Massart, Ann. Statist. 28, 2000).

    Examples
    --------
    >>> hutchinson_size_indefinite(10.0, 0.01, norm_fro=20.0, norm_two=2.0)
    90
    """
    check_positive("error", error)
    check_fraction("failure", failure)
    check_positive("norm_fro", norm_fro)
    check_positive("norm_two", norm_two)
    return ceil(4 * (norm_fro**2 + error * norm_two) * log(2 / failure) / error**2)


def hutchpp_variance(products: int) -> float:
    r"""Bound of the variance of Hutch++ over $(\operatorname{tr} A)^2$, for semidefinite A and Gaussian probes.

    With l probes for the range and g for the rest, and any k from 1 to l - 2,
    $2/g \cdot E\|(I - QQ^H)A\|_F^2 \le 2/g \cdot (1 + k/(l - k - 1)) \|A - A_k\|_F^2$, and
    $\|A - A_k\|_F^2 \le (\operatorname{tr} A)^2/(4k)$.  With k = (l - 1)/2 that is $2/(g(l - 1))$, about 18 over the
    square of the number of products.  It is within 4 l/(l - 1) of the truth: a projector of rank 2 l has 1/(2 g l).

    Parameters
    ----------
    products : int
        At least 9; a third of them, rounded down, are l.

    Raises
    ------
    ValueError, TypeError

    Notes
    -----
    Halko, Martinsson and Tropp, SIAM Rev. 53 (2011), Theorem 10.5, in the way of Meyer, Musco, Musco and Woodruff, SOSA
    2021, whose variance bound splits the products m otherwise: $16/(m - 2)^2$.

    Examples
    --------
    >>> hutchpp_variance(27)
    0.027777777777777776
    """
    check_integer("products", products, least=9)
    first = products // 3
    k = (first - 1) // 2
    return (first - 1) / (2 * (products - 2 * first) * k * (first - k - 1))


def hutchpp_size(distortion: float, failure: float) -> int:
    r"""Products for which Hutch++ has a relative error of at most $\epsilon$, for semidefinite A and Gaussian probes.

    By Chebyshev's inequality from ``hutchpp_variance``.  That $O(\sqrt{\ln(1/\delta)}/\epsilon + \ln(1/\delta))$ are
    enough is Theorem 1 of Meyer, Musco, Musco and Woodruff (2021), without a constant.

    Parameters
    ----------
    distortion, failure : float
        In (0, 1).

    Raises
    ------
    ValueError

    Examples
    --------
    >>> hutchpp_size(0.1, 0.01)
    425
    """
    check_fraction("distortion", distortion)
    check_fraction("failure", failure)
    allowed = distortion**2 * failure
    products = max(9, ceil(sqrt(18 / allowed)))
    while hutchpp_variance(products) > allowed:
        products += 1
    return products
