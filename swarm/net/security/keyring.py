"""Our own keys and those of the enrolled members, updated while the process runs."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from swarm.core.settings.errors import BadInput
from swarm.net.descriptors import SHORTAGES, reserved
from swarm.net.security.key_files import (
    PUBLIC,
    SECRET,
    Key,
    KeyPair,
    Unreadable,
    check_permissions,
    read_enrolled,
    read_pair,
)
from swarm.net.security.key_folder import ENROLLED

SHORT_OF = "descriptors or memory"   # stands for a file among those that were refused, so that it is told of once
Signature = tuple[tuple[str, int, int, int], ...]


class Change(msgspec.Struct, frozen=True):
    """The result of a reload."""

    names: frozenset[str]            # members that were enrolled or revoked, or have another key
    refused: dict[str, str]          # files that cannot be used, and why; each is reported once


class Keyring:
    """The keys of a key folder (key_folder.py) as one process sees them.

    A file of the allow-list that cannot be used enrols no member; neither does a folder that other users may write, nor
    a key that two names claim. While descriptors or memory are short, or the disk has errors, the keys that were read
    last stay in force. Raises: BadInput if the own key cannot be used, or if there is no allow-list.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.own: KeyPair = read_pair(folder / f"{name}{SECRET}", name)
        self._folder = folder / ENROLLED
        self._keys: dict[str, tuple[str, str]] = {}  # name -> public key and role
        self._owners: dict[str, str] = {}            # public key -> name
        self._refused: dict[str, str] = {}
        self._signature: Signature = ()
        try:
            check_permissions(self._folder.stat(), self._folder, 0o022, {0, os.geteuid()})
        except OSError as error:
            raise BadInput(str(self._folder), error.strerror or str(error), "enrol somebody: swarm keys enrol NAME"
                           ) from None
        self.first_change = self.reload()            # the result of the first reading

    def owner(self, public: str) -> str | None:
        """Name of the member that owns this key; None: no member does."""
        return self._owners.get(public)

    def public(self, name: str) -> str | None:
        """The enrolled key of a member; None: it has none."""
        known = self._keys.get(name)
        return known[0] if known else None

    def role(self, name: str) -> str:
        """The role that a member's key gives it; empty: it has none."""
        known = self._keys.get(name)
        return known[1] if known else ""

    def names(self) -> list[str]:
        return sorted(self._keys)

    def reload(self) -> Change:
        """Read the allow-list again if a file's times have changed."""
        try:
            with reserved():
                signature = self._sign()
                if signature == self._signature:
                    return Change(frozenset(), {})
                keys, refused = self._read()
        except Unreadable as error:
            if not self._signature:
                raise                                # there is nothing that could stay in force
            return self._change(self._keys, {**self._refused, SHORT_OF: str(error)})
        self._signature = signature
        return self._change(keys, refused)

    def _change(self, keys: dict[str, tuple[str, str]], refused: dict[str, str]) -> Change:
        new = {path: why for path, why in refused.items() if self._refused.get(path) != why}
        names = frozenset(name for name, _ in keys.items() ^ self._keys.items())
        self._keys, self._refused = keys, refused
        self._owners = {public: name for name, (public, _) in keys.items()}
        return Change(names, new)

    def _sign(self) -> Signature:
        """A value that changes when the content or the mode of a file or of the folder changes."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError as error:                     # no folder: no member is accepted
            _raise_if_short(error, self._folder)
            return (("", error.errno or 0, 0, 0),)
        return tuple(_stamp(self._folder, name) for name in ("", *names))

    def _read(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        """Key and role by name, and reason by file that was refused."""
        found: list[tuple[Path, Key]] = []
        refused: dict[str, str] = {}
        try:
            check_permissions(self._folder.stat(), self._folder, 0o022, {0, os.geteuid()})
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == PUBLIC and path.name[0] != ".")
        except OSError as error:
            _raise_if_short(error, self._folder)
            return {}, {str(self._folder): f"{self._folder}: {error.strerror}"}
        except BadInput as error:
            return {}, {str(self._folder): str(error)}
        for path in paths:
            try:
                found.append((path, read_enrolled(path)))
            except Unreadable:
                raise
            except BadInput as error:
                refused[str(path)] = str(error)
        claims: dict[str, list[str]] = {}
        for _, key in found:
            claims.setdefault(key.public, []).append(key.name)
        for path, key in found:
            if len(claims[key.public]) > 1:
                refused[str(path)] = f"{path}: the key of {' and '.join(claims[key.public])}; a key has one owner"
        return {key.name: (key.public, key.acts_as) for path, key in found if str(path) not in refused}, refused


def _raise_if_short(error: OSError, path: Path) -> None:
    """Raises: Unreadable for an error that says nothing about the file."""
    if error.errno in SHORTAGES:
        raise Unreadable(str(path), error.strerror or str(error), "the keys that were read last stay in force")


def _stamp(folder: Path, name: str) -> tuple[str, int, int, int]:
    """Times and inode of a file. A file that cannot be read (a broken link) does not hide the others."""
    try:
        at = (folder / name).stat()
    except OSError as error:
        _raise_if_short(error, folder / name)
        return (name, error.errno or 0, 0, 0)
    return (name, at.st_mtime_ns, at.st_ctime_ns, at.st_ino)
