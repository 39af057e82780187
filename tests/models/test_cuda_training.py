"""What only a GPU can show of captured steps: graphs do what their steps do, and nothing waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from negsamp_models.checkpoints import CheckpointFolder, Saver
from negsamp_models.datasets import Dataset, SyntheticParameters, generate_synthetic
from negsamp_models.processes import Processes, RunStoppedError
from negsamp_models.settings import LOSSES, RunOptions, TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.captured import CapturedStepper
from tests.models.made_up import GENNI
from tests.models.stopping import StopAfter

pytest.importorskip("triton", reason="Triton is not installed")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

SETTINGS = TrainingSettings(max_epochs=3, batch_size=128, max_length=20, device="cuda")
SAMPLERS: dict[str, dict[str, Any]] = {
    "uniform": {"sampler": "uniform"},
    "popularity": {"sampler": "popularity", "num_negatives": 3},
    "genni": {"sampler": "genni", "alpha": 1.0},
    "genni, scheduled": GENNI,
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generate_synthetic(SyntheticParameters(num_users=500, num_items=400, num_clusters=10))


@contextmanager
def no_waiting() -> Iterator[None]:
    """Have PyTorch raise an error where the host waits for the device."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def stepper_of(
    dataset: Dataset, config: dict[str, Any], settings: TrainingSettings
) -> CapturedStepper:
    trainer = Trainer(dataset, config, settings, cuda_graphs=True)
    trainer.model.train()
    assert isinstance(trainer.stepper, CapturedStepper)
    return trainer.stepper


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_replay_does_what_its_step_does(dataset: Dataset, name: str, loss: Any) -> None:
    settings = replace(SETTINGS, loss=loss, dropout=0.0)
    graph, plain = (stepper_of(dataset, SAMPLERS[name], settings) for _ in range(2))
    plain._replay.capture = lambda: None  # type: ignore[method-assign]
    plain._replay._run = plain._step
    order = np.random.default_rng(0).permutation(len(graph.training.users))
    for first in (0, 128, 256, 384, 0):  # the fourth is smaller
        steps = [each.take(order[first : first + 128]) for each in (graph, plain)]
        torch.testing.assert_close(steps[0].loss, steps[1].loss, rtol=5e-3, atol=0.0)
        assert steps[0].num_draws == steps[1].num_draws
    for stepper in (graph, plain):
        stepper.settle()
        assert stepper.sampler.state_dict()["call"] == 5


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_replay_does_not_wait(dataset: Dataset, name: str) -> None:
    stepper = stepper_of(dataset, SAMPLERS[name], SETTINGS)
    stepper.take(np.arange(128))
    with no_waiting():
        losses = [stepper.take(np.arange(128)).loss for _ in range(5)]
    assert len({float(loss) for loss in losses}) == 5


def test_noise_and_negatives_are_fresh_and_a_capture_takes_none(dataset: Dataset) -> None:
    settings, losses = replace(SETTINGS, learning_rate=1e-12), []
    for captures_again in (False, True):
        stepper = stepper_of(dataset, SAMPLERS["uniform"], settings)
        for _ in range(4):
            losses.append(float(stepper.take(np.arange(128)).loss))
            if captures_again:
                stepper._replay.capture()
    assert len(set(losses[:4])) == 4
    assert losses[4:] == pytest.approx(losses[:4], rel=1e-5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_stopped_run_goes_on_as_it_would_have_but_for_rounding(
    dataset: Dataset, name: str, tmp_path: Path
) -> None:
    straight, stopped, resumed = (
        Trainer(dataset, SAMPLERS[name], SETTINGS, cuda_graphs=True) for _ in range(3)
    )
    expected = straight.run()
    folder = CheckpointFolder(tmp_path, stopped.identity)
    stopped.saver = Saver(folder, RunOptions(), Processes())
    stopped.watcher = StopAfter(stopped, num_batches=6)
    with pytest.raises(RunStoppedError, match="the run is saved"):
        stopped.run()
    checkpoint = folder.last(pytest.fail)
    assert checkpoint is not None
    assert (checkpoint.epoch, checkpoint.batch) == (1, 2)
    resumed.restore(checkpoint)
    result = resumed.run()
    assert resumed.sampler.state_dict()["call"] == straight.sampler.state_dict()["call"] == 12
    losses = [[record.loss for record in each.epochs] for each in (result, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
