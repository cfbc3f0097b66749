"""Power cuts: a board's disk as it is at one moment, without what waits in memory to be written to it.

The disk is an ext4 image on a loop device. A copy of the image has exactly what was written to the device. All
processes of the board stand still during the copy; if the kernel wrote meanwhile, the copy is made again.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from swarm.bench.deploy.boards import Board

DISK_MB = 900
TRIES = 40
BLOCK = 1 << 20


def make_disk(path: Path) -> None:
    """An empty ext4 file system in a sparse file."""
    with open(path, "wb") as file:
        file.truncate(DISK_MB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(path)], check=True,
                   capture_output=True)


def copied(source: Path, target: Path) -> None:
    """A copy of a sparse file: only what is in it is read and written."""
    size = source.stat().st_size
    with open(source, "rb") as from_, open(target, "wb") as to:
        to.truncate(size)
        at = 0
        while True:
            try:
                begin = os.lseek(from_.fileno(), at, os.SEEK_DATA)
            except OSError:                          # no more data
                return
            at = os.lseek(from_.fileno(), begin, os.SEEK_HOLE)
            while begin < at:
                begin += os.copy_file_range(from_.fileno(), to.fileno(), min(at - begin, 64 * BLOCK), begin, begin)


def cut(board: Board, disk: Path, target: Path) -> bool:
    """Copy the disk as it is now. False: the kernel wrote during every try."""
    device = _device(disk)
    board.freeze(True)
    try:
        for _ in range(TRIES):
            before = _writes(device)
            copied(disk, target)
            if _writes(device) == before:
                return True
        return False
    finally:
        board.freeze(False)


def _device(disk: Path) -> str:
    """The loop device of an image."""
    said = subprocess.run(["losetup", "--noheadings", "--output", "NAME", "--associated", str(disk)], check=True,
                          capture_output=True, text=True).stdout.split()
    return Path(said[0]).name


def _writes(device: str) -> tuple[int, int, int]:
    """Writes that the device has completed, their sectors, and requests on their way (Documentation/block/stat.rst)."""
    fields = [int(field) for field in Path(f"/sys/block/{device}/stat").read_text().split()]
    return fields[4], fields[6], fields[8]
