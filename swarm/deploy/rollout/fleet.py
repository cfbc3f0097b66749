"""The operator's side of a fleet: a folder beside its inventory.

    signing_key, signing_key.pub  of releases
    known_hosts                   host keys, pinned at the first connection
    keys/enrolled/, keys/revoked/ public keys of the fleet's processes: `swarm keys list --keys FOLDER/keys`
    releases.json                 the newest number, and what each board's newest release consists of
    lock                          one push at a time
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.deploy.boards.ports import BoardPort
from swarm.deploy.boards.ssh import SshBoard
from swarm.deploy.bundles.bundle import cache
from swarm.deploy.bundles.signing import Signer, Signing
from swarm.deploy.bundles.store import Files
from swarm.deploy.inventory import Read
from swarm.deploy.keeper import manifest
from swarm.net.security.key_folder import KeyFolder

Connect = Callable[[str], BoardPort]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What one board is to run."""

    number: int
    board: str
    target: str
    site: str                        # hash of a tree
    config: str
    python: str
    machine: str


class Fleet:
    """The folder of a fleet. Raises: BadInput if it cannot be written."""

    def __init__(self, read: Read, connect: Connect | None = None, signer: Signing | None = None) -> None:
        self.read, self.inventory, self.path = read, read.inventory, read.folder
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(str(self.path), error.strerror or str(error), "a folder that can be written") from None
        self.signer, self.keys = signer or Signer(self.path), KeyFolder(self.path / "keys")
        self.files = Files(cache() / "files")
        self._open: dict[str, BoardPort] = {}
        self._connect = connect or (lambda robot: SshBoard(
            self.inventory.at[robot], self.path / "known_hosts", self._identity()))

    def _identity(self) -> str:
        own = self.path / "login_key"
        return str(own) if own.exists() else ""

    def board(self, robot: str) -> BoardPort:
        """The board of a robot; connected when it is first asked, until `close`."""
        if robot not in self._open:
            self._open[robot] = self._connect(robot)
        return self._open[robot]

    def close(self) -> None:
        """Close all connections. Their counts of bytes are complete then."""
        if self._open:
            with ThreadPoolExecutor(len(self._open)) as pool:        # each waits for its ssh to end
                list(pool.map(lambda port: port.close(), self._open.values()))

    def carried(self, robot: str) -> tuple[int, int]:
        """Bytes sent to a board and received from it, on connections that are closed."""
        port = self._open.get(robot)
        return (port.sent_bytes, port.received_bytes) if port is not None else (0, 0)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Raises: BadInput while another push runs."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BadInput("swarm deploy push", f"another push of {self.read.path} runs", "wait for its end"
                               ) from None
            yield
        finally:
            os.close(descriptor)

    # --- releases ---

    def release(self, board: str, target: str, site: str, config: str, python: str, machine: str) -> Release:
        """The release of these trees: the newest one if it has them, else a new one with the next number."""
        state = self._state()
        known = state["boards"].get(board)
        if known is not None and (known["site"], known["config"]) == (site, config):
            return msgspec.convert(known, Release)
        made = Release(number=state["number"] + 1, board=board, target=target, site=site, config=config,
                       python=python, machine=machine)
        self._save({"number": made.number, "boards": {**state["boards"], board: msgspec.to_builtins(made)}})
        return made

    def at_least(self, number: int) -> None:
        """Boards have accepted this number, perhaps from another operator: ours go on from there."""
        state = self._state()
        if number > state["number"]:
            self._save({**state, "number": number})

    def newest(self, board: str) -> Release | None:
        known = self._state()["boards"].get(board)
        return msgspec.convert(known, Release) if known else None

    def signed(self, release: Release) -> tuple[bytes, bytes]:
        """The manifest of a release, and its signature. Equal releases have equal bytes (Ed25519 draws nothing)."""
        content = json.dumps({
            "version": manifest.VERSION, "swarm": self.inventory.swarm, "board": release.board,
            "number": release.number, "python": release.python, "machine": release.machine,
            "site": release.site, "config": release.config}, sort_keys=True).encode()
        return content, self.signer.sign(content)

    def _state(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "releases.json").read_bytes())
        except FileNotFoundError:
            return {"number": 0, "boards": {}}
        except ValueError:
            raise BadInput(str(self.path / "releases.json"), "it is damaged", "remove it: boards refuse what is too old"
                           ) from None

    def _save(self, state: dict[str, Any]) -> None:
        path = self.path / "releases.json"
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(state, indent=1, sort_keys=True))
        os.replace(partial, path)

