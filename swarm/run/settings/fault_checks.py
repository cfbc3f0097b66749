"""What the faults of a launch file must say: exactly one kind, a target, a time, and the details of that kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarm.core.policy.faults import (
    ANY,
    BIASED,
    DETAILS,
    KINDS,
    MAY,
    NEEDS,
    OF_SENSORS,
    RANDOM,
    FaultKind,
    kinds_of,
)
from swarm.core.protocol.sensors import BIASES, MOST_SENSOR_FAULTS, SensorSuite
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import PLANNERS, FaultSpec, LaunchFile


def check_faults(launch: LaunchFile, where: str) -> None:
    """Raises: BadInput for the first entry that makes no sense."""
    for i, fault in enumerate(launch.faults):
        at = f"{where}: faults[{i}]"
        kind = _kind(fault, at)
        _when(fault, launch.duration_s, at)
        _needs(fault, kind, at)
        _comes_back(fault, launch.duration_s, at)
        if fault.partition is not None:
            _groups(fault.partition, launch, at)
        elif kind != "disk_full":
            _victim(str(getattr(fault, kind)), kind, launch, f"{at}.{kind}")
            _there(str(getattr(fault, kind)), fault, launch, f"{at}.{kind}")
        if kind == "bias":
            _bias(fault, at)
    if sum(len(_hit(fault, launch)) for fault in launch.faults if fault.sensor is not None) > MOST_SENSOR_FAULTS:
        raise BadInput(f"{where}: faults", "they may hit too many sensors at once",
                       f"entries that name at most {MOST_SENSOR_FAULTS} robots in all")


def check_sensor_faults(launch: LaunchFile, suites: Mapping[str, SensorSuite], where: str) -> None:
    """The faults of sensors name sensors that all robots have that they may hit, and biases that these can have.

    Args: launch: checked by `check_faults`. suites: of each robot. Raises: BadInput.
    """
    for i, fault in enumerate(launch.faults):
        if fault.sensor is None:
            continue
        at = f"{where}: faults[{i}]"
        for robot in _hit(fault, launch):
            sensors = suites[robot].sensors
            if fault.sensor not in sensors:
                raise BadInput(f"{at}.sensor", f"{robot} has no sensor {fault.sensor!r}",
                               f"one of {', '.join(sensors) or 'none'}" + _noisy_hint(fault.sensor))
            sensor = sensors[fault.sensor]
            able = BIASES.get(type(sensor), ())
            for name in BIASED:
                if getattr(fault, name) is not None and name not in able:
                    kind = type(sensor).__name__.lower()
                    raise BadInput(f"{at}.{name}", f"{fault.sensor} is a {kind}, which has no such bias",
                                   " or ".join(able) or "a dropout or a freeze")


def _noisy_hint(sensor: str) -> str:
    return "; a fleet has `place`, its localisation, unless it has `sensors: exact`" if sensor == "place" else ""


def _hit(fault: FaultSpec, launch: LaunchFile) -> list[str]:
    """The robots that a fault of sensors may hit."""
    name = next(getattr(fault, kind) for kind in OF_SENSORS if getattr(fault, kind) is not None)
    fleets = {fleet.name: fleet.robots() for fleet in launch.fleet}
    return _robots(launch) if name == ANY else fleets.get(name, [name])


def _bias(fault: FaultSpec, at: str) -> None:
    if all(getattr(fault, name) is None for name in BIASED):
        raise BadInput(at, "a bias without its size", f"{', '.join(BIASED[:-1])} or {BIASED[-1]}")


def _kind(fault: FaultSpec, at: str) -> FaultKind:
    kinds = kinds_of(fault)
    if len(kinds) != 1:
        raise BadInput(at, f"{' and '.join(kinds)} in one entry" if kinds else "no kind of fault is given",
                       f"exactly one of {', '.join(KINDS)}")
    return kinds[0]


def _when(fault: FaultSpec, duration_s: float, at: str) -> None:
    if (fault.at_s is None) == (fault.per_minute is None):
        raise BadInput(at, "it says both at_s and per_minute" if fault.at_s is not None else "it does not say when",
                       "either at_s, once, or per_minute, at a rate")
    if fault.at_s is not None and not 0 <= fault.at_s < duration_s:
        raise BadInput(f"{at}.at_s", f"{fault.at_s:g} is not within the run",
                       f"from 0 to below duration_s, {duration_s:g}")


def _needs(fault: FaultSpec, kind: FaultKind, at: str) -> None:
    """The entry has all keys that the kind needs, and none that it does not use."""
    for name in NEEDS[kind]:
        if getattr(fault, name) is None:
            raise BadInput(at, f"{kind} without {name}", f"{kind} needs {' and '.join(NEEDS[kind])}")
    for name in DETAILS:
        if getattr(fault, name) is not None and name not in (*NEEDS[kind], *MAY.get(kind, ())):
            raise BadInput(f"{at}.{name}", f"means nothing to {kind}", "leave it out")


def _comes_back(fault: FaultSpec, duration_s: float, at: str) -> None:
    """A restart's new process starts within the run."""
    left_s = duration_s - (fault.at_s or 0.0)
    if fault.after_s is not None and fault.after_s >= left_s:
        raise BadInput(f"{at}.after_s", f"after {fault.after_s:g} s the run is over",
                       f"below {left_s:g}, or kill: a robot that does not come back")


def _victim(name: str, kind: FaultKind, launch: LaunchFile, at: str) -> None:
    of_robots = kind in ("slow", *OF_SENSORS)
    if name == "world" and kind not in ("kill", "stop"):
        raise BadInput(at, f"the world is no victim of {kind}",
                       f"a robot, a fleet or {ANY}" if of_robots else f"a robot, a fleet, {ANY} or the planner")
    processes, what = (_robots(launch), "robot") if of_robots else (launch.processes(), "process")
    rules.known(name, [*processes, *(fleet.name for fleet in launch.fleet), ANY], at, what)


def _there(name: str, fault: FaultSpec, launch: LaunchFile, at: str) -> None:
    """A robot or a fleet that is named is there at the time of its fault, and when it comes back from a restart.

    Robots that are drawn from all are skipped while they are not there.
    """
    if fault.at_s is None:
        return
    for fleet in launch.fleet:
        until_s = launch.duration_s if fleet.leaves_at_s is None else fleet.leaves_at_s
        for at_s in (fault.at_s, fault.at_s + (fault.after_s or 0.0)):
            if name in (fleet.name, *fleet.robots()) and not fleet.joins_at_s <= at_s < until_s:
                raise BadInput(at, f"{name} is not there at {at_s:g} s",
                               f"from {fleet.joins_at_s:g} to below {until_s:g}")


def _groups(given: str | Sequence[Sequence[str]], launch: LaunchFile, at: str) -> None:
    if isinstance(given, str):
        if len([*_robots(launch), *_others(launch)]) < 2:
            raise BadInput(f"{at}.partition", f"{RANDOM} halves of one robot", "two robots at least")
        return
    if len(given) < 2 or not all(given):
        raise BadInput(f"{at}.partition", "it names fewer than two groups", f"like [[rover_0], [rover_1]], or {RANDOM}")
    fleets = {fleet.name: fleet.robots() for fleet in launch.fleet}
    names = [*_robots(launch), *_others(launch)]
    seen: set[str] = set()
    drawn = 0
    for name in (name for group in given for name in group):
        rules.known(name, [*names, *fleets, ANY], f"{at}.partition", "robot, fleet or planner")
        drawn += name == ANY
        for one in () if name == ANY else fleets.get(name, [name]):
            if one in seen:
                raise BadInput(f"{at}.partition", f"{one} is in two groups", "each in one group at most")
            seen.add(one)
    if drawn > len(set(_robots(launch)) - seen):
        raise BadInput(f"{at}.partition", f"no robot is left for {ANY}", "fewer names")


def _robots(launch: LaunchFile) -> list[str]:
    return [robot for fleet in launch.fleet for robot in fleet.robots()]


def _others(launch: LaunchFile) -> list[str]:
    """Processes beside the robots that a partition can cut off; never the world, which is every robot's body."""
    return [name for name in launch.processes() if name in PLANNERS]

