"""A pool of NUMBA_NUM_THREADS threads that share the rows of a call, with single-threaded BLAS.

Kernels release the GIL, so Python threads suffice. Numba's ``parallel=True`` is not used: over GNU
OpenMP it aborts in a forked process, and two pools that spin cost more than the second gains.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from types import TracebackType

from numba import config
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

__all__ = ["ONE_BLAS_THREAD", "num_threads", "share"]


def num_threads() -> int:
    """Return the number of threads: NUMBA_NUM_THREADS, by default one per core."""
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def share(start: Callable[[], Callable[[int], None]], count: int, threads: int) -> None:
    """Run tasks 0, ..., count - 1 on up to `threads` threads, that of the caller included.

    Each thread calls `start` once, to allocate its own workspace, and the function that this
    returns once per task. Tasks are taken in order, and an exception cancels those not yet taken.
    The exception of the first failed task is raised here, whatever the number of threads.
    """
    tasks, lock = iter(range(count)), threading.Lock()
    problems: list[tuple[int, BaseException]] = []

    def take() -> int | None:
        with lock:
            return next(tasks, None)

    def work() -> None:
        task: int | None = -1
        try:
            do = start()
            while (task := take()) is not None:
                do(task)
        except BaseException as error:  # noqa: BLE001  (raised below, in the thread of the caller)
            with lock:
                problems.append((-1 if task is None else task, error))
                for _ in tasks:
                    pass

    helpers: list[Future[None]] = []
    if min(threads, count) > 1:
        helpers = [_pool().submit(work) for _ in range(min(threads, count) - 1)]
    work()
    wait([helper for helper in helpers if not helper.cancel()])
    if problems:
        raise min(problems, key=lambda problem: problem[0])[1]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(num_threads() - 1, 1), thread_name_prefix="negsamp")


class _OneBlasThread:
    """Limits BLAS libraries to one thread while any thread is inside; the last out restores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                limit = _blas().limit(limits=1, user_api="blas")
                self._restore = limit.restore_original_limits
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self.reset()

    def reset(self) -> None:
        """Restore the limits, whatever the count: in a forked process no thread is inside."""
        if self._restore is not None:
            self._restore()
        self._restore, self._inside = None, 0


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


ONE_BLAS_THREAD = _OneBlasThread()


def _after_fork() -> None:
    """Reset pool, lock and limits in the child, where only the forking thread exists."""
    _pool.cache_clear()
    ONE_BLAS_THREAD._lock = threading.Lock()
    ONE_BLAS_THREAD.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
