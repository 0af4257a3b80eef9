"""One method on one matrix: run it, time it, and hold it against the ground truth."""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

import matfun
from matfun.lab import truth
from matfun.lab.compare import Row
from matfun.lab.prices import is_factorisation, spent

POLISH_PRICE = 2
"""Products of the last cubic step of an accuracy-driven run: the Gram matrix and X h."""


@dataclass(frozen=True)
class Request:
    """What to run: the arguments of ``matfun.polar``, with a label."""

    label: str
    method: Any
    tol: float | None
    steps: int | None
    backend: Any
    seed: int
    repeats: int
    customary: bool

    @property
    def asked(self) -> str:
        """The accuracy asked for, in words."""
        if self.steps is not None:
            return f"{self.steps} step{'s' * (self.steps != 1)}{' (customary)' * self.customary}"
        return "full accuracy" if self.tol is None else f"tol {self.tol:g}"


@dataclass(frozen=True)
class Member:
    """One matrix of a stack on the host, with its true unitary factor and singular values."""

    A: np.ndarray
    U: np.ndarray
    sigmas: np.ndarray
    condition: float

    @classmethod
    def of(cls, A: np.ndarray) -> Member:
        """Compute the truth, once for all methods."""
        U, _ = truth.polar_truth(A)
        sigmas = np.linalg.svd(A.astype(np.complex128 if np.iscomplexobj(A) else np.float64), compute_uv=False)
        return cls(A, U, sigmas, truth.polar_condition(sigmas, A.shape, np.iscomplexobj(A)))

    def errors(self, U: np.ndarray, H: np.ndarray) -> dict[str, Any]:
        """Errors of a computed pair, under the names of ``Row``."""
        return {
            "backward_error": truth.backward_error(self.A, U, H),
            "orthogonality": truth.orthogonality(U) / math.sqrt(min(self.A.shape)),
            "hermitian_defect": truth.hermitian_defect(H),
            "semidefinite_defect": truth.semidefinite_defect(H),
            "forward_error": truth.forward_error(U, self.U),
            "condition": self.condition,
        }


@dataclass(frozen=True)
class Subject:
    """A matrix or stack under a name, with the truth about every member."""

    name: str
    A: Any
    members: tuple[Member, ...]

    @classmethod
    def of(cls, name: str, A: Any) -> Subject:
        """Check A, and compute the truth.

        Raises
        ------
        ValueError, TypeError
            As ``matfun.polar`` would.
        """
        with np.errstate(all="ignore"):  # for its checks; infinities are looked for below
            matfun.orthogonalize(A, steps=0)
        if 0 in A.shape:
            raise ValueError(f"A: expected at least one element, got shape {tuple(A.shape)}")
        host = to_host(A)
        if not np.isfinite(host).all():
            raise ValueError("A: expected finite elements, got NaN or infinity")
        return cls(name, A, tuple(map(Member.of, host.reshape(-1, *host.shape[-2:]))))

    def row(self, request: Request) -> Row:
        """Run and measure one method."""

        def call() -> Any:
            return matfun.polar(
                self.A,
                method=request.method,
                tol=request.tol,
                steps=request.steps,
                rng=request.seed,
                on_failure="warn",
                backend=request.backend,
            )

        # overflow and failure to converge have a status, which the row says
        with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
            warnings.simplefilter("ignore", matfun.ConvergenceWarning)
            result = call()
            seconds = median_seconds(call, request.repeats)
        info = result.info
        eps = float(matfun.providers.ops_for(result.U).eps(result.U.dtype))
        errors = self._worst(to_host(result.U), to_host(result.H))
        statuses = np.asarray(info.status, dtype=object).ravel()
        # a failure before a completion before plain convergence
        status = max(statuses, key=lambda s: (not s.ok, s is matfun.Status.COMPLETED))
        measured, predicted = self._curves(request, info, eps, errors["orthogonality"])
        return Row(
            matrix=self.name,
            shape=tuple(self.A.shape),
            dtype=short_dtype(self.A),
            method=request.label,
            ran=info.method,
            asked=request.asked,
            status=status.name,
            steps=int(np.max(info.steps)),
            products=info.products,
            thin_products=info.thin_products,
            factorisations=sum(map(is_factorisation, info.history.updates)),
            seconds=seconds,
            eps=eps,
            limit=self._limit(request.tol, eps),
            measured=measured,
            predicted=predicted,
            **errors,
        )

    def reference(self, tol: float | None, repeats: int) -> Row:
        """Measure what a user of SciPy would get: ``scipy.linalg.polar`` on the host."""
        arrays = [member.A for member in self.members]

        def call() -> Any:
            return [scipy.linalg.polar(A) for A in arrays]

        pairs = call()
        U, H = (np.stack(factors) for factors in zip(*pairs, strict=True))
        eps = float(np.finfo(U.dtype).eps)
        return Row(
            matrix=self.name,
            shape=tuple(self.A.shape),
            dtype=str(U.dtype),
            method="scipy.linalg.polar",
            ran="scipy.linalg.polar",
            asked="full accuracy",
            status="REFERENCE",
            steps=1,
            products=0,
            thin_products=0,
            factorisations=1,
            seconds=median_seconds(call, repeats),
            eps=eps,
            limit=self._limit(tol, eps),
            **self._worst(U, H),
        )

    def _limit(self, tol: float | None, eps: float) -> float:
        return max(tol or 0.0, (12 + math.sqrt(min(self.A.shape[-2:]))) * eps)

    def _worst(self, U: np.ndarray, H: np.ndarray) -> dict[str, Any]:
        flat = [x.reshape(-1, *x.shape[-2:]) for x in (U, H)]
        found = [member.errors(u, h) for member, u, h in zip(self.members, *flat, strict=True)]
        return {name: max(errors[name] for errors in found) for name in found[0]}

    def _curves(
        self, request: Request, info: matfun.Info, eps: float, orthogonality: float
    ) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
        """Points of the run itself, and of the same rule on the singular values alone."""
        if self.A.ndim != 2 or info.status is matfun.Status.COMPLETED:
            return (), ()
        residuals = [float(rho) for rho in info.history.residuals]
        checked = bool(residuals)  # a factorisation measures none, as a fixed number of steps does not
        steps = len(residuals) - 1 if checked else info.steps
        start = self.members[0].sigmas / float(to_host(info.scale))
        method = info.method if isinstance(request.method, str) else request.method
        with np.errstate(over="ignore", invalid="ignore"):
            curve = matfun.simulate(method, start, steps=steps, lower=info.lower, eps=eps, rng=request.seed)
            predicted = _points(spent(curve), curve.residuals)
        x = list(spent(curve))
        if not checked or len(info.history.updates) == len(residuals):
            # nobody measured the residual of the last step: the orthogonality of U is just that
            residuals.append(orthogonality * math.sqrt(min(self.A.shape)))
            x = [*x, x[-1] + POLISH_PRICE] if checked else x[-1:]
        return _points(x, residuals), predicted


def _points(x: Any, y: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))


def short_dtype(A: Any) -> str:
    """Name of a dtype without its library."""
    return str(A.dtype).rsplit(".", 1)[-1]


def to_host(x: Any) -> np.ndarray:
    """Copy to NumPy in a dtype that LAPACK knows: exact, since 16-bit numbers are float32 numbers."""
    host = np.asarray(matfun.providers.ops_for(x).as_host(x))
    if host.dtype in (np.float32, np.float64, np.complex64, np.complex128):
        return host
    return host.astype(np.float64 if host.dtype.kind in "biu" else np.float32)


def median_seconds(call: Callable[[], Any], repeats: int) -> float:
    """Median wall time of a call, until the device has finished what it returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        for x in result:
            _wait(x)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _wait(x: Any) -> None:
    """Wait for an asynchronous library: JAX arrays, torch on CUDA, CuPy; anything else has finished."""
    if hasattr(x, "block_until_ready"):
        x.block_until_ready()
    elif getattr(x, "is_cuda", False):
        import torch

        torch.cuda.synchronize(x.device)
    elif hasattr(getattr(x, "device", None), "synchronize"):
        x.device.synchronize()
