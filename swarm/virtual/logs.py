"""The logs of processes that share one: each line goes into the log of the process whose event is happening."""

from __future__ import annotations

import logging
from collections.abc import Callable

from swarm.virtual.timeline import Timeline

NOBODY = "launcher"


class Logs(logging.Handler):
    """While entered: writes into `logs/NAME.log`, with the time in the run. append: adds a line to a process's log."""

    def __init__(self, timeline: Timeline, append: Callable[[str, str], None]) -> None:
        super().__init__(logging.INFO)
        self._timeline, self._append = timeline, append
        self._level = logging.WARNING

    def __enter__(self) -> Logs:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.INFO)
        root.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        event = self._timeline.current
        who = event.owner.name if event is not None else NOBODY
        self._append(who, f"{self._timeline.now_ns / 1e9:.6f} {who}: {record.levelname} {record.getMessage()}\n")
