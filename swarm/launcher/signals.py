"""Signals that end a run, kept for it, so that it can end in order at any moment."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from swarm.net.process import catch

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While entered: SIGINT, SIGTERM and SIGHUP are kept in `received`, and `told` is called by the handler.

    Those that the caller has made this process ignore stay ignored, as `nohup` does with SIGHUP.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self.received: list[int] = []
        self._told = told
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        self._before = catch(HANDLED, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        self.received.append(number)
        self._told()
