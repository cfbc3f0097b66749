"""A place whose looks and floor were drawn anew: the same walls and things, so that missions stay comparable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Colour
from swarm.core.policy import draw
from swarm.core.settings.randomise import Surroundings

AnyEnvironment = TypeVar("AnyEnvironment", bound=Environment)


def varied(place: AnyEnvironment, drawn: Surroundings) -> AnyEnvironment:
    """The place with what was drawn. Targets keep their colours: models know them by these."""
    colours = _colours(drawn)
    return replace(
        place, floor_friction=place.floor_friction if drawn.floor_friction is None else drawn.floor_friction,
        light=drawn.light or place.light, brightness=place.brightness * drawn.brightness,
        texture=drawn.texture or place.texture, texture_seed=drawn.seed if drawn.texture else place.texture_seed,
        floor_colour=_tinted(place.floor_colour, next(colours)),
        ceiling_colour=_tinted(place.ceiling_colour, next(colours)),
        walls=tuple(replace(wall, colour=_tinted(wall.colour, next(colours))) for wall in place.walls),
        clutter=tuple(replace(thing, parts=tuple(
            replace(part, colour=_tinted(part.colour, next(colours))) for part in thing.parts))
            for thing in place.clutter))


def _colours(drawn: Surroundings) -> Iterator[Colour]:
    """A factor for each channel of one solid after the other."""
    rng = draw.stream(drawn.seed, "randomise", "colour")
    while True:
        r, g, b = (1.0 + drawn.colour * (2.0 * rng.random() - 1.0) for _ in range(3))
        yield r, g, b


def _tinted(colour: Colour, factors: Colour) -> Colour:
    r, g, b = (min(max(channel * factor, 0.0), 1.0) for channel, factor in zip(colour, factors, strict=True))
    return r, g, b
