"""Pre-trained weights: a run begins with them, and only where they belong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from negsamp_models.checkpoints import CheckpointError, CheckpointFolder
from negsamp_models.datasets import Dataset, LeaveOneOut, SyntheticParameters, generate_synthetic
from negsamp_models.display.tables import summarise
from negsamp_models.pretrained import (
    Pretrained,
    PretrainedError,
    fingerprint,
    read_pretrained,
    write_pretrained,
)
from negsamp_models.records import RunResult
from negsamp_models.s3rec import Pretrainer
from negsamp_models.settings import PretrainingSettings, TrainingSettings, TrainingSettingsError
from negsamp_models.training import Trainer
from negsamp_models.training.run_state import pack_state

SIZES = {"hidden_size": 8, "num_layers": 1, "num_heads": 1, "max_length": 6}
PRETRAINING = PretrainingSettings(epochs=2, batch_size=40, dropout=0.2, **SIZES)  # type: ignore[arg-type]
FINE_TUNING = TrainingSettings(max_epochs=2, batch_size=16, model="s3rec", **SIZES)  # type: ignore[arg-type]
UNIFORM = {"sampler": "uniform"}
PARAMETERS = SyntheticParameters(num_users=60, num_items=24, num_clusters=4)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return generate_synthetic(PARAMETERS)


@pytest.fixture(scope="module")
def file(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "pretrained.safetensors"
    pretrainer = Pretrainer(dataset, PRETRAINING)
    pretrainer.run()
    write_pretrained(path, pretrainer.model, pretrainer.provenance)
    return path


def changed(file: Path, target: Path, **header: Any) -> Path:
    """Write the weights under a header that claims something else."""
    with safe_open(file, "pt") as content:
        about = content.metadata()
        weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    provenance = json.loads(about["provenance"]) | header
    save_file(weights, target, metadata=about | {"provenance": json.dumps(provenance)})
    return target


def test_what_the_page_shows(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With smaller data and sizes; its path is a plain string."""
    page = (Path(__file__).parents[2] / "docs" / "s3rec.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    smaller = {
        'load_dataset("Beauty", attributes=True)': "small",
        "Pretrainer(dataset)": "Pretrainer(dataset, pretraining)",
        'TrainingSettings(model="s3rec")': "fine_tuning",
    }
    for full, small in smaller.items():
        assert full in shown
        shown = shown.replace(full, small)
    names: dict[str, Any] = {
        "small": dataset,
        "pretraining": PRETRAINING,
        "fine_tuning": FINE_TUNING,
    }
    monkeypatch.chdir(tmp_path)
    exec(shown, names)  # noqa: S102
    assert names["result"].pretraining["epochs"] == PRETRAINING.epochs


def test_the_encoder_comes_back_as_it_was(dataset: Dataset, file: Path) -> None:
    pretrainer = Pretrainer(dataset, PRETRAINING)
    pretrainer.run()
    pretrained = read_pretrained(file)
    own = pretrainer.model.encoder.state_dict()
    own["items.weight"] = own["items.weight"][:-1]
    assert pretrained.weights.keys() == own.keys()
    for name, value in own.items():
        assert torch.equal(pretrained.weights[name], value), name
    assert pretrained.provenance == pretrainer.provenance
    assert pretrained.provenance.sizes == SIZES
    split = LeaveOneOut.of(dataset)
    seen = split.training_part
    assert pretrained.provenance.training_part == fingerprint(seen.item_ids, seen.offsets)
    with safe_open(file, "pt") as content:
        assert {"attributes.weight", "segments.bias"} <= set(content.keys())


@pytest.mark.parametrize("config", [UNIFORM, {"sampler": "genni", "alpha": 2.0}])
def test_a_run_begins_with_them(dataset: Dataset, file: Path, config: dict[str, Any]) -> None:
    pretrained = read_pretrained(file)
    results = []
    for _ in range(2):
        trainer = Trainer(dataset, config, FINE_TUNING, pretrained=pretrained)
        for name, value in trainer.model.state_dict().items():
            assert torch.equal(value, pretrained.weights[name]), name
        results.append([record.loss for record in trainer.run().epochs])
    plain = Trainer(dataset, config, replace(FINE_TUNING, model="sasrec"))
    assert not torch.equal(plain.model.item_embeddings, pretrained.weights["items.weight"])
    assert results[0] == results[1]
    assert results[0] != [record.loss for record in plain.run().epochs]
    for name, value in read_pretrained(file).weights.items():  # training leaves them alone
        assert torch.equal(value, pretrained.weights[name]), name


def test_a_result_says_where_it_began(dataset: Dataset, file: Path) -> None:
    pretrained = read_pretrained(file)
    result = Trainer(dataset, UNIFORM, FINE_TUNING, pretrained=pretrained).run()
    assert result.pretraining == pretrained.description
    assert result.pretraining["epochs"] == 2
    assert len(result.pretraining["sha256"]) == 64
    content = result.to_json()
    assert RunResult.from_json(json.loads(json.dumps(content))) == result
    plain = Trainer(dataset, UNIFORM, replace(FINE_TUNING, model="sasrec")).run()
    old = {k: v for k, v in plain.to_json().items() if k != "pretraining"}
    old["settings"] = {k: v for k, v in old["settings"].items() if k != "model"}
    assert RunResult.from_json(old) == plain
    rows = summarise([result, plain])
    names = {row.configuration.partition(" max_epochs=2")[0] for row in rows}
    began = "pre-trained for 2 epochs with batch_size=40, dropout=0.2"
    assert names == {f"S3-Rec uniform {began}", "uniform"}


def test_runs_from_other_epochs_are_other_rows(dataset: Dataset, file: Path) -> None:
    result = Trainer(dataset, UNIFORM, FINE_TUNING, pretrained=read_pretrained(file)).run()
    assert result.pretraining is not None
    longer = replace(result, pretraining=result.pretraining | {"epochs": 150})
    seed = replace(result, pretraining=result.pretraining | {"seed": 1, "sha256": "0"})
    assert [row.num_seeds for row in summarise([result, longer])] == [1, 1]
    assert len(summarise([result, seed])) == 1


def test_a_checkpoint_from_other_weights_is_refused(
    dataset: Dataset, file: Path, tmp_path: Path
) -> None:
    pretrained = read_pretrained(file)
    trainer = Trainer(dataset, UNIFORM, FINE_TUNING, pretrained=pretrained)
    other = replace(pretrained, weights={k: v + 1 for k, v in pretrained.weights.items()})
    second = Trainer(dataset, UNIFORM, FINE_TUNING, pretrained=other)
    checkpoint = pack_state(trainer.state, trainer._parts, trainer.sampler)
    CheckpointFolder(tmp_path, trainer.identity).save(checkpoint)
    with pytest.raises(CheckpointError, match=r"pretraining.sha256 is '\w+' there, '\w+' here"):
        CheckpointFolder(tmp_path, second.identity).last(lambda _: None)


def test_weights_and_model_go_together(dataset: Dataset, file: Path) -> None:
    pretrained, plain = read_pretrained(file), replace(FINE_TUNING, model="sasrec")
    with pytest.raises(TrainingSettingsError, match="'s3rec' with pre-trained weights"):
        Trainer(dataset, UNIFORM, FINE_TUNING)
    with pytest.raises(TrainingSettingsError, match="'sasrec' without; got 'sasrec'"):
        Trainer(dataset, UNIFORM, plain, pretrained=pretrained)
    with pytest.raises(TrainingSettingsError, match="model must be 'sasrec' or 's3rec'; got 'x'"):
        replace(FINE_TUNING, model="x")  # type: ignore[arg-type]


def test_weights_of_another_catalogue(file: Path) -> None:
    other = generate_synthetic(replace(PARAMETERS, num_items=25))
    message = "on synthetic, which has 24 items; synthetic has 25: pre-train on it with negsamp"
    with pytest.raises(PretrainedError, match=message):
        Trainer(other, UNIFORM, FINE_TUNING, pretrained=read_pretrained(file))


def test_weights_of_other_sequences(file: Path) -> None:
    other = generate_synthetic(replace(PARAMETERS, seed=1))
    with pytest.raises(PretrainedError, match="on other sequences than those of synthetic here"):
        Trainer(other, UNIFORM, FINE_TUNING, pretrained=read_pretrained(file))


def test_weights_of_other_sizes(dataset: Dataset, file: Path) -> None:
    wanted = replace(FINE_TUNING, hidden_size=16, num_heads=2)
    message = r"sizes \(hidden_size is 8 there, 16 here, num_heads is 1 there, 2 here\): omit"
    with pytest.raises(PretrainedError, match=message):
        Trainer(dataset, UNIFORM, wanted, pretrained=read_pretrained(file))


def refused(path: Path, message: str) -> None:
    with pytest.raises(PretrainedError, match=message) as caught:
        read_pretrained(path)
    assert str(caught.value).startswith(str(path))


def test_files_that_are_something_else(file: Path, tmp_path: Path) -> None:
    refused(tmp_path / "none.safetensors", "is missing or not a file; make one with negsamp pretr")
    refused(tmp_path, "is missing or not a file")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(file.read_bytes()[:-100])
    refused(torn, "is not a complete safetensors file")
    torn.write_bytes(b"")
    refused(torn, "is not a complete safetensors file")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"items.weight": torch.zeros(3, 2)}, foreign)
    refused(foreign, "does not hold the weights of a pre-trained S3-Rec: its format is None")
    save_file({"a": torch.zeros(1)}, foreign, metadata={"format": "negsamp S3-Rec 1"})
    refused(foreign, "lacks valid provenance, which has the keys dataset, num_items")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"extra": 1}, "lacks valid provenance"),
        ({"num_items": 23}, r"has items.weight of shape \(25, 8\); by its header .* \(24, 8\)"),
        ({"num_layers": 2}, r"has layers.1.\S+ of shape None; by its header"),
        ({"num_heads": 3}, "has invalid sizes in its header: num_heads must divide hidden_size"),
        ({"num_items": "24"}, "has invalid sizes in its header: num_items must be an integer"),
    ],
)
def test_headers_that_lie(file: Path, tmp_path: Path, header: dict[str, Any], message: str) -> None:
    refused(changed(file, tmp_path / "lie.safetensors", **header), message)


@pytest.mark.parametrize("spoil", [lambda w: w * torch.nan, lambda w: w / 0])
def test_weights_that_are_no_numbers(
    file: Path, tmp_path: Path, spoil: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    with safe_open(file, "pt") as content:
        weights = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        about = content.metadata()
    weights["encoder.norm.bias"] = spoil(weights["encoder.norm.bias"])
    save_file(weights, tmp_path / "nan.safetensors", metadata=about)
    refused(tmp_path / "nan.safetensors", "holds weights that are not finite numbers")


def test_a_full_disk_leaves_what_was_there(
    dataset: Dataset, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "pretrained.safetensors"
    target.write_bytes(file.read_bytes())
    pretrainer = Pretrainer(dataset, PRETRAINING)

    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("negsamp_models.pretrained.save_file", fail)
    with pytest.raises(OSError, match="No space left"):
        write_pretrained(target, pretrainer.model, pretrainer.provenance)
    assert isinstance(read_pretrained(target), Pretrained)
    assert [path.name for path in tmp_path.iterdir()] == ["pretrained.safetensors"]
