"""A bulk queue under any order of events, seeded: every message ends exactly once, and the window holds."""

from __future__ import annotations

import random

import pytest

from swarm.core.policy.link import LinkEstimator
from swarm.core.units import ns
from swarm.transport.bulk.sender import Outgoing
from swarm.transport.bulk.steps import Dropped, QueuedMessage, SendChunk, SendWhole, Step
from tests.transport.queues import MIB, measured, next_steps, queued, told


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_every_message_ends_once_and_the_window_holds(seed: int) -> None:
    rng = random.Random(seed)
    out, now = Outgoing(rng.choice([LinkEstimator(), measured(1e6), measured(6.25e6), measured(1e9)])), 0
    taken: dict[int, QueuedMessage] = {}
    ended: dict[int, str] = {}
    at: dict[int, tuple[int, int]] = {}
    answered = 0

    def do(steps: list[Step]) -> None:
        for step in steps:
            if isinstance(step, Dropped):
                key = step.queued.tag
                assert isinstance(key, int)
                assert ended.get(key, "sent") == "sent" if step.reason == "refused" else key not in ended
                ended[key] = step.reason
            elif isinstance(step, SendWhole):
                assert step.queued.tag not in ended
                if not step.queued.transfer:
                    ended[step.queued.tag] = "sent"
            elif isinstance(step, SendChunk):
                assert step.queued.tag not in ended
                check_chunk(step)

    def check_chunk(step: SendChunk) -> None:
        key = step.queued.tag
        tensor, offset = at.get(key, (0, 0))
        while step.queued.tensors[tensor].nbytes == offset:
            tensor, offset = tensor + 1, 0
        assert (step.tensor, step.offset) == (tensor, offset)
        assert 0 < step.end - step.offset <= step.queued.tensors[tensor].nbytes - offset
        at[key] = (tensor, step.end)
        whole = sum(t.nbytes for t in step.queued.tensors[:tensor]) + step.end
        if whole == sum(t.nbytes for t in step.queued.tensors):
            ended[key] = "sent"

    for turn in range(600):
        now += rng.choice([0, ns(0.001), ns(0.02), ns(1.0)])
        match rng.randrange(10):
            case 0 | 1 | 2:
                sizes = [rng.choice([0, 1, 9_000, 70_000, MIB]) for _ in range(rng.randint(1, 4))]
                one = queued(*sizes, due=rng.choice([None, now + ns(0.05), now + ns(2.0)]), tag=turn,
                             head_bytes=rng.choice([0, 0, 9_000, 900_000]))
                late = one.deadline_ns is not None and one.deadline_ns <= now
                if rng.random() < 0.5 and not late and out.is_open(one.size, now):
                    out.window.on_sent(one.size, now)
                    assert out.window.in_flight_bytes <= out.window.bytes
                elif out.put(one):
                    taken[turn] = one
            case 3 | 4 | 5 | 6 if out.window.number:
                answered = rng.randint(answered, out.window.number)
                told(out, answered, now, held_s=rng.choice([0.0, 0.001, 99.0]))
            case 7:
                out.window.check_silence(now)
            case 8 if taken:
                victim = rng.choice(list(taken))
                do([*(out.cancel(victim) if rng.random() < 0.5 else out.on_refused(taken[victim].transfer))])
            case 9 if rng.random() < 0.1:
                do(list(out.on_unreachable()))
            case _:
                pass
        before, flew = out.window.in_flight_bytes, out.window.number
        steps = next_steps(out, now)
        do(steps)
        sent = [s for s in steps if isinstance(s, SendWhole | SendChunk)]
        assert [s.number for s in sent] == list(range(flew + 1, out.window.number + 1))
        assert out.window.in_flight_bytes >= 0
        assert out.window.in_flight_bytes <= out.window.bytes or out.window.in_flight_bytes == before or len(sent) == 1
        assert out.statistics().waiting_bytes == sum(p.size for key, p in taken.items() if key not in ended)
    for _ in range(10_000):
        if not out.statistics().waiting:
            break
        now += ns(0.01)
        told(out, out.window.number, now)
        do(next_steps(out, now))
    assert ended.keys() == taken.keys()
