"""Class lists of the cameras and the ground truth, by index. Behaviours and model cards have their own lists."""

from __future__ import annotations

FLOOR, WALL, CLUTTER, TARGET, ROBOT = range(5)
SEGMENT_CLASSES = ("floor", "wall", "clutter", "target", "robot")
"""Classes of a pixel in a segmentation mask."""

TARGET_CLASSES = ("casualty", "beacon", "hazard")
"""Classes of the targets in an environment."""
