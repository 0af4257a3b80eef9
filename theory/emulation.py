r"""Schedules in emulated arithmetic: every product rounded, and a search for the matrix on which that does most harm.

``run`` evaluates $X \leftarrow X h(X^T X)$ in the order of real libraries: the Gram product, the polynomial by
Paterson-Stockmeyer in blocks of two, the last product with $c_0 X$ added.  Sums of products are accumulated in float64
and rounded once.  Numbers of every format are held in float64.

* ``fused``: $\alpha AB + \beta C$ is rounded once (BLAS, cuBLAS).  Otherwise the product, its scaling, that of C and
  the sum are each rounded, as in the array API.
* tfloat32 rounds the operands of a product to 11 bits; what is stored is float32.  Rounding to nearest is assumed;
  hardware that truncates has twice the error.

``worst`` is the largest end value, and the least of the large singular values counted with the sign that they have in
$U^T X_T$ (U the polar factor of the start), over:

* 1 x 1 matrices: all numbers of bfloat16 or float16 in $[2^{-8}, 1]$, a sample in the others;
* n x n matrices with chosen spectra (all at 1, half at the first maximum or minimum of p, log-spaced, one value apart)
  in Haar and Hadamard bases;
* 2 x 2 matrices evolved towards harm.  Two singular values suffice to transport the rounding error of the top,
  $u A(1)$, to where p has its maximum or minimum, and entries of one size make the errors coherent.

Sources: formats, IEEE 754-2019; model of rounding, Higham, Accuracy and Stability of Numerical Algorithms, 2002, ch. 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrices = NDArray[np.float64]
Polynomials = Sequence[Sequence[float]]

FORMATS = {"bfloat16": (8, -126), "float16": (11, -14), "tfloat32": (11, -126), "float32": (24, -126)}
"""Significant bits, the hidden one included, and the least exponent of a normal number."""

LARGEST = {"float16": 65504.0}
"""Largest finite number where it is not that of the eight-bit exponent."""

GENERATIONS = 8
POPULATION = 2000
SURVIVORS = 30
"""Of the search: each measure of harm keeps that many matrices of a generation."""


def rounded(x: Matrices, name: str) -> Matrices:
    """Round to nearest even into a format: subnormals are kept, too large a number becomes infinite.

    Parameters
    ----------
    x : array
    name : {"bfloat16", "float16", "tfloat32", "float32"}

    Returns
    -------
    array of float64
    """
    digits, least = FORMATS[name]
    largest = LARGEST.get(name, 2.0**128 - 2.0 ** (128 - digits))
    spacing = np.ldexp(1.0, np.maximum(np.frexp(x)[1], least + 1) - digits)
    with np.errstate(over="ignore", invalid="ignore"):
        y = np.rint(x / spacing) * spacing
        return np.asarray(np.where(np.abs(y) > largest, np.copysign(np.inf, y), y), dtype=np.float64)


class Arithmetic:
    """The verbs of a step in one format."""

    def __init__(self, name: str, *, fused: bool) -> None:
        self.operands = name if name == "tfloat32" else None
        self.stored = "float32" if name == "tfloat32" else name
        self.fused = fused

    def store(self, X: Matrices) -> Matrices:
        """Round to what is kept."""
        return rounded(X, self.stored)

    def product(self, A: Matrices, B: Matrices) -> Matrices:
        """A B, accumulated in float64, not yet rounded."""
        if self.operands:
            A, B = rounded(A, self.operands), rounded(B, self.operands)
        if A.shape[-1] == 2:  # a stack of tiny products is slow
            return A[..., :, :1] * B[..., :1, :] + A[..., :, 1:] * B[..., 1:, :]
        return A @ B

    def add_matmul(self, C: Matrices, A: Matrices, B: Matrices, alpha: float, beta: float) -> Matrices:
        """Alpha A B + beta C."""
        if self.fused:
            return self.store(alpha * self.product(A, B) + beta * C)
        product = self.store(self.product(A, B))
        return self.store(self.store(alpha * product) + self.store(beta * C))

    def polynomial(self, S: Matrices, c: Sequence[float]) -> Matrices:
        """c_1 S + ... + c_q S^q, two coefficients to a block."""
        q = len(c) - 1
        if q == 1:
            return self.store(c[1] * S)
        if q == 2:
            return self.add_matmul(S, S, S, c[2], c[1])
        square = self.store(self.product(S, S))
        block = q - 1 - (q - 1) % 2
        high = self.store(c[block + 1] * S)
        if block + 2 == q:
            high = self.store(high + self.store(c[q] * square))
        for k in range(block, 0, -2):
            high = self.store(high + c[k] * np.eye(S.shape[-1]))
            high = self.store(self.product(square, high))
            high = self.store(high + self.store(c[k - 1] * S))
        return high

    def step(self, X: Matrices, c: Sequence[float]) -> Matrices:
        """X h(X^T X)."""
        gram = self.store(self.product(np.swapaxes(X, -1, -2), X))
        return self.add_matmul(X, X, self.polynomial(gram, c), 1.0, c[0])


def run(X: Matrices, polynomials: Polynomials, name: str, *, fused: bool = True) -> list[Matrices]:
    """States after every step.

    Parameters
    ----------
    X : array, shape (..., n, n)
        Rounded first.
    polynomials : sequence of sequences of float
        Gram basis: coefficients of x, x^3, ...
    name : {"bfloat16", "float16", "tfloat32", "float32"}
    fused : bool
        Whether a product and its sum are rounded once.

    Returns
    -------
    list of arrays, shape (..., n, n)
        With infinities and NaN where it overflowed.
    """
    arithmetic = Arithmetic(name, fused=fused)
    states = []
    X = arithmetic.store(X)
    with np.errstate(over="ignore", invalid="ignore"):
        for c in polynomials:
            X = arithmetic.step(X, c)
            states.append(X)
    return states


def singular_values(X: Matrices) -> Matrices:
    """Singular values, descending, shape (..., n); infinite for a matrix that is not finite."""
    bad = np.asarray(~np.isfinite(X).all(axis=(-1, -2)))
    s = np.linalg.svd(np.where(bad[..., None, None], 0, X), compute_uv=False)
    return np.where(bad[..., None], np.inf, s)


def with_sign(X: Matrices, Y: Matrices, floor: float) -> Matrices:
    """Least diagonal element of V^T U^T Y V, X = U S V^T in short, over singular values from floor on; shape (...)."""
    U, s, Vh = np.linalg.svd(X)
    bad = np.asarray(~np.isfinite(Y).all(axis=(-1, -2)))
    along = np.sum((np.swapaxes(U, -1, -2) @ np.where(bad[..., None, None], 0, Y)) * Vh, axis=-1)
    return np.where(bad, -np.inf, np.where(s >= floor, along, np.inf).min(axis=-1))


def turns(c: Sequence[float], upper: float) -> list[float]:
    """Zeros of p' in (0, upper), ascending."""
    roots = np.roots([(2 * i + 1) * v for i, v in enumerate(c)][::-1])
    real = roots.real[np.abs(roots.imag) <= 1e-7 * np.abs(roots)]
    return sorted(float(np.sqrt(y)) for y in real if 0 < y < upper**2)


def numbers(name: str) -> Matrices:
    """1 x 1 matrices, shape (N, 1, 1): all of a 16-bit format in [2^-8, 1], else a sample dense at 1."""
    digits = FORMATS[name][0]
    if name in ("bfloat16", "float16"):
        mantissas = np.arange(2 ** (digits - 1), 2**digits) / 2**digits
        x = np.append((mantissas * 2.0 ** -np.arange(8)[:, None]).ravel(), 1.0)
    else:
        x = 1 - np.append(np.geomspace(2.0**-digits, 1, 4000, endpoint=False), 0)
    return x[:, None, None]


def matrices(c: Sequence[float], n: int, rng: np.random.Generator) -> Matrices:
    """Matrices with chosen spectra, shape (N, n, n), n a power of 2; c are the coefficients of the first polynomial."""
    extremes = (turns(c, 1.0) or [0.5])[:2]
    half = np.arange(n) < n // 2
    spectra = [np.ones(n), np.geomspace(1, 1e-3, n)]
    for x in extremes:
        spectra += [np.where(half, 1, x), np.where(np.arange(n) < 1, x, 1), np.where(np.arange(n) < 1, 1, x)]
    hadamard = np.ones((1, 1))
    while len(hadamard) < n:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]]) / np.sqrt(2)
    haar = [np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(2)]
    pairs = [(hadamard, hadamard), (hadamard, haar[0]), (haar[0], haar[1]), (haar[0], haar[0])]
    return np.stack([U * s @ V.T for s in spectra for U, V in pairs])


def worst(polynomials: Polynomials, name: str, limit: float, *, fused: bool, n: int = 32) -> tuple[float, float]:
    """Largest end value and least signed end value of the large singular values.

    Parameters
    ----------
    polynomials : sequence of sequences of float
    name : str
    limit : float
        The search ends once the first exceeds this or the second is not positive.
    fused : bool
    n : int
        Size of the matrices with chosen spectra.

    Returns
    -------
    top, least : float
        "Large" is whatever the start has above half the first extremum of the first polynomial.
    """
    rng = np.random.default_rng(0)
    extremes = turns(polynomials[0], 1.0)
    floor = 0.5 * (extremes or [1.0])[0]
    top, least = -np.inf, np.inf
    for starts in (numbers(name), matrices(polynomials[0], n, rng)):
        end = run(starts, polynomials, name, fused=fused)[-1]
        top = max(top, float(singular_values(end).max()))
        least = min(least, float(with_sign(starts, end, floor).min()))
    X = first_generation(extremes or [1.0], rng)
    for _ in range(GENERATIONS):
        if top > limit or least <= 0:
            break
        X = X / np.maximum(singular_values(X)[:, :1, None], 1)
        states = run(X, polynomials, name, fused=fused)
        tops = [singular_values(Y)[:, 0] for Y in states]
        signed = [with_sign(X, Y, floor) for Y in states]
        top, least = max(top, float(tops[-1].max())), min(least, float(signed[-1].min()))
        kept = np.concatenate([np.argsort(-t)[:SURVIVORS] for t in tops] + [np.argsort(s)[:SURVIVORS] for s in signed])
        X = X[np.resize(kept, POPULATION)]
        size = 2.0 ** -rng.integers(2, 2 + FORMATS[name][0], size=(POPULATION, 1, 1))
        X = X * (1 + size * rng.standard_normal(X.shape))
    return top, least


def first_generation(extremes: Sequence[float], rng: np.random.Generator) -> Matrices:
    """2 x 2 matrices with one singular value at or near 1, the other anywhere or near an extremum; half are rotated."""
    near = rng.choice(extremes, POPULATION) * (1 + 0.03 * rng.standard_normal(POPULATION))
    other = np.clip(np.where(np.arange(POPULATION) % 3 == 0, rng.random(POPULATION), near), 0, 1)
    one = 1 - 0.05 * rng.random(POPULATION) ** 4 * (np.arange(POPULATION) % 4 > 0)
    X = np.array([[(one + other) / 2, (one - other) / 2], [(one - other) / 2, (one + other) / 2]]).transpose(2, 0, 1)
    angle = np.where(np.arange(POPULATION) % 2 == 0, 0, rng.uniform(0, 2 * np.pi, POPULATION))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    return np.asarray(turn @ X)
