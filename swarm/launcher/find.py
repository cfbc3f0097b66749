"""Where launch files and boards are: ./launch, then the data that came with the package."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import swarm
from swarm.core.settings.errors import BadInput

BOARDS = "boards.yaml"
PACKAGED = "share/swarm-edge-runtime/launch"


def folders() -> list[Path]:
    """Folders of launch files that exist, first found first taken."""
    checkout = Path(swarm.__file__ or "").parent.parent / "launch"
    schemes = sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")     # the last: pip install --user
    places = [Path("launch"), checkout, *(Path(sysconfig.get_path("data", scheme)) / PACKAGED for scheme in schemes)]
    return [place for place in places if (place / BOARDS).is_file()]


def names() -> list[str]:
    """Launch files that `swarm launch NAME` finds by name."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.yaml") if path.name != BOARDS})


def launch_file(name: str) -> Path:
    """The file that is meant by a path or a name. Raises: BadInput."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    for folder in folders():
        path = folder / f"{name}.yaml"
        if path.is_file() and path.name != BOARDS:
            return path
    raise BadInput(name, "no launch file of this name", f"known names: {', '.join(names()) or 'none'}; or give a path")


def boards_file(beside: Path) -> Path:
    """The boards that hold for a launch file: beside it, else in ./launch, else the packaged ones. Raises: BadInput."""
    for folder in (beside.parent, *folders()):
        if (folder / BOARDS).is_file():
            return folder / BOARDS
    raise BadInput(str(beside), f"no {BOARDS} beside it, in ./launch or in the package", "reinstall, or write one")
