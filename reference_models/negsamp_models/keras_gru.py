"""Train a Keras GRU with sampled negatives: ``python -m negsamp_models.keras_gru``.

An example of :class:`negsamp_tensorflow.GraphSampler` in a ``train_step``, with Keras layers, its
padding mask, ``fit`` and a callback. It needs TensorFlow in addition to the extra ``models``.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import torch
import typer

from negsamp import ConfigError, DotProduct, Sampler, from_config
from negsamp_models.commands.session import errors_reported
from negsamp_models.datasets import Dataset, Evaluation, LeaveOneOut, Sequences, load_dataset
from negsamp_models.evaluation import Metrics, rank_answers
from negsamp_models.files.environment import environment
from negsamp_models.files.writing import check_writable, write_json
from negsamp_models.records import CHOSEN_BY
from negsamp_tensorflow import GraphSampler
from negsamp_tensorflow.callbacks import SamplerCallback

__all__ = ["GruRecommender", "Settings", "padded", "train"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the model, and how it is trained.

    Attributes
    ----------
    epochs, batch_size, max_length : int
        Passes over the users, users per batch, and the number of last items kept of each user.
    dim : int
        Size of embeddings and of the GRU's state.
    dropout : float
        Dropout probability of the GRU's inputs.
    learning_rate : float
        Learning rate of Adam.
    jit_compile : bool
        Whether XLA compiles the step.
    seed : int
        Seed of weights, dropout and the order of the users.
    """

    epochs: int = 12
    batch_size: int = 256
    max_length: int = 20
    dim: int = 64
    dropout: float = 0.3
    learning_rate: float = 0.003
    jit_compile: bool = False
    seed: int = 0


class GruRecommender(keras.Model):  # type: ignore[misc]
    """Item embeddings and a GRU, whose state after each item is the query for the next item.

    Parameters
    ----------
    num_items : int
        Item ids are 1 to num_items; 0 is padding, which Keras masks.
    sampler : Sampler
        Draws the negatives.
    settings : Settings
    """

    def __init__(self, num_items: int, sampler: Sampler, settings: Settings) -> None:
        super().__init__()
        self.items = keras.layers.Embedding(num_items + 1, settings.dim, mask_zero=True)
        self.dropout = keras.layers.Dropout(settings.dropout)
        self.encoder = keras.layers.GRU(settings.dim, return_sequences=True)
        self.sampler = GraphSampler(sampler)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return queries, (batch, length, dim), for item ids (batch, length)."""
        return self.encoder(self.dropout(self.items(inputs), training=training))

    def train_step(self, data: Any) -> dict[str, Any]:
        """Draw negatives for the targets, padding excluded, and minimise the NCE loss."""
        inputs, targets = data
        mask = self.items.compute_mask(targets)
        with tf.GradientTape() as tape:
            queries = self(inputs, training=True)
            table = tf.convert_to_tensor(self.items.embeddings)
            score = DotProduct(queries, table)
            negatives = self.sampler.sample(targets, score=score, mask=mask)
            loss = self._nce_loss(queries, table, targets, negatives.item_ids, mask)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss, "alpha": self.sampler.alpha}

    @staticmethod
    def _nce_loss(queries: Any, table: Any, targets: Any, negatives: Any, mask: Any) -> Any:
        """Return the mean over targets of the loss of the paper's eq. 4."""
        targets, kept = tf.cast(targets, tf.int64), tf.cast(mask, tf.float32)
        ids = tf.concat([targets[..., None], negatives], axis=-1)
        scores = tf.linalg.matvec(tf.gather(table, ids), tf.cast(queries, table.dtype))
        positive, negative = scores[..., 0], scores[..., 1:]
        losses = tf.math.softplus(-positive) + tf.reduce_sum(tf.math.softplus(negative), axis=-1)
        return tf.reduce_sum(tf.cast(losses, tf.float32) * kept) / tf.reduce_sum(kept)


def padded(sequences: Sequences, max_length: int) -> npt.NDArray[np.int64]:
    """Return sequences as rows of equal length, padded with zeros on the right."""
    lines = np.zeros((len(sequences), max_length), np.int64)
    lines[np.arange(max_length) < sequences.lengths[:, None]] = sequences.item_ids
    return lines


def train(dataset: Dataset, config: dict[str, Any], settings: Settings, echo: Any = print) -> Any:
    """Train one model, and return what its result file holds.

    Parameters
    ----------
    dataset : Dataset
    config : dict
        The sampler, as :func:`negsamp.from_config` takes it, without ``items``.
    settings : Settings
    echo : callable
        Is given a line after each epoch.

    Returns
    -------
    dict
        The epochs; the best of them on validation NDCG@10, and what its weights reach on test.
    """
    keras.utils.set_random_seed(settings.seed)
    split = LeaveOneOut.of(dataset, settings.max_length)
    sampler = from_config({**config, "items": [1, dataset.num_items + 1], "seed": settings.seed})
    model = GruRecommender(dataset.num_items, sampler, settings)
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    model.compile(optimizer=optimizer, jit_compile=settings.jit_compile)
    progress = _Progress(split.validation, settings.max_length, echo)
    model.fit(
        padded(split.training.inputs, settings.max_length),
        padded(split.training.targets, settings.max_length),
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        callbacks=[SamplerCallback(model.sampler), progress],
        verbose=0,
    )
    model.set_weights(progress.best_weights)
    return {
        "dataset": dataset.name,
        "model": "Keras GRU",
        "sampler": config,
        "settings": asdict(settings),
        "best_epoch": progress.best_epoch,
        "validation": progress.epochs[progress.best_epoch]["validation"],
        "test": metrics(model, split.test, settings.max_length),
        "epochs": progress.epochs,
        "environment": environment(torch.device("cpu"))
        | {"tensorflow": tf.__version__, "keras": keras.__version__},
    }


def metrics(model: GruRecommender, evaluation: Evaluation, max_length: int) -> dict[str, float]:
    """Return HR and NDCG in percent over the whole catalogue, with seen items masked."""
    lines = padded(evaluation.inputs, max_length)
    queries = model.predict(lines, batch_size=1024, verbose=0)
    last = queries[np.arange(len(lines)), evaluation.inputs.lengths - 1]
    ranks = rank_answers(
        torch.from_numpy(last.astype(np.float32)),
        torch.from_numpy(tf.convert_to_tensor(model.items.embeddings).numpy().copy()),
        torch.from_numpy(evaluation.answers.copy()),
        (evaluation.seen.item_ids, evaluation.seen.offsets),
    )
    return Metrics.of_ranks(ranks).as_percent()


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Validates after each epoch, records the result, and keeps the best weights."""

    def __init__(self, validation: Evaluation, max_length: int, echo: Any) -> None:
        super().__init__()
        self._validation, self._max_length, self._echo = validation, max_length, echo
        self.epochs: list[dict[str, Any]] = []
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self._losses: list[float] = []
        self._start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start timing the epoch."""
        self._losses, self._start = [], time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Record the loss."""
        self._losses.append(float(logs["loss"]))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Validate."""
        seconds = time.perf_counter() - self._start
        validation = metrics(self.model, self._validation, self._max_length)
        loss = float(np.mean(self._losses))
        before = [each["validation"][CHOSEN_BY] for each in self.epochs]
        self.epochs.append(
            {"epoch": epoch, "loss": loss, "training_seconds": seconds, "validation": validation}
        )
        if all(validation[CHOSEN_BY] > each for each in before):
            self.best_epoch, self.best_weights = epoch, self.model.get_weights()
        self._echo(
            f"epoch {epoch + 1}: loss {loss:.4f}, "
            f"validation {CHOSEN_BY} {validation[CHOSEN_BY]:.2f} %, {seconds:.1f} s"
        )


application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@application.command()
def run(
    sampler: Annotated[str, typer.Option(help="uniform or genni.")] = "genni",
    alpha: Annotated[float, typer.Option(help="Hardness of genni.")] = 2.5,
    dataset: Annotated[str, typer.Option(help="Name of the data set.")] = "Beauty",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the users.")] = Settings.epochs,
    seed: Annotated[
        int, typer.Option(help="Seed of weights, dropout, order and negatives.")
    ] = Settings.seed,
    jit_compile: Annotated[bool, typer.Option(help="Compile the training step with XLA.")] = False,
    output: Annotated[Path, typer.Option("--output", "-o", help="The result file.")] = Path(
        "result.json"
    ),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the result file, if it exists.")
    ] = False,
) -> None:
    """Train the GRU and write the result to a file."""
    with errors_reported():
        if output.exists() and not overwrite:
            raise ConfigError(f"{output} exists: name another --output, or give --overwrite")
        config = {"sampler": sampler} | ({"alpha": alpha} if sampler == "genni" else {})
        settings = Settings(epochs=epochs, jit_compile=jit_compile, seed=seed)
        check_writable(output.parent)
        result = train(load_dataset(dataset), config, settings, typer.echo)
        write_json(output, result)
        typer.echo(f"test {CHOSEN_BY} {result['test'][CHOSEN_BY]:.2f} %: {output}")


if __name__ == "__main__":
    application(prog_name="python -m negsamp_models.keras_gru")
