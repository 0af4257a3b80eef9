"""Does the traced loop stop every matrix where the loop on the host does, and say what it cannot do?

On NumPy its driver runs as it is, with a loop of Python's; on JAX it is traced.
"""

from dataclasses import dataclass

import numpy as np
import pytest

import matfun
from matfun.drive import run_to_goal
from matfun.functions.accurate import goal_of
from matfun.functions.inputs import check_matrix
from matfun.functions.tall import SMALLEST_ASPECT
from matfun.functions.unitary import prepare, start
from matfun.problems.polar import PolarProblem
from matfun.rules.rule import rule_for
from matfun.traced import NotTraceableError, SomeLaterStep, run_traced

RULES = {
    name: rule_for(name, "polar")[1]
    for name in ("newton-schulz", "polar-express", "prism", "window", "chen-chow", "muon", "cubic5")
} | {
    "prism, warm": matfun.Prism(warm_start=3, degree=3),
    "degrees 5 and 3": matfun.design(lower=1e-2, degree=(5, 3, 5)),
}


def stack(dtype="float64", shape=(5, 9, 6), seed=0):
    """Matrices of very different condition, so that each takes its own number of steps."""
    rng = np.random.default_rng(seed)
    k = min(shape[-2:])
    members = [
        np.linalg.qr(rng.standard_normal((shape[-2], k)))[0]
        * np.geomspace(10.0**-i, 1.0, k)
        @ np.linalg.qr(rng.standard_normal((k, k)))[0]
        for i in range(shape[0])
    ]
    return np.stack(members).astype(dtype)


def both(A, rule, tol, max_steps=250):
    """Outcomes of the loop on the host and of the traced one, with what they cost."""
    given = check_matrix(A, None)
    goal = goal_of(min(A.shape[-2:]), given.ops.eps(given.A.dtype), tol, max_steps)
    found = []
    with np.errstate(all="ignore"):
        for run in (run_to_goal, run_traced):
            begin = start(prepare(given, reduce=False), rule, PolarProblem(given.ops, np.random.default_rng(1)))
            found += [begin.problem, run(begin.problem, rule, begin.state, goal=goal)]
    return found


# ---- the driver, on NumPy -------------------------------------------------------------------------


@pytest.mark.parametrize("tol", [None, 1e-3, 0.3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_every_matrix_ends_where_it_does_on_the_host(name, dtype, tol):
    problem, host, _, traced = both(stack(dtype), RULES[name], tol)
    assert np.array_equal(traced.steps, host.steps)
    assert len(set(host.steps)) > 1 or name in ("polar-express", "chen-chow", "muon")
    eps = np.finfo(dtype).eps
    # what is left is known up to rounding, which schedules for tiny values amplify on their way, by about 1/10 a step
    slack = 2000 * eps if name not in ("polar-express", "chen-chow") else 0.1 * (tol or 0.0) + 2000 * eps
    np.testing.assert_allclose(traced.residual, host.residual, rtol=0, atol=slack)
    np.testing.assert_allclose(traced.state.X, host.state.X, rtol=0, atol=slack)
    if name != "prism, warm":  # its first steps are written out and taken whether needed or not
        # its cubic is carried as a quintic, because all steps of a loop have one form
        assert int(traced.products) == problem.work.products + (name == "degrees 5 and 3")
        assert int(traced.thin) == problem.work.thin


def test_a_goal_below_rounding_ends_at_the_floor():
    _, host, _, traced = both(stack(), RULES["newton-schulz"], 1e-17)
    assert np.all(abs(traced.steps - host.steps) <= 1)  # the last residuals are rounding
    assert np.all(traced.residual <= 1e-14)


def test_a_null_space_stagnates_and_overflow_keeps_the_iterate_before():
    A = stack(shape=(3, 6, 6))
    A[1, :, 0] = 0

    @dataclass(frozen=True)
    class Bursts:
        """Newton-Schulz, but step 3 overflows."""

        forms_square = True

        def next(self, view):
            h = matfun.NewtonSchulz().next(view)
            return matfun.Polynomial(tuple(1e200 * c for c in h.coefficients)) if view.step == 3 else h

    _, _, _, traced = both(A, RULES["newton-schulz"], 1e-3)
    assert traced.residual[1] == pytest.approx(1.0, abs=1e-9)  # one direction is missing
    assert np.all(traced.residual[[0, 2]] <= 1e-3)
    assert traced.steps[1] < 250
    problem, _, _, before = both(A, RULES["newton-schulz"], 1e-12, max_steps=3)
    _, host, _, burst = both(A, Bursts(), 1e-12)
    assert np.array_equal(burst.steps, [3, 3, 3])
    assert np.array_equal(burst.steps, host.steps)
    assert np.array_equal(burst.state.X, before.state.X)
    np.testing.assert_allclose(burst.residual, problem.as_host(before.residual), rtol=1e-12)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["window", "polar-express"])
def test_no_more_steps_than_allowed(name, most):
    _, host, _, traced = both(stack(), RULES[name], 1e-3, max_steps=most)
    assert np.array_equal(traced.steps, host.steps)
    assert max(traced.steps) == most
    np.testing.assert_allclose(traced.state.X, host.state.X, rtol=0, atol=1e-12)


@dataclass(frozen=True)
class StopsLooking:
    """Stops looking at the residual at some point: no rule for a loop."""

    def next(self, view):
        if view.step > 5:
            return matfun.NewtonSchulz().next(view)
        return matfun.Prism().next(view)


@dataclass(frozen=True)
class Lowered(matfun.NewtonSchulz):
    """Wants a bound."""

    wants_lower = True


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (rule_for("qdwh", "polar")[1], "its updates are not polynomials"),
        (rule_for("svd", "polar")[1], "its updates are not polynomials"),
        (rule_for("prism-newton", "polar")[1], "its updates are not polynomials"),
        (matfun.Prism(fresh=True), "it draws random numbers in every step"),
        (StopsLooking(), "it treats steps up to 5 differently from later ones"),
        (Lowered(), "it wants a lower bound, which is estimated on the host"),
    ],
)
def test_rules_without_a_traced_loop_say_why(rule, reason):
    given = check_matrix(stack(shape=(2, 4, 4)), None)
    begin = start(prepare(given, reduce=False), rule, PolarProblem(given.ops, 0))
    with pytest.raises(NotTraceableError, match=reason):
        run_traced(begin.problem, rule, begin.state, goal=goal_of(4, 2.0**-52, None, 250))


def test_a_later_step_knows_what_all_of_them_know():
    k = SomeLaterStep(3)
    assert bool(k)
    assert (k < 3, k <= 2, k >= 3, k > 2, k == 2, k != 2) == (False, False, True, True, False, True)
    for ask in (lambda: k < 4, lambda: k <= 3, lambda: k >= 4, lambda: k > 3, lambda: k == 3, lambda: min(k, 7)):
        with pytest.raises(NotTraceableError, match="it treats steps up to"):
            ask()


# ---- JAX ------------------------------------------------------------------------------------------


@pytest.fixture
def jax():
    return pytest.importorskip("jax", reason="jax is not installed")


def traced(jax, A, *how, **more):
    def values(a):
        U, H = result = matfun.polar(a, *how, rng=0, **more)
        info = result.info
        assert info.status is matfun.Status.UNCHECKED
        assert info.certificate is None
        return U, H, info.steps, info.residual, info.products, info.thin_products, info.scale

    return jax.jit(values)(A)


@pytest.mark.parametrize(
    ("method", "side", "shape", "tol"),
    [
        ("newton-schulz", "right", (3, 4, 7), 1e-3),
        ("window", "left", (5, 5), 1e-3),
        ("auto", "right", (6, 4), None),
    ],
)
def test_jax_under_jit_ends_where_the_eager_run_does(jax, method, side, shape, tol):
    given = stack("float32", (3, max(shape[-2:]), min(shape[-2:])))
    given = given if shape[-2] >= shape[-1] else np.swapaxes(given, -1, -2)
    A = jax.numpy.asarray(given if len(shape) == 3 else given[-1])
    U, H, steps, residual, products, thin, scale = traced(jax, A, side, method, tol=tol)
    eager = matfun.polar(A, side, "polar-express" if method == "auto" else method, tol=tol, rng=0)
    assert eager.info.ok
    assert np.array_equal(steps, eager.info.steps)
    # nothing may wait for the check of Cholesky QR under a trace: a tall matrix is not reduced there
    reduction = 4 if max(shape[-2:]) >= SMALLEST_ASPECT * min(shape[-2:]) else 0  # two passes
    assert (int(products) + reduction, int(thin)) == (eager.info.products, eager.info.thin_products)
    np.testing.assert_allclose(U, eager.U, rtol=0, atol=2000 * 2.0**-23)
    np.testing.assert_allclose(H, eager.H, rtol=0, atol=2000 * 2.0**-23)
    np.testing.assert_allclose(residual, eager.info.residual, rtol=0, atol=2000 * 2.0**-23)
    np.testing.assert_allclose(scale, eager.info.scale, rtol=1e-5)


def test_jax_a_stack_with_nan_zero_and_members_in_bfloat16(jax):
    """Under jit, vmap too: the loop goes on while any matrix runs, and changes none that is done."""
    jnp = jax.numpy
    A = stack("float32", (4, 5, 5))[[0, 1, 0, 1]]
    A[2] = 0
    A[3, 1, 2] = np.nan
    U, H, steps, residual, *_ = traced(jax, jnp.asarray(A), "right", "newton-schulz", tol=1e-3)
    alone = traced(jax, jnp.asarray(A[:2]), "right", "newton-schulz", tol=1e-3)
    for ours, theirs in zip((U, H, steps, residual), alone, strict=False):
        assert np.array_equal(ours[:2], theirs)
    assert np.array_equal(U[2], np.eye(5))
    assert np.array_equal(H[2], np.zeros((5, 5)))
    assert np.isnan(U[3]).all()
    assert np.isnan(H[3]).all()
    assert np.isnan(residual[3])
    assert np.all(residual[:3] <= 1e-3)
    assert residual[2] == 0
    assert steps[2] <= max(steps[:2])  # nobody waits for it
    mapped = jax.jit(jax.vmap(lambda a: tuple(matfun.polar(a, method="newton-schulz", tol=1e-3))))(jnp.asarray(A))
    for ours, theirs in zip(mapped, (U, H), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    half = jnp.asarray(A).astype(jnp.bfloat16)
    V, _, _, left, *_ = traced(jax, half, "right", "newton-schulz", tol=0.3)
    assert V.dtype == jnp.bfloat16
    assert np.all(left[:3] <= 0.3)


def test_jax_never_calls_a_run_converged_that_is_not(jax):
    A = jax.numpy.asarray(stack("float32", (2, 4, 4)))
    U, H, steps, residual, *_ = traced(jax, A, "right", "muon", tol=1e-3)
    assert np.all(residual > 1e-3)
    assert np.isfinite(U).all()
    assert np.isfinite(H).all()
    assert np.all(steps < 250)  # stagnated


def test_jax_says_which_methods_have_no_traced_loop(jax):
    A = jax.numpy.eye(3)
    with pytest.raises(ValueError, match=r"method: expected one made of products .* got 'qdwh', .* are .*newton.*svd"):
        jax.jit(lambda a: matfun.polar(a, method="qdwh", tol=1e-3).U)(A)
    with pytest.raises(ValueError, match=r"got 'prism', .* because it draws random numbers in every step"):
        jax.jit(lambda a: matfun.polar(a, method=matfun.Prism(fresh=True)).U)(A)
