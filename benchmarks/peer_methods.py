"""What of other packages is called in the comparison.

A peer that is not installed, or cannot run here, is a `Missing` with its reason, never left out in silence.  Peers are
called as their optimizers call them, with their own constants and five steps.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
from cases import Case
from own_methods import SIXTEEN, STEPS, Answer, Method, Missing, ours

MUON = (3.4445, -4.7750, 2.0315)


# ---- factorisations -------------------------------------------------------------------------------


def from_svd(svd: Callable[..., Any], A: Any, case: Case) -> Answer:
    """The textbook's way from a singular value decomposition."""
    left, s, right = svd(A, full_matrices=False)
    if case.side == "right":
        return Answer(left @ right, (right.mT.conj() * s[..., None, :]) @ right)
    return Answer(left @ right, (left * s[..., None, :]) @ left.mT.conj())


def scipy_polar(A: Any, case: Case) -> Answer:
    """scipy.linalg.polar."""
    return Answer(*scipy.linalg.polar(A, side=case.side))


def numpy_routes() -> Iterator[Method]:
    """NumPy and SciPy."""
    yield Method("scipy.linalg.polar", "scipy", "numpy", "polar", scipy_polar)
    yield Method("numpy SVD", "numpy", "numpy", "polar", partial(from_svd, np.linalg.svd))


def torch_routes() -> Iterator[Method]:
    """PyTorch: the factorisation, and the function inside torch.optim.Muon."""
    import torch
    from torch.optim._muon import _zeropower_via_newtonschulz as zeropower

    yield Method("torch SVD", "torch", "torch", "polar", partial(from_svd, torch.linalg.svd))
    # .bfloat16() of a bfloat16 tensor is that tensor, which is then divided in place
    yield Method(
        "torch.optim.Muon",
        "torch",
        "torch",
        "steps",
        lambda A, _: Answer(zeropower(A, MUON, STEPS, 1e-7)),
        SIXTEEN,
        stacks=False,
        consumes=True,
    )


def jax_routes() -> Iterator[Method]:
    """JAX: the factorisation and both methods of its polar."""
    import jax
    import jax.numpy as jnp
    import jax.scipy.linalg as jsl

    def svd_route(side: str) -> Callable[[Any], tuple[Any, Any]]:
        case = Case("", "polar", (1, 1) if side == "right" else (1, 2), "float32")
        return jax.jit(lambda A: from_svd(jnp.linalg.svd, A, case)[:2])

    routes = {side: svd_route(side) for side in ("left", "right")}
    yield Method("jax SVD (jit)", "jax", "jax", "polar", lambda A, c: Answer(*routes[c.side](A)), compiles=True)
    for how in ("qdwh", "svd"):

        def call(A: Any, case: Case, how: str = how) -> Answer:
            return Answer(*jsl.polar(A, side=case.side, method=how))

        yield Method(f"jax.scipy.linalg.polar {how}", "jax", "jax", "polar", call, compiles=True)


# ---- optimizers -----------------------------------------------------------------------------------


def optax() -> Iterator[Method]:
    """optax.contrib: the function inside its Muon, compiled as in a training step."""
    import jax
    import jax.numpy as jnp
    from optax.contrib._muon import orthogonalize_via_newton_schulz

    run = jax.jit(lambda A: orthogonalize_via_newton_schulz(A, jnp.asarray(MUON), STEPS))
    many = jax.jit(jax.vmap(lambda A: orthogonalize_via_newton_schulz(A, jnp.asarray(MUON), STEPS)))

    def call(A: Any, case: Case) -> Answer:  # noqa: ARG001
        return Answer(run(A) if A.ndim == 2 else many(A))

    yield Method("optax muon (jit)", "optax", "jax", "steps", call, ("float32",), compiles=True)


def muon_optimizer() -> Iterator[Method]:
    """muon-optimizer, Keller Jordan's reference."""
    import muon

    function = muon.zeropower_via_newtonschulz5
    yield Method("muon-optimizer", "muon-optimizer", "torch", "steps", lambda A, _: Answer(function(A, STEPS)), SIXTEEN)


def pytorch_optimizer() -> Iterator[Method]:
    """pytorch-optimizer: the standard and the Gram form, in the dtype of the input."""
    from pytorch_optimizer.optimizer.utils import matrix

    forms = {"": matrix.zero_power_via_newton_schulz_5, " Gram form": matrix.zero_power_via_gram_newton_schulz}
    for form, function in forms.items():

        def call(A: Any, case: Case, function: Callable[..., Any] = function) -> Answer:  # noqa: ARG001
            return Answer(function(A, STEPS, dtype=A.dtype))

        name = f"pytorch-optimizer{form}"
        yield Method(name, "pytorch-optimizer", "torch", "steps", call, ("float32", *SIXTEEN))


def heavyball() -> Iterator[Method]:
    """heavyball: what its Muon runs by default, compiled as shipped, and without the compiler."""
    import heavyball.utils as hu
    import torch

    mode = hu.compile_mode
    compiled: list[Case] = []

    def call(A: Any, case: Case, compile_mode: Any) -> Answer:
        if compile_mode is not None and case not in compiled[-1:]:
            torch._dynamo.reset()  # it compiles for each shape, and torch refuses after eight of them
            compiled.append(case)
        hu.compile_mode = compile_mode
        try:
            return Answer(hu.inplace_orthogonal_(A, "newtonschulz"))
        finally:
            hu.compile_mode = mode

    kinds = {"compiled": mode, "eager": None}
    for kind, value in kinds.items():
        run = partial(call, compile_mode=value)
        yield Method(f"heavyball ({kind})", "heavyball", "torch", "steps", run, SIXTEEN, compiles=value is not None)


def gram_newton_schulz() -> Iterator[Method]:
    """gram-newton-schulz: its plain-torch path, which works in float16; its kernels need a GPU."""
    import torch
    from gram_newton_schulz import GramNewtonSchulz

    plain = GramNewtonSchulz(ns_use_kernels=False, compile_kwargs=None)
    yield Method(
        "gram-newton-schulz (torch)",
        "gram-newton-schulz",
        "torch",
        "steps",
        lambda A, _: Answer(plain(A)),
        SIXTEEN,
    )
    if torch.cuda.is_available() and importlib.util.find_spec("quack"):
        fast = GramNewtonSchulz()
        name = "gram-newton-schulz (kernels)"
        yield Method(name, "gram-newton-schulz", "torch", "steps", lambda A, _: Answer(fast(A)), SIXTEEN, compiles=True)


SOURCES = {
    "matfun": ours,
    "numpy and scipy": numpy_routes,
    "torch": torch_routes,
    "jax": jax_routes,
    "optax": optax,
    "muon-optimizer": muon_optimizer,
    "pytorch-optimizer": pytorch_optimizer,
    "heavyball": heavyball,
    "gram-newton-schulz": gram_newton_schulz,
}
PACKAGES = tuple(SOURCES)[4:]
NOT_ON_THE_INDEX = "not on the package index: pip finds no distribution of that name"


def methods() -> tuple[list[Method], list[Missing]]:
    """Everything that can be called here, and what cannot."""
    found: list[Method] = []
    missing = [Missing("polargrad (QDWH, ZOLO-PD)", NOT_ON_THE_INDEX)]
    for name, source in SOURCES.items():
        try:
            found += source()
        except Exception as error:  # a peer may fail to import in any way
            missing.append(Missing(name, f"{type(error).__name__}: {error}"))
    if not any("kernels" in m.name for m in found):
        missing.append(Missing("gram-newton-schulz (kernels)", "needs an NVIDIA GPU and quack-kernels"))
    return found, missing
