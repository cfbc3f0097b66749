"""The notes between robots that fetch goods, as bytes. Decoding raises ValueError for a field that is out of range."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.picking.bay_beliefs import STATES
from agents.behaviours.picking.floor_plan import FloorPlan
from agents.behaviours.search.gossip import to_cm, to_mrad, to_rad
from swarm.core.protocol.world import Pose

TOPIC = "picking"
VERSION, HALL_VERSION = 1, 2         # where there is one hall, and where there are several
MOST_LOOKS = 40                      # in one note: 40 * 7 + 23 = 303 bytes, and one for the hall
MOST_AGE_S = 25.0                    # of a look or a pick that is told
NONE = 0xFFFF
_HEAD = struct.Struct("<BIhhhHHIHBB")        # version, sequence, x, y, heading, bay, aisle, ticket, pick, age, looks
_HALL = struct.Struct("<B")
_LOOK = struct.Struct(f"<H{STATES}bB")       # bay, evidence, age
_MOST_M = 320.0                      # of a coordinate, in cm
_PART = 16                           # of one unit of evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a robot has seen in a bay."""

    bay: int
    evidence: NDArray[np.float64]    # [states]
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A robot's place, its intention, and what it has seen."""

    sequence: int                    # counts this robot's notes
    pose: Pose
    bay: int | None                  # from which it wants to pick
    aisle: int | None                # which it wants to enter, or is in
    ticket: int                      # of this wish
    picked: tuple[int, float] | None             # bay and age of its last pick
    looks: tuple[Look, ...]


def encode(news: News, hall: int = 0) -> bytes:
    """A note of at most MOST_LOOKS looks. hall: the number of the robot's; 0: there is one only."""
    picked, age = (NONE, 0) if news.picked is None else (news.picked[0], _tenths(news.picked[1]))
    looks = news.looks[:MOST_LOOKS]
    head = _HEAD.pack(HALL_VERSION if hall else VERSION, news.sequence & 0xFFFFFFFF, to_cm(news.pose.x_m, _MOST_M),
                      to_cm(news.pose.y_m, _MOST_M), to_mrad(news.pose.heading_rad), _or_none(news.bay),
                      _or_none(news.aisle), news.ticket, picked, age, len(looks))
    return head + (_HALL.pack(hall) if hall else b"") + b"".join(
        _LOOK.pack(look.bay, *np.clip(np.rint(look.evidence * _PART), -127, 127).astype(int).tolist(),
                   _tenths(look.age_s)) for look in looks)


def decode(data: bytes, plan: FloorPlan) -> News | None:
    """None: it is about another hall. Raises ValueError if `data` is no note, or a value is out of range."""
    size, expected = (_HEAD.size + _HALL.size, HALL_VERSION) if plan.hall else (_HEAD.size, VERSION)
    if len(data) < size:
        raise ValueError("too short")
    version, sequence, x, y, heading, bay, aisle, ticket, picked, age, count = _HEAD.unpack_from(data)
    if version != expected or count > MOST_LOOKS or len(data) != size + count * _LOOK.size:
        raise ValueError("bad header or length")
    if plan.hall and _HALL.unpack_from(data, _HEAD.size) != (plan.hall,):
        return None
    if age > 10 * MOST_AGE_S:
        raise ValueError("bad age")
    if any(k not in (*range(plan.count), NONE) for k in (bay, picked)) or aisle not in (*range(plan.aisles), NONE):
        raise ValueError("no such bay or aisle")
    looks: list[Look] = []
    for number, *evidence, tenths in _LOOK.iter_unpack(data[size:]):
        if number >= plan.count or tenths > 10 * MOST_AGE_S:
            raise ValueError("bad look")
        looks.append(Look(bay=number, evidence=np.array(evidence) / _PART, age_s=tenths / 10))
    return News(sequence=sequence, pose=Pose(x / 100, y / 100, to_rad(heading)), bay=None if bay == NONE else bay,
                aisle=None if aisle == NONE else aisle, ticket=ticket,
                picked=None if picked == NONE else (picked, age / 10), looks=tuple(looks))


def _or_none(number: int | None) -> int:
    return NONE if number is None else number


def _tenths(age_s: float) -> int:
    return round(min(max(age_s, 0.0), MOST_AGE_S) * 10)
