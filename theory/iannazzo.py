r"""Iannazzo's IN iteration for the square root: Newton's map, unscaled, carried by increments.

$E_0 = (I - A)/2$, $X_0 = A$; $X_{k+1} = X_k + E_k$, $E_{k+1} = -\frac12 E_k X_{k+1}^{-1} E_k$.

Proved
------
* It is Newton's iteration $X \leftarrow (X + X^{-1} A)/2$: with $E_k = (X_k^{-1} A - X_k)/2$, which holds for k = 0,
  $X_k + E_k = X_{k+1}$ is Newton's step, and $(X_{k+1}^{-1} A - X_{k+1})/2 = X_{k+1}^{-1} (A - X_{k+1}^2)/2 =
  -X_{k+1}^{-1} E_k^2/2$, since $X_{k+1}^2 = X_k^2 + 2 X_k E_k + E_k^2 = A + E_k^2$ for commuting matrices.
* On an eigenvalue a of A: $x \leftarrow (x + a/x)/2$ from $x = a$.  With $\sigma = x/\sqrt a$ that is $\sigma
  \leftarrow (\sigma + 1/\sigma)/2$ from $\sqrt a$, the unscaled map of newton.py, and $m = \sigma^2$ is an eigenvalue
  of $X^2 A^{-1}$.
* What the residual is read off: $E_k X_k^{-1} = (M_k^{-1} - I)/2$, so $I - M_k^{-1}$ for $k \ge 1$ (``reported``), and
  $I - M_0 = I - A$ at the start, without an inverse.
* Stability (Higham, Functions of Matrices, 2008, sec. 6.4.2 and Table 6.2): Newton's iteration in X alone is unstable
  unless $\max_{i,j} |1 - (\lambda_i/\lambda_j)^{1/2}|/2 < 1$; the increments make the Fréchet derivative of the pair
  (X, E) at its fixed point $\begin{pmatrix} I & I \\ 0 & 0 \end{pmatrix}$, which is idempotent: stable, with a limiting
  accuracy of u.  (``amplification`` is what Newton in X alone does in one step.)

Sources: Iannazzo, Calcolo 40 (2003); Meini, SIMAX 26 (2004); Higham (2008), ch. 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory import newton
from theory.scalar import Spectrum

RULE = "iannazzo"

PROBLEMS = ("sqrt",)

OPTIONS: list[dict[str, Any]] = [{}]


def next_spectrum(sigmas: Spectrum, step: int) -> Spectrum:
    """Eigenvalues of X A^(-1/2) after one step."""
    return newton.next_spectrum(sigmas, step, scaling="none")


def reported(sigmas: Spectrum, step: int) -> Spectrum:
    """Eigenvalues of the residual that the iteration reads off before step number ``step``."""
    m = sigmas * sigmas
    return 1 - m if step == 0 else 1 - 1 / m


def price(step: int) -> dict[str, int]:  # noqa: ARG001
    """One inverse, two products for E and one for what the residual is read off."""
    return {"inverse": 1, "apply": 3}


def residual_bound(sigmas: Spectrum, steps: int) -> float | None:
    r"""$\|I - M\|_2$ after so many steps, exactly."""
    return newton.residual_bound(sigmas, steps, scaling="none")


def amplification(eigenvalues: Spectrum) -> float:
    """Factor by which Newton's iteration in X alone multiplies rounding in every step near its limit."""
    roots = np.sqrt(eigenvalues)
    return float(np.max(np.abs(1 - roots[:, None] / roots[None, :])) / 2)


def region() -> tuple[float, float]:
    """Every positive start converges."""
    return 0.0, float("inf")


def converges() -> bool:
    """Whether the limit is the function."""
    return True
