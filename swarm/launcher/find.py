"""Where launch files and boards are: ./launch, then the data that came with the package."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import swarm
from swarm.core.settings.errors import BadInput

BOARDS = "boards.yaml"
EXPERIMENTS = "experiments"          # the folder of experiment files in a folder of launch files
SUFFIXES = (".yaml", ".yml")
PACKAGED = "share/swarm-edge-runtime/launch"


def folders() -> list[Path]:
    """Folders of launch files that exist. A file in an earlier one is taken first."""
    checkout = Path(swarm.__file__ or "").parent.parent / "launch"
    schemes = sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")     # the last: pip install --user
    places = [Path("launch"), checkout, *(Path(sysconfig.get_path("data", scheme)) / PACKAGED for scheme in schemes)]
    return [place for place in places if place.is_dir()]


def names() -> list[str]:
    """Launch files that `swarm launch NAME` finds by name."""
    return _names(folders())


def launch_file(name: str) -> Path:
    """The file that is meant by a path or a name. Raises: BadInput."""
    return _file(name, folders(), "launch file")


def experiment_file(name: str) -> Path:
    """The experiment file that is meant by a path or a name. Raises: BadInput."""
    return _file(name, [folder / EXPERIMENTS for folder in folders()], "experiment file")


def _names(places: list[Path]) -> list[str]:
    return sorted({path.stem for place in places if place.is_dir() for path in place.iterdir()
                   if path.suffix in SUFFIXES and path.name != BOARDS and path.is_file()})


def _file(name: str, places: list[Path], what: str) -> Path:
    if "/" in name or name.endswith(SUFFIXES):
        return Path(name)
    known = _names(places)
    for place in places:
        for suffix in SUFFIXES if name in known else ():
            if (place / f"{name}{suffix}").is_file():
                return place / f"{name}{suffix}"
    raise BadInput(name or "''", f"no {what} of this name",
                   f"known names: {', '.join(known) or 'none'}; or give a path")


def boards_file(beside: Path) -> Path:
    """The boards that hold for a launch file: beside it, else in ./launch, else the packaged ones. Raises: BadInput."""
    for folder in (beside.parent, *folders()):
        if (folder / BOARDS).is_file():
            return folder / BOARDS
    raise BadInput(str(beside), f"no {BOARDS} beside it, in ./launch or in the package", "reinstall, or write one")
