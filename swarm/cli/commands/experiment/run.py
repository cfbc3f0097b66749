"""`swarm experiment run NAME|FILE`: fly all points of an experiment, and write its results."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from swarm.cli import extras
from swarm.cli.commands import experiment as experiments

if TYPE_CHECKING:
    from swarm.experiments.experiment import Experiment

HELP = "fly all points of an experiment, or those that have not been flown, and write its results"
EXAMPLE = "swarm experiment run grid --dry-run && swarm experiment run grid"
MOST_LINES = 40                      # combinations that a dry run lists
Jobs = Annotated[int, Meta(ge=1, le=256)]


def arguments(p: argparse.ArgumentParser) -> None:
    experiments.file_and_folder(p)
    p.add_argument("--resume", action="store_true", help="go on with the folder: only what has not been flown is flown")
    other = p.add_mutually_exclusive_group()
    other.add_argument("--rerun", action="store_true", help="with --resume: points that other code has flown fly again")
    other.add_argument("--keep", action="store_true", help="with --resume: they are kept, and the results say so")
    p.add_argument("--retry", action="store_true", help="with --resume: points that have failed fly again")
    p.add_argument("--dry-run", action="store_true",
                   help="check every point, estimate the time in a new folder, and fly nothing")
    p.add_argument("--jobs", type=int, metavar="K", help="processes for virtual time; default: one for each core")
    p.add_argument("--ray", metavar="ADDRESS", default="none",
                   help="fly on a Ray cluster: HOST:PORT, or local; default: none, processes of this host")
    p.add_argument("--yes", action="store_true", help="fly 100,000 points or more")
    p.add_argument("--no-wait", action="store_true", help="exit with 2 if the host is not free now")
    p.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(given: argparse.Namespace) -> int:
    """Exit code 1: a point has failed, or something could not be written. 130: the user has ended it."""
    from swarm.core.protocol.bounds import RayAddress
    from swarm.core.settings import validation
    from swarm.experiments.session import Session, Wishes
    from swarm.launcher.host_checks import cores

    for name, kind in (("jobs", Jobs), ("ray", RayAddress)):
        if getattr(given, name) is not None:
            validation.check(getattr(given, name), kind, f"--{name}")
    extras.needed("swarm experiment run", *extras.RUN)
    experiment, out = experiments.loaded(given)
    wishes = Wishes(
        resume=given.resume, rerun=given.rerun, keep=given.keep, retry=given.retry, jobs=given.jobs or cores(),
        ray=given.ray, yes=given.yes, wait=not given.no_wait)
    from swarm.cli.status_line import StatusLine

    with StatusLine() as status:
        session = Session(
            experiment, out, wishes, status, said=lambda text: print(f"swarm: {text}", file=sys.stderr, flush=True))
        if given.dry_run:
            estimate = session.estimate()
            print(json.dumps(estimate) if given.json else _estimated(experiment, estimate))
            return 0
        ended = session.run()
    if given.json:
        print(json.dumps(ended.figures))
    else:
        from swarm.experiments.as_text import as_text

        print(as_text(ended.results, ended.figures))
    if ended.error:
        print(f"swarm: {ended.error}", file=sys.stderr)
    return ended.exit_code


def _estimated(experiment: Experiment, estimate: dict[str, Any]) -> str:
    """All combinations of values, and the time that they will take."""
    lines = [one.arm + ": " + one.named if one.control else one.named for one in experiment.combinations]
    return "\n".join([
        *lines[:MOST_LINES], *([f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []),
        f"{estimate['points']} points: {estimate['combinations']} combinations, {estimate['seeds']} seeds each",
        f"about {estimate['estimated_s'] / 60:.1f} minutes in {estimate['clock']} time",
        *filter(None, [estimate["warning"]])])
