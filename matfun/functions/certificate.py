"""The certificate: accuracy of U and H recomputed from A, never from the iteration's own residual.

An iteration can report a residual of 1e-7 while its answer is 3e-3 off, so nothing here looks at it.  By default a few
Gaussian vectors estimate the two Frobenius norms at O(mn) each.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.special import gammaincinv

from matfun.functions.long_sums import long_gram, long_product
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
        A as ``Ops.prescale`` leaves it.
    H : array, shape (..., n, n) or (..., m, m)
    side : {"right", "left"}
        A = U H or A = H U.
    kind : {"probes", "exact"}
    rng : numpy.random.Generator
    """
    m, n = A.shape[-2:]
    if kind == "exact":
        backward, defect = ops.compiled(_exact_errors, (ops, side), (A, U, H))
        factor, confidence, probes = 1.0, 1.0, None
    else:
        w = ops.normal(rng, (n, PROBES), A) * PROBES**-0.5
        v = w if m >= n else ops.normal(rng, (m, PROBES), A) * PROBES**-0.5
        backward, defect = ops.compiled(_errors_on_probes, (ops, side), (A, U, H, w, v))
        factor, confidence, probes = PROBE_FACTOR, CONFIDENCE, PROBES
    return Certificate(plain(ops.as_host(backward)), plain(ops.as_host(defect)), probes, factor, confidence)


def _exact_errors(ops: Ops, side: str, given: tuple[Array, ...]) -> tuple[Array, Array]:
    A, U, H = given
    product = ops.matmul(U, H) if side == "right" else ops.matmul(H, U)
    gram = long_gram(ops, ops.adjoint(U) if U.shape[-2] < U.shape[-1] else U)
    return _relative(ops, A, A - product, ops.add_diagonal(gram, -1.0))


def _errors_on_probes(ops: Ops, side: str, given: tuple[Array, ...]) -> tuple[Array, Array]:
    A, U, H, w, v = given
    wide, right = U.shape[-2] < U.shape[-1], side == "right"
    w, v = (ops.xp.broadcast_to(x, (*U.shape[:-2], *x.shape)) for x in (w, v))
    # one product with U for both errors: the matrices are read, and little is computed
    both = ops.xp.concat([ops.thin_matmul(H, w) if right else w, _adjoint_times(ops, U, v) if wide else v], axis=-1)
    product = long_product(ops, U, both) if wide else ops.thin_matmul(U, both)
    first, second = product[..., : w.shape[-1]], product[..., w.shape[-1] :]
    difference = ops.thin_matmul(A, w) - (first if right else ops.thin_matmul(H, first))
    return _relative(ops, A, difference, (second if wide else _adjoint_times(ops, U, second)) - v)


def _adjoint_times(ops: Ops, U: Array, Z: Array) -> Array:
    """U^H Z for a block Z of few columns, which are conjugated in place of U."""
    return ops.adjoint(long_product(ops, ops.adjoint(Z), U))


def _relative(ops: Ops, A: Array, difference: Array, defect: Array) -> tuple[Array, Array]:
    size = ops.positive_or_one(ops.plain_norm_fro(A))
    return ops.plain_norm_fro(difference) / size, ops.plain_norm_fro(defect) / min(A.shape[-2:]) ** 0.5


def plain(values: np.ndarray[Any, Any]) -> Any:
    """Return a Python scalar for a lone matrix, the array for a stack."""
    values = np.asarray(values)
    return values.item() if values.ndim == 0 else values
