"""Work that peers ask for: admitted or refused at once, dropped when nobody waits for it. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agents import events as ev
from agents.queue import Work, WorkQueue
from swarm.core.clock import ns, seconds
from swarm.core.cost import named
from swarm.core.plan import Profile

QUEUE_BOUND = 32


class ServingStatistics(msgspec.Struct, frozen=True):
    """Counts since the start."""

    asked: int
    answered: int
    refused: dict[str, int]


class Serving:
    """Shares the robot's queue, and with it the policy, with the robot's own work."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]], queue: WorkQueue) -> None:
        self._profiles, self._queue = profiles, queue
        self._asked = self._answered = 0
        self._refused: dict[str, int] = {}

    def asked(self, event: ev.StageAsked, now: int) -> list[ev.Command]:
        """A peer's request: it waits for the executor, or is refused because it could not be in time."""
        self._asked += 1
        profile = named(self._profiles.get(event.model, ()), event.variant)
        if profile is None:
            return [self.refuse(event, "unknown_model")]
        if self._queue.waiting() >= QUEUE_BOUND:
            return [self.refuse(event, "full")]
        wait_s = self._queue.wait_s(now, event.priority, event.deadline_ns)
        if now + ns(wait_s + profile.p50_s) > event.deadline_ns:
            return [self.refuse(event, "too_late")]
        self._queue.add(
            request=event.request, asker=event.peer, stream="", profile=profile, priority=event.priority,
            deadline_ns=event.deadline_ns, guard=False, now=now,
        )
        return []

    def refuse(self, asked: ev.StageAsked | Work, reason: str) -> ev.Refuse:
        """Say no, and count it."""
        self._refused[reason] = self._refused.get(reason, 0) + 1
        peer = asked.asker if isinstance(asked, Work) else asked.peer
        return ev.Refuse(request=asked.request, peer=peer, reason=reason)

    def done(self, work: Work, event: ev.StageDone) -> list[ev.Command]:
        """A peer's run has ended."""
        if work.aborted:
            return []
        if not event.ran:
            return [self.refuse(work, "failed")]
        self._answered += 1
        return [ev.Answer(
            request=work.request, peer=work.asker, run_s=seconds(event.finished_ns - event.started_ns),
            waited_s=seconds(event.started_ns - work.queued_ns), overrun=event.overrun,
        )]

    def cancelled(self, event: ev.StageCancelled) -> list[ev.Command]:
        """The peer no longer wants this one."""
        return self._drop([w for w in self._queue.of_asker(event.peer) if w.request == event.request])

    def lost(self, peer: str) -> list[ev.Command]:
        """Nobody is left to answer to."""
        return self._drop(self._queue.of_asker(peer))

    def statistics(self) -> ServingStatistics:
        return ServingStatistics(self._asked, self._answered, dict(self._refused))

    def _drop(self, works: Sequence[Work]) -> list[ev.Command]:
        commands: list[ev.Command] = []
        for work in works:
            commands.append(ev.Forget(request=work.request, peer=work.asker))
            if self._queue.remove(work.key) is None:
                commands.append(ev.AbortRun(work=work.key))
        return commands
