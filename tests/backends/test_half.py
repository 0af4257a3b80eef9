"""Are 16-bit matrices returned in 16 bit, as accurate as that allows, and no better where the products are 16-bit?

Rounding unit u = eps/2.  Rounding the exact factor alone leaves sup |sigma - 1| near u; a method that runs in 16 bit
ends near 2 u, and one that comes out below u/4 did not run in 16 bit (or did not round its result).
"""

import numpy as np
import pytest

import matfun
from matfun.lab.spectra import one_tiny, with_singular_values
from matfun.problems.polar import PolarProblem
from matfun.rules.rule import registered
from matfun.scaling import scale_to_unit

CONVERGING = [name for name in matfun.methods("polar") if registered()[name].converges]
UNIT = {"bfloat16": 2.0**-8, "float16": 2.0**-11}

ITERATIONS = ["polar-express", "polar-express-published", "newton-schulz", "prism", "chen-chow"]
SIXTEEN_BIT = [
    ("torch-cpu", "bfloat16"),
    ("torch-cpu", "float16"),
    ("jax", "bfloat16"),
    ("jax", "float16"),
    ("numpy", "float16"),
    ("torch-cuda", "bfloat16"),
    ("torch-cuda", "float16"),
    ("cupy", "float16"),
]


def put(name, dtype, A):
    """A on the library, in the 16-bit dtype, and the way back to float64."""
    if name == "numpy":
        return A.astype(dtype), lambda x: x.astype(np.float64)
    if name == "cupy":
        cupy = pytest.importorskip("cupy", reason="cupy is not installed")
        if not cupy.cuda.is_available():
            pytest.skip("cupy.cuda.is_available() is False: no CUDA device for cupy")
        return cupy.asarray(A).astype(dtype), lambda x: cupy.asnumpy(x).astype(np.float64)
    if name == "jax":
        jnp = pytest.importorskip("jax.numpy")
        return jnp.asarray(A).astype(getattr(jnp, dtype)), lambda x: np.asarray(x.astype(jnp.float64))
    torch = pytest.importorskip("torch")
    if name == "torch-cuda" and not torch.cuda.is_available():
        pytest.skip("torch.cuda.is_available() is False: no CUDA device for torch")
    device = name.removeprefix("torch-")
    return torch.from_numpy(A).to(device, getattr(torch, dtype)), lambda x: x.cpu().double().numpy()


def few(name, shapes):
    """All shapes, or the last alone for JAX, which compiles every operation again for each."""
    return shapes[-1:] if name == "jax" else shapes


def spread(X):
    return np.max(np.abs(np.linalg.svd(X, compute_uv=False) - 1))


@pytest.mark.parametrize(("name", "dtype"), SIXTEEN_BIT)
@pytest.mark.parametrize("method", ITERATIONS)
def test_orthogonalize_ends_at_the_rounding_of_16_bit(known, name, dtype, method):
    if method not in matfun.methods("polar"):
        pytest.skip(f"there is no {method}")
    u = UNIT[dtype]
    for shape in few(name, ((64, 64), (2, 32, 80))):
        given, back = put(name, dtype, known(shape, smallest=0.1).A)
        X = matfun.orthogonalize(given, method, steps=12, rng=0)
        assert X.dtype == given.dtype
        assert type(X) is type(given)
        assert X.shape == given.shape
        assert u / 4 <= spread(back(X)) <= 8 * u


@pytest.mark.parametrize(("name", "dtype"), SIXTEEN_BIT)
@pytest.mark.parametrize("method", ["auto", *CONVERGING])
def test_polar_converges_in_16_bit(known, name, dtype, method):
    u = UNIT[dtype]
    for shape, side in few(name, (((64, 64), "right"), ((2, 32, 80), "left"))):
        case = known(shape, smallest=0.1)
        given, back = put(name, dtype, case.A)
        U, H = result = matfun.polar(given, side, method, rng=0)
        assert U.dtype == H.dtype == given.dtype
        assert result.info.ok
        assert u / 4 <= spread(back(U)) <= 8 * u
        product = back(U) @ back(H) if side == "right" else back(H) @ back(U)
        # a backward error of a few u: storing U and H costs u each, U itself is off by up to 8 u, and H = U^H A
        error = np.linalg.norm(back(given) - product, axis=(-2, -1)) / np.linalg.norm(case.A, axis=(-2, -1))
        assert np.max(error) <= 12 * u


@pytest.mark.parametrize(("name", "dtype"), SIXTEEN_BIT)
def test_muon_in_16_bit_stays_in_its_band(known, name, dtype):
    given, back = put(name, dtype, known((2, 32, 80), smallest=0.05).A)
    # the band of the exact map is [0.68, 1.14]; 16-bit rounding widens it by the steps' amplified error, a few percent
    assert spread(back(matfun.orthogonalize(given, "muon"))) <= 0.4


@pytest.mark.parametrize(("name", "dtype"), SIXTEEN_BIT)
@pytest.mark.parametrize("method", ["polar-express", "newton-schulz", "prism", "svd"])
def test_zero_and_extreme_scales_in_16_bit(name, dtype, method):
    rng = np.random.default_rng(1)
    Q = np.linalg.qr(rng.standard_normal((24, 24)))[0]
    # float16: from its subnormal numbers (whose own rounding is 2^-24) to just below its largest, 65504
    scales = (2.0**-10, 2.0**14) if dtype == "float16" else (2.0**-100, 2.0**120)
    for scale in scales:
        given, back = put(name, dtype, Q * scale)
        X = matfun.orthogonalize(given, method, steps=12, rng=0)
        coarse = 2.0**-24 / scale * 24**0.5 if dtype == "float16" else 0.0
        assert spread(back(X)) <= 8 * UNIT[dtype] + coarse
    given, back = put(name, dtype, np.zeros((24, 24)))
    assert np.array_equal(back(matfun.orthogonalize(given, method, rng=0)), np.zeros((24, 24)))
    assert np.array_equal(back(matfun.polar(given, method=method, rng=0).U), np.eye(24))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bit_norms_do_not_overflow(dtype):
    # 300 x 300 ones: the sum of squares, 9e4, is beyond float16, and a running bfloat16 sum stops at 256
    for name in ("torch-cpu", "jax"):
        given, back = put(name, dtype, np.ones((300, 300)))
        X = back(matfun.orthogonalize(given, "newton-schulz", steps=3))
        # rank one: its only singular value 1 is kept to the 16-bit rounding of 300 additions of equal elements
        assert abs(np.linalg.norm(X, 2) - 1) <= 8 * UNIT[dtype]


@pytest.mark.parametrize("method", ["window", "polar-express", "prism", "newton-schulz"])
def test_one_small_value_among_many_is_waited_for(method):
    """With 256 columns the Frobenius norm of a rounded residual is as large as that of one missing direction."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    A = torch.from_numpy(with_singular_values(one_tiny(256, 1e2), rng=0)).to(torch.bfloat16)
    U, _, info = *(result := matfun.polar(A, method=method, rng=0)), result.info
    assert info.status is matfun.Status.CONVERGED
    # from a residual of 1/2 one step leaves (3/4) / 4 of it, half of that in a singular value; and rounding
    assert float((torch.linalg.svdvals(U.double()) - 1).abs().max()) <= 3 / 32 + 0.02


@pytest.mark.parametrize("forms_square", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
def test_a_division_is_put_off_only_where_nothing_overflows(narrow, forms_square):
    """In float16 the Gram matrix of what is not divided yet could: elements up to 16 (mn)^(1/2)."""
    A = with_singular_values(np.ones(20), 40, 20, 0) * 3.0
    ops = matfun.providers.ops_for(A)
    ops = type("Narrow", (type(ops),), {"is_narrow_range": lambda *_: narrow})(ops.xp)
    state, norm = scale_to_unit(PolarProblem(ops), A, forms_square=forms_square)
    assert (state.divisor is None) == narrow
    X = PolarProblem(ops).settle(state).X
    np.testing.assert_allclose(X * norm, A, rtol=4 * np.finfo(float).eps)
    assert np.linalg.norm(X, 2) <= 1
