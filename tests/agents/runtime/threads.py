"""A runner with one real thread; the test makes its calls to the policy's thread."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Any

from agents.ports import Given, RunEnd, RunOrder
from agents.runtime.thread_runner import ThreadRunner
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Leg
from swarm.core.ports import Clock
from swarm.core.protocol.spans import Frame, RequestId
from tests.patience import HANG_S

SEED = 1


class Threads:
    """The runner, and the calls that it posts."""

    def __init__(self, emulated: bool, clock: Clock | None = None) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.crashes: queue.Queue[BaseException] = queue.Queue()
        self.told: list[list[RunEnd]] = []
        self._model: Any = None
        self.runner = ThreadRunner(
            self, clock or MonotonicClock(), post=self.calls.put, fail=self.crashes.put,  # pyright: ignore[reportArgumentType]
            executors=1, emulated=emulated, seed=SEED,
        )
        self.runner.attach(self.told.append, lambda model, variant: None)

    def get(self, model: str, variant: str) -> Any:
        """Stands for `Sessions.get`: the model of the last start."""
        return self._model

    def begin(self, model: Any, leg: Leg, orders: Sequence[tuple[int, RequestId, Given]]) -> None:
        self._model = model
        self.runner.start("detector", "int8", leg, [
            RunOrder(work, request, given, Frame(1, "detect", request.sequence)) for work, request, given in orders])

    def next_call(self) -> Callable[[], None]:
        return self.calls.get(timeout=HANG_S)

    def ends(self) -> list[RunEnd]:
        """Wait for the end of a run, as the policy gets it."""
        self.next_call()()
        return self.told.pop()
