"""Functions on part of the eigenvalues: pseudo-inverses, and roots of singular semidefinite matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from matfun.functions.certificate import plain
from matfun.functions.failure import failed_members
from matfun.functions.square_function import Setting
from matfun.functions.square_run import SquareRun, merge
from matfun.functions.square_scaling import hermitian_part, scale_square
from matfun.ops import Array
from matfun.result import Info, Status
from matfun.rules.factorisations import Eigh


def by_eigenvalues(run: SquareRun, cutoff: float) -> tuple[tuple[Array, ...], Info]:
    """The function on the eigenvalues above cutoff times the largest, zero on the others."""
    function, ops = run.function, run.given.ops
    if not run.hermitian.all():
        raise ValueError("A: expected Hermitian matrices because of pinv=, got one that is not")
    if not any(function.powers):
        raise ValueError(f"pinv: expected None for {function.name}, which has no value on a null space")
    A = hermitian_part(ops, run.stand_in(run.A, run.finite))
    scaled = scale_square(ops, A, 1.0)
    values, Q = ops.eigh(scaled.A)
    size = ops.xp.max(ops.xp.abs(values), axis=-1, keepdims=True)
    kept = ops.xp.abs(values) > cutoff * size
    negative = np.asarray(ops.as_host(ops.xp.any(kept & (values < 0), axis=-1)))
    ones = ops.xp.ones_like(values)
    raw = []
    for power in function.powers:
        f = ops.xp.where(kept, ops.xp.abs(ops.xp.where(kept, values, ones)) ** power, 0 * ones)
        odd = power == round(power) and round(power) % 2 == 1  # the others are for positive eigenvalues
        f = f * (ops.xp.sign(values) if odd else ones)
        f = ops.xp.astype(f, Q.dtype)
        raw.append(ops.hermitian_part(ops.matmul(Q * f[..., None, :], ops.adjoint(Q))))
    # The certificate is that of the part that is kept, with the identity on the null space
    P = Q * ops.xp.astype(ops.xp.astype(kept, values.dtype), Q.dtype)[..., None, :]
    rest = ops.add_diagonal(-ops.matmul(P, ops.adjoint(P)), 1.0)
    whole = Setting(ops, scaled.A + rest, True, True, Eigh(), None, run.rng, None)
    proof, _ = run.certify(whole, tuple(X + rest for X in raw))
    result = tuple(scaled.back(ops, Y, p) for Y, p in zip(raw, function.powers, strict=True))
    status = np.full(run.finite.shape, Status.CONVERGED, dtype=object)
    everywhere = np.ones_like(run.finite)
    status = run.judge(status, proof, everywhere, run.representable(tuple(raw), result))
    definite = ~negative | (not function.needs_definite)
    result, status = run.mark_unsound(result, status, run.finite & definite, definite)
    zero = plain(np.zeros(run.finite.shape))
    info = Info(
        plain(status),
        "eigh",
        ops.name,
        plain(np.ones(run.finite.shape, dtype=int)),
        1,
        0,
        zero,
        proof,
        scaled.divisor(ops),
        ridge=run.ridge,
    )
    return tuple(run.given.restore(result[i]) for i in function.returned), info


def complete_semidefinite(
    run: SquareRun, values: tuple[Array, ...], info: Info, name: str
) -> tuple[tuple[Array, ...], Info]:
    """Square roots of singular semidefinite matrices, with zero for what rounding made of zero eigenvalues."""
    status = np.asarray(info.status, dtype=object)
    lost = np.asarray(((status == Status.INDEFINITE) | (status == Status.SINGULAR)) & run.hermitian & run.finite)
    if not lost.any():
        return values, info
    ops = run.given.ops
    with ops.quiet():
        A = ops.select(ops.from_host(lost, run.A, ops.xp.bool), run.A, ops.eye(run.A.shape[-1], run.A.shape[-1], run.A))
        other_run = SquareRun(run.function, replace(run.given, A=A), replace(run.options, ridge=0.0), run.finite)
        others, other = by_eigenvalues(other_run, A.shape[-1] * ops.eps(A.dtype))
        values, merged = merge(ops, (values, info), (others, other), lost)
    merged = replace(merged, method=info.method)
    status = np.array(merged.status, dtype=object)
    if name != "eigh":
        status[lost & ~failed_members(other)] = Status.FELL_BACK
    return values, replace(merged, status=plain(status))
