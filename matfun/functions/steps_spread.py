r"""A fixed number of steps on a matrix that is not in one place, in Gram form for polynomials known in advance.

The iterate is A W with a small W: a pass over A forms the Gram matrix of A W wherever the Gram form restarts
(``polar_gram.py``), and what is left to do with A is to multiply it with the last W.  Rules that look at the residual
and do not say how steep they can be, and rational ones, iterate on R of A = Q R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from matfun.drive import run_steps
from matfun.functions.choose import choose_polar
from matfun.functions.form import Form, known_in_advance
from matfun.functions.inputs import Input
from matfun.functions.row_factors import factor_rows, first_look, identity_rows, same_rows
from matfun.functions.unitary import fixed_info
from matfun.ops import Array, Ops
from matfun.polynomials.gram_form import plan_restarts
from matfun.problems.polar import PolarState
from matfun.problems.polar_gram import PolarGramProblem
from matfun.providers import ops_for
from matfun.result import Info, PolarResult
from matfun.rules.rule import Rule, rule_for
from matfun.spread import Members, RowBlocks

InOnePlace = Callable[[Array, Any], tuple[Array, Info]]
"""``orthogonalize`` of an array in one place, with a source of random numbers."""

Small = Callable[[Array, Any], Any]
"""U and info, or what carries both, of the steps on a small array with a source of random numbers."""


@dataclass(frozen=True)
class RowSteps:
    """What so many steps made of a matrix in blocks of rows.

    Attributes
    ----------
    ops : Ops
        For the blocks.
    blocks : RowBlocks
    part : callable
        Gives the rows of U from those of A and ``arrays``.
    arrays : tuple of array
    exponent : array, shape ()
    zero : array of bool, shape ()
    info : Info
    """

    ops: Ops
    blocks: RowBlocks
    part: Callable[..., Array]
    arrays: tuple[Array, ...]
    exponent: Array
    zero: Array
    info: Info


class RowGramProblem(PolarGramProblem):
    """The polar problem in Gram form where X is a small factor of the large matrix.

    Parameters
    ----------
    ops : Ops
        For the small matrices.
    rng : numpy.random.Generator, seed or None
    steps : int
    restarts : tuple of int
    gram_of : callable
        Gram matrix of A X.
    """

    def __init__(
        self, ops: Ops, rng: Any, steps: int, restarts: tuple[int, ...], gram_of: Callable[[Array], Array]
    ) -> None:
        super().__init__(ops, rng, steps, restarts)
        self._gram_of = gram_of

    def gram(self, X: Array) -> Array:
        """Gram matrix of the iterate: a pass, in which A X is formed and forgotten."""
        self.work.products += 2
        return self._gram_of(X)


def orthogonalize_spread(
    given: Input,
    spread: RowBlocks | Members,
    in_one_place: InOnePlace,
    method: str | Rule,
    steps: int,
    form: Form,
    rng: Any,
) -> tuple[Array, Info]:
    """Unitary factor after so many steps, in the blocks of A.

    Parameters
    ----------
    given : Input
    spread : RowBlocks or Members
    in_one_place : callable
    method : str or Rule
    steps : int
    form : {"auto", "standard", "gram"}
    rng : numpy.random.Generator, seed or None
    """
    if isinstance(spread, Members):
        X, info = in_one_place(spread.local, spread.agree_on_rng(rng))
        return spread.wrap(X), info
    if 0 in spread.shape:
        ops = ops_for(spread.like)
        _, info = in_one_place(ops.eye(0, 0, spread.like), None)
        return given.restore(spread.map(partial(same_rows, ops))), replace(info, backend=given.ops.name)
    name, rule = rule_for(choose_polar(given, method, steps), "polar")
    done = steps_by_rows(given, spread, in_one_place, name, rule, steps, rng, form)
    return given.restore(done.blocks.map(done.part, *done.arrays)), done.info


def widened(given: Input, blocks: RowBlocks) -> tuple[Input, RowBlocks]:
    """16 bits have no factorisations: the same matrix in float32.

    Parameters
    ----------
    given : Input
    blocks : RowBlocks
    """
    if not given.ops.is_16bit(given.A.dtype):
        return given, blocks
    given = replace(given, A=given.ops.widen(given.A))
    return given, given.ops.spread(given.A)


def polar_steps_by_rows(
    given: Input,
    blocks: RowBlocks,
    small: Callable[[Array, Any], PolarResult],
    name: str,
    rule: Rule,
    steps: int,
    rng: Any,
) -> PolarResult:
    """U after so many steps, and H = U^H A from one more pass; the zero matrix gives the identity.

    Parameters
    ----------
    given : Input
    blocks : RowBlocks
    small : callable
    name : str
    rule : Rule
    steps : int
    rng : numpy.random.Generator, seed or None
    """

    def without_h(R: Array, rng: Any) -> tuple[Array, Any]:
        found = small(R, rng)
        return found.U, found.info

    done = steps_by_rows(given, blocks, without_h, name, rule, steps, rng, "auto")
    ops, blocks, arrays = done.ops, done.blocks, (done.zero, *done.arrays)
    part = partial(_or_identity, ops, done.part)
    (H,) = blocks.total(partial(_hermitian_part_of_rows, ops, part), done.exponent, *arrays)
    U = blocks.map(part, *arrays)
    H = blocks.replicate(ops.times_power_of_two(ops.hermitian_part(H), done.exponent))
    return PolarResult.of(given.restore(U), given.restore(H), done.info)


def steps_by_rows(
    given: Input, blocks: RowBlocks, small: InOnePlace, name: str, rule: Rule, steps: int, rng: Any, form: Form
) -> RowSteps:
    """Run the steps on small matrices.

    Parameters
    ----------
    given : Input
    blocks : RowBlocks
    small : callable
    name : str
    rule : Rule
    steps : int
    rng : numpy.random.Generator, seed or None
    form : {"auto", "standard", "gram"}
        The standard form looks at A once a step.
    """
    updates = known_in_advance(rule, steps, given.ops.eps(given.A.dtype))
    if updates is None:
        given, blocks = widened(given, blocks)
    ops = ops_for(blocks.like)
    eps = ops.eps(blocks.like.dtype)
    look = first_look(ops, blocks)
    zero = ops.max_abs(look.gram) == 0
    if updates is None or hasattr(rule, "steepest"):  # others draw nothing
        rng = blocks.agree_on_rng(rng)
    if updates is None:
        factors = factor_rows(ops, blocks, look, rng)
        Y, info = small(factors.R, rng)
        part, arrays = factors.product(ops, *blocks.agree(Y))
        info = replace(info, products=info.products + factors.all_products)
    else:
        n = blocks.shape[1]
        # a pass costs more than whatever is done with small matrices: as few restarts as are safe
        restarts = None if form == "standard" else plan_restarts(updates, eps / 2, float("inf"))
        restarts = tuple(range(1, steps)) if restarts is None else restarts

        def gram_of(W: Array) -> Array:
            gram: Array = blocks.total(partial(_gram_of_product, ops), look.exponent, W)[0]
            return gram

        problem = RowGramProblem(ops, rng, steps, restarts, gram_of)
        state = PolarState(ops.eye(n, n, look.gram), look.gram)
        problem.work.products += 1
        if getattr(rule, "forms_square", False) and not ops.is_narrow_range(look.gram.dtype):
            state = problem.scale_by_gram(state)
            divisor = state.divisor
        else:
            gram = ops.xp.real(look.gram) if ops.is_complex(look.gram) else look.gram
            divisor = ops.positive_or_one(ops.trace(gram)) ** 0.5
            state = PolarState(ops.scale(state.X, 1 / divisor), ops.scale(look.gram, divisor**-2))
        state, made = run_steps(problem, rule, state, steps=steps, eps=eps)
        W = problem.settle(state).X
        problem.work.products += 1
        part, arrays = partial(_product, ops), (look.exponent, W)
        info = fixed_info(ops, problem.work, divisor, name, made)
    scale = info.scale * ops.power_of_two(look.exponent)
    return RowSteps(ops, blocks, part, arrays, look.exponent, zero, replace(info, backend=given.ops.name, scale=scale))


def _product(ops: Ops, block: Array, start: int, exponent: Array, W: Array) -> Array:  # noqa: ARG001
    return ops.matmul(ops.times_power_of_two(block, -exponent), W)


def _gram_of_product(ops: Ops, block: Array, start: int, exponent: Array, W: Array) -> tuple[Array]:
    return (ops.gram(_product(ops, block, start, exponent, W)),)


def _or_identity(ops: Ops, part: Callable[..., Array], block: Array, start: int, zero: Array, *arrays: Array) -> Array:
    return ops.select(zero, identity_rows(ops, block, start), part(block, start, *arrays))


def _hermitian_part_of_rows(
    ops: Ops, part: Callable[..., Array], block: Array, start: int, exponent: Array, *arrays: Array
) -> tuple[Array]:
    U = part(block, start, *arrays)
    return (ops.matmul(ops.adjoint(U), ops.times_power_of_two(block, -exponent)),)
