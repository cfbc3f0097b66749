"""`swarm report` and `swarm bench`."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras
from swarm.core.errors import BadInput


def report(given: argparse.Namespace) -> int:
    """Write `report.html` again, from the folder's own files."""
    extras.needed("swarm report", *extras.REPORT)
    from swarm.telemetry.report import write_report

    try:
        print(write_report(Path(given.folder), [Path(folder) for folder in given.compare]))
    except OSError as error:
        raise BadInput(given.folder, error.strerror or str(error), "a run folder that can be written") from None
    return 0


def bench(given: argparse.Namespace) -> int:
    from swarm.bench.overhead import main

    return main(given.json)
