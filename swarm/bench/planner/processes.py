"""A parallel map over processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Generic, TypeVar

import msgspec
import psutil

T = TypeVar("T")
R = TypeVar("R")

START_S = 120.0                      # for all processes to start and load, on a busy machine


class Mapped(msgspec.Struct, Generic[R], frozen=True):
    """Values by the index of their item, and why some are missing."""

    values: dict[int, R]
    reason: str = ""


class Processes:
    """Processes that call functions of importable modules. They live on between calls."""

    def __init__(self, count: int, load: Callable[[], object]) -> None:
        """Returns when each process has loaded. load: what each calls first.

        Raises: BrokenBarrierError if they do not start in time.
        """
        context = get_context("spawn")
        loaded = context.Barrier(count + 1)
        self._pool = ProcessPoolExecutor(count, context, _load, (load, loaded))
        for _ in range(count):                       # the pool starts a process for each call that finds none idle
            self._pool.submit(load)
        loaded.wait(START_S)

    def __call__(self, function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> Mapped[R]:
        """See `ParallelMap`. Raises: what a call raises; BrokenProcessPool if a process has ended."""
        calls = [self._pool.submit(function, item) for item in items]
        ended = wait(calls, timeout_s).done
        values = {n: call.result() for n, call in enumerate(calls) if call in ended}
        late = [call for call in calls if call not in ended and call.cancel() is not None]
        return Mapped(values, f"{len(late)} of {len(items)} did not end within {timeout_s:g} s" if late else "")

    def cpu_s(self) -> float:
        """Processor time of this process and of all of them, so far."""
        this = psutil.Process()
        times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def close(self) -> None:
        """End the processes, when the calls that they are in have ended."""
        self._pool.shutdown(cancel_futures=True)


def _load(load: Callable[[], object], loaded: Barrier) -> None:
    load()
    loaded.wait(START_S)
