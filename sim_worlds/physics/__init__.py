"""Physics: solids, rigid bodies in PyBullet, and how a fleet moves."""

STEP_S = 1 / 240
"""Simulated time of one step of every world; PyBullet's own default, for which its solver is tuned."""
