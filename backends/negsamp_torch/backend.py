"""The backend class: converts tensors, and dispatches to Triton, eager or sharded kernels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from negsamp import validation
from negsamp.backend import Candidates, Catalogue, check_framework
from negsamp.blocks import BLOCK, rows_at_once
from negsamp.errors import InvalidInputError
from negsamp.negatives import Negatives
from negsamp.scores import DotProduct, Scorer
from negsamp.stream import Stream
from negsamp_torch import by_score, by_weight, fused
from negsamp_torch.candidates import one_for_all_rows, one_for_each_row
from negsamp_torch.request import Request
from negsamp_torch.results import Result
from negsamp_torch.row_errors import Deferred, Immediate, RaiseError, RowErrors
from negsamp_torch.rows import Rows
from negsamp_torch.scores import (
    CalledScores,
    OwnScores,
    Scores,
    SharedScores,
    Table,
    factor_of,
)
from negsamp_torch.sharded import ShardedDotProduct, ShardedScorer
from negsamp_torch.sharded import by_score as over_shards
from negsamp_torch.tables import Tables

__all__ = ["TorchBackend"]


class TorchBackend:
    """Draws with PyTorch; see :class:`negsamp.backend.Backend` for the contract.

    Attributes
    ----------
    rows_per_chunk, scores_per_tile, blocks_per_chunk, bytes_per_chunk : int
        Bounds of the memory in use: rows processed at once, scores of a tile (float32) and block
        masses of a chunk (8 bytes); with Triton kernels, bytes of block masses of a chunk. Draws
        do not depend on them beyond rounding.
    fused : bool or None
        Whether Triton kernels draw. None, the default: on CUDA devices if Triton is installed.
    deferred : bool or None
        Whether errors that kernels find are raised by a later :meth:`check`, so that no call waits
        for the device. None, the default: on CUDA devices.
    row_errors : RowErrors
        Keeps deferred errors.
    factor : float32 Tensor, shape (1,), or None
        alpha / ln 2 on the device, which captured graphs read in every replay; None: that of the
        call.
    """

    fused: bool | None = None
    deferred: bool | None = None

    rows_per_chunk = 512
    blocks_per_chunk = 1 << 21
    scores_per_tile = 1 << 19
    bytes_per_chunk = 1 << 25

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._tables: dict[torch.device, Tables] = {}
        self.row_errors: RowErrors = Deferred()
        self.factor: Tensor | None = None

    @staticmethod
    def report() -> Mapping[str, str]:
        """Return PyTorch's version and the devices it sees."""
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        cuda = [f"cuda:{i} ({name})" for i, name in enumerate(names)]
        return {"version": f"PyTorch {torch.__version__}", "devices": ", ".join(["cpu", *cuda])}

    def asarray(self, values: Any, like: Any = None) -> Tensor:
        """Return `values` detached; what is not a tensor yet is put on the device of `like`."""
        device = like.device if isinstance(like, Tensor) else None
        if isinstance(values, Tensor):
            if values.device.type == "mps":
                raise InvalidInputError(
                    "negsamp's PyTorch backend needs float64, which MPS lacks; got a tensor on "
                    f"{values.device}: move tensors to the CPU"
                )
            if device is not None and values.device != device:
                raise InvalidInputError(
                    f"tensors on different devices in one call: {values.device} and {device}"
                )
            return values.detach()
        check_framework("torch", "PyTorch tensors and NumPy arrays", values)
        if isinstance(values, np.ndarray):
            values = validation.as_native(values if values.flags.writeable else values.copy())
        try:
            return torch.as_tensor(values, device=device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise validation.no_array(values, error) from None

    def to_numpy(self, array: Any) -> npt.NDArray[Any]:
        """Copy a tensor, or what a callable returned, to the host; bfloat16 becomes float32."""
        if isinstance(array, Tensor):
            array = array.detach()
            array = (array.float() if array.dtype == torch.bfloat16 else array).cpu().numpy()
        return np.asarray(array)

    def check(self, wait: bool) -> None:
        """Raise the deferred errors of earlier calls."""
        self.row_errors.check(wait)

    def is_fused(self, device: torch.device) -> bool:
        """Return whether Triton kernels draw on a device."""
        return fused.works_on(device) if self.fused is None else self.fused

    def rows(self, targets: Tensor, users: Any, mask: Any, exclude: Any) -> Request:
        """Gather exclusions; ids and users are checked here, or by the Triton kernels if fused."""
        user_items = self._tables_on(targets.device).user_items
        request = Request(self._catalogue.items, user_items, targets, users, mask, exclude)
        if not self.is_fused(targets.device):
            request.rows  # noqa: B018 - checks now
        return request

    def candidates(self, request: Request, stream: Stream, candidates: Candidates) -> Tensor:
        """Return the pre-selected positions."""
        return self._candidates(request.rows, stream, candidates)

    def by_weight(
        self, request: Request, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        """Draw in proportion to the weights of the catalogue."""
        if self.is_fused(request.device):
            with fused.launching_on(request.device):
                return self._by_weight_fused(request, stream, num_negatives, replacement)
        rows = request.rows
        positions, log_q = by_weight.draw(
            rows,
            stream,
            num_negatives,
            replacement,
            self._tables_on(rows.numbers.device).cumulative,
        )
        result = Result(rows, num_negatives, self._catalogue.items.start)
        result.put(rows, positions, log_q)
        return result.negatives()

    @torch.no_grad()
    def by_score(
        self,
        request: Request,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: Scorer,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        """Draw in proportion to exp(alpha * score)."""
        if isinstance(score, DotProduct) and self.is_fused(request.device):
            with fused.launching_on(request.device):
                return self._by_score_fused(
                    request, stream, num_negatives, replacement, score, alpha, candidates
                )
        if isinstance(score, ShardedDotProduct | ShardedScorer):
            return self._by_score_sharded(
                request, stream, num_negatives, replacement, score, alpha, candidates
            )
        items, rows = self._catalogue.items, request.rows
        result = Result(rows, num_negatives, items.start)
        called = not isinstance(score, DotProduct)
        own = candidates if candidates is not None and candidates.per_row else None
        if called and own is not None:
            raise validation.callable_per_row()
        shared = None
        if candidates is not None and own is None:
            shared = self._candidates(rows, stream, candidates)
        table = None
        if isinstance(score, DotProduct):
            embeddings = self.asarray(score.items, like=rows.numbers)
            table = Table.of(embeddings[items.start : items.stop], shared)
        width = len(items) if candidates is None else candidates.count
        size = len(rows)
        if not called:
            most = self._rows_at_once(len(items))
            again = num_negatives if replacement else 0  # else blocks are computed again anyway
            size = rows_at_once(most, self.scores_per_tile, width, again)
        for chunk in rows.chunks(size):
            places = shared if own is None else self._candidates(chunk, stream, own)
            columns, log_q = by_score.draw(
                chunk,
                chunk.excluded if places is None else chunk.excluded.among(places),
                self._scores(chunk, score, table, places),
                alpha,
                stream,
                num_negatives,
                replacement,
                tile=max(self.scores_per_tile // len(chunk), 1),
            )
            if places is not None:
                columns = places[columns] if own is None else places.gather(1, columns)
            result.put(chunk, columns, log_q)
        return result.negatives()

    def _candidates(self, rows: Rows, stream: Stream, candidates: Candidates) -> Tensor:
        width = len(self._catalogue.items)
        if candidates.per_row:
            return one_for_each_row(stream, width, candidates.count, rows.numbers)
        return one_for_all_rows(stream, width, candidates.count, rows.numbers.device)

    def _scores(
        self, chunk: Rows, score: Scorer, table: Table | None, places: Tensor | None
    ) -> Scores:
        if not isinstance(score, DotProduct) or table is None:
            items = self._catalogue.items
            if places is None:
                places = torch.arange(len(items), device=chunk.numbers.device)
            return CalledScores(score, items.start + places, chunk.numbers, prod(chunk.shape))
        queries = self.asarray(score.queries, chunk.numbers)
        queries = queries.reshape(-1, queries.shape[-1])[chunk.numbers].float()
        if places is not None and places.ndim == 2:
            return OwnScores(queries, table, places)
        return SharedScores(queries, table)

    def _by_weight_fused(
        self, request: Request, stream: Stream, num_negatives: int, replacement: bool
    ) -> Negatives:
        from negsamp_torch.fused.by_weight import by_weight  # noqa: PLC0415 - loads Triton
        from negsamp_torch.fused.rows import DeviceRows  # noqa: PLC0415

        tables, rows = self._tables_on(request.device), DeviceRows.of(request)
        drawn = by_weight(
            rows,
            stream,
            num_negatives,
            replacement,
            self._catalogue.items,
            tables.cumulative,
            tables.weights_before,
        )
        raise_error = partial(request.raise_error, rows.status, num_negatives, replacement)
        self._record(request, rows.status, raise_error)
        return _in_shape(request, *drawn)

    def _by_score_fused(
        self,
        request: Request,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: DotProduct,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        from negsamp_torch.fused.by_score import by_score  # noqa: PLC0415 - loads Triton
        from negsamp_torch.fused.rows import DeviceRows  # noqa: PLC0415

        items, rows = self._catalogue.items, DeviceRows.of(request)
        drawn = by_score(
            rows,
            stream,
            num_negatives,
            replacement,
            self.asarray(score.queries, like=request.targets).reshape(-1, score.queries.shape[-1]),
            self.asarray(score.items, like=request.targets)[items.start : items.stop],
            items.start,
            self._factor(alpha, request.device),
            candidates,
            self.bytes_per_chunk,
        )

        candidates_of = None
        if candidates is not None:
            candidates_of = partial(self._candidates, stream=stream, candidates=candidates)
        raise_error = partial(
            request.raise_error, rows.status, num_negatives, replacement, candidates_of
        )
        self._record(request, rows.status, raise_error)
        return _in_shape(request, *drawn)

    def _by_score_sharded(
        self,
        request: Request,
        stream: Stream,
        num_negatives: int,
        replacement: bool,
        score: ShardedDotProduct | ShardedScorer,
        alpha: float,
        candidates: Candidates | None,
    ) -> Negatives:
        items = self._catalogue.items
        width = len(items)
        if candidates is not None and not candidates.per_row:
            width = candidates.count
        rows, positions, log_q = over_shards.by_score(
            request,
            stream,
            num_negatives,
            replacement,
            score,
            alpha,
            items,
            candidates,
            self._rows_at_once(width),
            self.scores_per_tile,
        )
        result = Result(rows, num_negatives, items.start)
        result.put(rows, positions, log_q)
        return result.negatives()

    def _rows_at_once(self, num_columns: int) -> int:
        return max(min(self.rows_per_chunk, self.blocks_per_chunk * BLOCK // num_columns), 1)

    def _factor(self, alpha: float, device: torch.device) -> Tensor:
        """Return alpha / ln 2 on the device, without a copy from the host, which would wait."""
        if self.factor is not None:
            return self.factor
        return torch.full((1,), factor_of(alpha), dtype=torch.float32, device=device)

    def _record(self, request: Request, status: Tensor, raise_error: RaiseError) -> None:
        """Raise the errors of rows, now or, if deferred, in a later :meth:`check`."""
        deferred = request.device.type == "cuda" if self.deferred is None else self.deferred
        (self.row_errors if deferred else Immediate()).record(request, status, raise_error)

    def _tables_on(self, device: torch.device) -> Tables:
        if device not in self._tables:
            self._tables[device] = Tables(self._catalogue, device)
        return self._tables[device]


def _in_shape(request: Request, item_ids: Tensor, log_q: Tensor) -> Negatives:
    shape = (*request.shape, item_ids.shape[1])
    return Negatives(item_ids.view(shape), log_q.view(shape))
