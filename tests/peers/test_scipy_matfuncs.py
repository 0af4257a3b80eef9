"""Do the functions of square matrices pass what SciPy asks of its own (scipy/linalg/tests/test_matfuncs.py)?

The matrices and tolerances are SciPy's.  Where matfun chooses otherwise, docs/peers.md says why and a test says what.
"""

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg

import matfun
from matfun import ConvergenceError, Status

EPS = float(np.finfo(np.float64).eps)
GENERAL = ["auto", *(name for name in matfun.methods("sqrt") if name not in ("eigh", "window"))]
SAFE = ["auto", "schur", "newton", "prism-newton", "halley", "pade", "iannazzo", "qdwh", "zolotarev"]
"""Square roots that converge for every matrix without eigenvalues on the closed negative axis."""
SIGN = [name for name in matfun.methods("sign") if name not in ("eigh", "window")]
RATIONAL_SIGN = ["auto", "schur", "newton", "prism-newton", "halley", "pade"]
ROOTS = [
    name for name in matfun.methods("invroot") if name not in ("eigh", "polar-express", "window")
]  # for Hermitian matrices only


def limit(info, n):
    """Documented limit of the relative error: 8 times (50 + sqrt n) eps times the condition number."""
    return 8 * (50 + n**0.5) * EPS * max(float(info.condition), 1.0)


def root_is_right(A, R, info):
    """R^2 = A + 2 (error of R) ||R||, and the spectrum of R is in the right half-plane."""
    assert info.ok
    n = A.shape[-1]
    assert np.linalg.norm(R @ R - A) <= 2 * limit(info, n) * np.linalg.norm(R) ** 2
    assert np.linalg.eigvals(R).real.min() >= -limit(info, n) * np.linalg.norm(R, 2)


def power_is_right(A, X, info, s):
    """Agreement with SciPy's own power, which is allowed the same error."""
    assert info.ok
    expected = scipy.linalg.fractional_matrix_power(A, s)
    assert np.linalg.norm(X - expected) <= 2 * limit(info, A.shape[-1]) * np.linalg.norm(expected)


def right_or_said(call):
    """The answer, or None where a ``ConvergenceError`` says that there is none."""
    try:
        return call()
    except ConvergenceError as error:
        info = error.result.info if hasattr(error.result, "info") else error.result[1]
        assert not info.ok
        return None


# ---- square roots --------------------------------------------------------------------------------

e = 2.0**-5
DEFINED = {
    "bad (NA report 336)": np.array([[1.0, 0, 0, 1], [0, e, 0, 0], [0, 0, e, 0], [0, 0, 0, 1]]),
    "opposite signs": np.array([[2j, 4], [0, -2j]]),
    "rotation": np.array([[0.0, 1], [-1, 0]]),
    "0.94 (gh17918)": np.full((19, 19), 0.94) + 0.06 * np.eye(19),
    "gh23278": np.array([[1, 0, 0], [0, 1, -1j], [0, 1j, 2]]),
    "tiny": np.array([[1e-100]]),
    "shifted 7x7": 30.1 * np.eye(7)
    - np.array(
        [
            [-2.0, 25, 0, 0, 0, 0, 0],
            [0, -3, 10, 3, 3, 3, 0],
            [0, 0, 2, 15, 3, 3, 0],
            [0, 0, 0, 0, 15, 3, 0],
            [0, 0, 0, 0, 3, 10, 0],
            [0, 0, 0, 0, 0, -2, 25],
            [0, 0, 0, 0, 0, 0, -3],
        ]
    ),
}


@pytest.mark.parametrize("name", DEFINED)
@pytest.mark.parametrize("method", GENERAL)
def test_square_roots_that_exist(method, name):
    A = DEFINED[name]
    if method in SAFE:
        root_is_right(A, *matfun.sqrtm(A, method, rng=0, full_output=True))
        Z, info = matfun.invsqrtm(A, method, rng=0, full_output=True)
        assert np.linalg.norm(Z @ Z @ A - np.eye(len(A))) <= 2 * limit(info, len(A)) * (
            np.linalg.norm(Z) ** 2 * np.linalg.norm(A)
        )
    else:
        answer = right_or_said(lambda: matfun.sqrtm(A, method, rng=0, full_output=True))
        if answer is not None:
            root_is_right(A, *answer)


def test_bad_has_the_printed_root():
    expected = np.diag([1, e**0.5, e**0.5, 1])
    expected[0, 3] = 0.5
    for method in SAFE:
        np.testing.assert_allclose(matfun.sqrtm(DEFINED["bad (NA report 336)"], method), expected, rtol=0, atol=1e-14)


def test_opposite_signs_have_the_printed_root():
    for method in SAFE:
        R = matfun.sqrtm(DEFINED["opposite signs"], method)
        np.testing.assert_allclose(R, [[1 + 1j, 2], [0, 1 - 1j]], rtol=0, atol=100 * EPS)


@pytest.mark.parametrize("method", ["auto", *matfun.methods("sqrt")])
def test_real_stays_real(method):
    A = DEFINED["0.94 (gh17918)"]
    R, info = matfun.sqrtm(A, method, rng=0, full_output=True)
    assert R.dtype == np.float64
    root_is_right(A, R, info)
    assert np.array_equal(R, R.T)


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@pytest.mark.parametrize("method", ["auto", *matfun.methods("sqrt")])
def test_gh23278_in_both_precisions(method, dtype):
    A = DEFINED["gh23278"].astype(dtype)
    R = matfun.sqrtm(A, method, rng=0)
    assert R.dtype == A.dtype
    np.testing.assert_allclose(R @ R, A, rtol=0, atol=400 * float(np.finfo(dtype).eps))
    assert np.array_equal(R, R.conj().T)


def test_al_mohy_higham_experiment_1():
    # relative condition number 5e19: no normwise digit is certain, and that is said; the Schur method's answer, which
    # the structure makes right, travels with the error
    A = np.triu(np.full((4, 4), 3e4), 1) + np.diag([0.32346, 0.30089, 0.32210, 0.30744])
    with pytest.raises(ConvergenceError, match="ILL_CONDITIONED") as caught:
        matfun.sqrtm(A, "schur")
    R, info = caught.value.result
    assert info.condition * EPS > 1
    np.testing.assert_allclose(R @ R, A, rtol=1e-5, atol=1e-5)
    with pytest.warns(matfun.ConvergenceWarning, match="ILL_CONDITIONED"):
        R = matfun.sqrtm(A, "schur", on_failure="warn")
    np.testing.assert_allclose(R @ R, A, rtol=1e-5, atol=1e-5)
    for method in GENERAL[1:]:
        assert right_or_said(lambda method=method: matfun.sqrtm(A, method, rng=0, full_output=True)) is None
    # all eigenvalues are positive: the sign is I, which nobody can be sure of at this departure from normality
    answer = right_or_said(lambda: matfun.signm(A, "pade"))
    assert answer is None or np.allclose(answer, np.eye(4), rtol=0, atol=30 * EPS)


NO_ROOT = {
    "strictly triangular 4x4": np.triu(np.ones((4, 4)), 1),
    "one superdiagonal of three": np.diag([1.0, 1, 1], 1),
    "third superdiagonal": np.diag([1.0], 3),
    "0 2 2": np.array([[0.0, 2, 2], [0, 0, 0], [0, 0, 0]]),
    "nilpotent of order 2": np.array([[0.0, 1, 0], [0, 0, 0], [0, 0, 0]]),
    "2x2": np.array([[0.0, 1], [0, 0]]),
}


@pytest.mark.parametrize("name", NO_ROOT)
@pytest.mark.parametrize("method", GENERAL)
def test_nilpotents_without_a_root_end_in_an_error(method, name):
    # SciPy returns inf and nan, with a warning in one of the cases
    for function in (matfun.sqrtm, matfun.invsqrtm):
        with pytest.raises(ConvergenceError, match=r"SINGULAR|STAGNATED|NOT_FINITE|ILL_CONDITIONED"):
            function(NO_ROOT[name], method, rng=0)


@pytest.mark.parametrize(
    ("A", "R"),
    [
        (np.array([[1.0, 0, 0, 1], [0] * 4, [0] * 4, [1, 0, 0, 1]]), None),
        (np.diag([2.0, 1, 0]), np.diag([2**0.5, 1, 0])),
        (np.diag([1.0, 0, 0]), np.diag([1.0, 0, 0])),  # JAX, testSqrtmEdgeCase
        (np.diag([0, 4.0, 0]), np.diag([0, 2.0, 0])),
        (np.diag([0, 0, 0, 9.0]), np.diag([0, 0, 0, 3.0])),
        (np.diag([0, 0, 9.0, 0, 0, 4]), np.diag([0, 0, 3.0, 0, 0, 2])),
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros((6, 6)), np.zeros((6, 6))),
        (np.ones((2, 2)), np.full((2, 2), 0.5**0.5)),
    ],
)
@pytest.mark.parametrize("method", ["auto", *matfun.methods("sqrt")])
def test_singular_semidefinite_matrices_have_roots(method, A, R):
    X, info = matfun.sqrtm(A, method, rng=0, full_output=True)
    assert info.ok
    np.testing.assert_allclose(X @ X, A, rtol=0, atol=60 * EPS * np.linalg.norm(A))
    assert np.array_equal(X, X.T)
    assert np.linalg.eigvalsh(X).min() >= -60 * EPS * np.linalg.norm(X)
    if R is not None:
        np.testing.assert_allclose(X, R, rtol=0, atol=60 * EPS * np.linalg.norm(R))


# ---- where matfun chooses otherwise: docs/peers.md ------------------------------------------------


def test_real_input_does_not_turn_complex():
    # SciPy: complex result
    with pytest.raises(
        ValueError, match=r"^A: expected Hermitian positive definite .* smallest eigenvalue is -1\.000e"
    ):
        matfun.sqrtm(np.diag([1.0, -1.0]))
    with pytest.raises(ConvergenceError, match=r"eigenvalue -1\.000e.* from the closed negative axis"):
        matfun.sqrtm(np.array([[-1.0, 1], [0, 2]]))
    # nor does a complex dtype help on the cut, where the principal root is not defined
    with pytest.raises(ValueError, match="smallest eigenvalue is -1"):
        matfun.sqrtm(np.diag([1.0, -1.0]).astype(complex))


@pytest.mark.parametrize(
    "A",
    [
        np.array([[1.0, 1], [0, 0]]),
        np.array([[0, 0], [1j, 1j]]),
        np.array([[1.0, 0, 1], [0, 0, 0], [0, 0, 2]]),
    ],
)
@pytest.mark.parametrize("method", SAFE)
def test_singular_general_matrices_with_roots_are_refused(method, A):
    # a semisimple zero eigenvalue has a root, but in floating point it cannot be told from a defective one, which has
    # none, and no iteration has an inverse there
    with pytest.raises(ConvergenceError):
        matfun.sqrtm(A, method, rng=0)


def test_julia_1548_a_semisimple_zero_is_refused():
    X = np.random.default_rng(0).standard_normal((5, 5))
    A = X @ np.diag([0.0, 0, 0, 1, 2]) @ np.linalg.inv(X)
    with pytest.raises(ConvergenceError, match="closed negative axis"):
        matfun.sqrtm(A, "schur")
    with pytest.raises(ConvergenceError):
        matfun.sqrtm(np.array([[0.0, 1], [0, 0]]))


def test_elements_that_cannot_share_a_scale_are_refused():
    # Julia 40141: no balancing here, so that 1e-200 is lost beside 1e200
    with pytest.raises(ConvergenceError):
        matfun.sqrtm(np.array([[1, 1e200], [-1e-200, 1]]))


# ---- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64"])
def test_integers_become_float64(dtype):
    A = np.array([[1, 0], [1, 1]]).astype(dtype)
    for X in (matfun.sqrtm(A), matfun.signm(A), matfun.invrootm(A, 3), matfun.invm(A)):
        assert X.dtype == np.float64
    np.testing.assert_allclose(matfun.sqrtm(A), [[1, 0], [0.5, 1]], rtol=0, atol=30 * EPS)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_floats_keep_their_dtype(dtype):
    # SciPy returns float32 for float16; here the dtype that came goes back, computed in float32
    A = np.array([[2.0, 1], [0, 3]]).astype(dtype)
    for X in (matfun.sqrtm(A), matfun.signm(A), matfun.invrootm(A, 3), matfun.invm(A), *matfun.sqrtm_pair(A)):
        assert X.dtype == dtype
    exact = scipy.linalg.sqrtm(A.astype(complex))
    np.testing.assert_allclose(matfun.sqrtm(A), exact, rtol=0, atol=60 * float(np.finfo(dtype).eps))


FUNCTIONS = {
    "sqrtm": matfun.sqrtm,
    "invsqrtm": matfun.invsqrtm,
    "signm": matfun.signm,
    "invm": matfun.invm,
    "invrootm": lambda A, **how: matfun.invrootm(A, Fraction(4, 3), **how),
}
each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


@each_function
def test_memory_orders(function):
    rng = np.random.default_rng(0)
    big = rng.standard_normal((8, 8)) + 8 * np.eye(8)
    for A in (big[::2, ::2], big[::-1, ::-1][:4, :4], np.asfortranarray(big), big.T, big.astype(">f8")):
        before = A.copy()
        X = function(A, rng=0)
        np.testing.assert_allclose(X, function(np.ascontiguousarray(A, dtype=float), rng=0), rtol=0, atol=100 * EPS)
        assert np.array_equal(A, before)
    locked = big.copy()
    locked.flags.writeable = False
    function(locked)


@each_function
@pytest.mark.parametrize("shape", [(0, 0), (4, 0, 5, 5), (0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex64", "int64"])
def test_empty(function, shape, dtype):
    for how in ({}, {"steps": 2}, {"method": "newton-schulz"}):
        X, info = function(np.empty(shape, dtype), full_output=True, **how)
        assert X.shape == shape
        assert X.dtype == (np.float64 if dtype == "int64" else dtype)
        assert info.ok
    R, Z = matfun.sqrtm_pair(np.empty(shape, dtype))
    assert R.shape == Z.shape == shape


@each_function
def test_not_square(function):
    with pytest.raises(ValueError, match=r"^A: expected square matrices \(\.\.\., n, n\), got shape \(2, 3, 4\)"):
        function(np.ones((2, 3, 4)))


@each_function
def test_generic_batch(function):
    # scipy/linalg/tests/test_batch.py
    for is_complex in (False, True):
        A = np.random.default_rng(1).standard_normal((2, 3, 4, 4)) + 6 * np.eye(4)
        A = A + 1j * A[::-1, ::-1] if is_complex else A
        X, info = function(A, rng=0, full_output=True)
        assert X.shape == A.shape
        assert info.status.shape == (2, 3)
        for index in np.ndindex(2, 3):
            np.testing.assert_allclose(X[index], function(A[index], rng=0), rtol=0, atol=100 * EPS)


# ---- round trips ---------------------------------------------------------------------------------


def without_negative_eigenvalues(n, seed, *, is_complex):
    """A Gaussian matrix with no eigenvalue nearer to the negative axis than 0.1 of the largest modulus."""
    for offset in range(1000):
        rng = np.random.default_rng([seed, offset])
        A = rng.standard_normal((n, n))
        A = A + 1j * rng.standard_normal((n, n)) if is_complex else A
        w = np.linalg.eigvals(A)
        apart = np.where(w.real > 0, abs(w), abs(w.imag))
        if apart.min() > 0.1 * abs(w).max():
            return A
    raise AssertionError


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("method", SAFE)
def test_sqrtm_round_trips_at_scales(method, is_complex):
    for n in range(1, 6):
        A = without_negative_eigenvalues(n, n, is_complex=is_complex)
        for scale in np.geomspace(1e-4, 1e4, 5):
            R, info = matfun.sqrtm(scale * A, method, rng=0, full_output=True)
            root_is_right(scale * A, R, info)
            assert R.dtype == A.dtype


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("p", [1, 2, 3, 4])
def test_fractional_powers_round_trip(p, is_complex):
    for n in range(1, 6):
        A = without_negative_eigenvalues(n, n + 10, is_complex=is_complex)
        for scale in np.geomspace(1e-4, 1e4, 5):
            X, info = matfun.invrootm(scale * A, p, full_output=True)
            power_is_right(scale * A, X, info, -1 / p)
            product = np.linalg.matrix_power(X, p) @ (scale * A)
            allowed = p * limit(info, n) * np.linalg.norm(X) ** p * np.linalg.norm(scale * A)
            assert np.linalg.norm(product - np.eye(n)) <= 2 * allowed


@pytest.mark.parametrize("power", [Fraction(3, 4), Fraction(1, 5), Fraction(27, 5), Fraction(5, 3), Fraction(17, 8)])
@pytest.mark.parametrize("method", ["auto", *ROOTS])
def test_larger_fractional_powers(method, power):
    # A^-5.4 against the 27th power of A^-0.2, and their like; real and complex, defective too
    cases = [without_negative_eigenvalues(n, n + 20, is_complex=c) for n in (2, 3, 5) for c in (False, True)]
    for A in [*cases, np.array([[3.0, 1], [0, 3]])]:
        call = lambda A=A: matfun.invrootm(A, 1 / power, method, rng=0, full_output=True)  # noqa: E731
        answer = call() if method in ("auto", "schur") else right_or_said(call)
        if answer is not None:
            power_is_right(A, *answer, -float(power))


@pytest.mark.parametrize("method", ["auto", *matfun.methods("invroot")])
def test_fractional_powers_of_definite_matrices(method):
    rng = np.random.default_rng(3)
    for is_complex in (False, True):
        G = rng.standard_normal((5, 5)) + (1j * rng.standard_normal((5, 5)) if is_complex else 0)
        A = G @ G.conj().T + np.eye(5)
        for p in (3, 4, 5, 8, Fraction(4, 3), Fraction(5, 2)):
            X, info = matfun.invrootm(A, p, method, rng=0, full_output=True)
            power_is_right(A, X, info, -1 / float(p))
            assert np.array_equal(X, X.conj().T)
        for p in (1, 2, Fraction(2, 3), Fraction(1, 2)):  # these are served by the problems of "inv" and "sqrt"
            X, info = matfun.invrootm(A, p, "newton-schulz", full_output=True)
            power_is_right(A, X, info, -1 / float(p))


@pytest.mark.parametrize("power", [Fraction(17, 8), Fraction(27, 5), Fraction(5, 1)], ids=str)
def test_large_powers_of_definite_matrices_are_no_false_alarm(power):
    # condition numbers 49, 130 and 120; the answers are right to 2e-14
    G = np.random.default_rng(3).standard_normal((5, 5))
    A = G @ G.T + np.eye(5)
    X, info = matfun.invrootm(A, 1 / power, "newton-schulz", full_output=True)
    power_is_right(A, X, info, -float(power))


# ---- sign ----------------------------------------------------------------------------------------

DEFECTIVE_4 = np.array([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
SEVEN = 30.1 * np.eye(7) - DEFINED["shifted 7x7"]
NILS = np.array(
    [
        [29.2, -24.2, 69.5, 49.8, 7.0],
        [-9.2, 5.2, -18.0, -16.8, -2.0],
        [-10.0, 6.0, -20.0, -18.0, -2.0],
        [-9.6, 9.6, -25.5, -15.4, -2.0],
        [9.8, -4.8, 18.0, 18.2, 2.0],
    ]
)


def sign_is_right(A, S, info):
    """An involution that commutes with A, with as many eigenvalues 1 as A has in the right half-plane."""
    assert info.ok
    n = len(A)
    size = np.linalg.norm(S)
    assert np.linalg.norm(S @ S - np.eye(n)) <= 2 * limit(info, n) * size**2
    assert np.linalg.norm(A @ S - S @ A) <= 2 * limit(info, n) * size * np.linalg.norm(A)
    assert np.round(np.trace(S).real) == np.sum(np.sign(np.linalg.eigvals(A).real))


@pytest.mark.parametrize("A", [DEFECTIVE_4, SEVEN - np.eye(7), np.array([[2.0, 1], [0, 3]])], ids=["4x4", "7x7", "2x2"])
@pytest.mark.parametrize("method", ["auto", *SIGN])
def test_signs_that_exist(method, A):
    call = lambda: matfun.signm(A, method, rng=0, full_output=True)  # noqa: E731
    answer = call() if method in RATIONAL_SIGN else right_or_said(call)
    if answer is not None:
        sign_is_right(A, *answer)


def test_the_sign_of_the_defective_4x4():
    # A = [[B, E], [0, B]] has A^2 = [[I, I], [0, I]], hence sign(A) = A (A^2)^(-1/2) = A [[I, -I/2], [0, I]]
    expected = DEFECTIVE_4 @ (np.eye(4) - np.eye(4, k=2) / 2)
    for method in RATIONAL_SIGN:
        np.testing.assert_allclose(matfun.signm(DEFECTIVE_4, method), expected, rtol=0, atol=200 * EPS)


@pytest.mark.parametrize("method", ["auto", *(m for m in SIGN if m != "halley")])
def test_nils_has_no_sign(method):
    # eigenvalues 3, -2, i, -i, 0; SciPy counts the sign of +-i as 0 and returns an S with S^3 = S
    with pytest.raises(ConvergenceError) as caught:
        matfun.signm(NILS, method, rng=0)
    assert "from the imaginary axis" in str(caught.value)


@pytest.mark.parametrize("method", ["auto", *SIGN])
def test_the_7x7_has_no_sign(method):
    # one eigenvalue is 0 (the others are -3, -3, -2, -2, 2, 3)
    with pytest.raises(ConvergenceError):
        matfun.signm(SEVEN, method, rng=0)


@pytest.mark.parametrize("A", [[[2.0, 1], [0, 3]], [[2.0, 1], [0, 2]]])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_sign_keeps_the_dtype(dtype, A):
    for method in RATIONAL_SIGN:
        S = matfun.signm(np.array(A, dtype), method)
        assert S.dtype == dtype
        np.testing.assert_allclose(S, np.eye(2), rtol=0, atol=60 * float(np.finfo(dtype).eps))


# ---- Julia: LinearAlgebra.jl test/dense.jl, symmetric.jl -----------------------------------------

JULIA = {
    "3 2; -5 -3": [[3.0, 2], [-5, -3]],
    "4 2 0; 1 4 1; 1 1 4": [[4.0, 2, 0], [1, 4, 1], [1, 1, 4]],
    "like Hilbert's": scipy.linalg.hilbert(5)[1:, :4] + EPS * np.eye(4, k=3),
    "triu": [[1.0, 2, 3], [0, 4, 5], [0, 0, 6]],
    "defective": [[3.0, 1], [0, 3]],
    "complex": [[1 + 1j, 2, 3j], [0, 4 - 1j, 5], [0, 0, 6 + 2j]],
    "1e200": [[0, -1e200], [1e200, 0]],
    "1e-200": [[0, -1e-200], [1e-200, 0]],
}


@pytest.mark.parametrize("name", JULIA)
@pytest.mark.parametrize("method", SAFE)
def test_julias_square_roots(method, name):
    A = np.array(JULIA[name])
    R, info = matfun.sqrtm(A, method, rng=0, full_output=True)
    assert info.ok
    scale = 2.0 ** np.round(np.log2(np.max(abs(A))) / 2)
    R, A = R / scale, A / scale / scale
    assert np.linalg.norm(R @ R - A) <= 2 * limit(info, len(A)) * np.linalg.norm(R) ** 2


def test_julia_40141_next_to_the_branch_cut_is_said():
    # Julia answers; the condition number is 1/eps here, so that no digit of a backward stable answer is certain
    for method in SAFE:
        A = np.kron(np.eye(2), np.array([[-1, -EPS], [3 * EPS, -1]]))
        with pytest.raises(ConvergenceError, match="closed negative axis"):
            matfun.sqrtm(A, method, rng=0)
        A = np.kron(np.eye(2), np.array([[-1, -EPS], [EPS, -1]]))  # Hermitian to rounding, and taken as that
        with pytest.raises(ValueError, match="smallest eigenvalue is -1"):
            matfun.sqrtm(A, method, rng=0)


def test_julia_nearly_semidefinite():
    # rounding made the smallest eigenvalue of a product negative: below n eps it counts as zero
    X = np.random.default_rng(1).standard_normal((6, 4))
    A = X @ X.T
    A = (A + A.T) / 2
    for method in ("auto", *matfun.methods("sqrt")):
        R, info = matfun.sqrtm(A, method, rng=0, full_output=True)
        assert info.status in (Status.CONVERGED, Status.FELL_BACK)
        # eigenvalues within n eps of zero have a root within sqrt(n eps)
        np.testing.assert_allclose(R @ R, A, rtol=0, atol=100 * EPS * np.linalg.norm(A))


@pytest.mark.parametrize(
    "A",
    [
        np.array([[2.0, 0.3], [0.1, 5]]),
        np.array([[3.0, 1], [0, 3]]),
        np.array([[2, 1j], [-1j, 3]]),
        np.array([[1, 2 + 1j], [0.2, 3 - 1j]]),
        np.array([[1.0, 2, 0], [-2, 1, 0], [0, 1, 3]]),
    ],
)
def test_julias_power_identities(A):
    half, R = matfun.invrootm(A, 2), matfun.sqrtm(A)
    n = len(A)
    tolerance = 100 * n * EPS * np.linalg.cond(A) ** 2
    np.testing.assert_allclose(half @ R, np.eye(n), rtol=0, atol=tolerance)
    np.testing.assert_allclose(R @ R, A, rtol=0, atol=tolerance * np.linalg.norm(A))
    quarter, three = matfun.invrootm(A, 4), matfun.invrootm(A, Fraction(4, 3))
    np.testing.assert_allclose(quarter @ quarter @ quarter, three, rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        matfun.invrootm(A, Fraction(8, 9)),
        matfun.invrootm(A, 8) @ np.linalg.inv(A),
        rtol=0,
        atol=tolerance * np.linalg.norm(np.linalg.inv(A)) ** 2,
    )
    np.testing.assert_allclose(
        np.linalg.matrix_power(matfun.invrootm(A, 5), 5), np.linalg.inv(A), rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(matfun.invrootm(A, Fraction(1, 2)), np.linalg.inv(A @ A), rtol=0, atol=tolerance)
