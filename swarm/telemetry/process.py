"""The collector's process on boards: it reads the launch file, owns the run folders and writes the reports."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from swarm import settings_files
from swarm.core.clock import WallClock
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import CollectorFile
from swarm.net.process import Process, log_to_stderr
from swarm.telemetry.board_collector import BoardCollector
from swarm.telemetry.file_types import Record
from swarm.telemetry.provenance import manifest, revision
from swarm.telemetry.recorder import RunFolder, is_run_folder

log = logging.getLogger(__name__)
MOST_BYTES = 2 << 30                 # of all run folders; one of 50,000 requests has 5 MB, measured
REMOVED = ".removed"


def main(settings: CollectorFile, where: str) -> int:
    """Collect until SIGTERM, SIGINT or Shutdown. Returns 1 if something could not be written. Raises: BadInput."""
    launch = collected_launch(settings, where)
    log_to_stderr(settings.name)
    try:
        folders = RunFolders(Path(settings.out), launch)
    except OSError as error:
        raise BadInput(f"{where}: out: {settings.out}", error.strerror or str(error),
                       "name a folder that can be written") from None
    process = Process(settings, "collector")
    collector = BoardCollector(process.host, settings, launch, folders)
    process.run(collector.begin, collector.end)
    folders.wait()
    collector.finish()
    folders.close()
    if folders.trouble:
        print(f"swarm: {folders.trouble}", file=sys.stderr)
    return 1 if folders.trouble else 0


class RunFolders:
    """The run folders of a board: 00000001, 00000002, ... in one folder. The clock of a board may be wrong: they count.

    A thread writes what has ended, and then removes the oldest runs beyond `MOST_BYTES`. trouble: the first error, as
    one line. Raises: OSError if the folder cannot be made or used.
    """

    def __init__(self, out: Path, launch: LaunchFile) -> None:
        self._out, self._launch = out, launch
        self._thread, self._writing = ThreadPoolExecutor(1, "runs"), Future[None]()
        self._writing.set_result(None)
        self._open: RunFolder | None = None
        self.trouble = ""
        out.mkdir(parents=True, exist_ok=True)
        self._limit()

    # --- the port `Runs` ---

    @property
    def writes(self) -> bool:
        if self._writing.done():
            self._writing.result()                   # a bug there ends the process
        return not self._writing.done()

    def begin(self) -> tuple[RunFolder, Callable[[str], Mapping[str, Any]]]:
        last = self._runs()[-1:]
        self._open = RunFolder(self._out / f"{int(last[0].name) + 1 if last else 1:08d}")
        return self._open, partial(manifest, self._launch, ["swarm", *sys.argv[1:]], WallClock().unix_s(), revision())

    def end(self, record: Record, write: Callable[[], object]) -> None:
        assert isinstance(record, RunFolder)
        self._writing = self._thread.submit(self._write, record, write)

    # --- the end ---

    def wait(self) -> None:
        """Until all but the last run are written."""
        self._thread.shutdown()
        self._writing.result()

    def close(self) -> None:
        """The last run has ended, too."""
        if self._open is not None:
            self._write(self._open, lambda: None)

    def _write(self, folder: RunFolder, write: Callable[[], object]) -> None:
        write()
        folder.report()
        _bring_to_disk(folder)
        folder.close()
        if folder.trouble:
            log.warning("%s", folder.trouble)
            self.trouble = self.trouble or folder.trouble
        self._limit()

    def _runs(self) -> list[Path]:
        """Oldest first."""
        return sorted(path for path in self._out.iterdir() if path.name.isdecimal() and path.is_dir())

    def _limit(self) -> None:
        """Remove the oldest runs beyond the bound; the newest one stays, and does not count."""
        runs = self._runs()[:-1]
        sizes = [sum(file.lstat().st_blocks for file in (run, *run.rglob("*"))) * 512 for run in runs]
        for number, run in enumerate(runs):
            if sum(sizes[number:]) > MOST_BYTES and is_run_folder(run):
                log.info("the oldest run is removed, to bound the disk space of all: %s", run)
                run.rename(run.with_suffix(REMOVED))
        for run in self._out.glob(f"*{REMOVED}"):    # also one of which a power cut left a part
            shutil.rmtree(run, ignore_errors=True)


def _bring_to_disk(folder: RunFolder) -> None:
    """Agents have forgotten what is in it."""
    for path in (*folder.path.iterdir(), folder.path, folder.path.parent):
        try:
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.close(file)
        except OSError as error:
            folder.count_unwritten(path.name, error)


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
