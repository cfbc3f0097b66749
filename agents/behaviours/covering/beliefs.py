"""What a robot believes of a field: where things stand, by what cameras have and have not shown, and what is unknown.

Own looks and those of teammates count alike. A thing goes after STAYS_S on average, so what was seen long ago counts
less, and a place that nobody has looked at for long counts as one of which nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.covering.cells import Reals, near_to, squares
from agents.behaviours.covering.known_field import EXPECTED, GROUND, SPREAD_M, STAYS_S, WEIGHTS
from agents.behaviours.covering.sight import SEES_M, Point, Sight
from swarm.core.protocol.world import Pose

EVIDENCE = math.log(9.0)             # of a look, for or against a thing: nine of ten are right
SURE = 2 * EVIDENCE                  # evidence is never more, so that what has gone is soon believed
SAME_M = 0.9                         # finds of a class this close are of one thing
NEWER = 0.3                          # share of a new find in the place of a thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a camera has shown at a time (s, own clock): the pose of its frame, and label and place of each thing."""

    at_s: float
    pose: Pose
    finds: tuple[tuple[str, Point], ...]


@dataclass(slots=True)
class Thing:
    """One that is believed to stand somewhere."""

    label: str
    place: Point
    evidence: float                  # log odds
    seen_s: float                    # when a look last told of it


class Beliefs:
    """The beliefs of one robot. points: of the field, [n, 2]."""

    def __init__(self, sight: Sight, points: Reals) -> None:
        self._sight, self._points = sight, points
        self._looked_s = np.full(len(points), -math.inf)
        self.things: list[Thing] = []

    def take(self, look: Look) -> None:
        """Take in a look."""
        near = near_to(self._points, look.pose, SEES_M)
        shown = near[self._sight.shows(look.pose, self._points[near])]
        self._looked_s[shown] = np.maximum(self._looked_s[shown], look.at_s)
        found: list[Thing] = []
        for label, place in look.finds:
            known = [thing for thing in self.things if thing.label == label and thing not in found
                     and math.dist(thing.place, place) < SAME_M]
            if known:
                thing = min(known, key=lambda one: math.dist(one.place, place))
                thing.place = (thing.place[0] + NEWER * (place[0] - thing.place[0]),
                               thing.place[1] + NEWER * (place[1] - thing.place[1]))
                thing.evidence, thing.seen_s = min(thing.evidence + EVIDENCE, SURE), max(thing.seen_s, look.at_s)
            else:
                thing = Thing(label, place, EVIDENCE, look.at_s)
                self.things.append(thing)
            found.append(thing)
        missed = [thing for thing in self.things if thing not in found]
        if missed:
            shown = self._sight.shows(look.pose, np.array([thing.place for thing in missed]))
            for thing, was in zip(missed, shown.tolist(), strict=True):
                if was and look.at_s >= thing.seen_s:
                    thing.evidence -= EVIDENCE
        self.things = [thing for thing in self.things if thing.evidence > -SURE]

    def forget(self, pose: Pose, beyond_m: float) -> None:
        """The things that are farther away from a pose do not matter any more."""
        self.things = [thing for thing in self.things if math.dist(thing.place, (pose.x_m, pose.y_m)) <= beyond_m]

    def density(self, of: NDArray[np.intp], now_s: float) -> Reals:
        """The density believed at some points, by index [k]: of the ground, things, and what may have come unseen."""
        unseen = 1.0 - np.exp((self._looked_s[of] - now_s) / STAYS_S)
        density = GROUND + EXPECTED * unseen
        if self.things:
            chances = [WEIGHTS[t.label] * math.exp((t.seen_s - now_s) / STAYS_S) / (1.0 + math.exp(-t.evidence))
                       for t in self.things]
            away = squares(self._points[of], np.array([thing.place for thing in self.things]))
            density += np.exp(away / (-2 * SPREAD_M ** 2)) @ np.array(chances) / (2 * math.pi * SPREAD_M ** 2)
        return density
