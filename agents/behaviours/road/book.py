"""What a robot knows of the things beside the road, and which of it the depot has."""

from __future__ import annotations

import math

from agents.behaviours.road.depot import DEPOT_REACH_M
from agents.behaviours.search.gossip import Find
from agents.behaviours.search.targets import claim
from agents.behaviours.search.team import SAME_PLACE_M, Point
from swarm.core.protocol.world import Report

AGAIN_NS = 1_000_000_000             # a report without a verdict, or that was out of the depot's reach, is made again
NEAR_DEPOT_M = DEPOT_REACH_M + 1.0   # farther from the gate a robot does not try
MOST_TOLD = 240                      # finds; more of teammates are not taken: a road of 100 robots has up to 200 things
MOST = 320                           # with the own ones
MOST_REPORTS = 20                    # at a time: the world has others to judge


class Book:
    """Finds by place and label: `confirmed` (not delivered), `found` or `wrong` (judged at the depot)."""

    def __init__(self) -> None:
        self._finds: list[Find] = []
        self._tried_ns: dict[int, int] = {}          # when a find was last reported, or may be, less AGAIN_NS
        self._next = 0                               # of those to tell

    def add(self, find: Find, *, told: bool = False) -> bool:
        """Take in an own find, or one that a teammate has told. Returns whether it says something new.

        A verdict replaces the find that it judges; nothing replaces a verdict.
        """
        for k, known in enumerate(self._finds):
            if _same(known, find):
                fresh = known.kind == "confirmed" != find.kind
                if fresh:
                    self._finds[k] = find
                return fresh
        if len(self._finds) >= (MOST_TOLD if told else MOST):
            return False
        self._finds.append(find)
        return True

    def knows(self, find: Find) -> bool:
        """Whether there is a find or a verdict of this label at this place."""
        return any(_same(known, find) for known in self._finds)

    def finds(self) -> list[Find]:
        """All, the oldest first."""
        return list(self._finds)

    def in_turn(self, most: int) -> list[Find]:
        """All, the oldest first; of more than `most`, so many, and the next ones at the next call."""
        count = len(self._finds)
        if count <= most:
            return self.finds()
        chosen = [self._finds[(self._next + k) % count] for k in range(most)]
        self._next = (self._next + most) % count
        return chosen

    def reports(self, here: Point, gate: Point, now: int, after_ns: int = 0) -> list[Report]:
        """Reports to make now: what is not delivered, near the depot, and known for so long."""
        for k in range(len(self._tried_ns), len(self._finds)):
            self._tried_ns[k] = now + after_ns - AGAIN_NS
        if math.dist(here, gate) > NEAR_DEPOT_M:
            return []
        due = [k for k, find in enumerate(self._finds)
               if find.kind == "confirmed" and now - self._tried_ns[k] >= AGAIN_NS][:MOST_REPORTS]
        self._tried_ns |= dict.fromkeys(due, now)
        return [claim(self._finds[k]) for k in due]


def _same(a: Find, b: Find) -> bool:
    return a.label == b.label and math.dist((a.x_m, a.y_m), (b.x_m, b.y_m)) < SAME_PLACE_M
