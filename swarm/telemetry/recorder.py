"""Writes a run folder: all files that a run leaves behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import json
import os
import shutil
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.policy.plan import Plan
from swarm.core.protocol.world import Pose
from swarm.core.settings.errors import BadInput
from swarm.telemetry import table
from swarm.telemetry.file_types import SeriesRecord
from swarm.telemetry.ledger import Row

FORMAT = 1
FILES = ("manifest.json", "summary.json", "requests.parquet", "plans.jsonl", "events.jsonl", "series.jsonl",
         "processes.json", "scene.json", "paths.jsonl", "report.html")
RECORDINGS = "recordings"
FOLDERS = ("files", "logs", "keys", RECORDINGS)
"""Subfolders: settings of the processes, their output, keys during the run, recorded frames and outcomes."""
PATHS_EVERY_S = 0.2


def is_run_folder(folder: Path) -> bool:
    """Whether the folder holds a run of this tool."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and "swarm_run" in manifest


def new_folder(out: Path) -> Path:
    """Make a folder of this name or, where there is one, of this name and a number. Raises: BadInput."""
    for name in itertools.chain([out.name], (f"{out.name}-{n}" for n in itertools.count(2))):
        try:
            (out.parent / name).mkdir(parents=True)
            return out.parent / name
        except FileExistsError:
            continue
        except OSError as error:
            raise _unusable(out, error) from None
    raise AssertionError("numbers have no end")


class RunFolder:
    """Writes documents as a whole (a temporary file, renamed) and histories line by line.

    A write error must not cost the run its other figures: once the folder exists, no method raises OSError. `unwritten`
    counts failed writes by file: lines of a history, which continues when the disk accepts lines again, and whole
    documents. `trouble` keeps the first error as one line for the user; the command then ends with exit code 1. `full`
    is an injected fault, a disk without free space. It does not set `trouble`.

    No other run can write into the folder until `close`, or until this process and all that inherit `lock` have ended.
    """

    def __init__(self, out: Path) -> None:
        """Make the folder, or replace an earlier run.

        Raises: BadInput if it cannot be made, holds other files, or a run writes into it now.
        """
        self._out = Path(out)
        self.trouble = ""
        self._lines: dict[str, Any] = {}
        self._written: Counter[str] = Counter()      # lines of each history since it was opened
        self._torn: set[str] = set()                 # histories with an incomplete last line
        self.full = False
        self.unwritten: Counter[str] = Counter()
        self._epoch: tuple[int, int] | None = None
        self._last_pose_s = float("-inf")
        try:
            str(self._out.absolute()).encode()
            self._out.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(self._out, os.O_RDONLY | os.O_DIRECTORY)     # of the folder itself: nothing stays
            self._unlock = weakref.finalize(self, os.close, self.lock)
            self._prepare()
        except UnicodeEncodeError:
            raise BadInput(f"--out {self._out}", "the path is not UTF-8", "name another folder") from None
        except OSError as error:
            raise _unusable(self._out, error) from None

    @property
    def path(self) -> Path:
        """Where the folder is; the place that it has been moved to, if it was moved."""
        with contextlib.suppress(OSError):           # closed, or removed
            here = os.fstat(self.lock)
            if here.st_nlink and not (self._out.exists() and os.path.samestat(here, os.stat(self._out))):
                return Path(os.readlink(f"/proc/self/fd/{self.lock}"))
        return self._out

    def _prepare(self) -> None:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"--out {self.path}", "another run writes into this folder, or its processes still end",
                           "name another folder") from None
        except OSError:
            pass                                     # NFS has no locks of folders
        present = sorted(p.name for p in self.path.iterdir())
        if present and not is_run_folder(self.path):
            raise BadInput(f"--out {self.path}", f"the folder holds {_shortened(present)} and is not a run folder",
                           "name a new or empty folder")
        foreign = [n for n in present if n not in FILES and n not in FOLDERS and not n.endswith(".tmp")]
        if foreign:
            raise BadInput(f"--out {self.path}", f"beside an earlier run it holds {_shortened(foreign)}",
                           "move it away or name another folder")
        for name in (n for n in present if n != "manifest.json"):   # the mark of a run folder
            at = self.path / name
            if at.is_dir() and not at.is_symlink():
                shutil.rmtree(at)
            else:
                at.unlink()
        _whole(self.path / "manifest.json", _json({"swarm_run": FORMAT}, indent=1))

    def folder(self, name: str) -> Path:
        """One of the subfolders in FOLDERS, made when first used. Raises: OSError."""
        if name not in FOLDERS:
            raise ValueError(f"{name} is not one of {FOLDERS}")
        (self.path / name).mkdir(exist_ok=True)
        return self.path / name

    def manifest(self, facts: Mapping[str, Any]) -> None:
        """`facts`: see `provenance.manifest`."""
        self._document("manifest.json", {"swarm_run": FORMAT, **facts})

    def processes(self, processes: Sequence[Mapping[str, Any]]) -> None:
        """Role, name and pid of every process; written again when a process is replaced."""
        self._document("processes.json", list(processes))

    def summary(self, summary: Mapping[str, Any]) -> None:
        self._document("summary.json", summary)

    def scene(self, scene: bytes) -> None:
        """The map as the world sent it: JSON text."""
        self._attempt("scene.json", lambda: _whole(self.path / "scene.json", scene))

    def requests(self, rows: Sequence[Row]) -> None:
        """All requests, from `Ledger.close`."""
        final = self.path / "requests.parquet"
        self._attempt(final.name, lambda: renamed(final, lambda tmp: table.write(tmp, rows)), ValueError)

    def event(self, at_s: float, who: str, what: str, detail: Mapping[str, str | float | int] | None = None) -> None:
        """An event of process `who`; at_s: seconds since the streams began (negative: before)."""
        self._line("events.jsonl", {"at_s": round(at_s, 4), "who": who, "what": what, "detail": dict(detail or {})})

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None:
        """A plan; the renewal of its lease (same planner boot, same epoch) writes nothing."""
        if (boot, plan.epoch) != self._epoch:
            self._epoch = (boot, plan.epoch)
            self._line("plans.jsonl", {"at_s": round(at_s, 4), **msgspec.to_builtins(plan)})

    def pose(self, time_s: float, robots: Mapping[str, Pose | Sequence[float]]) -> None:
        """Poses in the world frame, metres and radians; at most five lines per simulated second are written."""
        if time_s - self._last_pose_s < PATHS_EVERY_S - 1e-6:
            return
        self._last_pose_s = time_s
        poses = {name: [round(float(v), 3) for v in (_numbers(p) if isinstance(p, Pose) else p)]
                 for name, p in robots.items()}
        self._line("paths.jsonl", {"time_s": round(time_s, 3), "robots": poses})

    def series(self, line: SeriesRecord) -> None:
        """One second of the streams."""
        self._line("series.jsonl", msgspec.to_builtins(line))

    def close(self) -> None:
        """Close the histories, and give up the folder."""
        for file in self._lines.values():
            file.close()
        self._lines.clear()
        self._unlock()

    def report(self) -> Path | None:
        """Write `report.html` from the other files; call it when they are complete. None: it cannot be written."""
        from swarm.telemetry.report.report import write_report  # imports matplotlib

        try:
            return write_report(self.path)
        except (OSError, BadInput) as error:
            self.trouble = self.trouble or f"cannot write the report: {error}"
            return None

    def count_unwritten(self, name: str, error: Exception) -> None:
        """Something could not be written. It sets `trouble`, unless the full disk was injected."""
        self.unwritten[name] += 1
        if not self.full:
            why = getattr(error, "strerror", None) or error
            self.trouble = self.trouble or f"cannot write {self.path / name}: {why}"

    def _document(self, name: str, content: Any) -> None:
        self._attempt(name, lambda: _whole(self.path / name, _json(content, indent=1)))

    def _line(self, name: str, content: Mapping[str, Any]) -> None:
        """Append a line, unbuffered, after ending an incomplete line. A history that was removed begins again."""
        def append() -> None:
            if name in self._lines and not os.fstat(self._lines[name].fileno()).st_nlink:
                self._lines.pop(name).close()
                self.unwritten[name] += self._written.pop(name)
            if name not in self._lines:
                self._lines[name] = open(self.path / name, "ab", buffering=0)  # noqa: SIM115 - closed by close()
            rest = _json(content, separators=(",", ":"))
            if name in self._torn:
                rest = b"\n" + rest
            while rest:
                rest = rest[self._lines[name].write(rest):]
                self._torn.add(name)
            self._torn.discard(name)
            self._written[name] += 1
        self._attempt(name, append)

    def _attempt(self, name: str, write: Callable[[], None], *also: type[Exception]) -> None:
        """Write, and count an OSError or an error of `also`."""
        try:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write()
        except (OSError, *also) as error:
            self.count_unwritten(name, error)


def _unusable(out: Path, error: OSError) -> BadInput:
    return BadInput(f"--out {out}", error.strerror or str(error), "name a folder that can be written")


def _whole(final: Path, content: bytes) -> None:
    """Write a file so that readers see the old one or the new one, never a part."""
    def write(tmp: Path) -> None:
        tmp.write_bytes(content)
    renamed(final, write)


def renamed(final: Path, write: Callable[[Path], object]) -> None:
    """As `_whole`, for what `write` writes to the path that it gets. Raises: OSError."""
    tmp = final.with_name(final.name + ".tmp")
    try:
        write(tmp)
        os.replace(tmp, final)
    except OSError:
        with contextlib.suppress(OSError):           # the first error matters, not this one
            tmp.unlink(missing_ok=True)
        raise


def _json(content: Any, **layout: Any) -> bytes:
    """JSON in UTF-8. What is not UTF-8 in a name of the user's becomes the escape that JSON has for it."""
    return json.dumps(content, ensure_ascii=False, **layout).encode(errors="backslashreplace") + b"\n"


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _numbers(pose: Pose) -> tuple[float, ...]:
    """x, y and heading; z, roll and pitch as well of a robot that is off the floor or tilted."""
    numbers = msgspec.structs.astuple(pose)
    return numbers if any(numbers[3:]) else numbers[:3]
