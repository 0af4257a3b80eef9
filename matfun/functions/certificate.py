"""The certificate: accuracy of U and H recomputed from A, never from the iteration's own residual.

An iteration can report a residual of 1e-7 while its answer is 3e-3 off, so nothing here looks at it.  By default a few
Gaussian vectors estimate the two Frobenius norms at O(mn) each.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.special import gammaincinv

from matfun.ops import Array, Ops
from matfun.result import Certificate

PROBES = 8
CONFIDENCE = 0.999

PROBE_FACTOR = float(np.sqrt(PROBES / (2 * gammaincinv(PROBES / 2, 1 - CONFIDENCE))))
"""||B||_F <= factor * estimate with the stated confidence.

||B w||^2 over Gaussian vectors is a weighted sum of chi-squares whose lower tail is heaviest for rank one,
where it is ||B||_F^2 chi2(probes) / probes; 2 gammaincinv(k/2, q) is the q-quantile of chi2(k).
"""

Kind = Literal["probes", "exact"]


def certify(ops: Ops, A: Array, U: Array, H: Array, side: str, kind: Kind, rng: np.random.Generator) -> Certificate:
    """Estimate or compute ||A - U H||_F / ||A||_F and ||U^H U - I||_F / sqrt k, k the small side.

    Parameters
    ----------
    ops : Ops
    A, U : array, shape (..., m, n)
        A with elements around 1.
    H : array, shape (..., n, n) or (..., m, m)
    side : {"right", "left"}
        A = U H or A = H U.
    kind : {"probes", "exact"}
    rng : numpy.random.Generator
    """
    m, n = A.shape[-2:]
    first, second = (U, H) if side == "right" else (H, U)
    wide = m < n
    outer, inner = (U, ops.adjoint(U)) if wide else (ops.adjoint(U), U)
    if kind == "exact":
        difference = A - ops.matmul(first, second)
        defect = ops.add_diagonal(ops.matmul(outer, inner), -1.0)
        factor, confidence, probes = 1.0, 1.0, None
    else:
        w = ops.normal(rng, (n, PROBES), A) * PROBES**-0.5
        v = w if not wide else ops.normal(rng, (m, PROBES), A) * PROBES**-0.5
        difference = ops.matmul(A, w) - ops.matmul(first, ops.matmul(second, w))
        defect = ops.matmul(outer, ops.matmul(inner, v)) - v
        factor, confidence, probes = PROBE_FACTOR, CONFIDENCE, PROBES
    size = ops.positive_or_one(ops.plain_norm_fro(A))
    return Certificate(
        plain(ops.as_host(ops.plain_norm_fro(difference) / size)),
        plain(ops.as_host(ops.plain_norm_fro(defect) / min(m, n) ** 0.5)),
        probes,
        factor,
        confidence,
    )


def plain(values: np.ndarray[Any, Any]) -> Any:
    """Return a Python scalar for a lone matrix, the array for a stack."""
    values = np.asarray(values)
    return values.item() if values.ndim == 0 else values
