"""Reads and writes key files. They hold CURVE keys in Z85: 40 characters for 32 bytes.

A file consists of lines `key: value`: `name` and `public`, in a secret file `secret`, and `role` where the name does
not say it. A secret file gives its holder the identity of the process, so it is refused unless only its owner may read
it. A file with a public key is refused if others may write it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import tempfile
from collections.abc import Collection
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.net.descriptors import SHORTAGES

FILE_BYTES = 4096                    # a key file is far smaller
SECRET, PUBLIC = ".key", ".pub"
ROLE = "role"


class Unreadable(BadInput):
    """A key file that could not be read for want of descriptors or memory, or by an error of the disk."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The public key of a process, and the role that it may have in a swarm."""

    name: str
    public: str
    role: str = ""                   # empty: that of its name

    @property
    def acts_as(self) -> str:
        """Its role."""
        return self.role or rules.ROLE_OF_NAME.get(self.name, "agent")

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public)


class KeyPair(Key, frozen=True, kw_only=True):
    """A process's own keys."""

    secret: str

    def __repr__(self) -> str:
        """Without the secret, because others may read logs."""
        return f"KeyPair(name={self.name!r}, public={self.public!r})"

    @property
    def key(self) -> Key:
        """The public part."""
        return Key(name=self.name, public=self.public, role=self.role)


def new_pair(name: str, role: str = "") -> KeyPair:
    public, secret = zmq.curve_keypair()
    return KeyPair(name=name, public=public.decode(), secret=secret.decode(), role=role)


def is_key(text: str) -> bool:
    """Whether it is 32 bytes in Z85."""
    try:
        return len(text) == 40 and len(z85.decode(text)) == 32
    except (KeyError, ValueError, struct.error):
        return False


def fingerprint(public: str) -> str:
    """96 bits of the key's SHA-256, for people to compare."""
    digest = hashlib.sha256(z85.decode(public)).hexdigest()
    return "-".join(digest[i:i + 4] for i in range(0, 24, 4))


# --- reading ---


def read_pair(path: Path, name: str) -> KeyPair:
    """The secret file of this process. Raises: BadInput: absent, readable by others, another user's, or not a pair."""
    found = _read(path, ("name", "public", "secret"), 0o077, {os.geteuid()}, f"make one: swarm keys new {name}")
    pair = KeyPair(**found)
    if pair.name != name:
        raise BadInput(str(path), f"it is the key of {pair.name!r}", f"the key of {name}")
    if not is_key(pair.secret) or zmq.curve_public(pair.secret.encode()).decode() != pair.public:
        raise BadInput(str(path), "its public key is not that of its secret one", "both as `swarm keys new` made them")
    return pair


def read_key(path: Path) -> Key:
    """The file of a public key. Raises: BadInput: absent, writable by others, another user's, or not a key."""
    key = Key(**_read(path, ("name", "public"), 0o022, {0, os.geteuid()}, "a file NAME.pub of `swarm keys new`"))
    rules.named(key.name, f"{path}: name")
    if not is_key(key.public):
        raise BadInput(f"{path}: public", "it is no key", "40 characters of Z85")
    return key


def read_enrolled(path: Path) -> Key:
    """A file of the allow-list. Raises: BadInput, also if its name is not that of the key's owner."""
    key = read_key(path)
    if key.name != path.stem:
        raise BadInput(str(path), f"it is the key of {key.name!r}", f"a file called {key.name}{PUBLIC}")
    return key


def check_permissions(at: os.stat_result, path: Path, forbidden: int, owners: Collection[int]) -> None:
    """Raises: BadInput for a file or folder of another user, or with one of the `forbidden` mode bits."""
    if at.st_uid not in owners:
        raise BadInput(str(path), f"it belongs to user {at.st_uid}", f"chown {os.geteuid()} {path}")
    if at.st_mode & forbidden:
        read = forbidden & 0o044
        raise BadInput(str(path), f"others may {'read' if read else 'write'} it (mode {stat.S_IMODE(at.st_mode):04o})",
                       f"chmod {'600' if read else 'go-w'} {path}")


def _read(path: Path, fields: tuple[str, ...], forbidden: int, owners: Collection[int], want: str) -> dict[str, str]:
    """Exactly these fields of a file, and perhaps a role, after a check of its permissions.

    Errors name lines, never their content.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)       # a pipe must not block us
        with open(descriptor, "rb") as file:
            at = os.fstat(descriptor)
            if not stat.S_ISREG(at.st_mode):
                raise BadInput(str(path), "it is no file", want)
            check_permissions(at, path, forbidden, owners)
            text = file.read(FILE_BYTES + 1).decode("ascii")
    except PermissionError as error:
        raise BadInput(str(path), str(error.strerror), f"chown {os.geteuid()} {path}") from None
    except OSError as error:
        kind = Unreadable if error.errno in SHORTAGES else BadInput
        raise kind(str(path), error.strerror or str(error), want) from None
    except UnicodeDecodeError:
        raise BadInput(str(path), "it is not plain text", want) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, colon, value = line.partition(": ")
        if line.strip() and not line.startswith("#"):
            if not colon or key not in (*fields, ROLE) or key in found:
                raise BadInput(f"{path}: line {number}", "it is not a line of a key file", f"{', '.join(fields)}")
            found[key] = value.strip()
    rules.known(found.get(ROLE, rules.ROLES[0]), rules.ROLES, f"{path}: {ROLE}", "role")
    if len(text) > FILE_BYTES or not found.keys() >= set(fields):
        raise BadInput(str(path), "it is incomplete or too long", f"{', '.join(fields)}, as `swarm keys new` writes it")
    return found


# --- writing ---


def write_pair(path: Path, pair: KeyPair, durable: bool = True) -> None:
    """Raises: OSError; FileExistsError if the file exists: an overwritten secret would be lost."""
    text = f"# Secret key: a process with this file can act as {pair.name}.\nname: {pair.name}\n"
    _write(path, f"{text}public: {pair.public}\nsecret: {pair.secret}\n{_role_line(pair)}", 0o600, durable)


def write_key(path: Path, key: Key, durable: bool = True) -> None:
    """Raises: OSError; FileExistsError if the file exists."""
    _write(path, f"name: {key.name}\npublic: {key.public}\n{_role_line(key)}", 0o644, durable)


def _role_line(key: Key) -> str:
    return f"{ROLE}: {key.role}\n" if key.role else ""


def _write(path: Path, text: str, mode: int, durable: bool) -> None:
    """Write a file completely or not at all. durable: flush it to the disk, in case the power fails."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        os.link(temporary, path)                     # unlike a rename it replaces nothing
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
