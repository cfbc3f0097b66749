"""The notes between searchers, as bytes. Decoding checks each field and raises ValueError for a bad one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.search.occupancy_map import BLOCK, CELLS, blocks, half_m
from swarm.core.protocol.world import Pose

MAP_TOPIC = "search.map"
FINDS_TOPIC = "search.finds"
VERSION, LARGE_VERSION = 1, 2        # of notes about maps with at most FEW blocks, and with more
FEW = 256
BLOCK_BYTES = 16                     # 64 cells of two bits
BLOCKS_PER_NOTE = 48                 # 48 * 17 + 18 = 834 bytes
REFRESH = 8                          # blocks sent again in each note, in turn, to make up for lost notes
FINDS_PER_NOTE = 40
RESTART = 16                         # a sequence this far back means that the sender has restarted
FIND_KINDS = ("confirmed", "found", "wrong")

_MAP = struct.Struct("<BIhhhhhBBB")  # version, sequence, x, y, heading, goal x, goal y, confirming, blocks, 0
_FINDS = struct.Struct("<BB")
_FIND = struct.Struct("<BBhh")
_NO_GOAL = -32768
_SHIFTS = np.array([0, 2, 4, 6], np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNews:
    """The pose and the goal of a searcher, and a part of its map."""

    sequence: int                    # counts this robot's map notes
    pose: Pose
    goal: tuple[float, float] | None
    confirming: bool                 # the goal is a target to confirm, not a place to explore
    ids: NDArray[np.intp]            # [n], ascending
    states: NDArray[np.uint8]        # [n, 8, 8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """A place where a robot has confirmed a target, or where the world judged a claim `found` or `wrong`."""

    kind: str
    label: str
    x_m: float
    y_m: float


def is_older(sequence: int, newest: int) -> bool:
    """Whether a note of this sequence is no newer than the newest one of its sender."""
    return 0 <= newest - sequence < RESTART


def blocks_of(cells: int) -> int:
    """Blocks of a map with so many cells per side."""
    return (cells // BLOCK) ** 2


def encode_map(news: MapNews, cells: int = CELLS) -> bytes:
    """A map note: 18 bytes and 17 for each block, or 18 where the map has more blocks than a byte can number."""
    half, large = half_m(cells), blocks_of(cells) > FEW
    goal = (_NO_GOAL, _NO_GOAL) if news.goal is None else (to_cm(news.goal[0], half), to_cm(news.goal[1], half))
    heading = to_mrad(news.pose.heading_rad)
    head = _MAP.pack(LARGE_VERSION if large else VERSION, news.sequence & 0xFFFFFFFF, to_cm(news.pose.x_m, half),
                     to_cm(news.pose.y_m, half), heading, *goal, int(news.confirming), len(news.ids), 0)
    in_cells = news.states.reshape(len(news.ids), BLOCK_BYTES, 4).astype(np.uint8)
    packed = np.bitwise_or.reduce(in_cells << _SHIFTS, axis=2).astype(np.uint8)
    return head + news.ids.astype("<u2" if large else np.uint8).tobytes() + packed.tobytes()


def decode_map(data: bytes, cells: int = CELLS) -> MapNews:
    """Raises ValueError if `data` is not a note about a map of this size, or a value is out of range."""
    half, large = half_m(cells), blocks_of(cells) > FEW
    kind = np.dtype("<u2" if large else np.uint8)
    if len(data) < _MAP.size:
        raise ValueError("too short")
    version, sequence, x, y, heading, goal_x, goal_y, confirming, count, zero = _MAP.unpack_from(data)
    if version != (LARGE_VERSION if large else VERSION) or zero or confirming > 1 or count > BLOCKS_PER_NOTE:
        raise ValueError("bad header")
    if len(data) != _MAP.size + count * (kind.itemsize + BLOCK_BYTES):
        raise ValueError("bad length")
    heading_rad = to_rad(heading)
    goal = None if goal_x == goal_y == _NO_GOAL else (to_metres(goal_x, half), to_metres(goal_y, half))
    ids = np.frombuffer(data, kind, count, _MAP.size).astype(np.intp)
    if count and (ids[-1] >= blocks_of(cells) or (np.diff(ids) <= 0).any()):
        raise ValueError("bad blocks")
    packed = np.frombuffer(data, np.uint8, offset=_MAP.size + count * kind.itemsize).reshape(count, BLOCK_BYTES, 1)
    states = (packed >> _SHIFTS & 3).astype(np.uint8).reshape(count, 8, 8)
    return MapNews(sequence=sequence, pose=Pose(to_metres(x, half), to_metres(y, half), heading_rad), goal=goal,
                   confirming=bool(confirming), ids=ids, states=states)


def encode_finds(finds: Sequence[Find], cells: int = CELLS) -> bytes:
    """A finds note: 2 bytes and 6 for each find; raises ValueError when there are more than FINDS_PER_NOTE."""
    if len(finds) > FINDS_PER_NOTE:
        raise ValueError(f"at most {FINDS_PER_NOTE} finds in a note")
    half = half_m(cells)
    return _FINDS.pack(VERSION, len(finds)) + b"".join(
        _FIND.pack(FIND_KINDS.index(f.kind), TARGET_CLASSES.index(f.label), to_cm(f.x_m, half), to_cm(f.y_m, half))
        for f in finds)


def decode_finds(data: bytes, cells: int = CELLS) -> list[Find]:
    """Raises ValueError if `data` is not a finds note of this version, or a value is out of range."""
    if len(data) < _FINDS.size:
        raise ValueError("too short")
    version, count = _FINDS.unpack_from(data)
    if version != VERSION or count > FINDS_PER_NOTE or len(data) != _FINDS.size + count * _FIND.size:
        raise ValueError("bad header or length")
    finds, half = [], half_m(cells)
    for kind, label, x, y in _FIND.iter_unpack(data[_FINDS.size:]):
        if kind >= len(FIND_KINDS) or label >= len(TARGET_CLASSES):
            raise ValueError("bad kind or label")
        finds.append(Find(kind=FIND_KINDS[kind], label=TARGET_CLASSES[label], x_m=to_metres(x, half),
                          y_m=to_metres(y, half)))
    return finds


class BlockSelector:
    """Chooses the blocks of each map note: the blocks that changed most since they were sent, then others in turn."""

    def __init__(self, cells: int = CELLS) -> None:
        self._sent = np.zeros((blocks_of(cells), BLOCK, BLOCK), np.uint8)
        self._next = 0

    def choose(self, states: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """(ids, states) for the next note, given the robot's own states [cells, cells]."""
        mine = blocks(states)
        changed = (mine != self._sent).sum(axis=(1, 2))
        order = np.argsort(-changed, kind="stable")[:BLOCKS_PER_NOTE - REFRESH]
        ids = {int(i) for i in order if changed[i]}
        known = np.flatnonzero(mine.any(axis=(1, 2)))
        for _ in range(min(REFRESH, known.size)):
            after = known[known >= self._next]
            block = int(after[0] if after.size else known[0])
            ids.add(block)
            self._next = block + 1
        chosen = np.array(sorted(ids), np.intp)
        self._sent[chosen] = mine[chosen]
        return chosen, mine[chosen]


def to_cm(v_m: float, half_m: float) -> int:
    """A coordinate of a note, cut to the area with this half side."""
    return round(min(max(v_m, -half_m), half_m) * 100)


def to_metres(cm: int, half_m: float) -> float:
    """The coordinate. Raises ValueError if it is outside the area."""
    if abs(cm) > half_m * 100:
        raise ValueError("outside the map")
    return cm / 100


def to_mrad(heading_rad: float) -> int:
    """A heading of a note, within a half turn."""
    return round(((heading_rad + np.pi) % (2 * np.pi) - np.pi) * 1000)


def to_rad(mrad: int) -> float:
    """The heading. Raises ValueError if it is beyond a half turn."""
    if abs(mrad) > 3142:
        raise ValueError("bad heading")
    return mrad / 1000
