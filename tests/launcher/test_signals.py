"""Signals: those that end a run, and those that the caller wants ignored."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from swarm.core.clock import MonotonicClock
from swarm.launcher.signals import HANDLED, Signals
from swarm.net.loop import Loop
from swarm.net.process import catch


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_is_kept_and_told_in_the_loop_and_former_handlers_come_back() -> None:
    loop, told = Loop(MonotonicClock()), []
    before = signal.getsignal(signal.SIGTERM)
    with Signals(lambda: loop.post(lambda: (told.append("told"), loop.stop()))) as signals:  # pyright: ignore
        os.kill(os.getpid(), signal.SIGTERM)
        loop.run()
    assert (signals.received, told) == ([signal.SIGTERM], ["told"])
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_the_caller_ignores_stays_ignored(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    with Signals() as signals:
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) == signal.SIG_IGN
    assert signals.received == []
    assert catch([number], lambda *_: None) == {}            # nor does an agent handle it
    assert signal.getsignal(number) == signal.SIG_IGN
