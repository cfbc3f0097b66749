"""The notes of a flock, as bytes: how far a robot is, and the hazards that it has seen. Decoding checks each field."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agents.behaviours.flock.known_course import HALF_LENGTH_M, HALF_WIDTH_M, Point
from agents.behaviours.search.gossip import to_cm, to_metres, to_mrad, to_rad
from swarm.core.protocol.world import Pose

TOPIC = "flock.state"
VERSION = 1
HAZARDS_PER_NOTE = 12                # 15 + 4 * 12 = 63 bytes
MOST_LEFT_M = 100.0

_HEAD = struct.Struct("<BIhhhHBB")   # version, sequence, x, y (cm), heading (mrad), left (cm), heads east, hazards
_HAZARD = struct.Struct("<hh")       # x, y (cm)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One robot of the flock, as it tells of itself."""

    sequence: int                    # counts this robot's notes
    pose: Pose
    left_m: float                    # its way to the end to which it drives, at most MOST_LEFT_M; 0: it is there
    east: bool                       # it drives to the east end
    hazards: tuple[Point, ...]       # that its own camera has shown


def encode(state: State) -> bytes:
    """A note of 15 bytes, and 4 for each of the first HAZARDS_PER_NOTE hazards between the field's sides.

    Beyond them may be other lanes, with hazards of their own. Places are cut to the field.
    """
    hazards = [place for place in state.hazards if abs(place[1]) <= HALF_WIDTH_M][:HAZARDS_PER_NOTE]
    return _HEAD.pack(VERSION, state.sequence & 0xFFFFFFFF, *_cm(state.pose.x_m, state.pose.y_m),
                      to_mrad(state.pose.heading_rad),
                      round(min(max(state.left_m, 0.0), MOST_LEFT_M) * 100), int(state.east), len(hazards)
                      ) + b"".join(_HAZARD.pack(*_cm(x, y)) for x, y in hazards)


def decode(data: bytes) -> State:
    """Raises ValueError if `data` is not a note of this version, or a value is out of range."""
    if len(data) < _HEAD.size:
        raise ValueError("too short")
    version, sequence, x, y, heading, left, east, count = _HEAD.unpack_from(data)
    if version != VERSION or count > HAZARDS_PER_NOTE or len(data) != _HEAD.size + count * _HAZARD.size:
        raise ValueError("bad header or length")
    if left > MOST_LEFT_M * 100 or east > 1:
        raise ValueError("bad way or direction")
    hazards = tuple(_metres(*place) for place in _HAZARD.iter_unpack(data[_HEAD.size:]))
    return State(sequence=sequence, pose=Pose(*_metres(x, y), to_rad(heading)), left_m=left / 100, east=bool(east),
                 hazards=hazards)


def _cm(x_m: float, y_m: float) -> tuple[int, int]:
    return to_cm(x_m, HALF_LENGTH_M), to_cm(y_m, HALF_WIDTH_M)


def _metres(x_cm: int, y_cm: int) -> Point:
    return to_metres(x_cm, HALF_LENGTH_M), to_metres(y_cm, HALF_WIDTH_M)
