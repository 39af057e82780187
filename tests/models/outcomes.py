"""Compare two runs, except for times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TIMES = ("training_seconds", "sampling_seconds", "evaluation_seconds")


def untimed(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without times."""
    epochs = [{k: v for k, v in each.items() if k not in TIMES} for each in result["epochs"]]
    kept = {k: v for k, v in result.items() if k not in ("seconds_per_epoch", "sampling_share")}
    return kept | {"epochs": epochs}


def assert_same_outcome(folder: Path, other: Path) -> None:
    """Require two folders to hold finished runs with identical weights and metrics."""
    names = ["curves.png", "log.jsonl", "model.safetensors", "result.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    weights = [(each / "model.safetensors").read_bytes() for each in (folder, other)]
    assert weights[0] == weights[1]
    results = [json.loads((each / "result.json").read_text()) for each in (folder, other)]
    assert untimed(results[0]) == untimed(results[1])
    lines = [(each / "log.jsonl").read_text().splitlines() for each in (folder, other)]
    assert len(lines[0]) == len(lines[1])
