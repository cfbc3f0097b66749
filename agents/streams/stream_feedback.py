"""What a robot tells the planner of its streams: how requests fared under the placement in force. Deterministic."""

from __future__ import annotations

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.protocol.messages.presence import MOST_STREAMS, StreamSeen
from swarm.core.protocol.spans import Span

REFUSALS = ("full", "share", "too_late")
"""Reasons of peers that had no time for a request."""


class _Stream(msgspec.Struct):
    choice: tuple[str, ...]          # variant and agents of the placement in force; empty: there is none
    since_ns: int                    # requests that were submitted earlier do not count
    ended: int = 0
    on_time: int = 0
    away: int = 0
    refused: int = 0
    fired: int = 0


class StreamFeedback:
    """Counts the ends of requests since the last report, by stream. A new placement begins anew."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}

    def ended(self, span: Span, placement: Placement | None, now: int) -> None:
        """A request of this robot has ended. placement: that of its stream, in the plan in force now."""
        choice = (placement.variant, *placement.where) if placement is not None else ()
        stream = self._streams.get(span.stream)
        if stream is None or stream.choice != choice:
            stream = self._streams[span.stream] = _Stream(choice, now if stream is not None else 0)
        if span.submitted_ns < stream.since_ns:
            return
        stream.ended += 1
        stream.on_time += span.ending == "completed"
        stream.away += span.ran_on not in ("", span.request.agent)
        stream.refused += span.reason in REFUSALS
        stream.fired += span.guard_fired

    def report(self) -> list[StreamSeen]:
        """The streams that a plan places and of which requests have ended since the last report."""
        seen: list[StreamSeen] = []
        for name, stream in sorted(self._streams.items())[:MOST_STREAMS]:
            if stream.ended and stream.choice:
                seen.append(StreamSeen(
                    stream=name, variant=stream.choice[0], where=list(stream.choice[1:]), ended=stream.ended,
                    on_time=stream.on_time, away=stream.away, refused=stream.refused, fired=stream.fired))
            stream.ended = stream.on_time = stream.away = stream.refused = stream.fired = 0
        return seen
