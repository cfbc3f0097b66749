"""The systemd units of a board. Those of a release are in its configuration, and systemd reads them through `current`,
so that they change with it in one step; those of the keeper stay.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places, link_to, sync_folder, write_file
from swarm.deploy.keeper.system import System

TRIAL = "swarm-trial.service"
AGENT = "swarm-agent.service"
WANTS = "multi-user.target.wants"
FOLDER = "units"                     # of a configuration
THROUGH = "/opt/swarm/current/config/units"


def names(config: Path) -> list[str]:
    """The units of a configuration, sorted; none if it is not there."""
    try:
        return sorted(name for name in os.listdir(config / FOLDER) if name.endswith(".service"))
    except OSError:
        return []


def changed(old: Path, new: Path) -> list[str]:
    """The units of release `new` that do not run on as they are: sorted.

    A unit runs on if the runtime, its unit file and its process's own files are those of release `old`. The agent's own
    files are all of the configuration.
    """
    found = names(new / "config")
    if not found or _target(old / "site") != _target(new / "site"):
        return found
    if _target(old / "config") == _target(new / "config"):
        return []
    return [name for name in found if name == AGENT or any(
        _content(old / "config" / file) != _content(new / "config" / file) for file in _own(name))]


def _own(unit: str) -> list[str]:
    role = unit.removeprefix("swarm-").removesuffix(".service")
    return [f"{FOLDER}/{unit}", f"{role}.yaml", *(["recording.npz"] if role == "body" else [])]


def _target(link: Path) -> str:
    """Where a link leads; different for each that leads nowhere."""
    try:
        return os.readlink(link)
    except OSError:
        return str(link)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def check(config: Path, system: System) -> None:
    """Raises: Refused for a configuration without units: nothing would run."""
    if not names(config):
        raise Refused("the configuration has no units")


def install(places: Places, system: System) -> list[str]:
    """Let systemd find the units of `current` and start them at boot; forget those that it does not have.

    Returns their names.
    """
    wanted = names(places.current / "config")
    wants = places.units / WANTS
    wants.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        for link in (places.units / name, wants / name):
            if not link.is_symlink() or os.readlink(link) != f"{THROUGH}/{name}":
                link_to(link, f"{THROUGH}/{name}")
    for folder in (places.units, wants):
        for path in folder.glob("swarm-*.service"):
            if path.is_symlink() and os.readlink(path).startswith(THROUGH) and path.name not in wanted:
                path.unlink()
        sync_folder(folder)
    return wanted


def install_keeper(places: Places, system: System, unit: str, journal: str) -> None:
    """The unit of the keeper, and the bounds of the journal."""
    write_file(places.units / TRIAL, unit.encode())
    write_file(places.root / "etc/systemd/journald.conf.d/swarm.conf", journal.encode())
    wants = places.units / WANTS
    wants.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.symlink(f"../{TRIAL}", wants / TRIAL)
    sync_folder(wants)
    system.systemctl("daemon-reload")
