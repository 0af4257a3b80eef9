"""Does every refusal name the argument, what was expected and what came, whatever is wrong and wherever it is given?"""

import re
import warnings
from fractions import Fraction

import numpy as np
import pytest

import matfun

EYE = np.eye(2)


def assert_refused(call, error, *parts):
    """Refused with an error whose message begins with the first part and contains the others."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(parts[0]), message
    for part in parts[1:]:
        assert part in message


VERBS = {
    "polar": matfun.polar,
    "polar with steps": lambda A, **kw: matfun.polar(A, steps=2, **kw),
    "orthogonalize": matfun.orthogonalize,
}
each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


# ---- A -------------------------------------------------------------------------------------------


@each_verb
@pytest.mark.parametrize(
    ("given", "shape"),
    [
        (3.0, "()"),
        (2, "()"),
        (1j, "()"),
        (np.float64(3), "()"),
        ([], "(0,)"),
        ([1.0, 2.0], "(2,)"),
        (np.ones(3), "(3,)"),
    ],
)
def test_fewer_than_two_dimensions(verb, given, shape):
    assert_refused(
        lambda: verb(given), ValueError, "A: expected at least two dimensions (..., m, n)", f"got shape {shape}"
    )


@each_verb
@pytest.mark.parametrize("given", [None, "abc", b"abc", {}, {1}, range(3), object(), len, EYE.tolist, memoryview(EYE)])
def test_what_is_no_array(verb, given):
    assert_refused(lambda: verb(given), TypeError, "A: expected an array of one library", type(given).__name__)


@each_verb
@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([["a", "b"]], "<U1"),
        (np.array([[b"a"]]), "|S1"),
        (np.array([[1, 2]], "M8[s]"), "datetime64[s]"),
        (np.array([[1, 2]], "m8[s]"), "timedelta64[s]"),
        (EYE.astype(np.longdouble), str(np.dtype(np.longdouble))),
        (EYE.astype(np.clongdouble), str(np.dtype(np.clongdouble))),
        (np.zeros((2, 2), [("x", float)]), "('x', '<f8')"),
    ],
    ids=lambda x: str(x)[:20],
)
def test_elements_that_cannot_be_multiplied(verb, given, dtype):
    assert_refused(lambda: verb(given), TypeError, "A: expected a real or complex floating dtype", dtype)


@each_verb
def test_bfloat16_in_numpy(verb):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    given = EYE.astype(ml_dtypes.bfloat16)
    assert_refused(lambda: verb(given), TypeError, "A: expected a real or complex floating dtype", "bfloat16")


@each_verb
def test_objects_that_are_no_numbers(verb):
    for junk in (None, object(), "x", len, {}):
        given = np.full((2, 2), 1.0, dtype=object)
        given[1, 0] = junk
        assert_refused(lambda given=given: verb(given), TypeError, "A: expected")


def test_objects_that_mpmath_understands_are_welcome():
    given = np.array([[Fraction(3), 0], [0, 4.0]], dtype=object)
    U, H = matfun.polar(given)
    assert abs(U - np.eye(2)).max() < 1e-14
    assert abs(H - np.diag([3, 4])).max() < 1e-14


@each_verb
def test_ragged_lists(verb):
    for ragged in ([[1, 2], [3]], [[1, 2], 3], [[[1]], [2]]):
        assert_refused(lambda ragged=ragged: verb(ragged), ValueError, "A: expected")


@each_verb
def test_masked_arrays(verb):
    for mask in (False, EYE > 0):
        given = np.ma.masked_array(EYE, mask=mask)
        assert_refused(
            lambda given=given: verb(given), TypeError, "A: expected an array without a mask", "masked array"
        )


@each_verb
def test_sparse_matrices(verb):
    sparse = pytest.importorskip("scipy.sparse")
    for make in (sparse.csr_matrix, sparse.csr_array):
        given = make(EYE)
        assert_refused(
            lambda given=given: verb(given), TypeError, "A: expected an array of one library", type(given).__name__
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, complex(0, np.nan), complex(np.inf, 0)])
def test_nan_and_infinity(value):
    A = np.eye(3, dtype=complex if isinstance(value, complex) else float)
    A[1, 2] = value
    assert_refused(lambda: matfun.polar(A), ValueError, "A: expected finite elements", "got NaN or infinity")
    for dtype in ("float32", "float16") if not isinstance(value, complex) else ("complex64",):
        assert_refused(lambda dtype=dtype: matfun.polar(A.astype(dtype)), ValueError, "A: expected finite elements")


def test_nan_in_a_stack_says_where():
    A = np.ones((2, 3, 2, 2))
    A[0, 2, 1, 1] = np.nan
    A[1, 0, 0, 0] = np.inf
    assert_refused(lambda: matfun.polar(A), ValueError, "A: expected finite elements", "[(0, 2), (1, 0)]")


def test_many_nans_do_not_flood_the_message():
    A = np.full((100, 2, 2), np.nan)
    with pytest.raises(ValueError) as caught:
        matfun.polar(A)
    assert len(str(caught.value)) < 200


def test_nan_in_other_libraries():
    torch = pytest.importorskip("torch")
    jnp = pytest.importorskip("jax.numpy")
    for A in (torch.full((2, 2), float("nan")), jnp.full((2, 2), jnp.inf)):
        assert_refused(lambda A=A: matfun.polar(A), ValueError, "A: expected finite elements")


# ---- choices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["up", "Right", "", None, 1, EYE, [], ("right", "left")], ids=lambda x: type(x).__name__
)
@pytest.mark.parametrize(
    ("argument", "choices"),
    [
        ("side", ("'right'", "'left'")),
        ("on_failure", ("'raise'", "'warn'", "'svd'")),
        ("certificate", ("'probes'", "'exact'")),
    ],
)
def test_choices(argument, choices, bad):
    call = lambda: matfun.polar(EYE, **{argument: bad})  # noqa: E731
    assert_refused(call, ValueError, f"{argument}: expected {' or '.join(choices)}, got ", repr(bad))


# ---- tol, steps, max_steps -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [0, 0.0, 1, 1.0, -1e-3, 2, float("nan"), float("inf"), "1e-3", 1e-3j, [1e-3], True, EYE]
)
def test_tol(bad):
    assert_refused(
        lambda: matfun.polar(EYE, tol=bad), ValueError, "tol: expected a number in (0, 1) or None, got ", repr(bad)
    )


def test_tolerances_that_are_numbers():
    for good in (1e-3, np.float64(1e-3), np.float32(1e-3)):
        assert matfun.polar(EYE, tol=good).info.ok


@pytest.mark.parametrize("bad", [1.0, 2.5, "3", [3], True, np.float64(3), float("nan"), EYE])
def test_steps_that_are_no_integers(bad):
    for call in (lambda: matfun.polar(EYE, steps=bad), lambda: matfun.orthogonalize(EYE, steps=bad)):
        assert_refused(call, TypeError, "steps: expected an integer, got ", repr(bad))
    assert_refused(lambda: matfun.simulate("muon", [0.5], steps=bad), TypeError, "steps: expected an integer")
    assert_refused(
        lambda: matfun.polar(EYE, max_steps=bad), TypeError, "max_steps: expected an integer, got ", repr(bad)
    )


def test_steps_may_not_be_missing_where_nothing_else_ends_the_run():
    assert_refused(lambda: matfun.orthogonalize(EYE, steps=None), TypeError, "steps: expected an integer", "None")
    assert_refused(lambda: matfun.simulate("muon", [0.5], steps=None), TypeError, "steps: expected an integer", "None")
    assert_refused(lambda: matfun.polar(EYE, max_steps=None), TypeError, "max_steps: expected an integer", "None")


@pytest.mark.parametrize("bad", [-1, -100, np.int64(-1)])
def test_steps_out_of_range(bad):
    message = f"steps: expected at least 0, got {bad}"
    for call in (lambda: matfun.polar(EYE, steps=bad), lambda: matfun.orthogonalize(EYE, steps=bad)):
        assert_refused(call, ValueError, message)
    assert_refused(lambda: matfun.simulate("muon", [0.5], steps=bad), ValueError, message)
    assert_refused(lambda: matfun.polar(EYE, max_steps=bad), ValueError, f"max_steps: expected at least 1, got {bad}")
    assert_refused(lambda: matfun.polar(EYE, max_steps=0), ValueError, "max_steps: expected at least 1, got 0")


def test_tol_and_steps_exclude_each_other():
    call = lambda: matfun.polar(EYE, tol=1e-3, steps=4)  # noqa: E731
    assert_refused(call, ValueError, "tol, steps: expected at most one of the two", "tol=0.001", "steps=4")


# ---- method --------------------------------------------------------------------------------------


@each_verb
@pytest.mark.parametrize(
    ("typo", "meant"),
    [("newton-shulz", "newton-schulz"), ("polarexpress", "polar-express"), ("Prism", "prism"), ("mouon", "muon")],
)
def test_close_names_are_suggested(verb, typo, meant):
    assert_refused(
        lambda: verb(EYE, method=typo),
        ValueError,
        "method: no method for polar is called",
        repr(typo),
        f"did you mean '{meant}'",
    )


@each_verb
@pytest.mark.parametrize("name", ["", "qqqqqqqq"])
def test_names_that_resemble_nothing(verb, name):
    with pytest.raises(ValueError) as caught:
        verb(EYE, method=name)
    message = str(caught.value)
    assert "did you mean" not in message
    for known in matfun.methods("polar"):
        assert repr(known) in message


@each_verb
def test_the_known_names_are_those_that_work(verb):
    with pytest.raises(ValueError) as caught:
        verb(EYE, method="qqqqqqqq")
    known = re.findall(r"'([^']+)'", str(caught.value).split("known are")[1])
    assert known
    for name in known:
        if name not in matfun.presets() or not matfun.preset(name).repeat:  # muon and its kind do not converge
            assert verb(EYE, method=name) is not None


@each_verb
@pytest.mark.parametrize("bad", [3, None, 1.5, EYE, matfun.Muon, object(), ["prism"], len])
def test_what_is_no_method(verb, bad):
    assert_refused(
        lambda: verb(EYE, method=bad), TypeError, "method: expected a name or an object with a 'next' method"
    )


def test_methods_of_an_unknown_problem():
    assert_refused(lambda: matfun.methods("sine"), ValueError, "problem: expected 'inv' or 'invroot'", "'sine'")


# ---- backend, rng --------------------------------------------------------------------------------


@each_verb
def test_unknown_backends(verb):
    call = lambda: verb(EYE, backend="nump")  # noqa: E731
    assert_refused(call, ValueError, "backend: no provider is called 'nump'", "array-api", "numpy", "torch")
    for bad in (3, np, EYE, ["numpy"]):
        call = lambda bad=bad: verb(EYE, backend=bad)  # noqa: E731
        assert_refused(call, TypeError, "backend: expected a name or an Ops instance, got ", type(bad).__name__)


def test_the_provider_of_another_library():
    torch = pytest.importorskip("torch")
    for given, other in ((EYE, "torch"), (torch.eye(2), "numpy"), (torch.eye(2), "jax"), (EYE, "mpmath")):
        with pytest.raises((ValueError, TypeError), match=rf"^backend: .*{other}"):
            matfun.polar(given, backend=other)


@pytest.mark.parametrize("bad", ["seed", 1.5, {}, object(), EYE > 0.5])
def test_what_is_no_generator(bad):
    for call in (
        lambda: matfun.polar(EYE, rng=bad),
        lambda: matfun.polar(EYE, "right", "prism", steps=2, rng=bad),
        lambda: matfun.orthogonalize(EYE, "prism", rng=bad),
        lambda: matfun.simulate("prism", [0.5], rng=bad),
    ):
        assert_refused(call, TypeError, "rng: expected")


def test_a_negative_seed():
    assert_refused(lambda: matfun.polar(EYE, rng=-1), ValueError, "rng: expected")


def test_arguments_that_must_be_named():
    for call in (
        lambda: matfun.polar(EYE, "right", "svd", 1e-3),
        lambda: matfun.orthogonalize(EYE, "muon", 5, 0),
        lambda: matfun.simulate("muon", [0.5], 3),
    ):
        with pytest.raises(TypeError, match="positional"):
            call()


# ---- simulate and the rules ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [0.5, [], [[0.5]], [-0.1], [0.5, np.nan], [np.inf], "abc", ["a"], [0.5j], None, [None]], ids=str
)
def test_spectra(bad):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call = lambda: matfun.simulate("muon", bad)  # noqa: E731
        assert_refused(call, ValueError, "sigmas: expected a vector of non-negative numbers, got ")


def test_simulate_refuses_unknown_rules_as_polar_does():
    assert_refused(lambda: matfun.simulate("prisn", [0.5]), ValueError, "method: no method", "did you mean 'prism'")
    assert_refused(
        lambda: matfun.simulate(3, [0.5]), TypeError, "method: expected a name or an object with a 'next' method"
    )


@pytest.mark.parametrize(
    ("make", "argument", "values"),
    [
        (matfun.NewtonSchulz, "degree", (0, 1, 2, 4, 6, 11, -3, "5", None, 5.5, 5.0)),
        (matfun.PolarExpress, "degree", (0, 1, 2, 4, 19, -3, "5", None, 5.5)),
        (matfun.PolarExpress, "lower", (0, 0.0, -1e-3, 1.5, float("nan"), float("inf"), "1e-3", 1e-3j)),
        (matfun.PolarExpress, "cushion", (-0.1, 1.0, 2, float("nan"), "0.1")),
        (matfun.PolarExpress, "safety", (0, 0.99, -1, float("nan"), "1.01")),
        (matfun.ChenChow, "lower", (0, 0.0, -1e-3, 1.5, float("nan"), "1e-3")),
        (matfun.Prism, "degree", (1, 4, 7, "5", None)),
        (matfun.Prism, "sketch_size", (0, -1, 2.5, "8", float("nan"))),
        (matfun.Prism, "warm_start", (-1, 1.5, "2", None)),
    ],
)
def test_options_of_rules(make, argument, values):
    for bad in values:
        call = lambda bad=bad: make(**{argument: bad})  # noqa: E731
        assert_refused(call, (ValueError, TypeError), f"{argument}: expected", repr(bad))


def test_unknown_attributes_and_rules_that_are_attributes():
    with pytest.raises(AttributeError, match="module 'matfun' has no attribute 'Raphson'"):
        matfun.Raphson  # noqa: B018
    assert matfun.Prism().degree == 5
    assert {"NewtonSchulz", "PolarExpress", "Prism", "Svd", "Muon"} <= set(dir(matfun))


def test_no_refusal_touches_the_input():
    A = np.eye(2)
    for bad in ({"side": "x"}, {"tol": 2}, {"steps": -1}, {"method": "x"}, {"backend": "x"}):
        with pytest.raises(ValueError):
            matfun.polar(A, **bad)
    assert np.array_equal(A, np.eye(2))
