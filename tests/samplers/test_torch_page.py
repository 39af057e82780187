"""What ``docs/torch.md`` shows, done."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from negsamp import GenNi, Uniform

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

PAGE = (Path(__file__).parents[2] / "docs" / "torch.md").read_text(encoding="utf-8")


def block_under(heading: str) -> str:
    """Return the first piece of Python under a heading."""
    found = re.search(rf"^## {heading}$.*?^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker")
def test_four_workers_never_repeat_each_other_nor_themselves() -> None:
    drawn: list[Any] = []
    names = {
        "batches": [torch.zeros(1000, dtype=torch.int64)] * 12,
        "sampler": Uniform(100_000, seed=1),
        "num_epochs": 2,
        "train": lambda _, negatives: drawn.append(negatives[:, 0]),
    }
    exec(block_under("In DataLoader workers"), names)  # noqa: S102
    assert len(drawn) == 24
    for one in range(24):
        for other in range(one):
            assert int((drawn[one] == drawn[other]).sum()) <= 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_a_compiled_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    table = torch.nn.Embedding(101, 8)

    def nce_loss(queries: Any, targets: Any, negatives: Any) -> Any:
        products = (queries[:, None] * table(negatives.item_ids)).sum(-1) - negatives.log_q
        loss = products.logsumexp(-1).mean() - (queries * table(targets)).sum(-1).mean()
        return loss, negatives.item_ids

    names: dict[str, Any] = {"num_items": 100, "encoder": table, "table": table}
    names["nce_loss"] = nce_loss
    exec(block_under("In a compiled step"), names)  # noqa: S102
    inputs, targets = torch.arange(1, 9), torch.arange(2, 10)
    plain = GenNi(range(1, 101), num_negatives=5, alpha=2.5, seed=0)
    for _ in range(2):
        score = names["DotProduct"](table(inputs).detach(), table.weight.detach())
        expected = plain.sample(targets, score=score, mask=targets != 0).item_ids
        loss, item_ids = names["compiled_step"](inputs, targets)
        assert torch.equal(item_ids, expected)
        loss.backward()
    assert float(table.weight.grad.abs().sum()) > 0
