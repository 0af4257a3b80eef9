"""Is every refusal and every failure of the functions of square matrices said, with the numbers that explain it?"""

import re
from fractions import Fraction

import numpy as np
import pytest

import matfun
from matfun import ConvergenceError, ConvergenceWarning, Status

EPS = float(np.finfo(np.float64).eps)
EYE = np.eye(2)

FUNCTIONS = {
    "sqrtm": matfun.sqrtm,
    "invsqrtm": matfun.invsqrtm,
    "sqrtm_pair": matfun.sqrtm_pair,
    "signm": matfun.signm,
    "invm": matfun.invm,
    "invrootm": lambda A, *a, **k: matfun.invrootm(A, 4, *a, **k),
}
PROBLEMS = {"sqrtm": "sqrt", "invsqrtm": "sqrt", "sqrtm_pair": "sqrt", "signm": "sign", "invm": "inv"}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_pinv = pytest.mark.parametrize("name", ["invsqrtm", "sqrtm_pair", "invm", "invrootm"])
each_ridge = pytest.mark.parametrize("name", ["sqrtm", "invsqrtm", "sqrtm_pair", "invm", "invrootm"])
each_initial = pytest.mark.parametrize("name", ["invsqrtm", "invm", "invrootm"])


def refused(call, error, *parts):
    """Refused with an error whose message begins with the first part and contains the others."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(parts[0]), message
    for part in parts[1:]:
        assert part in message, message


def info_of(result):
    return result.info if hasattr(result, "info") else result[1]


def definite(kappa, n=6, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    A = Q * np.geomspace(1 / kappa, 1, n) @ Q.T
    return (A + A.T) / 2


# ---- arguments -----------------------------------------------------------------------------------


@each_function
def test_shapes(name):
    f = FUNCTIONS[name]
    for shape in ((2, 3), (3, 2), (4, 2, 3), (0, 3)):
        refused(
            lambda shape=shape: f(np.ones(shape)), ValueError, "A: expected square matrices (..., n, n)", str(shape)
        )
    refused(lambda: f(np.ones(3)), ValueError, "A: expected at least two dimensions", "got shape (3,)")
    refused(lambda: f("abc"), TypeError, "A: expected an array of one library", "str")


@each_function
def test_not_finite(name):
    A = np.stack([EYE] * 3)
    A[1, 0, 1] = np.nan
    refused(lambda: FUNCTIONS[name](A), ValueError, "A: expected finite elements, got NaN or infinity", "[(1,)]")
    with pytest.raises(ConvergenceError, match="NOT_FINITE") as caught:
        FUNCTIONS[name](A, check_finite=False)
    assert list(info_of(caught.value.result).status) == [Status.CONVERGED, Status.NOT_FINITE, Status.CONVERGED]


@each_function
def test_choices_and_numbers(name):
    f = FUNCTIONS[name]
    # the fallback of the polar decomposition has another name
    refused(
        lambda: f(EYE, on_failure="svd"), ValueError, "on_failure: expected 'raise' or 'warn' or 'fallback', got 'svd'"
    )
    refused(lambda: f(EYE, certificate="both"), ValueError, "certificate: expected 'probes' or 'exact', got 'both'")
    refused(lambda: f(EYE, tol=0), ValueError, "tol: expected a number in (0, 1) or None, got 0")
    refused(lambda: f(EYE, steps=1.5), TypeError, "steps: expected an integer, got 1.5")
    refused(lambda: f(EYE, steps=-1), ValueError, "steps: expected at least 0, got -1")
    refused(lambda: f(EYE, tol=0.1, steps=1), ValueError, "tol, steps: expected at most one of the two")
    refused(lambda: f(EYE, max_steps=0), ValueError, "max_steps: expected at least 1, got 0")
    refused(lambda: f(EYE, rng="x"), TypeError, "rng: expected", "'x'")
    refused(lambda: f(EYE, hermitian=1), TypeError, "hermitian: expected True, False or None, got 1")
    refused(lambda: f(EYE, backend="nump"), ValueError, "backend: no provider is called 'nump'")
    with pytest.raises(TypeError, match="positional"):
        f(EYE, "auto", 1e-3)


@each_ridge
@pytest.mark.parametrize("bad", [-1e-3, 1, 2.0, True, "1e-3", None, float("nan"), 1j])
def test_ridge(name, bad):
    refused(
        lambda: FUNCTIONS[name](EYE, ridge=bad),
        ValueError,
        "ridge: expected a number in [0, 1), relative to the largest eigenvalue, got ",
        repr(bad),
    )


@each_pinv
@pytest.mark.parametrize("bad", [-1e-3, 1, 2.0, True, "1e-3", float("nan"), 1j])
def test_pinv(name, bad):
    refused(
        lambda: FUNCTIONS[name](EYE, pinv=bad),
        ValueError,
        "pinv: expected a number in [0, 1), relative to the largest eigenvalue, got ",
        repr(bad),
    )


@each_pinv
def test_pinv_needs_eigenvalues(name):
    f = FUNCTIONS[name]
    refused(lambda: f(EYE, pinv=1e-8, steps=3), ValueError, "pinv: expected None under steps=", "got 1e-08")
    A = np.array([[1.0, 1], [0, 2]])
    refused(lambda: f(A, pinv=1e-8), ValueError, "A: expected Hermitian matrices because of pinv=")


def test_functions_that_have_no_repair():
    for how in ({"pinv": 1e-8}, {"ridge": 1e-8}, {"initial": EYE}):
        with pytest.raises(TypeError, match="unexpected keyword"):
            matfun.signm(EYE, **how)
    for how in ({"pinv": 1e-8}, {"initial": EYE}):
        with pytest.raises(TypeError, match="unexpected keyword"):
            matfun.sqrtm(EYE, **how)


@pytest.mark.parametrize("bad", [2.0, 0.5, "2", None, True, [2], 1j, np.float64(2)])
def test_p_of_a_wrong_type(bad):
    refused(lambda: matfun.invrootm(EYE, bad), TypeError, "p: expected an integer or Fraction", repr(bad))


@pytest.mark.parametrize("bad", [0, -1, -2, 513, Fraction(0), Fraction(-1, 2), Fraction(1, 513), Fraction(1000, 7)])
def test_p_out_of_range(bad):
    refused(lambda: matfun.invrootm(EYE, bad), ValueError, "p: expected an integer or Fraction", f"got {bad!r}")


def test_p_of_any_integer_type():
    for p in (2, np.int64(2), np.uint8(2), Fraction(2), Fraction(4, 2)):
        np.testing.assert_allclose(matfun.invrootm(4 * EYE, p), EYE / 2, rtol=0, atol=10 * EPS)


@each_function
@pytest.mark.parametrize(("typo", "meant"), [("newton-shulz", "newton-schulz"), ("prisn", "prism")])
def test_unknown_methods(name, typo, meant):
    problem = PROBLEMS.get(name, "invroot")
    refused(
        lambda: FUNCTIONS[name](EYE, typo),
        ValueError,
        f"method: no method for {problem} is called {typo!r}; did you mean '{meant}'",
        *map(repr, matfun.methods(problem)),
    )
    refused(lambda: FUNCTIONS[name](EYE, 3), TypeError, "method: expected a name or an object with a 'next' method")


def test_methods_of_other_functions_are_not_offered():
    for name, method in (("invm", "newton"), ("signm", "qdwh"), ("invrootm", "chen-chow"), ("sqrtm", "svd")):
        refused(lambda name=name, method=method: FUNCTIONS[name](EYE, method), ValueError, "method: no method for")
    refused(lambda: matfun.methods("cube"), ValueError, "problem: expected ", "'inv'", "'sqrt'", "'sign'", "got 'cube'")


@each_function
def test_hermitian_that_is_not(name):
    A = np.array([[2.0, 1], [0, 3]])
    refused(
        lambda: FUNCTIONS[name](A, hermitian=True),
        ValueError,
        "A: expected Hermitian matrices because of hermitian=True, got one that is not",
    )
    if name != "invm":
        refused(
            lambda: FUNCTIONS[name](A, "eigh"),
            ValueError,
            "A: expected Hermitian matrices for method 'eigh', got one that is not",
        )
    # hermitian=False on a Hermitian matrix takes the general road, and is right
    B = np.array([[2.0, 1], [1, 2]])
    X, Y = (FUNCTIONS[name](B, hermitian=h) for h in (False, True))
    for x, y in zip(np.atleast_3d(np.asarray(X)), np.atleast_3d(np.asarray(Y)), strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=100 * EPS)


@each_function
def test_traced_without_steps(name):
    jax = pytest.importorskip("jax")
    with pytest.raises(ValueError, match=r"^steps: expected a number of steps, because the values of a traced"):
        jax.jit(lambda A: FUNCTIONS[name](A))(jax.numpy.eye(2))
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"^steps: expected a number of steps"):
        FUNCTIONS[name](torch.empty((2, 2), device="meta"))


# ---- no answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sqrtm", "invsqrtm", "sqrtm_pair", "invrootm"])
@pytest.mark.parametrize("method", ["auto", "newton-schulz", "prism", "eigh"])
def test_indefinite(name, method):
    A = np.diag([5.0, 1.0, -0.25])
    refused(
        lambda: FUNCTIONS[name](A, method),
        ValueError,
        f"A: expected Hermitian positive definite matrices for {name}, got one whose smallest eigenvalue is -2.500e-01 "
        "(largest 5.000e+00)",
        "ridge=",
    )
    stack = np.stack([[np.eye(3), np.eye(3)], [A, np.eye(3)]])
    refused(lambda: FUNCTIONS[name](stack, method), ValueError, "A: expected", "at (1, 0) of the stack", "-2.500e-01")
    with pytest.warns(ConvergenceWarning, match="INDEFINITE"):
        result = FUNCTIONS[name](stack, method, on_failure="warn", **({} if name == "sqrtm_pair" else FULL))
    status = info_of(result).status
    assert status[1, 0] is Status.INDEFINITE
    assert np.isnan(np.asarray(result[0])[1, 0]).all()
    assert all(s is Status.CONVERGED for s in status.ravel()[[0, 1, 3]])
    # the eigenvalues know no better: a fallback does not make a root
    refused(lambda: FUNCTIONS[name](A, method, on_failure="fallback"), ValueError, "A: expected Hermitian positive")


FULL = {"full_output": True}


@pytest.mark.parametrize("method", ["auto", "schur", "newton", "pade", "halley", "prism-newton"])
def test_sign_near_the_imaginary_axis(method):
    # eigenvalues 1e-17 +- i and 2, not normal
    T = np.array([[1.0, 0.5, 0], [0, 1, 0.5], [0, 0, 1]])
    A = T @ np.array([[1e-17, 1, 0], [-1, 1e-17, 0], [0, 0, 2]]) @ np.linalg.inv(T)
    with pytest.raises(ConvergenceError) as caught:
        matfun.signm(A, method)
    found = re.search(
        r"The eigenvalue \S+ is at (\S+) of the largest modulus from the imaginary axis", str(caught.value)
    )
    assert found
    assert float(found[1]) < 1e-14


def test_sign_on_the_imaginary_axis_is_never_given():
    accepted = []
    for A in ([[3.0, 2], [-5, -3]], *(skew(seed) for seed in range(12))):
        for method in matfun.methods("sign"):
            if method not in ("eigh", "window"):  # for Hermitian matrices only
                try:
                    matfun.signm(np.array(A), method, rng=0)
                    accepted.append(method)
                except ConvergenceError:
                    pass
    assert accepted == []


def skew(seed, n=4):
    """Similar to a skew-symmetric matrix: all eigenvalues are imaginary."""
    rng = np.random.default_rng(seed)
    K, V = rng.standard_normal((2, n, n))
    return V @ (K - K.T) @ np.linalg.inv(V)


@pytest.mark.parametrize("name", ["sqrtm", "invsqrtm", "invrootm"])
@pytest.mark.parametrize("method", ["auto", "schur", "newton-schulz"])
def test_roots_on_the_cut(name, method):
    A = np.array([[-2.0, 1, 0], [0, 1, 1], [0, 0, 4]])
    with pytest.raises(ConvergenceError) as caught:
        FUNCTIONS[name](A, method)
    message = str(caught.value)
    assert re.search(
        r"The eigenvalue -2\.000e\+00\S* is at 0\.0e\+00 of the largest modulus from the closed neg", message
    )


@pytest.mark.parametrize("method", ["auto", "lu", "newton-schulz", "prism"])
def test_inverse_of_singular_matrices(method):
    for A in (np.ones((2, 2)), np.array([[1.0, 2], [2, 4]]), np.zeros((3, 3)), np.triu(np.ones((3, 3)), 1)):
        with pytest.raises(ConvergenceError, match="SINGULAR") as caught:
            matfun.invm(A, method)
        assert "from zero" in str(caught.value) or "A is zero" in str(caught.value)


def test_zero():
    assert np.array_equal(matfun.sqrtm(np.zeros((3, 3))), np.zeros((3, 3)))
    for name in ("signm", "invm"):
        with pytest.raises(ConvergenceError, match="A is zero"):
            FUNCTIONS[name](np.zeros((3, 3)))
    for name in ("invsqrtm", "invrootm"):
        with pytest.raises(ValueError, match="smallest eigenvalue is 0"):
            FUNCTIONS[name](np.zeros((3, 3)))
        assert np.array_equal(FUNCTIONS[name](np.zeros((3, 3)), pinv=1e-8), np.zeros((3, 3)))


@pytest.mark.parametrize("method", ["auto", "eigh", "newton-schulz", "prism", "pade"])
@pytest.mark.parametrize("p", [3, 4, 8])
def test_kappa_1e8_in_float32_is_flagged(method, p):
    A = definite(1e8).astype(np.float32)
    with pytest.raises((ConvergenceError, ValueError)) as caught:
        matfun.invrootm(A, p, method, rng=0)
    assert "smallest eigenvalue" in str(caught.value) or re.search("ILL_COND|SINGULAR|STAGN|INACC", str(caught.value))
    with pytest.raises((ConvergenceError, ValueError)):
        matfun.invsqrtm(A, rng=0)
    _, info = matfun.invrootm(definite(1e8), p, full_output=True)  # in double it is nothing special
    assert info.ok
    assert info.condition * np.finfo(np.float32).eps > 0.25


def test_wrong_branch():
    # h = -1 takes the other root: Y = Z = -I satisfies every equation
    class OtherRoot:
        def next(self, view):
            return matfun.Polynomial((-1.0,) if view.step == 0 else (1.0, 0.5))

    for A in (np.diag([1.0, 0.9, 0.8]), np.eye(3) + 0.1 * np.eye(3, k=1)):
        with pytest.raises(ConvergenceError, match="WRONG_BRANCH") as caught:
            matfun.sqrtm(A, OtherRoot())
        R, info = caught.value.result
        assert info.status is Status.WRONG_BRANCH
        np.testing.assert_allclose(R @ R, A, rtol=0, atol=100 * EPS)
        R, info = matfun.sqrtm(A, OtherRoot(), on_failure="fallback", full_output=True)
        assert info.status is Status.FELL_BACK
        np.testing.assert_allclose(R, matfun.sqrtm(A), rtol=0, atol=100 * EPS)


def test_max_steps_and_stagnation():
    A = definite(1e4)
    with pytest.raises(ConvergenceError, match="MAX_STEPS") as caught:
        matfun.sqrtm(A, "newton-schulz", max_steps=2)
    R, info = caught.value.result
    assert info.steps == 2
    assert np.isfinite(R).all()
    assert "sqrtm with method 'newton-schulz' did not reach a residual of" in str(caught.value)
    assert f"after {info.steps} steps" in str(caught.value)

    class Nothing:
        def next(self, view):
            return matfun.Polynomial((2.0, -1.0) if view.step % 2 else (0.5, 0.0))

    with pytest.raises(ConvergenceError):
        matfun.sqrtm(A, Nothing(), max_steps=60)


@each_function
def test_fallback_and_warn(name):
    A = definite(1e4)
    full = {} if name == "sqrtm_pair" else FULL
    result = FUNCTIONS[name](A, "newton-schulz", max_steps=2, on_failure="fallback", **full)
    info = info_of(result)
    assert info.status is Status.FELL_BACK
    assert info.ok
    expected = FUNCTIONS[name](A)
    expected = expected[0] if name == "sqrtm_pair" else expected
    assert np.linalg.norm(result[0] - expected) <= 1e4 * 100 * EPS * np.linalg.norm(expected)
    with pytest.warns(ConvergenceWarning, match="MAX_STEPS"):
        result = FUNCTIONS[name](A, "newton-schulz", max_steps=2, on_failure="warn", **full)
    assert info_of(result).status is Status.MAX_STEPS
    # a stack: only the member that failed is computed again
    stack = np.stack([np.eye(6), A])
    result = FUNCTIONS[name](stack, "newton-schulz", max_steps=6, on_failure="fallback", **full)
    assert list(info_of(result).status) == [Status.CONVERGED, Status.FELL_BACK]


@pytest.mark.parametrize("status", [s for s in Status if not s.ok])
def test_every_status_says_what_to_do(status):
    assert re.search(r"use |give |take |raise |compute |[Cc]heck |tolerance", status.value)


# ---- initial -------------------------------------------------------------------------------------


@each_initial
def test_initial_accepted_and_rejected(name):
    f = FUNCTIONS[name]
    A = definite(100.0)
    exact = f(A)
    cold, first = f(A, "newton-schulz", full_output=True)
    X, info = f(A, "newton-schulz", initial=exact, full_output=True)
    assert bool(info.warm_start) is True
    assert info.steps < first.steps
    # accepted on one side, rejected on the other: far away, or (but for the inverse) not a function of A
    for bad in (100 * exact, np.full_like(A, 3.0)):
        Y, info = f(A, "newton-schulz", initial=bad, full_output=True)
        assert bool(info.warm_start) is False
        assert info.steps == first.steps
        assert np.linalg.norm(Y - cold) <= 1e2 * 100 * EPS * np.linalg.norm(exact)
    if name == "invm":
        assert bool(f(A, "newton-schulz", initial=-exact, full_output=True)[1].warm_start) is False
    else:  # near another root of an even order: it passes the test, and the branch is looked at in the end
        with pytest.raises(ConvergenceError, match="WRONG_BRANCH"):
            f(A, "newton-schulz", initial=-exact)
    crooked = exact.copy()
    crooked[0, 1] += 1e-4 * np.max(exact)
    Y, info = f(A, "newton-schulz", initial=crooked, full_output=True)
    assert info.ok
    assert bool(info.warm_start) is (name == "invm")
    limit = 1e2 * 100 * EPS * np.linalg.norm(exact)
    for Z in (X, Y):
        assert np.linalg.norm(Z - exact) <= limit
    assert f(A, "newton-schulz", full_output=True)[1].warm_start is None


@each_initial
def test_initial_per_member_and_under_steps(name):
    f = FUNCTIONS[name]
    A = np.stack([definite(100.0), definite(100.0, seed=1)])
    exact = f(A)
    mixed = np.stack([exact[0], 100 * exact[1]])
    X, info = f(A, "newton-schulz", initial=mixed, full_output=True)
    assert list(info.warm_start) == [True, False]
    assert np.linalg.norm(X - exact) <= 1e2 * 100 * EPS * np.linalg.norm(exact)
    Y, info = f(A, "newton-schulz", initial=exact, steps=1, full_output=True)
    assert np.linalg.norm(Y - exact) <= 1e2 * 100 * EPS * np.linalg.norm(exact)
    assert list(info.warm_start) == [True, True]


@each_initial
def test_initial_that_does_not_fit(name):
    f = FUNCTIONS[name]
    torch = pytest.importorskip("torch")
    for how in ({}, {"steps": 2}):
        refused(
            lambda how=how: f(EYE, "newton-schulz", initial=np.eye(3), **how),
            ValueError,
            "initial: expected an array of the shape of A, (2, 2), got (3, 3)",
        )
        refused(
            lambda how=how: f(EYE, "newton-schulz", initial=[[1.0, 0], [0, 1]], **how),
            ValueError,
            "initial: expected an array of the shape of A, (2, 2), got None",
        )
        refused(
            lambda how=how: f(EYE, "newton-schulz", initial=torch.eye(2), **how),
            TypeError,
            "initial: expected an array of the library of A, got Tensor",
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@each_initial
def test_initial_that_is_not_finite_is_rejected(name, bad):
    X, info = FUNCTIONS[name](definite(10.0), "newton-schulz", initial=np.full((6, 6), bad), full_output=True)
    assert bool(info.warm_start) is False
    assert info.ok
    assert np.isfinite(X).all()


# ---- what the certificate says -------------------------------------------------------------------


@each_function
@pytest.mark.parametrize("certificate", ["probes", "exact"])
def test_condition_and_forward_error(name, certificate):
    full = {} if name == "sqrtm_pair" else FULL
    for kappa in (10.0, 1e6, 1e10):
        A = definite(kappa)
        result = FUNCTIONS[name](A, "newton-schulz", certificate=certificate, rng=0, **full)
        info = info_of(result)
        w, V = np.linalg.eigh(A)
        s = {"sqrtm": 0.5, "sqrtm_pair": 0.5, "invsqrtm": -0.5, "signm": 0.0, "invm": -1.0, "invrootm": -0.25}[name]
        exact = V * w**s @ V.T
        error = np.linalg.norm(result[0] - exact) / np.linalg.norm(exact)
        # A itself is known to eps only
        assert error <= 8 * info.forward_error + 8 * EPS * info.condition
        assert (info.certificate.probes is None) is (certificate == "exact")
        assert info.distance == pytest.approx(1 / kappa, rel=0.2)


def test_under_steps_nothing_can_fail():
    for f in FUNCTIONS.values():
        for A in (np.diag([1.0, -1.0]), np.zeros((2, 2)), np.array([[0.0, 1], [0, 0]]), np.full((2, 2), np.nan)):
            with np.errstate(all="ignore"):
                result = f(A, "newton-schulz", steps=3, **({} if f is matfun.sqrtm_pair else FULL))
            assert info_of(result).status is Status.UNCHECKED
