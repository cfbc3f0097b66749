"""The notes of a convoy, as bytes. Decoding checks each field and raises ValueError for a bad one."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

STATE_TOPIC = "convoy.state"
FINDS_TOPIC = "convoy.finds"
VERSION = 1
PHASES = ("out", "station", "back", "home")
_STATE = struct.Struct("<BBIfff")    # version, phase, sequence, driven, x, y
MOST_M = 1e5


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a robot of the convoy is, and what it does there."""

    sequence: int                    # counts this robot's notes
    phase: str
    driven_m: float                  # along the road, from where it started
    x_m: float
    y_m: float


def encode_state(state: State) -> bytes:
    """A state note: 18 bytes."""
    return _STATE.pack(VERSION, PHASES.index(state.phase), state.sequence & 0xFFFFFFFF, state.driven_m, state.x_m,
                       state.y_m)


def decode_state(data: bytes) -> State:
    """Raises ValueError if `data` is not a state note of this version, or a value is out of range."""
    if len(data) != _STATE.size:
        raise ValueError("bad length")
    version, phase, sequence, *lengths = _STATE.unpack(data)
    if version != VERSION or phase >= len(PHASES):
        raise ValueError("bad header")
    if not all(math.isfinite(v) and abs(v) <= MOST_M for v in lengths) or lengths[0] < 0.0:
        raise ValueError("bad place")
    driven_m, x_m, y_m = lengths
    return State(sequence=sequence, phase=PHASES[phase], driven_m=driven_m, x_m=x_m, y_m=y_m)
