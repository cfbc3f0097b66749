"""Flies one point in virtual time, in whatever process: the launch goes in, the files of the run folder come out."""

from __future__ import annotations

import shlex
import tempfile
import traceback
from pathlib import Path

import msgspec

from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.core.units import seconds
from swarm.run.settings.resolve import Resolved

KEPT = (".json", ".jsonl", ".parquet")
LOG_SUFFIX = ".log"                  # kept of a run that failed


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A point to fly. command: that flies it alone, for its manifest."""

    id: str
    resolved: Resolved
    command: str


class Flown(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. files: of the run folder, by path in it."""

    id: str
    took_s: float
    files: dict[str, bytes]
    error: str = ""                  # why there is no result: one line
    trouble: bool = False            # whether this host is the reason, as a full disk: nothing more can be flown here


def fly(task: Task) -> Flown:
    """Fly a point. An error of the code that flies with it, as of a policy, is told with file and line."""
    from swarm.virtual.launch import VirtualLaunch  # takes a second, and a coordinator does not fly

    clock = MonotonicClock()
    began_ns = clock.now_ns()
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        out, trouble = Path(folder) / "run", False
        try:
            launch = VirtualLaunch(task.resolved, out, command=shlex.split(task.command), report=False)
            outcome = launch.run()
            trouble = bool(launch.folder.trouble)
            error = outcome.error or ("" if outcome.summary is not None else "the streams never began")
        except OSError as failed:
            error, trouble = f"{failed.filename or folder}: {failed.strerror}", True
        except BadInput as bad:
            error = str(bad)
        except Exception as bug:         # noqa: BLE001 - it fails this point, and all others go on
            error = f"{type(bug).__name__}: {bug}"
            (out / "logs").mkdir(parents=True, exist_ok=True)
            (out / "logs" / "experiment.log").write_text(traceback.format_exc(), encoding="utf-8")
        files = files_of(out, logs=bool(error))
    return Flown(id=task.id, took_s=round(seconds(clock.now_ns() - began_ns), 3), files=files, error=error,
                 trouble=trouble)


def files_of(out: Path, *, logs: bool) -> dict[str, bytes]:
    """The files of a run folder that an experiment keeps. logs: those of the processes, too."""
    kept = KEPT + ((LOG_SUFFIX,) if logs else ())
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*"))
            if path.is_file() and path.suffix in kept}
