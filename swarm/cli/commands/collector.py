"""`swarm collector FILE`."""

from __future__ import annotations

import argparse

from swarm.cli import extras, process_file

HELP = "run the process that counts requests, for boards without a launcher"
EXAMPLE = "swarm collector /etc/swarm/collector.yaml"
arguments = process_file.arguments


def run(given: argparse.Namespace) -> int:
    """Check the file, then collect until told to stop, and write the run folder."""
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import CollectorFile

    settings = process_file.checked(given, CollectorFile, rules.collector_file)
    extras.needed("swarm collector", *extras.COLLECT)
    from swarm.telemetry import process

    return process.main(settings, given.file)
