"""Rules for settings that no range of one value can say: names that exist, distinct names, addresses, security.

Ranges and patterns are in the types (protocol/bounds.py). Launch files and process files obey the same rules, so that
a mistake is told where it was made. Every error names file and key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from swarm.core.policy import policies
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.bounds import NAME_MAX, Name
from swarm.core.protocol.messages import Member
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import PRECISIONS
from swarm.core.settings.checking import check, nearest
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, StreamOn
from swarm.core.settings.process_files import AgentFile, CollectorFile, PlannerFile, ProcessFile, WorldFile

RESERVED = ("world", "planner", "launcher", "collector")
SWARM_MAX = 128
EMULATED_SPEED_MAX = 0.5             # so that the host keeps up with the board that it emulates
ROLES = ("agent", "planner", "world", "launcher", "collector")
HOST = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")
ADDRESS = re.compile(r"tcp://([^:/]+):(\d{1,5})")


# --- names ---


def known(name: str, names: Collection[str], where: str, what: str) -> None:
    """Raises: BadInput with the nearest of `names` unless `name` is one of them."""
    if name in names:
        return
    raise BadInput(where, f"no {what} is called {name!r}", nearest(name, sorted(names), "known"))


def named(name: str, where: str) -> None:
    """Raises: BadInput unless it is a name that files and addresses can have."""
    check(name, Name, where)


def unreserved(name: str, where: str) -> None:
    """Raises: BadInput for the name of a process that is there once."""
    if name in RESERVED:
        raise BadInput(where, f"{name!r} is reserved", f"a name other than {', '.join(RESERVED)}")


def distinct(names: Iterable[str], where: str) -> None:
    """Raises: BadInput for the second of two equal names."""
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise BadInput(f"{where}[{i}].name", f"{name!r} is there already", "a name of its own")
        seen.add(name)


def policy(given: str, where: str) -> None:
    """Raises: BadInput."""
    if given.partition(":")[0] not in policies.available():
        known(given, policies.usages(), where, "policy")
    try:
        policies.load(given)
    except ValueError as error:
        raise BadInput(where, f"{given[:NAME_MAX]!r} is no policy", str(error)) from None


# --- boards, streams, addresses ---


def board(given: Board, where: str) -> None:
    """Raises: BadInput. where: file and key of the board, to which `.speed` and the like are added."""
    for precision in PRECISIONS:
        at = f"{where}.speed.{precision}"
        if precision not in given.speed:
            raise BadInput(at, "it is missing", f"a speed for each of {', '.join(PRECISIONS)}")
        if given.emulated and given.speed[precision] > EMULATED_SPEED_MAX:
            raise BadInput(at, f"{given.speed[precision]:g} for an emulated board",
                           f"at most {EMULATED_SPEED_MAX:g}, or this host cannot keep up with it")


def streams(given: Sequence[StreamSpec | StreamOn], where: str) -> None:
    """Raises: BadInput."""
    distinct((stream.name for stream in given), where)
    for i, stream in enumerate(given):
        unreserved(stream.name, f"{where}[{i}].name")


def bind(given: str, where: str) -> None:
    """HOST or HOST:PORT; the bulk lane takes the port after. Raises: BadInput."""
    host, colon, port = given.partition(":")
    if not HOST.fullmatch(host) or (colon and not _port(port, 65_534)):
        raise BadInput(where, f"{given!r} is no address", "HOST, or HOST:PORT with a port from 1 to 65534")


def member(given: Member, where: str) -> None:
    """A process and its addresses. Raises: BadInput."""
    named(given.name, f"{where}.name")
    known(given.role, ROLES, f"{where}.role", "role")
    for lane, address in (("urgent", given.urgent), ("bulk", given.bulk)):
        match = ADDRESS.fullmatch(address)
        if match is None or not HOST.fullmatch(match[1]) or match[1] == "*" or not _port(match[2], 65_535):
            raise BadInput(f"{where}.{lane}", f"{address!r} is no address", "tcp://HOST:PORT with a port to 65535")


def on_loopback(host: str) -> bool:
    """Whether what is sent to this host, or received on this address, stays on this machine."""
    return host == "localhost" or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host) is not None


def stays_here(given: Member) -> bool:
    """Whether both lanes of a process are on this machine."""
    return all(on_loopback(address.removeprefix("tcp://").partition(":")[0]) for address in (given.urgent, given.bulk))


def _port(digits: str, most: int) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", digits) is not None and 1 <= int(digits) <= most


# --- files of processes ---


def agent_file(given: AgentFile, where: str, behaviours: Collection[str]) -> None:
    """Raises: BadInput. behaviours: those that there are."""
    _process(given, where)
    unreserved(given.name, f"{where}: name")
    board(given.board, f"{where}: board")
    streams(given.streams, f"{where}: streams")
    policy(given.policy, f"{where}: policy")
    if given.behaviour:
        known(given.behaviour, behaviours, f"{where}: behaviour", "behaviour")


def planner_file(given: PlannerFile, where: str) -> None:
    """Raises: BadInput."""
    _process(given, where)


def world_file(given: WorldFile, where: str, scenarios: Collection[str], kinds: Collection[str]) -> None:
    """Raises: BadInput. scenarios, kinds: those that there are, of robots."""
    _process(given, where)
    known(given.scenario, scenarios, f"{where}: scenario", "scenario")
    distinct((robot.name for robot in given.robots), f"{where}: robots")
    for i, robot in enumerate(given.robots):
        at = f"{where}: robots[{i}]"
        unreserved(robot.name, f"{at}.name")
        known(robot.kind, kinds, f"{at}.kind", "kind of robot")


def collector_file(given: CollectorFile, where: str) -> None:
    """Raises: BadInput."""
    _process(given, where)
    if not given.out:
        raise BadInput(f"{where}: out", "no folder", "the folder that the run is written into")
    if given.launch and (given.fleet or given.streams or given.boards):
        raise BadInput(f"{where}: launch", "a launch file, and fleet, streams or boards beside it", "one of the two")
    collected(given.fleet, given.streams, given.boards, where)


def collected(
    fleet: Sequence[FleetSpec], given: Sequence[StreamOn], boards: Mapping[str, Board], where: str
) -> None:
    """The rules for what a collector counts. Raises: BadInput."""
    distinct((one.name for one in fleet), f"{where}: fleet")
    for name, one in boards.items():
        board(one, f"{where}: boards.{name}")
    for i, one in enumerate(fleet):
        known(one.board, boards, f"{where}: fleet[{i}].board", "board of this file")
    streams(given, f"{where}: streams")
    for i, stream in enumerate(given):
        for name in stream.on:
            known(name, [one.name for one in fleet], f"{where}: streams[{i}].on", "fleet")


def _process(given: ProcessFile, where: str) -> None:
    """The rules for what every process file says."""
    if not 1 <= len(given.swarm) <= SWARM_MAX or not given.swarm.isprintable():
        raise BadInput(f"{where}: swarm", f"{given.swarm[:SWARM_MAX]!r}", f"1 to {SWARM_MAX} printable characters")
    bind(given.bind, f"{where}: bind")
    if given.launcher is not None:
        member(given.launcher, f"{where}: launcher")
    distinct((one.name for one in given.roster), f"{where}: roster")
    for i, one in enumerate(given.roster):
        member(one, f"{where}: roster[{i}]")
    _security(given, where)


def _security(given: ProcessFile, where: str) -> None:
    """Plaintext is for this machine only, unless the file allows it in words."""
    if given.keys and given.security:
        raise BadInput(f"{where}: security", f"{given.security}, and keys beside it", "one of the two")
    if given.keys or given.security:
        return
    want = "keys: FOLDER (see `swarm keys --help`), or security: plaintext"
    if not on_loopback(given.bind.partition(":")[0]):
        raise BadInput(f"{where}: bind", f"{given.bind} is beyond this machine, and there are no keys", want)
    away = {"launcher": given.launcher} if given.launcher is not None else {}
    away |= {f"roster[{i}]": one for i, one in enumerate(given.roster)}
    for key, one in away.items():
        if not stays_here(one):
            raise BadInput(f"{where}: {key}", f"{one.name} is beyond this machine, and there are no keys", want)
