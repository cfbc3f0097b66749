"""`swarm report RUN`."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras
from swarm.core.settings.errors import BadInput

HELP = "write a run folder's report.html again"
EXAMPLE = "swarm report runs/demo/planner --compare runs/demo/local"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="RUN", help="a run folder")
    p.add_argument("--compare", action="append", default=[], metavar="RUN", help="another run; may be repeated")


def run(given: argparse.Namespace) -> int:
    """Write `report.html` again, from the folder's own files."""
    extras.needed("swarm report", *extras.REPORT)
    from swarm.telemetry.report.report import write_report

    try:
        print(write_report(Path(given.folder), [Path(folder) for folder in given.compare]))
    except OSError as error:
        raise BadInput(given.folder, error.strerror or str(error), "a run folder that can be written") from None
    return 0
