"""Inventories: the fleet and the streams of a launch file, and for each robot its address, login, board and wave."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from models import profiles, store
from swarm import settings_files
from swarm.core.policy import policies
from swarm.core.protocol.bounds import Name, Seed
from swarm.core.settings import addresses, rules
from swarm.core.settings.boards import Board, Strict
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, PlannerSpec, StreamOn, Variants
from swarm.deploy.targets import TARGETS
from swarm.run.settings.resolve import boards_of

Port = Annotated[int, Meta(ge=1, le=65_500)]
Wave = Annotated[int, Meta(ge=1, le=1000)]
MORE_PORTS = 40                      # that the processes of a board may use, beyond its own
SHARES = (0.25, 0.5, 1.0)            # of the boards that are left, after the first board
BODIES = ("", "recorded")
LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


class BoardAt(Strict, frozen=True, kw_only=True):
    """Where one robot's board is, and how to log in."""

    address: str                     # a name or a number; names are resolved anew when they are needed
    login: str = ""                  # of ssh, with sudo without a password; empty: that of ssh's own settings
    ssh_port: Port = 22
    port: Port = 7400                # of its processes: this one, and the next 40
    board: str = ""                  # another class of computer than that of its fleet
    target: str = ""                 # empty: as the board says
    wave: Wave | None = None         # boards of a lower wave are updated first; None: by shares
    body: str = ""                   # `recorded`: frames of the inventory's `recording`; empty: none


class TrialSpec(Strict, frozen=True, kw_only=True):
    """How long a release is on trial."""

    ready_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 90.0        # until its processes must be ready
    healthy_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 20.0      # for which they must stay healthy after that
    p95_factor: Annotated[float, Meta(ge=1.0, le=100.0)] = 1.5       # runs may take so much longer than profiled
    peers: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5              # of those that the release before heard; 0: none


class PlacedSpec(Strict, frozen=True, kw_only=True):
    """The robots that planner, standby and collector run on; empty: nowhere, but for the planner."""

    planner: str = ""                # empty: the first carrier, else the first robot
    standby: str = ""
    collector: str = ""


class Inventory(Strict, frozen=True, kw_only=True):
    """A fleet of real boards."""

    version: Literal[1]
    swarm: Name                      # the name of the swarm
    fleet: list[FleetSpec]
    streams: list[StreamOn]
    at: dict[str, BoardAt]           # by robot
    policy: str = "planner"
    behaviour: str = ""              # of robots with a body that moves
    planner: PlannerSpec = PlannerSpec()
    placed: PlacedSpec = PlacedSpec()
    boards: dict[str, Board] = {}    # in addition to those of boards.yaml
    variants: Variants = {}          # the variants of a model that may run; of a model that is not named all
    recording: str = ""              # NAME.npz of a run with `record: true`, for bodies that are `recorded`
    wheels: str = ""                 # a folder of wheels to take first; empty: only the package index
    runtimes: str = ""               # a folder of wheels of Jetson's GPU runtimes, which the package index lacks
    trial: TrialSpec = TrialSpec()
    seed: Seed = 0

    def robots(self) -> list[str]:
        return [robot for fleet in self.fleet for robot in fleet.robots()]

    def fleet_of(self, robot: str) -> FleetSpec:
        return next(fleet for fleet in self.fleet if robot in fleet.robots())

    def board_of(self, robot: str) -> str:
        return self.at[robot].board or self.fleet_of(robot).board

    def planner_on(self) -> str:
        """The robot that the planner runs on: the first of a fleet without streams, else of the last fleet."""
        if self.placed.planner:
            return self.placed.planner
        used = {name for stream in self.streams for name in stream.on}
        carriers = [fleet for fleet in self.fleet if fleet.name not in used] or [
            fleet for fleet in self.fleet if "carrier" in fleet.name] or self.fleet[:1]
        return carriers[0].robots()[0]


class Read(Strict, frozen=True, kw_only=True):
    """An inventory with what belongs to it."""

    path: str
    inventory: Inventory
    boards: dict[str, Board]         # those that the fleet uses

    @property
    def folder(self) -> Path:
        """Where the operator's side of the fleet is kept, beside the inventory."""
        path = Path(self.path)
        return path.with_name(f"{path.stem}.fleet")

    def beside(self, name: str) -> Path:
        """A path of the inventory."""
        return Path(self.path).parent / name


def read(path: Path, boards_path: Path, models: Collection[str]) -> Read:
    """An inventory, checked. models: that are installed. Raises: BadInput."""
    where = str(path)
    inventory = settings_files.read(path, Inventory)
    boards = boards_of(settings_files.load(boards_path), str(boards_path)) | inventory.boards
    check(inventory, boards, models, where)
    for key, is_there, kind in (("wheels", Path.is_dir, "folder"), ("runtimes", Path.is_dir, "folder"),
                                ("recording", Path.is_file, "file")):
        name = getattr(inventory, key)
        at = path.parent / name
        if name and not is_there(at):
            raise BadInput(f"{where}: {key}", f"{name} is {f'no {kind}' if at.exists() else 'not there'}",
                           f"a {kind} by its path from the inventory's folder")
    used = {inventory.board_of(robot): boards[inventory.board_of(robot)] for robot in inventory.robots()}
    for name, board in used.items():
        if board.emulated and "cpu" not in board.providers:
            raise BadInput(f"{where}: boards.{name}", f"its models would run on the CPU, since {name} is emulated",
                           f"{name} in `boards` of this file, with emulated: false")
        _check_variants(inventory.variants, name, board, where)
    return Read(path=where, inventory=inventory, boards=used)


def check(inventory: Inventory, boards: dict[str, Board], models: Collection[str], where: str) -> None:
    """The rules beyond the range of one value. Raises: BadInput."""
    robots = inventory.robots()
    if not robots:
        raise BadInput(f"{where}: fleet", "there is no robot", "one fleet at least")
    rules.distinct((fleet.name for fleet in inventory.fleet), f"{where}: fleet")
    rules.always_there(inventory.fleet, where)
    for i, fleet in enumerate(inventory.fleet):
        rules.unreserved(fleet.name, f"{where}: fleet[{i}].name")
    for robot in inventory.at:
        rules.known(robot, robots, f"{where}: at", "robot of the fleet")
    if missing := [robot for robot in robots if robot not in inventory.at]:
        raise BadInput(f"{where}: at", f"{missing[0]} has no address", f"{missing[0]}: {{address: HOST}}")
    _check_streams(inventory, models, where)
    rules.policy(inventory.policy, f"{where}: policy")
    rules.in_real_time(inventory.policy, f"{where}: policy")
    if inventory.policy.endswith(policies.FILE):
        raise BadInput(f"{where}: policy", f"{inventory.policy} is a file, which no board has", "a policy by its name")
    for key in ("planner", "standby", "collector"):
        if name := getattr(inventory.placed, key):
            rules.known(name, robots, f"{where}: placed.{key}", "robot of the fleet")
    if inventory.placed.standby and inventory.placed.standby == inventory.planner_on():
        raise BadInput(f"{where}: placed.standby", f"the planner runs on {inventory.placed.standby}, too",
                       "another robot: both would be lost together")
    _check_addresses(inventory, boards, where)


def _check_streams(inventory: Inventory, models: Collection[str], where: str) -> None:
    rules.streams(inventory.streams, f"{where}: streams")
    used = sorted({stream.model for stream in inventory.streams})
    for model in inventory.variants:
        rules.known(model, used, f"{where}: variants", "model of a stream")
    fleets = [fleet.name for fleet in inventory.fleet]
    for i, stream in enumerate(inventory.streams):
        rules.known(stream.model, models, f"{where}: streams[{i}].model", "model")
        for name in stream.on:
            rules.known(name, fleets, f"{where}: streams[{i}].on", "fleet")


def _check_variants(variants: Variants, name: str, board: Board, where: str) -> None:
    """What an agent on such a board would refuse at its start. Raises: BadInput."""
    for model, wanted in variants.items():
        try:
            card = store.load_card(model)
            times = {key: card.variants[key].run_time for key in profiles.runnable(card, board.providers)}
            profiles.check_wanted(wanted, card, times, name)
        except BadInput as error:
            raise BadInput(f"{where}: {error.where}", error.what, error.want) from None


def _check_addresses(inventory: Inventory, boards: dict[str, Board], where: str) -> None:
    by_login: dict[tuple[str, int], str] = {}
    by_host: dict[str, list[str]] = {}
    for robot, at in inventory.at.items():
        key = f"{where}: at.{robot}"
        if not addresses.is_host(at.address):
            raise BadInput(f"{key}.address", f"{at.address!r} is no address", addresses.HOST_FORM)
        host = at.address.lower().rstrip(".")
        other = by_login.setdefault((host, at.ssh_port), robot)
        if other != robot:
            raise BadInput(f"{key}.address", f"{other} has the address {at.address}, too", "an address of its own")
        for other in by_host.setdefault(host, []):   # boards behind one address, whose ports are forwarded
            if abs(inventory.at[other].port - at.port) <= MORE_PORTS:
                raise BadInput(f"{key}.port", f"{at.port} and the next {MORE_PORTS} are also those of {other}",
                               f"ports that are {MORE_PORTS + 1} apart at least")
        by_host[host].append(robot)
        rules.known(inventory.board_of(robot), boards, f"{key}.board", "board")
        if at.target:
            rules.known(at.target, TARGETS, f"{key}.target", "target")
        rules.known(at.body or "recorded", BODIES, f"{key}.body", "body")
        if at.body and not inventory.recording:
            raise BadInput(f"{key}.body", "there is no recording", "recording: NAME.npz of a run with `record: true`")
        if at.login and LOGIN.fullmatch(at.login) is None:
            raise BadInput(f"{key}.login", f"{at.login!r} is no login", "the name of a user on the board")
