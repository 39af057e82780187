"""The base class of samplers: catalogue, stream, schedules, and the steps of a call."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, Self, TypeGuard

from negsamp import laws, states, validation
from negsamp.arguments import Arguments
from negsamp.backend import Backend, Catalogue, check_name, load_backend, resolve_name
from negsamp.compilation import not_compiled
from negsamp.errors import ConfigError
from negsamp.negatives import Negatives
from negsamp.progress import Progress
from negsamp.schedules import Schedule
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import Stream, spawn_key
from negsamp.workers import warn_if_worker

__all__ = ["Sampler"]


class Sampler(ABC):
    """Base class of :class:`Uniform`, :class:`Popularity` and :class:`GenNi`: build one of these.

    Most laws need no class: one that depends on neither row nor model is a :class:`Popularity` of
    other counts with ``gamma=1``, any other a :class:`GenNi` of another score. To add a law,
    derive from this class, as :class:`Uniform` does in a few lines: ``_draw`` calls one of a
    backend's two kernels, and ``_log_weights`` states the law for :meth:`probabilities`. To change
    one of the three samplers, override both methods. ``negsamp_tensorflow.GraphSampler`` takes
    only the laws of the three.
    """

    _uses_scores = False

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        num_negatives: int,
        replacement: bool,
        backend: str,
        seed: int,
        validate: str,
        schedules: Mapping[str, Schedule] | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise ConfigError(f"replacement must be True or False; got {replacement!r}")
        if validate not in ("later", "now"):
            raise ConfigError(f"validate must be 'later' or 'now'; got {validate!r}")
        check_name(backend)
        validation.check_interactions(catalogue.interactions, catalogue.items)
        self._catalogue = catalogue
        self._num_negatives = validation.as_count("num_negatives", num_negatives)
        self._replacement = replacement
        self._backend_name = backend
        self._validate = validate
        self._seed = validation.as_count("seed", seed, low=0, high=2**64 - 1)
        self._spawned: tuple[int, ...] = ()
        self._process = os.getpid()
        self._call = 0
        self._progress = Progress(schedules or {})
        self._backends: dict[str, Backend] = {}

    def __repr__(self) -> str:
        arguments = {
            "items": self.items,
            "num_negatives": self._num_negatives,
            **self._own_arguments,
            **self._changed_arguments,
            "seed": self._seed,
        }
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        path = "".join(f".spawn({index})" for index in self._spawned)
        return f"{type(self).__name__}({listed}){path}"

    @property
    def _own_arguments(self) -> dict[str, Any]:
        """The arguments of the law by name, for the repr."""
        return {}

    @property
    def _changed_arguments(self) -> dict[str, Any]:
        """The common arguments that differ from their defaults, for the repr."""
        given = {
            "interactions": (self._catalogue.interactions, None),
            "replacement": (self._replacement, True),
            "backend": (self._backend_name, "auto"),
            "validate": (self._validate, "later"),
        }
        return {name: value for name, (value, default) in given.items() if value != default}

    @property
    def items(self) -> range:
        """The catalogue: a contiguous range of ids."""
        return self._catalogue.items

    @property
    def num_negatives(self) -> int:
        """Number of negatives drawn for each target."""
        return self._num_negatives

    @property
    def catalogue(self) -> Catalogue:
        """What a backend needs to know of the sampler: items, interactions, weights."""
        return self._catalogue

    @property
    def replacement(self) -> bool:
        """Whether an item may repeat among the negatives of a row."""
        return self._replacement

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The schedules by the name of their parameter; a plain number is a constant one."""
        return self._progress.schedules

    @property
    def key(self) -> int:
        """The 64-bit key of the stream: the seed, or in a spawned sampler derived from it."""
        key = self._seed
        for index in self._spawned:
            key = spawn_key(key, index)
        return key

    @not_compiled
    def sample(
        self,
        targets: Any,
        *,
        score: Scorer | None = None,
        users: Any = None,
        mask: Any = None,
        exclude: Any = None,
    ) -> Negatives:
        """Draw negatives for each target, by the law of the class.

        Each target is a row. A row may draw any item of the catalogue except its target, the items
        of its user if the sampler has interactions, and what `exclude` lists for it.

        Parameters
        ----------
        targets : int, any shape
            Ids of the positives: a list, a NumPy array, or an array of the backend's framework. No
            backend converts arrays of another framework.
        score : DotProduct or callable, optional
            Scores of the items for each row. :class:`GenNi` needs it; the others ignore it.
        users : int, shape of `targets` or a leading part of it
            The user of each row, broadcast over the trailing axes. Required if the sampler has
            interactions, else ignored, so that one training loop serves both.
        mask : bool, shape of `targets`, optional
            Rows to sample. Values of the other rows are not read and do not change what the rest
            draws; these rows get item id 0 and log_q 0.
        exclude : int, shape targets.shape + (num_excluded,), optional
            More ids that a row must not draw; -1 for none.

        Returns
        -------
        Negatives
            ``item_ids`` int64 and ``log_q`` float32, both of shape
            targets.shape + (num_negatives,), in the framework and on the device of `targets`, or
            of the queries of a :class:`DotProduct` if `targets` is a list or NumPy array. The
            backends "torch" and "tensorflow" always return their own tensors.

        Raises
        ------
        InvalidInputError
            If shapes or dtypes do not fit, an id is outside the catalogue, a user is unknown, or
            an argument that the sampler needs is missing.
        NoNegativesError
            If a row has no admissible item, or without replacement fewer than `num_negatives`.
        InvalidScoresError
            If a score is NaN or +inf; with PyTorch and TensorFlow also if alpha times the score is,
            in float32.
        ConfigError
            If no backend takes the arrays.
        BackendNotInstalledError
            If the backend's framework is missing.

        Notes
        -----
        A draw is a pure function of (seed, spawned path, number of the call, number of the row,
        number of the draw). A call that raises does not count: the next call draws what it would
        have drawn. Code that runs twice, as under activation checkpointing, draws twice: draw
        outside it.

        On a CUDA device with Triton no call waits for the device. Errors in the values of its
        arguments (an id, a user, a score, too few items) are found there, and raised by the next
        :meth:`sample` or :meth:`update` that knows of them, at the latest by :meth:`set_epoch` or
        :meth:`state_dict`. The faulty call has then counted. With ``validate="now"`` a call waits
        and raises its own errors.

        Examples
        --------
        >>> import numpy as np
        >>> from negsamp import Uniform
        >>> targets = np.array([[5, 7, 2], [3, 0, 0]])  # 0 is padding
        >>> sampler = Uniform(items=range(1, 101), num_negatives=4)
        >>> negatives = sampler.sample(targets, mask=targets != 0)
        >>> negatives.item_ids.shape
        (2, 3, 4)
        >>> negatives.item_ids[1, 2]
        array([0, 0, 0, 0])
        """
        if self._process != os.getpid():  # a copy of what another process has
            self._process = os.getpid()
            warn_if_worker()
        backend, _, rows = self._rows(targets, score, users, mask, exclude, draws=True)
        negatives = self._draw(backend, rows, Stream(self.key, self._call), score)
        if self._validate == "now":
            backend.check(wait=True)
        self._call += 1
        return negatives

    def probabilities(
        self,
        targets: Any,
        *,
        score: Scorer | None = None,
        users: Any = None,
        mask: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Return the exact law of the next call of :meth:`sample`.

        Takes the arguments of :meth:`sample`. With a pre-selection it is the law over the subset
        that the next call will select. Nothing is drawn and no state changes.

        Returns
        -------
        float64, shape targets.shape + (len(items),)
            Q(item | row), one column per item in order of id. Each row sums to 1, or is all zeros
            if the mask leaves it out. In the framework and on the device that :meth:`sample` would
            return.

        Raises
        ------
        NegSampError
            As :meth:`sample`, except NoNegativesError: a row without admissible items is all zeros.

        Notes
        -----
        Builds arrays of targets.size x len(items) in float64: for tests and plots on small
        catalogues. Computed densely with NumPy, not by the code that makes the draws. Embeddings
        are rounded to float32, as for draws, and multiplied in float64.

        Without replacement it is the law of a row's first draw, even for a row with fewer
        admissible items than `num_negatives`, for which :meth:`sample` raises.

        Examples
        --------
        >>> import numpy as np
        >>> from negsamp import Uniform
        >>> Uniform(4).probabilities(np.array([0, 2]), exclude=np.array([[3], [-1]])).round(3)
        array([[0.   , 0.5  , 0.5  , 0.   ],
               [0.333, 0.333, 0.   , 0.333]])
        """
        backend, arrays, rows = self._rows(targets, score, users, mask, exclude)
        return self.exact_law(backend, arrays, rows, Stream(self.key, self._call), score)

    def exact_law(
        self,
        backend: Backend,
        arrays: Arguments,
        rows: Any,
        stream: Stream,
        score: Scorer | None,
    ) -> Any:
        """Return :meth:`probabilities` for :meth:`arguments` and a backend's ``rows`` of them."""
        log_weights = partial(self._log_weights, backend, rows, stream, score, arrays.targets)
        return laws.exact(self._catalogue, backend, arrays, log_weights)

    def set_epoch(self, epoch: int) -> None:
        """Move the schedules to an epoch, counted from 0.

        Raises
        ------
        ConfigError
            If `epoch` is not an integer >= 0.
        NegSampError
            If an earlier :meth:`sample` on a CUDA device failed; this waits for the device.

        Examples
        --------
        >>> from negsamp import Exponential, GenNi
        >>> sampler = GenNi(12_101, beta=Exponential(m=20))
        >>> sampler.set_epoch(40)
        >>> round(sampler.beta, 3)
        0.1
        """
        self._check(wait=True)
        self._progress.set_epoch(epoch)

    def update(self, loss: Any) -> None:
        """Pass the loss of a batch to the loss-driven schedules.

        Parameters
        ----------
        loss : float or zero-dimensional array
            Read only if a schedule needs it; on a GPU, reading waits for it.

        Raises
        ------
        InvalidInputError
            If the loss is needed and is not a finite number.
        NegSampError
            If an earlier :meth:`sample` on a CUDA device is already known to have failed.

        Examples
        --------
        >>> from negsamp import GenNi, LossDriven
        >>> sampler = GenNi(100, alpha=LossDriven(initial=1.0, step=0.1))
        >>> for loss in (0.7, 0.6):  # the first is only a reference
        ...     sampler.update(loss)
        >>> sampler.alpha
        1.1
        """
        self._check(wait=False)
        self._progress.update(loss)

    def spawn(self, index: int) -> Self:
        """Return a sampler of the same configuration with an independent random stream.

        Samplers spawned with different indices, and the one they were spawned from, never share
        random words. Give one to each DataLoader worker, rank or thread: a sampler counts its
        calls, so two threads must not share one. The new sampler starts from the current values of
        the schedules and counts its calls from 0.

        Parameters
        ----------
        index : int
            In [0, 2**64), such as the worker's number.

        Raises
        ------
        ConfigError
            If `index` is not such an integer.

        Examples
        --------
        >>> from negsamp import Uniform
        >>> sampler = Uniform(1000, num_negatives=2, seed=7)
        >>> [sampler.spawn(worker).sample([5]).item_ids.tolist() for worker in range(2)]
        [[[523, 380]], [[797, 405]]]
        """
        index = validation.as_count("index", index, low=0, high=2**64 - 1)
        child = copy.copy(self)
        child._spawned = (*self._spawned, index)
        child._process = os.getpid()
        child._call = 0
        return child

    def __copy__(self) -> Self:
        """Return an independent sampler in the same state."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__getstate__(), _progress=self._progress.copy())
        return other

    def state_dict(self) -> dict[str, Any]:
        """Return the state needed to resume, in values that JSON can hold.

        Returns
        -------
        dict
            Seed, spawned path and number of calls; epoch, values of the schedules and last loss.
            Also the class, size and law, with digests of interactions and counts, for
            :meth:`load_state_dict` to check that a state fits.

        Raises
        ------
        NegSampError
            If an earlier :meth:`sample` on a CUDA device failed; this waits for the device.

        Examples
        --------
        >>> import json
        >>> from negsamp import Uniform
        >>> sampler, resumed = Uniform(1000, seed=7), Uniform(1000)
        >>> resumed.load_state_dict(json.loads(json.dumps(sampler.state_dict())))
        >>> resumed.sample([5]).item_ids == sampler.sample([5]).item_ids
        array([[ True]])
        """
        self._check(wait=True)
        return self._state()

    def _state(self) -> dict[str, Any]:
        return {
            "version": states.VERSION,
            "sampler": type(self).__name__,
            "items": [self.items.start, self.items.stop],
            "num_negatives": self._num_negatives,
            "law": self._law,
            "seed": self._seed,
            "spawned": list(self._spawned),
            "call": self._call,
            **self._progress.state_dict(),
        }

    @property
    def _law(self) -> dict[str, Any]:
        """The part of the law that a state must match; its schedules may differ."""
        known = self._catalogue.interactions
        interactions = None if known is None else known.digest
        return {"replacement": self._replacement, "interactions": interactions}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state: every later call is bit for bit what it would have been.

        Parameters
        ----------
        state : mapping
            From :meth:`state_dict` of a sampler of the same configuration.

        Raises
        ------
        ConfigError
            If a key is missing or unknown, the state belongs to another class, catalogue, law,
            number of negatives or set of schedules, or it has a value that this sampler's schedule
            cannot take. The sampler is then unchanged.

        Notes
        -----
        Schedules may differ from those saved: each continues from the saved value, and refuses one
        outside its bounds. A plain number for alpha or beta takes only that number.
        """
        seed, spawned, call = states.read(state, self._state())
        self._progress.load_state_dict(state)
        self._seed, self._spawned, self._call = seed, spawned, call

    def _check(self, wait: bool) -> None:
        """Raise the deferred errors of earlier calls."""
        for backend in self._backends.values():
            backend.check(wait)

    def _rows(
        self, targets: Any, score: Any, users: Any, mask: Any, exclude: Any, draws: bool = False
    ) -> tuple[Backend, Arguments, Any]:
        """Choose the backend; return it, its arrays and their rows.

        A call that `draws` first raises the deferred errors of earlier calls that are known.
        """
        try:
            if draws:
                self._check(wait=False)
            backend, arrays = self._prepare(targets, score, users, mask, exclude)
            return backend, arrays, backend.rows(*arrays)
        except Exception as error:
            if self._is_collective(score):
                score.abort(error, targets)  # tells the other ranks, and raises the error
            raise

    def _is_collective(self, score: Any) -> TypeGuard[Any]:
        """Return whether several processes sample together with this score.

        Such a score names its ``backend``, compares the calls of all processes in ``agree``, and
        tells the others of an error before that by ``abort``; negsamp_torch has two.
        """
        return self._uses_scores and bool(getattr(score, "collective", False))

    def _prepare(
        self, targets: Any, score: Any, users: Any, mask: Any, exclude: Any
    ) -> tuple[Backend, Arguments]:
        """Choose the backend; return it and its arrays."""
        scored = (score.queries, score.items) if isinstance(score, DotProduct) else ()
        name = self._backend_name
        if self._is_collective(score):
            if name not in ("auto", score.backend):
                raise ConfigError(
                    f"a {type(score).__name__} needs backend {score.backend!r}; this sampler has "
                    f"backend={name!r}: use backend='auto'"
                )
            name = score.backend
        name = resolve_name(name, targets, users, mask, exclude, *scored)
        if name not in self._backends:
            self._backends[name] = load_backend(name)(self._catalogue)
        backend = self._backends[name]
        return backend, self.arguments(backend, targets, score, users, mask, exclude)

    def arguments(
        self, backend: Backend, targets: Any, score: Any, users: Any, mask: Any, exclude: Any
    ) -> Arguments:
        """Check the arguments of :meth:`sample` and return what a backend's ``rows`` takes.

        Raises
        ------
        InvalidInputError
            If shapes or dtypes do not fit, or an argument that the sampler needs is missing.
        """
        held = isinstance(score, DotProduct) or self._is_collective(score)
        like = getattr(score, "queries", None) if held else None
        needs_users = self._catalogue.interactions is not None
        arrays = Arguments.of(
            backend, targets, users, mask, exclude, like=like, needs_users=needs_users
        )
        self._check_score(score, arrays.targets)
        return arrays

    def _check_score(self, score: Any, targets: Any) -> None:  # noqa: B027
        """Check the score, if the law uses one."""

    @abstractmethod
    def _draw(self, backend: Backend, rows: Any, stream: Stream, score: Scorer | None) -> Negatives:
        """Draw with the backend's kernel for the law."""

    @abstractmethod
    def _log_weights(
        self,
        backend: Backend,
        rows: Any,
        stream: Stream,
        score: Scorer | None,
        targets: Any,
        kept: Any,
    ) -> Any:
        """Return log weights before exclusion and normalisation, (rows or 1, len(items))."""

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_backends": {}}
