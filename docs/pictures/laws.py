"""The picture on the page of laws: ``python docs/pictures/laws.py`` writes ``laws.png`` beside it.

What it shows are the library's own probabilities, of one row of a made-up catalogue.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot

from negsamp import DotProduct, GenNi, Popularity, Sampler, Uniform

NUM_ITEMS, NUM_SUBSETS = 200, 20_000
TARGET = 12
"""Items are numbered in the order of their scores, from 0, so this is its rank less one."""

HARD = {"color": "#d55e00", "linestyle": "--"}
"""The look of GenNi at alpha = 2.5, in both panels."""

RANDOM = np.random.default_rng(0)
SCORES = np.sort(RANDOM.normal(size=NUM_ITEMS))[::-1]
COUNTS = np.ceil(RANDOM.lognormal(2.0, 1.0, size=NUM_ITEMS))


def law(sampler: Sampler, num_rows: int = 1) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the probabilities of all items, a line a row; the rows are all the same."""
    score = DotProduct(np.ones((num_rows, 1)), SCORES[:, None])
    return np.asarray(sampler.probabilities(np.full(num_rows, TARGET), score=score))


def draw_samplers(axes: Any) -> None:
    """Draw the law of each sampler."""
    samplers: dict[str, tuple[Sampler, dict[str, Any]]] = {
        "Popularity, gamma = 0.75": (
            Popularity(COUNTS, gamma=0.75),
            {"color": "#e69f00", "marker": ".", "linestyle": "none"},
        ),
        "Uniform": (Uniform(NUM_ITEMS), {"color": "black", "linestyle": ":"}),
        "GenNi, alpha = 1": (GenNi(NUM_ITEMS, alpha=1), {"color": "#0072b2"}),
        "GenNi, alpha = 2.5": (GenNi(NUM_ITEMS, alpha=2.5), HARD),
    }
    for label, (sampler, look) in samplers.items():
        draw_line(axes, law(sampler)[0], label=label, **look)
    axes.set(title="The laws of one row", ylabel="probability of a draw")


def draw_preselection(axes: Any) -> None:
    """Draw what a smaller beta makes of GenNi: of one subset, and on average over subsets."""
    whole, tenth, hundredth = (
        law(GenNi(NUM_ITEMS, alpha=2.5, beta=beta, candidates="query"), num_rows)
        for beta, num_rows in ((1, 1), (0.1, NUM_SUBSETS), (0.01, NUM_SUBSETS))
    )
    mean = f"mean of {NUM_SUBSETS:,} subsets"
    dots = {"marker": "o", "markersize": 4, "linestyle": "none"}
    draw_line(axes, whole[0], label="beta = 1", **HARD)
    draw_line(axes, tenth[0], label="beta = 0.1, one subset", color="#009e73", **dots)
    draw_line(axes, tenth.mean(axis=0), label=f"beta = 0.1, {mean}", color="#009e73")
    draw_line(
        axes, hundredth.mean(axis=0), label=f"beta = 0.01, {mean}", color="black", linestyle="-."
    )
    axes.set(title="GenNi with pre-selection, alpha = 2.5")


def draw_line(axes: Any, probabilities: Any, **look: Any) -> None:
    """Draw the probabilities that are not 0 over the rank of the item."""
    ranks = np.arange(1, NUM_ITEMS + 1)
    axes.plot(ranks, np.where(probabilities > 0, probabilities, np.nan), **look)


def main(path: Path) -> None:
    """Draw both panels."""
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    draw_samplers(panels[0])
    draw_preselection(panels[1])
    for axes in panels:
        axes.axvline(TARGET + 1, color="0.5", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_ylim(1e-6, 1)
        axes.set_xlabel("rank of the item by score")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="upper right")
    panels[0].annotate("target:\nnever drawn", (TARGET + 4, 1.4e-6), fontsize="small", color="0.35")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))
