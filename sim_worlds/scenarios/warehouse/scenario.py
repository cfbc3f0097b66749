"""Warehouse: robots find the goods that are ordered, by their cameras, and bring them to the docks through aisles.

Reports and their verdicts (each may also be `refused`, if it makes no sense now):

- `plan`: the word plan, and the numbers of the floor plan of the robot's hall (`FloorPlan.words`).
- `order`: the class of the good that the robot is to fetch, its order until it has delivered; `none`: no order waits.
- `pick` with `bay` and `label`, from a robot that stands at the bay of this number in its hall: `picked`, if there is
  such a good; else `wrong`.
- `deliver`, from a robot that stands at a dock with its good: `delivered`.

A `pick` or `deliver` that succeeded gets its verdict again when it is repeated, since verdicts may be lost.

A robot that lifts a good or sets it down does not drive for `HANDLE_S`; one that lifted the wrong one sets it down
again, which takes that time twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.scenarios.warehouse.desk import Desk
from sim_worlds.scenarios.warehouse.floor import FloorPlan, furnish, plans_for
from sim_worlds.scenarios.warehouse.halls import Hall, hall_at
from sim_worlds.scenarios.warehouse.standstill import Standstill
from swarm.core.policy.draw import integer
from swarm.core.protocol.scene import SHARE, Mission, Scene, SceneMark, SceneShape
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec

HEADLINE = "delivered_auc"
MEASURES = {
    "delivered_auc": (SHARE, "area under the orders delivered over time, by that under the orders received"),
    "delivered": ("", "orders whose good is at a dock"),
    "orders": ("", "orders that were received"),
    "wrong_picks": ("", "goods that were lifted and were not those that the robot had told"),
    "refused": ("", "reports that made no sense where the robot was, or at that time"),
    "deadlocks": ("", "pairs of robots that stood in each other's way for 5 s, each counted once while it lasted"),
    "longest_standstill_s": ("s", "longest time that a robot with an order stayed in a place"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
REACH_M = 0.45                       # a robot this close to a dock, or to the place before a bay, stands there
STANDS_MPS = 0.15                    # if it is not faster than this
HANDLE_S = 2.0                       # a good is lifted, or set down
WATCH_S = 0.5                        # standstills are looked for so often
DOCK_RADIUS_M = 0.4                  # on maps


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> Warehouse:
    """The world of a seed with this fleet, at rest at the docks.

    Raises ValueError for a fleet that the engine refuses or that does not fit into a warehouse.
    """
    return Warehouse(plans_for(len(fleet)), fleet, seed, render=render)


class Warehouse(Engine):
    """Robots in the halls, the goods in their bays and the orders, which come to one desk for all halls.

    A picked good leaves its bay, and one like it arrives in another bay of the hall that was empty, drawn by the seed:
    there are as many of each class as at the start.
    """

    mark, done = "good", "picked"

    def __init__(self, plans: Sequence[FloorPlan], fleet: Sequence[RobotSpec], seed: int, *, render: bool) -> None:
        environment, stocks = furnish(plans, seed)
        super().__init__(environment, fleet, scenario="warehouse", seed=seed, render=render)
        self.desk = Desk(seed, len(fleet))
        self.halls = [Hall(plan, stock) for plan, stock in zip(plans, stocks, strict=True)]
        self._hall = [hall_at(self.halls, y_m) for y_m in self.motion.at[:, 1].tolist()]     # of each robot
        self._picks: list[SceneMark] = []
        self._loaded: dict[str, tuple[int, str]] = {}        # robot -> bay and label of the good that it has
        self._unloaded: set[str] = set()                     # robots that have delivered last
        self._busy_until_s = np.zeros(len(fleet))
        self._standstill = Standstill(self.motion.at[:, :2])
        self._watch_every = max(1, round(WATCH_S / self.dt_s))
        self._wrong = self._refused = 0
        self.desk.receive(0.0)

    def step(self) -> None:
        """Advance by `dt_s`."""
        super().step()
        if self._steps % self._watch_every:
            return
        self.desk.receive(self.time_s)
        at_work = np.array([self.desk.held(name) is not None for name in self.names])
        at_work &= ~self._removed & (self._busy_until_s <= self.time_s)
        self._standstill.watch(self.motion.at[:, :2], at_work, self.time_s)

    def _command(self, give: Callable[[NDArray[np.float64], NDArray[np.intp]], None], commands: NDArray[np.float64],
                 ttl_s: float, robots: NDArray[np.intp]) -> None:
        """See `Engine`; a robot that handles a good stands still."""
        idle = self._busy_until_s[robots] <= self.time_s
        super()._command(give, np.where(idle[:, None], commands, 0.0), ttl_s, robots)

    def remove(self, robot: str) -> None:
        """Stop the robot. Its good is lost, and its order waits for another one."""
        super().remove(robot)
        self.desk.take_back(robot)
        self._loaded.pop(robot, None)
        self._unloaded.discard(robot)

    def judge(self, robot: str, report: Report) -> str:
        """The verdict on a report, as the scenario describes it."""
        i = self.index(robot)
        hall = self._hall[i]
        match report.kind, report.values:
            case "plan", _:
                return hall.plan.words()
            case "order", _:
                order = self.desk.ask(robot)
                return "none" if order is None else order.label
            case "pick", {"bay": bay, "label": label} if self._loaded.get(robot) == (bay, label):
                return "picked"
            case "deliver", _ if robot in self._unloaded:
                return "delivered"
            case "pick", {"bay": int() | float() as bay, "label": str(label)} if self._may_pick(robot, bay, label):
                return self._pick(i, int(bay), label)
            case "deliver", _ if robot in self._loaded and self._stands(i) and self._is_at(i, hall.plan.docks()):
                del self._loaded[robot]
                self._unloaded.add(robot)
                self.desk.deliver(robot, self.time_s)
                self._handle(i, HANDLE_S)
                return "delivered"
            case _:
                self._refused += 1
                return "refused"

    def due_reports(self, robot: str) -> list[Report]:
        """The next order, a pick of what was ordered, or a delivery, as soon as it can be made."""
        i, order, wanted = self.index(robot), self.desk.held(robot), self._wanted(robot)
        hall = self._hall[i]
        if order is None:
            return [Report(kind="order", values={})]
        if not (wanted and self._stands(i) and self._is_at(i, wanted)):
            return []
        if robot in self._loaded:
            return [Report(kind="deliver", values={})]
        bay = next(bay for bay in hall.bays_with(order.label, self.environment.targets)
                   if self._is_at(i, [hall.plan.access(bay)]))
        return [Report(kind="pick", values={"bay": bay, "label": order.label})]

    def goal(self, robot: str) -> tuple[float, float] | None:
        """The nearest place to pick what was ordered, as the crow flies; then the nearest dock."""
        at = self.motion.at[self.index(robot), :2].tolist()
        return min(self._wanted(robot), key=lambda place: math.dist(place, at), default=None)

    def _wanted(self, robot: str) -> list[tuple[float, float]]:
        """Where the robot can go on with its order."""
        order, hall = self.desk.held(robot), self._hall[self.index(robot)]
        if order is None:
            return []
        return hall.plan.docks() if robot in self._loaded else [
            hall.plan.access(bay) for bay in hall.bays_with(order.label, self.environment.targets)]

    def mission(self) -> Mission:
        """The progress of the mission."""
        return mission_of(HEADLINE, MEASURES, {
            "delivered_auc": self.desk.delivered_auc(self.time_s), "delivered": self.desk.delivered,
            "orders": len(self.desk.orders), "wrong_picks": self._wrong, "refused": self._refused,
            "deadlocks": self._standstill.deadlocks, "longest_standstill_s": self._standstill.longest_s,
            "collisions": self.motion.contacts.episodes})

    def scene(self) -> Scene:
        """The world as plain data: the goods in their bays now, then all that were picked, where they were."""
        scene = super().scene()
        docks = [SceneShape(layer="dock", shape="circle", x_m=x, y_m=y, hx_m=DOCK_RADIUS_M, hy_m=DOCK_RADIUS_M,
                            yaw_rad=0.0, colour="#cfe3cf") for hall in self.halls for x, y in hall.plan.docks()]
        return replace(scene, shapes=[*scene.shapes, *docks], marks=[*scene.marks, *self._picks])

    def _may_pick(self, robot: str, bay: float, label: str) -> bool:
        """Whether it stands at this bay, without a good, to fetch what its order asks for."""
        i, order = self.index(robot), self.desk.held(robot)
        plan = self._hall[i].plan
        return (order is not None and order.label == label and robot not in self._loaded and self._stands(i)
                and bay in range(plan.count) and self._is_at(i, [plan.access(int(bay))]))

    def _pick(self, i: int, bay: int, label: str) -> str:
        hall = self._hall[i]
        target = hall.stock.get(bay)
        if target is None or self.environment.targets[target].label != label:
            self._wrong += 1
            self._handle(i, 2 * HANDLE_S)
            return "wrong"
        good, robot = self.environment.targets[target], self.names[i]
        self._picks.append(SceneMark(label=label, x_m=good.x_m, y_m=good.y_m, done_by=robot, done_at_s=self.time_s))
        empty = hall.empty_bays()
        there = empty[integer(self._seed, "arrival", len(self._picks)) % len(empty)]
        hall.stock[there] = hall.stock.pop(bay)
        self.move_target(target, *hall.plan.middle(there), good.yaw_rad)
        self._loaded[robot] = bay, label
        self._unloaded.discard(robot)
        self._handle(i, HANDLE_S)
        return "picked"

    def _handle(self, i: int, takes_s: float) -> None:
        self._stop(np.array([i]))
        self._busy_until_s[i] = self.time_s + takes_s

    def _stands(self, i: int) -> bool:
        return abs(float(self.motion.speeds[i, 0])) <= STANDS_MPS and bool(self._busy_until_s[i] <= self.time_s)

    def _is_at(self, i: int, places: Sequence[tuple[float, float]]) -> bool:
        """Whether the robot is at one of these places."""
        x, y = self.motion.at[i, :2].tolist()
        return min(math.dist((x, y), place) for place in places) <= REACH_M
