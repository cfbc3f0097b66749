"""Processes of this host that fly points, one each at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, Protocol

from swarm.experiments.workers.flight import Flown, Task, fly

Fly = Callable[[Task], Flown]
EXIT_S = 1.0                         # from the end of a worker's connection to the end of its process


class Lost(NamedTuple):
    """The process that flew a point has vanished."""

    id: str
    why: str


class Workers(Protocol):
    """Whoever flies points."""

    @property
    def free(self) -> int:
        """Points that could be started now."""
        ...

    def start(self, task: Task) -> None:
        """Fly a point; only while `free`."""
        ...

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        """What has ended; waits for the first, but not longer."""
        ...

    def close(self) -> None:
        """End all of them, whatever they do."""
        ...


class _Worker:
    def __init__(self, fly: Fly) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, fly), name="swarm experiment", daemon=True)
        self.process.start()
        theirs.close()                   # so that a process that vanishes ends the connection
        self.connection: Connection = ours
        self.flies = ""                  # the id of a point

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


class LocalWorkers:
    """`jobs` processes. One that vanishes is replaced. fly: is pickled; a bench has one of its own."""

    def __init__(self, jobs: int, fly: Fly = fly) -> None:
        self._fly = fly
        self._workers = [_Worker(fly) for _ in range(jobs)]

    @property
    def free(self) -> int:
        return sum(not worker.flies for worker in self._workers)

    def start(self, task: Task) -> None:
        worker = next(worker for worker in self._workers if not worker.flies)
        worker.flies = task.id
        with contextlib.suppress(OSError):           # it has vanished: `ended` finds out
            worker.connection.send(task)

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        busy: dict[Any, int] = {worker.connection: k for k, worker in enumerate(self._workers) if worker.flies}
        found: list[Flown | Lost] = []
        for ready in connection.wait(list(busy), timeout_s):
            worker = self._workers[busy[ready]]
            try:
                found.append(worker.connection.recv())
                worker.flies = ""
            except (EOFError, OSError):
                worker.process.join(EXIT_S)
                worker.end()
                found.append(Lost(worker.flies, f"its process ended with {worker.process.exitcode}"))
                self._workers[busy[ready]] = _Worker(self._fly)
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.end()


def _serve(tasks: Connection, fly: Fly) -> None:
    """Fly what comes, until nothing can come any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)     # the coordinator's affair
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.send(fly(tasks.recv()))


def _end_with_parent() -> None:
    """A coordinator that was killed leaves nobody behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
