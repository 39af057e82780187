"""What ``docs/torch.md`` shows, done."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from negsamp import DotProduct, GenNi, Uniform

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

PAGE = (Path(__file__).parents[2] / "docs" / "torch.md").read_text(encoding="utf-8")


def block_under(heading: str, number: int = 0) -> str:
    """Return a piece of Python under a heading, by default the first."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return blocks[number]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
def test_four_workers_never_repeat_each_other_nor_themselves() -> None:
    drawn: list[Any] = []
    names = {
        # each of its own: a worker that sends a tensor moves it, under whoever still reads it
        "batches": [torch.zeros(1000, dtype=torch.int64) for _ in range(12)],
        "sampler": Uniform(100_000, seed=1),
        "num_epochs": 2,
        "train": lambda _, negatives: drawn.append(negatives[:, 0]),
    }
    exec(block_under("In DataLoader workers"), names)  # noqa: S102
    assert len(drawn) == 24
    assert_none_repeats_another(drawn)


def test_workers_that_collate_never_repeat_each_other_nor_themselves() -> None:
    names: dict[str, Any] = {"torch": torch, "get_worker_info": torch.utils.data.get_worker_info}
    exec(block_under("In DataLoader workers", 1), names)  # noqa: S102
    collate = names["CollateWithNegatives"](Uniform(100_000, seed=1))
    loader = torch.utils.data.DataLoader(
        [0] * 4000, batch_size=1000, num_workers=2, collate_fn=collate
    )
    drawn: list[Any] = []
    for collate.epoch in range(2):
        drawn += [negatives[:, 0].clone() for _, negatives in loader]
    assert len(drawn) == 8
    assert_none_repeats_another(drawn)


def assert_none_repeats_another(drawn: list[Any]) -> None:
    for one in range(len(drawn)):
        for other in range(one):
            assert int((drawn[one] == drawn[other]).sum()) <= 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_a_compiled_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    table = torch.nn.Embedding(101, 8)
    names: dict[str, Any] = {"num_items": 100, "encoder": table, "table": table}
    exec(block_under("In a compiled step"), names)  # noqa: S102
    inputs, targets = torch.arange(8).reshape(2, 4), torch.arange(1, 9).reshape(2, 4) % 8
    plain = GenNi(range(1, 101), num_negatives=5, alpha=2.5, seed=0)
    for _ in range(2):
        queries, mask = table(inputs), targets != 0
        score = names["DotProduct"](queries.detach(), table.weight.detach())
        negatives = plain.sample(targets, score=score, mask=mask)
        expected = names["nce_loss"](queries, table.weight, targets, negatives, mask)
        loss = names["compiled_step"](inputs, targets)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
        loss.backward()
    assert float(table.weight.grad.abs().sum()) > 0


def test_a_draw_outside_of_a_checkpoint() -> None:
    from negsamp_models.losses import nce_loss

    table, targets = torch.nn.Embedding(101, 8), torch.arange(1, 9)
    names: dict[str, Any] = {
        "DotProduct": DotProduct,
        "checkpoint": torch.utils.checkpoint.checkpoint,
        "nce_loss": nce_loss,
        "queries": table(targets + 1),
        "sampler": GenNi(range(1, 101)),
        "table": table,
        "targets": targets,
    }
    exec(block_under("With activation checkpointing"), names)  # noqa: S102
    names["loss"].backward()
    kept = nce_loss(table(targets + 1), table.weight, targets, names["negatives"])
    (expected,) = torch.autograd.grad(kept, table.weight)
    assert torch.allclose(table.weight.grad, expected)
