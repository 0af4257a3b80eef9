r"""Scaled Newton-Schulz (Chen and Chow): $X \leftarrow N(\alpha_t X)$ with $N(x) = x(3 - x^2)/2$.

Derivation.  Let the singular values lie in $[l, 1]$ with l known.  N rises on $[0, 1]$ and falls after, so
the image of $[\alpha l, \alpha]$, $\alpha \ge 1$, has the minimum $\min(N(\alpha l), N(\alpha))$ and a
maximum of at most $N(1) = 1$.  The minimum is largest when both ends are equal: $N(\alpha l) = N(\alpha)$
reads $3(1 - l) = \alpha^2 (1 - l^3)$, hence $\alpha^2 = 3/(1 + l + l^2)$.  The next interval is $[N(\alpha
l), 1]$.

Cap.  For small l that $\alpha$ is near $\sqrt 3$, where N vanishes: a $\sigma$ near 1 would be sent to
almost 0. $\alpha \le 1.69770248526$, the root of $N(\alpha) = 1/10$ in $(1, \sqrt 3)$, keeps every value
above a tenth of the maximum (Nakatsukasa-Higham stability).  While capped, $N(\alpha l) < N(\alpha)$, so
the lower end of the image is still $N(\alpha l)$.

Proved: interval $[l_t, 1]$ after t steps, so $\|I - X_t^H X_t\|_2 \le 1 - l_t^2$ for $\sigma \in [l, 1]$.
Uncapped, the map is the best odd cubic up to a constant factor (same ratio of minimum to maximum;
polar_express with degree 3): $1 - l_t = 2E/(1 + E)$ with E its error.  Region: positive values are kept
positive by step 0 iff $\sigma < \sqrt 3/\alpha_0$; after that all are in $(0, 1]$, where no later $\alpha_t
< \sqrt 3$ can flip a sign, and $\alpha_t \to 1$ leaves the plain iteration, which converges on $(0, \sqrt
3)$.

Source: Chen and Chow, A stable scaling of Newton-Schulz, ANL/MCS-P5059-0114 (2014).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mpmath import mp

from theory.scalar import Number, Spectrum, image_residual, number, odd, on_spectrum

RULE = "chen-chow"

PROBLEMS = ("polar", "sign", "sqrt")

OPTIONS: list[dict[str, Any]] = [{"lower": 1e-3}, {"lower": 1e-6}, {"lower": 0.3}]

CAP = "1.69770248526"
"""Chen and Chow (2014): the root of $x (3 - x^2)/2 = 1/10$, as printed; ``cap`` recomputes it."""

DIGITS = 60
"""Digits in which the lower bounds are carried."""


def cap(floor: Number = "0.1") -> Number:
    r"""Root in $(1, \sqrt 3)$ of $N(x) = $ floor: with $x = 2 \cos\theta$, $\cos 3\theta = -$ floor."""
    return 2 * mp.cos(mp.acos(-mp.mpf(floor)) / 3)


@lru_cache(maxsize=64)
def schedule(steps: int, lower: float) -> tuple[tuple[Number, Number], ...]:
    """Scale alpha_t and lower end l_t of the interval before step t, in ``DIGITS`` digits."""
    with mp.workdps(DIGITS):
        end, pairs = number(lower), []
        for _ in range(steps):
            alpha = min(mp.sqrt(3 / (1 + end + end**2)), mp.mpf(CAP))
            pairs.append((alpha, end))
            end = odd((mp.mpf(3) / 2, -mp.mpf(1) / 2), alpha * end)
        return tuple(pairs)


def polynomials(steps: int, *, lower: float = 1e-3) -> list[tuple[Number, ...]]:
    """Gram-basis coefficients of each step, 60 digits."""
    with mp.workdps(DIGITS):
        return [(3 * alpha / 2, -(alpha**3) / 2) for alpha, _ in schedule(steps, lower)]


def next_spectrum(sigmas: Spectrum, step: int, *, lower: float = 1e-3) -> Spectrum:
    """Singular values after step number ``step``."""
    coefficients = polynomials(step + 1, lower=lower)[step]
    return on_spectrum(lambda values: [odd(coefficients, x) for x in values], sigmas)


def price(step: int, *, lower: float = 1e-3) -> dict[str, int]:  # noqa: ARG001
    """Full-size products of one step."""
    return {"gram": 1, "symm": 0, "apply": 1, "thin": 0}


def residual_bound(sigmas: Spectrum, steps: int, *, lower: float = 1e-3) -> float | None:
    """Bound by the image of the interval of the singular values; [lower, 1] is mapped onto [l_t, 1]."""
    return image_residual(polynomials(steps, lower=lower), sigmas)


def region(*, lower: float = 1e-3) -> tuple[float, float]:
    """Open interval of start values that converge to 1; sharp."""
    with mp.workdps(DIGITS):
        return 0.0, float(mp.sqrt(3) / schedule(1, lower)[0][0])


def converges(*, lower: float = 1e-3) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
