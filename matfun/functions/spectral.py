"""``matfun.eigh_via_polar`` and ``matfun.svd_via_polar``: decompositions whose flops are those of polar factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from matfun.functions.inputs import Input, check_count, check_matrix, check_rng, finite_members
from matfun.functions.polar import polar
from matfun.functions.square_scaling import hermitian_part
from matfun.ops import Array, Ops
from matfun.result import Status
from matfun.rules.rule import Rule

EMPIRICAL_LEAF = 64
"""Blocks of at most this many columns go to the library's own routine."""

EMPIRICAL_TRIES = 4
"""Shifts, and bases of the invariant subspaces, that are tried before a block is given to the library's own routine."""

SPLIT_WITHIN = 10.0
"""Times sqrt(n) eps ||A||_F: what may be left of the off-diagonal block after a split."""


class EighResult(NamedTuple):
    """Eigenvalues, ascending, shape (..., n), and eigenvectors in columns, shape (..., n, n)."""

    eigenvalues: Any
    eigenvectors: Any


class SvdResult(NamedTuple):
    """Thin decomposition A = U diag(S) Vh: shapes (..., m, k), (..., k), (..., k, n); S descends."""

    U: Any
    S: Any
    Vh: Any


def eigh_via_polar(
    A: Any,
    method: str | Rule = "qdwh",
    *,
    leaf: int = EMPIRICAL_LEAF,
    rng: Any = None,
    backend: str | Ops | None = None,
) -> EighResult:
    r"""Eigendecomposition of a Hermitian matrix by spectral divide and conquer (QDWH-eig).

    The polar factor U of $A - \sigma I$ is its sign, $(U + I)/2$ the projector on the eigenvectors above $\sigma$; an
    orthonormal basis of the two subspaces splits A into two blocks, and so on.

    Parameters
    ----------
    A : array_like, shape (..., n, n)
        Hermitian; its Hermitian part is taken.  Never modified.  Members of a stack are split one by one.
    method : str or Rule
        Rule of the polar factors, a name from ``matfun.methods("polar")``.
    leaf : int
        Blocks of at most this many columns are given to the library's own ``eigh``.
    rng : numpy.random.Generator, seed or None
        Source of the bases.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    EighResult
        The pair (eigenvalues, eigenvectors), of A's library and device.

    Raises
    ------
    ValueError, TypeError
        For bad input, naming the argument.

    Notes
    -----
    About 27 n^3 flops for QDWH with the eigenvalues in the middle of each block, nearly all in products, QR and
    Cholesky factorisations.  Backward stable if the polar factors are.

    References
    ----------
    Nakatsukasa and Higham, SIAM J. Sci. Comput. 35(3), 2013.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> values, vectors = matfun.eigh_via_polar(np.array([[2.0, 1.0], [1.0, 2.0]]), leaf=1)
    >>> np.round(values, 12)
    array([1., 3.])
    """
    check_count("leaf", leaf, least=1)
    check_rng(rng)
    given = _square(check_matrix(A, backend))
    ops = given.ops
    generator = np.random.default_rng(rng)
    S = hermitian_part(ops, given.A)
    if 0 in S.shape:
        return EighResult(*ops.eigh(S))
    members = [_sorted(ops, *_split(ops, S[(*i, ...)], method, leaf, generator)) for i in np.ndindex(S.shape[:-2])]
    values, vectors = (ops.xp.stack([m[j] for m in members]) for j in (0, 1))
    values = ops.xp.reshape(values, S.shape[:-1])
    return EighResult(values, given.restore(ops.xp.reshape(vectors, S.shape)))


def _square(given: Input) -> Input:
    shape = tuple(given.A.shape)
    if shape[-1] != shape[-2]:
        raise ValueError(f"A: expected square matrices (..., n, n), got shape {shape}")
    if given.traced:
        raise ValueError("A: expected an array whose values are known while Python runs, got a traced or lazy one")
    finite_members(given.ops, given.A, required=True)
    return replace(given, A=given.ops.widen(given.A))


def _sorted(ops: Ops, values: Array, vectors: Array) -> tuple[Array, Array]:
    """In ascending order, which clusters on both sides of a shift lack by rounding."""
    order = ops.xp.argsort(values)
    return ops.xp.take(values, order), ops.xp.take(vectors, order, axis=-1)


def _split(ops: Ops, A: Array, method: str | Rule, leaf: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of one matrix, shape (n,) and (n, n)."""
    n = A.shape[-1]
    if n <= leaf:
        return ops.eigh(A)
    size, eps = float(ops.as_host(ops.norm_fro(A))), ops.eps(A.dtype)
    mean = float(np.real(ops.as_host(ops.trace(A)))) / n
    spread = float(ops.as_host(ops.norm_fro(ops.add_diagonal(A, -mean))))
    if spread <= eps * size:  # a multiple of the identity
        diagonal = ops.xp.linalg.diagonal(A)
        return (ops.xp.real(diagonal) if ops.is_complex(A) else diagonal), ops.eye(n, n, A)
    middle = float(np.median(np.real(np.diagonal(ops.as_host(A)))))
    for attempt in range(EMPIRICAL_TRIES):
        # the mean separates always, the median of the diagonal more evenly; then near it, off an eigenvalue
        shift = middle if attempt == 0 else mean + (attempt > 1) * 0.1 * float(rng.uniform(-1, 1)) * spread / n**0.5
        basis = _bases(ops, A, shift, method, rng)
        if basis is None:
            continue
        above, below = basis
        if float(ops.as_host(ops.norm_fro(_compress(ops, A, below, above)))) > SPLIT_WITHIN * n**0.5 * eps * size:
            continue
        parts = []
        for V in (below, above):
            values, vectors = _split(ops, ops.hermitian_part(_compress(ops, A, V, V)), method, leaf, rng)
            parts.append((values, ops.matmul(V, vectors)))
        return ops.xp.concat([p[0] for p in parts]), ops.xp.concat([p[1] for p in parts], axis=-1)
    return ops.eigh(A)


def _compress(ops: Ops, A: Array, V: Array, W: Array) -> Array:
    return ops.matmul(ops.adjoint(V), ops.matmul(A, W))


def _bases(
    ops: Ops, A: Array, shift: float, method: str | Rule, rng: np.random.Generator
) -> tuple[Array, Array] | None:
    """Orthonormal bases of the eigenvectors above and below the shift; None where it does not separate."""
    n = A.shape[-1]
    U, _, info = *(result := polar(ops.add_diagonal(A, -shift), method=method, rng=rng, on_failure="svd")), result.info
    assert info is not None
    if info.status is Status.COMPLETED:  # the shift is an eigenvalue
        return None
    P = ops.add_diagonal(ops.hermitian_part(U) * 0.5, 0.5)
    rank = round(float(np.real(ops.as_host(ops.trace(P)))))
    if not 0 < rank < n:
        return None
    start = ops.normal(rng, (n, n), A)
    for _ in range(2):  # the second time from a basis that is already nearly right
        PX = ops.matmul(P, start)
        start, _ = ops.qr(ops.xp.concat([PX[..., :rank], (start - PX)[..., rank:]], axis=-1))
    return start[..., :rank], start[..., rank:]


def svd_via_polar(
    A: Any,
    method: str | Rule = "qdwh",
    *,
    leaf: int = EMPIRICAL_LEAF,
    rng: Any = None,
    backend: str | Ops | None = None,
) -> SvdResult:
    r"""Thin singular value decomposition from the polar decomposition (QDWH-SVD): A = U H, H = V S V^H.

    Parameters
    ----------
    A : array_like, shape (..., m, n)
        Never modified.
    method : str or Rule
        Rule of the polar factors, a name from ``matfun.methods("polar")``.
    leaf : int
        Blocks of at most this many columns are given to the library's own ``eigh``.
    rng : numpy.random.Generator, seed or None
        Source of the bases.
    backend : str or Ops, optional
        Provider other than that of A's own library.

    Returns
    -------
    SvdResult
        The triple (U, S, Vh), S descending, of A's library and device.

    Raises
    ------
    ValueError, TypeError
        For bad input, naming the argument.

    Notes
    -----
    One polar decomposition, one eigendecomposition of the smaller side, one product.

    References
    ----------
    Higham and Papadimitriou (1994); Nakatsukasa and Higham, SIAM J. Sci. Comput. 35(3), 2013.

    Examples
    --------
    >>> import numpy as np, matfun
    >>> U, S, Vh = matfun.svd_via_polar(np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]))
    >>> np.round(S, 12)
    array([2., 1.])
    """
    check_count("leaf", leaf, least=1)
    check_rng(rng)
    given = check_matrix(A, backend)
    if given.traced:
        raise ValueError("A: expected an array whose values are known while Python runs, got a traced or lazy one")
    finite_members(given.ops, given.A, required=True)
    ops, X = given.ops, given.ops.widen(given.A)
    wide = X.shape[-2] < X.shape[-1]
    generator = np.random.default_rng(rng)
    W, H = polar(ops.adjoint(X) if wide else X, method=method, rng=generator, on_failure="svd", backend=backend)
    values, V = eigh_via_polar(H, method, leaf=leaf, rng=generator, backend=backend)
    V = ops.xp.flip(V, axis=-1)
    S = ops.xp.flip(values, axis=-1)
    S = ops.xp.where(S > 0, S, ops.xp.zeros_like(S))  # H is semidefinite to rounding
    U = ops.matmul(W, V)
    left, right = (V, ops.adjoint(U)) if wide else (U, ops.adjoint(V))
    return SvdResult(given.restore(left), S, given.restore(right))
