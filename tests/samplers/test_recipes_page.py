"""What ``docs/tutorials/recipes.md`` shows and the pages do not run themselves, done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

PAGE = (Path(__file__).parents[2] / "docs" / "tutorials" / "recipes.md").read_text(encoding="utf-8")


def cells_under(heading: str) -> dict[str, Any]:
    """Run the data of the page and the cells under a heading, and return their names."""
    cell = re.compile(r"^```{code-cell} ipython3\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    names: dict[str, Any] = {}
    for code in (cell.findall(PAGE)[0], *cell.findall(section)):
        exec(code, names)  # noqa: S102
    return names


def test_a_row_draws_from_its_own_list_in_proportion_to_its_scores() -> None:
    names = cells_under("Candidates of each row's own")
    law = np.exp(names["hit_scores"].double().numpy())
    law /= law.sum(axis=1, keepdims=True)
    drawn = names["negatives"].item_ids.numpy()
    np.testing.assert_allclose(
        np.exp(names["negatives"].log_q.numpy()), np.take_along_axis(law, drawn, 1), rtol=1e-5
    )


def test_no_true_triple_is_a_negative() -> None:
    names = cells_under("Heads and tails of a knowledge graph")
    true = set(zip(names["questions"].tolist(), names["answers"].tolist(), strict=True))
    for negatives in (names["uniform"].item_ids, names["hard"].item_ids):
        for question, row in zip(names["asked"].tolist(), negatives.tolist(), strict=True):
            assert not true & {(question, item) for item in row}


def test_a_scipy_matrix_holds_what_bpr_needs() -> None:
    data = re.search(r"^```{code-cell} ipython3\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    recipe = re.search(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert data is not None
    assert recipe is not None
    names: dict[str, Any] = {}
    exec(data[1], names)  # noqa: S102
    exec(recipe[1], names)  # noqa: S102
    matrix, negatives = names["matrix"], names["negatives"]
    assert negatives.shape == (matrix.nnz, 10)
    assert not matrix.toarray()[names["row_users"][:, None], negatives].any()
