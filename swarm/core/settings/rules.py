"""What settings may say beyond their types: names, numbers that make sense, addresses. Every rule names file and key.

Launch files and the files of single processes obey the same rules, so that a mistake is told where it was made.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from swarm.core.policy.plan import StreamSpec
from swarm.core.policy.route import POLICIES, split_into
from swarm.core.protocol.messages import Member
from swarm.core.settings.cards import PRECISIONS
from swarm.core.settings.config import (
    RESERVED,
    AgentFile,
    Board,
    CollectorFile,
    FleetSpec,
    PlannerFile,
    ProcessFile,
    StreamOn,
    WorldFile,
)
from swarm.core.settings.errors import BadInput

NAME_MAX = 64                        # of a process: a fleet's name and a number
FLEET_NAME_MAX = 48
SWARM_MAX = 128
EMULATED_SPEED_MAX = 0.5             # so that the host keeps up with what it pretends to be
SPEED_MIN, SPEED_MAX = 1e-3, 1e3
EXECUTORS_MAX = 64
THREADS_MAX = 64
BUSY_POLL_S_MAX = 0.01
MEMORY_MB_MAX, POWER_W_MAX = 10_000_000, 1e6
RATE_HZ_MIN, RATE_HZ_MAX = 1e-3, 240.0       # once in a quarter of an hour; every step of the world
DEADLINE_S_MAX = 3600.0
PRIORITY_MAX = 1000
SEED_MAX = 2**63 - 1
ROLES = ("agent", "planner", "world", "launcher", "collector")
RAY = re.compile(r"local|none|(ray://)?[\w.-]+:\d{1,5}")
HOST = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9._-]{0,252})")
ADDRESS = re.compile(r"tcp://([^:/]+):(\d{1,5})")


# --- words and numbers ---


def known(name: str, names: Collection[str], where: str, what: str) -> None:
    """Raises: BadInput with the nearest of `names` unless `name` is one of them."""
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = f"known: {', '.join(sorted(names)) or 'none'}"
    raise BadInput(where, f"no {what} is called {name!r}", f"did you mean {near[0]!r}? {listed}" if near else listed)


def named(name: str, where: str, longest: int = NAME_MAX) -> None:
    """Raises: BadInput unless it is a name: of a file and an address, and told apart at sight."""
    if len(name) > longest or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise BadInput(where, f"{name[:2 * NAME_MAX]!r} is no name",
                       f"a letter, then up to {longest - 1} letters, digits, _ or -")


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


def positive(value: float, where: str, most: float = math.inf, least: float = 0.0) -> None:
    """Raises: BadInput unless 0 < value < infinity and least <= value <= most. Whole numbers may have any size."""
    if not 0 < value < math.inf:
        raise BadInput(where, f"{_shown(value)} is not a positive number", "a number above 0")
    within(value, where, least, most)


def within(value: float, where: str, least: float, most: float) -> None:
    """Raises: BadInput unless least <= value <= most."""
    if not least <= value <= most:
        if value < least:
            raise BadInput(where, f"{_shown(value)} is too small", f"at least {least:g}")
        raise BadInput(where, f"{_shown(value)} is too large", f"at most {most:g}")


def seed(value: int, where: str) -> None:
    """Raises: BadInput."""
    if value < 0:
        raise BadInput(where, f"{_shown(value)} is negative", "a whole number from 0 on")
    within(value, where, 0, SEED_MAX)


def policy(given: str, where: str) -> None:
    """Raises: BadInput."""
    if given.partition(":")[0] == "split" and not split_into(given):
        raise BadInput(where, f"{given[:NAME_MAX]!r} is no way to split", "split:N, with N from 2 to 8 agents")
    if not split_into(given):
        known(given, (*POLICIES, "split:N"), where, "policy")


def _shown(value: float) -> str:
    """A number for people; whole ones may be longer than any line."""
    return f"{value:g}" if isinstance(value, float) or abs(value) < 10**300 else "a number of over 300 digits"


# --- what they make up ---


def board(given: Board, where: str) -> None:
    """Raises: BadInput. where: file and key of the board, to which `.speed` and the like are added."""
    positive(given.memory_mb, f"{where}.memory_mb", MEMORY_MB_MAX)
    positive(given.power_w, f"{where}.power_w", POWER_W_MAX)
    positive(given.executors, f"{where}.executors", EXECUTORS_MAX)
    positive(given.threads, f"{where}.threads", THREADS_MAX)
    if not 0.0 <= given.busy_poll_s <= BUSY_POLL_S_MAX:
        raise BadInput(f"{where}.busy_poll_s", f"{given.busy_poll_s:g} is no time to look for messages",
                       f"0 to {BUSY_POLL_S_MAX:g}")
    for precision in PRECISIONS:
        at, speed = f"{where}.speed.{precision}", given.speed.get(precision, 0.0)
        positive(speed, at, SPEED_MAX, SPEED_MIN)
        if given.emulated and speed > EMULATED_SPEED_MAX:
            raise BadInput(at, f"{speed:g} for an emulated board",
                           f"at most {EMULATED_SPEED_MAX:g}, or this host cannot keep up with it")


def streams(given: Sequence[StreamSpec | StreamOn], where: str) -> None:
    """Raises: BadInput."""
    distinct((stream.name for stream in given), where)
    for i, stream in enumerate(given):
        at = f"{where}[{i}]"
        named(stream.name, f"{at}.name", FLEET_NAME_MAX)
        unreserved(stream.name, f"{at}.name")
        positive(stream.rate_hz, f"{at}.rate_hz", RATE_HZ_MAX, RATE_HZ_MIN)
        positive(stream.deadline_s, f"{at}.deadline_s", DEADLINE_S_MAX)
        within(stream.priority, f"{at}.priority", -PRIORITY_MAX, PRIORITY_MAX)


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
    ray(given.ray, f"{where}: ray")
    for key, value in (("lease_s", given.lease_s), ("every_s", given.every_s)):
        positive(value, f"{where}: {key}", 3600.0, 0.05)


def world_file(given: WorldFile, where: str, scenarios: Collection[str], kinds: Collection[str]) -> None:
    """Raises: BadInput. scenarios, kinds: those that there are, of robots."""
    _process(given, where)
    known(given.scenario, scenarios, f"{where}: scenario", "scenario")
    distinct((robot.name for robot in given.robots), f"{where}: robots")
    for i, robot in enumerate(given.robots):
        at = f"{where}: robots[{i}]"
        named(robot.name, f"{at}.name")
        unreserved(robot.name, f"{at}.name")
        known(robot.kind, kinds, f"{at}.kind", "kind of robot")
    for key, value in (("frame_hz", given.frame_hz), ("sense_hz", given.sense_hz)):
        positive(value, f"{where}: {key}", RATE_HZ_MAX, RATE_HZ_MIN)


def collector_file(given: CollectorFile, where: str) -> None:
    """Raises: BadInput."""
    _process(given, where)
    if not given.out:
        raise BadInput(f"{where}: out", "no folder", "the folder that the run is written into")
    if given.launch and (given.fleet or given.streams or given.boards):
        raise BadInput(f"{where}: launch", "a launch file, and fleet, streams or boards beside it", "one of the two")
    if given.drain_s is not None:
        within(given.drain_s, f"{where}: drain_s", 0.0, DEADLINE_S_MAX)
    collected(given.fleet, given.streams, given.boards, where)


def collected(
    fleet: Sequence[FleetSpec], given: Sequence[StreamOn], boards: Mapping[str, Board], where: str
) -> None:
    """What a collector counts makes sense. Raises: BadInput."""
    distinct((one.name for one in fleet), f"{where}: fleet")
    for name, one in boards.items():
        board(one, f"{where}: boards: {name}")
    for i, one in enumerate(fleet):
        known(one.board, boards, f"{where}: fleet[{i}].board", "board of this file")
    streams(given, f"{where}: streams")
    for i, stream in enumerate(given):
        for name in stream.on:
            known(name, [one.name for one in fleet], f"{where}: streams[{i}].on", "fleet")


def ray(given: str, where: str) -> None:
    """Raises: BadInput unless it says which Ray, if any."""
    if not RAY.fullmatch(given):
        raise BadInput(where, f"{given!r} is no address of a cluster", "local, none, or HOST:PORT")


def _process(given: ProcessFile, where: str) -> None:
    """What the file of every process says of the process and of others."""
    named(given.name, f"{where}: name")
    if not 1 <= len(given.swarm) <= SWARM_MAX or not given.swarm.isprintable():
        raise BadInput(f"{where}: swarm", f"{given.swarm[:SWARM_MAX]!r}", f"1 to {SWARM_MAX} printable characters")
    seed(given.seed, f"{where}: seed")
    bind(given.bind, f"{where}: bind")
    if given.launcher is not None:
        member(given.launcher, f"{where}: launcher")
    distinct((one.name for one in given.roster), f"{where}: roster")
    for i, one in enumerate(given.roster):
        member(one, f"{where}: roster[{i}]")
    _security(given, where)


def _security(given: ProcessFile, where: str) -> None:
    """Plaintext stays on this machine, unless the file says so in words."""
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
