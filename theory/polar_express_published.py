r"""The table printed with Polar Express, its last row repeated: a composition for l = 1e-3, d = 5.

Map: step t applies row t of ``polar_express.PUBLISHED``, an odd quintic; from row 8 on that is the Taylor
polynomial of Newton-Schulz.

Proved (by computation, tests/theory/test_polar_express.py)
------------------------------------------------------------
* The table is the cushioned composition on $[10^{-3}, 1]$, not the plain one: rows 1 to 6 agree to 2e-15, row
  7 to 1.8e-11.  So after 7 steps $\sup |1 - \sigma|$ on $[10^{-3}, 1]$ is 1e-9, and one step more gives
  rounding.
* Values below $10^{-3}$ grow by the slopes $p_t(0) = 8.3, 4.1, 3.9, \dots, 1.875$ and converge later.
* Region: as for every quintic of this family the last row rises beyond 1 up to its repelling fixed point
  $\sqrt{7/3}$, which is carried back through the rows (``region``, sharp).

Source: arXiv 2505.16932, appendix code; gptopt/optim/muon.py.
"""

from __future__ import annotations

from typing import Any

from mpmath import mp

from theory.polar_express import PUBLISHED, preimage
from theory.scalar import Number, Spectrum, image_residual, number, odd, on_spectrum, real_roots

RULE = "polar-express-published"

PROBLEMS = ("polar",)

OPTIONS: list[dict[str, Any]] = [{}]


def polynomials(steps: int) -> list[tuple[Number, ...]]:
    """Gram-basis coefficients of each step, the printed numbers."""
    return [PUBLISHED[min(t, len(PUBLISHED) - 1)] for t in range(steps)]


def next_spectrum(sigmas: Spectrum, step: int) -> Spectrum:
    """Singular values after step number ``step``."""
    row = polynomials(step + 1)[step]
    return on_spectrum(lambda values: [odd([number(c) for c in row], x) for x in values], sigmas)


def price(step: int) -> dict[str, int]:  # noqa: ARG001
    """Full-size products of one step."""
    return {"gram": 1, "symm": 1, "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int) -> float | None:
    """Bound by the image of the interval of the singular values."""
    return image_residual(polynomials(steps), sigmas)


def region() -> tuple[float, float]:
    """Open interval of start values that converge to 1; sharp."""
    with mp.workdps(75):
        *chain, last = [tuple(number(c) for c in row) for row in PUBLISHED]
        edge = mp.sqrt(real_roots([last[0] - 1, *last[1:]], mp.mpf(0), mp.mpf(9))[-1])
        for coefficients in reversed(chain):
            edge = preimage(coefficients, edge)
        return 0.0, float(edge)


def converges() -> bool:
    """Whether the limit is the unitary factor."""
    return True
