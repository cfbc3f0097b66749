"""Physics: solids, rigid bodies in PyBullet, and the motion of a fleet."""

GRAVITY_MPS2 = 9.81

STEP_S = 1 / 240
"""Simulated time of one step of rigid bodies: PyBullet's default, for which its solver is tuned."""

UPDATE_EVERY = 4
"""Steps between updates of kinematic poses and of contacts: 60 Hz. Without rigid bodies this is the step of a world."""
