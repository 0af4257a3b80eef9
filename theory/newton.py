r"""Newton's iteration, scaled: $X \leftarrow (\mu X + \mu^{-1} X^{-H})/2$.

Map: $\sigma \leftarrow (\mu\sigma + 1/(\mu\sigma))/2$, one term with shift zero: $h = \mu/2 + (2\mu)^{-1}/g$, $g =
1 - r$.  Without scaling its iterates are the reciprocals of those of the [0/1] Padé map.

Proved
------
* Identity, $\mu = 1$: $(\sigma' - 1)/(\sigma' + 1) = ((\sigma - 1)/(\sigma + 1))^2$, so $(X_k - S)(X_k + S)^{-1}
  = [(A - S)(A + S)^{-1}]^{2^k}$.  Converges from every $\sigma > 0$, from above from the first step on; a tiny
  or huge value is only halved in each step until it is near 1.
* Best scale.  $f(y) = (y + 1/y)/2$ has $f(y) = f(1/y) \ge 1$; on the scaled interval $[\mu a, \mu b]$ its
  maximum is smallest when both ends have the same image, $\mu = 1/\sqrt{ab}$.  Then $[a, b]$ becomes $[1,
  u]$, $u = (\sqrt\kappa + 1/\sqrt\kappa)/2$ with $\kappa = b/a$, and after that $u \leftarrow (\sqrt u +
  1/\sqrt u)/2$.
  - ``one-inf`` takes the ends of the true spectrum, as far as $(\|X\|_1 \|X\|_\infty)^{1/2}$ gives the
    2-norm: $\mu = (\|X^{-1}\|_1 \|X^{-1}\|_\infty / (\|X\|_1 \|X\|_\infty))^{1/4}$, exact for a diagonal
    matrix and within $n^{1/4}$ of that otherwise.
  - ``byers-xu`` carries the interval $[l, 1]$ by scalars: $\mu_0 = 1/\sqrt l$, $\mu_1 = \sqrt{2\sqrt l/(1 +
    l)}$, $\mu_{k+1} = 1/\sqrt{(\mu_k + 1/\mu_k)/2}$, that is $u_k = \mu_k^{-2}$.  Nine steps reach $u_k - 1 \le
    10^{-15}$ for every $l \ge 10^{-16}$.  $\mu_k \to 1$ by itself.
* ``frobenius``, $\mu = (\|X^{-1}\|_F/\|X\|_F)^{1/2}$, minimises $\|X_{k+1}\|_F$; ``determinant``, $|\det
  X|^{-1/n}$, makes the product of the $\mu\sigma$ 1.  After one step all $\sigma \in [1, u]$; then both have
  $1/u \le \mu \le 1$, so $\mu\sigma \in [1/u, u]$ and the next $u$ is at most $f(u)$: not worse than without a
  scale, and convergent from everywhere.
* Scales computed from X stop ($\mu = 1$) once $\|I - X^H X\|_F \le$ ``SCALE_WHILE_ABOVE``: near 1 rounding
  in the norms would keep the iteration from ending quadratically.

Sources: Higham, Functions of Matrices (2008), sec. 8.6, for the scales from norms; Byers and Xu, SIMAX 30
(2008), for the scalars and their stability.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mpmath import mp

from theory import rational
from theory.pade import cayley, cayley_residual
from theory.scalar import Number, Spectrum, number, on_spectrum

RULE = "newton"

PROBLEMS = ("polar", "sign", "sqrt")

OPTIONS: list[dict[str, Any]] = [
    {"scaling": "none"},
    {"scaling": "byers-xu", "lower": 1e-3},
    {"scaling": "byers-xu", "lower": 1e-16},
    {"scaling": "one-inf"},
    {"scaling": "frobenius"},
    {"scaling": "determinant"},
]

SCALE_WHILE_ABOVE = 1e-2
"""Frobenius norm of the residual at and below which a scale computed from X is 1."""

DIGITS = 60
"""Digits in which the scalars of Byers and Xu are carried."""


def halve(y: Number) -> Number:
    """Return f(y) = (y + 1/y)/2."""
    return (y + 1 / y) / 2


@lru_cache(maxsize=64)
def byers_xu(steps: int, lower: float) -> tuple[Number, ...]:
    """Scales of the first ``steps`` steps, in ``DIGITS`` digits."""
    with mp.workdps(DIGITS):
        low = number(lower)
        scales = [1 / mp.sqrt(low), mp.sqrt(2 * mp.sqrt(low) / (1 + low))]
        while len(scales) < steps:
            scales.append(1 / mp.sqrt(halve(scales[-1])))
        return tuple(scales[:steps])


def scale(sigmas: Sequence[Number], step: int, *, scaling: str = "none", lower: float = 1e-16, of: int = 1) -> Number:
    r"""Scale mu of step number ``step``; for ``one-inf`` that of a diagonal matrix.

    ``of`` = 2 for the square root: norms of $M = Z Y$, with eigenvalues $\sigma^2$, take the place of those of X.
    """
    if scaling == "none":
        return mp.mpf(1)
    if scaling == "byers-xu":
        return byers_xu(step + 1, lower)[step]
    if mp.sqrt(sum((1 - s * s) ** 2 for s in sigmas)) <= SCALE_WHILE_ABOVE:
        return mp.mpf(1)
    if scaling == "one-inf":
        return 1 / mp.sqrt(min(sigmas) * max(sigmas))
    if scaling == "frobenius":
        return mp.root(sum(s ** (-2 * of) for s in sigmas) / sum(s ** (2 * of) for s in sigmas), 4 * of)
    if scaling == "determinant":
        return 1 / mp.root(mp.fprod(sigmas), len(sigmas))
    raise ValueError(f"scaling: expected one of those in OPTIONS, got {scaling!r}")


def next_spectrum(sigmas: Spectrum, step: int, *, scaling: str = "none", lower: float = 1e-16, of: int = 1) -> Spectrum:
    """Singular values after step number ``step``; ``of`` as in ``scale``."""

    def step_map(values: list[Number]) -> list[Number]:
        mu = scale(values, step, scaling=scaling, lower=lower, of=of)
        return [halve(mu * x) for x in values]

    return on_spectrum(step_map, sigmas)


def price(step: int, **options: Any) -> dict[str, int]:  # noqa: ARG001
    """One solve with X (square); the Gram matrix is that of the residual."""
    return rational.price((), plain=1)


def residual_bound(sigmas: Spectrum, steps: int, *, scaling: str = "none", lower: float = 1e-16) -> float | None:
    """Bound from the interval of the singular values; an equality without scaling and for the scalars of Byers and Xu.

    With a scale computed from X the first step is taken as it is, and the largest value carried on.
    """
    with mp.workdps(DIGITS):
        values = [number(s) for s in sigmas]
        if steps == 0:
            return float(max(abs(1 - s * s) for s in values))
        if scaling == "none":
            return float(max(cayley_residual(-(cayley(s) ** (2**steps))) for s in values))
        low, high = min(values), max(values)
        if scaling == "byers-xu":
            for mu in byers_xu(steps, lower):
                low, high = interval_image(mu * low, mu * high)
            return float(max(abs(1 - low * low), abs(high * high - 1)))
        mu = scale(values, 0, scaling=scaling)
        end, stop = max(halve(mu * s) for s in values), mp.sqrt(1 + number(SCALE_WHILE_ABOVE))
        for _ in range(steps - 1):
            # a step that does not scale starts from values below ``stop``
            end = halve(max(mp.sqrt(end), min(end, stop)) if scaling == "one-inf" else end)
        return float(end * end - 1)


def interval_image(low: Number, high: Number) -> tuple[Number, Number]:
    """Image of [low, high] under f."""
    ends = halve(low), halve(high)
    return (mp.mpf(1) if low <= 1 <= high else min(ends)), max(ends)


def steps_to(lower: float, tolerance: float, scaling: str = "byers-xu") -> int:
    """Steps until every sigma that starts in [lower, 1] is within ``tolerance`` of 1; Byers-Xu or ``none``."""
    with mp.workdps(DIGITS):
        low, high, steps = number(lower), mp.mpf(1), 0
        while max(1 - low, high - 1) > tolerance:
            mu = scale([], steps, scaling=scaling, lower=lower)
            low, high = interval_image(mu * low, mu * high)
            steps += 1
        return steps


def region(**options: Any) -> tuple[float, float]:  # noqa: ARG001
    """Every positive start converges."""
    return 0.0, float("inf")


def converges(**options: Any) -> bool:  # noqa: ARG001
    """Whether the limit is the unitary factor."""
    return True
