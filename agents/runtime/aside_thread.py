"""The port `Aside` of the real host: one thread. Python switches between it and the loop every `SWITCH_S`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
CLOSE_S = 2.0                        # a call that takes longer is left to itself


class AsideThread:
    """post: runs a call in the policy's thread. fail: passes an error to that thread."""

    def __init__(self, post: Callable[[Callable[[], None]], None], fail: Callable[[BaseException], None]) -> None:
        self._post, self._fail = post, fail
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run_forever, name="aside", daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        self._calls.put((call, done))

    def close(self) -> None:
        """End the thread after the calls that it has been given."""
        self._calls.put(None)
        self._thread.join(timeout=CLOSE_S)

    def _run_forever(self) -> None:
        try:
            while (given := self._calls.get()) is not None:
                call, done = given
                self._post(partial(done, call()))
        except BaseException as error:       # noqa: BLE001 - passed on: a bug ends the loop, not only this thread
            self._fail(error)
