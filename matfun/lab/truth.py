"""Ground truth for the polar decomposition, and how far a result is from it.

Right polar: A = U H, H = V S V^H of order n.  Left polar: A = H U, H of order m.  Every measure is relative,
takes NumPy arrays of any float dtype and works in float64 or complex128; NaN or infinity in a factor reads as
infinity.  Scaling by an exact power of two first keeps matrices at 1e-300 and 1e300 from under- or overflow.

Conditioning: N. Higham, Functions of Matrices (2008), sec. 8.2 (Theorem 8.9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import mpmath
import numpy as np
import scipy.linalg

Side = Literal["right", "left"]


def _double(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def _adjoint(x: np.ndarray) -> np.ndarray:
    return x.conj().T


def _exponent(x: np.ndarray) -> int:
    """Exponent e with 2^(e-1) <= max(|Re|, |Im|) < 2^e; 0 for a zero or empty matrix."""
    top = max((float(np.max(np.abs(part), initial=0.0)) for part in (x.real, x.imag)), default=0.0)
    return math.frexp(top)[1] if math.isfinite(top) else 0


def _times_two_to(x: np.ndarray, k: int) -> np.ndarray:
    """Return 2^k x, exact unless the result leaves the range; two factors because 2^1074 is not a float."""
    return np.asarray(x * 2.0 ** (k // 2) * 2.0 ** (k - k // 2))


def _norm(x: np.ndarray) -> float:
    """Frobenius norm; infinity if anything in it is not finite."""
    if not np.isfinite(x).all():
        return math.inf
    e = _exponent(x)
    try:
        return math.ldexp(float(np.linalg.norm(_times_two_to(x, -e))), e)
    except OverflowError:
        return math.inf


def _ratio(part: np.ndarray, whole: np.ndarray) -> float:
    """||part||_F / ||whole||_F, with 0 / 0 = 0 (a zero matrix represented exactly)."""
    top, bottom = _norm(part), _norm(whole)
    return 0.0 if top == 0 else math.inf if bottom == 0 else top / bottom


def polar_truth(A: np.ndarray, side: Side = "right") -> tuple[np.ndarray, np.ndarray]:
    """Polar factors by LAPACK's SVD (gesvd) in float64.

    Parameters
    ----------
    A : array, shape (m, n)
        Any real or complex matrix.
    side : {"right", "left"}
        A = U H or A = H U.

    Returns
    -------
    U : array, shape (m, n)
        Orthonormal columns (rows if wide) even where A is rank-deficient; the completion is then LAPACK's.
    H : array, shape (n, n) or (m, m)
        Hermitian semidefinite.
    """
    A = _double(A)
    e = _exponent(A)
    p, s, qh = scipy.linalg.svd(_times_two_to(A, -e), full_matrices=False, lapack_driver="gesvd")
    w = _adjoint(qh) if side == "right" else p
    h = (w * s) @ _adjoint(w)
    return p @ qh, _times_two_to((h + _adjoint(h)) / 2, e)


def polar_truth_mp(A: np.ndarray, side: Side = "right", dps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Polar factors by an SVD with `dps` decimal digits, rounded to float64; for small matrices (n about 10).

    Parameters
    ----------
    A : array, shape (m, n)
        Any real or complex matrix.
    side : {"right", "left"}
        A = U H or A = H U.
    dps : int
        Working precision; singular values below 10^-dps of the largest are rounding noise.

    Returns
    -------
    U : array, shape (m, n)
        As in `polar_truth`.
    H : array, shape (n, n) or (m, m)
        As in `polar_truth`.
    """
    A = _double(A)
    e = _exponent(A)
    with mpmath.workdps(dps):
        p, s, qh = mpmath.svd(mpmath.matrix(_times_two_to(A, -e).tolist()))
        w = qh.H if side == "right" else p
        factors = [p * qh, w * mpmath.diag(list(s)) * w.H]
        u, h = (np.array(f.tolist(), dtype=A.dtype) for f in factors)
    return u, _times_two_to(h, e)


def backward_error(A: np.ndarray, U: np.ndarray, H: np.ndarray, side: Side = "right") -> float:
    """Return ||A - U H||_F / ||A||_F, or ||A - H U||_F / ||A||_F for side left."""
    A, U, H = _double(A), _double(U), _double(H)
    if not (np.isfinite(U).all() and np.isfinite(H).all()):
        return math.inf
    # Each factor is scaled by itself: a wrong H may be far from A in size, and its product must not overflow.
    a, u, h = _exponent(A), _exponent(U), _exponent(H)
    scaled_u, scaled_h = _times_two_to(U, -u), _times_two_to(H, -h)
    product = scaled_u @ scaled_h if side == "right" else scaled_h @ scaled_u
    top = max(a, u + h) if product.any() else a
    return _ratio(_times_two_to(A, -top) - _times_two_to(product, u + h - top), _times_two_to(A, -top))


def orthogonality(U: np.ndarray) -> float:
    """||U^H U - I||_F on the small side (U U^H for a wide U), not normalised."""
    U = _double(U)
    if not np.isfinite(U).all() or _exponent(U) > 500:  # U^H U would overflow
        return math.inf
    gram = _adjoint(U) @ U if U.shape[0] >= U.shape[1] else U @ _adjoint(U)
    return _norm(gram - np.eye(gram.shape[0]))


def hermitian_defect(H: np.ndarray) -> float:
    """||H - H^H||_F / ||H||_F."""
    H = _double(H)
    if not np.isfinite(H).all():
        return math.inf
    H = _times_two_to(H, -_exponent(H))
    return _ratio(H - _adjoint(H), H)


def semidefinite_defect(H: np.ndarray) -> float:
    """max(0, -lambda_min) / ||.||_2 of the Hermitian part of H; 1 for a negative one, 0 for a zero one."""
    H = _double(H)
    if not np.isfinite(H).all():
        return math.inf
    H = _times_two_to(H, -_exponent(H))
    eigenvalues = np.linalg.eigvalsh((H + _adjoint(H)) / 2)
    top = float(np.max(np.abs(eigenvalues), initial=0.0))
    return 0.0 if top == 0 else max(0.0, -float(eigenvalues[0])) / top


def forward_error(U: np.ndarray, U_truth: np.ndarray) -> float:
    """||U - U_truth||_F / ||U_truth||_F."""
    U, U_truth = _double(U), _double(U_truth)
    if not np.isfinite(U).all():
        return math.inf
    top = max(_exponent(U), _exponent(U_truth))
    scaled_truth = _times_two_to(U_truth, -top)
    return _ratio(_times_two_to(U, -top) - scaled_truth, scaled_truth)


def polar_condition(
    sigmas: np.ndarray, shape: tuple[int, int], complex_: bool = False, *, relative: bool = True
) -> float:
    """Condition number of the unitary factor in the Frobenius norm.

    Parameters
    ----------
    sigmas : array, shape (min(m, n),)
        All singular values, in any order.
    shape : tuple of int
        (m, n).
    complex_ : bool
        Whether perturbations may be complex.
    relative : bool
        Relative change of U (||U||_F = sqrt(min(m, n))) per relative change of A; else the absolute quotient.

    Returns
    -------
    condition : float
        Absolute: 2 / (s_n + s_{n-1}) for real square (0 if 1 x 1), 1 / s_n for complex or rectangular.
    """
    s = np.sort(np.asarray(sigmas, dtype=np.float64))
    if s.size == 0 or (shape == (1, 1) and not complex_):
        return 0.0
    scale = _norm(s) if relative else 1.0
    lowest = s[0] if complex_ or shape[0] != shape[1] else (s[0] + s[1]) / 2
    if lowest == 0:
        return math.inf
    return float(scale / lowest / (math.sqrt(s.size) if relative else 1.0))


def forward_error_in_condition_units(
    U: np.ndarray, U_truth: np.ndarray, condition: float, eps: float = float(np.finfo(np.float64).eps)
) -> float:
    """`forward_error` over eps * max(1, condition): of order 1 to 10 for a backward stable method.

    Parameters
    ----------
    U, U_truth : array, shape (m, n)
        Computed and true unitary factor.
    condition : float
        The relative `polar_condition`; infinity excuses everything, as U is then not determined by A.
    eps : float
        Machine epsilon of the dtype in which U was computed.

    Returns
    -------
    units : float
        The forward error that the condition number does not explain.
    """
    return forward_error(U, U_truth) / eps / max(1.0, condition)


@dataclass(frozen=True)
class PolarErrors:
    """What `measure_polar` finds; every field is relative and 0 is perfect."""

    backward: float
    orthogonality: float
    hermitian: float
    semidefinite: float
    forward: float
    condition: float
    forward_units: float


def measure_polar(A: np.ndarray, U: np.ndarray, H: np.ndarray | None = None, side: Side = "right") -> PolarErrors:
    """Measure everything, against the SVD in float64.

    Parameters
    ----------
    A : array, shape (m, n)
        The matrix.
    U : array, shape (m, n)
        Computed unitary factor; its dtype sets eps in `forward_units`.
    H : array, shape (n, n) or (m, m), optional
        Computed Hermitian factor; by default the Hermitian part of U^H A (A U^H), in float64.
    side : {"right", "left"}
        A = U H or A = H U.

    Returns
    -------
    errors : PolarErrors
        Where `condition` exceeds 1 / eps, U is not determined by A and `forward` means nothing.
    """
    eps = _eps(U)
    A, U = _double(A), _double(U)
    e = _exponent(A)
    scaled = _times_two_to(A, -e)
    if H is None:
        # A broken U must be measured, not crash the measuring.
        with np.errstate(over="ignore", invalid="ignore"):
            product = _adjoint(U) @ scaled if side == "right" else scaled @ _adjoint(U)
            H = _times_two_to((product + _adjoint(product)) / 2, e)
    truth, _ = polar_truth(A, side)
    sigmas = np.linalg.svd(scaled, compute_uv=False)  # of 2^-e A, which has the same relative condition
    condition = polar_condition(sigmas, (A.shape[0], A.shape[1]), np.iscomplexobj(A))
    return PolarErrors(
        backward=backward_error(A, U, H, side),
        orthogonality=orthogonality(U),
        hermitian=hermitian_defect(H),
        semidefinite=semidefinite_defect(H),
        forward=forward_error(U, truth),
        condition=condition,
        forward_units=forward_error_in_condition_units(U, truth, condition, eps),
    )


def _eps(x: np.ndarray) -> float:
    """Machine epsilon of a dtype; of float64 for integers and for 16-bit formats NumPy has no finfo of."""
    kind = np.asarray(x).dtype
    return float(np.finfo(kind if kind.kind in "fc" else np.float64).eps)
