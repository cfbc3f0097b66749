"""The files of a board by their content, and how they come: only what is missing, and on from where it broke off.

A stream of files is a sequence of frames, compressed as one (zlib): a line of JSON (hash, size, offset), then the rest
of the file from that offset. What has come when a stream breaks off is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places
from swarm.deploy.keeper.system import System

CHUNK = 1 << 16
MOST_HEADER = 4096
RESERVE_BYTES = 64 << 20             # left free on the disk: for logs, and for what else lives on the board


def is_hash(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Store:
    """The files of one board."""

    def __init__(self, places: Places, system: System) -> None:
        self._places, self._system = places, system

    def missing(self, wanted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of these hashes (with their sizes) that are not here, each with the bytes of it that have come."""
        found: dict[str, int] = {}
        for name, size in wanted:
            if name not in found and not self._whole(name, size):
                partial = self._places.partial / name
                found[name] = min(partial.stat().st_size, size) if partial.exists() else 0
        return list(found.items())

    def _whole(self, name: str, size: int) -> bool:
        try:
            return (self._places.files / name).stat().st_size == size
        except FileNotFoundError:
            return False

    def receive(self, stream: BinaryIO) -> int:
        """Take files from a stream to its end. Returns their number.

        Raises: Refused for a broken stream, a file that is not what its hash says, or a full disk.
        """
        self._places.files.mkdir(parents=True, exist_ok=True)
        self._places.partial.mkdir(exist_ok=True)
        reader, count = _Inflated(stream), 0
        while line := reader.line():
            try:
                header = json.loads(line)
                name, size, offset = header["hash"], int(header["size"]), int(header["offset"])
            except (ValueError, KeyError, TypeError):
                raise Refused("the stream of files is damaged") from None
            if not is_hash(name) or not 0 <= offset <= size:
                raise Refused("the stream of files is damaged")
            self._take(reader, name, size, offset)
            count += 1
        return count

    def _take(self, reader: _Inflated, name: str, size: int, offset: int) -> None:
        partial = self._places.partial / name
        try:
            with open(partial, "r+b" if partial.exists() else "wb") as file:
                if file.seek(0, os.SEEK_END) < offset:
                    raise Refused("the stream of files does not go on where the last one broke off")
                file.truncate(offset)
                file.seek(offset)
                left = size - offset
                while left:
                    block = reader.read(min(left, CHUNK))
                    if not block:
                        raise Refused("the stream of files is damaged")
                    file.write(block)
                    left -= len(block)
                os.fchmod(file.fileno(), 0o644)
        except OSError as error:
            raise Refused(f"a file cannot be written: {error.strerror}") from None
        if hash_of(partial) != name:
            partial.unlink()
            raise Refused(f"file {name[:12]} is not what its hash says: it was altered on its way")
        os.replace(partial, self._places.files / name)

    def check(self, name: str) -> bool:
        """Whether a file is what its hash says; else it is forgotten."""
        path = self._places.files / name
        if path.is_file() and hash_of(path) == name:
            return True
        path.unlink(missing_ok=True)
        return False

    def sweep(self) -> int:
        """Remove what no tree holds, and what came in part. Returns the bytes that this freed."""
        freed = 0
        for path in self._places.files.iterdir() if self._places.files.exists() else ():
            if (at := path.stat()).st_nlink == 1:
                freed += at.st_size
                path.unlink()
        for path in self._places.partial.iterdir() if self._places.partial.exists() else ():
            path.unlink()
        return freed

    def check_space(self, need_bytes: int) -> None:
        """Raises: Refused if so much does not fit."""
        free = self._system.free_bytes(self._places.home)
        if need_bytes + RESERVE_BYTES > free:
            raise Refused(f"the disk is too full: {free >> 20} MiB free, {need_bytes >> 20} MiB to come, and "
                          f"{RESERVE_BYTES >> 20} MiB stay free")


class _Inflated:
    """Reads a compressed stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._inflate, self._ready = stream, zlib.decompressobj(), b""
        self._begun = False

    def read(self, most: int) -> bytes:
        """Up to so many bytes; empty at the end of the stream. Raises: Refused where it broke off."""
        while not self._ready:
            raw = self._inflate.unconsumed_tail or self._stream.read(CHUNK)
            if not raw and self._begun and not self._inflate.eof:
                raise Refused("the stream of files broke off")
            if not raw:
                return b""
            self._begun = True
            try:
                self._ready = self._inflate.decompress(raw, CHUNK)
            except zlib.error:
                raise Refused("the stream of files is damaged") from None
        taken, self._ready = self._ready[:most], self._ready[most:]
        return taken

    def line(self) -> bytes:
        """One line without its end; empty at the end of the stream."""
        line = b""
        while byte := self.read(1):
            if byte == b"\n":
                return line
            line += byte
            if len(line) > MOST_HEADER:
                break
        if line:
            raise Refused("the stream of files is damaged")
        return b""
