"""The notes between robots that cover a field, as bytes. Decoding raises ValueError for what is out of range."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from agents.behaviours.covering.beliefs import Look
from agents.behaviours.covering.known_field import WEIGHTS
from agents.behaviours.search.gossip import to_cm, to_metres, to_mrad, to_rad
from swarm.core.protocol.world import Pose

TOPIC = "coverage"
VERSION = 1
MOST_LOOKS, MOST_FINDS = 3, 24       # in a note, and in a look: 10 + 3 * (14 + 24 * 5) = 412 bytes
MOST_AGE_S = 5.0                     # of a look that is told
MOST_UP_M = 100.0
LABELS = tuple(sorted(WEIGHTS))
_HEAD = struct.Struct("<BIhhB")      # version, sequence, x, y (cm), looks
_LOOK = struct.Struct("<BhhhhhhB")   # age (0.1 s), x, y, z (cm), heading, roll, pitch (mrad), finds
_FIND = struct.Struct("<Bhh")        # label, x, y (cm)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Where a robot is, and what its camera has shown since its last note."""

    sequence: int                    # counts this robot's notes
    x_m: float
    y_m: float
    looks: tuple[Look, ...]


def encode(news: News, now_s: float, half_m: float) -> bytes:
    """A note of the newest looks. half_m: half the side of the area, to which all places are cut."""
    def cm(x_m: float, y_m: float) -> tuple[int, int]:
        return to_cm(x_m, half_m), to_cm(y_m, half_m)

    looks = [look for look in news.looks if now_s - look.at_s <= MOST_AGE_S][-MOST_LOOKS:]
    data = _HEAD.pack(VERSION, news.sequence & 0xFFFFFFFF, *cm(news.x_m, news.y_m), len(looks))
    for look in looks:
        pose, finds = look.pose, look.finds[:MOST_FINDS]
        data += _LOOK.pack(
            round(max(now_s - look.at_s, 0.0) * 10), *cm(pose.x_m, pose.y_m), to_cm(pose.z_m, MOST_UP_M),
            to_mrad(pose.heading_rad), to_mrad(pose.roll_rad), to_mrad(pose.pitch_rad), len(finds))
        data += b"".join(_FIND.pack(LABELS.index(label), *cm(*place)) for label, place in finds)
    return data


def decode(data: bytes, now_s: float, half_m: float) -> News:
    """Raises ValueError if `data` is not a note of this version, or a value is out of range."""
    def metres(x_cm: int, y_cm: int) -> tuple[float, float]:
        return to_metres(x_cm, half_m), to_metres(y_cm, half_m)

    try:
        version, sequence, x, y, count = _HEAD.unpack_from(data)
        if version != VERSION or count > MOST_LOOKS:
            raise ValueError("bad header")
        at, looks = _HEAD.size, list[Look]()
        for _ in range(count):
            tenths, px, py, pz, heading, roll, pitch, finds = _LOOK.unpack_from(data, at)
            at += _LOOK.size
            if tenths > MOST_AGE_S * 10 or finds > MOST_FINDS:
                raise ValueError("bad look")
            found = [_FIND.unpack_from(data, at + k * _FIND.size) for k in range(finds)]
            at += finds * _FIND.size
            if any(label >= len(LABELS) for label, _, _ in found):
                raise ValueError("bad label")
            looks.append(Look(
                at_s=now_s - tenths / 10,
                pose=Pose(*metres(px, py), to_rad(heading), to_metres(pz, MOST_UP_M), to_rad(roll), to_rad(pitch)),
                finds=tuple((LABELS[label], metres(fx, fy)) for label, fx, fy in found)))
    except struct.error:
        raise ValueError("too short") from None
    if at != len(data):
        raise ValueError("bad length")
    here = metres(x, y)
    return News(sequence=sequence, x_m=here[0], y_m=here[1], looks=tuple(looks))
