"""The classes of the search's models, and the dimensions of each kind of target. All parts use these lists."""

from __future__ import annotations

FLOOR, WALL, CLUTTER, TARGET, ROBOT = range(5)
"""Classes of a segmentation mask."""

TARGET_CLASSES = ("casualty", "beacon", "hazard")
"""Labels of a detection, by class index."""

HEIGHT_M = {"casualty": 0.61, "beacon": 0.81, "hazard": 0.61}
"""Typical height of a target, metres."""

HALF_DEPTH_M = {"casualty": 0.22, "beacon": 0.12, "hazard": 0.21}
"""Distance from the near side of a target to its centre, metres."""
