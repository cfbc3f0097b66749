"""What is recorded of every request: one row of `requests.parquet`."""

from __future__ import annotations

from typing import Literal

import msgspec

from swarm.core.bounds import Count, Finite, Nanoseconds, Priority

Ending = Literal["completed", "late", "failed"]


class RequestId(msgspec.Struct, frozen=True, array_like=True, order=True):
    """`agent/boot/sequence`: unique over all robots and restarts."""

    agent: str
    boot: Count
    sequence: Count

    def __str__(self) -> str:
        return f"{self.agent}/{self.boot}/{self.sequence}"


class Span(msgspec.Struct, kw_only=True):
    """The path of one request. Times are nanoseconds on the clock of the agent that owns it; 0 means never."""

    request: RequestId
    stream: str
    model: str
    priority: Priority
    captured_ns: Nanoseconds                 # when the sensor was read
    submitted_ns: Nanoseconds                # when the frame was received
    deadline_ns: Nanoseconds
    variant: str = ""
    ran_on: str = ""                 # the agent whose result counted
    offloaded_to: str = ""           # the last peer that was asked, if any
    guarded: bool = False
    guard_fired: bool = False
    queued_ns: Nanoseconds = 0               # entered the local queue
    sent_ns: Nanoseconds = 0                 # left for the peer
    started_ns: Nanoseconds = 0              # the run that counted began (for a peer's: as seen from here)
    finished_ns: Nanoseconds = 0             # that run ended (likewise)
    returned_ns: Nanoseconds = 0             # the peer's answer arrived
    ended_ns: Nanoseconds = 0
    run_s: Finite = 0.0               # duration of the run that counted
    peer_held_s: Finite = 0.0         # receipt to answer, on the peer's clock
    predicted_s: Finite = 0.0         # latency expected when it was routed
    overrun: bool = False            # the emulated run took longer than its draw
    ending: Ending | Literal["open"] = "open"
    reason: str = ""

    @property
    def latency_s(self) -> float:
        """Capture to end."""
        return (self.ended_ns - self.captured_ns) / 1e9
