"""Quadrotors as rigid bodies: their control, their rotors, and the link to PyBullet."""

from sim_worlds.physics import GRAVITY_MPS2

CONTROL_EVERY = 2                    # steps between runs of the loops for attitudes and turn rates: 120 Hz. It must
                                     # divide `UPDATE_EVERY`: velocities are steered by the states that it reads
VELOCITY_HZ, ATTITUDE_HZ, RATE_HZ = 2.0, 7.0, 20.0       # gains of the loops, each 1/s
STEEPEST_MPS2 = GRAVITY_MPS2         # of the wanted acceleration along the floor: a tilt of 45 degrees
LEAST_UP_MPS2 = 0.3 * GRAVITY_MPS2   # of the wanted thrust over mass: a falling quadrotor can still tilt
