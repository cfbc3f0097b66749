"""`swarm keys new|enrol|revoke|list`: who belongs to a swarm."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import msgspec

from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.net.security.key_files import PUBLIC, Key, is_key, read_key
from swarm.net.security.key_folder import KeyFolder

VARIABLE = "SWARM_KEYS"


def new(given: argparse.Namespace) -> int:
    """Make keys; the public ones are printed, with where they are, to be carried to the others."""
    folder = _folder(given)
    for name in given.names:
        pair = folder.new(name)
        print(f"{name}  {pair.fingerprint}  {folder.path / f'{name}{PUBLIC}'}")
    return 0


def enrol(given: argparse.Namespace) -> int:
    """Nothing is enrolled unless all that was given are keys."""
    folder = _folder(given)
    keys = [_key(folder, text) for text in given.keys_given]
    for key in keys:
        done = folder.enrol(key, given.again)
        print(f"{key.name}  {key.fingerprint}  {'enrolled' if done else 'was enrolled already'}")
    return 0


def revoke(given: argparse.Namespace) -> int:
    folder = _folder(given)
    for name in given.names:
        print(f"{name}  {folder.revoke(name).fingerprint}  revoked")
    return 0


def list_keys(given: argparse.Namespace) -> int:
    """Exit code 1 if a file cannot be used: whoever it is of is not heard."""
    folder = _folder(given)
    entries = folder.entries()
    if given.json:
        print(json.dumps({"folder": str(folder.path), "keys": msgspec.to_builtins(entries)}))
    else:
        width = max((len(entry.name) for entry in entries), default=0)
        for entry in entries:
            ours = "  secret key here" if entry.secret else ""
            print(f"{entry.name:{width}}  {entry.fingerprint or '-':29}  {entry.state}{ours}")
        for entry in entries:
            if entry.trouble:
                print(f"swarm: {entry.trouble}", file=sys.stderr)
    return int(any(entry.trouble for entry in entries))


def _folder(given: argparse.Namespace) -> KeyFolder:
    """--keys, else $SWARM_KEYS, else the user's own."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return KeyFolder(Path(given.keys or os.environ.get(VARIABLE) or home / "swarm" / "keys"))


def _key(folder: KeyFolder, text: str) -> Key:
    """NAME of a key that was made here, a file NAME.pub, or NAME=KEY."""
    name, equals, public = text.partition("=")
    if equals and is_key(public):
        rules.named(name, "swarm keys enrol")
        return Key(name=name, public=public)
    if text.endswith(PUBLIC):
        return read_key(Path(text))
    if equals:
        raise BadInput(f"swarm keys enrol {name}", "that is no key", f"'{name}=' and 40 characters of Z85, in quotes")
    return folder.key_of(name)
