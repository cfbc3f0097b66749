"""All files that an experiment reads beside the installation: copies of them lie in its folder, so that it can be
repeated anywhere.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from swarm import plugins
from swarm.experiments.experiment import Experiment
from swarm.experiments.store import FILE, SOURCE

AGAIN = "--out again"                # follows the command


class Sources(NamedTuple):
    """files: path in the folder `source/`, and where each lies. again: the command that repeats the experiment, from
    the experiment's folder.
    """

    files: Mapping[str, Path]
    again: str


def sources(experiment: Experiment) -> Sources:
    """The experiment file, the launch file and traces that it names by path, and all plug-ins.

    They lie to each other as they did, so that relative paths hold. None: the experiment file alone is enough.
    """
    file, *named = (Path(os.path.abspath(path)) for path in (experiment.path, *experiment.launches.files))
    mine = list(plugins.files().values())
    if not named and not mine:
        return Sources({}, f"swarm experiment run {FILE} {AGAIN}")
    top = os.path.commonpath([path.parent for path in (file, *named)] + plugins.folders())

    def place(path: str | Path) -> str:
        return os.path.relpath(path, top)

    folders = os.pathsep.join(f"{SOURCE}/{place(folder)}" for folder in plugins.folders())
    before = f"{plugins.VARIABLE}={shlex.quote(folders)} " if mine else ""
    return Sources({place(path): path for path in (file, *named, *mine)},
                   f"{before}swarm experiment run {shlex.quote(f'{SOURCE}/{place(file)}')} {AGAIN}")
