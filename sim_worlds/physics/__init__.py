"""Physics: solids, rigid bodies in PyBullet, and the motion of a fleet."""

STEP_S = 1 / 240
"""Simulated time of one step of every world: PyBullet's default, for which its solver is tuned."""
