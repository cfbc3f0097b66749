"""The record of one request: a row of `requests.parquet`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from swarm.core.policy.plan import MOST_AT_ONCE, MOST_STAGES
from swarm.core.protocol.bounds import Count, Finite, Nanoseconds, Priority, Seconds, ShortText

Ending = Literal["completed", "late", "failed"]
Outside = Literal["open", "missed"]
"""Not an ending: the request is open, or the frame was due and no request was made of it."""


class RequestId(msgspec.Struct, frozen=True, array_like=True, order=True):
    """`agent/boot/sequence`: unique over all robots and restarts."""

    agent: ShortText
    boot: Count
    sequence: Count

    def __str__(self) -> str:
        return f"{self.agent}/{self.boot}/{self.sequence}"


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One due frame of a robot's stream. All that is drawn about its request is keyed by it, so that runs repeat."""

    incarnation: Count               # which start of the robot's process, 1, 2, ...
    stream: ShortText
    number: Count                    # on the stream's own grid: a missed frame shifts nothing


BatchSize = Annotated[int, msgspec.Meta(ge=1, le=MOST_AT_ONCE)]


class LegTimes(msgspec.Struct, frozen=True, array_like=True):
    """Times of one leg of a chain, on the clock of its agent."""

    run_s: Seconds = 0.0
    waited_s: Seconds = 0.0          # in that agent's queue
    held_s: Seconds = 0.0            # receipt to sending on
    overrun: bool = False
    batch: BatchSize = 1                # inputs of its run, this one included


LegsDone = Annotated[list[LegTimes], msgspec.Meta(max_length=MOST_STAGES)]


class LegRun(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of the chain that a request was sent along; a peer's times are 0 where no answer came."""

    agent: ShortText                 # the agent that ran it
    first: Count                     # its first stage
    last: Count                      # the stage after its last one
    run_s: Seconds = 0.0             # its runs, on the clock of its agent
    waited_s: Seconds = 0.0          # in that agent's queue
    held_s: Seconds = 0.0            # receipt to sending on


class Span(msgspec.Struct, kw_only=True):
    """The path of one request. Times are nanoseconds on the clock of the agent that owns it; 0 means never."""

    request: RequestId
    stream: ShortText                # the stream that submitted it
    model: ShortText                 # the model that it asks for
    priority: Priority               # larger runs first
    captured_ns: Nanoseconds                 # when the sensor was read
    submitted_ns: Nanoseconds                # when the frame was received
    deadline_ns: Nanoseconds                 # when a result is due
    variant: ShortText = ""          # of the model, in the run that counted
    ran_on: ShortText = ""           # the agent whose result counted; of a chain, its last
    offloaded_to: ShortText = ""     # the last peer that was asked, if any; of a chain, its last
    legs: Annotated[list[LegRun], msgspec.Meta(max_length=MOST_STAGES)] = []
    """Of the chain that it was sent along; empty: it ran whole."""

    guarded: bool = False            # offloaded while the fallback at home could still meet the deadline
    guard_fired: bool = False        # the fallback at home was started
    queued_ns: Nanoseconds = 0               # entered the local queue
    sent_ns: Nanoseconds = 0                 # left for the peer
    received_ns: Nanoseconds = 0             # reached the peer, as seen from here; of a chain, its first
    started_ns: Nanoseconds = 0              # the run that counted began (for a peer's: as seen from here)
    finished_ns: Nanoseconds = 0             # that run ended (likewise)
    returned_ns: Nanoseconds = 0             # the peer's answer arrived
    ended_ns: Nanoseconds = 0                # completed, late or failed
    run_s: Finite = 0.0               # duration of the run that counted; of a chain, of its runs on peers
    peer_held_s: Finite = 0.0         # receipt to answer, on the peer's clock; of a chain, all peers together
    preempted: Count = 0             # times that a more urgent run preempted its run at home
    aside_s: Finite = 0.0             # time between start and finish at home for which it was preempted
    predicted_s: Finite = 0.0         # latency expected when it was routed
    batch: BatchSize = 1                # inputs of the run that counted, this one included
    drawn_s: Finite = 0.0            # drawn duration of the run at home that counted; 0: not drawn
    overrun: bool = False            # the emulated run took longer than its draw
    ending: Ending | Outside = "open"        # how it ended; `missed`: the frame was due and never submitted
    reason: ShortText = ""           # why it failed, or the cause of the miss: `body`, `world`, `agent`
    found: Annotated[str, msgspec.Meta(max_length=256)] = ""     # the labels of its outcome: `person 2, car 1`

    @property
    def latency_s(self) -> float:
        """Capture to end."""
        return (self.ended_ns - self.captured_ns) / 1e9

    @property
    def asked(self) -> list[str]:
        """The peer that it was sent to last; for a chain, all its peers."""
        away = [leg.agent for leg in self.legs if leg.agent != self.request.agent]
        return away or ([self.offloaded_to] if self.offloaded_to else [])
