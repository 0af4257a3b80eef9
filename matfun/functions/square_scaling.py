"""A square matrix brought to spectral norm at most 1, and its function brought back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matfun.functions.diagnose import largest_eigenvalue
from matfun.functions.inputs import Input
from matfun.functions.square_function import Options, SquareFunction, Started
from matfun.ops import Array, Ops
from matfun.polynomials.update import Scalar


@dataclass(frozen=True)
class ScaledSquare:
    """A / (norm 2^exponent), of spectral norm at most 1 (or what the rule wants), and how values are scaled back."""

    A: Array
    exponent: Array
    norm: Scalar

    def back(self, ops: Ops, Y: Array, power: float) -> Array:
        """Y (norm 2^exponent)^power, in two halves so that neither over- nor underflows on its own."""
        if power == 0:
            return Y
        xp, divisor = ops.xp, self.divisor(ops)
        smallest = 4 * float(xp.finfo(divisor.dtype).smallest_normal) if hasattr(divisor, "dtype") else 0.0
        normal = (divisor >= smallest) & xp.isfinite(divisor)
        apart = self.norm ** (power / 2) * ops.power_of_two(self.exponent * (power / 2))  # where A is subnormal or huge
        half = xp.where(normal, xp.where(normal, divisor, xp.ones_like(divisor)) ** (power / 2), apart)
        return ops.scale(ops.scale(Y, half), half)

    def divisor(self, ops: Ops) -> Scalar:
        """What A itself was divided by."""
        with ops.quiet():
            return self.norm * ops.power_of_two(self.exponent)


def hermitian_part(ops: Ops, A: Array) -> Array:
    """(A + A^H) / 2 without over- or underflow on the way."""
    prescaled, exponent = ops.prescale(A)
    return ops.times_power_of_two(ops.hermitian_part(prescaled), exponent)


def scale_square(ops: Ops, A: Array, largest: Any = 1.0) -> ScaledSquare:
    """Scale so that the spectral radius is at most ``largest``, by the smaller of ||A||_F and ||A||_1.

    Parameters
    ----------
    ops : Ops
    A : array, shape (..., n, n)
    largest : float, or numpy array of the shape of the stack
    """
    prescaled, exponent = ops.prescale(A)
    bound = ops.xp.minimum(ops.plain_norm_fro(prescaled), ops.norm_one(prescaled))
    norm = ops.positive_or_one(bound)
    norm = norm / (ops.from_host(largest, norm) if isinstance(largest, np.ndarray) else float(largest))
    return ScaledSquare(ops.scale(prescaled, 1 / norm), exponent, norm)


def warm_start_of(options: Options, given: Input) -> Array | None:
    """Check ``initial`` and bring it to the dtype of the computation."""
    if options.initial is None:
        return None
    X = options.initial
    if getattr(X, "shape", None) is None or tuple(X.shape) != tuple(given.A.shape):
        shape = getattr(X, "shape", None)
        raise ValueError(f"initial: expected an array of the shape of A, {tuple(given.A.shape)}, got {shape}")
    if type(X) is not type(given.A):
        raise TypeError(f"initial: expected an array of the library of A, got {type(X).__name__}")
    if given.ops.is_complex(X) and not given.ops.is_complex(given.A):
        raise TypeError(f"initial: expected a real array because A is real, got {X.dtype}")
    return given.ops.xp.astype(X, given.A.dtype)


def add_ridge(ops: Ops, A: Array, ridge: float, rng: Any) -> tuple[Array, Scalar | None]:
    """A + ridge max |lambda| I, and what was added."""
    if ridge == 0:
        return A, None
    with ops.quiet():
        shift = largest_eigenvalue(ops, A, np.random.default_rng(0 if rng is None else rng)) * ridge
        return ops.add_diagonal(A, shift), shift


def finish(
    function: SquareFunction, given: Input, scaled: ScaledSquare, started: Started, state: Any, hermitian: bool
) -> tuple[Array, ...]:
    """All values of a state, Hermitian to the last bit where A is, in the scale of A."""
    ops = given.ops
    values = function.values(started, state)
    if hermitian:
        values = tuple(ops.hermitian_part(Y) for Y in values)
    return tuple(scaled.back(ops, Y, power) for Y, power in zip(values, function.powers, strict=True))
