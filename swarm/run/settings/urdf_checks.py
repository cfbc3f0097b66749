"""Bodies that a launch file brings as URDF files: read, checked, and put into the launch as text."""

from __future__ import annotations

import msgspec

from sim_worlds.robots.brought.body import brought
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import MOST_URDF, FleetSpec, LaunchFile
from swarm.run.settings.known import Known


def with_bodies(launch: LaunchFile, known: Known, where: str) -> tuple[LaunchFile, list[str]]:
    """The launch file with the text of each URDF file in place of its path, so that a run needs no other file; and the
    paths of these files, which hold everywhere.

    Raises: BadInput for a file that cannot be read, and for a body that is none.
    """
    paths = list[str]()
    fleets = [_with_body(fleet, known, f"{where}: fleet[{i}]", paths) for i, fleet in enumerate(launch.fleet)]
    return msgspec.structs.replace(launch, fleet=fleets), paths


def _with_body(fleet: FleetSpec, known: Known, at: str, paths: list[str]) -> FleetSpec:
    """Adds the path of its file to `paths`."""
    if not fleet.urdf:
        if fleet.wheels:
            raise BadInput(f"{at}.wheels", "there is no urdf beside it", "urdf: my_robot.urdf, or no wheels")
        return fleet
    if fleet.kind:
        raise BadInput(f"{at}.kind", f"{fleet.kind}, and a urdf beside it", "one of the two")
    if fleet.battery_wh == "platform":
        raise BadInput(f"{at}.battery_wh", "platform, and a URDF file does not tell its battery", "its energy in Wh")
    if len(fleet.wheels) == 1:
        raise BadInput(f"{at}.wheels", "one joint", "the joints of the left and the right wheel, or none")
    text, path = fleet.urdf, ""
    if not text.lstrip().startswith("<"):
        path = f"{fleet.urdf}: "
        try:
            file, text = known.urdf(fleet.urdf)
        except BadInput as error:
            raise error.told_of(f"{at}.urdf") from None
        paths.append(file)
    try:
        if len(text) > MOST_URDF:
            raise BadInput("the file", f"{len(text)} characters", f"at most {MOST_URDF}")
        brought(text, tuple(fleet.wheels))
    except BadInput as error:
        key = "wheels" if error.where == "wheels" else "urdf"
        raise BadInput(f"{at}.{key}", f"{path}{error.where}: {error.what}", error.want) from None
    return msgspec.structs.replace(fleet, urdf=text)
