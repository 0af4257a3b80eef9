r"""The matrix Chernoff bound for rows drawn without replacement.

Of an n x k matrix with orthonormal columns and coherence $M = n \max_j \|e_j^H V\|^2$ take m random rows, times
$\sqrt{n/m}$.  The squared singular values leave $[1 - d, 1 + u]$ with probability at most

$$ k \left[\frac{e^{-d}}{(1 - d)^{1 - d}}\right]^{m/M} + k \left[\frac{e^u}{(1 + u)^{1 + u}}\right]^{m/M} $$

Source: Tropp, Adv. Adapt. Data Anal. 3 (2011), Lemma 3.4.
"""

from __future__ import annotations

from math import ceil, log, log1p


def rows_for_embedding(dimension: int, coherence: float, distortion: float, failure: float) -> int:
    r"""Rows m for which all singular values are in $[1 - \epsilon, 1 + \epsilon]$ but for a probability.

    Parameters
    ----------
    dimension : int
        k.
    coherence : float
        M.
    distortion, failure : float
        In (0, 1).
    """
    down = distortion * (2 - distortion)
    up = distortion * (2 + distortion)
    # the two sides have half of the failure each, and the slower of them decides
    rate = min(down + (1 - down) * log1p(-down), (1 + up) * log1p(up) - up)
    return ceil(coherence * log(2 * dimension / failure) / rate)
