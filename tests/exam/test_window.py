"""The window rule as it runs, from a sketch: windows, safety, accuracy, price, stacks, on matrices."""

import numpy as np
import pytest
from matfun_backends.counting import CountingOps
from mpmath import mp

import matfun
from matfun.lab import truth
from matfun.lab.gallery import gallery
from matfun.lab.spectra import haar, inner_minimum, log_spaced, one_tiny, with_singular_values
from matfun.problems.polar import PolarProblem, PolarState
from matfun.providers import ops_for
from matfun.rules.rule import ResidualView
from matfun.rules.window import EMPIRICAL_COLUMNS, EMPIRICAL_PRODUCTS, Window
from matfun.sketching.thresholds import FAILURE
from tests.exam.walk import each_library, library_called
from theory import window as twin

EPS = 2.0**-52

SPECTRA = {
    "log-spaced": log_spaced(40, 1e6),
    "one tiny": one_tiny(40, 1e8),
    "dips": inner_minimum(40, 1e8),
    "gaussian": np.linalg.svd(np.random.default_rng(1).standard_normal((40, 40)), compute_uv=False) / 13,
}


def walk(rule, A, steps, seed=0, lower=1e-16, eps=EPS):
    """Updates, spectra before and after, and what was seen, of a run that hands each update to the next step."""
    ops = ops_for(A)
    problem, state, before = PolarProblem(ops, seed), PolarState(A), None
    spectra, updates, seen = [np.linalg.svd(np.asarray(A), compute_uv=False)], [], []
    for step in range(steps):
        residual = problem.residual(state)
        view = ResidualView(2, step, False, lower, eps, residual, before)
        seen.append(view.ends(rule.columns, rule.products))
        before = rule.next(view)
        state = problem.update(state, residual, before)
        updates.append(before)
        spectra.append(np.linalg.svd(np.asarray(state.X), compute_uv=False))
    return updates, spectra, seen


@pytest.mark.parametrize("name", SPECTRA)
def test_the_ends_are_the_twins(name):
    """From the weights of the block on the right singular vectors."""
    s, n = SPECTRA[name], 40
    A = with_singular_values(s, 60, n, 2)
    right = np.linalg.svd(A)[2].T
    block = np.random.default_rng(0).standard_normal((n, EMPIRICAL_COLUMNS))
    weights = (right.T @ block) ** 2
    _, spectra, seen = walk(Window(), A, 1)
    threshold = twin.exclusion_threshold(n, EMPIRICAL_COLUMNS, FAILURE)
    with mp.workdps(30):
        values = [1 - mp.mpf(float(v)) ** 2 for v in spectra[0]]
        want = twin.ends(values, weights / weights.sum(axis=0), EMPIRICAL_PRODUCTS, threshold)
    exact = [float(mp.sqrt(max(1 - want[i], 0))) for i in (1, 0, 3, 2)]
    found = [float(v) for v in (seen[0].smallest, seen[0].largest, seen[0].least, seen[0].most)]
    for a, b in zip(found, exact, strict=True):
        assert abs(a * a - b * b) <= 5e-4 * (3 + float(want[3] - want[2]))


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("columns", [1, 4])
def test_values_stay_where_the_update_says(name, columns):
    """In (0, 1 + E], and above the carried bound, at every step and for twenty blocks; rounding is far below."""
    A = with_singular_values(SPECTRA[name], 60, 40, 3)
    for seed in range(20):
        updates, spectra, seen = walk(Window(columns=columns), A, 16, seed)
        for h, before, after, ends in zip(updates, spectra, spectra[1:], seen, strict=False):
            low, high = (float(v) for v in h.image)
            assert after[0] <= high * (1 + 1e-6)
            assert after[-1] >= low * (1 - 1e-6) - 1e-14
            assert float(ends.least) <= before[-1] + 1e-6 <= float(ends.smallest) + 4e-2
            assert float(ends.largest) - 4e-2 <= before[0] <= float(ends.most) + 1e-6
        assert np.abs(spectra[-1] - 1).max() < (1e-6 if columns > 1 or name != "log-spaced" else 0.9)


@pytest.mark.parametrize("columns", [1, 4])
@pytest.mark.parametrize("products", [1, 2, 8])
@pytest.mark.parametrize("name", SPECTRA)
def test_a_bad_look_costs_steps_and_nothing_else(name, products, columns):
    A = with_singular_values(SPECTRA[name], 60, 40, 4)
    U, H = result = matfun.polar(A, method=Window(products=products, columns=columns), rng=5, certificate="exact")
    assert result.info.status is matfun.Status.CONVERGED
    limit = (12 + 40**0.5) * EPS
    assert truth.backward_error(A, U, H) <= limit
    assert truth.semidefinite_defect(H) <= limit
    exact = matfun.polar(A, method=Window(columns=None), rng=5).info
    # never seen, a value grows as fast as Newton-Schulz lets it: 15/8 a step
    assert result.info.steps <= exact.steps + np.log(SPECTRA[name][0] / SPECTRA[name][-1]) / np.log(15 / 8)


def steps_to(info, level=1e-8):
    return next(k for k, r in enumerate(info.history.residuals) if r <= level)


def oracle(s):
    """Steps of the minimax composition told the true interval, in exact arithmetic, without a cushion."""
    s = np.asarray(s) / np.max(s)
    if np.min(s) > 1 - 1e-12:
        return 0
    rule = matfun.PolarExpress(lower=float(np.min(s)), cushion=0, safety=1)
    return int(np.argmax(matfun.simulate(rule, s, steps=30, lower=1e-16).residuals <= 1e-8))


CASES = [
    case
    for case in gallery(max_size=128)
    if case.singular_values is not None and min(case.shape) > 1 and 0 < max(case.singular_values) < 1e200
    if min(case.singular_values) >= 0.99e-8 * max(case.singular_values)
]


@pytest.mark.filterwarnings("ignore::matfun.ConvergenceWarning")  # an unreachable tolerance: the whole curve
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_at_most_one_step_more_than_the_oracle(case):
    """Two seeds here, polar factor; 20 seeds, sign and square roots in benchmarks/window.py."""
    for seed in range(2):
        info = matfun.polar(case.matrix(seed), method="window", rng=seed, tol=1e-300, on_failure="warn").info
        assert steps_to(info) <= oracle(case.singular_values) + 1


@pytest.mark.parametrize("problem", ["signm", "sqrtm", "invsqrtm", "invrootm"])
@pytest.mark.parametrize("kappa", [10.0, 1e6])
def test_every_problem(problem, kappa):
    rng = np.random.default_rng(6)
    Q, values = haar(24, 24, rng), log_spaced(24, kappa)
    if problem == "signm":
        values = values * np.resize([1, -1], 24)
    A = (Q * values) @ Q.T
    A = (A + A.T) / 2
    function = getattr(matfun, problem)
    arguments = (A, 4) if problem == "invrootm" else (A,)
    X, info = function(*arguments, method="window", rng=1, full_output=True)
    want = {
        "signm": np.sign,
        "sqrtm": np.sqrt,
        "invsqrtm": lambda v: v**-0.5,
        "invrootm": lambda v: v**-0.25,
    }[problem](values)
    exact = (Q * want) @ Q.T
    assert info.status is matfun.Status.CONVERGED
    assert np.linalg.norm(X - exact) <= 50 * kappa * EPS * np.linalg.norm(exact)
    other = function(*arguments, method="newton-schulz", rng=1, full_output=True)[1]
    assert info.products <= other.products


@pytest.mark.parametrize("problem", ["signm", "sqrtm", "invrootm"])
def test_general_matrices_are_refused(problem):
    A = np.array([[2.0, 1.0], [0.0, 3.0]])
    with pytest.raises(ValueError, match="A: expected Hermitian matrices for method 'window'"):
        getattr(matfun, problem)(*((A, 3) if problem == "invrootm" else (A,)), method="window")


@pytest.mark.parametrize("function", ["invsqrtm", "invrootm"])
def test_a_warm_start_may_lie_above_one(function):
    """Eigenvalues of M up to 2: the bound of the first window knows."""
    Q = haar(16, 16, 3)
    A = (Q * np.linspace(1, 4, 16)) @ Q.T
    A = (A + A.T) / 2
    near = (Q * (np.linspace(1, 4, 16) ** -0.5 * 1.38)) @ Q.T
    near = (near + near.T) / 2
    if function == "invsqrtm":
        X, info = matfun.invsqrtm(A, method="window", initial=near, rng=0, full_output=True)
    else:
        X, info = matfun.invrootm(A, 2, method="window", initial=near, rng=0, full_output=True)
    assert info.status is matfun.Status.CONVERGED
    assert np.linalg.norm(X @ X @ A - np.eye(16)) < 1e-12


def test_the_first_window_reaches_up_to_where_a_warm_start_may_lie():
    """One product of one column sees no more than a mean; two is what the test of the start allows."""
    Q = haar(16, 16, 3)
    A = (Q * np.linspace(1, 4, 16)) @ Q.T
    A = (A + A.T) / 2
    near = (Q * (np.linspace(1, 4, 16) ** -0.5 * np.r_[np.full(14, 1.0), 0.95, 1.37])) @ Q.T
    near = (near + near.T) / 2
    for function in (matfun.invsqrtm, lambda A, **options: matfun.invrootm(A, 2, **options)):
        rule = Window(products=1, columns=1)
        info = function(A, method=rule, initial=near, rng=0, full_output=True)[1]
        assert info.status is matfun.Status.CONVERGED
        assert np.all(info.warm_start)
        # told an upper end of 1, it throws the largest value out and takes five
        assert info.steps == 4
        assert info.history.residuals[1] < 0.1


@each_library
def test_a_stack_has_one_window_for_each_member(library_name):
    library = library_called(library_name)
    spectra = (log_spaced(8, 1e3), log_spaced(8, 3.0), np.ones(8))
    members = [with_singular_values(s, 12, 8, k) for k, s in enumerate(spectra)]
    A = library.put(np.stack(members))
    X, info = matfun.orthogonalize(A, method="window", steps=2, rng=0, full_output=True)
    promised = library.get(info.history.updates[-1].image[1])
    assert promised.shape == (3,)
    assert len(set(np.round(promised, 6))) == 3
    for k, member in enumerate(members):
        alone = matfun.orthogonalize(library.put(member), method="window", steps=2, rng=0)
        np.testing.assert_allclose(library.get(X)[k], library.get(alone), rtol=0, atol=1e-9)


def test_the_thin_products_are_few():
    """Below 5 % of the flops of a step for n >= 1024: 8 products of n x n by n x 4 against three of n x n by n x n."""
    n = 1024
    assert EMPIRICAL_PRODUCTS * 2 * n * n * EMPIRICAL_COLUMNS <= 0.05 * 3 * 2 * n**3
    A = with_singular_values(log_spaced(20, 30.0), 30, 20, 0)
    ops = CountingOps(ops_for(A))
    _, info = matfun.orthogonalize(A, method="window", steps=4, rng=0, full_output=True, backend=ops)
    assert (info.products, info.thin_products) == (12, 4 * EMPIRICAL_PRODUCTS)
    assert ops.counts["thin"] == info.thin_products
    simulated = matfun.simulate("window", log_spaced(20, 30.0), steps=4, rng=0)
    assert (simulated.products, simulated.thin_products) == (12, 4 * EMPIRICAL_PRODUCTS)


def test_simulation_of_a_diagonal_matrix_sees_the_same_windows():
    s = 0.9 * log_spaced(30, 1e4)
    for seed in range(5):
        _, info = matfun.orthogonalize(np.diag(s), method="window", steps=8, rng=seed, full_output=True)
        curve = matfun.simulate("window", s / float(info.scale), steps=8, rng=seed)
        for ours, theirs in zip(info.history.updates, curve.updates, strict=True):
            # a point of the grid may be decided otherwise by rounding
            a, b = (np.array([float(c) for c in h.in_basis("gram").coefficients]) for h in (ours, theirs))
            assert np.abs(a - b).max() <= 1e-2 * np.abs(a).max()


def test_a_window_closes_without_what_is_not_waited_for():
    """Null directions, and what is below ``lower``, hold nothing up in a fixed number of steps."""
    s = np.concatenate([np.linspace(0.5, 1, 10), np.zeros(3)])
    A = with_singular_values(s[:10], 13, 13, 1)
    got = np.linalg.svd(matfun.orthogonalize(A, method="window", steps=9, rng=0), compute_uv=False)
    assert np.abs(got[:10] - 1).max() < 1e-3
    assert got[10:].max() < 1e-9
    soon = np.linalg.svd(matfun.orthogonalize(A, method=Window(lower=0.2), steps=5, rng=0), compute_uv=False)
    assert np.abs(soon[:10] - 1).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": 0}, "columns: expected a count or None, got 0"),
        ({"products": 0}, "products: expected a count, got 0"),
        ({"cushion": 0.0}, r"cushion: expected a number in \(0, 1\), got 0.0"),
        ({"lower": 2.0}, r"lower: expected a number in \(0, 1\], got 2.0"),
        ({"safety": 0.5}, r"safety: expected a number in \[1, 2\), got 0.5"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Window(**options)
