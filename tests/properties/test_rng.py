"""Is a run a function of its arguments and its generator, and of nothing else?"""

import numpy as np
import pytest

import matfun

METHODS = matfun.methods("polar")
EPS = float(np.finfo(np.float64).eps)


def matrix(seed=0, shape=(7, 5)):
    return np.random.default_rng(seed).standard_normal(shape)


def low_rank(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((7, 2)) @ rng.standard_normal((2, 5))


def run(A, method, rng):
    U, H = result = matfun.polar(A, method=method, rng=rng, on_failure="svd")
    info = result.info
    return U, H, info.steps, info.residual, info.backward_error, info.orthogonality


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [matrix, low_rank])
def test_the_same_seed_gives_the_same_bits(method, make):
    A = make()
    for seed in (0, 12345, [1, 2, 3], np.random.SeedSequence(7)):
        first, second = (run(A, method, np.random.default_rng(seed)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        X, Y = (matfun.orthogonalize(A, method, rng=seed) for _ in range(2))
        assert np.array_equal(X, Y)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_and_its_generator_are_the_same(method):
    A = matrix()
    by_seed, by_generator = run(A, method, 3), run(A, method, np.random.default_rng(3))
    assert all(np.array_equal(a, b) for a, b in zip(by_seed, by_generator, strict=True))
    X = matfun.orthogonalize(A, method, rng=3)
    assert np.array_equal(X, matfun.orthogonalize(A, method, rng=np.random.default_rng(3)))


def test_a_generator_moves_on_and_a_seed_does_not():
    A = matrix()
    generator = np.random.default_rng(0)
    first = matfun.orthogonalize(A, "prism", steps=2, rng=generator)
    second = matfun.orthogonalize(A, "prism", steps=2, rng=generator)
    assert not np.array_equal(first, second)  # two sketches
    assert np.array_equal(first, matfun.orthogonalize(A, "prism", steps=2, rng=0))


def test_other_seeds_take_other_paths_to_the_same_answer():
    A = matrix()
    answers = [matfun.polar(A, method="prism", rng=seed).U for seed in range(5)]
    paths = [matfun.orthogonalize(A, "prism", steps=2, rng=seed) for seed in range(5)]
    for U, X in zip(answers[1:], paths[1:], strict=True):
        np.testing.assert_allclose(U, answers[0], rtol=0, atol=350 * EPS)
        assert np.max(np.abs(X - paths[0])) > 1e-6


def test_without_a_generator_every_call_draws_its_own():
    A = low_rank()
    first, second = (matfun.polar(A, method="newton-schulz") for _ in range(2))
    # the completion of the null space is arbitrary, and says so; what is determined agrees
    assert np.max(np.abs(first.U - second.U)) > 1e-3
    np.testing.assert_allclose(first.U @ A.T, second.U @ A.T, rtol=0, atol=1e4 * EPS)
    assert first.info.status is matfun.Status.COMPLETED


@pytest.mark.parametrize("method", METHODS)
def test_the_global_state_is_neither_read_nor_moved(method):
    A = low_rank()
    state = np.random.get_state()  # noqa: NPY002 - the state that must not move
    try:
        np.random.seed(0)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        first = run(A, method, 1)
        assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        np.random.seed(99)  # noqa: NPY002
        second = run(A, method, 1)
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.mark.parametrize("degree", [3, 5])
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_fresh_sketches_are_new_in_every_step_and_repeat_with_the_seed(library, degree):
    """Step k sees the k-th block of the generator's numbers, whether a seed or a generator was given."""
    xp = pytest.importorskip({"jax": "jax.numpy"}.get(library, library))
    A, rule, old = xp.asarray(matrix()), matfun.Prism(degree, 2, fresh=True), matfun.Prism(degree, 2)
    by_seed, again, by_generator = (
        np.asarray(matfun.orthogonalize(A, rule, steps=3, rng=rng)) for rng in (5, 5, np.random.default_rng(5))
    )
    assert np.array_equal(by_seed, again)
    # JAX compiles the call with a seed and not the one with a generator, which differ by roundings
    np.testing.assert_allclose(by_seed, by_generator, rtol=0, atol=1e-13 if library == "jax" else 0)
    first, kept = (np.asarray(matfun.orthogonalize(A, m, steps=1, rng=5)) for m in (rule, old))
    assert np.array_equal(first, kept)  # one step needs one sketch
    kept = np.asarray(matfun.orthogonalize(A, old, steps=3, rng=5))
    assert np.max(np.abs(kept - by_seed)) > 1e-6
    run = matfun.polar(A, method=rule, rng=5)
    repeated = matfun.polar(A, method=rule, rng=np.random.default_rng(5))
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(run, repeated, strict=True))


@pytest.mark.parametrize("problem", ["polar", "sqrt", "invroot"])
def test_simulate_draws_the_same_fresh_sketches(problem):
    """Coefficients of the run on a diagonal matrix and of the simulation, step by step."""
    sigmas = np.geomspace(0.05, 1.0, 6)
    rule = matfun.Prism(fresh=True, sketch_size=2)
    call = {
        "polar": lambda: matfun.orthogonalize(np.diag(sigmas), rule, steps=6, rng=5, full_output=True),
        "sqrt": lambda: matfun.sqrtm(np.diag(sigmas**2), method=rule, steps=6, rng=5, full_output=True),
        "invroot": lambda: matfun.invrootm(np.diag(sigmas**2), 2, method=rule, steps=6, rng=5, full_output=True),
    }[problem]
    info = call()[1]
    scaled = sigmas / float(info.scale) ** (1 if problem == "polar" else 0.5)
    curve = matfun.simulate(rule, scaled, steps=6, rng=5, problem=problem, p=2)
    alphas = [[float(h.coefficients[-1]) for h in run] for run in (info.history.updates, curve.updates)]
    assert len(set(alphas[0])) > 3
    np.testing.assert_allclose(*alphas, rtol=1e-9)


def test_simulate_draws_what_a_diagonal_matrix_run_draws():
    sigmas = np.array([1.0, 0.6, 0.3, 0.1])
    curve = matfun.simulate("prism", sigmas / np.linalg.norm(sigmas), steps=3, rng=5)
    again = matfun.simulate("prism", sigmas / np.linalg.norm(sigmas), steps=3, rng=5)
    other = matfun.simulate("prism", sigmas / np.linalg.norm(sigmas), steps=3, rng=6)
    assert all(np.array_equal(a, b) for a, b in zip(curve.sigmas, again.sigmas, strict=True))
    assert not np.array_equal(curve.sigmas[-1], other.sigmas[-1])
