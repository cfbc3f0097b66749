"""Reports of processes to the collector: requests, events, and their own figures."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from swarm.core.protocol.bounds import Count, Finite, LongText, Rate, Seconds, Share, ShortText
from swarm.core.protocol.messages.transport import Message
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import BatteryState, Pose

MOST_LINKS = 64                      # in one report
MOST_DETAILS = 16                    # of one event
REPORT_BYTES = 64 << 10              # of one kept report: more than the longest event
MOST_REPORTS = 64                    # kept ones, in one message
MOST_AGE_S = 86_400.0                # of a kept report: an agent keeps fewer hours than that
Links = Annotated[dict[ShortText, tuple[Seconds, Rate]], Meta(max_length=MOST_LINKS)]
"""By peer: round trip in s, bytes per s."""

SolveEnd = Literal["adopted", "kept", "stale"]
"""What a solution did: it changed the plan, it did not, or it was thrown away because the problem had changed."""


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

    what: ShortText
    detail: Annotated[dict[ShortText, LongText | float | int], Meta(max_length=MOST_DETAILS)] = {}


class AgentNews(Message, frozen=True, kw_only=True):
    """An agent's own figures, once a second and when the streams end."""

    rss_bytes: Count
    loads: Count = 0                   # of models and stages, while it ran
    unloads: Count = 0
    runs: Count
    overruns: Count
    busy_s: Seconds                    # time that its executors were busy while the streams ran, all executors together
    available_s: Seconds               # time that its executors had while the streams ran, all executors together
    queue: Count = 0                   # runs that wait or run now
    links: Links = {}                  # measured links that have changed
    loop_late_ms_p99: Seconds = 0.0    # how late its loop ran its timers while the streams ran, 99th percentile
    loop_late_ms_max: Seconds = 0.0
    behaviour_ms_p99: Seconds = 0.0    # from an event to what its behaviour makes of it, 99th percentile
    behaviour_missed: Count = 0        # events that its behaviour did not get, because it was slower than they came
    behaviour_nonsense: Count = 0      # outputs of its behaviour that were nonsense, and dropped
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


class KeptReport(msgspec.Struct, frozen=True, array_like=True):
    """A report that an agent kept until a collector has it."""

    boot: Count                      # the start of the process that made it
    number: Count                    # of that start's reports, from 1 on
    age_s: Seconds                   # since it was made
    body: Annotated[bytes, Meta(max_length=REPORT_BYTES)]    # of a message of this page, in MessagePack


class Kept(Message, frozen=True, kw_only=True):
    """The oldest reports of an agent that no collector has, in order; the collector answers with `KeptReceived`."""

    reports: Annotated[list[KeptReport], Meta(min_length=1, max_length=MOST_REPORTS)]


class KeptReceived(Message, frozen=True, kw_only=True):
    """The collector has this report of the agent, and all before it."""

    boot: Count
    number: Count


class WorldNews(Message, frozen=True, kw_only=True):
    """The world's figures, several times a second."""

    time_s: Seconds
    steps: Count
    real_time_factor: Finite
    lag_ms_p99: Finite
    mission: Mission
    poses: dict[str, Pose]
    elapsed_s: Seconds = 0.0           # since the streams began: simulated time and all slips
    loop_late_ms_p99: Seconds = 0.0    # how late its loop ran its timers since the streams began, 99th percentile
    loop_late_ms_max: Seconds = 0.0
    slips: list[Slip] = []             # those that began or grew since the last report
    batteries: dict[str, BatteryState] = {}      # of the robots that have one
    out_of_reach: Share | None = None  # share of pairs of members, mean over time; None: the run has no radio reach


class Scene(Message, frozen=True, kw_only=True):
    """The map, for the report: JSON text."""

    json: bytes


class PlannerNews(Message, frozen=True, kw_only=True):
    """A solve has ended, or a refinement on Ray."""

    epoch: Count                       # of the plan in force after it
    took_s: Seconds
    solver: LongText
    refined: bool
    end: SolveEnd
    loop_late_ms_p99: Seconds = 0.0    # how late its loop ran its timers since the streams began, 99th percentile
    loop_late_ms_max: Seconds = 0.0
