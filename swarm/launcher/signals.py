"""Signals as calls in the loop, so that a run can end in order at any moment."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from swarm.net.loop import Loop
from swarm.net.process import catch

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While entered: SIGINT, SIGTERM and SIGHUP are kept in `received`, and `told` is called in the loop's thread.

    Those that the caller has made this process ignore stay ignored, as `nohup` does with SIGHUP.
    """

    def __init__(self, loop: Loop, told: Callable[[], None]) -> None:
        self.received: list[int] = []
        self._loop, self._told = loop, told
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._before = catch(HANDLED, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        self.received.append(number)
        self._loop.post(self._told)


class Interruptions:
    """While entered: counts SIGINT, SIGTERM and SIGHUP, for a run that looks for them between two events."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._before: dict[int, Any] = {}

    def count(self) -> int:
        return len(self.received)

    def __enter__(self) -> Interruptions:
        self._before = catch(HANDLED, lambda number, frame: self.received.append(number))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
