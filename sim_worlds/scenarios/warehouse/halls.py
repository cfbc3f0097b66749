"""The halls of a warehouse, with the goods in their bays now. What is picked in a hall is replaced in the same hall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim_worlds.physics.solids import Thing
from sim_worlds.scenarios.warehouse.floor import FloorPlan


@dataclass(frozen=True, slots=True)
class Hall:
    """One hall."""

    plan: FloorPlan
    stock: dict[int, int]            # bay -> index of the target on it

    def bays_with(self, label: str, targets: Sequence[Thing]) -> list[int]:
        """The bays with a good of a class, ascending."""
        return sorted(bay for bay, target in self.stock.items() if targets[target].label == label)

    def empty_bays(self) -> list[int]:
        """The bays without a good, ascending."""
        return [bay for bay in range(self.plan.count) if bay not in self.stock]


def hall_at(halls: Sequence[Hall], y_m: float) -> Hall:
    """The hall in which a robot is, by its y."""
    return min(halls, key=lambda hall: abs(y_m - hall.plan.middle_m))
