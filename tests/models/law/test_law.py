"""The law of one user: the numbers that a run keeps, and the picture of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from negsamp import InvalidInputError
from negsamp_models.checkpoints import CheckpointError
from negsamp_models.checkpoints.trained_parts import copied
from negsamp_models.commands.application import application
from negsamp_models.datasets import Dataset, Sequences
from negsamp_models.datasets.packing import pack
from negsamp_models.law.picture import draw_law
from negsamp_models.law.study import LawRequest, LawStudy, study_law
from negsamp_models.settings import TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.snapshots import Snapshots, read_snapshots, remove_snapshots

SETTINGS = TrainingSettings(
    max_epochs=4,
    batch_size=16,
    learning_rate=0.02,
    hidden_size=8,
    num_layers=1,
    num_heads=1,
    max_length=6,
    dropout=0.2,
)
GENNI: dict[str, Any] = {
    "sampler": "genni",
    "alpha": {"schedule": "linear", "initial": 0.0, "final": 3.0, "epochs": 3},
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    random = np.random.default_rng(3)
    lists = [
        [(start + step) % 20 + 1 for step in range(random.integers(6, 9))]
        for start in random.integers(0, 20, 60)
    ]
    return Dataset("tiny", Sequences.from_lists(lists), num_items=20)


@pytest.fixture(scope="module")
def study(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> LawStudy:
    folder = tmp_path_factory.mktemp("weights")
    trainer = Trainer(dataset, GENNI, SETTINGS)
    trainer.watcher = Snapshots(folder, trainer, (0, 1, 99))
    result = trainer.run()
    assert result.best_epoch >= 1
    snapshots = read_snapshots(folder)
    assert list(snapshots) == [0, 1]
    return study_law(trainer, result, snapshots, LawRequest(5, (0, 1)))


def test_the_user_is_the_first_of_the_length(dataset: Dataset, study: LawStudy) -> None:
    lengths = dataset.sequences.lengths - 3
    assert study.user == np.flatnonzero(lengths == 5)[0]
    sequence = dataset.sequences[study.user].tolist()
    assert study.inputs == sequence[:5]
    assert study.targets == sequence[1:6]


def test_stages_are_those_of_the_weights(study: LawStudy) -> None:
    assert [stage.epochs for stage in study.stages][:2] == [0, 1]
    assert [stage.alpha for stage in study.stages][:2] == [0.0, 0.0]  # that of epoch 0 is 0 still
    last = study.stages[-1]
    assert last.alpha == min(last.epochs - 1, 3.0)
    assert last.beta == 1.0
    uniform = math.log(19)  # of 20 items, the target is left out
    assert study.stages[0].entropy == pytest.approx([uniform] * 5, abs=1e-3)
    assert study.stages[0].by_rank[0] == pytest.approx(1 / 19, rel=1e-3)


def test_numbers_are_the_law(dataset: Dataset) -> None:
    trainer = Trainer(dataset, {"sampler": "genni", "alpha": 2.0}, SETTINGS)
    result = trainer.run()
    kept = copied(trainer.model)
    study = study_law(trainer, result, {}, LawRequest(5))
    (stage,) = study.stages
    assert stage.epochs == result.best_epoch + 1
    with torch.no_grad():
        weights = trainer.model.items.weight
        place = int(np.flatnonzero(dataset.sequences.lengths == 8)[0])
        inputs = trainer.split.training.inputs.take(np.array([place]))
        batch = pack(inputs.item_ids, inputs.offsets, SETTINGS.max_length)
        hidden = trainer.model.ends(batch)[0]
        law = torch.softmax(2.0 * hidden @ weights[1:].T, dim=0)
        law[study.targets[-1] - 1] = 0
        law = law / law.sum()
    expected = [law[item - 1].item() for item in study.items]
    assert stage.probabilities[-1] == pytest.approx(expected, rel=1e-3)
    assert stage.hardest[-1] == int(law.argmax()) + 1
    assert stage.entropy[-1] == pytest.approx(torch.special.entr(law).sum().item(), rel=1e-3)
    for target, probabilities in zip(study.targets, stage.probabilities, strict=True):
        assert target not in study.items or probabilities[study.items.index(target)] == 0
    assert all(torch.equal(value, kept[name]) for name, value in copied(trainer.model).items())


def test_a_study_survives_json(study: LawStudy) -> None:
    assert LawStudy.from_json(json.loads(json.dumps(study.to_json()))) == study


def test_a_picture(study: LawStudy, tmp_path: Path) -> None:
    draw_law(study, str(tmp_path / "law.png"), r"$\x$, which is no formula")
    assert (tmp_path / "law.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(ValueError, match=r"must end in .png, .svg or .pdf; got .law.txt"):
        draw_law(study, tmp_path / "law.txt", "tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["law.png"]


def test_a_length_that_no_user_has(dataset: Dataset) -> None:
    trainer = Trainer(dataset, {"sampler": "uniform"}, SETTINGS)
    result = trainer.run()
    with pytest.raises(InvalidInputError, match="no user of tiny has 40 training positions; len"):
        study_law(trainer, result, {}, LawRequest(40))


def test_torn_weights_are_refused_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "000001.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"000001.safetensors is not a complete safetensors"):
        read_snapshots(tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    remove_snapshots(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert read_snapshots(tmp_path / "nowhere") == {}


def test_the_command_takes_a_finished_run(tmp_path: Path) -> None:
    runner = CliRunner()
    run = str(tmp_path / "run")
    train = "train --sampler uniform --max-epochs 2 --hidden-size 8 --num-layers 1 --device cpu"
    arguments = [*train.split(), "--keep-weights", "0,1", "-o", run]
    assert runner.invoke(application, arguments).exit_code == 0
    shown = runner.invoke(application, ["law", run, "--length", "4"])
    assert shown.exit_code == 0, shown.output
    content = json.loads((tmp_path / "run" / "law.json").read_text(encoding="utf-8"))
    assert content["stages"][0]["epochs"] == 0
    assert len(content["inputs"]) == 4
    assert (tmp_path / "run" / "law.png").stat().st_size > 1000
    refused = runner.invoke(application, ["law", str(tmp_path)])
    assert refused.exit_code == 2
    assert "does not hold a finished run: there is no" in refused.output.replace("\n", " ")
    assert "Errno" not in refused.output
    refused = runner.invoke(application, ["law", f"{run}/result.json"])
    assert "result.json does not hold a finished run" in refused.output.replace("\n", " ")
    named = ["law", run, "--length", "4", "-o", str(tmp_path / "[b]x.png")]
    assert "[b]x.png, [b]x.json" in runner.invoke(application, named, env={"COLUMNS": "300"}).output
    arguments[-3] = "0,often"
    assert "write epochs as whole numbers" in runner.invoke(application, arguments).output
