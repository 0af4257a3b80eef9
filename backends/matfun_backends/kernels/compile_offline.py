"""Compile the kernels for a device that is not here, and say what they need: registers, shared memory, spills.

Needs Triton and no torch, no driver and no device.  ``python -m matfun_backends.kernels.compile_offline`` prints the
table of docs/gpu.md; ``--json`` prints it for benchmarks/results/kernels_sm90.json.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.experimental.gluon._runtime import GluonASTSource

from matfun_backends.kernels import product, specialised, symmetric
from matfun_backends.kernels.tiles import BAND, SHARED_MEMORY, SMALL, SMALL_32, TILES, TILES_32, Tile

HOPPER = GPUTarget("cuda", 90, 32)

ALIGNED = [["tt.divisibility", 16]]
"""What Triton's launcher finds out of pointers and of strides, and tells the compiler."""


@dataclass(frozen=True)
class Variant:
    """One compilation of one kernel.

    Parameters
    ----------
    kernel : {"symmetric", "product"}
    access : {"descriptors", "pointers"}
    dtype : {"bf16", "fp16", "fp32"}
    tile : Tile
    columns : bool
        Whether both operands are contiguous along the other axis than the one that is summed over (``X^T X``).
    has_c : bool
    aligned : bool
        Whether rows are multiples of 16 bytes; pointers only.
    """

    kernel: str
    access: str
    dtype: str
    tile: Tile
    columns: bool = False
    has_c: bool = True
    aligned: bool = True

    @property
    def name(self) -> str:
        """Short name, as in the table of docs/gpu.md."""
        words = [self.kernel, self.access, self.dtype, self.tile.name]
        words += [word for word, said in (("columns", self.columns), ("no C", not self.has_c)) if said]
        return " ".join([*words, *([] if self.aligned else ["unaligned"])])


@dataclass(frozen=True)
class Compiled:
    """What a variant needs of a multiprocessor."""

    registers: int
    shared: int
    spilled: int
    wgmma: bool
    tma: bool

    @property
    def fits(self) -> bool:
        """Whether a multiprocessor has that much shared memory."""
        return self.shared <= SHARED_MEMORY


def variants() -> Iterator[Variant]:
    """What ``dispatch`` may ask for, and what it refrains from: unaligned rows."""
    for dtype in ("bf16", "fp16", "fp32"):
        tiles, small = (TILES_32, SMALL_32) if dtype == "fp32" else (TILES, SMALL)
        for access, served in (("descriptors", tiles), ("pointers", (small,))):
            for tile in served:
                for columns in (False, True):
                    yield Variant("symmetric", access, dtype, tile, columns)
                yield Variant("symmetric", access, dtype, tile, columns=True, has_c=False)
                yield Variant("product", access, dtype, tile)
        yield Variant("symmetric", "pointers", dtype, small, aligned=False)
        yield Variant("product", "pointers", dtype, small, aligned=False)


def compile_variant(variant: Variant, target: GPUTarget = HOPPER) -> Compiled:
    """Compile for the target and read the answer off the binary.

    Raises
    ------
    ValueError
        Where the variant does not fit into shared memory.
    """
    divided = variant.tile.divided
    modules = {"symmetric": symmetric, "product": product}
    function = specialised.specialised if divided else getattr(modules[variant.kernel], f"by_{variant.access}")
    signature, constants = _signature(variant, function.arg_names)
    attributes = {
        (i,): ALIGNED
        for i, name in enumerate(function.arg_names)
        if signature[name].startswith("*")
        or (signature[name] == "i32" and variant.aligned and _is_aligned(name, variant))
    }
    options = {"num_warps": variant.tile.warps, "num_stages": variant.tile.stages}
    if divided:
        source = GluonASTSource(function, signature, constants, attributes)
        options = {"num_warps": specialised.WARPS, "maxnreg": specialised.REGISTERS}
    else:
        source = triton.compiler.ASTSource(function, signature, constants, attributes)
    made = triton.compile(source, target=target, options=options)
    registers, spilled = _resources(made.asm["cubin"])
    text = made.asm["ptx"]
    compiled = Compiled(registers, made.metadata.shared, spilled, "wgmma.mma_async" in text, "cp.async.bulk" in text)
    if not compiled.fits:
        raise ValueError(f"{variant.name}: {compiled.shared} bytes of shared memory, and there are {SHARED_MEMORY}")
    return compiled


def _is_aligned(name: str, variant: Variant) -> bool:
    sizes = ("m", "n", "depth") if variant.access == "pointers" else ()
    return name in sizes or name[:2] in ("a_", "b_", "c_", "d_")


def _signature(variant: Variant, names: list[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Types of the arguments, and the values of those that are constants."""
    tile = variant.tile
    constants: dict[str, Any] = {
        "TILE": tile.rows, "HALVES": tile.halves, "DEPTH": tile.depth, "BAND": BAND, "WIDE": False,
        "PRECISION": "tf32x3" if variant.dtype == "fp32" else "ieee",
        "A_COLUMNS": variant.columns, "B_COLUMNS": variant.columns or variant.kernel == "product",
        "HAS_C": variant.has_c, "HAS_GAMMA": False, "SYMMETRIC": variant.kernel == "symmetric", "STAGES": tile.stages,
        "c_column": 1, f"a_{'row' if variant.columns else 'depth'}": 1,
        f"b_{'row' if variant.columns or variant.kernel == 'product' else 'depth'}": 1,
    }  # fmt: skip
    constants = {name: value for name, value in constants.items() if name in names}

    def block(name: str) -> str:
        across = tile.rows * (tile.halves if name == "b" else 1)
        if tile.divided:
            across = specialised.PART.value if name == "b" else specialised.SIDE.value
        if name in "cd":
            shape = (specialised.SIDE.value,) * 2 if tile.divided else (tile.rows, tile.rows)
        else:
            shape = (tile.depth, across) if constants[f"{name.upper()}_COLUMNS"] else (across, tile.depth)
        layout = f",{specialised.layout_of(1, *shape)!r}" if tile.divided else ""
        return f"tensordesc<{variant.dtype}[1, {shape[0]}, {shape[1]}]{layout}>"

    signature = {}
    for name in names:
        if name in constants:
            signature[name] = "constexpr"
        elif name in ("a", "b", "c", "d"):
            signature[name] = block(name) if variant.access == "descriptors" else f"*{variant.dtype}"
        else:
            signature[name] = "*fp32" if name in ("alpha", "beta", "gamma") else "i32"
    return signature, constants


def _resources(cubin: bytes) -> tuple[int, int]:
    """Registers per thread and bytes spilled, as ``cuobjdump`` reads them off the binary."""
    tool = triton.knobs.nvidia.cuobjdump.path
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        said = subprocess.run([tool, "-res-usage", str(path)], capture_output=True, text=True, check=True).stdout
    found = {key: int(value) for key, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", said)}
    return found["REG"], found["STACK"] + found["LOCAL"]


def table() -> list[dict[str, Any]]:
    """Every variant with what it needs, or why it was refused."""
    rows: list[dict[str, Any]] = []
    for variant in variants():
        try:
            rows.append({"variant": variant.name, **asdict(compile_variant(variant))})
        except (ValueError, triton.CompilationError, RuntimeError) as refused:
            rows.append({"variant": variant.name, "refused": f"{type(refused).__name__}: {refused}"})
    return rows


if __name__ == "__main__":
    if "--json" in sys.argv[1:]:
        made = {"triton": triton.__version__, "target": "sm_90", "results": table()}
        print(json.dumps(made, indent=1))
    else:
        for row in table():
            print("  ".join(f"{key}: {value}" for key, value in row.items()))
