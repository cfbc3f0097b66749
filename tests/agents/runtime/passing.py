"""Time for an executor's threads that passes only where a run takes it: exact, on any host."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from agents.runtime import executor
from swarm.core.clock import FakeClock


class PassingTime(FakeClock):
    """A clock on which an executor that waits out a run's remaining time has waited at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(at_ns=1)                            # zero stands for "not begun"
        clock = self

        class Stop(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                if not self.is_set():
                    clock.advance(timeout or 0.0)
                return self.is_set()

        monkeypatch.setattr(executor, "threading", SimpleNamespace(Event=Stop, Thread=threading.Thread))
