"""Where a board keeps its releases.

    /opt/swarm/keeper.pyz         this program
    /opt/swarm/files/HASH         the files of all trees, by content; trees hold hard links to them
    /opt/swarm/partial/HASH       a file that has come in part
    /opt/swarm/trees/HASH/        a complete tree: the runtime for this board's Python, or the board's configuration
    /opt/swarm/releases/N/        manifest.json, and the links `site` and `config` to its trees
    /opt/swarm/current, previous  links to releases: `current` is what runs
    /opt/swarm/board.json         the board's name, the highest number that it accepted, who may sign
    /opt/swarm/trial.json         the release on trial, if one is
    /opt/swarm/last.json          the end of the last trial
    /var/lib/swarm/keys/          the keys of its processes; secret ones are made here and stay here
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

MOST_JSON = 1 << 20                  # processes of a release write such files, too
UNIT_FOLDER = "etc/systemd/system"


class Places:
    """All paths, below a root that is `/` on a board."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root
        self.home = root / "opt/swarm"
        self.keeper = self.home / "keeper.pyz"
        self.files, self.partial = self.home / "files", self.home / "partial"
        self.trees, self.releases = self.home / "trees", self.home / "releases"
        self.current, self.previous = self.home / "current", self.home / "previous"
        self.board, self.trial, self.last = (self.home / f"{name}.json" for name in ("board", "trial", "last"))
        self.signers = self.home / "allowed_signers"
        self.lock = self.home / "lock"
        self.units = root / UNIT_FOLDER
        self.data = root / "var/lib/swarm"
        self.keys = self.data / "keys"
        self.runtime = root / "run/swarm"

    def release(self, number: int) -> Path:
        return self.releases / str(number)

    def number(self, link: Path) -> int:
        """The release that `current` or `previous` leads to; 0: none."""
        try:
            return int(Path(os.readlink(link)).name)
        except (OSError, ValueError):
            return 0


def read_json(path: Path) -> dict[str, Any]:
    """A small file; empty if it is absent, too large, or was not written completely before a power cut."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(MOST_JSON))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write it completely or not at all, and on the disk when this returns."""
    write_file(path, json.dumps(content, sort_keys=True).encode())


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write it completely or not at all, and on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(new, path)
    sync_folder(path.parent)


def link_to(link: Path, target: str) -> None:
    """Make or change a link in one step, on the disk when this returns."""
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    os.symlink(target, new)
    os.replace(new, link)
    sync_folder(link.parent)


def remove(path: Path) -> None:
    """Remove a small file, on the disk when this returns."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
