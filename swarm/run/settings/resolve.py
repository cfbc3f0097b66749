"""From a launch file and a command line to a run: changed, checked in full, and filled in. It reads no files itself."""

from __future__ import annotations

import copy
import re
from typing import Any

import msgspec

from sim_worlds.maps import FloorPlan
from sim_worlds.robots import KINDS, FlyingKind
from swarm.core.policy import policies
from swarm.core.policy.trace import Trace
from swarm.core.protocol.bounds import RayAddress
from swarm.core.settings import validation, yaml_text
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.run.settings import overrides
from swarm.run.settings.checks import check_boards, check_launch, kind_of, with_map
from swarm.run.settings.known import Known
from swarm.run.settings.link_checks import with_traces
from swarm.run.settings.urdf_checks import with_bodies


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
    gui: bool = False
    boards: list[str] = []           # --boards: files of boards, which hold in place of those of the same name

    def given(self) -> dict[str, Any]:
        """Keys of the launch file that have an option of their own and were given."""
        values = {"duration_s": self.duration_s, "seed": self.seed, "policy": self.policy, "clock": self.clock,
                  "network": self.network, "record": self.record}
        return {key: value for key, value in values.items() if value is not None}


OPTIONS = {"duration_s": "--duration", "seed": "--seed", "policy": "--policy", "clock": "--clock",
           "network": "--network", "record": "--record", "fleet": "--robots"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: plain data of a launch file and of the boards that hold for it, and the paths for messages."""

    path: str
    launch: Any
    boards_path: str
    boards: Any


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A run that can be started; `launch.boards` are those that the fleet uses."""

    launch: LaunchFile
    behaviour: str                   # of the robots
    kinds: dict[str, str]            # of robot, by fleet
    traces: dict[str, Trace] = {}    # of links, by path
    bodies: list[str] = []           # paths of the URDF files, whose texts the launch has
    floor: FloorPlan | None = None   # of the map, if the launch has one
    ray: str = "local"
    gui: bool = False                # show the world in a window

    def flies_bodies(self) -> bool:
        """Whether any robot is a rigid body that flies: its control has loops to compile."""
        return any(fleet.physics == "dynamic" and isinstance(KINDS[self.kinds[fleet.name]], FlyingKind)
                   for fleet in self.launch.fleet)


def resolve(options: Options, source: Source, known: Known) -> Resolved:
    """Change and check a launch file. Raises: BadInput: where, what is wrong, and what would be right.

    The file is first checked as it was written, so that a mistake in it is not blamed on the command line.
    """
    validation.check(options.ray, RayAddress, "--ray")
    where = source.path
    validation.check(source.launch, LaunchFile, where)
    boards = boards_of(source.boards, source.boards_path)
    try:
        launch = validation.check(_changed(source.launch, options), LaunchFile, where)
        check_boards(launch.boards, f"{where}: boards.")
        boards |= launch.boards
        launch, floor = with_map(launch, known, where)
        launch, bodies = with_bodies(launch, known, where)
        check_launch(launch, boards, known, where, floor)
        launch, traces = with_traces(launch, known, where)
        if launch.policy.endswith(policies.FILE):
            launch = msgspec.structs.replace(launch, policy=known.policy_file(launch.policy))
    except BadInput as error:
        raise _blamed(error, where, options) from None
    if options.gui and launch.clock == "virtual":
        raise BadInput("--gui", "in virtual time there is nothing to look at: a run ends in moments", "--clock real")
    used = {fleet.board: boards[fleet.board] for fleet in launch.fleet}
    return Resolved(
        launch=msgspec.structs.replace(launch, boards=used),
        behaviour=launch.behaviour or known.behaviour(launch.scenario),
        kinds={fleet.name: kind_of(fleet, known.kinds()) for fleet in launch.fleet}, traces=traces,
        bodies=bodies, floor=floor, ray=options.ray, gui=options.gui)


def dry_run(resolved: Resolved) -> str:
    """The launch file with all that was filled in, as YAML that `swarm launch` takes."""
    return yaml_text.dump(resolved.launch)


def _changed(raw: Any, options: Options) -> dict[str, Any]:
    """The file's plain data with the command line's changes."""
    changed = copy.deepcopy(raw)
    for assignment in options.assignments:
        overrides.apply(changed, assignment)
    changed |= options.given()
    if options.robots is not None:
        validation.check(changed, LaunchFile, options.launch)
        overrides.resize(changed, options.robots)
    return changed


def _blamed(error: BadInput, path: str, options: Options) -> BadInput:
    """The error, with the option that caused it in place of the file, if an option did."""
    key = "" if error.where == path else error.where.removeprefix(f"{path}: ")
    given = {**options.given(), **({"fleet": options.robots} if options.robots is not None else {})}
    if key in given:
        return BadInput(OPTIONS[key], error.what, error.want)
    unknown = re.search(r"unknown key '(.*)'", error.what)
    dotted = re.sub(r"\[(\d+)\]", r".\1", key)
    dotted = ".".join(filter(None, (dotted.replace(": ", "."), unknown[1] if unknown else "")))
    for assignment in options.assignments:
        target = assignment.partition("=")[0]
        if overrides.is_in(target, dotted):
            return BadInput(f"--set {assignment}" + (f": {key}" if key else ""), error.what, error.want)
    return error


def boards_of(raw: Any, where: str) -> dict[str, Board]:
    """All boards of a file, from its plain data. Raises: BadInput."""
    if not isinstance(raw, dict):
        raise BadInput(where, "not a map of boards", "NAME: {speed, memory_mb, power_w, source}")
    boards = validation.check(raw, dict[str, Board], where)
    check_boards(boards, f"{where}: ")
    return boards
