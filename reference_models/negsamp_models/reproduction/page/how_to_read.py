"""How to read the page: marks, ranges, what a claim tests, and the settings of all runs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from negsamp_models.reproduction.metrics import EPOCHS, PASSES, VALIDATION
from negsamp_models.reproduction.page.claims import MARGIN
from negsamp_models.reproduction.page.common_settings import common_settings
from negsamp_models.reproduction.page.noise import KINDS, RANKED, Deviation, SeedNoise
from negsamp_models.wording import plural

__all__ = ["how_to_read", "noise_lines"]


def how_to_read(noise: SeedNoise) -> Iterator[str]:
    """Yield the lines of the section, with the noise that ranges and tests rest on."""
    yield _MARKS
    if lines := list(noise_lines(noise)):
        yield from [*lines, ""]
    yield _TESTS
    yield common_settings()


_MARKS = """\
## How to read the tables

Metrics are in percent. Each test item is ranked over the whole catalogue, with the items of the
input masked and the weights of the best validation epoch; nothing is selected on test. Values are
means over all seeds on file, ± the standard deviation. The paper's values are below ours, in
italics. Its figures print no values, so that figures 4 to 11 are compared by their claims alone.

| mark | our mean is |
| --- | --- |
| ● | inside the paper's range: the difference is within seed noise |
| ▲ | above that range |
| ▼ | below that range |
| - | not run yet |
| no mark | not comparable: the paper's value is missing, or the seeds are too few for a range |
| blank | not printed in the paper, or not legible |

The range covers 95 % of the differences that seeds alone would cause, by Welch's t test. The
standard error of a mean over n seeds is the standard deviation between seeds divided by the square
root of n; the paper uses four seeds. Where the paper prints no deviation, 3 % of its mean is
assumed. Few seeds estimate a deviation poorly, and one not at all, so ours is pooled over all
configurations with several seeds, relative to the mean: one deviation for GenNi, and one for
uniform negatives and popularity, which vary more, also in the paper. An estimate below 3 % with
fewer than ten degrees of freedom is taken to be 3 %; another with fewer than three gives no mark.
"""

_TESTS = f"""\
Claims are tested with the same deviations, on our runs alone and on logarithms. Most claims are
about a sign, in HR@5 unless another metric is named: one row is above another, not necessarily by
as much as in the paper. A row that does as well as another, or does not gain, is at most
{100 * MARGIN:g} % worse, or better; a gain in percent is confirmed if the ratio of the two rows is
at most {100 * MARGIN:g} % less than the paper's text states. A claim about several points of a
sweep holds if it does at each; it is refuted by one at which it does not, at a level divided by the
number of points.
"""


def noise_lines(noise: SeedNoise) -> Iterator[str]:
    """Yield a line for each kind of negatives."""
    for kind in KINDS:
        known = noise.measured.get((kind, "HR@5"))
        if known is None:
            continue
        names = ["HR@5", "NDCG@5", f"{VALIDATION}NDCG@10", EPOCHS]
        names += [PASSES] if (kind, PASSES) in noise.measured else []
        parts = [f"{name} {_percent(noise.deviation(kind, name))}" for name in names]
        if (kind, f"{RANKED}HR@5") in noise.measured:
            ranked = noise.deviation(kind, f"{RANKED}HR@5")
            freedom = plural(int(noise.measured[kind, f"{RANKED}HR@5"].freedom), "degree")
            parts.append(f"HR@5 with seen items ranked {_percent(ranked)} ({freedom} of freedom)")
        yield (
            f"- Seed noise of {kind}: {', '.join(parts)} (standard deviation in percent of the "
            f"mean, pooled over {plural(known.num_configurations, 'configuration')} with several "
            f"seeds, {plural(int(known.freedom), 'degree')} of freedom)."
        )


def _percent(deviation: Deviation) -> str:
    assumed = ", assumed" if math.isinf(deviation.freedom) else ""
    return f"{100 * deviation.relative:.1f}{assumed}"
