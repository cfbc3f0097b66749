"""What decides the result of a point, as a hash: two points of one hash have one result.

Comments, the order of keys, names of files and where they lie change nothing; the content of every file that a run
reads does. The code is not in it: `store.py` keeps the code's own hash beside each result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from swarm.run.settings.resolve import Resolved

FORMAT = 1                           # of what is hashed
DIGITS = 32
HARMLESS = ("accept", "behaviour", "seed")       # keys of a launch file that change no figure, or come beside it


def identity(
    resolved: Resolved, contents: Mapping[str, str], traces: Mapping[str, str] = MappingProxyType({}), arm: str = ""
) -> str:
    """The hash of all points of one launch but for their seeds.

    contents: hashes of models and plug-in files, by what they are. traces: hashes by path. arm: of a control, whose
    points are others though nothing else differs.
    """
    launch = msgspec.to_builtins(resolved.launch)
    for key in HARMLESS:
        del launch[key]
    for link in launch["links"].values():
        if "trace" in link:
            link["trace"] = traces[link["trace"]]
    if resolved.floor is not None:
        floor = resolved.floor
        launch["map"] = digest([floor.size_m, floor.start, [msgspec.to_builtins(wall) for wall in floor.walls]])
    return digest([FORMAT, launch, resolved.behaviour, resolved.kinds, sorted(contents.items()), arm])


def with_seed(identity: str, seed: int) -> str:
    """The hash of one point."""
    return digest([identity, seed])


def digest(content: Any) -> str:
    """The hash of plain data."""
    packed = msgspec.msgpack.encode(content, order="deterministic")
    return hashlib.blake2b(packed, digest_size=DIGITS // 2).hexdigest()
