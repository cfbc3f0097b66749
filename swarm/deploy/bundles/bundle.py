"""The tree of the runtime for one target: the unpacked wheels, and our own packages. Nothing is built or installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

import agents
import models
import sim_worlds
import swarm
from swarm.core.settings.errors import BadInput
from swarm.deploy.bundles import wheels
from swarm.deploy.bundles.store import Files
from swarm.deploy.targets import Target

OWN = (swarm, agents, models, sim_worlds)
LEFT_OUT = {"__pycache__", "artefacts", "build", "bench", "experiments", "deploy", "launcher"}
"""Folders of our packages that no board needs: models travel with the configuration."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What was made for one target."""

    target: str
    parts: list[str]
    tree: str                        # hash of its list
    files: int
    bytes: int                       # of all files, not compressed
    wheels: list[str]
    missing: list[str]


def cache() -> Path:
    """Where bundles and fetched wheels are kept; it may be deleted."""
    return Path(os.environ.get("SWARM_CACHE") or Path.home() / ".cache" / "swarm") / "deploy"


def make(
    target: Target, parts: Sequence[str], files: Files, given: Sequence[Path], *, gpu: bool = False
) -> Bundle:
    """The tree of these parts for a target, in the store. It lacks what is `missing`. Raises: BadInput."""
    found, missing = wheels.wheels_of(target, parts, cache() / "wheels", given, gpu)
    site = f"lib/python{target.python}/site-packages"
    entries: dict[str, tuple[str, int]] = {}
    for wheel in found:
        for path, content in wheels.contents(wheel).items():
            entries[f"{site}/{path}"] = files.put(content), len(content)
    for path, source in own_files():
        content = source.read_bytes()
        entries[f"{site}/{path}"] = files.put(content), len(content)
    tree = files.listed((path, name, size) for path, (name, size) in entries.items())
    return Bundle(
        target=target.name, parts=list(parts), tree=tree, files=len(entries),
        bytes=sum(size for _, size in entries.values()),
        wheels=sorted(path.name for path in found), missing=missing)


def own_files() -> Iterator[tuple[str, Path]]:
    """The files of our packages that a board needs, with their paths in site-packages. Raises: BadInput."""
    for package in OWN:
        root = Path(str(package.__file__)).parent
        for folder, folders, names in os.walk(root):
            at = Path(folder).relative_to(root.parent)
            folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
            for name in sorted(names):
                if not name.endswith((".pyc", ".tmp")):
                    yield (at / name).as_posix(), Path(folder) / name


def check_complete(bundle: Bundle, where: str) -> None:
    """Raises: BadInput for a bundle that lacks a wheel."""
    if bundle.missing:
        raise BadInput(where, f"no wheel of {', '.join(bundle.missing)} for {bundle.target}",
                       "a folder that has it: `runtimes:` (GPU) or `wheels:` in the inventory")
