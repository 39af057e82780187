"""A finished run read back, and what ``docs/training.md`` does with one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from negsamp_models.checkpoints import CheckpointError
from negsamp_models.evaluation import Metrics, rank_users
from negsamp_models.runs.finished import finished_run
from tests.models.command import run

PAGE = (Path(__file__).parents[3] / "docs" / "training.md").read_text(encoding="utf-8")


def block_under(heading: str) -> str:
    """Return the first piece of Python under a heading."""
    found = re.search(rf"^##+ {heading}$.*?^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("work") / "runs" / "genni"
    sizes = ["--max-epochs", "2", "--hidden-size", "8", "--num-layers", "1"]
    arguments = ["train", "--sampler", "uniform", *sizes, "-o", str(output)]
    assert run(*arguments).exit_code == 0
    return output


def test_a_finished_run_has_its_model(folder: Path) -> None:
    result, trainer = finished_run(folder)
    metrics = Metrics.of_ranks(rank_users(trainer.model, trainer.split.test)).as_percent()
    assert metrics == pytest.approx(result.test)
    with pytest.raises(CheckpointError, match=r"there is no .*result\.json; name the folder that"):
        finished_run(folder.parent)


def test_the_page_recommends_what_ranks_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parents[1])
    names: dict[str, object] = {}
    exec(block_under("Recommending with a trained model"), names)  # noqa: S102
    top, history = names["top"], names["history"]
    assert isinstance(top, torch.Tensor)
    assert isinstance(history, np.ndarray)
    assert len(set(top.tolist()) - {0, *history.tolist()}) == 10
