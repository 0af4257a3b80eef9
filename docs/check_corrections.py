"""Recompute every number of the page on corrections, and write them to docs/corrections.json.

python docs/check_corrections.py
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "backends")]

import matfun  # noqa: E402
from matfun.lab.htmp import htmp_law  # noqa: E402
from matfun.lab.recorded import recorded  # noqa: E402
from theory import minimax, polar_express, prism  # noqa: E402
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


def main() -> None:
    """Compute, print and write."""
    document = {
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: version(name) for name in ("numpy", "scipy", "mpmath")},
        },
        "recentring": recentring(),
        "regions": regions(),
        "table": table(),
        "prism regions": {str(degree): prism.region(degree=degree)[1] for degree in (3, 5)},
        "prism theorem 1": counterexample(),
        "gram rounding": gram_rounding(),
        "htmp at aspect 1": htmp_limit(),
        "recorded spectra": small_values(),
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    (HERE / "corrections.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
