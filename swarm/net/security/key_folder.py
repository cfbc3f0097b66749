"""The key folder, as `swarm keys` and the launcher write it.

    NAME.key                        secret and public key of a process, mode 0600
    NAME.pub                        its public key, to be copied to other machines
    enrolled/NAME.pub               allow-list: processes follow its changes while they run
    revoked/NAME.FINGERPRINT.pub    keys that are no longer accepted
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.net.security.key_files import (
    PUBLIC,
    SECRET,
    Key,
    KeyPair,
    new_pair,
    read_enrolled,
    read_key,
    read_pair,
    write_key,
    write_pair,
)

ENROLLED, REVOKED = "enrolled", "revoked"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the folder; `trouble`: why its file cannot be used."""

    name: str
    state: Literal["enrolled", "revoked", "not enrolled", "unusable"]
    secret: bool = False             # whether the secret key is here
    fingerprint: str = ""
    public_key: str = ""
    role: str = ""
    trouble: str = ""


class KeyFolder:
    """A folder of keys. Every method raises BadInput for a user's mistake and for a folder that cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def new(self, name: str, durable: bool = True, role: str = "") -> KeyPair:
        """Make a process's keys. Existing keys are never replaced. role: empty: that of its name."""
        rules.named(name, "swarm keys new")
        path = self.path / f"{name}{SECRET}"
        pair = new_pair(name, role)
        try:
            self._make("")
            write_pair(path, pair, durable)
            (self.path / f"{name}{PUBLIC}").unlink(missing_ok=True)      # its secret key is gone
            write_key(self.path / f"{name}{PUBLIC}", pair.key, durable)
        except FileExistsError:
            raise BadInput(str(path), "it is there already", "another name; or remove it, if nobody needs it") from None
        except OSError as error:
            raise BadInput(str(path), error.strerror or str(error), "a folder that can be written") from None
        return pair

    def enrol(self, key: Key, again: bool = False, durable: bool = True) -> bool:
        """Accept messages of this key's owner from now on. Returns whether that is new.

        again: even if the key was revoked.
        """
        for other in self._keys(ENROLLED).values():
            if isinstance(other, Key) and (other.name == key.name) != (other.public == key.public):
                what = f"key {other.fingerprint} is enrolled as {other.name}"
                raise BadInput(f"{key.name}, key {key.fingerprint}", what, f"first: swarm keys revoke {other.name}")
        revoked = [path for path, old in self._keys(REVOKED).items()
                   if isinstance(old, Key) and old.public == key.public]
        if revoked and not again:
            raise BadInput(f"{key.name}, key {key.fingerprint}", "this key was revoked", "a new key, or --again")
        path = self.path / ENROLLED / f"{key.name}{PUBLIC}"
        try:
            self._make(ENROLLED)
            write_key(path, key, durable)
            for old in revoked:
                old.unlink()
        except FileExistsError:
            read_key(path)                           # raises if it is not a key, so that a person looks at it
            return False
        except OSError as error:
            raise BadInput(str(path), error.strerror or str(error), "a folder that can be written") from None
        return True

    def revoke(self, name: str) -> Key:
        """Accept no more messages of this key's owner; the key stays on record."""
        path = self.path / ENROLLED / f"{name}{PUBLIC}"
        rules.known(name, [at.stem for at in self._keys(ENROLLED)], f"swarm keys revoke {name}", "enrolled key")
        key = read_key(path)
        try:
            self._make(REVOKED)
            os.replace(path, self.path / REVOKED / f"{name}.{key.fingerprint}{PUBLIC}")
        except OSError as error:
            raise BadInput(str(path), error.strerror or str(error), "a folder that can be written") from None
        return key

    def key_of(self, name: str) -> Key:
        """The public key of a process whose secret key is in this folder."""
        rules.named(name, "swarm keys enrol")
        return read_pair(self.path / f"{name}{SECRET}", name).key

    def entries(self) -> list[Entry]:
        """All keys, by name."""
        secrets: dict[str, Entry] = {}
        for path in _files(self.path, SECRET):
            entry = self._entry(path.stem, "not enrolled", _tried(lambda at=path: read_pair(at, at.stem)), secret=True)
            secrets[entry.public_key or str(path)] = entry
        found: list[Entry] = []
        for state in ("enrolled", "revoked"):
            for path, key in self._keys(state).items():
                entry = self._entry(path.name.partition(".")[0], state, key, secret=False)
                ours = secrets.pop(entry.public_key, None) is not None
                found.append(msgspec.structs.replace(entry, secret=ours))
        return sorted([*found, *secrets.values()], key=lambda entry: (entry.name, entry.state, entry.fingerprint))

    def _entry(
        self, name: str, state: Literal["enrolled", "revoked", "not enrolled"], key: Key | BadInput, secret: bool
    ) -> Entry:
        if isinstance(key, BadInput):
            return Entry(name=name, state="unusable", secret=secret, trouble=str(key))
        return Entry(name=key.name, state=state, secret=secret, fingerprint=key.fingerprint, public_key=key.public,
                     role=key.acts_as)

    def _keys(self, sub: str) -> dict[Path, Key | BadInput]:
        """The public keys of a sub-folder by file, or their errors; empty if it is absent."""
        read = read_enrolled if sub == ENROLLED else read_key
        folder = self.path / sub
        return {path: _tried(lambda at=path: read(at)) for path in (_files(folder, PUBLIC) if folder.exists() else ())}

    def _make(self, sub: str) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sub:
            (self.path / sub).mkdir(mode=0o755, exist_ok=True)


def _files(folder: Path, suffix: str) -> list[Path]:
    """Files with this suffix, sorted by name. Raises: BadInput."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(suffix) and name[0] != ".")
    except OSError as error:
        raise BadInput(str(folder), error.strerror or str(error), "a folder as `swarm keys new` makes it") from None


def _tried(read: Callable[[], Key]) -> Key | BadInput:
    try:
        return read()
    except BadInput as error:
        return error
