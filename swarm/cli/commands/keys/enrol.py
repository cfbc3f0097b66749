"""`swarm keys enrol KEY ...`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.cli.commands import keys
from swarm.core.settings.errors import BadInput

if TYPE_CHECKING:
    from swarm.net.security.key_files import Key
    from swarm.net.security.key_folder import KeyFolder

HELP = "let the owners of these keys be heard; running processes follow within a second"
EXAMPLE = "swarm keys enrol rover_0 /media/usb/rover_1.pub"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("keys_given", metavar="NAME|FILE.pub|NAME=KEY", nargs="+",
                   help="a key that was made here, a public key's file, or the key itself, in quotes")
    keys.role(p)
    p.add_argument("--again", action="store_true", help="although the key was revoked")


def run(given: argparse.Namespace) -> int:
    """Enrol all of them, or none if one of them is no key."""
    import msgspec

    folder = keys.folder(given)
    found = [_key(folder, text) for text in given.keys_given]
    if given.role:
        found = [msgspec.structs.replace(key, role=given.role) for key in found]
    for key in found:
        done = folder.enrol(key, given.again)
        print(f"{key.name}  {key.fingerprint}  {'enrolled' if done else 'was enrolled already'}")
    return 0


def _key(folder: KeyFolder, text: str) -> Key:
    """NAME of a key that was made here, a file NAME.pub, or NAME=KEY."""
    from swarm.core.settings import rules
    from swarm.net.security.key_files import PUBLIC, Key, is_key, read_key

    name, equals, public = text.partition("=")
    if equals and is_key(public):
        rules.named(name, "swarm keys enrol")
        return Key(name=name, public=public)
    if text.endswith(PUBLIC):
        return read_key(Path(text))
    if equals:
        raise BadInput(f"swarm keys enrol {name}", "that is no key", f"'{name}=' and 40 characters of Z85, in quotes")
    return folder.key_of(name)
