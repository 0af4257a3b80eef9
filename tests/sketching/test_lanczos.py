"""Do Lanczos runs from a block find the ends that the twin finds in many digits, and are their bounds bounds?"""

import numpy as np
import pytest
from mpmath import mp

from matfun.lab.spectra import haar
from matfun.ops import Ops
from matfun.sketching.lanczos import GRID_POINTS, ROUNDS, ends, lanczos
from matfun.sketching.thresholds import exclusion_threshold
from tests.exam.walk import each_library, library_called
from theory import window as twin

RESOLUTION = 2.0 * (GRID_POINTS - 1) ** -ROUNDS
"""A cell of the refined grid in units of the bracket, twice."""

VALUES = {
    "even": np.linspace(-0.5, 1.0, 24),
    "outlier": np.append(np.linspace(0.0, 0.1, 23), 1.0),
    "nearly closed": 1e-9 * np.linspace(-1, 1, 24),
    "clusters": np.repeat([-0.3, 0.2, 0.9], 8),
}


def block(n, columns, seed=3):
    return np.random.default_rng(seed).standard_normal((n, columns))


def bracket(values, found):
    """At most Gershgorin's width and the reach beyond."""
    return 3 * (np.max(values) - np.min(values)) + (float(found[3]) - float(found[2]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", VALUES)
@each_library
def test_ends_are_those_of_the_twin(library_name, name, dtype):
    library = library_called(library_name)
    if library_name != "numpy" and dtype == "float32":
        pytest.skip("seen on NumPy")
    values, n, products, columns, threshold = VALUES[name], 24, 5, 3, 40.0
    Q = haar(n, n, 1, complex_=dtype == "complex128")
    Z = block(n, columns)
    S = ((Q * values) @ Q.conj().T).astype(dtype)
    A = library.put(S)
    ops = library.ops(A)
    runs = lanczos(ops, lambda V: ops.thin_matmul(A, V), library.put(Z.astype(dtype)), products)
    got = ends(ops, runs, threshold)
    weights = np.abs(Q.conj().T @ Z) ** 2
    with mp.workdps(40):
        want = twin.ends([mp.mpf(float(v)) for v in values], weights / weights.sum(axis=0), products, threshold)
    # rounding of S, and of a Lanczos run of five steps, relative to the size of S
    eps = float(np.finfo(dtype).eps)
    allowed = RESOLUTION * bracket(values, want) + 40 * n**0.5 * eps * np.max(np.abs(values))
    exact = [float(v) for v in want]
    found = [float(library.get(v)) for v in (got.smallest, got.largest, got.least, got.most)]
    if name == "clusters":  # exhausted after three: bounds are the Ritz values, up to what rounding goes on with
        exact[2:] = exact[:2]
        allowed += 1e-3
    assert np.abs(np.array(found) - exact).max() <= allowed
    assert found[2] <= found[0] <= found[1] <= found[3]


@each_library
def test_a_stack_is_a_loop(library_name):
    library = library_called(library_name)
    rng = np.random.default_rng(0)
    S = rng.standard_normal((2, 3, 9, 9))
    S = S + np.swapaxes(S, -1, -2)
    S[1, 1] = 0.0
    A, Z = library.put(S), library.put(block(9, 4))
    ops = library.ops(A)
    many = ends(ops, lanczos(ops, lambda V: ops.thin_matmul(A, V), Z, 6))
    for i in np.ndindex(2, 3):
        one = library.put(S[i])
        single = ends(ops, lanczos(ops, lambda V, B=one: ops.thin_matmul(B, V), Z, 6))
        for field in ("smallest", "largest", "least", "most"):
            a, b = (float(library.get(getattr(e, field))[index]) for e, index in ((many, i), (single, ())))
            assert abs(a - b) <= 1e-12 * max(1.0, abs(b)) + 4 * RESOLUTION * 1e-6
    assert float(library.get(many.largest)[1, 1]) == 0.0 == float(library.get(many.least)[1, 1])


@pytest.mark.parametrize("products", [1, 2, 3, 8, 40])
def test_few_and_many_products(products):
    """One product is a Rayleigh quotient; more than n stop at n and then know everything."""
    values, n = np.linspace(-1.0, 2.0, 12), 12
    Z = block(n, 2)
    ops = Ops(np)
    runs = lanczos(ops, lambda V: values[:, None] * V, Z, products)
    assert len(runs.alphas) == min(products, n)
    found = ends(ops, runs)
    if products == 1:
        quotients = np.sum(values[:, None] * Z**2, axis=0) / np.sum(Z**2, axis=0)
        assert [found.smallest, found.largest] == pytest.approx([quotients.min(), quotients.max()])
    assert found.least <= -1.0 + 1e-12 or products >= n
    assert found.most >= 2.0 - 1e-12 or products >= n
    if products >= n:
        assert [found.smallest, found.largest] == pytest.approx([-1.0, 2.0], abs=1e-3)


@pytest.mark.parametrize("value", [0.25, -0.5])
def test_a_run_that_ends_exactly_sees_no_more_values(value):
    """From a unit vector the first product leaves nothing, to the last bit."""
    values, ops = np.array([value, 2 * value, 3 * value]), Ops(np)
    found = ends(ops, lanczos(ops, lambda V: values[:, None] * V, np.eye(3)[:, :1], 3))
    assert [found.smallest, found.largest, found.least, found.most] == [value] * 4


@pytest.mark.parametrize("n", [1, 2, 7, 100, 10**5])
@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("failure", [1e-9, 0.1])
def test_threshold_is_the_twins(n, columns, failure):
    got, want = exclusion_threshold(n, columns, failure), twin.exclusion_threshold(n, columns, failure)
    assert got == pytest.approx(want, rel=1e-5)  # minimised on a grid there


@pytest.mark.parametrize("failure", [0.1, 0.02])
@pytest.mark.parametrize("kind", ["even", "edge", "outlier"])
def test_bounds_fail_no_more_often_than_they_say(kind, failure):
    """400 blocks, sizes and threshold from the theorem; three standard errors."""
    rng = np.random.default_rng(11)
    n, columns, products, draws = 200, 2, 5, 400
    values = {
        "even": np.linspace(0, 1, n),
        "edge": 1 - np.sort(rng.beta(0.3, 4, n)),  # few values at the upper end
        "outlier": np.append(np.linspace(0, 0.5, n - 1), 0.52),
    }[kind]
    ops, wrong = Ops(np), 0
    threshold = exclusion_threshold(n, columns, failure)
    for _ in range(draws):
        runs = lanczos(ops, lambda V: values[:, None] * V, rng.standard_normal((n, columns)), products)
        found = ends(ops, runs, threshold)
        wrong += found.most < values.max() or found.least > values.min()
        assert values.min() - RESOLUTION * 4 <= found.smallest <= found.largest <= values.max() + RESOLUTION * 4
    assert wrong <= draws * (failure + 3 * (failure / draws) ** 0.5)


def test_sixteen_bits_are_multiplied_as_such_and_summed_in_float32():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from matfun.providers import ops_for

    values = np.linspace(0.0, 1.0, 32)
    Q = haar(32, 32, 2)
    A = torch.from_numpy((Q * values) @ Q.T).to(torch.bfloat16)
    Z = torch.from_numpy(block(32, 4)).to(torch.bfloat16)
    ops, seen = ops_for(A), []

    def multiply(V):
        seen.append(V.dtype)
        return ops.thin_matmul(A, V)

    found = ends(ops, lanczos(ops, multiply, Z, 8))
    assert set(seen) == {torch.bfloat16}
    assert found.largest.dtype == torch.float32
    # storing A and every V rounds by 2^-8
    assert float(found.largest) == pytest.approx(1.0, abs=0.05)
    assert float(found.smallest) == pytest.approx(0.0, abs=0.05)
