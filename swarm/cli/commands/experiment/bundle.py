"""`swarm experiment bundle FOLDER`: an experiment in one file, for those who check it."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras

HELP = "pack an experiment with all that repeats it into one file"
EXAMPLE = "swarm experiment bundle experiments/tour"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="FOLDER", help="the folder of an experiment")
    p.add_argument("--out", metavar="FILE", help="default: FOLDER.tar.gz")
    p.add_argument("--unfinished", action="store_true", help="also if some of its points have no result")


def run(given: argparse.Namespace) -> int:
    """Pack it, and tell where."""
    extras.needed("swarm experiment bundle", *extras.RUN)
    from swarm.experiments.results.bundle import bundle

    folder = Path(given.folder)
    out = Path(given.out) if given.out else folder.with_name(f"{folder.name}.tar.gz")
    print(bundle(folder, out, unfinished=given.unfinished))
    return 0
