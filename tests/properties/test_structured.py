"""Whatever the structure of the matrix (size, spectrum, rank defect, scale, field), are the factors what they must be?

Structure is drawn, never raw elements: those would give well-conditioned matrices for ever.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matfun
from matfun.rules.rule import registered

METHODS = matfun.methods("polar")
CONVERGING = [name for name in METHODS if registered()[name].converges]

SPECTRA = {
    "flat": lambda k, _: np.ones(k),
    "logarithmic": lambda k, kappa: np.geomspace(1, 1 / kappa, k),
    "linear": lambda k, kappa: np.linspace(1, 1 / kappa, k),
    "one large": lambda k, kappa: np.append([1.0], np.full(k - 1, 1 / kappa))[:k],
    "one small": lambda k, kappa: np.append(np.ones(k - 1), [1 / kappa])[:k],
    "two clusters": lambda k, kappa: np.where(np.arange(k) < k // 2, 1.0, 1 / kappa),
    "power law": lambda k, kappa: np.maximum(np.arange(1.0, k + 1) ** -2, 1 / kappa),
}


@dataclass(frozen=True)
class Structure:
    m: int
    n: int
    kind: str
    log_kappa: float
    defect: int
    exponent: int
    is_complex: bool
    dtype: str
    seed: int

    def matrix(self):
        rng = np.random.default_rng(self.seed)
        k = min(self.m, self.n)
        s = SPECTRA[self.kind](k, 10.0**self.log_kappa)
        s[k - min(self.defect, k) :] = 0

        def factor(size):
            Z = rng.standard_normal((size, k))
            return np.linalg.qr(Z + 1j * rng.standard_normal((size, k)) if self.is_complex else Z)[0]

        A = np.ldexp(1.0, self.exponent) * (factor(self.m) * s @ factor(self.n).conj().T)
        single = {"float32": "complex64", "float64": "complex128"}[self.dtype] if self.is_complex else self.dtype
        return A.astype(single)


@st.composite
def structures(draw, largest=12):
    dtype = draw(st.sampled_from(["float32", "float64"]))
    # log_kappa beyond the precision makes numerically rank-deficient matrices of another kind than the defect
    digits, range_ = (9, 90) if dtype == "float32" else (18, 900)
    return Structure(
        m=draw(st.integers(1, largest)),
        n=draw(st.integers(1, largest)),
        kind=draw(st.sampled_from(sorted(SPECTRA))),
        log_kappa=draw(st.floats(0, digits)),
        defect=draw(st.sampled_from([0, 0, 0, 1, 2, 5, largest])),
        exponent=draw(st.integers(-range_, range_)),
        is_complex=draw(st.booleans()),
        dtype=dtype,
        seed=draw(st.integers(0, 2**16)),
    )


modest = settings(max_examples=60, deadline=None, derandomize=True)


def adjoint(X):
    return np.swapaxes(X, -1, -2).conj()


@pytest.mark.parametrize("method", ["auto", *CONVERGING])
@modest
@given(structure=structures(), side=st.sampled_from(["right", "left"]))
def test_polar(method, structure, side):
    A = structure.matrix()
    m, n = A.shape
    k = min(m, n)
    eps = float(np.finfo(A.dtype).eps)
    U, H = result = matfun.polar(A, side, method, rng=0)
    assert result.info.ok
    assert U.dtype == H.dtype == A.dtype

    # In double, after an exact division by the power of two.  LAPACK's factors are good to some ten units in the last
    # place, which the documented limit (12 + sqrt k) eps of an iteration covers with the slack 8 of the certificate.
    limit = (12 + k**0.5) * eps * (8 if method in ("auto", "svd") else 2)
    wide = complex if structure.is_complex else float
    scale = np.ldexp(1.0, -structure.exponent)
    A, U, H = A.astype(wide) * scale, U.astype(wide), H.astype(wide) * scale
    size = np.linalg.norm(A)
    gram = adjoint(U) @ U if m >= n else U @ adjoint(U)
    assert np.linalg.norm(gram - np.eye(k)) <= limit * k**0.5
    product = U @ H if side == "right" else H @ U
    assert np.linalg.norm(A - product) <= limit * max(size, 0)
    assert np.array_equal(H, adjoint(H))
    # H = U^H A rounds to k u ||A|| in every element, and so may have eigenvalues as far below zero
    assert np.linalg.eigvalsh(H).min() >= -(limit + max(m, n) * eps) * size
    # the singular values are those of A (Weyl)
    singular, of_h = np.linalg.svd(A, compute_uv=False), np.linalg.svd(H, compute_uv=False)
    assert np.max(np.abs(singular - of_h[:k])) <= (2 * limit + max(m, n) * eps) * size


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("newton", "prism-newton")])  # singular: no inverse
@modest
@given(structure=structures(), steps=st.integers(0, 12))
def test_orthogonalize(method, structure, steps):
    A = structure.matrix()
    eps = float(np.finfo(A.dtype).eps)
    X = matfun.orthogonalize(A, method, steps, rng=0)
    assert X.dtype == A.dtype
    assert X.shape == A.shape
    assert np.isfinite(X).all()
    if not A.any():
        assert not X.any()
        return
    wide = complex if structure.is_complex else float
    A, X = A.astype(wide) * np.ldexp(1.0, -structure.exponent), X.astype(wide)
    # no method exceeds 2, the worst of a minimax polynomial at its first step
    assert np.linalg.norm(X, 2) <= 2 + 100 * eps
    if steps == 0:  # the scaled start: spectral norm at most 1, parallel to A
        assert np.linalg.norm(X, 2) <= 1 + 20 * eps
        cosine = np.vdot(X, A).real / np.linalg.norm(X) / np.linalg.norm(A)
        assert cosine >= 1 - 20 * eps
    assert np.vdot(X, A).real > 0


@modest
@given(first=structures(), second=structures())
def test_a_stack_of_two_is_two_matrices(first, second):
    A = first.matrix()
    B = second.matrix()
    m, n = min(A.shape[0], B.shape[0]), min(A.shape[1], B.shape[1])
    with np.errstate(over="ignore"):  # a double scale in a single dtype
        other = (B[:m, :n] if A.dtype.kind == "c" else B[:m, :n].real).astype(A.dtype)
    pair = np.stack([A[:m, :n], other if np.isfinite(other).all() else np.zeros_like(other)])
    eps = float(np.finfo(pair.dtype).eps)
    for method in ("newton-schulz", "polar-express", "svd"):
        result = matfun.polar(pair, method=method, rng=0)
        for i in range(2):
            alone = matfun.polar(pair[i], method=method, rng=0)
            assert result.info.status[i] is alone.info.status
            # H is well conditioned (sqrt 2) whatever the matrix; U is not
            size = np.max(np.abs(pair[i]))
            np.testing.assert_allclose(result.H[i], alone.H, rtol=0, atol=200 * eps * size * max(m, n))


@modest
@given(structure=structures(largest=6), steps=st.integers(1, 8))
def test_simulate_is_what_the_matrix_does(structure, steps):
    # well inside the precision, where rounding does not decide
    k = min(structure.m, structure.n)
    s = SPECTRA[structure.kind](k, 10.0 ** min(structure.log_kappa, 3))
    s = s / np.linalg.norm(s)
    rng = np.random.default_rng(structure.seed)
    P, Q = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (structure.m, structure.n))
    for method in ("newton-schulz", "polar-express", "muon", "chen-chow"):
        X, info = matfun.orthogonalize(P * s @ Q.T, method, steps, full_output=True)
        # simulate starts where the matrix run starts: at A / scale
        curve = matfun.simulate(method, np.sort(s)[::-1] / float(info.scale), steps=steps)
        ours = np.sort(np.linalg.svd(X, compute_uv=False)[:k])
        # growth of at most 8.5 in the first and 4.3 in later steps, from rounding of 10 eps sum |c_i| <= 500 eps
        np.testing.assert_allclose(ours, np.sort(np.abs(curve.sigmas[-1])), rtol=0, atol=500 * 1e3 * 2.3e-16)
