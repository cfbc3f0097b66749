"""What a robot knows of the things beside the road, and which of it the depot has."""

from __future__ import annotations

import math

from agents.behaviours.search.gossip import FINDS_PER_NOTE, Find
from agents.behaviours.search.targets import claim
from agents.behaviours.search.team import SAME_PLACE_M, Point
from swarm.core.protocol.world import Report

AGAIN_NS = 1_000_000_000             # a report without a verdict, or that was out of the depot's reach, is made again
NEAR_DEPOT_M = 6.0                   # farther from its start a robot does not try
MOST = FINDS_PER_NOTE


class Book:
    """Finds by place and label: `confirmed` (not delivered), `found` or `wrong` (judged at the depot)."""

    def __init__(self) -> None:
        self._finds: list[Find] = []
        self._tried_ns: dict[int, int] = {}          # when a find was last reported, or may be, less AGAIN_NS

    def add(self, find: Find) -> bool:
        """Take in an own find, or what a teammate tells. Returns whether it says something new.

        A verdict replaces the find that it judges; nothing replaces a verdict.
        """
        for k, known in enumerate(self._finds):
            if _same(known, find):
                fresh = known.kind == "confirmed" != find.kind
                if fresh:
                    self._finds[k] = find
                return fresh
        if len(self._finds) < MOST:
            self._finds.append(find)
        return len(self._finds) < MOST

    def finds(self) -> list[Find]:
        """All, the oldest first."""
        return list(self._finds)

    def reports(self, here: Point, start: Point, now: int, after_ns: int = 0) -> list[Report]:
        """Reports to make now: what is not delivered, near the depot, and known for so long."""
        for k in range(len(self._tried_ns), len(self._finds)):
            self._tried_ns[k] = now + after_ns - AGAIN_NS
        if math.dist(here, start) > NEAR_DEPOT_M:
            return []
        due = [k for k, find in enumerate(self._finds)
               if find.kind == "confirmed" and now - self._tried_ns[k] >= AGAIN_NS]
        self._tried_ns |= dict.fromkeys(due, now)
        return [claim(self._finds[k]) for k in due]


def _same(a: Find, b: Find) -> bool:
    return a.label == b.label and math.dist((a.x_m, a.y_m), (b.x_m, b.y_m)) < SAME_PLACE_M
