"""`swarm collector FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "run the process that counts requests, for boards without a launcher"
EXAMPLE = "swarm collector /etc/swarm/collector.yaml"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def run(given: argparse.Namespace) -> int:
    """Check the file, then collect until told to stop, and write the run folder."""
    from swarm.cli import extras
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import CollectorFile
    from swarm.core.settings.reading import read

    settings = read(Path(given.file), CollectorFile)
    rules.collector_file(settings, given.file)
    extras.needed("swarm collector", *extras.REPORT)
    from swarm.telemetry import process

    return process.run(settings, given.file)
