"""Trees: folders of files that never change. A tree's list is itself a file of the store, and its hash names the tree.

The list is JSON: `{"files": [[path, hash, size], ...]}`. The files of a tree are hard links into the store.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places
from swarm.deploy.keeper.store import Store, hash_of, is_hash
from swarm.deploy.keeper.system import System

LIST = ".tree.json"                  # a tree's own list; the last file that is put into it
PACKAGES = "lib"                     # of a tree with Python packages
MOST_LIST = 16 << 20
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


class Entry(NamedTuple):
    """A file of a tree."""

    path: str
    hash: str
    size: int


def parse(content: bytes) -> list[Entry]:
    """The list of a tree. Raises: Refused for one that is none, or with a path that leads out of the tree."""
    try:
        entries = [Entry(*entry) for entry in json.loads(content)["files"]]
    except (ValueError, KeyError, TypeError):
        raise Refused("the list of a tree is damaged") from None
    for path, name, size in entries:
        pure = PurePosixPath(path if isinstance(path, str) else "/")
        if (pure.is_absolute() or ".." in pure.parts or not pure.parts or not is_hash(name)
                or not isinstance(size, int) or size < 0):
            raise Refused("the list of a tree is damaged")
    return entries


class Trees:
    """The trees of one board."""

    def __init__(self, places: Places, system: System, store: Store) -> None:
        self._places, self._system, self._store = places, system, store

    def entries(self, tree: str) -> list[Entry] | None:
        """Its files; None: its list has not come."""
        for path in (self._places.files / tree, self._places.trees / tree / LIST):
            if path.exists() and path.stat().st_size <= MOST_LIST and hash_of(path) == tree:
                return parse(path.read_bytes())
        return None

    def altered(self, tree: str) -> list[str]:
        """Paths of a tree that is here whose files are not what they were. What the store holds of them comes anew."""
        folder, bad = self._places.trees / tree, []
        for entry in self.entries(tree) or ():
            path = folder / entry.path
            if not path.is_file() or path.stat().st_size != entry.size or hash_of(path) != entry.hash:
                bad.append(entry.path)
                self._store.check(entry.hash)
        return bad

    def build(self, tree: str) -> None:
        """Put a tree together beside the others, whole and on the disk, or not at all.

        A tree that is here is checked file by file, and put together anew if one was altered.
        Raises: Refused if a file is missing or is not what its hash says.
        """
        folder = self._places.trees / tree
        entries = self.entries(tree)
        if entries is None:
            raise Refused(f"the list of tree {tree[:12]} has not come")
        if (folder / LIST).exists() and not self.altered(tree):
            return
        new = folder.with_name(f".{tree}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            for entry in entries:
                self._link(entry, new / entry.path)
            if (new / PACKAGES).is_dir():
                self._make_python(new)
            listed = self._places.files / tree
            os.link(listed if listed.exists() else folder / LIST, new / LIST)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise Refused(f"tree {tree[:12]} cannot be put together: {error.strerror or error}") from None
        self._system.sync(new)                       # all of its content is on the disk before it has its name
        if folder.exists():                          # it was altered, and may be running: changed in one step
            _exchange(new, folder)
            shutil.rmtree(new, ignore_errors=True)
        else:
            os.replace(new, folder)
        self._system.sync(folder)

    def _link(self, entry: Entry, path: Path) -> None:
        source = self._places.files / entry.hash
        if not source.exists():
            raise Refused(f"{entry.path} has not come")
        if not self._store.check(entry.hash):
            raise Refused(f"{entry.path} is not what its hash says; push again, and it comes anew")
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, path)

    def _make_python(self, folder: Path) -> None:
        """An environment of the board's own Python, without pip: two files, and the code compiled once."""
        python = self._system.python()
        (folder / "bin").mkdir()
        os.symlink(python, folder / "bin" / "python")
        (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
        with contextlib.suppress(Refused):           # code that this Python cannot compile fails when it is imported
            self._system.run(str(python), "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
                             str(folder / PACKAGES))

    def sweep(self, kept: set[str]) -> None:
        """Remove all other trees, and what is left of trees that were being put together."""
        for path in self._places.trees.iterdir() if self._places.trees.exists() else ():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Exchange two paths in one step (renameat2 of Linux; Python has no call for it). Raises: OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(other))
