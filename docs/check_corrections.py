"""Recompute the numbers of the page on corrections, and write them to docs/corrections.json.

python docs/check_corrections.py                          all of them
python docs/check_corrections.py "newton identity" ...    these, and keep the others
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from mpmath import mp

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "backends")]

import record  # noqa: E402

import matfun  # noqa: E402
from matfun.lab.htmp import htmp_law  # noqa: E402
from matfun.lab.matrices import two_level  # noqa: E402
from matfun.lab.recorded import recorded  # noqa: E402
from theory import minimax, newton, polar_express, prism, prism_root, rational, zolotarev  # noqa: E402
from theory.scalar import image, odd  # noqa: E402

LOWERS = (1e-2, 1e-3, 1e-4, 1e-6, 1e-9)
SIDES = (128, 256, 512, 1024, 2048)


def recentring() -> dict[str, Any]:
    """Images of [1e-3, 1] under the polynomial for [cushion, 1], recentred in the two ways."""
    found = {}
    with mp.workdps(40):
        lower = mp.mpf("1e-3")
        for degree in (3, 5):
            fitted, error = minimax.minimax_odd(minimax.cushion_constant(degree), 1, degree, 40)
            for name, top in (("2/(p(l) + p(u))", odd(fitted, mp.mpf(1))), ("2/(p(l) + 1 + E)", 1 + error)):
                factor = 2 / (odd(fitted, lower) + top)
                ends = image([c * factor for c in fitted], lower, mp.mpf(1))
                found[f"degree {degree}, {name}"] = [float(end) for end in ends]
    return found


def regions() -> dict[str, Any]:
    """Width above 1 of the region of convergence of quintic Polar Express, with and without safety."""
    plain = {f"{lower:g}": polar_express.region(lower=lower, cushion=0.0)[1] - 1 for lower in LOWERS}
    safe = {f"{lower:g}": polar_express.region(lower=lower, cushion=0.0, safety=1.01)[1] - 1 for lower in LOWERS}
    with np.errstate(all="ignore"):
        rule = matfun.PolarExpress(lower=2.0**-53, safety=1.0)
        last = matfun.simulate(rule, [1 + 2.0**-48], steps=80).sigmas[-1]
    return {"safety 1": plain, "safety 1.01": safe, "1 + 2^-48 after 80 steps, lower 2^-53": repr(float(last[0]))}


def table() -> dict[str, Any]:
    """Distance of the published rows from the cushioned composition: absolute and relative."""
    constant = minimax.cushion_constant(5, dps=40)
    stages = polar_express.composition(1e-3, 8, 5, float(constant))
    rows = list(zip(polar_express.PUBLISHED, stages, strict=True))
    return {
        "cushion": mp.nstr(constant, 22),
        "absolute": [float(max(abs(a - b) for a, b in zip(row, s.coefficients, strict=True))) for row, s in rows],
        "relative": [float(max(abs(a / b - 1) for a, b in zip(row, s.coefficients, strict=True))) for row, s in rows],
    }


def gram_rounding() -> dict[str, Any]:
    """||fl(X^T X) - X^T X||_F / (k eps) in float32 for X with orthonormal columns, and what the limit would be."""
    eps, found = 2.0**-23, {}
    for k in SIDES:
        X = np.linalg.qr(np.random.default_rng(0).standard_normal((k, k)))[0].astype(np.float32)
        exact = X.astype(np.float64).T @ X
        rounding = (X.T @ X).astype(np.float64) - exact
        found[str(k)] = {
            "frobenius / (k eps)": float(np.linalg.norm(rounding) / (k * eps)),
            "frobenius / eps": float(np.linalg.norm(rounding) / eps),
            "spectral / eps": float(np.linalg.norm(rounding, 2) / eps),
            "12 + sqrt k": 12 + k**0.5,
        }
    return found


def htmp_limit() -> str:
    """Say what the law answers for aspect 1."""
    try:
        htmp_law(1.0, 1.0)
    except ValueError as error:
        return str(error)
    return "accepted"


def small_values() -> dict[str, Any]:
    """Share of singular values below 1e-3 of the Frobenius norm, least and greatest over the recorded matrices."""
    found = {}
    for kind in ("gradient", "momentum"):
        spectra = [np.linalg.svd(A.astype(float), compute_uv=False) for A in recorded(kind).values() if A.any()]
        shares = [float(np.mean(s < 1e-3 * np.linalg.norm(s))) for s in spectra]
        found[kind] = {"matrices": len(shares), "least": min(shares), "greatest": max(shares)}
    return found


def counterexample() -> list[float]:
    """||I - X_k^2||_2 of the cubic with the fitted coefficient, from A = [[0, -1], [1, 0]], for k = 0, ..., 3."""
    X, eye, norms = prism.counterexample(), np.eye(2), []
    for _ in range(4):
        R = eye - X @ X
        norms.append(float(np.linalg.norm(R, 2)))
        alphas = np.linspace(0.5, 1.0, 5001)
        steps = [X @ (eye + a * R) for a in alphas]
        X = min(steps, key=lambda Y: float(np.linalg.norm(eye - Y @ Y)))
    return norms


def prism_intervals() -> dict[str, Any]:
    """Upper ends of the fitted coefficient by the invariance rule, and whether rounded ones still keep it."""
    ends = {
        f"p = {p}": {f"d = {d}": float(prism_root.upper_end(p, d)) for d in (1, 2)}
        | {"2/p": float(prism_root.linear_end(p))}
        for p in (1, 2, 3, 4, 5, 6, 7, 8)
    }
    with mp.workdps(30):
        rounded = {
            f"p = {p}, d = {d}, {text}": prism_root.stays_near(mp.mpf(text), p, d)
            for p, d, text in (
                (1, 1, "1.83"),
                (1, 1, "1.828427"),
                (3, 2, "0.8640"),
                (3, 2, "0.863971"),
                (4, 2, "0.6039"),
                (4, 2, "0.603868"),
            )
        }
    return {"upper ends": ends, "rule holds": rounded}


def zolotarev_thresholds() -> dict[str, Any]:
    """Largest condition number that two steps serve, and the shifts of the second step there."""
    found: dict[str, Any] = {}
    for terms in range(2, 9):
        kappa = zolotarev.threshold(terms)
        shifts = zolotarev.schedule(2, 1 / kappa, terms)[1][0].odds
        found[f"r = {terms}"] = {
            "kappa": kappa,
            "least shift of the second step": float(min(shifts)),
            "of them below 1/100": sum(bool(s < rational.CHOLESKY_FROM) for s in shifts),
        }
    found["r for kappa 1.5e4"] = zolotarev.terms_for(1 / 1.5e4)
    error = 1 - zolotarev.schedule(3, 1 / 1.5e4, 4)[2][1]
    found["error after two steps, kappa 1.5e4, r = 4"] = float(error)
    return found


def newton_identity() -> dict[str, float]:
    """(x_k - 1)/(x_k + 1) and (1 - x_k)/(1 + x_k) over ((x - 1)/(x + 1))^(2^k), x = 1/4, k = 3."""
    x = [mp.mpf(1) / 4]
    with mp.workdps(40):
        for _ in range(3):
            x.append(newton.halve(x[-1]))
        right = ((x[0] - 1) / (x[0] + 1)) ** 8
        return {
            "(X_k - S)(X_k + S)^-1": float((x[-1] - 1) / (x[-1] + 1) / right),
            "(S - X_k)(S + X_k)^-1": float((1 - x[-1]) / (1 + x[-1]) / right),
        }


def newton_inverses() -> dict[str, Any]:
    """Worst backward error of scaled Newton over the limit, by how the inverse is taken, on 32 x 32 matrices."""
    side = 32
    normal = np.random.default_rng(0).standard_normal((side, side))
    rotation = np.linalg.qr(normal)[0]
    wave = np.fft.fft(np.eye(side))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], side)
    hartley = signs[:, None] * (wave.real - wave.imag) / side**0.5
    ways: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "LU": (np.linalg.inv, None),
        "pivoted QR": (_inverse_by_pivoted_qr, None),
        "LU, random rotation first": (np.linalg.inv, rotation),
        "LU, signs and fast Hartley transform first": (np.linalg.inv, hartley),
    }
    found: dict[str, Any] = {}
    for kappa in (1e4, 1e9, 1e14):
        grades = np.geomspace(1, 1 / kappa, side)
        rngs = [np.random.default_rng(seed) for seed in range(10)]
        kinds = {
            "two levels, Hadamard": [two_level(side, kappa, seed) for seed in range(10)],
            "graded columns": [rng.standard_normal((side, side)) * grades for rng in rngs],
        }
        for kind, matrices in kinds.items():
            for way, (inverse, W) in ways.items():
                errors = [_newton_error(A, inverse, W) for A in matrices]
                found.setdefault(kind, {}).setdefault(f"kappa {kappa:g}", {})[way] = max(errors)
    return found


def _inverse_by_pivoted_qr(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    Q, R, order = scipy.linalg.qr(X, pivoting=True)
    inverse = np.empty_like(X)
    inverse[order] = scipy.linalg.solve_triangular(R, Q.T)
    return inverse


def _newton_error(A: np.ndarray[Any, Any], inverse: Callable[[Any], Any], W: Any) -> float:
    """||A - U H||_F / ||A||_F over (12 + sqrt n) eps after Newton's iteration with Frobenius scaling on A W."""
    n, eye = len(A), np.eye(len(A))
    X = A / np.linalg.norm(A)
    X = X if W is None else X @ W
    for _ in range(60):
        residual = np.linalg.norm(eye - X.T @ X)
        if residual <= 0.5e-8:
            break
        Y = inverse(X)
        mu = (np.linalg.norm(Y) / np.linalg.norm(X)) ** 0.5 if residual > newton.SCALE_WHILE_ABOVE else 1.0
        X = (mu * X + Y.T / mu) / 2
    X = X @ (1.5 * eye - 0.5 * X.T @ X)
    U = X if W is None else X @ W.T
    H = (U.T @ A + A.T @ U) / 2
    return float(np.linalg.norm(A - U @ H) / np.linalg.norm(A) / ((12 + n**0.5) * 2.0**-52))


def safety_in_the_recursion() -> dict[str, Any]:
    """Error after T steps of quintics from 1e-3 with safety 1.01, the recursion following it or not; without it."""
    found: dict[str, Any] = {}
    for name, cushion in (("plain", 0.0), ("cushioned", float(minimax.cushion_constant(5)))):
        found[name] = {}
        for steps in (5, 6, 7):
            without = polar_express.composition(1e-3, steps, 5, cushion)
            afterwards = [_stretch(s.coefficients, s.error, t + 1 == steps) for t, s in enumerate(without)]
            inside = polar_express.polynomials(steps, lower=1e-3, cushion=cushion, safety=1.01, fixed_steps=steps)
            with mp.workdps(40):
                errors = {"safety 1": without[-1].error}
                for key, chain in (("followed", inside), ("afterwards", afterwards)):
                    low, high = mp.mpf(1e-3), mp.mpf(1)
                    for c in chain:
                        low, high = image(c, low, high)
                    errors[key] = max(1 - low, high - 1)
                found[name][f"{steps} steps"] = {key: float(value) for key, value in errors.items()}
    return found


def _stretch(coefficients: Any, error: Any, last: bool) -> list[Any]:
    factor = mp.mpf("1.01") if error > polar_express.SAFETY_WHILE_ERROR_ABOVE and not last else mp.mpf(1)
    return [c / factor ** (2 * i + 1) for i, c in enumerate(coefficients)]


def trace_sizes() -> dict[str, Any]:
    """Upper tail over failure probability for a rank-one matrix at two sizes for the same error, and these sizes."""
    from scipy.stats import chi2

    found = {}
    for distortion, failure in ((0.5, 1e-6), (0.99, 1e-20), (0.99, 1e-50)):
        tail = np.log(2 / failure)
        sizes = {
            "6/e^2 ln(2/d)": 6 / distortion**2 * tail,
            "2/(e - ln(1 + e)) ln(2/d)": 2 * tail / (distortion - np.log1p(distortion)),
        }
        for name, size in sizes.items():
            rows = int(np.ceil(size))
            share = float(np.exp(chi2.logsf(rows * (1 + distortion), rows) - np.log(failure)))
            found[f"e = {distortion:g}, d = {failure:g}, {name}"] = {"rows": rows, "tail / d": float(f"{share:.3g}")}
    return found


def degree_seventeen() -> dict[str, Any]:
    """What rounding the coefficients of the last polynomial of degree 17 does to 1, in either basis."""
    found = {}
    for spread in (1e-2, 1e-3):
        coefficients, _ = minimax.remez(mp.mpf(spread), 17, 60)
        with mp.workdps(60):
            exact = odd(coefficients, mp.mpf(1))
            gram = sum(mp.mpf(float(c)) for c in coefficients)
            found[f"spread {spread:g}"] = {
                "gram": float(abs(gram - exact)),
                "residual": float(abs(mp.mpf(float(exact)) - exact)),
            }
    return found


PARTS: dict[str, Callable[[], Any]] = {
    "recentring": recentring,
    "regions": regions,
    "table": table,
    "prism regions": lambda: {str(degree): prism.region(degree=degree)[1] for degree in (3, 5)},
    "prism theorem 1": counterexample,
    "gram rounding": gram_rounding,
    "htmp at aspect 1": htmp_limit,
    "recorded spectra": small_values,
    "prism intervals": prism_intervals,
    "zolotarev thresholds": zolotarev_thresholds,
    "newton identity": newton_identity,
    "newton inverses": newton_inverses,
    "safety in the recursion": safety_in_the_recursion,
    "degree 17": degree_seventeen,
    "trace sizes": trace_sizes,
}
"""Every part of the JSON, by the name it has there."""


if __name__ == "__main__":
    record.write(HERE / "corrections.json", PARTS, sys.argv[1:], ("numpy", "scipy", "mpmath"))
