"""The desk of a warehouse: it receives orders over time, hands them out one by one, and counts what was delivered."""

from __future__ import annotations

from dataclasses import dataclass

from sim_worlds.classes import TARGET_CLASSES
from swarm.core.policy.draw import integer

EVERY_S = 20.0                       # from order to order, per robot: more than a fleet can deliver


@dataclass(slots=True)
class Order:
    """An order of one good."""

    label: str
    received_s: float
    delivered_s: float | None = None


class Desk:
    """Orders of one run. Each robot has one order at a time, the oldest that nobody has.

    At the start there is an order for each robot, and as many more come every `EVERY_S`; their classes are drawn.
    """

    def __init__(self, seed: int, robots: int) -> None:
        self._seed, self._robots = seed, robots
        self.orders: list[Order] = []
        self._waiting: list[int] = []                        # orders that nobody has, ascending
        self._held: dict[str, int] = {}                      # robot -> its order

    def receive(self, now_s: float) -> None:
        """Take in the orders that have come until now."""
        for k in range(len(self.orders), self._robots * (1 + int(now_s // EVERY_S))):
            label = TARGET_CLASSES[integer(self._seed, "order", k) % len(TARGET_CLASSES)]
            self.orders.append(Order(label, k // self._robots * EVERY_S))
            self._waiting.append(k)

    def ask(self, robot: str) -> Order | None:
        """The order of a robot; one without an order gets the next one. None: there is none now."""
        if robot not in self._held:
            if not self._waiting:
                return None
            self._held[robot] = self._waiting.pop(0)
        return self.orders[self._held[robot]]

    def held(self, robot: str) -> Order | None:
        """The order that a robot has."""
        return self.orders[self._held[robot]] if robot in self._held else None

    def deliver(self, robot: str, now_s: float) -> None:
        """The robot's order is done."""
        self.orders[self._held.pop(robot)].delivered_s = now_s

    def take_back(self, robot: str) -> None:
        """The robot's order waits again, in its old place."""
        if robot in self._held:
            self._waiting = sorted([*self._waiting, self._held.pop(robot)])

    @property
    def delivered(self) -> int:
        """Orders that are done."""
        return sum(order.delivered_s is not None for order in self.orders)

    def delivered_auc(self, now_s: float) -> float:
        """The area under the curve of orders delivered over time, by that of orders received: 0..1.

        Each order counts once, from its delivery on, and weighs from its receipt on.
        """
        received_s = sum(now_s - order.received_s for order in self.orders)
        delivered_s = sum(now_s - one.delivered_s for one in self.orders if one.delivered_s is not None)
        return delivered_s / received_s if received_s else 0.0
