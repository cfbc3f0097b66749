"""Copies of the code, each with one fault planted."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.virtual.explore.planted.faults import Planted

ROOT = Path(__file__).parents[4]
PACKAGES = ("agents", "models", "sim_worlds", "swarm", "launch")
ARTEFACTS = "models/artefacts"       # large, and no code


def copy_with(fault: Planted | None, to: Path) -> Path:
    """Copy the packages into a folder, with a fault. Raises: ValueError if the fault does not fit the code."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package, ignore=shutil.ignore_patterns("__pycache__", "artefacts"))
    (to / ARTEFACTS).symlink_to(ROOT / ARTEFACTS)
    for file, text in changed(fault).items() if fault else ():
        (to / file).write_text(text, encoding="utf-8")
    return to


def changed(fault: Planted) -> dict[str, str]:
    """The changed files of a fault. Raises: ValueError if an old text is not found exactly once."""
    texts: dict[str, str] = {}
    for file, old, new in fault.changes:
        text = texts.get(file) or (ROOT / file).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{fault.name}: {file} has {text.count(old)} times {old!r}, 1 is expected")
        texts[file] = text.replace(old, new)
    return texts
