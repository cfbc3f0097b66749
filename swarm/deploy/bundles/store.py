"""The operator's store of files by content, and the lists of trees that are made of them."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from swarm.core.settings.errors import BadInput
from swarm.deploy.keeper.store import is_hash
from swarm.deploy.keeper.trees import Entry, parse

CHUNK = 1 << 18
LEVEL = 6                            # of zlib: the higher ones take twice as long for 1 %


class Files:
    """Files by their SHA-256, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(str(folder), error.strerror or str(error), "a folder that can be written: $SWARM_CACHE"
                           ) from None

    def path(self, name: str) -> Path:
        """Where a file is kept. Raises: ValueError for a name that is no hash: it could lead out of the folder."""
        if not is_hash(name):
            raise ValueError(f"{name!r} is no hash of a file")
        return self.folder / name

    def put(self, content: bytes) -> str:
        """Keep a file. Returns its hash."""
        name = hashlib.sha256(content).hexdigest()
        path = self.folder / name
        if not path.exists():
            partial = path.with_name(f"{name}.{os.getpid()}.partial")
            partial.write_bytes(content)
            os.replace(partial, path)
        return name

    def tree(self, files: Mapping[str, bytes]) -> str:
        """Keep a tree of these files by path. Returns the hash of its list."""
        return self.listed([(path, self.put(content), len(content)) for path, content in files.items()])

    def listed(self, entries: Iterable[tuple[str, str, int]]) -> str:
        """Keep the list of a tree whose files are here. Returns its hash."""
        return self.put(json.dumps({"files": sorted(map(list, entries))}, separators=(",", ":")).encode())

    def entries(self, tree: str) -> list[Entry]:
        return parse(self.path(tree).read_bytes())

    def stream(self, wanted: Iterable[tuple[str, int]]) -> Iterator[bytes]:
        """A compressed stream of these files, each from its offset on, as a board's keeper takes it."""
        pack = zlib.compressobj(LEVEL)
        for name, offset in wanted:
            path = self.path(name)
            size = path.stat().st_size
            offset = min(offset, size)
            yield pack.compress(json.dumps({"hash": name, "size": size, "offset": offset}).encode() + b"\n")
            with open(path, "rb") as file:
                file.seek(offset)
                while block := file.read(CHUNK):
                    yield pack.compress(block)
        yield pack.flush()
