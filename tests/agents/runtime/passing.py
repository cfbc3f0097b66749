"""A clock for the threads of a runner that advances only when a run takes time: exact on any host."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from agents.runtime import thread_runner
from tests.clock import FakeClock


class PassingTime(FakeClock):
    """A clock that advances at once when an executor waits for the end of a run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        clock = self

        class Stop(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                if not self.is_set():
                    clock.advance(timeout or 0.0)
                return self.is_set()

        monkeypatch.setattr(thread_runner, "threading", SimpleNamespace(
            Event=Stop, Thread=threading.Thread, Lock=threading.Lock))
