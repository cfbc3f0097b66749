"""Claims of robots that a target is at a place, judged by where the targets are, and what they are worth together.

A wrong claim costs `PRICE` of what a right one brings at that time. So a claim that is right with the probability q is
worth q - PRICE (1 - q), and pays where q is above PRICE / (1 + PRICE).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from sim_worlds.physics.solids import Thing
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.scene import SceneMark
from swarm.core.protocol.world import Report

CLAIM_M = 0.75                       # a claim this close to a target of its label is right
REPEAT_M = 0.25                      # a wrong claim this close to an earlier one of its label is the same, told again
PRICE = 1.0                          # of a wrong claim, in targets found
CLAIM_FROM_M = 3.0                   # a robot that recognises without errors claims what it sees at most this far away


class Claims:
    """The targets of one world, and the claims that were made.

    found: the robot and the time (s) of the first right claim of each target, by its index. wrong_s: the times of the
    claims that cost their price. duplicate: count of right claims of targets found before, which cost nothing.
    """

    def __init__(self, targets: Sequence[Thing]) -> None:
        self._targets = targets
        self.found: dict[int, tuple[str, float]] = {}
        self.wrong_s: list[float] = []
        self.duplicate = 0
        self._wrong_at: list[tuple[str, float, float]] = []  # label and place of those that have one

    def judge(self, robot: str, report: Report, now_s: float) -> str:
        """Judge a claim by the nearest target of its label within 0.75 m; targets not yet found come first.

        Returns: found, duplicate (of a target found before) or wrong. A wrong claim costs its price, but not within
        0.25 m of an earlier one of its label: the verdict of that was lost, or a teammate has told of it.
        """
        match report.values:
            case {"label": str(label), "x_m": float() | int() as x_m, "y_m": float() | int() as y_m}:
                near = sorted((k in self.found, away_m, k) for k, target in enumerate(self._targets)
                              if target.label == label
                              and (away_m := math.hypot(target.x_m - x_m, target.y_m - y_m)) <= CLAIM_M)
                if not near and not self._repeats(label, x_m, y_m):
                    self._wrong_at.append((label, x_m, y_m))
                    self.wrong_s.append(now_s)
            case _:
                near = []
                self.wrong_s.append(now_s)                   # a malformed claim: it has no place to tell it by
        if not near:
            return "wrong"
        known, _, k = near[0]
        if known:
            self.duplicate += 1
            return "duplicate"
        self.found[k] = robot, now_s
        return "found"

    def seen(self, view: TrueView) -> list[int]:
        """The targets, by index, that are not found yet and that a camera shows well from at most CLAIM_FROM_M."""
        x, y = view.pose.x_m, view.pose.y_m
        near = {k for k, target in enumerate(self._targets)
                if k not in self.found and math.hypot(target.x_m - x, target.y_m - y) <= CLAIM_FROM_M}
        return [box.target for box in view.boxes() if box.counts and box.target in near] if near else []

    def claims_of(self, targets: Iterable[int]) -> list[Report]:
        """Right claims of targets, by index, without those that are found."""
        return [Report(kind="claim", values={"label": t.label, "x_m": t.x_m, "y_m": t.y_m})
                for t in (self._targets[k] for k in targets if k not in self.found)]

    def _repeats(self, label: str, x_m: float, y_m: float) -> bool:
        """Whether a wrong claim has been paid for already."""
        return any(label == told and math.hypot(x - x_m, y - y_m) <= REPEAT_M for told, x, y in self._wrong_at)

    def worth(self, now_s: float) -> float:
        """Mean share of the targets found over the time until now, less the price of the wrong claims, 0 at least.

        The area under (found - PRICE x wrong) over the time, by targets and time: each right claim adds the time since
        it was made, and each wrong one subtracts PRICE times that.
        """
        if not now_s:
            return 0.0
        found_s = sum(now_s - at_s for _, at_s in self.found.values())
        wrong_s = sum(now_s - at_s for at_s in self.wrong_s)
        return max(found_s - PRICE * wrong_s, 0.0) / (len(self._targets) * now_s)

    def marked(self, marks: Sequence[SceneMark]) -> list[SceneMark]:
        """The marks of all targets, with the robot and the time of those that were found."""
        return [replace(mark, done_by=self.found[k][0], done_at_s=self.found[k][1]) if k in self.found else mark
                for k, mark in enumerate(marks)]
