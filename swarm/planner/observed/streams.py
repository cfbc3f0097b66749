"""Holds forecasts against what agents observed, and corrects the next ones. Deterministic.

Of each stream the requests count that ended under the placement in force; older ones count less. The error of the
forecast, which was made without corrections, corrects the next forecast of this placement. A few requests correct
little: the error is that of the mean with `DOUBT` requests that were as forecast. What chance explains is no error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

from swarm.core.protocol.messages import Advert
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.planner.problem import Correction, StreamOf

MEMORY = 0.8                         # weight of a request after each further report: half of it after three seconds
DOUBT = 4.0                          # requests
CHANCE = 1.5                         # standard errors that chance explains
ONE = 1.0                            # a single request that fares otherwise is chance, whatever was expected
STEP = 0.05                          # errors are rounded to steps, so that noise does not change plans

Key = tuple[str, str]                # agent and stream
Choice = tuple[str, ...]             # variant, and the agent of each stage


class _Record(msgspec.Struct):
    choice: Choice
    ended: float = 0.0
    on_time: float = 0.0


class StreamRecords:
    """What was observed of each stream under its present placement, and what was forecast of it."""

    def __init__(self) -> None:
        self._seen: dict[Key, _Record] = {}
        self._expected: dict[Key, tuple[Choice, float]] = {}

    def reported(self, agent: str, seen: Sequence[StreamSeen], advertised: tuple[int, Advert] | None) -> None:
        """An agent reports the ends of requests of streams that it has advertised. advertised: with its boot."""
        own = {stream.name for stream in advertised[1].streams} if advertised else set[str]()
        for each in seen:
            if each.stream not in own:
                continue
            key, choice = (agent, each.stream), (each.variant, *each.where)
            record = self._seen.get(key)
            if record is None or record.choice != choice:
                record = self._seen[key] = _Record(choice)
            record.ended = MEMORY * record.ended + each.ended
            record.on_time = MEMORY * record.on_time + min(each.on_time, each.ended)

    def expect(self, expected: Mapping[Key, tuple[Choice, float]]) -> None:
        """The newest forecast of the plan in force, without corrections: share on time by stream."""
        self._expected = dict(expected)

    def forget(self, agent: str) -> None:
        """Discard what was observed of an agent's streams, and of streams that run on it."""
        self._seen = {key: record for key, record in self._seen.items()
                      if key[0] != agent and agent not in record.choice[1:]}

    def corrections(self, streams: Sequence[StreamOf]) -> tuple[Correction, ...]:
        """What the next forecasts are corrected by, of streams that are in the problem."""
        out: list[Correction] = []
        for stream in streams:
            record, expected = self._seen.get(stream.key), self._expected.get(stream.key)
            if record is None or expected is None or record.choice != expected[0] or not record.ended:
                continue
            by = _error(record, expected[1])
            if by:
                variant, *where = record.choice
                out.append(Correction(agent=stream.agent, stream=stream.spec.name, model=stream.spec.model,
                                      variant=variant, where=tuple(where), by=by))
        return tuple(out)


def _error(record: _Record, expected: float) -> float:
    """By how much the share on time differs from what was expected, in steps."""
    off = record.on_time - record.ended * expected
    likely = CHANCE * sqrt(record.ended * max(expected * (1.0 - expected), 0.01))
    if abs(off) <= max(likely, ONE):
        return 0.0
    return round(round(off / (record.ended + DOUBT) / STEP) * STEP, 6)
