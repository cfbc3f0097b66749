"""The processes of a Ray that this process starts: their environment, and which they are."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

import psutil

_strangers: set[psutil.Process] = set()  # children of this process that were there before Ray


def prepare() -> None:
    """Keep Ray's log lines off the screen, and let its processes import the same modules as this one."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    root = str(Path(__file__).resolve().parent.parent)
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    if root not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([root, *paths])
    logging.getLogger("ray").setLevel(logging.ERROR)


def remember_others() -> None:
    """The children that this process has now are not Ray's."""
    _strangers.update(psutil.Process().children())


def started() -> list[psutil.Process]:
    """The processes of the Ray that this process has started: children of ours, and all that they have started.

    Another child's Ray is not ours.
    """
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = child.cmdline()
            if child not in _strangers and words and ("/ray/" in " ".join(words[:4]) or words[0].startswith("ray::")):
                found += [child, *child.children(recursive=True)]
    return found
