"""Messages between a robot's agent and its body, and between the behaviours of robots."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from swarm.core.protocol.bounds import Count, Finite, Joules, Seconds
from swarm.core.protocol.messages.transport import Message
from swarm.core.protocol.sensors import Readings, SensorSuite
from swarm.core.protocol.world import Act, Capture, Pose, Report, Word

MOST_SHARED_BYTES = 64 << 10         # of one note between behaviours


class Embodied(Message, frozen=True, kw_only=True):
    """The sensors of the receiver's body: sent when its agent joins, and repeated."""

    sensors: SensorSuite
    frame_hz: Finite = 0.0           # frames per second of its camera; 0: not known


class Sensed(Message, frozen=True, kw_only=True):
    """An observation; tensors: scan float32 [beams], and frame uint8 [h, w, 3] if there is one."""

    sequence: Count
    at_s: Seconds                    # when it fell due, on the body's clock
    age_s: Seconds                   # of pose, speeds and scan then: the lidar's latency
    pose: Pose
    v_mps: Finite
    w_radps: Finite
    bumped: bool
    frame: bool
    readings: Readings = {}          # of sensors other than camera and lidar, by name
    left_mps: Finite = 0.0
    up_mps: Finite = 0.0
    capture: Capture | UnsetType = UNSET     # of the frame, where it was not taken with the scan


class Acted(Message, frozen=True, kw_only=True):
    """A velocity command."""

    act: Act


class EnergyUsed(Message, frozen=True, kw_only=True):
    """What the computer of a robot has used since this start of its agent: told to its body once a second."""

    compute_j: Joules
    radio_j: Joules                  # of messages to and from other robots and planners


class Reported(Message, frozen=True, kw_only=True):
    """A robot's statement about its mission."""

    report: Report


class Judged(Message, frozen=True, kw_only=True):
    """The world's verdict on a report."""

    report: Report
    verdict: Word                    # of the scenario


class Shared(Message, frozen=True, kw_only=True):
    """Data that the behaviours of robots send each other."""

    topic: Word
    data: Annotated[bytes, Meta(max_length=MOST_SHARED_BYTES)]
