"""The GRU in Keras: its step learns, in float32 and mixed precision, and its callback is heard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from negsamp import ConfigError, Exponential, GenNi, LossDriven, Uniform
from negsamp_models.datasets import Sequences, generate_synthetic
from negsamp_models.datasets.synthetic import SyntheticParameters
from negsamp_models.keras_gru import GruRecommender, Settings, application, padded, train
from negsamp_tensorflow import GraphSampler
from negsamp_tensorflow.callbacks import SamplerCallback

ROOT = Path(__file__).parents[2]
DATASET = generate_synthetic(SyntheticParameters(num_users=120, num_items=60, num_clusters=6))
SMALL = Settings(epochs=3, batch_size=40, max_length=8, dim=16, learning_rate=0.01)


@pytest.fixture(params=["float32", "mixed_bfloat16", "mixed_float16"])
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("compiled", ["", ", jit_compile=True"])
def test_the_tutorial_runs_in_any_precision_and_under_xla(compiled: str) -> None:
    text = (ROOT / "docs" / "tutorials" / "keras.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        short = block.replace("num_users, length = 500, 2000", "num_users, length = 500, 96")
        exec(short.replace('optimizer="adam"', f'optimizer="adam"{compiled}'), names)  # noqa: S102
    losses = names["model"].history.history["loss"]
    assert losses[-1] < losses[0]
    assert int(names["model"].sampler.state_dict()["call"]) == 9
    assert names["targets"].min() == 0


def test_there_is_an_epoch_at_least() -> None:
    refused = CliRunner().invoke(application, ["--epochs", "0"])
    assert refused.exit_code == 2
    assert "'--epochs'" in refused.output


def test_a_result_is_replaced_only_if_asked(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text("an hour of training")
    few = ["--dataset", "synthetic", "--epochs", "1", "--output", str(file)]
    refused = CliRunner().invoke(application, few)
    assert refused.exit_code == 2
    assert "name another --output, or give --overwrite" in " ".join(refused.stderr.split())
    assert file.read_text() == "an hour of training"
    assert CliRunner().invoke(application, [*few, "--overwrite"]).exit_code == 0
    assert "Keras GRU" in file.read_text()


def test_sequences_are_padded_behind() -> None:
    lines = padded(Sequences.from_lists([[3, 1], [2]]), 3)
    assert lines.tolist() == [[3, 1, 0], [2, 0, 0]]


def test_training_is_written_down_and_repeats() -> None:
    told: list[str] = []
    result = train(DATASET, {"sampler": "genni", "alpha": 1.0}, SMALL, told.append)
    losses = [each["loss"] for each in result["epochs"]]
    assert [each.partition(":")[0] for each in told] == ["epoch 1", "epoch 2", "epoch 3"]
    assert losses[-1] < losses[0]
    reached = [each["validation"]["NDCG@10"] for each in result["epochs"]]
    assert result["validation"]["NDCG@10"] == max(reached)
    assert result["best_epoch"] == reached.index(max(reached))
    again = train(DATASET, {"sampler": "genni", "alpha": 1.0}, SMALL, told.append)
    assert [each["loss"] for each in again["epochs"]] == pytest.approx(losses, rel=1e-3)


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_learns_in_any_precision(jit_compile: bool) -> None:
    keras.utils.set_random_seed(0)
    alpha, beta = LossDriven(initial=1.0), Exponential(m=2, initial=0.1)
    sampler = GenNi(range(1, 61), 2, alpha=alpha, beta=beta)
    model = GruRecommender(60, sampler, SMALL)
    model.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=jit_compile)
    lines = np.random.default_rng(0).integers(1, 61, (40, 8))
    lines[:, 6:] = 0
    history = model.fit(
        lines, lines, epochs=3, batch_size=20, callbacks=[SamplerCallback(model.sampler)], verbose=0
    )
    assert history.history["loss"][-1] < history.history["loss"][0]
    state = model.sampler.state_dict()
    assert (state["call"], state["epoch"]) == (6, 2)
    assert state["values"]["beta"] == pytest.approx(1.0)
    assert state["previous_loss"] == pytest.approx(history.history["loss"][-1])


def test_the_callback_says_what_it_needs() -> None:
    with pytest.raises(ConfigError, match="takes a GraphSampler; got Uniform"):
        SamplerCallback(Uniform(5))  # type: ignore[arg-type]
    callback = SamplerCallback(GraphSampler(GenNi(5, alpha=LossDriven(initial=1.0))))
    with pytest.raises(ConfigError, match=r"no 'loss' among what train_step returns, \['mean'\]"):
        callback.on_train_batch_end(0, {"mean": 1.0})
    SamplerCallback(GraphSampler(Uniform(5))).on_train_batch_end(0, {})
