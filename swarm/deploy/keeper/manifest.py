"""The manifest of a release: the board that it is for, its number, and the trees that it consists of. It is signed.

    {"version": 1, "swarm": NAME, "board": "rover_0", "number": 7, "python": "3.11", "machine": "x86_64",
     "site": HASH of the tree of the runtime, "config": HASH of the tree of the board's configuration}
"""

from __future__ import annotations

import json
import platform
import sys
from typing import Any, NamedTuple

from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places, read_json, write_file, write_json
from swarm.deploy.keeper.store import is_hash
from swarm.deploy.keeper.system import System

VERSION = 1
MOST_NUMBER = 10**9


class Manifest(NamedTuple):
    """A release, as this board sees it."""

    swarm: str
    number: int
    site: str                        # tree of the runtime
    config: str                      # tree of this board's configuration
    python: str
    machine: str


def parse(content: bytes, board: str) -> Manifest:
    """Raises: Refused for content that is none, or is for another board."""
    try:
        raw: dict[str, Any] = json.loads(content)
        version, owner = raw["version"], raw["board"]
        found = Manifest(str(raw["swarm"]), raw["number"], raw["site"], raw["config"], raw["python"], raw["machine"])
    except (ValueError, KeyError, TypeError):
        raise Refused("the manifest is damaged") from None
    if version != VERSION:
        raise Refused(f"the manifest has version {version!r}, and this board's keeper knows {VERSION}")
    if owner != board:
        raise Refused(f"the release is for {owner}, and this board is {board}")
    if not (is_hash(found.site) and is_hash(found.config) and isinstance(found.number, int)
            and 1 <= found.number <= MOST_NUMBER):
        raise Refused("the manifest is damaged")
    return found


def accept(content: bytes, signature: bytes, allow_older: bool, places: Places, system: System) -> Manifest:
    """Check a manifest, and keep it beside the other releases. Raises: Refused; nothing has changed then."""
    board = read_json(places.board)
    found = parse(content, str(board.get("name")))
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if found.machine != platform.machine():
        raise Refused(f"the release is for {found.machine}, and this board is {platform.machine()}")
    if found.python != own:
        raise Refused(f"the release is for Python {found.python}, and this board has {own}")
    if not _signed(content, signature, places, system):
        raise Refused("the manifest is not signed by a key that this board knows")
    highest = int(board.get("highest", 0))
    if found.number < highest and not allow_older:
        raise Refused(f"release {found.number} is older than {highest}, which this board has accepted; --allow-older")
    folder = places.release(found.number)
    stored = folder / "manifest.json"
    if stored.exists() and stored.read_bytes() != content:
        raise Refused(f"there is another release {found.number} on this board")
    write_file(stored, content)
    write_file(folder / "manifest.sig", signature)
    write_json(places.board, {**board, "highest": max(highest, found.number)})
    return found


def of_release(number: int, places: Places, system: System) -> Manifest:
    """A release that was accepted before. Raises: Refused if it is not there, or has been altered."""
    folder = places.release(number)
    try:
        content, signature = (folder / "manifest.json").read_bytes(), (folder / "manifest.sig").read_bytes()
    except OSError:
        raise Refused(f"there is no release {number} on this board") from None
    if not _signed(content, signature, places, system):
        raise Refused(f"the manifest of release {number} has been altered")
    return parse(content, str(read_json(places.board).get("name")))


def _signed(content: bytes, signature: bytes, places: Places, system: System) -> bool:
    seen = places.home / ".signature"
    write_file(seen, signature)
    try:
        return system.verify(places.signers, seen, content)
    finally:
        seen.unlink(missing_ok=True)
