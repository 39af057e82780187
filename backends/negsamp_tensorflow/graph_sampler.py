"""A sampler with its state in variables, so that a traced graph draws anew on every call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager.context import eager_mode

from negsamp import Negatives, Popularity, Sampler, Scorer, Uniform
from negsamp.backend import Candidates
from negsamp.errors import ConfigError, InvalidInputError
from negsamp.genni import LEAST_ALPHA, GenNi
from negsamp.schedules import Constant
from negsamp.stream import Stream
from negsamp_tensorflow.backend import TensorflowBackend
from negsamp_tensorflow.draws import Draws
from negsamp_tensorflow.rows import Rows
from negsamp_tensorflow.tracing import no_autograph

__all__ = ["GraphSampler"]

_LAWS = (Uniform._draw, Popularity._draw, GenNi._draw)
"""The laws that :meth:`GraphSampler._draw` implements."""

_ONE_EACH = (
    "make one for each replica outside the strategy's scope, GraphSampler(sampler.spawn(replica))"
)


class GraphSampler(tf.Module):  # type: ignore[misc]
    """Draw inside ``tf.function``, with or without ``jit_compile``, what a sampler would draw.

    The number of the call, the key of the stream, alpha and the number of candidates are
    variables that a graph reads when it runs. Eagerly, in a graph and under XLA, a call draws what
    the sampler's own next call would, and is counted. When :meth:`set_epoch` or :meth:`update`
    changes alpha or beta, nothing is traced again.

    Parameters
    ----------
    sampler : Uniform, Popularity or GenNi
        Continues from its current state. Do not call it directly any more: this object shares its
        schedules, but not its call counter.

    Attributes
    ----------
    sampler : Sampler
        The sampler.
    call : tf.Variable, int64
        Number of the next call.
    key : tf.Variable, int64
        The 64 bits of the stream's key.
    alpha : tf.Variable, float64
        The current factor of the scores; 0 for a law without scores.
    num_candidates : tf.Variable, int64
        Number of items that are currently pre-selected.

    Raises
    ------
    ConfigError
        If `sampler` is none of the three or has a law of its own, or in the scope of a
        ``tf.distribute`` strategy.

    Notes
    -----
    ``tf.train.Checkpoint`` saves it, schedules included, with any object that has it as an
    attribute; a restored one continues draw for draw.

    If beta is scheduled, a graph reserves candidates for the whole catalogue, 16 bytes per item,
    and processes only the tiles in use, so it is never traced again. If beta is a number, it
    reserves only what is needed.

    In a graph, invalid input fails an assertion (``tf.errors.InvalidArgumentError``) with the
    message of the eager error, and the call does not count. XLA has no assertions: there a row with
    an invalid id or user, without an admissible item, or with a score that is NaN or +inf, gets an
    id of the catalogue other than its target, and log_q NaN; other rows are not affected. A
    callable score is called for tiles of one size; the last is filled up with an id that it was
    called for before.

    Under ``tf.distribute``, make one GraphSampler per replica outside the strategy's scope, as by
    ``GraphSampler(sampler.spawn(replica))``; sharing one between two replicas of a process raises.
    ``tf.map_fn`` draws anew for each element; ``tf.vectorized_map`` draws once, and gives all
    elements the same negatives.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from negsamp import Uniform
    >>> from negsamp_tensorflow import GraphSampler
    >>> sampler = GraphSampler(Uniform(range(1, 101), num_negatives=2, seed=7))
    >>> @tf.function(jit_compile=True)
    ... def draw(targets):
    ...     return sampler.sample(targets).item_ids
    >>> first, second = draw(tf.constant([3, 5])), draw(tf.constant([3, 5]))
    >>> bool(tf.reduce_all(first == second))
    False
    >>> eager = Uniform(range(1, 101), num_negatives=2, seed=7)
    >>> bool(tf.reduce_all(first == eager.sample(tf.constant([3, 5])).item_ids))
    True
    """

    def __init__(self, sampler: Sampler) -> None:
        if not isinstance(sampler, Sampler):
            raise ConfigError(
                f"GraphSampler takes a sampler, such as GenNi(...); got {type(sampler).__name__}"
            )
        if type(sampler)._draw not in _LAWS:
            raise ConfigError(
                f"{type(sampler).__name__} overrides _draw, which a graph does not call: "
                "GraphSampler draws by the laws of Uniform, Popularity and GenNi"
            )
        if tf.distribute.has_strategy():
            raise ConfigError(f"a GraphSampler cannot be made in a strategy's scope: {_ONE_EACH}")
        super().__init__()
        self.sampler = sampler
        self._replica: Any = None
        self._backend = TensorflowBackend(sampler.catalogue)
        self.call = tf.Variable(0, trainable=False, dtype=tf.int64, name="call")
        self.key = tf.Variable(0, trainable=False, dtype=tf.int64, name="key")
        self.alpha = tf.Variable(0.0, trainable=False, dtype=tf.float64, name="alpha")
        self.num_candidates = tf.Variable(0, trainable=False, dtype=tf.int64, name="num_candidates")
        self._progress = _Progress(self)
        self.load_state_dict(sampler.state_dict())

    @no_autograph
    def sample(
        self,
        targets: Any,
        *,
        score: Scorer | None = None,
        users: Any = None,
        mask: Any = None,
        exclude: Any = None,
    ) -> Negatives:
        """Draw negatives for each target; see :meth:`negsamp.Sampler.sample`.

        In a graph the number of axes of `targets` must be known; their lengths may be unknown,
        except under XLA.

        Returns
        -------
        Negatives
            ``item_ids`` int64 and ``log_q`` float32, both of shape
            targets.shape + (num_negatives,).

        Raises
        ------
        NegSampError
            Eagerly, as the sampler's own ``sample``. While a graph is traced, for shapes and
            dtypes; the class's notes describe other errors in a graph.
        ConfigError
            If another replica of a ``tf.distribute`` strategy has drawn.
        """
        self._check_replica()
        if tf.is_tensor(targets) and targets.shape.rank is None:
            raise InvalidInputError("the number of axes of targets must be known in a graph")
        arrays = self.sampler.arguments(self._backend, targets, score, users, mask, exclude)
        rows = self._backend.rows(*arrays)
        stream: Any = Stream(self.key.read_value(), self.call.read_value())
        negatives = self._draw(rows, stream, score)
        with tf.control_dependencies(list(negatives)):
            self.call.assign_add(1)
        return negatives

    @property
    def items(self) -> range:
        """The catalogue: a contiguous range of ids."""
        return self.sampler.items

    @property
    def num_negatives(self) -> int:
        """Number of negatives drawn for each target."""
        return self.sampler.num_negatives

    def probabilities(
        self,
        targets: Any,
        *,
        score: Scorer | None = None,
        users: Any = None,
        mask: Any = None,
        exclude: Any = None,
    ) -> tf.Tensor:
        """Return the exact law of the next call; see :meth:`negsamp.Sampler.probabilities`.

        Not inside ``tf.function``.

        Returns
        -------
        float64, shape targets.shape + (len(items),)
            Q(item | row), one column per item in order of id.

        Raises
        ------
        NegSampError
            As the sampler's own ``probabilities``.
        ConfigError
            Inside ``tf.function``.
        """
        self._check_outside("probabilities computes with NumPy")
        arrays = self.sampler.arguments(self._backend, targets, score, users, mask, exclude)
        rows, stream = self._backend.rows(*arrays), Stream(self.sampler.key, int(self.call))
        return self.sampler.exact_law(self._backend, arrays, rows, stream, score)

    def spawn(self, index: int) -> GraphSampler:
        """Return a GraphSampler with a stream of its own; see :meth:`negsamp.Sampler.spawn`."""
        return GraphSampler(self.sampler.spawn(index))

    def set_epoch(self, epoch: int) -> None:
        """Move the schedules to an epoch, counted from 0; not inside ``tf.function``."""
        self._check_outside("set_epoch moves schedules")
        self.sampler.set_epoch(epoch)
        self._write_values()

    def update(self, loss: Any) -> None:
        """Pass the loss of a batch to loss-driven schedules; not inside ``tf.function``."""
        self._check_outside("update moves schedules")
        self.sampler.update(loss)
        self._write_values()

    def state_dict(self) -> dict[str, Any]:
        """Return :meth:`negsamp.Sampler.state_dict` of the sampler at the current call."""
        return self.sampler.state_dict() | {"call": int(self.call)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state, of this class's or a sampler's own ``state_dict``."""
        self.sampler.load_state_dict(state)
        self.call.assign(state["call"])
        self.key.assign(np.uint64(self.sampler.key).view(np.int64))
        self._write_values()

    def _write_values(self) -> None:
        if isinstance(self.sampler, GenNi):
            self.alpha.assign(self.sampler.alpha)
            self.num_candidates.assign(self.sampler.candidates.count)

    def _check_outside(self, what: str) -> None:
        if not tf.executing_eagerly():
            raise ConfigError(
                f"{what}, which a graph cannot: call it between steps, outside tf.function, as "
                "negsamp_tensorflow.callbacks.SamplerCallback does"
            )

    def _check_replica(self) -> None:
        """Raise in a second replica: both would draw the same, and race on the variables."""
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return
        replica = tf.get_static_value(context.replica_id_in_sync_group)
        if self._replica is None and replica is not None:
            self._replica = int(replica)
        if replica is None or self._replica != replica:
            raise ConfigError(f"two replicas cannot draw from one GraphSampler: {_ONE_EACH}")

    def _draw(self, rows: Rows, stream: Stream, score: Scorer | None) -> Negatives:
        """Draw by the law of the sampler, as its own ``_draw`` does."""
        sampler, backend = self.sampler, self._backend
        num_negatives, replacement = sampler.num_negatives, sampler.replacement
        if not isinstance(sampler, GenNi):
            return backend.by_weight(rows, stream, num_negatives, replacement)
        candidates: Candidates | None = sampler.candidates
        if not isinstance(sampler.schedules["beta"], Constant):
            count: Any = self.num_candidates.read_value()
            candidates = Candidates(count, sampler.candidates.per_row)
        elif sampler.candidates.count == len(sampler.items):
            candidates = None

        def by_weight() -> Draws:
            return backend.draw_by_weight(rows, stream, num_negatives, replacement)

        def by_score() -> Draws:
            assert score is not None  # sampler.arguments
            return backend.draw_by_score(
                rows, stream, num_negatives, replacement, score, self.alpha, candidates
            )

        lowest, highest = sampler.schedules["alpha"].bounds
        if highest < LEAST_ALPHA:
            draws = by_weight()
        elif lowest >= LEAST_ALPHA:
            draws = by_score()
        else:
            draws = tf.cond(tf.equal(self.alpha, 0.0), by_weight, by_score)
        return backend.negatives(rows, draws, candidates)


class _Progress(tf.train.experimental.PythonState):  # type: ignore[misc]
    """The sampler's state as JSON, for checkpoints."""

    def __init__(self, owner: GraphSampler) -> None:
        self._owner = owner

    def serialize(self) -> str:
        """Return the state, eagerly: ``tf.saved_model.save`` calls this while it builds a graph."""
        with eager_mode():
            return json.dumps(self._owner.state_dict())

    def deserialize(self, string_value: str) -> None:
        """Resume from a state."""
        self._owner.load_state_dict(json.loads(string_value))
