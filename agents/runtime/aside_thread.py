"""The port `Aside` of the real host: one thread. Python switches between it and the loop every `SWITCH_S`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Calls = queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]
CLOSE_S = 2.0                        # a call that takes longer is left to itself


class AsideThread:
    """post: runs a call in the policy's thread. fail: passes an error to that thread."""

    def __init__(
        self, post: Callable[[Callable[[], None]], None], fail: Callable[[BaseException], None], name: str = "aside",
    ) -> None:
        self._post, self._fail, self._name = post, fail, name
        self._begin()

    def run(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        self._calls.put((call, done))

    def give_up(self) -> None:
        self._calls.put(None)
        self._begin()

    def close(self) -> None:
        """End the thread after the calls that it has been given."""
        self._calls.put(None)
        self._thread.join(timeout=CLOSE_S)

    def _begin(self) -> None:
        self._calls: Calls = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run_forever, args=(self._calls,), name=self._name, daemon=True)
        self._thread.start()

    def _run_forever(self, calls: Calls) -> None:
        try:
            while (given := calls.get()) is not None:
                call, done = given
                self._post(partial(done, call()))
        except BaseException as error:       # noqa: BLE001 - passed on: a bug ends the loop, not only this thread
            self._fail(error)
