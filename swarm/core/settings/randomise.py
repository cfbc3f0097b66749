"""Domain randomisation: what a launch file lets vary, and the values that its seed draws.

Source of the idea: Tobin et al., Domain Randomization for Transferring Deep Neural Networks from Simulation to the Real
World, IROS 2017. Draws are keyed by seed and robot: another fleet, or another range, shifts no other draw.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta

from swarm.core.policy import draw
from swarm.core.protocol.bounds import Finite
from swarm.core.settings.boards import Strict

Spread = Annotated[float, Meta(ge=0.0, le=0.9)]
Friction = Annotated[float, Meta(ge=0.0, le=10.0)]
LIGHT_UP = 0.8, 2.5                  # height of the lamp over its distance along the floor: as our scenarios have it


class Randomise(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What varies from seed to seed; a spread of 0.2 draws factors from 0.8 to 1.2, evenly."""

    mass: Spread = 0.0               # of each dynamic robot, with its inertia
    friction: tuple[Friction, Friction] | None = None        # of the floor under dynamic robots, from and to
    light: Spread = 0.0              # brightness of the lamp, which then may stand in any direction
    colour: Spread = 0.0             # each channel of the colour of each wall, floor, ceiling and piece of clutter
    texture: Spread = 0.0            # share of the colour of walls, floor and clutter that patterns take at most
    noise: Spread = 0.0              # of each robot: the standard deviations of its sensors


class Surroundings(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What was drawn for a place."""

    floor_friction: Finite | None = None     # None: as the scenario has it
    light: tuple[Finite, Finite, Finite] | None = None       # direction to the lamp; None: as the scenario has it
    brightness: Finite = 1.0         # of the lamp
    colour: Spread = 0.0             # of each solid: drawn where it is built, by its number
    texture: Spread = 0.0            # of each solid: a pattern that takes so much of its colour at most
    seed: int = 0                    # of colours and patterns


AS_BUILT = Surroundings()
NOTHING = Randomise()


def surroundings(randomise: Randomise, seed: int) -> Surroundings:
    """The place of a seed."""
    friction = None
    if randomise.friction is not None:
        low, high = randomise.friction
        friction = low + (high - low) * draw.uniform(seed, "randomise", "friction")
    light, brightness = None, 1.0
    if randomise.light:
        course = 2 * math.pi * draw.uniform(seed, "randomise", "lamp")
        low, high = LIGHT_UP
        light = math.cos(course), math.sin(course), low + (high - low) * draw.uniform(seed, "randomise", "height")
        brightness = _factor(randomise.light, seed, "light")
    return Surroundings(floor_friction=friction, light=light, brightness=brightness, colour=randomise.colour,
                        texture=randomise.texture, seed=seed if randomise.colour or randomise.texture else 0)


def mass(randomise: Randomise, seed: int, robot: str) -> float:
    """The factor on the mass of a robot."""
    return _factor(randomise.mass, seed, "mass", robot)


def noise(randomise: Randomise, seed: int, robot: str) -> float:
    """The factor on the noise of a robot's sensors."""
    return _factor(randomise.noise, seed, "noise", robot)


def _factor(spread: float, seed: int, *names: str) -> float:
    return 1.0 + spread * (2.0 * draw.uniform(seed, "randomise", *names) - 1.0)
