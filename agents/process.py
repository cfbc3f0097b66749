"""The process of one robot: the real host that drives its policy. Loads models, runs them in threads, writes files."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path

from agents.board_status import BoardStatus, Warned
from agents.leaving import Leaving
from agents.ports import Asides
from agents.robot import Robot
from agents.runtime.aside_thread import AsideThread
from agents.runtime.gpu_sessions import build_engines, elsewhere
from agents.runtime.report_files import ReportFiles
from agents.runtime.sessions import Sessions, offer_of
from agents.runtime.thread_runner import ThreadRunner
from models.resident import keep_weights_apart
from models.session import loaded
from swarm import settings_files
from swarm.core.policy.shaped_link import Links
from swarm.core.settings.process_files import AgentFile
from swarm.membership.events import PRESENT
from swarm.net.process import Process, log_to_stderr
from swarm.net.service_manager import starting

log = logging.getLogger(__name__)
LONGEST_START_S = 1800.0             # engines of a large model took 10 minutes on an Orin
LEAVE_S = 5.0                        # for requests in hand when the board stops or updates the agent
STATE = "STATE_DIRECTORY"
SWITCH_S = 0.0005                    # after a run, an executor's thread waits at most this long for the GIL


class Folder:
    """The files port: one folder, created when the first file is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, content: bytes) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        partial = self._path / f"{name}.tmp"
        partial.write_bytes(content)
        os.replace(partial, self._path / name)


def main(settings: AgentFile) -> int:
    """Run one agent to its end. Raises: BadInput or ModelError before it starts."""
    log_to_stderr(settings.name)
    sys.setswitchinterval(SWITCH_S)
    board, folder = settings.board, Path(settings.models) if settings.models else None
    offer = offer_of(settings)
    if names := offer.not_loaded():
        log.warning("the memory of the board is full (memory_mb: %d); not loaded: %s", board.memory_mb, names)
    if board.memory_mb:
        keep_weights_apart()             # all may fit by the cards, and yet not when it is measured
    with starting("building engines" if "tensorrt" in board.providers else "loading models", LONGEST_START_S):
        build_engines(offer, board, folder)
        sessions = Sessions(offer, board, folder)
    offer.elsewhere = elsewhere(offer, board, folder, [(one.path, one.elsewhere) for one in loaded()])
    traces = {spec.trace: settings_files.load_trace(Path(spec.trace)) for spec in settings.links.values() if spec.trace}
    links = Links(settings.links, traces, settings.seed)
    process = Process(
        settings, "agent", busy_poll_s=board.busy_poll_s,
        link_to=partial(links.one_way, settings.name) if settings.links else None)
    runner = ThreadRunner(
        sessions, process.clock, post=process.loop.post, fail=process.loop.fail, executors=board.executors,
        emulated=board.emulated, seed=settings.seed,
    )
    threads = [AsideThread(process.loop.post, process.loop.fail, name) for name in Asides._fields]
    status = BoardStatus(settings.name, process.host, sessions.providers(), offer.elsewhere, board.memory_mb)
    logging.getLogger().addHandler(Warned(status.failed))
    shelf = _shelf(settings, process.clock.now_ns())
    robot = Robot(
        settings, process.host, runner, Asides(*threads), offer, Folder(Path(settings.record)), status.ended, shelf)
    leaving = Leaving(robot, process.host, LEAVE_S)
    try:
        process.run(robot.begin, leaving.begin if settings.launcher is None else None, lambda: status.state(
            sum(state in PRESENT for state in robot.view.statistics().states.values()), robot.holds.open,
            robot.kept_reports))
        robot.end()
    finally:                             # a thread at work would abort the process, in place of the error's own words
        for thread in threads:
            thread.close()
        runner.close()
    if shelf is not None:
        shelf.close()
    return 0


def _shelf(settings: AgentFile, now_ns: int) -> ReportFiles | None:
    """Where reports wait for a collector: in the state folder that systemd gives a service, if it does."""
    folder = os.environ.get(STATE, "").partition(":")[0]
    if settings.launcher is not None or not folder:
        return None
    try:
        return ReportFiles(Path(folder) / "reports" / settings.name, now_ns)
    except OSError as error:
        log.warning("reports cannot be kept on the disk: %s", error)
        return None
