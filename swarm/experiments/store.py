"""The folder of an experiment: its file, copies of what it names, a journal of all runs that have finished, and the run
folder of each point.

One coordinator writes, and holds the folder's lock. The journal decides what has run: a run whose line is missing, as
after a power cut or a kill, is done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.experiments.design.sweep import Ran

JOURNAL, POINTS, FILE, SOURCE = "journal.jsonl", "points", "experiment.yaml", "source"
PARQUET = b"PAR1"                    # the first and the last bytes of such a file; before the last: the footer's length
LEAST_BYTES = 12                     # of one: both, and this length


def _no_number(spelled: str) -> float:
    if spelled == "NaN":
        raise ValueError("NaN is no figure")
    return float(spelled)                            # a figure may be infinite


_JSON = json.JSONDecoder(parse_constant=_no_number)


class Folder:
    """The folder of an experiment, to read; another command may write into it."""

    def __init__(self, out: Path) -> None:
        self.path = out

    def runs(self) -> list[Ran]:
        """All that have finished, in order; none of a folder that does not exist.

        Raises: BadInput for a damaged line, or a file in the folder's place.
        """
        if self.path.is_file():
            raise BadInput(f"--out {self.path}", "it is a file", "the folder of an experiment")
        return _journal(self.path / JOURNAL)[0]

    def folder(self, id: str) -> Path:
        """The run folder of a point's newest run."""
        return self.path / POINTS / id

    def has(self, ran: Ran) -> bool:
        """Whether a run has left what its results are made of. One without a result leaves nothing that is needed."""
        return bool(ran.error) or is_whole(self.folder(ran.id))


class Store(Folder):
    """Claims the folder. ran: the runs of the journal, in order.

    Raises: BadInput if another command writes into it, it holds other things, or holds runs and `resume` is not set.
    """

    def __init__(self, out: Path, text: str, *, resume: bool) -> None:
        super().__init__(out)
        self._lock, self._text = -1, text
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
            self._claim(text, resume)
        except OSError as error:
            self._unlock()
            raise BadInput(f"--out {out}", error.strerror or str(error), "a folder that can be written") from None
        except BadInput:
            self._unlock()
            raise

    def _claim(self, text: str, resume: bool) -> None:
        out = self.path
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._refused("another command runs this experiment", "wait for its end, or name another folder"
                                ) from None
        present = {path.name for path in out.iterdir()}
        if JOURNAL not in present and (present - {POINTS, FILE} or (
                FILE in present and (out / FILE).read_text(encoding="utf-8", errors="replace") != text)):
            raise self._refused("the folder holds other things", "a new or empty folder")
        self.ran, torn = _journal(out / JOURNAL)
        if self.ran and not resume:
            raise self._refused(f"{len(self.ran)} runs are there", "--resume to go on with them, or another folder")
        if JOURNAL not in present:                   # else the file is that of the results until `begin`
            (out / FILE).write_text(text, encoding="utf-8")
        (out / POINTS).mkdir(exist_ok=True)
        self._file = open(out / JOURNAL, "ab", buffering=0)  # noqa: SIM115 - closed by `close`
        if torn is not None:
            self._file.truncate(torn)

    def keep_sources(self, files: Mapping[str, Path]) -> None:
        """Replace the copies of what the experiment reads. files: path in the copies, and where each lies.

        An experiment that reads the copies themselves leaves them as they are. Raises: OSError, BadInput (it reads them
        from other places than they would get).
        """
        source = self.path / SOURCE
        inside = [path for path in files.values() if path.resolve().is_relative_to(source.resolve())]
        if inside and all(path.resolve() == source.resolve() / name for name, path in files.items()):
            return
        if inside:
            raise self._refused(f"it reads {inside[0]}, a copy that it would replace",
                                "the files of which these are copies, or another folder")
        made, old = self.path / f".{SOURCE}.tmp", self.path / f".{SOURCE}.old"
        for folder in (made, old):
            shutil.rmtree(folder, ignore_errors=True)
        for name, path in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, made / name)
        if source.exists():
            source.rename(old)
        if files:
            made.rename(source)
        shutil.rmtree(old, ignore_errors=True)

    def begin(self, outdated: str) -> None:
        """Runs follow. outdated: the file of the results before, which must not be taken for the new ones.

        Raises: OSError.
        """
        (self.path / outdated).unlink(missing_ok=True)
        (self.path / FILE).write_text(self._text, encoding="utf-8")

    def keep(self, id: str, files: Mapping[str, bytes]) -> None:
        """Replace the run folder of a point. Raises: OSError."""
        made = self.path / POINTS / f".{id}.tmp"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()                                 # a run that failed early has no files
        for name, content in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_bytes(content)
        shutil.rmtree(self.folder(id), ignore_errors=True)
        made.rename(self.folder(id))

    def record(self, ran: Ran) -> None:
        """Add a finished run to the journal. Raises: OSError."""
        self.ran.append(ran)
        line = json.dumps(msgspec.to_builtins(ran)).encode() + b"\n"
        while line:
            line = line[self._file.write(line):]

    def close(self) -> None:
        """Give up the folder."""
        self._file.close()
        self._unlock()

    def _unlock(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def _refused(self, what: str, want: str) -> BadInput:
        return BadInput(f"--out {self.path}", what, want)


def _journal(path: Path) -> tuple[list[Ran], int | None]:
    """The runs of a journal; where its last line begins if that is not whole. Raises: BadInput for another damage."""
    try:
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a readable file: restore it, or begin anew") from None
    found: list[Ran] = []
    at = 0
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return found, at
        try:
            found.append(msgspec.convert(_JSON.decode(line.decode()), Ran))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}: line {number}", str(error), "a run of a point: restore the file, or begin anew"
                           ) from None
        at += len(line)
    return found, None


def is_whole(run: Path) -> bool:
    """Whether a run folder has what results are made of: a summary, and requests with a begin and an end."""
    return summary_of(run) is not None and _is_parquet(run / "requests.parquet")


def _is_parquet(path: Path) -> bool:
    """As far as its ends tell: there are many."""
    try:
        with open(path, "rb") as file:
            head, size = file.read(len(PARQUET)), file.seek(0, os.SEEK_END)
            if size < LEAST_BYTES:
                return False
            file.seek(-8, os.SEEK_END)
            footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    except OSError:
        return False
    return head == tail == PARQUET and 0 < footer <= size - LEAST_BYTES


def summary_of(folder: Path) -> dict[str, Any] | None:
    """The summary of a run folder; None: it has none that can be read."""
    try:
        found = json.loads((folder / "summary.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
