"""`swarm launch --clock virtual`: one run in virtual time with its run folder, its progress and its interruptions."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.settings.errors import BadInput
from swarm.core.units import ns, seconds
from swarm.run.settings.resolve import Resolved
from swarm.run.snapshot import Progress, Quiet, snapshot
from swarm.telemetry.outcome import Outcome
from swarm.telemetry.provenance import manifest, revision
from swarm.virtual.logs import Logs
from swarm.virtual.purity.watch import Purity, in_words
from swarm.virtual.run import NAME, VirtualRun
from swarm.virtual.run_folder import HashedFolder

SHOW_NS = ns(0.25)                   # of real time
LOOK_EVERY = 256                     # events between two looks at the real clock


class VirtualLaunch:
    """A run of a swarm in virtual time. interruptions: how often the user has asked for the end."""

    def __init__(
        self, resolved: Resolved, out: Path, *, command: list[str], progress: Progress | None = None,
        interruptions: Callable[[], int] = lambda: 0, report: bool = True,
    ) -> None:
        """Nothing happens yet, but `out` is claimed. report: write it, too; `swarm report` can do so later.

        Raises: BadInput if `out` cannot be the run's folder.
        """
        self._launch, self.folder = resolved.launch, HashedFolder(out)
        self._progress, self.interruptions, self._report = progress or Quiet(), interruptions, report
        self._real = MonotonicClock()
        self._interrupted = 0
        self.virtual = VirtualRun(resolved, self.folder, manifest=partial(
            manifest, self._launch, command, WallClock().unix_s(), revision()))

    def run(self) -> Outcome:
        """To the end, whatever it is."""
        self._began_ns = self._shown_ns = self._real.now_ns()
        try:
            with Logs(self.virtual.timeline, self.folder.log), Purity(self.virtual.timeline):
                self._pass_time()
        except KeyboardInterrupt:
            raise
        except BaseException as error:   # noqa: BLE001 - told with seed, time and event; the log has all of it
            self._failed(error)
        finally:
            self.virtual.close()
        return self._finish()

    def _pass_time(self) -> None:
        run = self.virtual
        run.begin()
        while not run.over:
            for _ in range(LOOK_EVERY):
                if not run.step():
                    break
            self._look()

    def _look(self) -> None:
        """Show the progress, and take in what the user asks for."""
        now = self._real.now_ns()
        if now - self._shown_ns >= SHOW_NS:
            self._shown_ns = now
            self._show()
        while self._interrupted < self.interruptions() and not self.virtual.over:
            self._interrupted += 1
            self.virtual.interrupt()

    def _failed(self, error: BaseException) -> None:
        """An error in the code of a process ends the run; the log of the process has all of it."""
        run = self.virtual
        run.director.fail(f"seed {self._launch.seed}, {run.where()}: {in_words(error)}",
                          2 if isinstance(error, BadInput) else 1)
        event = run.timeline.current
        self.folder.log(event.owner.name if event else NAME, "".join(traceback.format_exception(error)))

    def _finish(self) -> Outcome:
        run, director, summary, report = self.virtual, self.virtual.director, None, None
        if director.start_ns:
            self._show("writing")
            self.folder.processes(run.processes.table())
            summary = run.collector.finish(
                min(run.ran_s, self._launch.duration_s), encrypted=False, interrupted=director.interrupted,
                overlapped=[], state_hash=self.folder.state_hash)
            report = self.folder.report() if self._report else None
        self._progress.close()
        director.fail(self.folder.trouble)
        path = self.folder.path
        self.folder.close()
        return Outcome(exit_code=130 if self._interrupted else director.exit_code, folder=path, summary=summary,
                       report=report, error=director.error)

    def _show(self, phase: str = "") -> None:
        run, real_s = self.virtual, seconds(self._real.now_ns() - self._began_ns)
        self._progress.show(snapshot(
            self._launch, run.director, run.collector, run.launcher.now_ns(), phase=phase,
            speed=seconds(run.timeline.now_ns) / max(real_s, 1e-3)))
