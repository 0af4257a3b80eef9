"""Record the matrices an optimizer meets: gradients, momenta and Kronecker factors of a small transformer.

A byte-level pre-LayerNorm GPT (width 128, 2 layers, 4 heads, MLP 4x) is trained with AdamW on Python's
own standard library, which is on every machine that can run this file. What is recorded is what Muon and
Shampoo would be given: the gradient G (weights in torch's layout, outputs x inputs), its Nesterov
momentum, and the factors L <- beta L + (1 - beta) G G^T, R <- beta R + (1 - beta) G^T G. Run `python -m
matfun.lab.record --out DIR`.

Momentum: K. Jordan et al., Muon (2024), 0.95, averaged and Nesterov as in torch.optim.Muon. Factors: V.
Gupta, T. Koren, Y. Singer, Shampoo (2018), with the averages 0.95 and 0.999 in use since. Needs torch;
the rest of the lab does not, since the result is shipped in `data/` and read by `matfun.lab.recorded`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import math
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# Long, prose-rich modules that Python ships as source (not frozen) on every platform; read in this order.
MODULES = (
    "argparse", "ast", "bisect", "calendar", "cmd", "configparser", "copy", "csv", "dataclasses", "difflib",
    "dis", "doctest", "fractions", "functools", "heapq", "inspect", "locale", "optparse", "pickle", "pprint",
    "random", "shutil", "statistics", "string", "subprocess", "tarfile", "textwrap", "threading",
)  # fmt: skip
STEPS = (1, 10, 60, 240)
MOMENTUM = 0.95
BETAS = (0.95, 0.999)
LAYER = 1  # the last block: its inputs already carry what the first one learnt
BLOCK = ("qkv", "o", "up", "down")
DATA_SEED, MODEL_SEED = 1, 0
DEFAULT_SIZES = {"width": 128, "layers": 2, "heads": 4, "context": 64, "batch": 16}
SHIP = {  # (kind, matrix) -> steps, chosen so that the file stays below 3 MB
    ("gradient", "qkv"): (1, 240),
    ("gradient", "o"): (1, 10, 60, 240),
    ("gradient", "up"): (60,),
    ("gradient", "down"): (1, 240),
    ("gradient", "embedding"): (1, 240),
    ("momentum", "embedding"): (240,),
    ("momentum", "qkv"): (240,),
    ("momentum", "o"): (10, 60, 240),
    ("momentum", "up"): (240,),
    ("momentum", "down"): (240,),
    ("factor", "o/left/0.95"): (1, 240),
    ("factor", "o/right/0.95"): (1, 240),
    ("factor", "o/left/0.999"): (240,),
    ("factor", "qkv/right/0.999"): (240,),
    ("factor", "up/right/0.95"): (60,),
}


def corpus() -> bytes:
    """Concatenate the sources of `MODULES`, with normalised newlines; no path of the machine enters."""
    texts = []
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            raise RuntimeError(f"the source of the standard module {name!r} is not available in this Python")
        texts.append(Path(spec.origin).read_bytes().replace(b"\r\n", b"\n"))
    return b"".join(texts)


def _parameters(torch: Any, width: int, layers: int, context: int, *, zero_output: bool) -> dict[str, Any]:
    """Draw the weights as GPT-2 does: N(0, 0.02^2), residual outputs over sqrt(2 layers), or zero."""
    rng = np.random.default_rng(MODEL_SEED)
    residual = 0.0 if zero_output else 0.02 / math.sqrt(2 * layers)
    shapes = {"embedding": (256, width, 0.02), "position": (context, width, 0.02), "head": (256, width, 0.02)}
    for i in range(layers):
        shapes |= {
            f"{i}/qkv": (3 * width, width, 0.02),
            f"{i}/o": (width, width, residual),
            f"{i}/up": (4 * width, width, 0.02),
            f"{i}/down": (width, 4 * width, residual),
        }
    weights = {k: (s * rng.standard_normal((m, n))).astype(np.float32) for k, (m, n, s) in shapes.items()}
    for name in ("final", *(f"{i}/{part}" for i in range(layers) for part in ("norm1", "norm2"))):
        weights[f"{name}/gain"] = np.ones(width, np.float32)
        weights[f"{name}/bias"] = np.zeros(width, np.float32)
    return {k: torch.from_numpy(w).requires_grad_() for k, w in weights.items()}


def _loss(torch: Any, w: dict[str, Any], tokens: Any, *, layers: int, heads: int) -> Any:
    """Cross entropy of the next byte; `tokens` has shape (batch, context + 1)."""
    f = torch.nn.functional
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    batch, context = inputs.shape
    width = w["embedding"].shape[1]

    def norm(x: Any, name: str) -> Any:
        return f.layer_norm(x, (width,), w[f"{name}/gain"], w[f"{name}/bias"])

    x = w["embedding"][inputs] + w["position"]
    for i in range(layers):
        qkv = f.linear(norm(x, f"{i}/norm1"), w[f"{i}/qkv"]).view(batch, context, 3, heads, width // heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = f.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + f.linear(mixed.transpose(1, 2).reshape(batch, context, width), w[f"{i}/o"])
        x = x + f.linear(f.gelu(f.linear(norm(x, f"{i}/norm2"), w[f"{i}/up"])), w[f"{i}/down"])
    return f.cross_entropy(f.linear(norm(x, "final"), w["head"]).reshape(-1, 256), targets.reshape(-1))


@contextmanager
def _deterministic(torch: Any) -> Iterator[None]:
    """One thread and deterministic kernels, and the caller's settings back afterwards."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)


def train(
    steps: int = STEPS[-1], *, width: int, layers: int, heads: int, context: int, batch: int
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Train, and record every matrix at the steps in `STEPS` (and at the last one).

    Parameters
    ----------
    steps : int
        Number of AdamW steps.
    width, layers, heads, context, batch : int
        Sizes of the model and of the batch.

    Returns
    -------
    matrices : dict of str to array, shape (m, n), float32
        Keys `kind/stepNNNN/matrix`, e.g. `gradient/step0010/o` or `factor/step0240/o/left/0.95`.
    losses : list of float
        The training loss in nats per byte, one per step.
    """
    import torch

    text = np.frombuffer(corpus(), np.uint8).astype(np.int64)
    names = {"embedding": "embedding", **{name: f"{min(LAYER, layers - 1)}/{name}" for name in BLOCK}}
    out: dict[str, np.ndarray] = {}
    losses: list[float] = []
    with _deterministic(torch):
        for zero_output in (True, False):  # zero outputs once, for an exactly zero gradient
            rng = np.random.default_rng(DATA_SEED)
            w = _parameters(torch, width, layers, context, zero_output=zero_output)
            adam = torch.optim.AdamW(list(w.values()), lr=1e-3, weight_decay=0.1, foreach=False)
            state: dict[str, Any] = {}
            for step in range(1, (1 if zero_output else steps) + 1):
                starts = rng.integers(0, len(text) - context - 1, batch)
                tokens = torch.from_numpy(text[starts[:, None] + np.arange(context + 1)])
                adam.zero_grad()
                loss = _loss(torch, w, tokens, layers=layers, heads=heads)
                loss.backward()
                if zero_output:
                    out["gradient/step0001/qkv-zero-init"] = w[names["qkv"]].grad.numpy().copy()
                    break
                losses.append(loss.item())
                now: dict[str, Any] = {}
                for name, key in names.items():
                    now |= _observe(state, name, w[key].grad)
                if step in STEPS or step == steps:
                    for key, value in now.items():
                        kind, _, matrix = key.partition("/")
                        out[f"{kind}/step{step:04d}/{matrix}"] = value.numpy().copy()
                adam.step()
    return out, losses


def _observe(state: dict[str, Any], name: str, grad: Any) -> dict[str, Any]:
    """Update momentum and factors of one weight from its gradient (m, n); return what an optimizer holds."""

    def average(key: str, new: Any, beta: float) -> Any:
        state[key] = (1 - beta) * new if key not in state else beta * state[key] + (1 - beta) * new
        return state[key]

    buffer = average(f"buffer/{name}", grad, MOMENTUM)
    seen = {f"gradient/{name}": grad, f"momentum/{name}": (1 - MOMENTUM) * grad + MOMENTUM * buffer}
    if name != "embedding":
        for beta in BETAS:
            seen[f"factor/{name}/left/{beta}"] = average(f"L/{name}/{beta}", grad @ grad.T, beta)
            seen[f"factor/{name}/right/{beta}"] = average(f"R/{name}/{beta}", grad.T @ grad, beta)
    return seen


def record(out: Path, steps: int = STEPS[-1], **sizes: int) -> Path:
    """Train, write `recorded.npz` (the subset `SHIP`, float32) and `PROVENANCE.md` into `out`.

    Parameters
    ----------
    out : Path
        Folder to write to; created if missing.
    steps : int
        Number of training steps.
    **sizes : int
        Sizes for `train` that differ from `DEFAULT_SIZES`.

    Returns
    -------
    path : Path
        The written `recorded.npz`.
    """
    import torch

    matrices, losses = train(steps, **(DEFAULT_SIZES | sizes))
    wanted = {f"{kind}/step{s:04d}/{name}" for (kind, name), at in SHIP.items() for s in at}
    shipped = {k: a for k, a in matrices.items() if k in wanted or k.endswith("zero-init")}
    out.mkdir(parents=True, exist_ok=True)
    path = out / "recorded.npz"
    np.savez_compressed(path, **shipped)  # type: ignore[arg-type]  # names are keys, never `allow_pickle`
    facts = {
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "NumPy": np.__version__,
        "width, layers, heads, context, batch": ", ".join(str(v) for v in (DEFAULT_SIZES | sizes).values()),
        "steps": len(losses),
        "loss at the first step": f"{losses[0]:.4f}",
        "loss, mean of the last 10": f"{np.mean(losses[-10:]):.4f}",
        "bytes of text": len(corpus()),
        "sha256 of the text": hashlib.sha256(corpus()).hexdigest(),
        "sha256 of recorded.npz": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    table = "\n".join(f"| {k} | {v} |" for k, v in facts.items())
    spectra = "\n".join(_spectrum_row(key, a) for key, a in shipped.items())
    (out / "PROVENANCE.md").write_text(PROVENANCE.format(table=table, spectra=spectra), encoding="utf-8")
    return path


def _spectrum_row(key: str, matrix: np.ndarray) -> str:
    m, n = matrix.shape
    if not matrix.any():
        return f"| {key} | {m} x {n} | 0 | - | - | - |"
    s = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    fro = np.linalg.norm(s)
    numbers = f"{fro:.3e} | {(fro / s[0]) ** 2:.2f} | {s[0] / s[len(s) // 2]:.1e} | {s[-1] / fro:.1e}"
    return f"| {key} | {m} x {n} | {numbers} |"


PROVENANCE = """# Where recorded.npz comes from

Written by `python -m matfun.lab.record`: gradients, Nesterov momenta (0.95) and Kronecker factors (0.95,
0.999) of the last block and of the embedding of a byte-level pre-LayerNorm GPT with MLP 4x, trained in
float32 with AdamW (learning rate 1e-3, weight decay 0.1), model seed 0, data seed 1, one thread,
deterministic kernels. The arrays are float32, as computed. `qkv-zero-init` is the first gradient of the
same model with zero residual outputs (`o`, `down`), which makes every gradient upstream of them exactly
zero.

Training text: modules of Python's standard library (Copyright Python Software Foundation, PSF licence;
listed in `matfun/lab/record.py`). None of the text is shipped, only gradients derived from it, under the
licence of matfun.

| fact | value |
|---|---|
{table}

The same versions on the same kind of processor give the same file; others give other rounding errors.

| matrix | shape | Frobenius norm | stable rank | sigma_1 / sigma_median | sigma_min / norm |
|---|---|---|---|---|---|
{spectra}
"""


def main() -> None:
    """Parse the command line and record."""
    parser = argparse.ArgumentParser(description="Record gradients, momenta and Kronecker factors.")
    parser.add_argument("--out", type=Path, default=Path(), help="where to write (default: here)")
    parser.add_argument("--steps", type=int, default=STEPS[-1], help="training steps (default: %(default)s)")
    arguments = parser.parse_args()
    record(arguments.out, arguments.steps)


if __name__ == "__main__":
    main()
