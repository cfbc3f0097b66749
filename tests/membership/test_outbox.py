"""Messages that wait while their peer cannot be reached: in order, once, bounded."""

from __future__ import annotations

from swarm.core.protocol.messages import Body, Shared
from swarm.membership import outbox
from swarm.membership.outbox import RETRY_NS, Outbox
from tests.clock import FakeClock
from tests.one_thread.timers import FakeTimers


def note(number: int) -> Shared:
    return Shared(topic=str(number), data=b"")


def test_messages_wait_in_order_and_are_sent_once_when_the_peer_can_be_reached() -> None:
    timers, sent, reachable = FakeTimers(FakeClock()), list[Body](), [True]

    def send(body: Body) -> bool:
        if reachable[0]:
            sent.append(body)
        return reachable[0]

    box = Outbox(timers, send)
    box.put(note(0))
    assert (sent, len(box)) == ([note(0)], 0)
    reachable[0] = False
    for number in (1, 2, 3):
        box.put(note(number))
    timers.wait(5 * RETRY_NS / 1e9)
    assert (sent, len(box)) == ([note(0)], 3)
    reachable[0] = True
    box.put(note(4))                                         # behind those that wait
    assert sent == [note(0)]
    timers.wait(RETRY_NS / 1e9)
    assert (sent, len(box)) == ([note(n) for n in range(5)], 0)


def test_beyond_its_bound_the_oldest_is_dropped(monkeypatch) -> None:
    monkeypatch.setattr(outbox, "BOUND", 2)
    timers, sent, reachable = FakeTimers(FakeClock()), list[Body](), [False]
    box = Outbox(timers, lambda body: reachable[0] and not sent.append(body))
    for number in range(4):
        box.put(note(number))
    reachable[0] = True
    timers.wait(RETRY_NS / 1e9)
    assert sent == [note(2), note(3)]


def test_retries_begin_quickly_and_become_rarer() -> None:
    timers, tries = FakeTimers(FakeClock()), list[float]()
    box = Outbox(timers, lambda body: bool(tries.append(timers.clock.at_ns / 1e6)))
    box.put(note(0))
    timers.wait(0.1)
    assert tries[:8] == [0, 1, 3, 7, 15, 31, 51, 71]         # milliseconds
