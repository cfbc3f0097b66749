"""`swarm worlds list|show|render`: scenarios, without running a swarm."""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from sim_worlds.maps import FloorPlan
    from swarm.core.protocol.scene import Scene

HELP = "list scenarios, show one, or draw one"
EXAMPLE = "swarm worlds render search_rescue --seed 7 --out building.svg"

PICTURES = (".svg", ".png", ".pdf")


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("action", choices=("list", "show", "render"))
    p.add_argument("name", nargs="?", metavar="NAME")
    p.add_argument("--seed", type=int, default=0, metavar="N")
    p.add_argument("--robots", type=int, default=2, metavar="N")
    p.add_argument("--map", metavar="FILE", help="the YAML file of a ROS map in place of the scenario's own floor")
    p.add_argument("--out", metavar="FILE",
                   help="render: the picture, .svg, .png or .pdf; default: NAME-SEED.svg")
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Without --json, `list` and `show` print text for people."""
    import msgspec

    from sim_worlds import scenarios
    from swarm.core.settings.rules import known
    from swarm.telemetry.text_table import text_table

    if given.action == "list":
        if given.map is not None:
            raise BadInput("--map", "`swarm worlds list` takes no map", "swarm worlds show or render NAME --map FILE")
        described = {name: _about(name) for name in scenarios.available()}
        if given.json:
            print(json.dumps(described))
        else:
            print(text_table((), described.items()), end="")
        return 0
    if given.name is None:
        raise BadInput(f"swarm worlds {given.action}", "no name", f"one of {', '.join(scenarios.available())}")
    known(given.name, scenarios.available(), f"swarm worlds {given.action}", "scenario")
    if given.action == "render":
        from swarm.cli import extras

        extras.needed("swarm worlds render", "matplotlib")
    floor = _floor(given.name, given.map) if given.map is not None else None
    scene = _scene(given.name, given.seed, given.robots, floor)
    if given.action == "render":
        return _render(scene, Path(given.out or f"{given.name}-{given.seed}.svg"))
    if given.json:
        print(msgspec.json.encode(scene).decode())
        return 0
    labels = sorted({mark.label for mark in scene.marks})
    layers = collections.Counter(shape.layer for shape in scene.shapes)
    print(f"{given.name}: {_about(given.name)}")
    print(f"seed {scene.seed}: {scene.size_m:g} m square; shapes: "
          f"{', '.join(f'{count} {layer}' for layer, count in layers.items()) or 'none'}; "
          f"{len(scene.marks)} {scene.mark}s ({', '.join(labels)})")
    if floor is not None:
        print(f"floor of {floor.path}; (0, 0) is ({floor.middle[0]:.2f}, {floor.middle[1]:.2f}) in the map's frame")
    robots = [(robot.name, f"({robot.x_m:.2f}, {robot.y_m:.2f})", f"{robot.radius_m:g}") for robot in scene.robots]
    print(text_table(("robot", "starts at, m", "radius, m"), robots, right=(1, 2)), end="")
    return 0


def _floor(name: str, path: str) -> FloorPlan:
    """The floor of a map. Raises: BadInput."""
    from sim_worlds import scenarios
    from sim_worlds.maps import floor_plan
    from swarm import settings_files

    if not scenarios.takes_map(name):
        able = ", ".join(filter(scenarios.takes_map, scenarios.available()))
        raise BadInput("--map", f"scenario {name} takes no map", f"no map, or one of {able}")
    return floor_plan(settings_files.load_map(Path(path)))


def _scene(name: str, seed: int, robots: int, floor: FloorPlan | None) -> Scene:
    """The map of a scenario at its start."""
    from sim_worlds import scenarios
    from swarm.core.protocol.bounds import Robots, Seed
    from swarm.core.settings.validation import check

    check(seed, Seed, "--seed")
    check(robots, Robots, "--robots")
    fleet = scenarios.fleet_for(name, robots)
    try:
        world = scenarios.build(name, fleet, seed, floor, render=False)
    except BadInput as error:
        raise error.told_of(f"scenario {name}") from None
    except ValueError as error:
        raise BadInput("--robots", str(error), "another number of robots") from None
    try:
        return world.scene()
    finally:
        world.close()


def _render(scene: Scene, path: Path) -> int:
    from swarm.telemetry.report.map import draw_scene

    if path.suffix not in PICTURES:
        raise BadInput(f"--out {path}", f"{path.suffix!r} is no picture format", f"one of {', '.join(PICTURES)}")
    try:
        draw_scene(scene, path)
    except OSError as error:
        raise BadInput(f"--out {path}", error.strerror or str(error), "a file that can be written") from None
    print(path)
    return 0


def _about(name: str) -> str:
    """The first line of a scenario's docstring."""
    from sim_worlds import scenarios

    return (scenarios.load(name).__doc__ or "").partition("\n")[0]
