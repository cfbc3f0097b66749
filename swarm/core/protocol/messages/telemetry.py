"""Reports of processes to the collector: requests, events, and their own figures."""

from __future__ import annotations

import msgspec

from swarm.core.protocol.bounds import Count, Finite, Seconds
from swarm.core.protocol.messages.transport import Message
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import Pose


class Submitted(Message, frozen=True, kw_only=True):
    """A request was submitted."""

    request: RequestId
    frame: Frame
    due_s: Finite                    # when the frame fell due, since the streams began, on the agent's clock


class Ended(Message, frozen=True, kw_only=True):
    """A request has ended; `span` is its path."""

    span: Span


class Happened(Message, frozen=True, kw_only=True):
    """An event for `events.jsonl`."""

    what: str
    detail: dict[str, str | float | int] = {}


class AgentNews(Message, frozen=True, kw_only=True):
    """An agent's own figures, once a second."""

    rss_bytes: Count
    runs: Count
    overruns: Count
    busy_share: Finite                # of the executors' time since the last report
    refused_in: Count                  # messages and handshakes refused
    duplicates: Count                  # answers after the end of their request
    control_bytes: Count               # sent on the urgent lane so far
    carried: Count = 0                 # messages sent and received so far, on both lanes
    carried_bytes: Count = 0
    broken_off: Count = 0              # connections that ended before their handshake was complete


class Slip(msgspec.Struct, frozen=True, array_like=True):
    """A time in which the world could not keep up: simulated time stood still, or ran slower. Since the streams began.
    """

    from_s: Seconds
    to_s: Seconds
    lost_s: Seconds                    # how much simulated time lost on real time


class WorldNews(Message, frozen=True, kw_only=True):
    """The world's figures, several times a second."""

    time_s: Seconds
    steps: Count
    real_time_factor: Finite
    lag_ms_p99: Finite
    mission: Mission
    poses: dict[str, Pose]
    elapsed_s: Seconds = 0.0           # since the streams began: simulated time and all slips
    slips: list[Slip] = []             # those that began or grew since the last report


class Scene(Message, frozen=True, kw_only=True):
    """The map, for the report: JSON text."""

    json: bytes


class PlannerNews(Message, frozen=True, kw_only=True):
    """A plan was made."""

    epoch: Count
    solve_s: Seconds
    solver: str
    ray: bool
