"""What a robot believes to be in each bay: nothing, or a good of some class. From its own looks, and from teammates'.

Evidence is a log-likelihood for each state of a bay, [bays, states]; it adds up over looks and over robots, and fades,
since goods come and go.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.picking.floor_plan import FloorPlan
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import HEIGHT_M, TARGET_CLASSES
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.track import covariance, deviations
from swarm.core.protocol.world import Detections, Pose

EMPTY = len(TARGET_CLASSES)          # state of a bay; the others are the indices of the classes
STATES = EMPTY + 1
STOCKED = 0.25                       # share of the bays that have a good
PRIOR = np.log(np.array([STOCKED / EMPTY] * EMPTY + [1.0 - STOCKED]))
FADES_S = 60.0                       # evidence of this age has lost the share 1 - 1/e of its weight
SEEN, NOT_SEEN, REFUTED = 2.2, 1.0, 4.0              # evidence of a detection, of none where one was due, of a verdict
MOST, MOST_OF_PEER = 5.0, 3.0        # evidence of one robot about a bay: its own, and a teammate's
GATE = 3.0                           # standard deviations from a detection to the bay that it is assigned to
BAY_SPREAD_M = 0.12                  # of a good around the middle of its bay
LOOK_M = (0.6, 3.2)                  # a good in a bay at this distance is due in a frame
RIM_PX = 4.0                         # unless it is this close to the edge of the frame
BESIDE_M = 0.45                      # from the middle of an aisle: a robot this close to it sees the bays of the aisle
AGAIN_M, AGAIN_RAD = 0.3, 0.2        # a look from closer to the last one tells little anew: errors last
AGAIN_SHARE = 0.1                    # of its evidence


class BayBeliefs:
    """Evidence about all bays, by the robot that has it. Robots are named; the own name is ``."""

    def __init__(self, plan: FloorPlan, view: CameraView, locator: Locator) -> None:
        self._plan, self._view, self._locator = plan, view, locator
        self._middles = np.array([plan.middle(bay) for bay in range(plan.count)])
        self._evidence = {"": np.zeros((plan.count, STATES))}
        self._at = {"": np.full(plan.count, -math.inf)}          # seconds: when each bay was looked at
        self._poses = np.full((plan.count, 3), np.inf)           # of the last own look

    def probabilities(self, now_s: float) -> NDArray[np.float64]:
        """Of each state of each bay, [bays, states]."""
        total = PRIOR + sum(_faded(self._evidence[name], now_s - at) for name, at in self._at.items())
        weights = np.exp(total - total.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def looked_s(self) -> NDArray[np.float64]:
        """When the robot itself has looked at each bay, [bays]; -inf: never."""
        return self._at[""]

    def look(self, seen: Detections, pose: Pose, now_s: float) -> None:
        """Take in the boxes of one frame that was taken at `pose`."""
        labels: dict[int, int] = {}
        for box in seen.boxes:                               # best score first
            bay = self._bay_of(box, pose)
            if bay is not None:
                labels.setdefault(bay, box.label)
        for bay in sorted({*labels, *self._due(pose)}):
            told = np.zeros(STATES)
            told[labels.get(bay, EMPTY)] = SEEN if bay in labels else NOT_SEEN
            self._add(bay, told * self._news(bay, pose), now_s)

    def refuted(self, bay: int, label: str, now_s: float) -> None:
        """A good of this class is not in the bay: the world says so, or a long look from nearby."""
        told = np.zeros(STATES)
        told[TARGET_CLASSES.index(label)] = -REFUTED
        self._add(bay, told, now_s)

    def emptied(self, bay: int, now_s: float, by: str = "") -> None:
        """A good was picked from the bay: whatever was seen there before counts no more."""
        for name, at in self._at.items():
            if at[bay] <= now_s:
                self._evidence[name][bay] = 0.0
        told = np.zeros(STATES)
        told[EMPTY] = SEEN
        evidence = self._of(by)
        if self._at[by][bay] <= now_s:                       # it has not looked there since
            evidence[bay], self._at[by][bay] = told, now_s

    def tell(self, most: int) -> list[tuple[int, NDArray[np.float64], float]]:
        """Bay, evidence and time of the robot's own latest looks, the newest first."""
        at = self._at[""]
        newest = np.argsort(-at, kind="stable")[:most].tolist()
        return [(bay, self._evidence[""][bay], float(at[bay])) for bay in newest if at[bay] > -math.inf]

    def hear(self, name: str, bay: int, evidence: NDArray[np.float64], at_s: float) -> None:
        """Take in a teammate's evidence about a bay; it replaces what the same one has told before."""
        mine = self._of(name)
        if at_s > self._at[name][bay]:
            mine[bay], self._at[name][bay] = np.clip(evidence, -MOST_OF_PEER, MOST_OF_PEER), at_s

    def _of(self, name: str) -> NDArray[np.float64]:
        if name not in self._evidence:
            self._evidence[name] = np.zeros_like(self._evidence[""])
            self._at[name] = np.full(self._plan.count, -math.inf)
        return self._evidence[name]

    def _add(self, bay: int, told: NDArray[np.float64], now_s: float) -> None:
        mine, at = self._evidence[""], self._at[""]
        mine[bay] = np.clip(_faded(mine[bay], now_s - at[bay]) + told, -MOST, MOST)
        at[bay] = now_s

    def _bay_of(self, box: Any, pose: Pose) -> int | None:
        """The bay whose good a box shows, or None if it fits none."""
        fix = self._locator.locate(box, pose, None)
        if fix is None:
            return None
        offsets = self._middles - (fix.x_m, fix.y_m)
        spread = covariance(fix) + BAY_SPREAD_M ** 2 * np.eye(2)
        near = np.flatnonzero(np.hypot(*offsets.T) < self._plan.bay_pitch_m).tolist()
        away, bay = min(((deviations(offsets[bay], spread), bay) for bay in near), default=(GATE, -1))
        return bay if away < GATE else None

    def _due(self, pose: Pose) -> list[int]:
        """The bays of the robot's aisle whose goods the camera would show whole."""
        aisle = self._plan.nearest_aisle(pose.x_m)
        if abs(pose.x_m - self._plan.aisle_x_m(aisle)) > BESIDE_M:
            return []
        c, s, due = math.cos(pose.heading_rad), math.sin(pose.heading_rad), []
        for bay in range(aisle * 2 * self._plan.bays, (aisle + 1) * 2 * self._plan.bays):
            dx, dy = self._middles[bay, 0] - pose.x_m, self._middles[bay, 1] - pose.y_m
            at = self._view.project(c * dx + s * dy, c * dy - s * dx, min(HEIGHT_M.values()) / 2)
            if (at is not None and LOOK_M[0] < math.hypot(dx, dy) < LOOK_M[1]
                    and RIM_PX < at[0] < self._view.width_px - RIM_PX):
                due.append(bay)
        return due

    def _news(self, bay: int, pose: Pose) -> float:
        """The weight of a look at a bay from this pose."""
        x, y, heading = self._poses[bay].tolist()
        if math.isfinite(x) and math.dist((x, y), (pose.x_m, pose.y_m)) < AGAIN_M \
                and abs(math.remainder(heading - pose.heading_rad, 2 * math.pi)) < AGAIN_RAD:
            return AGAIN_SHARE
        self._poses[bay] = pose.x_m, pose.y_m, pose.heading_rad
        return 1.0


def _faded(evidence: NDArray[np.float64], age_s: Any) -> NDArray[np.float64]:
    """Evidence of bays [..., states] of this age, [...]."""
    return evidence * np.exp(-np.asarray(age_s) / FADES_S)[..., None]
