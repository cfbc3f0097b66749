"""The configuration of each board: the files of its processes, its systemd units, its models, the rules of a trial."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from models import store, tasks
from swarm.core.policy import policies
from swarm.core.protocol.messages import Member
from swarm.core.settings import addresses, yaml_text
from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile, BodyFile, CollectorFile, PlannerFile, ProcessFile
from swarm.deploy.inventory import Inventory, Read
from swarm.launcher import find
from swarm.net import mdns
from swarm.run.settings.process_specs import camera_hz

HOME = "/opt/swarm/current/config"
KEYS = "/var/lib/swarm/keys"
RUNS = "/var/lib/swarm/runs"
PORTS = {"agent": 0, "planner": 10, "collector": 20, "body": 30}     # beyond the board's port; bulk: the next one
MEMORY_SHARE = 0.8                   # of a board's memory, for our processes; more would starve its system
AGENT_SHARE = 0.5                    # of that, at least, for the agent, whatever else may run beside it
OVER_BUDGET = 1.05                   # where systemd ends the agent: it unloads models at its budget, which is less
OTHERS_MB = {"planner": 1024, "collector": 1024, "body": 512}
ENGINES_S = 1800                     # until a board with TensorRT is ready: it may build engines


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A process on a board."""

    name: str
    role: str                        # agent | planner | collector | body
    robot: str                       # whose board it is


def places(inventory: Inventory) -> list[Place]:
    """All processes of the fleet."""
    found = [Place(name=robot, role="agent", robot=robot) for robot in inventory.robots()]
    if policies.load(inventory.policy).uses_plan:
        found.append(Place(name="planner", role="planner", robot=inventory.planner_on()))
        if inventory.placed.standby:
            found.append(Place(name="standby", role="planner", robot=inventory.placed.standby))
    if inventory.placed.collector:
        found.append(Place(name="collector", role="collector", robot=inventory.placed.collector))
    found += [Place(name=body_of(robot), role="body", robot=robot) for robot, at in inventory.at.items() if at.body]
    return found


def body_of(robot: str) -> str:
    return f"{robot}-body"


def role_of(place: Place) -> str:
    """The role of a process in the swarm, as the others know it and its key says."""
    return "world" if place.role == "body" else place.role


def member(inventory: Inventory, place: Place) -> Member:
    """A process as the others find it."""
    at = inventory.at[place.robot]
    host = "127.0.0.1" if place.role == "body" else at.address
    port = at.port + PORTS[place.role]
    return Member(name=place.name, role=role_of(place),
                  urgent=f"tcp://{host}:{port}", bulk=f"tcp://{host}:{port + 1}")


def on_board(read: Read, robot: str) -> list[Place]:
    return [place for place in places(read.inventory) if place.robot == robot]


def parts_of(read: Read, robot: str) -> list[str]:
    """The parts of the runtime that a board needs."""
    roles = {place.role for place in on_board(read, robot)}
    by_name = any(mdns.is_local(at.address) for at in read.inventory.at.values())
    return ["agent", *(["names"] if by_name else []), *(part for part in ("planner", "collector") if part in roles)]


def files_of(read: Read, robot: str) -> dict[str, bytes]:
    """The files of a board's configuration by path. Raises: BadInput."""
    found: dict[str, bytes] = {}
    for place in on_board(read, robot):
        settings = _settings(read, place)
        found[f"{place.role}.yaml"] = yaml_text.dump(settings).encode()
        found[f"units/swarm-{place.role}.service"] = _unit(read, place).encode()
    found |= _models(read.inventory)
    if read.inventory.at[robot].body:
        found["recording.npz"] = read.beside(read.inventory.recording).read_bytes()
    found["trial.json"] = json.dumps(_rules(read, robot), sort_keys=True).encode()
    return found


def agent_mb(read: Read, robot: str) -> int:
    """The memory that an agent may use of its board's (2**20 bytes each); 0: not known."""
    all_mb = read.boards[read.inventory.board_of(robot)].memory_mb * MEMORY_SHARE
    others_mb = sum(OTHERS_MB.get(place.role, 0) for place in on_board(read, robot))
    return round(max(all_mb - others_mb, all_mb * AGENT_SHARE))


def _settings(read: Read, place: Place) -> ProcessFile:
    inventory, robot = read.inventory, place.robot
    everyone = places(inventory)
    own = next(member(inventory, one) for one in everyone if one == place)
    port = addresses.split(own.urgent.removeprefix("tcp://"))[1]
    body_only = [one for one in everyone if one.name == robot]
    seen = body_only if place.role == "body" else [
        one for one in everyone
        if one != place and (one.role != "body" or (one.robot == robot and place.role == "agent"))]
    host = "127.0.0.1" if place.role == "body" else "*"
    common: dict[str, Any] = {
        "version": 1, "swarm": inventory.swarm, "seed": inventory.seed, "keys": KEYS, "bind": f"{host}:{port}",
        "announce": "" if place.role == "body" else inventory.at[robot].address,
        "roster": [member(inventory, one) for one in seen]}
    streams = [stream for stream in inventory.streams if inventory.fleet_of(robot).name in stream.on]
    match place.role:
        case "agent":
            policy = policies.load(inventory.policy)
            board = msgspec.structs.replace(read.boards[inventory.board_of(robot)], memory_mb=agent_mb(read, robot))
            models = {stream.model for stream in inventory.streams} if policy.uses_peers else set()
            return AgentFile(
                name=robot, board_name=inventory.board_of(robot), board=board,
                streams=[stream.spec() for stream in streams], policy=inventory.policy,
                behaviour=inventory.behaviour, team=inventory.robots(), models=f"{HOME}/models",
                load=sorted(models - {stream.model for stream in streams}), variants=inventory.variants,
                body=body_of(robot) if inventory.at[robot].body else "", **common)
        case "planner":
            return PlannerFile(name=place.name, ray="none", lease_s=inventory.planner.lease_s,
                               every_s=inventory.planner.every_s, places=policies.load(inventory.policy).places,
                               **common)
        case "collector":
            return CollectorFile(
                out=RUNS, fleet=inventory.fleet, streams=inventory.streams, boards=read.boards, **common)
        case _:
            return BodyFile(name=place.name, robot=robot, recording=f"{HOME}/recording.npz",
                            frame_hz=camera_hz([stream.rate_hz for stream in streams]), **common)


def _rules(read: Read, robot: str) -> dict[str, Any]:
    """See swarm/deploy/keeper/gates.py. Planner and collector are not waited for: agents do without them."""
    trial, board = read.inventory.trial, read.boards[read.inventory.board_of(robot)]
    own = [stream.model for stream in read.inventory.streams if read.inventory.fleet_of(robot).name in stream.on]
    ready_s = max(trial.ready_s, ENGINES_S if "tensorrt" in board.providers else 0.0)
    units = {place.role: f"swarm-{place.role}.service" for place in on_board(read, robot)}
    awaited = [units.pop(role) for role in ("agent", "body") if role in units]
    return {"units": awaited, "beside": list(units.values()), "ready_s": ready_s, "trial_s": trial.healthy_s,
            "providers": list(board.providers[:1]), "models": sorted(set(own)), "p95_factor": trial.p95_factor,
            "peers": trial.peers}


def _unit(read: Read, place: Place) -> str:
    """A unit of `launch/systemd/` with what all units have in common, and the board's limit of memory."""
    board = read.boards[read.inventory.board_of(place.robot)]
    most_mb = OTHERS_MB.get(place.role) or round(agent_mb(read, place.robot) * OVER_BUDGET)
    lines = unit_file("common.conf") + (f"MemoryMax={most_mb}M\n" if most_mb else "")
    if "tensorrt" in board.providers:                # the driver's device files
        lines += "SupplementaryGroups=video\n"
    return unit_file(f"swarm-{place.role}.service").replace("[Service]\n", f"[Service]\n{lines}")


def unit_file(name: str) -> str:
    """A file of `launch/systemd/`, from the checkout or from what came with the package. Raises: BadInput."""
    for place in find.folders():
        if (place / "systemd" / name).is_file():
            return (place / "systemd" / name).read_text()
    raise BadInput(f"launch/systemd/{name}", "it is not there", "the package with all its data")


def _card(card: Card) -> dict[str, bytes]:
    """A card, and the user's file of its task, if it has one: there the card names it. Raises: BadInput."""
    at = f"models/{card.name}/card.json"
    file = tasks.task(card).file
    if file is None:
        return {at: store.card_path(card.name).read_bytes()}
    if file.name == "__init__.py":
        raise BadInput(str(file.parent), f"the task of model {card.name} is a folder", "a task in one file")
    sha256 = tasks.sha256_of(file)
    kept = f"models/{store.BLOBS}/{sha256}{tasks.FILE}"
    there = msgspec.structs.replace(card, task=f"{HOME}/{kept}", task_sha256=sha256)
    return {at: store.encoded(there), kept: file.read_bytes()}


def _models(inventory: Inventory) -> dict[str, bytes]:
    """Cards, profiles and files of all models that streams ask for."""
    found: dict[str, bytes] = {}
    for name in sorted({stream.model for stream in inventory.streams}):
        card = store.load_card(name)
        found |= _card(card)
        for profile in sorted((store.home() / name / "profiles").glob("*.json")):
            found[f"models/{name}/profiles/{profile.name}"] = profile.read_bytes()
        for key, variant in card.variants.items():
            files = [store.artefact(card, key), *(store.stage(card, key, k) for k in range(len(variant.stages)))]
            found |= {f"models/{store.BLOBS}/{file.name}": file.read_bytes() for file in files}
    return found
