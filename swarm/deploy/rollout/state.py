"""How the boards of a fleet are now, what they logged, and their way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from swarm.core.settings import rules
from swarm.deploy.boards.answers import AgentState, Logs, Status
from swarm.deploy.boards.facts import ask
from swarm.deploy.boards.ports import NotUsable, Unreachable, keeper
from swarm.deploy.rollout.fleet import Fleet

T = TypeVar("T")
HEADINGS = ("robot", "state", "release", "wave", "provider", "on time", "peers", "temperature", "power", "last error")
AT_ONCE = 32


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One board."""

    robot: str
    state: str                       # runs | on trial | starts | stopped | not set up | not reached
    release: int = 0
    wave: int | None = None
    providers: list[str] = []        # that its models run on
    on_time: float | None = None     # share of the requests that ended in the last minute; None: there were none
    peers: int = 0                   # that its agent hears
    temperature_c: float | None = None
    rss_mb: int = 0                  # resident memory of its agent, and the budget of that; 0: not known
    memory_mb: int = 0
    power_mode: str = ""
    error: str = ""                  # the last warning or error of its agent, or why it was put back


def status(fleet: Fleet) -> list[Row]:
    """All boards, asked at the same time."""
    def one(robot: str) -> Row:
        try:
            return _asked(fleet, robot)
        except (Unreachable, NotUsable) as error:
            return Row(robot=robot, state="not reached", error=str(error))

    return list(_all(fleet, fleet.inventory.robots(), one).values())


def _asked(fleet: Fleet, robot: str) -> Row:
    """One board, by one command if it was set up. Raises: Unreachable, NotUsable."""
    board = fleet.board(robot)
    try:
        said = keeper(board, "status", Status)
    except NotUsable:                                # perhaps it has no keeper
        facts = ask(board)
        if facts.keeper:
            raise
        return Row(robot=robot, state="not set up", power_mode=facts.power_mode)
    if not said.name:
        return Row(robot=robot, state="not set up", power_mode=said.power_mode)
    return _row(robot, fleet.inventory.at[robot].wave, said)


def _row(robot: str, wave: int | None, said: Status) -> Row:
    told, last = said.agent, said.last
    alive = told is not None and str(told.pid) == said.units.get("swarm-agent.service", {}).get("MainPID")
    agent = told if told is not None and alive else AgentState()
    back = f"release {last.release} was put back: {last.gate}: {last.why}" \
        if last.outcome != "accepted" and last.gate else ""
    nonsense = "what its agent tells of itself makes no sense" if told is None and said.processes.get("agent") else ""
    return Row(
        robot=robot, state=_state(said), release=said.current, wave=wave,
        providers=sorted({model.provider for model in agent.models}),
        on_time=agent.on_time / agent.ended if agent.ended else None, peers=agent.peers,
        temperature_c=agent.temperature_c, rss_mb=agent.rss_mb, memory_mb=agent.memory_mb,
        power_mode=said.power_mode, error=agent.error or nonsense or back)


def _state(said: Status) -> str:
    """The state of a board's processes together."""
    states = {unit.get("ActiveState") for unit in said.units.values()}
    if said.trial:
        return "on trial"
    return "runs" if states == {"active"} else "starts" if "activating" in states else "stopped"


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table."""
    return (
        row.robot, row.state, str(row.release or "-"), str(row.wave or "-"), ", ".join(row.providers) or "-",
        "-" if row.on_time is None else f"{row.on_time:.1%}", str(row.peers),
        "-" if row.temperature_c is None else f"{row.temperature_c:.0f} °C", row.power_mode or "-", row.error or "-")


def logs(fleet: Fleet, robots: Sequence[str], lines: int, where: str) -> dict[str, list[str] | None]:
    """The last lines of each board, oldest first; None: it was not reached. Raises: BadInput for an unknown robot."""
    def one(robot: str) -> list[str] | None:
        try:
            return keeper(fleet.board(robot), "logs", Logs, {"lines": lines}).lines
        except (Unreachable, NotUsable):
            return None

    return _all(fleet, _named(fleet, robots, where), one)


def rollback(fleet: Fleet, robots: Sequence[str], where: str) -> dict[str, tuple[int, str]]:
    """Put the previous release of each board on trial: its number, or why not. Raises: BadInput."""
    def one(robot: str) -> tuple[int, str]:
        try:
            return keeper(fleet.board(robot), "switch", Status, {"release": 0}).trial, ""
        except (Unreachable, NotUsable) as error:
            return 0, str(error)

    with fleet.locked():
        return _all(fleet, _named(fleet, robots, where), one)


def _named(fleet: Fleet, robots: Sequence[str], where: str) -> list[str]:
    for robot in robots:
        rules.known(robot, fleet.inventory.robots(), where, "robot of the fleet")
    return list(robots) or fleet.inventory.robots()


def _all(fleet: Fleet, robots: Sequence[str], act: Callable[[str], T]) -> dict[str, T]:
    """Act on boards at the same time."""
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(robots, pool.map(act, robots), strict=True))
    finally:
        fleet.close()
