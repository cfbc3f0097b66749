"""What the links of a launch file must say: two fleets or robots, each pair once, and traces that can be read."""

from __future__ import annotations

from itertools import combinations

import msgspec

from swarm.core.policy.trace import Trace
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.links import check_links, fleet_of, pair_of
from swarm.run.settings.known import Known


def check_link_names(launch: LaunchFile, where: str) -> None:
    """Raises: BadInput for a name that is neither a fleet nor a robot, and for two entries of which none comes first.
    """
    check_links(launch.links, where)
    fleets = [fleet.name for fleet in launch.fleet]
    robots = {robot for fleet in launch.fleet for robot in fleet.robots()}
    mixed: list[tuple[str, str, str]] = []           # of entries with a robot and a fleet: these, and the key
    for key in launch.links:
        at, (one, other) = f"{where}: links.{key}", pair_of(key) or ("", "")
        for name in (one, other):
            rules.known(name, [*fleets, *robots], at, "fleet or robot")
        if one == other and one in robots:
            raise BadInput(at, "a robot has no link to itself", "another one, or its fleet")
        if (one in robots) != (other in robots):
            mixed.append((one, other, key) if one in robots else (other, one, key))
    for (robot, fleet, first), (other, others_fleet, second) in combinations(mixed, 2):
        if fleet_of(robot) == others_fleet and fleet_of(other) == fleet:
            raise BadInput(f"{where}: links.{second}", f"{first} is the link of {robot} and {other}, too",
                           f"{robot}:{other} in place of one of them")


def with_traces(launch: LaunchFile, known: Known, where: str) -> tuple[LaunchFile, dict[str, Trace]]:
    """The launch file with paths that hold everywhere, and what is in these files. Raises: BadInput."""
    links, traces = dict(launch.links), dict[str, Trace]()
    for key, spec in launch.links.items():
        if spec.trace is None:
            continue
        try:
            path, trace = known.trace(spec.trace)
        except BadInput as error:
            raise error.told_of(f"{where}: links.{key}.trace") from None
        links[key], traces[path] = msgspec.structs.replace(spec, trace=path), trace
    return msgspec.structs.replace(launch, links=links), traces
