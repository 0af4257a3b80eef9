"""The Nakatsukasa-Higham factor, and the conditioning of the polar factor against perturbed matrices."""

from typing import Any

import numpy as np
import pytest

from theory import newton_schulz, polar_express, prism, stability
from theory.scalar import residual_norm


def polar(a: Any) -> Any:
    u, _, v = np.linalg.svd(a, full_matrices=False)
    return u @ v


@pytest.mark.parametrize("degree", [3, 5])
def test_newton_schulz_loses_nothing_below_one(degree: int) -> None:
    def step(s: Any) -> Any:
        return newton_schulz.next_spectrum(s, 0, degree=degree)

    # f(x)/x falls on (0, 1] from its slope to 1 and max f = 1
    assert stability.factor(step, 1e-6, 1.0) == pytest.approx(1.0, rel=1e-14)
    edge = newton_schulz.region(degree=degree)[1]
    factors = [stability.factor(step, 1e-6, edge - gap) for gap in (1e-1, 1e-3, 1e-5)]
    if degree == 3:
        # f(x)/x vanishes linearly at the edge
        assert factors[1] / factors[0] > 50
        assert factors[2] / factors[1] > 90
    else:
        # p > 0 on the whole axis, so only a constant is lost
        assert max(factors) < 5


def test_cushion_is_what_keeps_polar_express_stable() -> None:
    def first(**options: Any) -> Any:
        return lambda s: polar_express.next_spectrum(s, 0, degree=5, **options)

    bare = stability.factor(first(lower=1e-6), 1e-6, 1.0)
    cushioned = stability.factor(first(lower=1e-6, cushion=polar_express.CUSHION), 1e-6, 1.0)
    # the least p(x)/x is at the inner minimum; it grows like 1/l without a cushion
    assert bare > 1e4
    assert cushioned < 10
    wide = stability.factor(lambda s: prism.next_spectrum(s, 0, degree=5, warm_start=1), 1e-6, 1.0)
    assert wide == pytest.approx(float(prism.overshoot(1.45, 5)), rel=1e-5)


def test_backward_bound() -> None:
    assert stability.backward_bound(2.0, 1e-16) == pytest.approx(6e-15, rel=1e-15)


def test_distance_is_enclosed_and_both_sides_are_attained() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        x = rng.uniform(0.2, 1.8, 5)
        low, high = stability.distance_bounds(residual_norm(x), float(x.max()))
        distance = np.max(np.abs(x - 1))
        # one rounding each
        assert low <= distance * (1 + 1e-14)
        assert distance <= high * (1 + 1e-14)
    low, _ = stability.distance_bounds(residual_norm(np.array([1.5])), 1.5)
    assert low == pytest.approx(0.5, rel=1e-15)
    _, high = stability.distance_bounds(residual_norm(np.array([1e-9])), 1e-9)
    assert high == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("kind", ["real square", "complex square", "rectangular"])
def test_unitary_condition_is_attained_and_never_exceeded(kind: str) -> None:
    rng = np.random.default_rng(1)
    sigmas = np.array([2.0, 1.0, 0.3, 0.1])
    m = 6 if kind == "rectangular" else 4
    left = np.linalg.qr(rng.standard_normal((m, m)))[0]
    right = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    a = (left[:, :4] * sigmas) @ right.T
    inner = np.zeros((m, 4), dtype=complex if kind == "complex square" else float)
    if kind == "real square":
        inner[2, 3], inner[3, 2] = 1, -1
    elif kind == "complex square":
        inner[3, 3] = 1j
    else:
        inner[4, 3] = 1
    worst = left @ inner @ right.T
    condition = stability.unitary_condition(sigmas, square=m == 4, real=kind != "complex square")

    def growth(direction: Any) -> float:
        h = 1e-6
        change = polar(a + h * direction) - polar(a - h * direction)
        return float(np.linalg.norm(change) / (2 * h * np.linalg.norm(direction)))

    # central differences: h^2 / sigma_n^2 = 1e-10 relative, rounding eps / (h sigma_n) = 2e-9
    assert growth(worst) == pytest.approx(condition, rel=1e-7)
    for _ in range(20):
        direction = rng.standard_normal((m, 4))
        if kind == "complex square":
            direction = direction + 1j * rng.standard_normal((m, 4))
        assert growth(direction) <= condition * (1 + 1e-7)
    assert stability.unitary_condition(np.array([0.5])) == 0.0


def test_hermitian_condition_is_bounded() -> None:
    values = [stability.hermitian_condition(k) for k in (1.0, 10.0, 1e8)]
    assert values[0] == pytest.approx(1.0, rel=1e-15)
    assert values == sorted(values)
    assert values[-1] <= 2**0.5 * (1 + 1e-15)
    # attained by 2 x 2 matrices: no random direction exceeds it
    rng = np.random.default_rng(6)
    a = np.diag([1.0, 1e-2])
    for _ in range(50):
        e = rng.standard_normal((2, 2))
        h = 1e-6
        plus, minus = (polar(a + t * e).T @ (a + t * e) for t in (h, -h))
        assert np.linalg.norm(plus - minus) / (2 * h * np.linalg.norm(e)) <= stability.hermitian_condition(100.0) + 1e-6
