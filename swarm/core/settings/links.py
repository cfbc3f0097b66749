"""The links of a launch file: how fast, how far and how lossy the way between two robots is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from msgspec import Meta

from swarm.core.protocol.bounds import Name
from swarm.core.settings.boards import Strict
from swarm.core.settings.errors import BadInput

FORM = "two fleets or robots, like rover:carrier"
Scale = Annotated[float, Meta(ge=0.01, le=100.0)]
T = TypeVar("T")


class LinkSpec(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Each direction of the links between the robots of two fleets. Without a rate and a trace it carries any rate."""

    rate_mbps: Annotated[float, Meta(gt=0.0, le=1e5)] | None = None  # Mbit/s
    trace: str | None = None         # or: a file of the rate over time, looped; the seed draws where it begins
    scale: tuple[Scale, Scale] | None = None         # of a trace: the seed draws a factor of its rate between these
    delay_ms: Annotated[float, Meta(ge=0.0, le=10_000.0)] = 0.0      # one way
    loss: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0               # share of packets, which are sent again
    airtime: Name | None = None      # all links of one airtime take turns, in both directions


def check_links(links: Mapping[str, LinkSpec], where: str) -> None:
    """Raises: BadInput for a key that names no pair, a pair that is there twice, or a link that makes no sense."""
    seen: dict[tuple[str, str], str] = {}
    for key, spec in links.items():
        at = f"{where}: links.{key}"
        pair = pair_of(key)
        if pair is None:
            raise BadInput(at, "it names no pair", FORM)
        if pair in seen:
            raise BadInput(at, f"it is the pair {seen[pair]}, which is there already", "each pair once")
        seen[pair] = key
        if spec.rate_mbps is not None and spec.trace is not None:
            raise BadInput(at, "it has both rate_mbps and trace", "one of the two")
        if spec.scale is not None and spec.trace is None:
            raise BadInput(f"{at}.scale", "there is no trace to scale", "leave it out")
        if spec.scale is not None and spec.scale[0] > spec.scale[1]:
            raise BadInput(f"{at}.scale", f"{spec.scale[0]:g} is above {spec.scale[1]:g}", "[lowest, highest]")
        if spec.airtime is not None and spec.rate_mbps is None and spec.trace is None:
            raise BadInput(f"{at}.airtime", "a link of any rate takes no airtime", "rate_mbps or trace beside it")


def pair_of(key: str) -> tuple[str, str] | None:
    """The two names of a key, in order of the alphabet; None if it does not have two."""
    one, _, other = key.partition(":")
    if not one or not other or ":" in other:
        return None
    return min(one, other), max(one, other)


def link_between(links: Mapping[str, T], a: str, b: str) -> T | None:
    """The entry of the link between two robots. The name of a robot comes before that of its fleet; None: none."""
    for one, other in ((a, b), (a, fleet_of(b)), (fleet_of(a), b), (fleet_of(a), fleet_of(b))):
        for key in (f"{one}:{other}", f"{other}:{one}"):
            if key in links:
                return links[key]
    return None


def fleet_of(robot: str) -> str:
    """The fleet of a robot called FLEET_NUMBER."""
    return robot.rpartition("_")[0]
