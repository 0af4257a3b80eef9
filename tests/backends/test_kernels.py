"""Do the Triton kernels compute what they say, in the interpreter and where there is a device, and do they compile?"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")


@needs_triton
@needs_torch
@pytest.mark.parametrize(("group", "cases"), [("kernels", 24), ("checks", 6), ("provider", 22), ("passes", 20)])
def test_interpreted(group, cases):
    """Each case prints its error in units of the bound that check.py derives, and whether the rest of it holds."""
    places = os.pathsep.join([str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "interpreted.py"), group],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": places},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(found) == cases
    assert [(name, error) for name, error, _ in found if not float(error) <= 1] == []
    assert [name for name, _, holds in found if holds != "1"] == []


# ---- compiled for a device that is not here ------------------------------------------------------


@needs_triton
@pytest.mark.parametrize(
    ("kernel", "access", "dtype", "tile"),
    [
        ("symmetric", "descriptors", "fp16", "SQUARE"),
        ("symmetric", "descriptors", "bf16", "WIDE"),
        ("symmetric", "pointers", "bf16", "SMALL"),
        ("symmetric", "descriptors", "fp32", "SQUARE_32"),
        ("product", "descriptors", "bf16", "WIDE"),
        ("symmetric", "descriptors", "bf16", "DIVIDED"),
        ("product", "descriptors", "fp16", "DIVIDED"),
    ],
)
def test_compiles_for_hopper(kernel, access, dtype, tile):
    from matfun_backends.kernels import compile_offline, tiles

    variant = compile_offline.Variant(kernel, access, dtype, getattr(tiles, tile))
    compiled = compile_offline.compile_variant(variant)
    assert compiled.wgmma  # the tensor cores, not fused multiply-adds
    assert compiled.tma == (access == "descriptors")
    assert compiled.spilled == 0
    # all stages are there: loads run ahead of the products
    needed = variant.tile.shared(4 if dtype == "fp32" else 2)
    if access == "descriptors":
        assert needed < compiled.shared <= needed + tiles.BARRIERS
    else:
        assert needed - variant.tile.rows**2 * 2 <= compiled.shared < needed  # stores go past shared memory
    assert compiled.registers * 32 * variant.tile.warps <= 65536


@needs_triton
def test_what_does_not_fit_is_refused():
    from matfun_backends.kernels import compile_offline, tiles

    deep = tiles.Tile(128, 2, 64, warps=8, stages=5)
    with pytest.raises(ValueError, match="bytes of shared memory"):
        compile_offline.compile_variant(compile_offline.Variant("symmetric", "descriptors", "bf16", deep))


@needs_triton
def test_offline_compilation_needs_no_torch():
    code = "import sys; import matfun_backends.kernels.compile_offline; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT / "backends"
    )
    assert done.stdout.strip() == "False", done.stdout + done.stderr


@needs_triton
def test_the_minimum_is_sought_as_elsewhere():
    from matfun_backends.kernels import fit

    from matfun.polynomials import minimise

    there = minimise.GRID_POINTS, minimise.EMPIRICAL_NEWTON_STEPS, minimise.ROUNDINGS
    assert there == (fit.POINTS, fit.NEWTON_STEPS, fit.ROUNDINGS)


def test_the_page_says_what_was_compiled():
    """Registers, KiB and spills of docs/gpu.md are those of the JSON that the command on that page writes."""
    written = json.loads((ROOT / "benchmarks" / "results" / "kernels_sm90.json").read_text())["results"]
    rows = {row["variant"]: f"{row['registers']} | {row['shared'] / 1024:.0f} | {row['spilled']} |" for row in written}
    table = re.findall(r"^\| ((?:symmetric|product) .*?) \| (.*)$", (ROOT / "docs" / "gpu.md").read_text(), re.M)
    assert len(table) > 20
    assert all(rows[variant] == said for variant, said in table)


@needs_torch
def test_cpu_tensors_load_no_kernel():
    code = (
        "import sys, torch, matfun; matfun.orthogonalize(torch.eye(3)); "
        "print([m for m in sys.modules if m.startswith('matfun_backends.kernels') or m == 'triton'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@needs_torch
def test_the_plain_provider_has_no_kernels():
    import torch

    import matfun

    A = torch.eye(3)
    _, info = matfun.orthogonalize(A, steps=2, backend="torch_plain", full_output=True)
    assert info.backend == "torch_plain"


# ---- on a device ---------------------------------------------------------------------------------


@pytest.fixture
def cuda():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch.cuda.is_available() is False: no CUDA device for torch")
    pytest.importorskip("triton")
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("the CUDA device has a compute capability below 8.0")
    return torch


@pytest.mark.parametrize("kernel", ["symmetric", "product"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_every_kernel_agrees_on_the_device(cuda, kernel, dtype):
    from matfun_backends.kernels.check import Case, trusted
    from matfun_backends.kernels.dispatch import WITH_DESCRIPTORS, served

    hopper = cuda.cuda.get_device_capability() >= WITH_DESCRIPTORS
    for tile in served(getattr(cuda, dtype), cuda.device("cuda", 0)):
        for columns in ((False, False), (True, True)):
            for on_device in ((False, False, False), (True, True, True)):
                where = cuda.device("cuda", 0)
                for more in ((True, False), (False, True), (True, True)) if kernel == "symmetric" else ((True, False),):
                    case = Case(kernel, where, getattr(cuda, dtype), tile, hopper, on_device, columns, *more)
                    assert trusted(case), case


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_passes_agree_on_the_device(cuda, dtype):
    from itertools import product

    from matfun_backends.kernels.check import Case, trusted

    where = cuda.device("cuda", 0)
    for on_device, by_columns, two, shifted in product((False, True), repeat=4):
        flags = (on_device,) * 3, (by_columns, by_columns), two, shifted
        assert trusted(Case("combination", where, getattr(cuda, dtype), None, False, *flags)), flags
    for columns, highest in ((8, 3), (8, 5), (16, 5)):
        assert trusted(Case("fit", where, getattr(cuda, dtype), None, False, (), (columns, highest)))


@pytest.mark.parametrize("method", ["polar-express", "window", "prism"])
def test_runs_on_the_device_agree_and_wait_for_nothing(cuda, method):
    import matfun

    generator = cuda.Generator("cuda").manual_seed(0)
    A = cuda.randn((2, 1536, 3072), generator=generator, device="cuda", dtype=cuda.float32)
    fast = matfun.orthogonalize(A, method, steps=5, rng=0)
    plain = matfun.orthogonalize(A, method, steps=5, rng=0, backend="torch_plain")
    # five steps of float32 whose polynomials amplify roundings at most fiftyfold each, in sums of 3072 terms
    assert float((fast - plain).abs().max()) < 1e-3
    cuda.cuda.synchronize()
    before = cuda.cuda.get_sync_debug_mode()
    cuda.cuda.set_sync_debug_mode("error")
    try:
        matfun.orthogonalize(A, method, steps=5, rng=0)
    finally:
        cuda.cuda.set_sync_debug_mode(before)


def test_a_captured_run_gives_the_same_and_new_memory(cuda):
    from functools import partial

    from matfun_backends.kernels.graphs import Captured

    import matfun

    update = Captured(partial(matfun.orthogonalize, steps=5))
    draws = [cuda.randn((1536, 1536), device="cuda", dtype=cuda.bfloat16) for _ in range(3)]
    answers = [update(A) for A in draws]
    for A, X in zip(draws, answers, strict=True):
        assert cuda.equal(X, matfun.orthogonalize(A, steps=5))
