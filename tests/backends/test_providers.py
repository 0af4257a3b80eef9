"""Is the right provider found, by library, name, entry point and in a bare checkout, and does it mind its manners?"""

import importlib.metadata
import os
import subprocess
import sys
import types
from pathlib import Path

import mpmath
import numpy as np
import pytest

import matfun
from matfun import providers
from matfun.ops import API_VERSION, Ops
from matfun.providers import ops_for, provider_names

ROOT = Path(__file__).parents[2]
METHODS = matfun.methods("polar")
TOLERANCE = 60 * float(np.finfo(np.float64).eps)
"""As derived in test_agreement.py for matrices with sigma_max / sigma_min = 4."""


# ---- by name -------------------------------------------------------------------------------------


def test_the_defaults_alone_give_the_same(library, known):
    case = known((2, 6, 4), "complex128")
    result = matfun.polar(library.put(case.A), method="newton-schulz", backend="array-api", rng=0)
    assert result.info.backend == "array-api"
    assert type(result.U) is type(library.put(case.A))
    np.testing.assert_allclose(library.get(result.U), case.U, rtol=0, atol=TOLERANCE)


def test_counting_sees_what_info_reports(library, known):
    case = known((5, 4))
    for method, steps in (("newton-schulz", 6), ("polar-express", 5), ("prism", 4), ("muon", 3)):
        ops = type(ops_for(library.put(case.A), "counting"))(ops_for(library.put(case.A)))
        result = matfun.polar(library.put(case.A), method=method, steps=steps, backend=ops, rng=0)
        assert result.info.backend == "counting"
        assert ops.products == result.info.products > 0
        assert ops.counts["thin"] == result.info.thin_products
        assert ops.counts["svd"] == 0
    assert matfun.polar(library.put(case.A), backend="counting").info.backend == "counting"


def test_an_instance_is_used_as_it_is(known):
    class Mine(type(ops_for(np.eye(2)))):
        name = "mine"
        used = 0

        def gram(self, X):
            type(self).used += 1
            return super().gram(X)

    case = known((5, 3))
    mine = Mine(ops_for(case.A).xp)
    assert matfun.polar(case.A, method="newton-schulz", backend=mine).info.backend == "mine"
    assert Mine.used > 0
    X, info = matfun.orthogonalize(case.A, backend=mine, full_output=True)
    assert info.backend == "mine"
    np.testing.assert_allclose(X, matfun.orthogonalize(case.A), rtol=0, atol=TOLERANCE)
    assert matfun.polar(case.A).info.backend == "numpy"  # and for nobody else


def test_the_library_of_the_array_decides(library):
    assert ops_for(library.put(np.eye(2))).name == library.provider


def test_every_provider_is_listed():
    names = provider_names()
    assert {"array-api", "numpy", "torch", "jax", "cupy", "mpmath", "counting"} <= set(names)
    assert names == sorted(names)


# ---- mpmath --------------------------------------------------------------------------------------


def mp_array(A):
    """Object array of mpmath numbers."""
    kind = mpmath.mpc if np.iscomplexobj(A) else mpmath.mpf
    return np.array([[kind(x) for x in row] for row in A], dtype=object)


def largest(E):
    return max(abs(x) for x in np.asarray(E).ravel())


@pytest.mark.parametrize("method", ["auto", "svd", "newton-schulz", "polar-express", "prism"])
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (2, 4)])
@pytest.mark.parametrize("is_complex", [False, True])
def test_mpmath_at_forty_digits(known, method, shape, is_complex):
    with mpmath.workdps(40):
        A = mp_array(known(shape, "complex128" if is_complex else "float64").A)
        before = A.copy()
        for side in ("right", "left"):
            U, H = result = matfun.polar(A, side, method, rng=0)
            assert result.info.ok
            assert result.info.backend == "mpmath"
            assert U.dtype == H.dtype == object
            adjoint = np.vectorize(mpmath.conj, otypes=[object])(U.T)
            inner = adjoint @ U if shape[0] >= shape[1] else U @ adjoint
            # a few roundings of 40 digits in sums of at most 5 terms, against matrices of norm 3
            bound = mpmath.mpf(10) ** -38
            assert largest(inner - np.eye(min(shape))) < bound
            assert largest((U @ H if side == "right" else H @ U) - A) < 3 * bound
            assert largest(H - np.vectorize(mpmath.conj, otypes=[object])(H.T)) == 0
        assert (before == A).all()


def test_mpmath_fixed_steps_stacks_and_the_double_answer(known):
    case = known((2, 4, 3))
    with mpmath.workdps(30):
        A = np.stack([mp_array(a) for a in case.A])
        X = matfun.orthogonalize(A, "newton-schulz", steps=20)
        assert X.shape == (2, 4, 3)
        np.testing.assert_allclose(X.astype(float), case.U, rtol=0, atol=1e-14)
        exact = matfun.polar(A, rng=0).U
    double = matfun.polar(case.A, rng=0).U
    np.testing.assert_allclose(double, exact.astype(float), rtol=0, atol=TOLERANCE)


# ---- entry points and versions -------------------------------------------------------------------


@pytest.fixture
def third_party(monkeypatch):
    """Install a provider of another package: an entry point of the group matfun.backends."""
    from matfun_backends.numpy import NumpyOps

    class Theirs(NumpyOps):
        name = "theirs"

    module = types.ModuleType("their_package_with_a_provider")
    module.API_VERSION = API_VERSION
    module.provide = Theirs
    monkeypatch.setitem(sys.modules, module.__name__, module)
    point = importlib.metadata.EntryPoint("theirs", module.__name__, "matfun.backends")

    def entry_points(**select):
        found = importlib.metadata.EntryPoints([point])
        return found.select(**select)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    monkeypatch.setattr(providers, "entry_points", entry_points)
    for cache in ("_by_type", "_by_name"):
        monkeypatch.setattr(providers, cache, {})
    return module


def test_a_third_party_provider_is_found_by_its_entry_point(third_party):
    assert "theirs" in provider_names()
    assert matfun.polar(np.eye(3), backend="theirs").info.backend == "theirs"
    X, info = matfun.orthogonalize(np.eye(3), backend="theirs", full_output=True)
    assert info.backend == "theirs"
    assert type(X) is np.ndarray


def test_installing_a_provider_changes_nothing_until_it_is_named(third_party):
    assert matfun.polar(np.eye(3)).info.backend == "numpy"


def test_another_version_of_the_verbs_is_refused(third_party):
    third_party.API_VERSION = API_VERSION + 1
    with pytest.raises(ImportError, match=rf"'theirs' speaks version {API_VERSION + 1} .* version {API_VERSION}"):
        matfun.polar(np.eye(3), backend="theirs")


def test_all_own_providers_speak_this_version():
    for path in (ROOT / "backends" / "matfun_backends").glob("*.py"):
        if path.stem not in ("__init__", "cupy", "torch", "jax"):  # those need their libraries
            assert importlib.import_module(f"matfun_backends.{path.stem}").API_VERSION == API_VERSION


def test_a_library_of_somebody_else_gets_the_defaults(monkeypatch):
    strict = pytest.importorskip("array_api_strict")
    assert type(ops_for(strict.eye(2))) is Ops


# ---- a checkout that was never installed ---------------------------------------------------------


def run_in_checkout(code):
    """Run code where only the repository root is on the path, also if an editable installation has put more there."""
    alone = "import sys; sys.path[:] = [p for p in sys.path if not p.rstrip('/').endswith('backends')];"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", alone + code],
        env=environment,
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_checkout_finds_its_providers():
    where, name = run_in_checkout(
        "import numpy as np, matfun; r = matfun.polar(np.eye(2)); import matfun_backends;"
        "print(matfun_backends.__file__, r.info.backend)"
    )
    assert Path(where) == ROOT / "backends" / "matfun_backends" / "__init__.py"
    assert name == "numpy"


def test_importing_and_using_numpy_loads_no_other_array_library():
    loaded = run_in_checkout(
        "import sys, numpy as np, matfun; matfun.polar(np.eye(3)); matfun.orthogonalize(np.eye(3));"
        "print(*[name for name in ('torch', 'jax', 'cupy', 'matplotlib') if name in sys.modules])"
    )
    assert loaded == []


# ---- manners -------------------------------------------------------------------------------------


class HostReached(Exception):
    pass


def blind(inner):
    """A provider that may not look at a value on the host."""

    def as_host(self, x):
        raise HostReached

    return type("Blind", (type(inner),), {"as_host": as_host})(inner.xp)


@pytest.mark.parametrize("method", METHODS)
def test_fixed_steps_never_reach_the_host(library, known, method):
    for shape in ((5, 5), (2, 3, 6)):
        A = library.put(known(shape, "float32").A)
        ops = blind(ops_for(A))
        matfun.orthogonalize(A, method, rng=0, backend=ops)
        matfun.polar(A, "left", method, steps=3, rng=0, backend=ops)
        with pytest.raises(HostReached):
            matfun.polar(A, method=method, backend=ops)


@pytest.mark.parametrize("method", METHODS)
def test_fixed_steps_need_no_conversion_to_numpy(method):
    # arrays of the standard's test double on this device refuse np.asarray, float() and bool()
    xp = pytest.importorskip("array_api_strict")
    device = xp.Device("device1")
    A = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    there = xp.asarray(A, device=device)
    with pytest.raises(RuntimeError, match="convert"):
        np.asarray(there)
    X = matfun.orthogonalize(there, method, rng=0)
    U, H = matfun.polar(there, method=method, steps=3, rng=0)
    assert X.device == U.device == H.device == device
    expected = matfun.orthogonalize(xp.asarray(A), method, rng=0)
    assert np.array_equal(np.asarray(X.to_device(xp.Device("CPU_DEVICE"))), np.asarray(expected))


def test_torch_fixed_steps_do_not_synchronise_on_fake_tensors():
    # fake tensors have no values: whatever asks for one raises
    torch = pytest.importorskip("torch")
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        for method in ("polar-express", "muon", "newton-schulz"):
            X = matfun.orthogonalize(torch.empty(2, 4, 3), method)
            assert X.shape == (2, 4, 3)


def flags():
    """Every global setting that a careless provider might flip."""
    state = {"numpy": (np.geterr(), np.get_printoptions()), "mpmath": (mpmath.mp.prec,)}
    state["numpy draws"] = np.random.get_state()[1].tobytes()  # noqa: NPY002 - the global state is what must not move
    if "torch" in sys.modules:
        import torch

        state["torch"] = (
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            torch.backends.cuda.matmul.allow_tf32,
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
            torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
            torch.backends.cudnn.allow_tf32,
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_num_threads(),
            torch.get_rng_state().numpy().tobytes(),
        )
    if "jax" in sys.modules:
        import jax

        state["jax"] = dict(jax.config.values)
    return state


def test_no_global_flag_changes_hands(library, known):
    A = library.put(known((2, 3, 6), "float32").A)
    before = flags()
    for method in METHODS:
        matfun.polar(A, method=method, on_failure="svd", rng=0)
        matfun.orthogonalize(A, method)
    with pytest.raises(ValueError, match="finite"):
        matfun.polar(A * float("nan"))
    assert flags() == before


def test_the_default_dtype_of_torch_is_respected():
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    try:
        assert matfun.polar(torch.eye(3, dtype=torch.int64)).U.dtype == torch.float64
        assert matfun.polar(torch.eye(3, dtype=torch.float32)).U.dtype == torch.float32
        assert matfun.orthogonalize(torch.eye(3, dtype=torch.float32), "prism", rng=0).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("setting", ["raise", "ignore"])
def test_numpy_error_settings_of_the_caller_do_not_matter(known, setting):
    for scale in (1e-300, 1.0, 1e300):
        A = known((5, 3)).A * scale / 3
        with np.errstate(all=setting, under="ignore"):
            for method in METHODS:
                matfun.orthogonalize(A, method, rng=0)
                matfun.orthogonalize(A * 0, method, rng=0)
            matfun.polar(A, rng=0)
