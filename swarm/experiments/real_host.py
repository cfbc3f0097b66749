"""Flies points in real time, one after the other: each is a `swarm launch` of its own, which has the host alone."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds
from swarm.experiments.flight import Flown, Task, files_of
from swarm.experiments.workers import Lost
from swarm.run.settings.resolve import dry_run

END_S = 20.0                         # for a run that is asked to end, before it is killed
PR_SET_PDEATHSIG = 1                 # prctl(2)


class RealHost:
    """The port `Workers`, for one run at a time. It starts no Ray: nothing runs beside a measured run."""

    def __init__(self) -> None:
        self._clock = MonotonicClock()
        self._task: Task | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began_ns = 0

    @property
    def free(self) -> int:
        return int(self._task is None)

    def start(self, task: Task) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-")
        folder = Path(self._folder.name)
        (folder / "launch.yaml").write_text(dry_run(task.resolved), encoding="utf-8")
        command = [sys.executable, "-m", "swarm.cli.main", "launch", str(folder / "launch.yaml"), "--ray", "none",
                   "--beside", "--json", "--out", str(folder / "run")]
        self._task, self._began_ns = task, self._clock.now_ns()
        with open(folder / "errors", "wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                preexec_fn=_end_with_parent)

    def ended(self, timeout_s: float) -> list[Flown | Lost]:
        assert self._task is not None
        assert self._process is not None
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return []
        task, folder = self._task, Path(self._folder.name)
        files = files_of(folder / "run", logs=False) if (folder / "run").is_dir() else {}
        error = ""
        if "summary.json" not in files:
            said = (folder / "errors").read_text(encoding="utf-8", errors="replace").split("\n")
            error = next((line for line in reversed(said) if line), f"the run ended with {code} and said nothing")
            files = files_of(folder / "run", logs=True) if (folder / "run").is_dir() else {}
        took_s = round(seconds(self._clock.now_ns() - self._began_ns), 3)
        self._forget()
        return [Flown(id=task.id, took_s=took_s, files=files, error=error)]

    def close(self) -> None:
        """A run that has not ended is asked to end, and thrown away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
            self._process.kill()
            self._process.wait()
            self._forget()

    def _forget(self) -> None:
        self._task = self._process = None
        self._folder.cleanup()


def _end_with_parent() -> None:
    """If the coordinator is killed, its run ends in order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
