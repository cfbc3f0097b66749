"""Where the robots of a fleet were some steps ago: what sensors with a latency read."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.motion import Motion
from sim_worlds.sensors.true_view import Things
from swarm.core.protocol.world import Pose

Reals = NDArray[np.float64]


class Moment(NamedTuple):
    """A fleet and the things around it after a step. Places and speeds are those of `Motion`."""

    step: int                        # its number; below 0: so many steps before the start
    age_s: float
    places: Reals
    speeds: Reals
    left_up: Reals
    things: Things

    def pose(self, robot: int) -> Pose:
        """The pose of one robot."""
        return Pose(*self.places[robot].tolist())


class Past:
    """A fleet and its things in the last `longest_s`. Before its start all stood where it started."""

    def __init__(self, motion: Motion, things: Things, longest_s: float) -> None:
        self._motion, self._things, self._environment = motion, things, things.environment
        self._step = 0
        self._still: Reals | None = None                     # places of now that do not change
        self._moments = deque[Moment](maxlen=steps_of(longest_s, motion.dt_s) + 1)
        self.keep(0)

    def keep(self, step: int) -> None:
        """Remember the present; call it after each step, with its number."""
        self._step, self._still = step, None
        if self._moments.maxlen != 1:
            m = self._motion
            self._moments.append(Moment(step, 0.0, m.places.copy(), m.speeds.copy(), m.left_up.copy(), self.things))

    def change(self, environment: Environment) -> None:
        """Some targets are elsewhere from now on."""
        self._environment = environment
        if self._moments:
            self._moments[-1] = self._moments[-1]._replace(things=self.things)

    @property
    def things(self) -> Things:
        """The things of now."""
        if self._things.environment is not self._environment:        # many may have moved since anybody looked
            self._things = self._things.of(self._environment)
        return self._things

    def ago(self, latency_s: float) -> Moment:
        """The fleet at most `longest_s` ago. Of now it is `Motion`'s own: the next step changes it."""
        steps = steps_of(latency_s, self._motion.dt_s)
        if not steps:
            m = self._motion
            return Moment(self._step, 0.0, m.places, m.speeds, m.left_up, self.things)
        return self._moments[max(0, len(self._moments) - 1 - steps)]._replace(
            step=self._step - steps, age_s=steps * self._motion.dt_s)

    def places_ago(self, latency_s: float) -> tuple[Reals, Things]:
        """Places and things alone, which do not change any more."""
        then = self.ago(latency_s)
        if then.places is not self._motion.places:
            return then.places, then.things
        still = self._still
        if still is None:
            self._still = still = then.places.copy()
        return still, then.things


def steps_of(latency_s: float, dt_s: float) -> int:
    """The steps that are nearest to a latency."""
    return round(latency_s / dt_s)
