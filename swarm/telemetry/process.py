"""The collector's process on boards: it reads the launch file, owns the run folder and writes the report at the end."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from swarm import settings_files
from swarm.core.clock import WallClock
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import CollectorFile
from swarm.net.process import Process, log_to_stderr
from swarm.telemetry.board_collector import BoardCollector
from swarm.telemetry.provenance import manifest, revision
from swarm.telemetry.recorder import RunFolder


def main(settings: CollectorFile, where: str) -> int:
    """Collect until SIGTERM, SIGINT or Shutdown. Returns 1 if something could not be written. Raises: BadInput."""
    launch = collected_launch(settings, where)
    try:
        folder = RunFolder(Path(settings.out))
    except BadInput as error:
        raise BadInput(f"{where}: out: {settings.out}", error.what, error.want) from None
    log_to_stderr(settings.name)
    process = Process(settings, "collector")
    facts = partial(manifest, launch, ["swarm", *sys.argv[1:]], WallClock().unix_s(), revision())
    collector = BoardCollector(process.host, settings, launch, folder, facts)
    process.run(collector.begin, collector.end)
    collector.finish()
    folder.report()
    folder.close()
    if folder.trouble:
        print(f"swarm: {folder.trouble}", file=sys.stderr)
    return 1 if folder.trouble else 0


def collected_launch(settings: CollectorFile, where: str) -> LaunchFile:
    """The launch file of the run, as far as it is known. Raises: BadInput.

    If the settings name no launch file, scenario and policy are empty, and `duration_s` is 0 until the run has ended.
    """
    if not settings.launch:
        return LaunchFile(
            version=1, scenario="", policy="", seed=settings.seed, duration_s=0.0, fleet=settings.fleet,
            streams=settings.streams, boards=settings.boards)
    path = Path(where).parent / settings.launch
    launch = settings_files.read(path, LaunchFile)
    rules.collected(launch.fleet, launch.streams, launch.boards, str(path))
    return launch
