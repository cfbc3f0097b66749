"""`swarm experiment bundle FOLDER`: one archive for an artefact committee."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

HELP = "pack an experiment into one archive with which others can check and repeat it"
EXAMPLE = "swarm experiment bundle experiments/paper --out paper.tar.gz"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="FOLDER", help="the folder of an experiment that was run")
    p.add_argument("--out", metavar="FILE", help="the archive; default: FOLDER.tar.gz, beside the folder")
    p.add_argument("--unfinished", action="store_true", help="also if points have not run")


def run(given: argparse.Namespace) -> int:
    """Write the archive, and print its path."""
    extras.needed("swarm experiment bundle", *extras.REPORT)
    from swarm.experiments.results.bundle import bundle

    out = given.out or _beside(Path(given.folder))
    try:
        print(bundle(Path(given.folder), Path(out), given.unfinished))
    except BadInput:
        raise
    except (OSError, ValueError) as error:           # a path with a NUL is a ValueError
        raise BadInput(f"--out {out}", getattr(error, "strerror", None) or str(error), "a file that can be written"
                       ) from None
    return 0


def _beside(folder: Path) -> str:
    """The archive of a folder; one that is given as `.` or `..` gets its real name."""
    return f"{folder if folder.name not in ('', '..') else folder.resolve()}.tar.gz"
