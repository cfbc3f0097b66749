"""What the engine's cameras and ground truth tell apart, by index. Behaviours and cards have lists of their own."""

from __future__ import annotations

FLOOR, WALL, CLUTTER, TARGET, ROBOT = range(5)
SEGMENT_CLASSES = ("floor", "wall", "clutter", "target", "robot")
"""Classes of a pixel in a segmentation mask."""

TARGET_CLASSES = ("casualty", "beacon", "hazard")
"""Classes of the targets in a place."""
