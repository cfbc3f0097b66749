"""From a launch file and a command line to what will run: checked in full before anything is started."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.protocol.bounds import RayAddress
from swarm.core.settings import checking, reading
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.launcher import find
from swarm.run.settings import overrides
from swarm.run.settings.checks import check_boards, check_launch


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `swarm launch` takes; None leaves the launch file's value."""

    launch: str                      # name or path
    assignments: list[str] = []      # --set
    robots: int | None = None
    duration_s: float | None = None
    seed: int | None = None
    policy: str | None = None
    clock: str | None = None
    network: str | None = None
    record: bool | None = None
    ray: str = "local"

    def given(self) -> dict[str, Any]:
        """Keys of the launch file that have an option of their own and were given."""
        values = {"duration_s": self.duration_s, "seed": self.seed, "policy": self.policy, "clock": self.clock,
                  "network": self.network, "record": self.record}
        return {key: value for key, value in values.items() if value is not None}


OPTIONS = {"duration_s": "--duration", "seed": "--seed", "policy": "--policy", "clock": "--clock",
           "network": "--network", "record": "--record", "fleet": "--robots"}


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A run that can be started; `launch.boards` are those that the fleet uses."""

    launch: LaunchFile
    ray: str = "local"


def resolve(options: Options) -> Resolved:
    """Find, change and check a launch file. Raises: BadInput: where, what is wrong, and what would be right.

    The file is checked as it stands first, so that a mistake in it is not blamed on the command line.
    """
    checking.check(options.ray, RayAddress, "--ray")
    path = find.launch_file(options.launch)
    raw = reading.load(path)
    checking.check(raw, LaunchFile, str(path))
    boards = read_boards(find.boards_file(path))
    try:
        launch = checking.check(_changed(raw, options), LaunchFile, str(path))
        check_boards(launch.boards, f"{path}: boards.")
        boards |= launch.boards
        check_launch(launch, boards, str(path))
    except BadInput as error:
        raise _blamed(error, str(path), options) from None
    used = {fleet.board: boards[fleet.board] for fleet in launch.fleet}
    return Resolved(launch=msgspec.structs.replace(launch, boards=used), ray=options.ray)


def dry_run(resolved: Resolved) -> str:
    """The launch file with all that was filled in, as YAML that `swarm launch` takes."""
    return reading.dump(resolved.launch)


def _changed(raw: Any, options: Options) -> dict[str, Any]:
    """The file's plain data with the command line's changes."""
    changed = copy.deepcopy(raw)
    for assignment in options.assignments:
        overrides.apply(changed, assignment)
    changed |= options.given()
    if options.robots is not None:
        checking.check(changed, LaunchFile, options.launch)
        overrides.resize(changed, options.robots)
    return changed


def _blamed(error: BadInput, path: str, options: Options) -> BadInput:
    """The error, said of the option that caused it, if one did."""
    key = "" if error.where == path else error.where.removeprefix(f"{path}: ")
    given = {**options.given(), **({"fleet": options.robots} if options.robots is not None else {})}
    if key in given:
        return BadInput(OPTIONS[key], error.what, error.want)
    unknown = re.search(r"unknown key '(.*)'", error.what)
    dotted = re.sub(r"\[(\d+)\]", r".\1", key)
    dotted = ".".join(filter(None, (dotted.replace(": ", "."), unknown[1] if unknown else "")))
    for assignment in options.assignments:
        target = assignment.partition("=")[0]
        if f"{target}.".startswith(f"{dotted}.") or f"{dotted}.".startswith(f"{target}."):
            return BadInput(f"--set {assignment}" + (f": {key}" if key else ""), error.what, error.want)
    return error


def read_boards(path: Path) -> dict[str, Board]:
    """All boards of a file. Raises: BadInput."""
    raw = reading.load(path)
    if not isinstance(raw, dict):
        raise BadInput(str(path), "not a map of boards", "NAME: {speed, memory_mb, power_w, source}")
    boards = checking.check(raw, dict[str, Board], str(path))
    check_boards(boards, f"{path}: ")
    return boards
