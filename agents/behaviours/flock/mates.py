"""What a robot of a flock knows of the others: their newest notes, how far behind they are, and their hazards."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from agents.behaviours.flock.known_course import SAME_HAZARD_M, Point
from agents.behaviours.flock.notes import State
from agents.behaviours.search.gossip import is_older
from agents.behaviours.search.team import expected

ALIVE_NS = 2_500_000_000             # a note counts so long


@dataclass(frozen=True, slots=True)
class Mate:
    """A note, and when it was heard (ns, own clock)."""

    state: State
    heard_at: int


class Mates:
    """The teammates of one robot, by name."""

    def __init__(self, team: Iterable[str]) -> None:
        self._team = frozenset(team)
        self._mates: dict[str, Mate] = {}

    def hear(self, sender: str, state: State, now: int) -> None:
        """Take in a note; an older one than that which is known is left out. Raises: ValueError for a stranger."""
        if sender not in self._team:
            raise ValueError("not of the team")
        known = self._mates.get(sender)
        if known is None or not is_older(state.sequence, known.state.sequence):
            self._mates[sender] = Mate(state, now)

    def alive(self, now: int) -> list[Mate]:
        """Those that were heard lately."""
        return [mate for _, mate in sorted(self._mates.items()) if now - mate.heard_at < ALIVE_NS]

    def places(self, now: int) -> list[Point]:
        """Where those that are alive are by now, at most a second's drive from where they said."""
        return [expected(mate.state.pose, mate.heard_at, now) for mate in self.alive(now)]

    def hazards(self, own: list[Point]) -> list[Point]:
        """The own hazards, and those of all teammates that lie elsewhere, of the silent ones, too."""
        known = list(own)
        for _, mate in sorted(self._mates.items()):
            known += [place for place in mate.state.hazards
                      if all(math.dist(place, other) > SAME_HAZARD_M for other in known)]
        return known
