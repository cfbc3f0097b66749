"""How fast the robots of a search drive, turn, speed up and brake, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Speed = TypeVar("Speed", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a differential drive with a round bumper."""

    v_max_mps: float
    w_max_radps: float
    v_ramp_mps2: float               # acceleration and braking
    w_ramp_radps2: float
    radius_m: float

    def braking_m(self, v_mps: Speed) -> Speed:
        """The way to standstill from a speed: v^2 / 2a."""
        return v_mps * v_mps / (2.0 * self.v_ramp_mps2)


ROVERS = Limits(v_max_mps=0.46, w_max_radps=1.9, v_ramp_mps2=0.9, w_ramp_radps2=7.725, radius_m=0.28)
"""Of rovers and carriers, which drive as a TurtleBot 4 does; the radius is that of the larger one.

A body does not state its limits, so these equal those of `sim_worlds.robots`; a test compares them.
"""
