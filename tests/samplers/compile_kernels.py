"""Compile the Triton kernels for GPUs that need not be present, and print properties as JSON.

Run as a script, so that Triton compiles instead of interpreting.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from negsamp_torch.fused.by_score import launch_options, step_of, tile_rows
from negsamp_torch.fused.kernels.draws import draw
from negsamp_torch.fused.kernels.masses import exclude, masses_of_own, masses_of_shared
from negsamp_torch.fused.kernels.rows import prepare_rows
from negsamp_torch.fused.kernels.subsets import floyd, list_places, write_keys
from negsamp_torch.fused.kernels.weights import draw as draw_by_weight

POINTERS = {
    "*i64": "numbers count places begins ends more item_ids counter first_totals cumulative "
    "weights_before targets exclude users offsets keys",
    "*i32": "status user_items",
    "*fp32": "shifts sums log_q factor",
    "*i1": "kept",
    "*u8": "taken flags",
}
TYPES = {name: pointer for pointer, names in POINTERS.items() for name in names.split()}


@dataclass(frozen=True)
class Case:
    """A kernel with its launch configuration: constants, data types, warps and stages."""

    kernel: Any
    constants: dict[str, Any]
    queries: str = "*fp32"
    items: str = "*fp32"
    options: dict[str, int | None] = field(default_factory=dict)


SHARED = {"BLOCK": 128, "LISTED": False, "ONE_EXCLUDED": True}
PRODUCT = {"PRECISION": "tf32x3", "WIDEN": False}
OWN = {"BLOCK": 128, "STEPS": 6, "STEP": 32}
DRAWS = {"TILE": 1024, "LISTED": False, "REPLACEMENT": False}
WEIGHTS = {"LANES": 256, "STEPS": 6, "ITEM_STEPS": 14, "WEIGHTED": True, "MASKED": True}
DTYPES = {"*bf16": torch.bfloat16, "*fp16": torch.float16, "*fp32": torch.float32}

FIRST_PASSES: dict[str, tuple[Any, ...]] = {
    "bfloat16, short": ("*bf16", "*bf16", 16),
    "bfloat16": ("*bf16", "*bf16", 64),
    "bfloat16, long": ("*bf16", "*bf16", 128),
    "bfloat16, candidates": ("*bf16", "*bf16", 64, {"LISTED": True}),
    "float16": ("*fp16", "*fp16", 64),
    "float32, one dimension": ("*fp32", "*fp32", 1, {"dim": 1, "stride": 1}),
    "float32, short": ("*fp32", "*fp32", 32),
    "float32": ("*fp32", "*fp32", 64),
    "float32, few rows": ("*fp32", "*fp32", 64, {"ROWS": 16}),
    "float32, one TF32 product": ("*fp32", "*fp32", 256, {"PRECISION": "tf32"}),
    "both": ("*fp32", "*bf16", 64),
    "float64 table": ("*fp32", "*fp64", 64),
}
"""Data types of queries and items, their dimension, and constants that differ from the usual."""

OTHERS = {
    "exclusions": Case(exclude, {"PLACE_STEPS": 8, "EACH": 512, "LISTED": True, **OWN}),
    "own candidates": Case(masses_of_own, OWN),
    "draws": Case(draw, {**DRAWS, **OWN}),
    "fixed weights": Case(draw_by_weight, WEIGHTS),
    "subsets": Case(floyd, {"LANES": 32}, options={"num_warps": 1}),
    "candidates": Case(list_places, {"FLAG": 1, "FLAGS": 1024}),
    "keys": Case(write_keys, {"LANES": 128}),
    "rows": Case(prepare_rows, {"LANES": 256, "MASKED": True, "SIGNED": True, "OF_USERS": True}),
}


def first_pass(
    arch: int, queries: str, items: str, dim: int, changes: dict[str, Any] | None = None
) -> Case:
    """Return the first pass over items shared by all rows, as launched on an architecture."""
    given, generation = torch.empty((1, dim), dtype=DTYPES[queries]), arch // 10
    rows, step = tile_rows(generation), step_of(given)
    constants: dict[str, Any] = {"ROWS": rows, "STEP": step, "ONE_STEP": dim <= step}
    constants |= SHARED | PRODUCT | (changes or {})
    options = launch_options(given, generation, constants["ROWS"])
    return Case(masses_of_shared, constants, queries, items, options)


def cases(arch: int) -> dict[str, Case]:
    """Return all kernels as launched on an architecture."""
    passes = FIRST_PASSES.items()
    return {f"first pass, {name}": first_pass(arch, *how) for name, how in passes} | OTHERS


def compiled(case: Case, arch: int) -> dict[str, Any]:
    """Compile a kernel; return its registers, shared memory, stack and tensor core instructions.

    Also its pointers for whose alignment it is not compiled again.
    """
    kernel, constants = case.kernel, case.constants
    types = TYPES | {"queries": case.queries, "items": case.items}
    names = [parameter.name for parameter in kernel.params]
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32") for name in names
    }
    pointers = [each for each in kernel.params if signature[each.name].startswith("*")]
    any_alignment = [each.name for each in pointers if each.do_not_specialize_on_alignment]
    divisible = {each.name for each in pointers} | ({"dim", "stride"} - constants.keys())
    aligned = [(i,) for i, name in enumerate(names) if name in divisible - {*any_alignment}]
    source = ASTSource(
        fn=kernel,
        signature=signature,
        constexprs=constants,
        attrs={index: [["tt.divisibility", 16]] for index in aligned},
    )
    binary = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=case.options)
    with TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        file.write_bytes(binary.asm["cubin"])
        usage, assembly = tool("cuobjdump", "-res-usage", file), tool("nvdisasm", "-c", file)
    registers, stack = (int(usage.split(f"{name}:")[1].split()[0]) for name in ("REG", "STACK"))
    return {
        "registers": registers,
        "shared": int(binary.metadata.shared),
        "stack": stack,
        "tensor": assembly.count("HGMMA") + assembly.count("HMMA"),
        "any_alignment": any_alignment,
    }


def tool(name: str, *arguments: object) -> str:
    """Run a tool that is bundled with Triton."""
    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    command = [str(folder / name), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    found = {
        f"sm_{arch}, {name}": compiled(case, arch)
        for arch in map(int, sys.argv[1:])
        for name, case in cases(arch).items()
    }
    print(json.dumps(found))
