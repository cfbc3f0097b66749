"""The right to be in an aisle: one robot at a time, agreed by notes, without a leader.

A robot that wants to enter takes a ticket above all that it knows of; the lowest ticket goes first, and of equal ones
the first name (Ricart and Agrawala, CACM 1981, with timeouts in place of replies). A robot waits outside the aisles and
leaves the one that it is in without asking: so no robot that waits is in the way of one that is waited for, and no
circle of waiting robots can arise.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.behaviours.picking.floor_plan import FloorPlan
from agents.behaviours.picking.mates import Mate

SETTLES_NS = 600_000_000             # a wish is known to the team after this long: a note's period and its way
PATIENCE_NS = 15_000_000_000         # a teammate that wants an aisle and is not in it delays the others this long
MOST_TICKET = 2**32 - 1


class AisleRights:
    """The wish of one robot."""

    def __init__(self, robot: str, plan: FloorPlan) -> None:
        self._robot, self._plan = robot, plan
        self.aisle: int | None = None
        self.ticket = 0
        self._highest = 0
        self._since = 0
        self._served: dict[str, int] = {}                    # since when a teammate has gone before this robot

    def want(self, aisle: int | None, now: int) -> None:
        """The aisle that the robot is to enter, or is in; None: none. A new wish goes to the end of the queue."""
        if aisle == self.aisle:
            return
        self.aisle, self._since, self._served = aisle, now, {}
        self.ticket = min(self._highest + 1, MOST_TICKET) if aisle is not None else 0
        self._highest = max(self._highest, self.ticket)

    def heard(self, ticket: int) -> None:
        """A teammate's ticket."""
        self._highest = max(self._highest, ticket)

    def granted(self, mates: Mapping[str, Mate], now: int) -> bool:
        """Whether the robot may enter. mates: the teammates that were heard lately."""
        if self.aisle is None or now - self._since < SETTLES_NS:
            return False
        return not any(self._delays(name, mate, now) for name, mate in mates.items())

    def goes_first(self, name: str, mate: Mate) -> bool:
        """Whether the ticket of a teammate is before this robot's."""
        return mate.aisle is not None and (mate.ticket, name) < (self.ticket, self._robot)

    def _delays(self, name: str, mate: Mate, now: int) -> bool:
        """Whether a teammate is in the aisle or has just left it, or is to enter it before this robot."""
        at = mate.pose.x_m, mate.pose.y_m
        if self._plan.aisle_at(at) == self.aisle:
            return True
        if mate.aisle is None and self.aisle is not None and self._plan.is_at_mouth(at, self.aisle):
            return True
        if mate.aisle != self.aisle or not self.goes_first(name, mate):
            self._served.pop(name, None)
            return False
        return now - self._served.setdefault(name, now) < PATIENCE_NS
