"""What a run tells: JSON lines, event files, curves, and how spread out its negatives are."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from negsamp import ConfigError
from negsamp_models.datasets import Dataset
from negsamp_models.display.curves import Curves, labelled, read_curves
from negsamp_models.display.logs import JsonLines, TensorBoard
from negsamp_models.display.plots import plot_runs
from negsamp_models.display.progress import ProgressDisplay, epoch_line
from negsamp_models.display.results import results_table
from negsamp_models.display.whole_tables import print_whole
from negsamp_models.records import EpochRecord, ResultError, RunResult, best_epoch
from negsamp_models.settings import TrainingSettings
from negsamp_models.training import Trainer
from negsamp_models.training.probe import Probe
from negsamp_models.training.watching import Silent, Together
from tests.models.made_up import tiny_dataset

SETTINGS = TrainingSettings(
    max_epochs=3, batch_size=16, hidden_size=8, num_layers=1, num_heads=1, max_length=6, dropout=0.2
)
RUN = {"dataset": "Tiny", "sampler": {"sampler": "uniform"}, "settings": asdict(SETTINGS)}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return tiny_dataset(seed=3)


def record(epoch: int, score: float = 1.0) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        loss=1.0 / (epoch + 1),
        alpha=2.5,
        beta=None,
        training_seconds=2.0,
        sampling_seconds=0.5,
        evaluation_seconds=0.1,
        validation={"HR@10": 2 * score, "NDCG@10": score},
        num_draws=1000,
        entropy=3.0,
    )


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_times_are_without_what_the_first_epoch_compiles(dataset: Dataset) -> None:
    result = Trainer(dataset, {"sampler": "uniform"}, SETTINGS).run()
    first = replace(record(0), training_seconds=20.0, sampling_seconds=18.0)
    two, one = (replace(result, epochs=epochs) for epochs in ([first, record(1)], [first]))
    assert (two.seconds_per_epoch, two.sampling_share) == (2.0, 0.25)
    assert (one.seconds_per_epoch, one.sampling_share) == (20.0, 0.9)
    content = two.to_json()
    assert content["seconds_per_epoch"] == 2.0
    stated = RunResult.from_json(content | {"seconds_per_epoch": 11.0})
    assert (stated, stated.seconds_per_epoch) == (two, 11.0)
    assert stated.to_json() == content | {"seconds_per_epoch": 11.0}
    del content["seconds_per_epoch"]
    assert RunResult.from_json(content).seconds_per_epoch == 2.0
    with pytest.raises(ConfigError, match="seconds_per_epoch must be a number; got 'x'"):
        RunResult.from_json(content | {"seconds_per_epoch": "x"})


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_tables_wrap_names_and_cut_nothing(dataset: Dataset, width: int) -> None:
    result = Trainer(dataset, {"sampler": "uniform"}, replace(SETTINGS, max_epochs=1)).run()
    result = replace(result, test=dict.fromkeys(result.test, 12.34), epochs=[record(0)] * 300)
    names = ["popularity gamma=0.75", "GenNi alpha=2.5 beta=exponential(m=40)"]
    written = io.StringIO()
    table = results_table("SASRec", dict.fromkeys(names, result))
    print_whole(Console(file=written, width=width), table)
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= max(width, 60)
    figures = "12.34  12.34 12.34   12.34 1/300     2.0      25%"
    assert [line.strip().endswith(figures) for line in lines].count(True) == 2
    told = "".join(line[: -len(figures)].strip() for line in lines if line[:1].strip())
    for name in names:
        assert name.replace(" ", "") in told.replace(" ", "")


def test_a_file_gets_a_line_for_each_epoch_and_no_bar() -> None:
    written = io.StringIO()
    with ProgressDisplay("GenNi", 300, Console(file=written, width=80)) as display:
        display.on_start([record(0)])
        for epoch, best in ((1, 1), (2, 1)):
            display.on_batch(epoch, 0, 1, 0.5)
            display.on_epoch(record(epoch), best_epoch=best)
    rest = "validation HR@10 2.00 NDCG@10 1.00  2.0 s (0.5 s sampling)"
    assert written.getvalue().splitlines() == [
        "GenNi  resumes after epoch 1",
        f"GenNi  epoch   2  loss 0.5000  {rest}  best so far",
        f"GenNi  epoch   3  loss 0.3333  {rest}  best 2",
    ]


@pytest.mark.parametrize(("alpha", "shown"), [(2.5, "2.5"), (0.001, "0.001"), (1e30, "1e+30")])
def test_a_small_or_large_alpha_is_shown_as_it_is(alpha: float, shown: str) -> None:
    assert f"alpha {shown}  beta 1  " in epoch_line(replace(record(0), alpha=alpha, beta=1.0))


def test_json_lines_hold_the_run_and_a_line_an_epoch(tmp_path: Path) -> None:
    path = tmp_path / "run" / "log.jsonl"
    log = JsonLines(path, RUN)
    log.on_start([])
    log.on_epoch(record(0), best_epoch=0)
    log.on_epoch(record(1), best_epoch=0)
    first, *epochs = lines(path)
    assert first == RUN
    assert [each["epoch"] for each in epochs] == [0, 1]
    assert epochs[1]["loss"] == 0.5
    assert (epochs[1]["draws_per_second"], epochs[1]["sampling_share"]) == (2000.0, 0.25)


def test_json_lines_that_go_on_have_each_epoch_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"of": "before"}\n{"epoch": 0}\n{"epoch": 1}\n{"epo')
    log = JsonLines(path, RUN)
    log.on_start([record(0)])
    assert [each.get("epoch") for each in lines(path)] == [None, 0]
    log.on_epoch(record(1), best_epoch=0)
    assert [each.get("epoch") for each in lines(path)] == [None, 0, 1]


def test_json_lines_that_failed_are_written_later(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = JsonLines(path, RUN)
    log.on_start([])
    path.unlink()
    path.mkdir()
    log.on_epoch(record(0), best_epoch=0)
    log.on_epoch(record(1), best_epoch=0)
    path.rmdir()
    log.on_epoch(record(2), best_epoch=0)
    log.on_epoch(record(3), best_epoch=0)
    assert [each.get("epoch") for each in lines(path)] == [None, 0, 1, 2, 3]


def test_event_files_leave_out_what_a_checkpoint_went_back_behind(tmp_path: Path) -> None:
    with TensorBoard(tmp_path) as board:
        board.on_start([])
        for epoch in range(3):
            board.on_epoch(record(epoch), best_epoch=0)
    with TensorBoard(tmp_path) as board:
        board.on_start([record(0)])
        for epoch in (1, 2):
            board.on_epoch(replace(record(epoch), loss=7.0), best_epoch=0)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(each.step, each.value) for each in events.Scalars("training/loss")] == [
        (0, 1.0),
        (1, 7.0),
        (2, 7.0),
    ]
    assert {tag: events.Scalars(tag)[-1].value for tag in events.Tags()["scalars"]} == {
        "training/loss": 7.0,
        "training/seconds": 2.0,
        "sampling/alpha": 2.5,
        "sampling/entropy": 3.0,
        "sampling/draws_per_second": 2000.0,
        "sampling/share_of_time": 0.25,
        "validation/HR@10": 2.0,
        "validation/NDCG@10": 1.0,
    }


def test_event_files_of_a_run_that_begins_anew_show_nothing_of_the_one_before(
    tmp_path: Path,
) -> None:
    for loss, epochs in ((1.0, 3), (7.0, 2)):
        with TensorBoard(tmp_path) as board:
            board.on_start([])
            for epoch in range(epochs):
                board.on_epoch(replace(record(epoch), loss=loss), best_epoch=0)
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("training/loss")
    assert [(each.step, each.value) for each in events] == [(0, 7.0), (1, 7.0)]


def test_without_tensorboard_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r'pip install "negsamp\[watch\]"'):
        TensorBoard(tmp_path)


def test_several_watchers_are_all_told() -> None:
    told: list[str] = []

    class Teller(Silent):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_start(self, records: Any) -> None:
            told.append(f"{self.name} start")

        def on_batch(self, epoch: int, batch: int, num_batches: int, loss: float) -> None:
            told.append(f"{self.name} {batch} of {num_batches}")

        def on_notice(self, message: str) -> None:
            told.append(f"{self.name} {message}")

    both = Together(Teller("a"), Teller("b"))
    both.on_start([])
    both.on_batch(0, 1, 2, 0.5)
    both.on_notice("x")
    both.on_epoch(record(0), 0)
    assert told == ["a start", "b start", "a 1 of 2", "b 1 of 2", "a x", "b x"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"sampler": "uniform"}, np.log(19)),
        ({"sampler": "genni", "alpha": 0.0}, np.log(19)),
        ({"sampler": "genni", "alpha": 1e5}, 0.0),
    ],
    ids=["uniform", "alpha-0", "alpha-large"],
)
def test_entropy_of_the_negatives(
    dataset: Dataset, config: dict[str, Any], expected: float
) -> None:
    trainer = Trainer(dataset, config, SETTINGS)
    assert trainer.probe.entropy(trainer.model, trainer.sampler) == pytest.approx(expected)


def test_the_entropy_is_that_of_the_law_and_changes_nothing(dataset: Dataset) -> None:
    config = {"sampler": "genni", "alpha": 40.0}
    trainer = Trainer(dataset, config, SETTINGS)
    training = trainer.split.training
    probe = Probe.of(training, dataset.num_items, SETTINGS.max_length, trainer.device)
    assert probe.users.tolist() == np.linspace(0, 59, 32).astype(int).tolist()
    assert probe.targets.tolist() == [training.targets[user][-1] for user in probe.users.tolist()]
    before = torch.get_rng_state(), trainer.sampler.state_dict()
    found = probe.entropy(trainer.model, trainer.sampler)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert trainer.sampler.state_dict() == before[1]
    with torch.no_grad():
        queries = probe.batch.last_tokens(trainer.model(probe.batch))
        logits = 40.0 * (queries @ trainer.model.item_embeddings.T).double()
    logits[:, 0] = -torch.inf
    logits[torch.arange(32), probe.targets] = -torch.inf
    law = logits.softmax(1)
    expected = -(law * law.clamp_min(1e-300).log()).sum(1).mean()
    assert found == pytest.approx(float(expected), rel=1e-6)
    assert 0.1 < found < np.log(19) - 0.1


def test_records_count_draws_and_entropy(dataset: Dataset) -> None:
    config = {"sampler": "genni", "alpha": 2.5, "num_negatives": 3}
    trainer = Trainer(dataset, config, SETTINGS)
    result = trainer.run()
    num_targets = trainer.split.training.targets.num_actions
    assert [each.num_draws for each in result.epochs] == [3 * num_targets] * 3
    assert all(0 < (each.entropy or 0.0) <= np.log(19) for each in result.epochs)


def test_the_best_epoch_is_the_first_of_equals() -> None:
    assert best_epoch([]) == 0
    assert best_epoch([record(0, 1.0), record(1, 3.0), record(2, 3.0), record(3, 2.0)]) == 1


def test_curves_are_read_from_logs_and_results(tmp_path: Path, dataset: Dataset) -> None:
    result = Trainer(dataset, {"sampler": "uniform"}, SETTINGS).run()
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "result.json").write_text(json.dumps(result.to_json()))
    log = JsonLines(tmp_path / "half" / "log.jsonl", RUN)
    log.on_start([record(0), record(1)])
    with (tmp_path / "half" / "log.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    done, half = sorted(read_curves([tmp_path]), key=lambda run: run.file)
    assert (done.file.parent.name, done.dataset, done.negatives) == ("done", "tiny", "uniform")
    assert done.records == result.epochs
    assert half.records == [record(0), record(1)]
    assert read_curves([tmp_path / "half"]) == [half]
    assert read_curves([half.file, done.file]) == [half, done]
    JsonLines(tmp_path / "done" / "log.jsonl", RUN).on_start([record(0)])
    assert [run.file for run in read_curves([tmp_path])] == [done.file, half.file]


def test_a_file_that_is_no_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(ResultError, match=r"log.jsonl is not the log or result of a run"):
        read_curves([tmp_path])


def test_labels_are_as_short_as_tells_runs_apart() -> None:
    def labels(*runs: tuple[str, str, int]) -> list[str]:
        curves = [
            Curves(Path(f"{place}.json"), dataset, negatives, seed, [record(0)])
            for place, (negatives, dataset, seed) in enumerate(runs)
        ]
        return list(labelled(curves))

    assert labels(("uniform", "A", 0), ("GenNi", "A", 0)) == ["uniform", "GenNi"]
    assert labels(("uniform", "A", 0), ("uniform", "B", 0)) == ["uniform, A", "uniform, B"]
    assert labels(("uniform", "A", 0), ("uniform", "A", 1)) == [
        "uniform, seed 0",
        "uniform, seed 1",
    ]
    assert labels(("uniform", "A", 0), ("uniform", "A", 0)) == [
        "uniform, 0.json",
        "uniform, 1.json",
    ]
    for files, told in (
        (["runs/a/result.json", "runs/b/log.jsonl"], ["a", "b"]),
        (["a/run/seed0.json", "b/run/seed0.json"], ["a", "b"]),
        (["runs/result.json", "runs/a/b/result.json"], ["runs", "runs/a/b"]),
        (["runs/a/seed0.json", "runs/a/result.json"], ["seed0.json", "result.json"]),
    ):
        same = [Curves(Path(file), "A", "uniform", 0, [record(0)]) for file in files]
        assert list(labelled(same)) == [f"uniform, {each}" for each in told]
    assert labels(("GenNi", "A", 0), ("GenNi", "A", 1), ("GenNi", "B", 1)) == [
        "GenNi, A, seed 0",
        "GenNi, A, seed 1",
        "GenNi, B, seed 1",
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 300])
def test_ticks_of_epochs_are_whole_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    drawn: list[Any] = []
    keep = "negsamp_models.display.plots.save_picture"
    monkeypatch.setattr(keep, lambda figure, *_, **__: drawn.append(figure))
    plot_runs({"a": [record(epoch) for epoch in range(number)]}, tmp_path / "picture.png", "title")
    over_epochs = [axes for axes in drawn[0].axes if axes.get_xlabel() == "epoch"]
    assert over_epochs
    for axes in over_epochs:
        ticks = axes.get_xticks()
        assert len(ticks)
        assert (ticks == ticks.round()).all()


def test_a_picture_leaves_the_backend_of_a_notebook_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matplotlib.use", lambda *_, **__: pytest.fail("chooses a backend"))
    plot_runs({"a": [record(0)]}, tmp_path / "picture.png", "title")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_title_is_no_formula(tmp_path: Path) -> None:
    plot_runs({"a": [record(0)]}, tmp_path / "picture.png", r"SASRec on $\log$.2024$\x$")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_leaves_out_what_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def note(*arguments: Any) -> None:
        drawn.append(arguments[1].label)

    monkeypatch.setattr("negsamp_models.display.plots._draw_panel", note)
    runs = {"a": [record(0), record(1)], "b": [replace(record(0), entropy=2.0)]}
    plot_runs(runs, tmp_path / "picture.png", "title")
    validation = "validation NDCG@10, percent"
    assert drawn == [validation, validation, "loss", "entropy of the negatives, nats"]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
