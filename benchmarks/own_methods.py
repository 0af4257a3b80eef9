"""What a method is in the comparison with other packages, and the methods of this package.

Every method names the library whose arrays it takes; `minimum` are the bare products that anyone has to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from cases import Case

import matfun

STEPS = 5
FLOATS = ("float32", "float64")
SIXTEEN = ("bfloat16",)


class Answer(NamedTuple):
    """U, and H and the Info where there are any; lists where a loop answered member by member."""

    U: Any
    H: Any = None
    info: Any = None


@dataclass(frozen=True)
class Method:
    """One way to the polar factor.

    Attributes
    ----------
    name, package : str
    library : str
        Whose arrays it takes: numpy, torch or jax.
    asked : str
        What it answers, see `cases.Case`.
    call : callable
        Takes (array, case), gives an Answer.
    dtypes : tuple of str
        Of the input.
    stacks : bool
        Whether it takes stacks.
    role : str
        "plain"; "loop", called on each matrix of a stack; "minimum", the products anyone has to run.
    compiles : bool
        Whether the first call on a shape compiles; that of JAX always does.
    consumes : bool
        Whether it overwrites its input, which is then copied outside the measured time.
    """

    name: str
    package: str
    library: str
    asked: str
    call: Callable[[Any, Case], Answer]
    dtypes: tuple[str, ...] = FLOATS
    stacks: bool = True
    role: str = "plain"
    compiles: bool = False
    consumes: bool = False

    @property
    def warms_up(self) -> bool:
        """Whether the first call says nothing about the next one."""
        return self.compiles or self.library == "jax" or self.role == "minimum"

    def answers(self, case: Case) -> bool:
        """Whether it can be asked this."""
        on_device = case.device == "cpu" or self.library == "torch"
        return self.asked == case.asked and case.dtype in self.dtypes and on_device

    def suited(self, case: Case) -> Method:
        """The same, as a loop where the case is a stack and it does not take stacks."""
        return self if self.stacks or (len(case.shape) == 2 and not case.weights) else self.loop()

    def loop(self) -> Method:
        """The same, called on one matrix after another."""

        def call(A: Any, case: Case) -> Answer:
            found = [self.call(A[i], case) for i in range(A.shape[0])]
            H = None if found[0].H is None else [a.H for a in found]
            return Answer([a.U for a in found], H, found[0].info)

        return replace(self, name=f"{self.name}, loop", call=call, stacks=True, role="loop")


class Missing(NamedTuple):
    """A peer that is not measured."""

    name: str
    reason: str


# ---- matfun ---------------------------------------------------------------------------------------


def polar_by(method: str, A: Any, case: Case) -> Answer:
    """matfun.polar, its certificate included."""
    found = matfun.polar(A, case.side, method, rng=0)
    return Answer(found[0], found[1], found.info)


def steps_by(method: str, A: Any, case: Case) -> Answer:  # noqa: ARG001
    """matfun.orthogonalize."""
    X, info = matfun.orthogonalize(A, method, STEPS, rng=0, full_output=True)
    return Answer(X, None, info)


def steps_by_jit(method: str) -> Callable[[Any, Case], Answer]:
    """matfun.orthogonalize under jax.jit; what info says of it is known when the trace is made."""
    import jax

    seen: dict[tuple[int, ...], Any] = {}

    @jax.jit
    def traced(A: Any) -> Any:
        X, info = matfun.orthogonalize(A, method, STEPS, rng=0, full_output=True)
        seen[A.shape] = replace(info, scale=None, history=matfun.History())
        return X

    def call(A: Any, case: Case) -> Answer:  # noqa: ARG001
        X = traced(A)
        return Answer(X, None, seen[A.shape])

    return call


def ours() -> Iterator[Method]:
    """Methods of this package on the three libraries."""
    for method in ("auto", "window", "polar-express", "qdwh", "newton", "svd"):
        yield Method(f"matfun {method}", "matfun", "numpy", "polar", partial(polar_by, method))
    for library in ("torch", "jax"):
        yield Method(f"matfun auto ({library})", "matfun", library, "polar", partial(polar_by, "auto"))
    for method in ("polar-express", "window", "prism", "muon"):
        yield Method(f"matfun {method}", "matfun", "numpy", "steps", partial(steps_by, method))
        dtypes = ("float32", *SIXTEEN) if method == "polar-express" else SIXTEEN
        yield Method(f"matfun {method} (torch)", "matfun", "torch", "steps", partial(steps_by, method), dtypes)
    call = steps_by_jit("polar-express")
    yield Method("matfun polar-express (jax jit)", "matfun", "jax", "steps", call, ("float32",), compiles=True)


def loops(found: list[Method], case: Case) -> list[Method]:
    """The methods of this package once more, matrix by matrix, where a stack is compared with a loop."""
    wanted = "matfun auto" if case.asked == "polar" else "matfun polar-express"
    return [m.loop() for m in found if m.name.startswith(wanted) and m.answers(case)]


# ---- what anyone has to run -----------------------------------------------------------------------


def product(library: str, case: Case) -> Method:
    """The bare product of the matrix with a square one on its small side, the measure of the machine's speed."""
    held: dict[tuple[int, ...], Any] = {}

    def call(A: Any, case: Case) -> Answer:  # noqa: ARG001
        wide = A.shape[-2] < A.shape[-1]
        if A.shape not in held:  # in the first call, which is not timed
            held[A.shape] = A @ A.mT if wide else A.mT @ A
        S = held[A.shape]
        return Answer(S @ A if wide else A @ S)

    return Method(f"product ({library})", library, library, case.asked, call, (case.dtype,), role="minimum")


def two_passes(case: Case) -> Method:
    """Twice the Gram product and the multiplication: what Cholesky QR in two passes is made of."""

    def call(A: Any, case: Case) -> Answer:  # noqa: ARG001
        Y = A
        for _ in range(2):
            G = Y.mT @ Y
            Y = Y @ (G / G[0, 0])  # of the size of Y, so that nothing overflows
        return Answer(Y)

    return Method("two passes", "numpy", "numpy", case.asked, call, (case.dtype,), role="minimum")
