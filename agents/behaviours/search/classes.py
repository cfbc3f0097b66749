"""What the models of the search tell apart, and what is known of each kind of target. One list for all parts."""

from __future__ import annotations

FLOOR, WALL, CLUTTER, TARGET, ROBOT = range(5)
"""Classes of a segmentation mask."""

TARGET_CLASSES = ("casualty", "beacon", "hazard")
"""Labels of a detection, by class index."""

HEIGHT_M = {"casualty": 0.61, "beacon": 0.81, "hazard": 0.61}
"""Typical height of a target."""

HALF_DEPTH_M = {"casualty": 0.22, "beacon": 0.12, "hazard": 0.21}
"""From the near side of a target to its middle."""
