"""Expands the faults of a launch file into single timed faults, and combines their effects on one process.

Deterministic: the same specs, seed, duration and names give the same faults.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from swarm.core.policy import draw
from swarm.core.protocol.messages import InjectedFaults
from swarm.core.protocol.sensors import SensorFault
from swarm.core.settings.launch_file import FaultSpec

FaultKind = Literal["kill", "stop", "restart", "partition", "slow", "corrupt", "lose", "clock", "disk_full", "dropout",
                    "freeze", "bias"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
OF_SENSORS: tuple[FaultKind, ...] = ("dropout", "freeze", "bias")
"""Kinds of faults of a robot's sensor. The world injects them: it is what senses."""
OFFSETS = ("by_m", "by_rad", "by_mps2", "by_radps")
BIASED = (*OFFSETS, "scale")
"""Details of a bias."""
MOST_SCALE = 1e6                     # of all biases of a sensor together
NEEDS: Mapping[FaultKind, tuple[str, ...]] = {
    "kill": (), "stop": ("for_s",), "restart": (), "partition": ("for_s",), "slow": ("factor", "for_s"),
    "corrupt": ("share", "for_s"), "lose": ("share", "for_s"), "clock": ("by_s",), "disk_full": ("for_s",),
    **dict.fromkeys(OF_SENSORS, ("sensor", "for_s")),
}
"""Keys that an entry of each kind must have beside its time and its target."""
MAY: Mapping[FaultKind, tuple[str, ...]] = {"restart": ("after_s",), "bias": BIASED}
DETAILS = ("for_s", "after_s", "factor", "share", "by_s", "sensor", *BIASED)
WORLD = "world"
ANY = "any"
RANDOM = "random"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault at one time, of a process or of groups of processes."""

    at_s: float                      # since the streams began
    kind: FaultKind | Literal["crash", "battery"]    # these two are never injected, only recorded
    target: str = ""                 # empty for `partition` and `disk_full`
    groups: list[list[str]] = []     # of a partition
    for_s: float = 0.0               # 0: at once (`restart`) or for good (`kill`, `clock`)
    after_s: float = 0.0             # of a restart: from the kill to the new process
    factor: float = 1.0
    share: float = 0.0
    by_s: float = 0.0
    sensor: str = ""                 # of the target, by name; empty: none
    by_m: float = 0.0
    by_rad: float = 0.0
    by_mps2: float = 0.0
    by_radps: float = 0.0
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Kind, target and sensor, for people."""
        groups = " | ".join(", ".join(group) for group in self.groups)
        return " ".join(filter(None, (self.kind, self.target or groups, self.sensor)))


def kinds_of(spec: FaultSpec) -> list[FaultKind]:
    """The kinds that an entry names; a valid entry names exactly one."""
    return [kind for kind in KINDS if getattr(spec, kind) is not None]


def expand(
    specs: Sequence[FaultSpec], seed: int, duration_s: float, fleets: Mapping[str, Sequence[str]],
    others: Sequence[str] = (),
) -> list[Fault]:
    """Single faults in order of time, all within [0, duration_s).

    Args: specs: checked. fleets: the robots of each. others: further processes that a partition can separate.
    A killed robot is not drawn again until a restart brings it back. A fault drawn from a rate is left out if it hits a
    dead process.
    """
    drawn = [
        (at_s, i, k, spec)
        for i, spec in enumerate(specs) for k, at_s in enumerate(_times(spec, seed, i, duration_s))
    ]
    faults: list[Fault] = []
    dead: set[str] = set()
    for at_s, i, k, spec in sorted(drawn, key=lambda d: d[:3]):
        fault = _drawn(spec, at_s, draw.stream(seed, "fault", i, k), fleets, others, dead)
        if fault is None or (spec.per_minute is not None and fault.target in dead):
            continue
        faults.append(fault)
        if fault.kind == "kill":
            dead.add(fault.target)
        elif fault.kind == "restart":
            dead.discard(fault.target)
    return faults


def injected(name: str, faults: Sequence[Fault], seed: int) -> InjectedFaults:
    """The message with all of these faults that affect a process. Shares and factors combine as if applied in sequence.
    """
    mine = [fault for fault in faults if fault.target == name]
    deaf_to = {
        other for fault in faults if any(name in group for group in fault.groups)
        for group in fault.groups if name not in group for other in group
    }
    return InjectedFaults(
        deaf_to=sorted(deaf_to), lose=_together(mine, "lose"), corrupt=_together(mine, "corrupt"),
        slow=math.prod(fault.factor for fault in mine), clock_step_s=sum(fault.by_s for fault in mine), seed=seed,
        sensors=_of_sensors(faults) if name == WORLD else [],
    )


def affected(fault: Fault) -> list[str]:
    """Processes that must inject the fault themselves; empty if the host injects it from outside."""
    if fault.kind == "partition":
        return [name for group in fault.groups for name in group]
    if fault.kind in OF_SENSORS:
        return [WORLD]
    return [fault.target] if fault.kind in ("slow", "corrupt", "lose", "clock") else []


def _of_sensors(faults: Sequence[Fault]) -> list[SensorFault]:
    """What ails each sensor: all its faults together."""
    ailing: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        if fault.kind in OF_SENSORS:
            ailing.setdefault((fault.target, fault.sensor), []).append(fault)
    return [SensorFault(
        robot=robot, sensor=sensor, dropout=any(one.kind == "dropout" for one in its),
        freeze=any(one.kind == "freeze" for one in its), scale=min(math.prod(one.scale for one in its), MOST_SCALE),
        **{name: sum(getattr(one, name) for one in its) for name in OFFSETS},
    ) for (robot, sensor), its in sorted(ailing.items())]


def _together(faults: Sequence[Fault], kind: FaultKind) -> float:
    """The share of messages that at least one of these faults hits."""
    return 1.0 - math.prod(1.0 - fault.share for fault in faults if fault.kind == kind)


def _times(spec: FaultSpec, seed: int, i: int, duration_s: float) -> Iterator[float]:
    if spec.at_s is not None:
        yield spec.at_s
        return
    assert spec.per_minute is not None       # the checks ensure that one of the two is set
    rng, at_s = draw.stream(seed, "fault", i), 0.0
    while (at_s := at_s + rng.expovariate(spec.per_minute / 60.0)) < duration_s:
        yield round(at_s, 3)


def _drawn(
    spec: FaultSpec, at_s: float, rng: random.Random, fleets: Mapping[str, Sequence[str]], others: Sequence[str],
    dead: set[str],
) -> Fault | None:
    """The fault of an entry at one time; None if no robot that it may hit is alive."""
    (kind,) = kinds_of(spec)
    target, groups = "", []
    if spec.partition is not None:
        groups = _groups(spec.partition, rng, fleets, others)
    elif kind != "disk_full":
        target = str(getattr(spec, kind))
        robots = _robots(target, fleets)
        if robots:
            living = [robot for robot in robots if robot not in dead]
            if not living:
                return None
            target = rng.choice(living)
    details = {name: value for name in DETAILS if (value := getattr(spec, name)) is not None}
    return Fault(at_s=at_s, kind=kind, target=target, groups=groups, **details)


def _groups(
    groups: Literal["random"] | list[list[str]], rng: random.Random, fleets: Mapping[str, Sequence[str]],
    others: Sequence[str],
) -> list[list[str]]:
    """A fleet stands for all its robots, `any` for one robot of no other group, `random` for two halves of all."""
    if groups == RANDOM:
        names = [*_robots(ANY, fleets), *others]
        rng.shuffle(names)
        half = len(names) // 2
        return [sorted(names[:half]), sorted(names[half:])]
    named = {robot for group in groups for name in group if name != ANY for robot in fleets.get(name, [name])}
    free = [robot for robot in _robots(ANY, fleets) if robot not in named]
    rng.shuffle(free)
    return [[robot for name in group for robot in ([free.pop()] if name == ANY else fleets.get(name, [name]))]
            for group in groups]


def _robots(name: str, fleets: Mapping[str, Sequence[str]]) -> list[str]:
    """The robots that a fleet's name or `any` stands for; empty for the name of a process."""
    if name == ANY:
        return [robot for robots in fleets.values() for robot in robots]
    return list(fleets.get(name, ()))
