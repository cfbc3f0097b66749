"""Makes a failing launch smaller, as long as the same invariant is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from swarm.core.settings.launch_file import FaultSpec, FleetSpec, LaunchFile

replace = msgspec.structs.replace

MARGIN_S = 1.0                       # from what is broken to the end of the streams
SEEDS = 8                            # with which a smaller launch is tried
READABLE = 4, 3                      # robots and faults


def shrunk(
    launch: LaunchFile, fails: Callable[[LaunchFile], bool], *, broken_s: float | None = None, most: int = 400
) -> LaunchFile:
    """The smallest launch found that still fails: fewer faults, streams and robots, and a shorter run.

    What lacks a part has other timings: when no smaller launch fails by its seed, and this one is too large to read,
    each is tried with a few other seeds, too.

    fails: whether a launch breaks the same invariant. broken_s: when it broke in this one, since the streams began;
    what comes after that is left out first. most: launches that are tried.
    """
    if broken_s is not None and fails(shorter := until(launch, broken_s)):
        launch = shorter
    tried, seeds = 0, 1
    while seeds == 1 or (seeds == SEEDS and _is_large(launch)):
        for smaller in _with_seeds(smaller_ones(launch), seeds):
            if tried >= most:
                return launch
            tried += 1
            if fails(smaller):
                launch, seeds = smaller, 1
                break
        else:
            seeds += SEEDS - 1
    return launch


def _is_large(launch: LaunchFile) -> bool:
    return sum(fleet.count for fleet in launch.fleet) > READABLE[0] or len(launch.faults) > READABLE[1]


def _with_seeds(launches: Iterator[LaunchFile], seeds: int) -> Iterator[LaunchFile]:
    """Each launch with its own seed, or with several others."""
    for launch in launches:
        for more in range(min(seeds - 1, 1), seeds):
            yield replace(launch, seed=launch.seed + more)


def until(launch: LaunchFile, at_s: float) -> LaunchFile:
    """The launch up to this time."""
    faults = [fault for fault in launch.faults if (fault.at_s or 0.0) <= at_s]
    return replace(launch, faults=faults, duration_s=min(launch.duration_s, round(max(at_s, 0.0) + MARGIN_S, 1)))


def smaller_ones(launch: LaunchFile) -> Iterator[LaunchFile]:
    """Launches that lack a part of this one, the largest parts first."""
    half = len(launch.faults) // 2
    if half > 1:
        yield replace(launch, faults=launch.faults[half:])
        yield replace(launch, faults=launch.faults[:half])
    for k in range(len(launch.faults)):
        yield replace(launch, faults=launch.faults[:k] + launch.faults[k + 1:])
    if len(launch.streams) > 1:
        for k in range(len(launch.streams)):
            yield replace(launch, streams=launch.streams[:k] + launch.streams[k + 1:])
    if launch.links:
        yield replace(launch, links={})
    for fleet in launch.fleet:
        for count in (fleet.count // 2, fleet.count - 1):
            smaller = _with_count(launch, fleet, count)
            if smaller is not None:
                yield smaller
    last_s = max((fault.at_s or 0.0) + (fault.for_s or 0.0) + (fault.after_s or 0.0) for fault in launch.faults) \
        if launch.faults else 0.0
    for duration_s in (round(last_s + 4.0, 1), round(launch.duration_s * 0.8, 1)):
        if last_s < duration_s < launch.duration_s - 0.5:
            yield replace(launch, duration_s=duration_s)


def _with_count(launch: LaunchFile, fleet: FleetSpec, count: int) -> LaunchFile | None:
    """The launch with so many robots in a fleet; None: not possible.

    The faults of those that are gone hit the last one that is left; without a fleet there are none.
    """
    fleets = [replace(one, count=count) if one is fleet else one for one in launch.fleet]
    fleets = [one for one in fleets if one.count > 0]
    left = {robot: robot for one in fleets for robot in one.robots()} | {"planner": "planner"}
    if count:
        left = dict.fromkeys(fleet.robots(), f"{fleet.name}_{count - 1}") | left
    streams = [replace(stream, on=[name for name in stream.on if name in {one.name for one in fleets}])
               for stream in launch.streams]
    streams = [stream for stream in streams if stream.on]
    if not fleets or not streams or count == fleet.count:
        return None
    faults = [kept for fault in launch.faults if (kept := _among(fault, left)) is not None]
    links = {pair: link for pair, link in launch.links.items() if set(pair.split(":")) <= {one.name for one in fleets}}
    return replace(launch, fleet=fleets, streams=streams, faults=faults, links=links)


def _among(fault: FaultSpec, left: dict[str, str]) -> FaultSpec | None:
    """The fault among the processes that are left; None if it has no target any more.

    left: each process, and those that are gone with the one that takes their place.
    """
    if isinstance(fault.partition, list):
        groups = [list(dict.fromkeys(left[name] for name in group if name in left)) for group in fault.partition]
        split: list[list[str]] = []
        for group in sorted(groups, key=len):            # the smallest first: it keeps whom two of them have
            split.append([name for name in group if not any(name in other for other in split)])
        split = [group for group in split if group]
        return replace(fault, partition=split) if len(split) > 1 else None
    for kind in ("kill", "stop", "restart", "slow", "corrupt", "lose", "clock"):
        target = getattr(fault, kind)
        if target is not None:
            return replace(fault, **{kind: left[target]}) if target in left else None
    return fault
