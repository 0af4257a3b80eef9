"""The factorisations as rules, and Iannazzo's increments."""

import numpy as np
import pytest
from mpmath import mp

from theory import eigh, iannazzo, lu, newton, schur


@pytest.mark.parametrize("twin", [eigh, schur, lu])
def test_one_step_is_enough(twin) -> None:
    sigmas = np.array([1e-300, 1e-3, 1.0, 7.0])
    assert twin.next_spectrum(sigmas, 0).tolist() == [1.0] * 4
    assert twin.residual_bound(sigmas, 1) == 0.0
    assert twin.residual_bound(sigmas, 0) == pytest.approx(6.0 if twin is lu else 48.0)
    assert twin.region() == (0.0, np.inf)
    assert twin.converges()


def test_polish() -> None:
    for e in (1e-3, -1e-6):
        for p in (1, 2, 3, 5):
            (x,) = eigh.next_spectrum(np.array([1 + e]), 1, p=p)
            # one Newton step of order 2: sigma (1 + (1 - sigma^p)/p)
            assert x == pytest.approx((1 + e) * (1 + (1 - (1 + e) ** p) / p), abs=2.0**-52)
        (x,) = lu.next_spectrum(np.array([1 + e]), 1)
        assert x == pytest.approx(1 - e * e, abs=2.0**-53)


def test_prices() -> None:
    assert eigh.price(0) == {"gram": 1, "eigh": 1, "apply": 1}
    assert schur.price(0) == {"gram": 1, "schur": 1, "apply": 1}
    assert lu.price(0) == {"gram": 1, "inverse": 1, "apply": 0}
    assert eigh.price(1) == schur.price(2) == lu.price(3) == {"gram": 1, "symm": 0, "apply": 1, "thin": 0}
    assert iannazzo.price(0) == {"inverse": 1, "apply": 3}


def test_increments_are_newtons_iteration() -> None:
    with mp.workdps(50):
        for a in (mp.mpf("0.003"), mp.mpf(1), mp.mpf(70)):
            x, e = a, (1 - a) / 2
            plain, sigma = a, np.array([mp.sqrt(a)], dtype=object)
            for step in range(12):
                if step:
                    assert abs(iannazzo.reported(sigma, step)[0] - (-2 * e / x)) < mp.mpf(10) ** -40
                x = x + e
                e = -e * e / (2 * x)
                plain = (plain + a / plain) / 2
                sigma = iannazzo.next_spectrum(sigma, step)
                assert abs(x / plain - 1) < mp.mpf(10) ** -45
                assert abs(sigma[0] * mp.sqrt(a) / plain - 1) < mp.mpf(10) ** -45
            assert abs(x - mp.sqrt(a)) < mp.mpf(10) ** -20 * a
    start = np.array([0.04, 0.9, 3.0])
    assert iannazzo.reported(start, 0) == pytest.approx(1 - start**2)
    assert iannazzo.residual_bound(start, 3) == newton.residual_bound(start, 3, scaling="none")
    assert iannazzo.region() == (0.0, np.inf)
    assert iannazzo.converges()


def test_increments_are_stable_where_newton_in_x_alone_is_not() -> None:
    values = np.geomspace(1e-3, 1.0, 8)
    assert iannazzo.amplification(values) > 10
    assert iannazzo.amplification(np.array([1.0, 8.9])) < 1 < iannazzo.amplification(np.array([1.0, 9.1]))
    V = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    A = (V * values) @ V.T
    root = (V * np.sqrt(values)) @ V.T
    X, E, plain = A, (np.eye(8) - A) / 2, A
    errors = []
    for _ in range(25):
        X = X + E
        E = -E @ np.linalg.solve(X, E) / 2
        plain = (plain + np.linalg.solve(plain, A)) / 2
        errors.append((np.linalg.norm(X - root), np.linalg.norm(plain - root)))
    assert errors[-1][0] < 1e-14
    assert max(plain for _, plain in errors[15:]) > 1e-3
