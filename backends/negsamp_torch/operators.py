"""Sampling inside ``torch.compile``: an operator that is opaque to the compiler."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from negsamp.errors import InvalidInputError
from negsamp.negatives import Negatives
from negsamp.sampler import Sampler
from negsamp.scores import DotProduct
from negsamp_torch import registry
from negsamp_torch.request import in_compiled_graph

__all__ = ["Compiled", "compiled"]


class Compiled:
    """A sampler to call in compiled functions, as :func:`compiled` returns it.

    Attributes
    ----------
    sampler : Sampler
        The sampler that draws: its schedules, state and errors are those of every draw.
    """

    def __init__(self, sampler: Sampler) -> None:
        if not isinstance(sampler, Sampler):
            raise InvalidInputError(f"compiled() takes a sampler; got {type(sampler).__name__}")
        self.sampler = sampler
        self._number = registry.enter(sampler)
        self._num_negatives = sampler.num_negatives
        with torch.inference_mode(False):
            self._calls = torch.zeros((), dtype=torch.int64, device="cpu")

    def __reduce__(self) -> tuple[type[Compiled], tuple[Sampler]]:
        return Compiled, (self.sampler,)

    def __call__(
        self,
        targets: Tensor,
        *,
        score: DotProduct | None = None,
        users: Tensor | None = None,
        mask: Tensor | None = None,
        exclude: Tensor | None = None,
    ) -> Negatives:
        """Draw negatives, inside a graph or not; see :meth:`negsamp.Sampler.sample`.

        Parameters
        ----------
        targets, users, mask, exclude : Tensor
            As in ``sample``, but only tensors.
        score : DotProduct, optional
            As in ``sample``. Other callables are refused: an operator cannot take Python code.

        Returns
        -------
        Negatives
            What the sampler's next call draws.

        Raises
        ------
        InvalidInputError
            If `score` is neither None nor a DotProduct, or an argument is not a tensor.
        NegSampError
            As the sampler raises it, when the compiled code runs.
        """
        if score is not None and not isinstance(score, DotProduct):
            raise InvalidInputError(
                "a compiled sampler takes a DotProduct as score, or none, as an operator cannot "
                "take a Python callable; sample outside the compiled function"
            )
        queries, items = (None, None) if score is None else (score.queries, score.items)
        given = (targets, queries, items, users, mask, exclude)
        for each in given:
            if each is not None and not isinstance(each, Tensor):
                raise InvalidInputError(
                    f"a compiled sampler takes only tensors; got a {type(each).__name__}"
                )
        detached = (each if each is None else each.detach() for each in given)
        return Negatives(*_draw(self._calls, self._number, self._num_negatives, *detached))


def compiled(sampler: Sampler) -> Compiled:
    """Return a sampler to call inside a function that ``torch.compile`` compiles.

    The whole training step, sampling included, is then one graph (``fullgraph=True``). Every call
    of the compiled step draws anew, bit for bit what ``sampler.sample`` would have drawn in its
    place; two draws of one step differ.

    Parameters
    ----------
    sampler : Sampler
        Draws when the compiled code runs. Save, load, ``set_epoch`` and ``update`` this sampler:
        ``alpha`` and ``beta`` are read at each draw, are not part of the graph, and never cause a
        recompilation.

    Returns
    -------
    Compiled
        Takes the arguments of ``sampler.sample``, with a :class:`negsamp.DotProduct` as the only
        kind of score.

    Raises
    ------
    InvalidInputError
        If `sampler` is not a sampler.

    Notes
    -----
    The sampler runs outside the graph, in a registered operator, ``negsamp::draw``, which counts
    its calls in a CPU tensor of its own. Since the compiler sees this tensor change, it neither
    merges, drops nor reorders draws, and keeps them out of CUDA graphs, in which they would repeat
    (``mode="reduce-overhead"`` captures at most what is around them; to replay draws see
    :func:`negsamp_torch.capturable`). Keep the returned object as long as the compiled function.
    Under activation checkpointing the recomputation would draw again: draw outside it.

    Examples
    --------
    >>> import torch
    >>> from negsamp import Uniform
    >>> from negsamp_torch import compiled
    >>> draw = compiled(Uniform(1000, seed=1))
    >>> def step(targets):
    ...     return draw(targets).item_ids[:, 0]
    >>> whole = torch.compile(step, fullgraph=True)  # whole(targets) draws as step(targets) does
    >>> step(torch.tensor([3, 5, 8])).tolist()
    [890, 586, 672]
    """
    return Compiled(sampler)


# `calls` comes first: Inductor takes an operator's device from its first tensor, and keeps CPU
# operators out of CUDA graphs.
@torch.library.custom_op(
    "negsamp::draw",
    mutates_args=("calls",),
    schema="(Tensor(a!) calls, int number, int num_negatives, Tensor targets, Tensor? queries, "
    "Tensor? items, Tensor? users, Tensor? mask, Tensor? exclude) -> (Tensor, Tensor)",
)
def _draw(
    calls: Tensor,
    number: int,
    num_negatives: int,  # noqa: ARG001
    targets: Tensor,
    queries: Tensor | None,
    items: Tensor | None,
    users: Tensor | None,
    mask: Tensor | None,
    exclude: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Draw with the sampler of `number`; `num_negatives` is only for the fake kernel's shapes."""
    score = None if queries is None else DotProduct(queries, items)
    with in_compiled_graph():
        negatives = registry.sampler_of(number).sample(
            targets, score=score, users=users, mask=mask, exclude=exclude
        )
    calls.add_(1)
    return negatives.item_ids, negatives.log_q


@_draw.register_fake
def _(_: Tensor, __: int, num_negatives: int, targets: Tensor, *___: Any) -> tuple[Tensor, Tensor]:
    shape = (*targets.shape, num_negatives)
    item_ids = targets.new_empty(shape, dtype=torch.int64)
    return item_ids, targets.new_empty(shape, dtype=torch.float32)
