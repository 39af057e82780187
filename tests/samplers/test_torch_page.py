"""What ``docs/torch.md`` shows, done."""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from negsamp import DotProduct, GenNi, LossDriven, Uniform

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


def collating(epoch: int, num_workers: int, drawn_before: bool = False) -> list[Any]:
    """Return the negatives of an epoch, by the page's ``collate_fn``."""
    names: dict[str, Any] = {"torch": torch, "get_worker_info": torch.utils.data.get_worker_info}
    exec(block_under("In DataLoader workers", 1), names)  # noqa: S102
    collate = names["CollateWithNegatives"](Uniform(100_000, seed=1))
    if drawn_before:
        collate([0])
    loader = torch.utils.data.DataLoader(
        [0] * 4000, batch_size=1000, num_workers=num_workers, collate_fn=collate
    )
    for collate.epoch in range(epoch + 1) if drawn_before else [epoch]:
        drawn = [negatives[:, 0].clone() for _, negatives in loader]
    return drawn


def test_workers_do_not_share_a_stream_that_their_parent_has_drawn_from() -> None:
    assert_none_repeats_another(collating(1, num_workers=2, drawn_before=True))


@pytest.mark.parametrize("sampler", [Uniform(100), Uniform(100).spawn(0)], ids=["own", "rank's"])
def test_a_sampler_that_is_copied_into_workers_warns_once_in_each(sampler: Uniform) -> None:

    def warnings_of(own: bool) -> list[list[str]]:
        def collate(rows: list[int]) -> list[str]:
            worker = torch.utils.data.get_worker_info()
            used = sampler.spawn(worker.id) if own and worker else sampler
            with warnings.catch_warnings(record=True, action="always") as caught:
                used.sample(rows)
            return [str(each.message) for each in caught]

        return list(
            torch.utils.data.DataLoader([0] * 8, batch_size=2, num_workers=2, collate_fn=collate)
        )

    message = "all workers that have a copy, in all epochs"
    first, other, *later = warnings_of(own=False)
    assert message in first[0]
    assert message in other[0]
    assert later == [[], []]
    assert warnings_of(own=True) == [[]] * 4


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resumed_epoch_collates_what_it_would_have(num_workers: int) -> None:
    whole = collating(1, num_workers, drawn_before=True)
    for one, other in zip(whole, collating(1, num_workers), strict=True):
        assert torch.equal(one, other)


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


def data_parallel(rank: int, world: int, folder: Path) -> None:
    """Draw on one of two ranks, whose own losses rise and fall and whose mean loss falls."""
    from tests.samplers.ranks import write

    def built() -> GenNi:
        return GenNi(100_000, alpha=LossDriven(initial=1.0, step=0.1), seed=1, backend="torch")

    def drawn(sampler: Any) -> str:
        negatives = sampler.sample(torch.zeros(5, dtype=torch.int64), score=no_score)
        return str(negatives.item_ids.flatten().tolist())

    names: dict[str, Any] = {"sampler": built()}
    exec(block_under("Under DistributedDataParallel"), names)  # noqa: S102
    messages = {"first": drawn(names["sampler"])}
    for loss in ((1.0, 2.0), (4.0, 1.0))[rank]:
        names["update"](torch.tensor(loss))
    states = names["states"]()
    resumed = built()
    resumed.load_state_dict(states[rank])
    assert len(states) == world
    messages |= {"alpha": f"{resumed.alpha:.1f}", "resumed": drawn(resumed)}
    write(messages | {"next": drawn(names["sampler"])}, rank, folder)


def no_score(item_ids: Any) -> Any:
    return torch.zeros(5, len(item_ids))


def test_ranks_with_the_whole_table_draw_apart_and_resume(tmp_path: Path) -> None:
    from tests.samplers.ranks import on_ranks, said

    on_ranks(2, tmp_path, data_parallel)
    one, other = said(tmp_path)
    assert one["alpha"] == other["alpha"] == "1.1"
    for messages in (one, other):
        assert messages["resumed"] == messages["next"]
    assert len({one["first"], other["first"], one["next"], other["next"]}) == 4
