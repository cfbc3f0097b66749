"""Rules for settings beyond the range of one value: names that exist, distinct names, addresses, security.

Ranges and patterns are in the types (protocol/bounds.py). Launch files and process files obey the same rules, so that
a mistake is reported where it was made. Every error names file and key.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from swarm.core.policy import policies
from swarm.core.policy.plan import MOST_AT_ONCE, StreamSpec
from swarm.core.protocol.bounds import NAME_MAX, Name
from swarm.core.protocol.messages import Member
from swarm.core.settings import addresses
from swarm.core.settings.boards import Board, Measured
from swarm.core.settings.cards import PRECISIONS, SENSORS, RunTime
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, StreamOn
from swarm.core.settings.links import FORM, check_links, pair_of
from swarm.core.settings.process_files import AgentFile, BodyFile, CollectorFile, PlannerFile, ProcessFile, WorldFile
from swarm.core.settings.validation import check, nearest

RESERVED = ("world", "planner", "standby", "launcher", "collector", "any", "random")
"""Names of processes, and words of faults."""
SWARM_MAX = 128
EMULATED_SPEED_MAX = 0.5             # in real time, so that the host keeps up with the board that it emulates
QUANTILES = 21                       # of a run time
LEAST_MS, MOST_MS = 1e-3, 1e6        # that a run may take
GPU = "_gpu"                         # ends the name of a board whose models run on its GPU
ROLES = ("agent", "planner", "world", "launcher", "collector")
ROLE_OF_NAME = {"world": "world", "planner": "planner", "standby": "planner", "launcher": "launcher",
                "collector": "collector"}
"""The role of a process by its name, where nothing else says what it is; all others are agents."""


# --- names ---


def known(name: str, names: Collection[str], where: str, what: str) -> None:
    """Raises: BadInput with the nearest of `names` unless `name` is one of them."""
    if name in names:
        return
    raise BadInput(where, f"no {what} is called {name!r}", nearest(name, sorted(names), "known"))


def named(name: str, where: str) -> None:
    """Raises: BadInput unless it is a valid name for files and addresses."""
    check(name, Name, where)


def unreserved(name: str, where: str) -> None:
    """Raises: BadInput for a reserved name."""
    if name in RESERVED:
        raise BadInput(where, f"{name!r} is reserved", f"a name other than {', '.join(RESERVED)}")


def distinct(names: Iterable[str], where: str) -> None:
    """Raises: BadInput for the second of two equal names."""
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise BadInput(f"{where}[{i}].name", f"{name!r} is there already", "a name of its own")
        seen.add(name)


def policy(name: str, where: str) -> None:
    """Raises: BadInput unless `name` is a policy, with its argument if it takes one."""
    if not name.endswith(policies.FILE) and name.partition(":")[0] not in policies.available():
        known(name, policies.usages(), where, "policy")
    try:
        policies.load(name)
    except ValueError as error:
        raise BadInput(where, f"{name[:NAME_MAX]!r} is no policy", str(error)) from None


def in_real_time(name: str, where: str) -> None:
    """Raises: BadInput for a policy that only virtual time can have."""
    if policies.load(name).foresees:
        raise BadInput(where, f"{name} knows the links' future, which real time does not tell",
                       "clock: virtual, or another policy")


# --- boards, streams, addresses ---


def board(settings: Board, where: str) -> None:
    """Raises: BadInput. where: file and key of the board; keys within the board are appended."""
    for precision in PRECISIONS:
        if precision not in settings.speed:
            raise BadInput(f"{where}.speed.{precision}", "it is missing",
                           f"a speed for each of {', '.join(PRECISIONS)}")
    if settings.measured is not None:
        _measured(settings.measured, settings, f"{where}.measured")


def _measured(found: Measured, settings: Board, where: str) -> None:
    """Raises: BadInput for run times that are none, and for those of other threads or providers."""
    if found.threads != settings.threads:
        raise BadInput(f"{where}.threads", f"{found.threads}, and the board has {settings.threads}", "the same number")
    if tuple(found.providers) != settings.providers:
        raise BadInput(f"{where}.providers", f"{', '.join(found.providers)}, and the board has "
                       f"{', '.join(settings.providers)}", "the same")
    for model, variants in found.models.items():
        for name, variant in variants.items():
            at = f"{where}.models.{model}.{name}"
            times = [("whole", variant.whole.run_time)]
            times += [(f"stages[{k}]", stage.run_time) for k, stage in enumerate(variant.stages)]
            times += [(f"batches.{inputs}", time) for inputs, time in variant.batches.items()]
            for part, time in times:
                _run_time(time, f"{at}.{part}")
            for inputs in variant.batches:
                if not 2 <= inputs <= MOST_AT_ONCE:
                    raise BadInput(f"{at}.batches", f"{inputs} inputs at once", f"2 to {MOST_AT_ONCE}")


def _run_time(time: RunTime, where: str) -> None:
    """Raises: BadInput unless it has quantiles as a card has them."""
    ms = time.quantiles_ms
    if len(ms) != QUANTILES or not all(LEAST_MS <= one <= MOST_MS for one in ms) or list(ms) != sorted(ms):
        raise BadInput(f"{where}.quantiles_ms", f"{len(ms)} values that are no quantiles",
                       f"{QUANTILES} values of {LEAST_MS:g} to {MOST_MS:g}, ascending: at 0, 5, ..., 100 %")
    if time.runs < 1:
        raise BadInput(f"{where}.runs", str(time.runs), "1 or more")


def in_time(settings: Board, others: Mapping[str, Board], name: str, where: str) -> None:
    """Whether this host can be such a board in real time. others: all that are known, to name one that it can be.

    Raises: BadInput for an emulated board that runs models faster than half of this host's speed.
    """
    fastest = max(settings.speed.values())
    if not settings.emulated or fastest <= EMULATED_SPEED_MAX:
        return
    gpu = settings.providers[0] != "cpu"
    slower = name.removesuffix(GPU)
    fits = slower != name and slower in others and max(others[slower].speed.values()) <= EMULATED_SPEED_MAX
    raise BadInput(
        where, f"{name} runs models{' on its GPU' if gpu else ''} at {fastest:g} times the speed of a core of a host, "
        f"which in real time can be a board of at most {EMULATED_SPEED_MAX:g}",
        f"clock: virtual, or a slower class{f', like {slower}' if fits else ''}")


def streams(specs: Sequence[StreamSpec | StreamOn], where: str) -> None:
    """Raises: BadInput for names that are reserved or used twice, and for sources that are not there."""
    distinct((stream.name for stream in specs), where)
    for i, stream in enumerate(specs):
        unreserved(stream.name, f"{where}[{i}].name")
        if stream.name in SENSORS:
            raise BadInput(f"{where}[{i}].name", f"{stream.name!r} is a sensor", "a name of its own")
        if stream.source not in SENSORS:
            _source(stream, specs[:i], f"{where}[{i}]")
        elif stream.box > 1:
            raise BadInput(f"{where}[{i}].box", f"{stream.box}, and a {stream.source} finds no boxes",
                           "the name of a stream above as its source, or no box")


def _source(stream: StreamSpec | StreamOn, above: Sequence[StreamSpec | StreamOn], at: str) -> None:
    """Raises: BadInput unless its source is a stream above it, of the same rate, on all of its fleets."""
    known(stream.source, [*SENSORS, *(one.name for one in above)], f"{at}.source", "sensor or stream above")
    source = next(one for one in above if one.name == stream.source)
    if stream.rate_hz != source.rate_hz:
        raise BadInput(f"{at}.rate_hz", f"{stream.rate_hz:g}, and its source {source.name} has {source.rate_hz:g}",
                       "the rate of its source: each of its outcomes is looked at once")
    if isinstance(stream, StreamOn) and isinstance(source, StreamOn):
        for fleet in stream.on:
            if fleet not in source.on:
                raise BadInput(f"{at}.on", f"{fleet!r} does not have its source {source.name}",
                               f"fleets of {', '.join(source.on)}")


def bind(address: str, where: str) -> None:
    """Raises: BadInput unless it is HOST or HOST:PORT. The bulk lane uses the next port."""
    if not addresses.is_bind(address):
        raise BadInput(where, f"{address!r} is no address",
                       f"HOST, or HOST:PORT with a port from 1 to 65534; {addresses.HOST_FORM}")


def member(candidate: Member, where: str) -> None:
    """Raises: BadInput for a process with an invalid name, role or address."""
    named(candidate.name, f"{where}.name")
    known(candidate.role, ROLES, f"{where}.role", "role")
    for lane, address in (("urgent", candidate.urgent), ("bulk", candidate.bulk)):
        if not addresses.is_endpoint(address):
            raise BadInput(f"{where}.{lane}", f"{address!r} is no address",
                           f"tcp://HOST:PORT with a port to 65535; {addresses.HOST_FORM}")


def is_local(process: Member) -> bool:
    """Whether both lanes of a process are on this machine."""
    return addresses.on_loopback(process.urgent) and addresses.on_loopback(process.bulk)


# --- files of processes ---


def agent_file(file: AgentFile, where: str, behaviours: Collection[str]) -> None:
    """Raises: BadInput. behaviours: names of all behaviours."""
    _process(file, where)
    unreserved(file.name, f"{where}: name")
    board(file.board, f"{where}: board")
    streams(file.streams, f"{where}: streams")
    policy(file.policy, f"{where}: policy")
    check_links(file.links, where)
    if file.behaviour:
        known(file.behaviour, behaviours, f"{where}: behaviour", "behaviour")


def planner_file(file: PlannerFile, where: str) -> None:
    """Raises: BadInput."""
    _process(file, where)
    for key in file.airtimes:
        if pair_of(key) is None:
            raise BadInput(f"{where}: airtimes.{key}", "it names no pair", FORM)


def body_file(file: BodyFile, where: str) -> None:
    """Raises: BadInput."""
    _process(file, where)


def world_file(file: WorldFile, where: str, scenarios: Collection[str], kinds: Collection[str]) -> None:
    """Raises: BadInput. scenarios: names of all scenarios. kinds: all kinds of robots."""
    _process(file, where)
    known(file.scenario, scenarios, f"{where}: scenario", "scenario")
    frames = file.sense_hz / file.frame_hz
    if frames < 0.5 or abs(frames - round(frames)) > 1e-6:       # a frame is part of an observation
        raise BadInput(f"{where}: sense_hz", f"{file.sense_hz:g} is no whole multiple of frame_hz, {file.frame_hz:g}",
                       "a whole multiple, like 10 for a frame_hz of 5")
    distinct((robot.name for robot in file.robots), f"{where}: robots")
    for i, robot in enumerate(file.robots):
        at = f"{where}: robots[{i}]"
        unreserved(robot.name, f"{at}.name")
        known(robot.kind, kinds, f"{at}.kind", "kind of robot")
    if not math.isclose(file.sense_hz / file.frame_hz, max(1, round(file.sense_hz / file.frame_hz)), rel_tol=1e-6):
        raise BadInput(f"{where}: sense_hz", f"{file.sense_hz:g} is no whole multiple of frame_hz, {file.frame_hz:g}",
                       "a whole multiple: a frame is part of an observation")


def collector_file(file: CollectorFile, where: str) -> None:
    """Raises: BadInput."""
    _process(file, where)
    if not file.out:
        raise BadInput(f"{where}: out", "no folder", "the folder of the runs")
    if file.launch and (file.fleet or file.streams or file.boards):
        raise BadInput(f"{where}: launch", "a launch file, and fleet, streams or boards beside it", "one of the two")
    collected(file.fleet, file.streams, file.boards, where)


def always_there(fleets: Sequence[FleetSpec], where: str) -> None:
    """Robots on boards are started by their boards, at no time of a run. Raises: BadInput."""
    if any(fleet.joins_at_s or fleet.leaves_at_s for fleet in fleets):
        raise BadInput(f"{where}: fleet", "robots on boards join and leave by themselves", "no such times")


def collected(fleets: Sequence[FleetSpec], specs: Sequence[StreamOn], boards: Mapping[str, Board], where: str) -> None:
    """The rules for fleets, streams and boards of a collector's file. Raises: BadInput."""
    distinct((fleet.name for fleet in fleets), f"{where}: fleet")
    always_there(fleets, where)
    for name, settings in boards.items():
        board(settings, f"{where}: boards.{name}")
    for i, fleet in enumerate(fleets):
        known(fleet.board, boards, f"{where}: fleet[{i}].board", "board of this file")
    streams(specs, f"{where}: streams")
    for i, stream in enumerate(specs):
        for name in stream.on:
            known(name, [fleet.name for fleet in fleets], f"{where}: streams[{i}].on", "fleet")


def _process(file: ProcessFile, where: str) -> None:
    """The rules for the keys of all process files."""
    if not 1 <= len(file.swarm) <= SWARM_MAX or not file.swarm.isprintable():
        raise BadInput(f"{where}: swarm", f"{file.swarm[:SWARM_MAX]!r}", f"1 to {SWARM_MAX} printable characters")
    bind(file.bind, f"{where}: bind")
    if file.announce and not addresses.is_host(file.announce):
        raise BadInput(f"{where}: announce", f"{file.announce!r} is no host", addresses.HOST_FORM)
    if file.launcher is not None:
        member(file.launcher, f"{where}: launcher")
    distinct((process.name for process in file.roster), f"{where}: roster")
    for i, process in enumerate(file.roster):
        member(process, f"{where}: roster[{i}]")
    _security(file, where)


def _security(file: ProcessFile, where: str) -> None:
    """Plaintext is for this machine only, unless the file allows it in words."""
    if file.keys and file.security:
        raise BadInput(f"{where}: security", f"{file.security}, and keys beside it", "one of the two")
    if file.keys or file.security:
        return
    want = "keys: FOLDER (see `swarm keys --help`), or security: plaintext"
    if not addresses.on_loopback(file.bind):
        raise BadInput(f"{where}: bind", f"{file.bind} is beyond this machine, and there are no keys", want)
    members = {"launcher": file.launcher} if file.launcher is not None else {}
    members |= {f"roster[{i}]": process for i, process in enumerate(file.roster)}
    for key, process in members.items():
        if not is_local(process):
            raise BadInput(f"{where}: {key}", f"{process.name} is beyond this machine, and there are no keys", want)
