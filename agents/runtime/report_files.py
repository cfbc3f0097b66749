"""Keeps reports in files of the board's state folder: the host's side of `membership/kept_reports.py`.

Records are only appended, each with its length and checksum: what a kill or a power cut has torn is found, dropped and
counted, and so is a gap that a full disk left. A start of the process begins a new file, and a file goes when none of
its reports is needed any more. One thread writes, because a disk may take long.
"""

from __future__ import annotations

import logging
import os
import queue
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from swarm.core.ports import KeptRecord

log = logging.getLogger(__name__)

FRAME = struct.Struct("<II")         # length and CRC-32 of what follows
FILE_BYTES = 1 << 20                 # a new file begins beyond
MOST_FILES = 64                      # starts in quick sequence make small files
MOST_RECORD = 1 << 17
SYNC_WRITES = 50                     # until they are brought to the disk
IDLE_S = 1.0                         # without a write, after which they are, too
CLOSE_S = 2.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Begun(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """The first record of a file. lost: as in `Had`."""

    era: str                         # boot of the board: its monotonic clock is that of one boot
    lost: int


class Held(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """A report."""

    boot: int
    number: int
    at_ns: int
    body: bytes


class Had(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """This report and all before it are needed no more. lost: reports that were dropped, and nobody was told of."""

    boot: int
    number: int
    lost: int


_DECODER = msgspec.msgpack.Decoder(Begun | Held | Had)


@dataclass
class _File:
    path: Path
    needed: int = 0                  # reports
    size: int = 0


class ReportFiles:
    """The reports of one folder; `found` and `lost` are those of earlier starts. era: the boot of the board.

    now_ns: on the clock of this start. Times of earlier boots of the board, whose clocks have ended, are put before
    this boot as if the board had never been off. Raises: OSError for a folder that cannot be used.
    """

    def __init__(self, folder: Path, now_ns: int, era: str = "") -> None:
        self._folder, self._era = folder, era or _boot_id()
        self.lost = 0
        self._files: list[_File] = []                # oldest first
        self._current: _File | None = None           # of this start; the last of them
        self._tasks: queue.SimpleQueue[tuple[Path, bytes | None] | None] = queue.SimpleQueue()
        folder.mkdir(parents=True, exist_ok=True)
        self.found = self._load(now_ns)
        self._thread = threading.Thread(target=self._work, name="reports", daemon=True)
        self._thread.start()

    # --- the port `Shelf` ---

    def keep(self, record: KeptRecord) -> None:
        file = self._open()
        file.needed += 1
        self._append(file, Held(*record))

    def forget(self, count: int, last: KeptRecord, lost: int) -> None:
        self.lost = lost
        for file in self._files:
            gone = min(count, file.needed)
            file.needed -= gone
            count -= gone
        if lost or any(file.needed for file in self._files):
            self._append(self._open(), Had(last.boot, last.number, lost))
        else:
            self._current = None
        for file in [file for file in self._files if not file.needed and file is not self._current]:
            self._files.remove(file)
            self._tasks.put((file.path, None))

    def close(self) -> None:
        """Write what waits."""
        self._tasks.put(None)
        self._thread.join(CLOSE_S)

    def _open(self) -> _File:
        """The file that is written now."""
        if self._current is None or self._current.size > FILE_BYTES:
            number = int(self._files[-1].path.stem) + 1 if self._files else 1
            self._current = _File(self._folder / f"{number:08d}.log")
            self._files.append(self._current)
            self._append(self._current, Begun(self._era, self.lost))
        return self._current

    def _append(self, file: _File, record: Begun | Held | Had) -> None:
        content = msgspec.msgpack.encode(record)
        file.size += FRAME.size + len(content)
        self._tasks.put((file.path, FRAME.pack(len(content), zlib.crc32(content)) + content))

    # --- earlier starts ---

    def _load(self, now_ns: int) -> list[KeptRecord]:
        """The reports that are needed still, and the files that hold them; the others are removed."""
        paths = sorted(path for path in self._folder.glob("*.log") if path.stem.isdigit())
        for path in paths[:-MOST_FILES]:
            path.unlink()
        held: list[tuple[_File, str, KeptRecord]] = []
        places: dict[tuple[int, int], int] = {}
        needed = 0                                   # the first one that is
        for path in paths[-MOST_FILES:]:
            file, era = _File(path), ""
            before: Held | None = None               # a gap behind it: the disk was full
            self._files.append(file)
            for record in _records(path):
                match record:
                    case Begun(era=era):
                        self.lost = record.lost      # it counts what was torn before it
                    case Held():
                        if before is not None and before.boot == record.boot:
                            self.lost += max(record.number - before.number - 1, 0)
                        before = record
                        places[record.boot, record.number] = len(held)
                        held.append((file, era, KeptRecord(record.boot, record.number, record.at_ns, record.body)))
                    case Had():
                        needed = max(needed, places.get((record.boot, record.number), -1) + 1)
                        before, self.lost = None, record.lost
                    case None:
                        self.lost += 1
        self.lost += len(paths[:-MOST_FILES])        # one of each at least
        for file, _, _ in held[needed:]:
            file.needed += 1
        for file in self._files:
            if not file.needed:
                file.path.unlink()
        self._files = [file for file in self._files if file.needed]
        return _on_clock([(era, record) for _, era, record in held[needed:]], self._era, now_ns)

    # --- the thread ---

    def _work(self) -> None:
        disk, ended, troubled = _Disk(), False, False
        while not ended:
            try:
                task = self._tasks.get(timeout=IDLE_S if disk.unsynced else None)
            except queue.Empty:
                act = disk.sync
            else:
                ended = task is None
                act = disk.close if task is None else partial(disk.do, *task)
            try:
                act()
            except OSError as error:
                if not troubled:
                    log.warning("reports cannot be kept on the disk: %s", error)
                troubled = True


class _Disk:
    """Appends to one file after the other, and removes files. Its methods raise OSError."""

    def __init__(self) -> None:
        self.unsynced = 0                            # writes that are not on the disk
        self._path, self._file = Path(), cast("BinaryIO | None", None)
        self._head = b""                             # of the file, while it could not be written

    def do(self, path: Path, content: bytes | None) -> None:
        """Append to a file; None: remove it."""
        if content is None:
            self.close()
            path.unlink(missing_ok=True)
            return
        if path != self._path:
            self.close()
            self._path, self._head = path, b""
        try:
            if self._file is None:
                self._file = open(path, "ab", buffering=0)                       # noqa: SIM115 - see `close`
            _append_whole(self._file, self._head + content)
        except OSError:
            if self._file is None or not os.fstat(self._file.fileno()).st_size:
                self._head = self._head or content
            raise
        self._head = b""
        self.unsynced += 1
        if self.unsynced >= SYNC_WRITES:
            self.sync()

    def sync(self) -> None:
        self.unsynced = 0
        if self._file is not None:
            os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None


def _append_whole(file: BinaryIO, content: bytes) -> None:
    """Append all or nothing: behind a part of a record no other would be found. Raises: OSError."""
    size = os.fstat(file.fileno()).st_size
    try:
        while content:                               # a disk that fills takes a part first
            content = content[file.write(content):]
    except OSError:
        os.ftruncate(file.fileno(), size)
        raise


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _records(path: Path) -> Iterator[Begun | Held | Had | None]:
    """The records of a file; None in place of a torn one, with which the file ends. Raises: OSError."""
    with open(path, "rb") as file:
        content = file.read(FILE_BYTES + 2 * MOST_RECORD)
    at = 0
    while at < len(content):
        try:
            size, checksum = FRAME.unpack_from(content, at)
            record = content[at + FRAME.size:at + FRAME.size + size]
            if len(record) < size or size > MOST_RECORD or zlib.crc32(record) != checksum:
                raise ValueError
            yield _DECODER.decode(record)
        except (ValueError, struct.error):           # also what another release wrote in another way
            yield None
            return
        at += FRAME.size + size


def _on_clock(held: list[tuple[str, KeptRecord]], era: str, now_ns: int) -> list[KeptRecord]:
    """Reports with their times on the clock of this boot of the board."""
    found: list[KeptRecord] = []
    edge_ns, shift_ns, of = now_ns, 0, era
    for its, record in reversed(held):
        if its != of:                                # an earlier boot: before this one, and before what came after it
            of, shift_ns = its, min(edge_ns, 0) - record.at_ns
        edge_ns = min(edge_ns, record.at_ns + shift_ns)
        found.append(record._replace(at_ns=record.at_ns + shift_ns))
    return found[::-1]
