"""``polar`` of a matrix that is not in one place: A = Q R by passes over its blocks, and polar of the small R.

What is decided about the small matrix - method, rank, fallback - is decided by ``polar`` itself, called for R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from matfun.functions.accurate import CERTIFICATE_SLACK
from matfun.functions.certificate import CONFIDENCE, PROBE_FACTOR, PROBES, Kind
from matfun.functions.choose import choose_polar
from matfun.functions.failure import OnFailure, failed_members, raise_or_warn
from matfun.functions.inputs import Input
from matfun.functions.long_sums import long_product
from matfun.functions.row_factors import Look, RowFactors, factor_rows, first_look, identity_rows, same_rows
from matfun.functions.steps_spread import polar_steps_by_rows, widened
from matfun.functions.unitary import accuracy_limit
from matfun.ops import Array, Ops
from matfun.providers import ops_for
from matfun.result import Certificate, ConvergenceError, PolarResult, Status
from matfun.rules.rule import Rule, rule_for
from matfun.spread import Members, RowBlocks

InOnePlace = Callable[[Array, str, Any, OnFailure], PolarResult]
"""``polar`` of an array in one place, with the caller's options but for side, rng and on_failure."""


@dataclass(frozen=True)
class Asked:
    """What the caller of ``polar`` asked for."""

    side: str
    method: str | Rule
    tol: float | None
    steps: int | None
    rng: Any
    on_failure: OnFailure
    check_finite: bool
    certificate: Kind


def polar_spread(given: Input, spread: RowBlocks | Members, in_one_place: InOnePlace, asked: Asked) -> PolarResult:
    """``polar`` of a matrix in blocks of rows, or of the members of a stack that are at hand.

    Parameters
    ----------
    given : Input
    spread : RowBlocks or Members
    in_one_place : callable
    asked : Asked

    Raises
    ------
    ValueError
        For NaN and infinity, and for an H of the long side.
    ConvergenceError
        With ``on_failure="raise"``.
    """
    if isinstance(spread, Members):
        return _polar_of_members(spread, in_one_place, asked)
    expected = "left" if spread.wide else "right"
    if asked.side != expected:
        long = spread.shape[0]
        raise ValueError(
            f"side: expected {expected!r} for a matrix of shape {tuple(given.A.shape)} in blocks, because the H of the "
            f"other side is {long} x {long}; got {asked.side!r}"
        )
    on_failure: OnFailure = "svd" if asked.on_failure == "svd" else "raise"

    def small(R: Array, rng: Any) -> PolarResult:
        return in_one_place(R, "right", rng, on_failure)

    if 0 in spread.shape:
        return _empty(given, spread, small)
    if asked.steps is not None:
        name, rule = rule_for(choose_polar(given, asked.method, asked.steps), "polar")
        return polar_steps_by_rows(given, spread, small, name, rule, asked.steps, asked.rng)
    if asked.method != "auto":  # refused before anything is computed
        rule_for(asked.method, "polar")
    result = _polar_of_rows(*widened(given, spread), small, asked)
    bad = failed_members(result.info)
    if bad.any():
        goal = asked.tol or given.ops.eps(given.A.dtype) ** 0.5
        raise_or_warn("polar", result, result.info, bad, goal, asked.on_failure, stacklevel=4)
    return result


def _empty(given: Input, blocks: RowBlocks, small: Callable[[Array, Any], PolarResult]) -> PolarResult:
    """No elements: the small matrix is 0 x 0."""
    ops = ops_for(blocks.like)
    found = small(ops.eye(0, 0, blocks.like), None)
    assert found.info is not None
    U, H = blocks.map(partial(same_rows, ops)), blocks.replicate(found.H)
    return PolarResult.of(given.restore(U), given.restore(H), replace(found.info, backend=given.ops.name))


def _polar_of_members(members: Members, in_one_place: InOnePlace, asked: Asked) -> PolarResult:
    """``polar`` of what is at hand, which fails everywhere if it fails anywhere."""
    rng = members.agree_on_rng(asked.rng)
    failure: Exception | None = None
    try:
        found = in_one_place(members.local, asked.side, rng, asked.on_failure)
    except ValueError as error:
        failure = error
    except ConvergenceError as error:
        failure, found = error, error.result
    failures = members.gather(None if failure is None else (type(failure) is ConvergenceError, str(failure)))
    place = next((i for i, what in enumerate(failures) if what is not None), None)
    if failure is not None and not isinstance(failure, ConvergenceError):
        raise failure
    assert found.info is not None
    result = PolarResult.of(members.wrap(found.U), members.wrap(found.H), found.info)
    if place is None:
        return result
    converges, message = failures[place]
    if failure is None:
        message = f"{message} (part {place} of {len(failures)})"
    else:
        converges, message = True, str(failure)
    raise ConvergenceError(message, result) if converges else ValueError(message)


def _polar_of_rows(
    given: Input, blocks: RowBlocks, small: Callable[[Array, Any], PolarResult], asked: Asked
) -> PolarResult:
    """U in the blocks of A, and the H of the small side."""
    ops = ops_for(blocks.like)
    rng = np.random.default_rng(blocks.agree_on_rng(asked.rng))
    look = first_look(ops, blocks)
    finite = bool(ops.as_host(ops.all_finite(look.gram)))
    if asked.check_finite and not finite:
        raise ValueError("A: expected finite elements, got NaN or infinity")
    factors = factor_rows(ops, blocks, look, rng) if finite else _not_finite(ops, look)
    try:
        found = small(factors.R, rng)
    except ConvergenceError as error:
        found = error.result
    Y, H = blocks.agree(found.U, found.H)
    assert found.info is not None
    info = replace(
        found.info,
        backend=given.ops.name,
        products=found.info.products + factors.all_products,
        scale=found.info.scale * ops.power_of_two(look.exponent),
    )
    if finite:
        proof = certify_rows(ops, blocks, look, factors, Y, H, asked.certificate, rng)
        status = _status(info.status, proof, factors, blocks.shape, asked.tol, ops.eps(H.dtype))
        info = replace(info, certificate=proof, status=status)
    part, arrays = factors.product(ops, Y)
    U = blocks.map(part, *arrays)
    H = blocks.replicate(ops.times_power_of_two(H, look.exponent))
    return PolarResult.of(given.restore(U), given.restore(H), info)


def _not_finite(ops: Ops, look: Look) -> RowFactors:
    return RowFactors(
        partial(identity_rows, ops), (), (), ops.xp.full_like(look.gram, float("nan")), 1, completed=False
    )


def _status(
    found: Status, proof: Certificate, factors: RowFactors, shape: tuple[int, int], tol: float | None, eps: float
) -> Status:
    """Status of the small matrix, unless the certificate of the large one objects."""
    limit = max(tol or 0.0, accuracy_limit(shape[1], eps)) + eps * shape[0] ** 0.5
    if found.ok and not max(proof.backward_error, proof.orthogonality) <= CERTIFICATE_SLACK * limit:
        return Status.INACCURATE
    return Status.COMPLETED if found is Status.CONVERGED and factors.completed else found


def certify_rows(
    ops: Ops,
    blocks: RowBlocks,
    look: Look,
    factors: RowFactors,
    Y: Array,
    H: Array,
    kind: Kind,
    rng: np.random.Generator,
) -> Certificate:
    """Certificate of A = U H with U = Q Y, from one pass over A in which the rows of U are made and forgotten.

    Parameters
    ----------
    ops : Ops
        For the blocks.
    blocks : RowBlocks
    look : Look
    factors : RowFactors
    Y, H : array, shape (n, n)
        H of A 2^-exponent.
    kind : {"probes", "exact"}
    rng : numpy.random.Generator
    """
    n = blocks.shape[1]
    product, arrays = factors.product(ops, Y)
    if kind == "exact":
        w, factor, confidence, probes = ops.eye(n, n, H), 1.0, 1.0, None
    else:
        w = ops.normal(rng, (n, PROBES), H) * PROBES**-0.5
        factor, confidence, probes = PROBE_FACTOR, CONFIDENCE, PROBES
    part = partial(_errors_of_rows, ops, product)
    square, inner = blocks.total(part, look.exponent, w, ops.matmul(H, w), *arrays)
    gram = ops.xp.real(look.gram) if ops.is_complex(look.gram) else look.gram
    size = ops.positive_or_one(ops.trace(gram))
    return Certificate(
        float(ops.as_host(square / size)) ** 0.5,
        float(ops.as_host(ops.plain_norm_fro(inner - w))) / n**0.5,
        probes,
        factor,
        confidence,
    )


def _errors_of_rows(
    ops: Ops, product: Callable[..., Array], block: Array, start: int, *small: Array
) -> tuple[Array, Array]:
    """||A w - U H w||_F^2, and the block's part of U^H U w."""
    exponent, w, Hw, *arrays = small
    with ops.quiet():
        U = product(block, start, *arrays)
        difference = ops.matmul(ops.times_power_of_two(block, -exponent), w) - ops.matmul(U, Hw)
        return ops.dot(difference, difference), ops.adjoint(long_product(ops, ops.adjoint(ops.matmul(U, w)), U))
