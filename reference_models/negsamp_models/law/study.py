"""The law of one user's negatives, along the sequence and over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from negsamp import ConfigError, DotProduct, InvalidInputError, Sampler
from negsamp.validation import as_count
from negsamp_models.checkpoints.trained_parts import copied
from negsamp_models.datasets.packing import pack
from negsamp_models.records import RunResult
from negsamp_models.training import Trainer
from negsamp_models.training.samplers import alpha_and_beta, build_sampler

__all__ = ["LawRequest", "LawStage", "LawStudy", "study_law"]

NUM_HARDEST = 3
"""Likeliest items kept for each position of a study."""
RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)
"""Ranks at which a study keeps the probability; those within the catalogue are used."""


@dataclass(frozen=True)
class LawRequest:
    """Which sequence to study, and when.

    Attributes
    ----------
    length : int
        The first user with exactly this many training positions is chosen, a rule that does not
        depend on any result.
    epochs : tuple of int
        Numbers of epochs after which to study; 0 is before training. The weights that the run kept
        are always studied too.
    """

    length: int = 10
    epochs: tuple[int, ...] = (0, 1, 5, 20)

    def __post_init__(self) -> None:
        as_count("length", self.length)
        if not isinstance(self.epochs, list | tuple):
            raise ConfigError(f"epochs must be a list of numbers of epochs; got {self.epochs!r}")
        object.__setattr__(self, "epochs", tuple(self.epochs))
        for epoch in self.epochs:
            as_count("epochs", epoch, low=0)


@dataclass(frozen=True)
class LawStage:
    """The law with the weights after some number of epochs.

    Attributes
    ----------
    epochs : int
        Number of epochs trained.
    alpha, beta : float or None
        The sampler's values at that time; None if it has none.
    entropy : list of float
        ``-sum_i Q(i) log Q(i)`` at each position, in nats; its exponential is the effective
        number of items drawn.
    hardest : list of int
        The likeliest item at each position.
    probabilities : list of list of float
        Q of the study's items, one list per position.
    by_rank : list of float
        Q by rank of the item, at the ranks of the study; means over positions.
    """

    epochs: int
    alpha: float | None
    beta: float | None
    entropy: list[float]
    hardest: list[int]
    probabilities: list[list[float]]
    by_rank: list[float]


@dataclass(frozen=True)
class LawStudy:
    """The law along one training sequence, at several stages of a run.

    Attributes
    ----------
    user : int
        Counted from 0.
    num_items : int
        Size of the catalogue.
    inputs, targets : list of int
        At each position, the item and the next one, which is never a negative.
    items : list of int
        The items whose probabilities are kept: the three likeliest at each position in the last
        stage, in order of appearance.
    ranks : list of int
        From 1.
    stages : list of LawStage
        The last has the weights that the run kept.
    """

    user: int
    num_items: int
    inputs: list[int]
    targets: list[int]
    items: list[int]
    ranks: list[int]
    stages: list[LawStage]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LawStudy:
        """Rebuild a study from the output of :meth:`to_json`."""
        stages = [LawStage(**stage) for stage in content["stages"]]
        return cls(**{**content, "stages": stages})

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serialisable values."""
        return asdict(self)


def study_law(
    trainer: Trainer,
    result: RunResult,
    snapshots: Mapping[int, Mapping[str, Tensor]],
    request: LawRequest,
) -> LawStudy:
    """Compute the law along a sequence with the weights of several stages of a finished run.

    Parameters
    ----------
    trainer : Trainer
        The run's trainer; its model has the weights that were kept.
    result : RunResult
        The run's result, for its best epoch and the alpha and beta of each.
    snapshots : mapping of int to mapping
        Weights by the number of epochs trained, ascending, see
        :func:`negsamp_models.training.snapshots.read_snapshots`; those after the best epoch are
        left out.
    request : LawRequest
        Which sequence.

    Returns
    -------
    LawStudy
        One stage per snapshot, and a last one for the weights that were kept.

    Raises
    ------
    InvalidInputError
        If no user has a sequence of the requested length.
    """
    training = trainer.split.training
    rows = np.flatnonzero(training.inputs.lengths == request.length)
    if not len(rows):
        raise InvalidInputError(
            f"no user of {trainer.dataset.name} has {request.length} training positions; lengths "
            f"go from {training.inputs.lengths.min()} to {training.inputs.lengths.max()}"
        )
    row = int(rows[0])
    inputs, targets = training.inputs[row], training.targets[row]
    kept = copied(trainer.model)
    weights = {each: values for each, values in snapshots.items() if each <= result.best_epoch}
    laws = []
    for epochs, values in [*weights.items(), (result.best_epoch + 1, kept)]:
        trainer.model.load_state_dict(values)
        sampler = _sampler(trainer, result, epochs)
        laws.append((epochs, sampler, _law(trainer, sampler, row)))
    likeliest = np.argsort(-laws[-1][-1], axis=1, kind="stable")[:, :NUM_HARDEST]
    columns = list(dict.fromkeys(likeliest.flatten().tolist()))
    ranks = [rank for rank in RANKS if rank < trainer.dataset.num_items]
    return LawStudy(
        user=int(training.users[row]),
        num_items=trainer.dataset.num_items,
        inputs=inputs.tolist(),
        targets=targets.tolist(),
        items=[column + 1 for column in columns],
        ranks=ranks,
        stages=[_stage(epochs, sampler, law, columns, ranks) for epochs, sampler, law in laws],
    )


def _sampler(trainer: Trainer, result: RunResult, epochs: int) -> Sampler:
    """Return a sampler with the alpha and beta after so many epochs; at 0, the initial ones."""
    config = dict(trainer.sampler_config)
    if epochs:
        record = result.epochs[epochs - 1]
        then = {"alpha": record.alpha, "beta": record.beta}
        config |= {name: value for name, value in then.items() if value is not None}
    return build_sampler(config, trainer.dataset, trainer.split, trainer.settings)


@torch.no_grad()
def _law(trainer: Trainer, sampler: Sampler, row: int) -> npt.NDArray[np.float64]:
    """Return Q(item | position), shape (num_positions, num_items), dropout off."""
    split, model, device = trainer.split, trainer.model, trainer.device
    place = np.array([row])
    inputs, targets = split.training.inputs.take(place), split.training.targets.take(place)
    batch = pack(inputs.item_ids, inputs.offsets, trainer.settings.max_length).to(device)
    model.eval()
    law = sampler.probabilities(
        torch.tensor(targets.item_ids, device=device),
        score=DotProduct(batch.tokens(model(batch)), model.item_embeddings),
        users=torch.full((len(targets.item_ids),), split.training.users[row], device=device),
    )
    return np.asarray(law.cpu())


def _stage(
    epochs: int,
    sampler: Sampler,
    law: npt.NDArray[np.float64],
    columns: Sequence[int],
    ranks: Sequence[int],
) -> LawStage:
    logarithms = np.log(np.where(law > 0, law, 1.0))
    ordered = -np.sort(-law, axis=1).mean(axis=0)
    alpha, beta = alpha_and_beta(sampler)
    return LawStage(
        epochs=epochs,
        alpha=alpha,
        beta=beta,
        entropy=[_rounded(each) for each in -(law * logarithms).sum(axis=1)],
        hardest=[int(each) + 1 for each in law.argmax(axis=1)],
        probabilities=[[_rounded(each) for each in position] for position in law[:, columns]],
        by_rank=[_rounded(ordered[rank - 1]) for rank in ranks],
    )


def _rounded(value: float) -> float:
    """Round to four significant digits, to keep result files small."""
    return float(f"{value:.4g}")
