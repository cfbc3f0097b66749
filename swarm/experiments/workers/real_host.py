"""Flies points in real time, one after the other: each is a `swarm launch` of its own, which has the host alone."""

from __future__ import annotations

import contextlib
import ctypes
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds
from swarm.experiments.workers.flight import Flown, Task, files_of
from swarm.experiments.workers.local import Lost
from swarm.launcher.processes import last_line
from swarm.run.settings.resolve import dry_run

END_S = 20.0                         # for a run that is asked to end, before it is killed
BOOT = Path("/proc/sys/kernel/random/boot_id")       # proc(5)
PLACE = re.compile(r'^ +File "(.+)", line (\d+)', re.MULTILINE)       # in a traceback
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
        if (folder / "run" / "summary.json").is_file():
            error = crash_of(folder / "run")
        else:
            error = last_line((folder / "errors").read_bytes()) or f"the run ended with {code} and said nothing"
        files = files_of(folder / "run", logs=bool(error))
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


def crash_of(run: Path) -> str:
    """What became of the first process of a run that ended by itself, as by an error in a policy; empty: none did.

    No fault of the launch file did that, so that the run is no measurement of anything, whatever its figures.
    """
    for line in _content(run / "events.jsonl").splitlines():
        with contextlib.suppress(ValueError):        # the last line of a full disk
            event = msgspec.json.decode(line)
            if event["what"] == "crashed":
                name, how = event["detail"]["process"], event["detail"]["how"]       # with the last line of its log
                places = PLACE.findall(_content(run / "logs" / f"{name}.log"))
                at = f" at {':'.join(places[-1])}" if places else ""
                return f"{name}, {event['at_s']:.1f} s after the streams began, {how}{at}"
    return ""


def _content(path: Path) -> str:
    """Of a file; nothing if it cannot be read."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def this_host() -> str:
    """This host, since it was started."""
    boot = ""
    with contextlib.suppress(OSError):               # no Linux
        boot = BOOT.read_text(encoding="ascii").strip()
    return f"{socket.gethostname()} {boot}".strip()


def _end_with_parent() -> None:
    """If the coordinator is killed, its run ends in order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
