"""What ``docs/tutorials/recipes.md`` shows and the pages do not run themselves, done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed")

PAGE = (Path(__file__).parents[2] / "docs" / "tutorials" / "recipes.md").read_text(encoding="utf-8")


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
