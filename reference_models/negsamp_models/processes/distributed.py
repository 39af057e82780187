"""A run over several processes started by torchrun: collectives, devices, shares of the data."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from negsamp import NegSampError, Sampler
from negsamp.stream import spawn_key
from negsamp_models.datasets.sequences import Int64Array
from negsamp_models.settings import TrainingSettings, TrainingSettingsError
from negsamp_models.wording import differences

__all__ = ["ProcessLostError", "Processes", "ProcessesDifferError", "joined_processes"]

AnySampler = TypeVar("AnySampler", bound=Sampler)


class ProcessesDifferError(NegSampError, ValueError):
    """The processes of a run have different arguments, data or checkpoints."""


class ProcessLostError(NegSampError, RuntimeError):
    """Another process of the run has ended or hangs."""

    def __str__(self) -> str:
        return (
            "another process of the run no longer answers: it failed, was killed or hangs; see its "
            "output. Restart all processes; with --resume, the run continues from its last "
            "checkpoint"
        )


@dataclass(frozen=True)
class Processes:
    """The processes of a run, as seen by one of them. A run of one process needs no group.

    Every method but :meth:`share`, :meth:`slice_of` and :meth:`device` is collective: all processes
    must call it.

    Attributes
    ----------
    rank : int
        This process, in [0, size). Only rank 0 writes.
    size : int
        Number of processes.
    local_rank, local_size : int
        The same among the processes on this machine; a process uses the CUDA device of its local
        rank.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    def device(self, settings: TrainingSettings) -> torch.device:
        """Return the device of this process; a numbered CUDA device becomes the current one.

        Pinned memory and operations without an explicit device then use it.

        Raises
        ------
        TrainingSettingsError
            If the device is CUDA and there are fewer devices than processes on this machine.
        """
        device = settings.torch_device()
        if self.size > 1:
            device = self._own_device(device, settings)
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
        return device

    def _own_device(self, device: torch.device, settings: TrainingSettings) -> torch.device:
        """Return the CUDA device of the local rank, or the device itself if it is not CUDA."""
        if device.type != "cuda":
            return device
        if device.index is not None or torch.cuda.device_count() < self.local_size:
            raise TrainingSettingsError(
                "device",
                settings.device,
                f"cpu, or cuda with a device for each of the {self.local_size} processes on this "
                f"machine, which has {torch.cuda.device_count()},",
            )
        return torch.device("cuda", self.local_rank)

    def share(self, rows: Int64Array) -> Int64Array:
        """Return this process's part of some rows: every size-th one, starting at the rank-th."""
        return rows[self.rank :: self.size]

    def sampler(self, sampler: AnySampler) -> AnySampler:
        """Return the sampler that draws for this process, with its own random stream."""
        return sampler if self.size == 1 else sampler.spawn(self.rank)

    def seed(self, seed: int) -> None:
        """Seed torch by rank, so that dropout differs between processes."""
        if self.size > 1:
            torch.manual_seed(spawn_key(seed, self.rank))

    def parallel(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return the model wrapped so that gradients are averaged over the processes."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, [device] if device.type == "cuda" else None)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes, in place (all-reduce)."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def largest(self, *values: int) -> list[int]:
        """Return the maximum of each value over the processes (all-reduce)."""
        if self.size == 1:
            return list(values)
        largest = torch.tensor(values)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return [int(value) for value in largest]

    def slice_of(self, lines: Tensor) -> Tensor:
        """Return this process's slice of some rows; the slices are contiguous and cover all."""
        bounds = [rank * len(lines) // self.size for rank in (self.rank, self.rank + 1)]
        return lines[bounds[0] : bounds[1]]

    def sent_by(self, rank: int, rows: Tensor) -> Tensor:
        """Broadcast the rows of one process; processes may differ in their number of rows."""
        if self.size == 1:
            return rows
        count = torch.tensor([len(rows)], device=rows.device)
        distributed.broadcast(count, rank)
        shape = int(count), *rows.shape[1:]
        sent = rows.contiguous() if rank == self.rank else rows.new_empty(shape)
        distributed.broadcast(sent, rank)
        return sent

    def gather(self, values: Tensor) -> Tensor:
        """Return the tensors of all processes, of equal shape, stacked by rank (all-gather)."""
        stacked = torch.zeros((self.size, *values.shape), dtype=values.dtype)
        stacked[self.rank] = values
        return self.total(stacked)

    def agree(self, own: Mapping[str, Any]) -> None:
        """Check that all processes have the same values, which are JSON-serialisable.

        Raises
        ------
        ProcessesDifferError
            In all processes, if they differ.
        """
        if self.size == 1:
            return
        text = torch.frombuffer(bytearray(json.dumps(own).encode()), dtype=torch.uint8)
        sent = [self.sent_by(rank, text) for rank in range(self.size)]
        values = [json.loads(bytes(each.tolist())) for each in sent]
        for rank, other in enumerate(values):
            if found := differences(other, values[self.rank]):
                raise ProcessesDifferError(
                    f"process {rank} has another run: {', '.join(found)}. Start all processes with "
                    "the same arguments and data, and an output folder that all of them share"
                )


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the process group of torchrun's environment variables; without them, run alone.

    CPU tensors are sent with gloo, CUDA tensors with NCCL.

    Raises
    ------
    ProcessLostError
        Instead of gloo's error, if another process no longer answers.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(
            rank=distributed.get_rank(),
            size=size,
            local_rank=int(os.environ["LOCAL_RANK"]),
            local_size=int(os.environ["LOCAL_WORLD_SIZE"]),
        )
    except BaseException as error:
        _forget_frames(error)
        if type(error) is RuntimeError and "gloo" in str(error):  # gloo has no error type
            raise ProcessLostError from error
        raise
    finally:
        distributed.destroy_process_group()


def _forget_frames(error: BaseException | None) -> None:
    """Free the objects in an error's frames, above all a `DistributedDataParallel` model.

    If one is freed after the group is destroyed, it can deadlock with a thread of the group that
    waits for the GIL.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
