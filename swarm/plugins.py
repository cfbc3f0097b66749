"""Plug-ins: scenarios, behaviours and other additions of one file in a user's own folder: `SWARM_PLUGINS=DIR[:DIR...]`.

Each registry is a package whose files are its entries. A folder of plug-ins has a subfolder per registry:
`scenarios/`, `behaviours/`, `tasks/`, `policies/`, `benches/`, `commands/`; each file in it is one more entry. The
processes that a launcher starts inherit the variable.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

VARIABLE = "SWARM_PLUGINS"


def extended(path: Iterable[str], kind: str) -> list[str]:
    """The `__path__` of a registry, followed by the plug-in folders of its kind."""
    folders = [folder for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    return [*path, *(os.path.join(os.path.abspath(folder), kind) for folder in folders)]
