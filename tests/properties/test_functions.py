"""Do the functions of square matrices move with their matrix: similarity, scale, transposition, stacks, formats?

Two runs on matrices that differ by rounding differ by the condition number of the function times their documented error
8 (50 + sqrt n) eps; ``close`` allows that for both.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matfun
from matfun import ConvergenceError, ConvergenceWarning, Status
from matfun.providers import ops_for
from matfun.rules.rule import registered

EPS = float(np.finfo(np.float64).eps)

FUNCTIONS = {
    "sqrtm": ("sqrt", 0.5, matfun.sqrtm),
    "invsqrtm": ("sqrt", -0.5, matfun.invsqrtm),
    "signm": ("sign", 0.0, matfun.signm),
    "invm": ("inv", -1.0, matfun.invm),
    "invrootm 3": ("invroot", -1 / 3, lambda A, *a, **k: matfun.invrootm(A, 3, *a, **k)),
    "invrootm 4": ("invroot", -1 / 4, lambda A, *a, **k: matfun.invrootm(A, 4, *a, **k)),
    "invrootm 4/3": ("invroot", -3 / 4, lambda A, *a, **k: matfun.invrootm(A, Fraction(4, 3), *a, **k)),
}
ALL = [(name, method) for name, (problem, *_) in FUNCTIONS.items() for method in ["auto", *matfun.methods(problem)]]
ITERATIONS = [(name, method) for name, method in ALL if method not in ("auto", "lu", "schur", "eigh")]
NO_SCHEDULE = ("newton", "newton-schulz", "prism", "halley", "pade", "prism-newton", "iannazzo", "eigh")
UNSCHEDULED = [(name, method) for name, method in ALL if method in NO_SCHEDULE]

each = pytest.mark.parametrize(("name", "method"), ALL)
each_iteration = pytest.mark.parametrize(("name", "method"), ITERATIONS)
each_unscheduled = pytest.mark.parametrize(("name", "method"), UNSCHEDULED)
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def unitary(n, seed, *, is_complex=False):
    rng = np.random.default_rng([seed, 7])
    Z = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if is_complex else 0)
    return np.linalg.qr(Z)[0]


def definite(n=5, kappa=30.0, seed=0, *, is_complex=False):
    Q = unitary(n, seed, is_complex=is_complex)
    A = Q * np.geomspace(1 / kappa, 1, n) @ Q.conj().T
    return (A + A.conj().T) / 2


def general(n=5, seed=0, *, is_complex=False):
    """Eigenvalues near the positive axis, eigenvectors of condition below 10."""
    rng = np.random.default_rng([seed, 3])
    V = np.eye(n) + (rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if is_complex else 0)) / (3 * n)
    return V @ np.diag(np.linspace(1.0, 4, n)) @ np.linalg.inv(V)


def run(name, A, method="auto", **how):
    return FUNCTIONS[name][2](A, method, rng=0, full_output=True, **how)


def matrix_for(method, seed=0, *, is_complex=False):
    """A matrix that the method is meant for."""
    hermitian = method != "auto" and getattr(registered()[method].make(), "hermitian_only", ())
    if hermitian or method in ("polar-express", "chen-chow"):
        return definite(seed=seed, is_complex=is_complex)
    return general(seed=seed, is_complex=is_complex)


def close(X, Y, info, factor=2.0, eps=EPS):
    allowed = factor * 8 * (50 + X.shape[-1] ** 0.5) * eps * max(float(np.max(info.condition)), 1.0)
    assert np.linalg.norm(X - Y) <= allowed * np.linalg.norm(Y)


# ---- similarity, unitary equivalence, transposition ----------------------------------------------


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@each
def test_unitary_similarity(name, method, is_complex):
    Q = unitary(5, 1, is_complex=is_complex)
    for A in (matrix_for(method, is_complex=is_complex),):
        X, info = run(name, A, method)
        B = Q.conj().T @ A @ Q
        Y, _ = run(name, (B + B.conj().T) / 2 if np.array_equal(A, A.conj().T) else B, method)
        close(Y, Q.conj().T @ X @ Q, info)


@each_function
def test_similarity(name):
    for is_complex in (False, True):
        A = general(is_complex=is_complex)
        T = np.eye(5) + np.triu(np.ones((5, 5)), 1) / 4
        X, info = run(name, A)
        Y, other = run(name, np.linalg.inv(T) @ A @ T)
        close(Y, np.linalg.inv(T) @ X @ T, max(info, other, key=lambda i: i.condition), 2 * np.linalg.cond(T))


@pytest.mark.parametrize("is_complex", [False, True], ids=["real", "complex"])
@each
def test_transposition_and_conjugation(name, method, is_complex):
    A = matrix_for(method, is_complex=is_complex)
    X, info = run(name, A, method)
    close(run(name, A.T, method)[0], X.T, info)
    close(run(name, A.conj(), method)[0], X.conj(), info)
    close(run(name, A.conj().T, method)[0], X.conj().T, info)


@each
def test_a_function_of_a_commutes_with_a(name, method):
    A = matrix_for(method)
    X, info = run(name, A, method)
    close(X @ A, A @ X, info, 2 * np.linalg.norm(X) * np.linalg.norm(A) / np.linalg.norm(A @ X))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(FUNCTIONS)),
    st.integers(1, 8),
    st.floats(0, 8),
    st.booleans(),
    st.integers(0, 1000),
    st.sampled_from(["auto", "newton-schulz", "prism"]),
)
def test_definite_matrices_of_any_spectrum(name, n, log_kappa, is_complex, seed, method):
    # the error of A^(-3/4) is estimated from X^4 A^3, whose own rounding errors grow as kappa^3
    kappa = 10.0 ** (log_kappa / 4 if name == "invrootm 4/3" else log_kappa)
    A = definite(n, kappa, seed, is_complex=is_complex)
    X, info = run(name, A, method)
    assert info.ok
    assert np.array_equal(X, X.conj().T)
    w, V = np.linalg.eigh(A)
    s = FUNCTIONS[name][1]
    close(X, V * w**s @ V.conj().T, info)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(FUNCTIONS)), st.integers(1, 7), st.booleans(), st.integers(0, 1000))
def test_general_matrices_against_their_eigenvalues(name, n, is_complex, seed):
    A = general(n, seed, is_complex=is_complex)
    X, info = run(name, A)
    w, V = np.linalg.eig(A)
    s = FUNCTIONS[name][1]
    close(X, V * (w.astype(complex) ** s) @ np.linalg.inv(V), info, 4 * np.linalg.cond(V))


# ---- scale ---------------------------------------------------------------------------------------


@each
def test_scale(name, method):
    s = FUNCTIONS[name][1]
    A = matrix_for(method)
    X, info = run(name, A, method)
    for exponent in (-300, -20, 3, 300):
        Y, moved = run(name, 10.0**exponent * A, method)
        assert moved.status is info.status
        half = 10.0 ** (-s * exponent / 2)
        close(Y * half * half, X, info)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@each_function
def test_scale_in_single(name, dtype):
    s = FUNCTIONS[name][1]
    A = definite(is_complex=dtype == "complex64").astype(dtype)
    X, info = run(name, A)
    for exponent in (-30, -19, 7, 19, 30):
        Y, _ = run(name, (10.0**exponent * A.astype(complex if dtype == "complex64" else float)).astype(dtype))
        close(Y.astype(np.complex128) * 10.0 ** (-s * exponent), X, info, eps=float(np.finfo(dtype).eps))


def test_what_does_not_fit_is_said():
    # the inverse of 1e-310 is no double
    with pytest.raises(ConvergenceError):
        matfun.invm(np.eye(2) * 1e-310)


# ---- stacks --------------------------------------------------------------------------------------


@each_unscheduled
def test_a_stack_is_the_loop(name, method):
    # to rounding: NumPy sums the norm of a lone matrix in another order than those of a stack, so that the two scale
    # by numbers that differ in the last bit; within stacks of any shape no bit differs
    makers = [definite] if method == "eigh" else [definite, lambda seed: general(seed=seed)]
    for make in makers:
        A = np.stack([make(seed=seed) for seed in range(4)])
        X, info = run(name, A, method)
        folded, _ = run(name, A.reshape(2, 1, 2, 5, 5), method)
        assert np.array_equal(folded.reshape(X.shape), X)
        for i, a in enumerate(A):
            x, alone = run(name, a, method)
            close(X[i], x, alone)
            assert info.steps[i] == alone.steps
            assert info.status[i] is alone.status


GOOD = np.stack([definite(seed=seed) for seed in range(3)])
BAD = {
    "nan": np.full((5, 5), np.nan),
    "infinite": np.full((5, 5), np.inf),
    "indefinite": np.diag([1.0, 1, 1, 1, -1]),
    "negative": -np.eye(5),
    "singular": np.diag([1.0, 1, 1, 1, 0]),
    "zero": np.zeros((5, 5)),
}


@pytest.mark.parametrize("bad", BAD)
@each_unscheduled
def test_bad_members_change_no_bit_of_the_good_ones(name, method, bad):
    replaced = np.stack([GOOD[0], np.eye(5), GOOD[1], GOOD[2]])
    beside = replaced.copy()
    beside[1] = BAD[bad]
    expected, info = run(name, replaced, method)
    defined = name in ("signm", "invm") and bad in ("indefinite", "negative")
    defined = defined or (name == "sqrtm" and bad in ("singular", "zero"))
    if defined:
        X, other = run(name, beside, method, check_finite=False)
    else:
        with pytest.warns(ConvergenceWarning):
            X, other = run(name, beside, method, check_finite=False, on_failure="warn")
        assert not other.status[1].ok
    for i in (0, 2, 3):
        assert np.array_equal(X[i], expected[i])
        assert other.steps[i] == info.steps[i]
        assert other.status[i] is Status.CONVERGED
    if bad in ("nan", "infinite"):
        assert other.status[1] is Status.NOT_FINITE
        assert np.isnan(X[1]).all()


@pytest.mark.parametrize("bad", ["nan", "indefinite", "singular"])
@pytest.mark.parametrize("method", ["polar-express", "chen-chow", "qdwh", "zolotarev"])
def test_bad_members_do_not_move_a_schedule(method, bad):
    # a schedule follows the smallest eigenvalue of the stack: that of a member with an answer
    beside = np.stack([GOOD[0], BAD[bad], GOOD[1]])
    replaced = np.stack([GOOD[0], np.eye(5), GOOD[1]])
    expected = matfun.invsqrtm(replaced, method, rng=0)
    with pytest.warns(ConvergenceWarning):
        X = matfun.invsqrtm(beside, method, rng=0, check_finite=False, on_failure="warn")
    assert np.array_equal(X[[0, 2]], expected[[0, 2]])


@each_function
def test_hermitian_and_general_members_take_their_own_roads(name):
    A = np.stack([definite(), general(), definite(seed=1)])
    X, info = run(name, A)
    assert info.ok
    for i, a in enumerate(A):
        x, alone = run(name, a)
        close(X[i], x, alone)
    assert np.array_equal(X[0], X[0].T)
    assert np.array_equal(X[2], X[2].T)


# ---- manners -------------------------------------------------------------------------------------


@each
def test_inputs_are_not_modified(name, method):
    A = matrix_for(method)
    before = A.copy()
    X, _ = run(name, A, method)
    run(name, A, method, steps=2)
    assert np.array_equal(A, before)
    assert not np.shares_memory(X, A)
    if name != "signm":
        run(name, definite(), ridge=0.1)
        assert np.array_equal(definite(), definite())
    if name.startswith("inv"):
        start = FUNCTIONS[name][2](definite())
        kept = start.copy()
        run(name, definite(), "newton-schulz", initial=start)
        assert np.array_equal(start, kept)


def libraries():
    def numpy():
        return np

    return [
        pytest.param(numpy, id="numpy"),
        pytest.param(lambda: pytest.importorskip("array_api_strict"), id="strict"),
        pytest.param(lambda: pytest.importorskip("torch"), id="torch"),
        pytest.param(lambda: pytest.importorskip("jax.numpy"), id="jax"),
    ]


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("library", libraries())
@each_function
def test_library_dtype_and_device_out_as_in(name, library, dtype):
    xp = library()
    host = np.stack([definite(is_complex=dtype.startswith("c")), definite(seed=1)]).astype(dtype)
    A = xp.asarray(host)
    expected, info = run(name, host)
    eps = float(np.finfo(dtype).eps)
    for method in ("newton-schulz",):
        X, other = run(name, A, method)
        assert other.ok
        assert type(X) is type(A)
        assert X.dtype == A.dtype
        assert X.shape == A.shape
        assert getattr(X, "device", None) == getattr(A, "device", None)
        close(np.asarray(X), expected, info, 2 * 2**0.5, eps=eps)
        Y, fixed = run(name, A, method, steps=12)
        assert type(Y) is type(A)
        assert Y.dtype == A.dtype
        assert fixed.status is Status.UNCHECKED


@pytest.mark.parametrize("library", ["numpy", "torch", "jax.numpy"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@each_function
def test_16_bits_are_computed_in_float32(name, library, dtype):
    xp = pytest.importorskip(library)
    if library == "numpy" and dtype == "bfloat16":
        pytest.skip("NumPy has no bfloat16")
    single = xp.asarray(definite(kappa=10.0).astype(np.float32))
    A = single.to(getattr(xp, dtype)) if library == "torch" else single.astype(getattr(xp, dtype))
    widened = A.to(xp.float32) if library == "torch" else A.astype(xp.float32)
    for how in ({}, {"method": "newton-schulz"}, {"method": "newton-schulz", "steps": 6}):
        X, _ = FUNCTIONS[name][2](A, rng=0, full_output=True, **how)
        Y, _ = FUNCTIONS[name][2](widened, rng=0, full_output=True, **how)
        assert X.dtype == A.dtype
        Y = Y.to(X.dtype) if library == "torch" else Y.astype(X.dtype)
        assert bool((X == Y).all())


# ---- steps= --------------------------------------------------------------------------------------


class HostReachedError(Exception):
    pass


def blind(inner):
    """A provider that may not look at a value on the host."""

    def as_host(self, x):
        raise HostReachedError

    return type("Blind", (type(inner),), {"as_host": as_host})(inner.xp)


@pytest.mark.parametrize("library", libraries()[1:3])
@each_iteration
def test_fixed_steps_never_reach_the_host(name, method, library):
    xp = library()
    A = xp.asarray(np.stack([definite(seed=seed) for seed in range(2)]))
    ops = blind(ops_for(A))
    for how in ({}, {"hermitian": True}, *([{"ridge": 0.1}] if name != "signm" else [])):
        run(name, A, method, steps=3, backend=ops, **how)
    with pytest.raises(HostReachedError):
        run(name, A, method, backend=ops)


@each_iteration
def test_fixed_steps_go_where_the_free_run_goes(name, method):
    A = definite(kappa=5.0)
    X, info = run(name, A, method)
    Y, fixed = run(name, A, method, steps=45 if method in ("chen-chow", "polar-express") else 14)
    assert fixed.status is Status.UNCHECKED
    assert fixed.certificate is None
    close(Y, X, info)


def ready_for_tracing():
    return [(name, method) for name in FUNCTIONS for method in ("newton-schulz", "prism", "newton")
            if method in matfun.methods(FUNCTIONS[name][0])]  # fmt: skip


@pytest.mark.parametrize(("name", "method"), ready_for_tracing())
def test_jax_jit(name, method):
    jax = pytest.importorskip("jax")
    A = jax.numpy.asarray(np.stack([definite(3), definite(3, seed=1)]))
    call = lambda A: FUNCTIONS[name][2](A, method, steps=4, rng=0)  # noqa: E731
    X, Y = jax.jit(call)(A), call(A)
    np.testing.assert_allclose(X, Y, rtol=0, atol=1e4 * EPS * float(abs(Y).max()))
    with pytest.raises(ValueError, match=r"^steps: expected a number of steps"):
        jax.jit(lambda A: FUNCTIONS[name][2](A, method))(A)


@pytest.mark.parametrize(("name", "method"), ready_for_tracing())
def test_torch_compile(name, method):
    torch = pytest.importorskip("torch")
    import warnings

    A = torch.from_numpy(np.stack([definite(3), definite(3, seed=1)]))
    call = lambda A: FUNCTIONS[name][2](A, method, steps=4, rng=0)  # noqa: E731
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.script_method.*", category=DeprecationWarning)
        X = torch.compile(call, fullgraph=True, backend="eager")(A)
    torch.compiler.reset()
    Y = call(A)
    np.testing.assert_allclose(X, Y, rtol=0, atol=1e4 * EPS * float(abs(Y).max()))
