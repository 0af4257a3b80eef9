"""Backward error and orthogonality of every method over the gallery, and what Polar Express' cushion does to them.

    python benchmarks/stability.py

Errors are in units of (12 + sqrt k) eps, k the small side: below 1 is within the limit that ``polar`` claims.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from machine import write
from rich.console import Console
from rich.table import Table

import matfun
from matfun.lab.gallery import gallery
from matfun.lab.truth import backward_error

METHODS: dict[str, Any] = {
    "newton-schulz 3": matfun.NewtonSchulz(degree=3),
    "newton-schulz 5": matfun.NewtonSchulz(degree=5),
    "newton-schulz 7": matfun.NewtonSchulz(degree=7),
    "chen-chow": matfun.ChenChow(),
    "polar-express 3": matfun.PolarExpress(degree=3),
    "polar-express 5": matfun.PolarExpress(degree=5),
    "polar-express 5, cushion 0.02407": matfun.PolarExpress(degree=5, cushion=0.02407327424182759),
    "polar-express 5, cushion 0.005": matfun.PolarExpress(degree=5, cushion=0.005),
    "polar-express-published": matfun.PublishedPolarExpress(),
    "prism 3": matfun.Prism(degree=3),
    "prism 5": matfun.Prism(degree=5),
    "prism 5, exact fit": matfun.Prism(degree=5, sketch_size=None),
    "window": matfun.Window(),
    "svd": matfun.Svd(),
}


def spectral_orthogonality(U: np.ndarray[Any, Any]) -> float:
    """||U^H U - I||_2 on the small side, in double precision."""
    U = U.astype(np.complex128 if np.iscomplexobj(U) else np.float64)
    if U.shape[0] < U.shape[1]:
        U = U.conj().T
    return float(np.linalg.norm(U.conj().T @ U - np.eye(U.shape[1]), 2))


def main() -> None:
    """Measure, print, write the JSON."""
    results = []
    table = Table(title="worst over the gallery, in units of (12 + sqrt k) eps")
    for column in ("dtype", "method", "backward error", "on", "orthogonality", "on", "most products", "not ok"):
        table.add_column(column)
    for single in (False, True):
        for name, rule in METHODS.items():
            rows = []
            for case in gallery():
                A = case.matrix(seed=0)
                if single:
                    with np.errstate(over="ignore", under="ignore"):
                        A = A.astype(np.complex64 if np.iscomplexobj(A) else np.float32)
                    if not np.isfinite(A).all() or (A == 0).all() != (case.matrix(seed=0) == 0).all():
                        continue  # a scale that float32 cannot hold
                eps = float(np.finfo(A.dtype).eps)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", matfun.ConvergenceWarning)  # the status is in the table
                    U, H = result = matfun.polar(A, method=rule, rng=0, on_failure="warn", max_steps=400)
                assert result.info is not None
                unit = (12 + min(A.shape) ** 0.5) * eps
                rows.append(
                    {
                        "dtype": str(A.dtype),
                        "method": name,
                        "case": case.name,
                        "backward": backward_error(A, U, H) / unit,
                        "orthogonality": spectral_orthogonality(U) / unit,
                        "products": result.info.products,
                        "status": result.info.status.name,
                    }
                )
            results += rows
            back = max(rows, key=lambda row: row["backward"])
            orth = max(rows, key=lambda row: row["orthogonality"])
            table.add_row(
                "float32" if single else "float64",
                name,
                f"{back['backward']:.2f}",
                back["case"],
                f"{orth['orthogonality']:.2f}",
                orth["case"],
                str(max(row["products"] for row in rows)),
                str(sum(row["status"] not in ("CONVERGED", "COMPLETED") for row in rows)),
            )
    Console(width=150).print(table)
    print(write("stability", results))


if __name__ == "__main__":
    main()
