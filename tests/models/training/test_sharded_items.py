"""The item table in slices on real processes: negatives and runs are those without slices."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from negsamp import ConfigError, DotProduct, Negatives, from_config
from negsamp_models.datasets import SyntheticParameters, generate_synthetic
from negsamp_models.processes import Processes, joined_processes
from negsamp_models.settings import TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.steps import Stepper
from tests.models.children import CONTEXT, environments, finish, start, start_ranks
from tests.models.made_up import write_data

DATASET = generate_synthetic(SyntheticParameters(num_users=300, num_items=300, num_clusters=10))
SETTINGS = TrainingSettings(
    max_epochs=2, batch_size=70, hidden_size=8, num_layers=1, max_length=8, device="cpu"
)
SAMPLERS: dict[str, dict[str, Any]] = {
    "fixed": {"sampler": "genni", "alpha": 2.5, "num_negatives": 3},
    "scheduled": {
        "sampler": "genni",
        "alpha": {"schedule": "loss_driven", "initial": 0.0, "step": 0.25},
        "beta": {"schedule": "exponential", "m": 1, "initial": 0.1},
    },
}


def compare_draws(config: Mapping[str, Any], output: Path, environment: Mapping[str, str]) -> None:
    """Train with slices, and draw each time what the rank would have drawn from the whole table."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    with joined_processes() as processes:
        trainer = Trainer(DATASET, config, SETTINGS, processes=processes, sharded_items=True)
        twin = processes.sampler(from_config(config, items=trainer.sampler.items, seed=0))
        assert isinstance(trainer.stepper, Stepper)
        sliced, counts = trainer.stepper.draw, [0, 0, 0, 0]

        def draw(targets: Tensor, queries: Tensor, items: Tensor, users: Tensor) -> Negatives:
            twin.load_state_dict(trainer.sampler.state_dict())
            whole = twin.sample(targets, score=DotProduct(queries, items))
            other = twin.spawn(1).sample(targets, score=DotProduct(queries, items))
            drawn = sliced(targets, queries, items, users)
            counts[0] += 1
            counts[1] += drawn.item_ids.numel()
            counts[2] += int((drawn.item_ids == whole.item_ids).sum())
            counts[3] += int((drawn.item_ids == other.item_ids).sum())
            return drawn

        trainer.stepper.draw = draw
        trainer.run()
        output.with_suffix(f".{processes.rank}").write_text(json.dumps(counts))


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("size", [2, 3])
def test_ranks_draw_what_they_would_without_slices(size: int, name: str, tmp_path: Path) -> None:
    output = tmp_path / "counts"
    ranks = [
        CONTEXT.Process(target=compare_draws, args=(SAMPLERS[name], output, environment))
        for environment in environments(size)
    ]
    for process in ranks:
        process.start()
    assert finish(*ranks) == [0] * size
    for rank in range(size):
        counts = json.loads(output.with_suffix(f".{rank}").read_text())
        steps, num_draws, num_equal, num_equal_by_chance = counts
        assert steps == 2 * 5
        assert num_draws > 900
        assert num_equal == num_draws
        assert num_equal_by_chance < 0.1 * num_draws


def test_a_run_is_the_same_with_and_without_slices(tmp_path: Path) -> None:
    write_data(tmp_path / "Tiny.txt", DATASET.sequences)
    arguments = ["train", "--dataset", "Tiny", "--data-dir", str(tmp_path), "--device", "cpu"]
    arguments += ["--hidden-size", "8", "--max-epochs", "2", "--batch-size", "70"]
    results = []
    for name, more in (("whole", []), ("slices", ["--sharded-items"])):
        output = tmp_path / name
        ranks = start_ranks([*arguments, *more, "-o", str(output)], tmp_path / f"{name}.txt")
        assert finish(*ranks) == [0, 0], (tmp_path / f"{name}.txt").read_text()
        results.append(json.loads((output / "result.json").read_text()))
    losses = [[record["loss"] for record in result["epochs"]] for result in results]
    assert losses[0] == losses[1]
    assert results[0]["test"] == results[1]["test"]
    alone = start([*arguments, "--sharded-items", "-o", str(tmp_path / "one")], tmp_path / "a.txt")
    assert finish(alone) == [2]
    assert "--sharded-items needs several processes" in (tmp_path / "a.txt").read_text()


def test_other_samplers_have_no_scores_to_divide() -> None:
    with pytest.raises(ConfigError, match=r"needs the sampler genni, .* this run is Uniform"):
        Trainer(DATASET, {"sampler": "uniform"}, SETTINGS, processes=Two(), sharded_items=True)


class Two(Processes):
    """Two processes of which the other is not there."""

    def __init__(self) -> None:
        super().__init__(rank=0, size=2)

    def agree(self, own: Mapping[str, Any]) -> None:
        """Take it that the other has the same."""


@pytest.mark.parametrize(("num_lines", "size"), [(10, 3), (2, 4), (0, 2)])
def test_slices_follow_each_other_and_cover_all(num_lines: int, size: int) -> None:
    lines = torch.arange(num_lines)[:, None]
    slices = [Processes(rank, size).slice_of(lines) for rank in range(size)]
    assert torch.equal(torch.cat(slices), lines)
