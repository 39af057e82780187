"""Compile the kernels in Triton for GPUs that are not here, and print what became of them as JSON.

Run as a script, so that Triton compiles instead of interpreting.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from negsamp_torch.fused.kernels.draws import draw
from negsamp_torch.fused.kernels.masses import exclude, masses_of_own, masses_of_shared
from negsamp_torch.fused.kernels.rows import look_at_rows
from negsamp_torch.fused.kernels.subsets import floyd, write_keys
from negsamp_torch.fused.kernels.weights import draw as draw_by_weight

POINTERS = {
    "*i64": "numbers count places begins ends more item_ids counter law cumulative weights_before "
    "targets exclude users offsets keys",
    "*i32": "status user_items",
    "*fp32": "shifts sums log_q",
    "*i1": "kept",
    "*u8": "taken",
}
TYPES = {name: pointer for pointer, names in POINTERS.items() for name in names.split()}
SHARED = {"BLOCK": 128, "LISTED": False, "PRECISION": "tf32x3", "WIDEN": False}
OWN = {"BLOCK": 128, "STEPS": 6}
KERNELS: list[tuple[str, Any, str, dict[str, Any], int, int]] = [
    ("first pass, bfloat16", masses_of_shared, "*bf16", {"ROWS": 128, "STEP": 64, **SHARED}, 8, 2),
    ("first pass, float16", masses_of_shared, "*fp16", {"ROWS": 128, "STEP": 64, **SHARED}, 8, 2),
    ("first pass, float32", masses_of_shared, "*fp32", {"ROWS": 128, "STEP": 32, **SHARED}, 8, 2),
    ("first pass, 64 rows", masses_of_shared, "*fp32", {"ROWS": 64, "STEP": 32, **SHARED}, 8, 2),
    ("exclusions", exclude, "*fp32", {"STEP": 32, "PLACE_STEPS": 8, "LISTED": True, **OWN}, 4, 3),
    ("own candidates", masses_of_own, "*fp32", {"STEP": 32, **OWN}, 4, 3),
    (
        "draws",
        draw,
        "*fp32",
        {"STEP": 32, "TILE": 1024, "LISTED": False, "REPLACEMENT": False, **OWN},
        4,
        3,
    ),
    (
        "fixed weights",
        draw_by_weight,
        "*fp32",
        {"LANES": 256, "STEPS": 6, "ITEM_STEPS": 14, "WEIGHTED": True, "MASKED": True},
        4,
        3,
    ),
    ("subsets", floyd, "*fp32", {"LANES": 128}, 4, 3),
    ("keys", write_keys, "*fp32", {"LANES": 128}, 4, 3),
    ("rows", look_at_rows, "*fp32", {"LANES": 256, "MASKED": True, "OF_USERS": True}, 4, 3),
]  # fmt: skip


def compiled(
    kernel: Any, table: str, constants: dict[str, Any], warps: int, stages: int, arch: int
) -> dict[str, int]:
    """Compile one kernel; return its shared memory, its stack and its tensor core instructions."""
    types = TYPES | {"queries": table, "items": table, "factor": "*fp32"}
    names = [parameter.name for parameter in kernel.params]
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32") for name in names
    }
    aligned = [
        (i,) for i, name in enumerate(names) if name == "dim" or signature[name].startswith("*")
    ]
    source = ASTSource(
        fn=kernel,
        signature=signature,
        constexprs=constants,
        attrs={index: [["tt.divisibility", 16]] for index in aligned},
    )
    binary = triton.compile(
        source,
        target=GPUTarget("cuda", arch, 32),
        options={"num_warps": warps, "num_stages": stages},
    )
    with TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        file.write_bytes(binary.asm["cubin"])
        usage, assembly = tool("cuobjdump", "-res-usage", file), tool("nvdisasm", "-c", file)
    stack = int(usage.split("STACK:")[1].split()[0])
    return {
        "shared": int(binary.metadata.shared),
        "stack": stack,
        "tensor": assembly.count("HGMMA") + assembly.count("HMMA"),
    }


def tool(name: str, *arguments: object) -> str:
    """Run a tool that Triton brings along."""
    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    command = [str(folder / name), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    found = {}
    for arch in map(int, sys.argv[1:]):
        for name, kernel, table, constants, warps, stages in KERNELS:
            found[f"sm_{arch}, {name}"] = compiled(kernel, table, constants, warps, stages, arch)
    print(json.dumps(found))
