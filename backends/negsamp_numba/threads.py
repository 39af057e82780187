"""Threads: NUMBA_NUM_THREADS of them share the work, each with a BLAS of one thread.

Kernels release the GIL, so plain threads do. Numba's own ``parallel=True`` is not used: over GNU
OpenMP it aborts in a forked process, and two pools that spin cost more than the second gives.
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
    """Return how many threads work at once: NUMBA_NUM_THREADS, by default one a core."""
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def share(start: Callable[[], Callable[[int], None]], count: int, threads: int) -> None:
    """Do the tasks 0, ..., count - 1 on up to `threads` threads, the caller's among them.

    Each thread calls `start` once, for scratch memory of its own, and what that returned once for
    each task it takes. Tasks are taken in order and an exception stops the rest: of those that
    were raised, that of the first task is raised here, whatever the number of threads.
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
        except BaseException as error:  # noqa: BLE001  (raised below, by the thread that called)
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
    """While any thread is inside, BLAS libraries use one thread; then what they used before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._put_back: Callable[[], None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                limit = _blas().limit(limits=1, user_api="blas")
                self._put_back = limit.restore_original_limits
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
                self.forget()

    def forget(self) -> None:
        """Put the limits back whoever is inside: in a forked process nobody is."""
        if self._put_back is not None:
            self._put_back()
        self._put_back, self._inside = None, 0


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


ONE_BLAS_THREAD = _OneBlasThread()


def _after_fork() -> None:
    """Start afresh in the child: only the thread that forked lives on there."""
    _pool.cache_clear()
    ONE_BLAS_THREAD._lock = threading.Lock()
    ONE_BLAS_THREAD.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
