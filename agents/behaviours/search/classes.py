"""The classes of the search's models, and the dimensions of each kind of target. All parts use these lists."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from swarm.core.protocol.world import Detections, Mask, Perceived

FLOOR, WALL, CLUTTER, TARGET, ROBOT = range(5)
"""Classes of a segmentation mask."""

TARGET_CLASSES = ("casualty", "beacon", "hazard")
"""Labels of a detection, by class index."""

MASK_CLASSES = ("floor", "wall", "clutter", "target", "robot")
"""Labels of the classes of a mask, by index."""

HEIGHT_M = {"casualty": 0.61, "beacon": 0.81, "hazard": 0.61}
"""Typical height of a target, metres."""

HALF_DEPTH_M = {"casualty": 0.22, "beacon": 0.12, "hazard": 0.21}
"""Distance from the near side of a target to its centre, metres."""


def of_search(seen: Perceived) -> Detections | Mask | None:
    """An outcome with the classes of the search; None: its model knows none of these, or it is of another kind.

    A model whose card has no labels has the classes of the search in their order.
    """
    match seen.outcome:
        case Detections() as found:
            return _targets(found, seen.labels or TARGET_CLASSES)
        case Mask() as mask if tuple(seen.labels or MASK_CLASSES) == MASK_CLASSES:
            return mask
        case _:
            return None


def _targets(found: Detections, labels: Sequence[str]) -> Detections | None:
    """The boxes of targets, with the search's indices."""
    indices = {k: TARGET_CLASSES.index(label) for k, label in enumerate(labels) if label in TARGET_CLASSES}
    if not indices:
        return None
    return Detections([replace(box, label=indices[box.label]) for box in found.boxes if box.label in indices])
