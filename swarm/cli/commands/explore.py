"""`swarm explore [NAME|FILE] --seeds N`: random swarms and faults in virtual time, until an invariant is broken."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from swarm.cli import extras
from swarm.cli.commands.launch import boards_option

HELP = "fly random swarms with random faults in virtual time, and check what must always hold"
EXAMPLE = "swarm explore --seeds 100 --small"
Seeds = Annotated[int, Meta(ge=1, le=10_000_000)]
Jobs = Annotated[int, Meta(ge=1, le=256)]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("launch", metavar="NAME|FILE", nargs="?", help="fly this launch, in place of drawn ones")
    boards_option(p)
    p.add_argument("--seeds", type=int, metavar="N", required=True, help="how many")
    p.add_argument("--first", type=int, metavar="SEED", help="the first seed; default: 0, or that of the launch file")
    p.add_argument("--small", action="store_true", help="2 to 4 robots, for 3 simulated seconds")
    p.add_argument("--jobs", type=int, metavar="K", help="processes; default: one for each core")
    p.add_argument("--ray", metavar="ADDRESS", default="none",
                   help="explore on a Ray cluster: HOST:PORT, or local; default: none, processes of this host")
    p.add_argument("--out", metavar="DIR", default="explored", help="where launch files of findings go")
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Explore, shrink what fails, and tell. Exit code 1: an invariant is broken, or a seed was not explored."""
    from swarm.cli.status_line import StatusLine
    from swarm.core.protocol.bounds import RayAddress, Seed
    from swarm.core.settings import validation
    from swarm.core.settings.errors import BadInput
    from swarm.launcher.host_checks import cores
    from swarm.virtual.explore import seeds

    for name, kind in (("seeds", Seeds), ("jobs", Jobs), ("first", Seed), ("ray", RayAddress)):
        if getattr(given, name) is not None:
            validation.check(getattr(given, name), kind, f"--{name}")
    extras.needed("swarm explore", *extras.RUN)
    launch = None
    if given.boards and given.launch is None:
        raise BadInput("--boards", "drawn launches have boards of their own", "a launch file, or no --boards")
    if given.launch is not None:
        from swarm.launcher.load import load_launch
        from swarm.run.settings.resolve import Options
        from swarm.virtual.perception import check_models

        launch = load_launch(Options(launch=given.launch, clock="virtual", ray="none", boards=given.boards))
        check_models(stream.model for stream in launch.launch.streams)
    first = given.first if given.first is not None else launch.launch.seed if launch else 0
    with StatusLine() as status:
        figures = seeds.explore(
            range(first, first + given.seeds), launch, small=given.small, jobs=given.jobs or cores(), ray=given.ray,
            progress=status)
    written = [_written(Path(given.out), finding) for finding in figures["findings"]]
    if given.json:
        print(json.dumps(figures))
    else:
        print(_text(figures, written))
    return 1 if figures["findings"] or figures["unexplored"] else 0


def _written(out: Path, finding: dict[str, Any]) -> Path:
    """The shrunk launch of a finding, in a file that `swarm explore` and `swarm launch` take. Raises: BadInput."""
    from swarm.core.settings.errors import BadInput

    path = out / f"seed-{finding['seed']}.yaml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(finding["launch"], encoding="utf-8")
    except (OSError, ValueError) as error:               # ValueError: no path at all
        raise BadInput(f"--out {out}", str(error), "a folder that can be written") from None
    return path


def _text(figures: dict[str, Any], written: list[Path]) -> str:
    flown = f"{figures['seeds']} seeds, {figures['events']} events, {figures['requests']} requests"
    lines = [f"{flown}, {figures['virtual_s']:.0f} simulated seconds: {len(figures['findings'])} broken"]
    lines += [f"{count} seeds were not explored: {reason}" for reason, count in figures["unexplored"].items()]
    for finding, path in zip(figures["findings"], written, strict=True):
        lines += [f"seed {finding['seed']}: {finding['invariant']}: {finding['found']} ({finding['where']})",
                  f"  shrunk to {finding['robots']} robots, {finding['faults']} faults: swarm explore {path} --seeds 1",
                  *(f"    {line}" for line in finding["story"])]
    return "\n".join(lines)
