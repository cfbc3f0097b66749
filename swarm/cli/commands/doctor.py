"""`swarm doctor`: whether this machine has what the runtime needs."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

HELP = "check this machine: Python, cores, network, packages, boards, models"
EXAMPLE = "swarm doctor"
DISTRIBUTION = "swarm-edge-runtime"
NEEDED = ("msgpack", "msgspec", "numpy", "onnxruntime", "psutil", "rich", "yaml", "zmq")
OPTIONAL = {
    "pybullet": "dynamic worlds and their cameras (extra sim)", "pyarrow": "requests.parquet (extra sim)",
    "matplotlib": "charts in reports (extra sim)", "jinja2": "pages of reports (extra sim)",
    "scipy": "intervals of figures, maps (extra sim)",
    "numba": "plans (extras planner and sim)",
    "ray": "the planner's wider portfolio (extra planner)",
}
FORKS = {"pybullet": ("pybullet-arm64",)}            # distributions with the same module
UNKNOWN = "unknown"
PYTHONS = (3, 10), (3, 13)           # oldest and newest


class Finding(NamedTuple):
    """The result of one check; `ok` is None if something optional is absent."""

    what: str
    ok: bool | None
    detail: str


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Check this machine. Exit code 1 if something required is missing."""
    findings = [_python(), _cores(), _loopback(), *map(_package, NEEDED),
                *(_optional(name, why) for name, why in OPTIONAL.items()), _boards(), _models()]
    healthy = all(finding.ok is not False for finding in findings)
    if given.json:
        print(json.dumps({"ok": healthy, "findings": [finding._asdict() for finding in findings]}))
    else:
        from swarm.telemetry.text_table import text_table

        marks = {True: "ok", False: "MISSING", None: "absent"}
        print(text_table((), [(marks[f.ok], f.what, f.detail) for f in findings]), end="")
    return 0 if healthy else 1


def version_of(distribution: str) -> str:
    """The version of an installed distribution; else `UNKNOWN`."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN


def _python() -> Finding:
    return Finding(what="python", ok=sys.platform == "linux" and PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1],
                   detail=f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _cores() -> Finding:
    return Finding(what="cores", ok=True, detail=f"{len(os.sched_getaffinity(0))} available to this process")


def _loopback() -> Finding:
    from swarm.core.settings.errors import BadInput
    from swarm.launcher.host_checks import LOOPBACK, check_loopback

    try:
        check_loopback()
    except BadInput as error:
        return Finding(what="loopback", ok=False, detail=f"{error.what}; {error.want}")
    return Finding(what="loopback", ok=True, detail=f"processes reach each other at {LOOPBACK}")


def _package(module: str) -> Finding:
    there = importlib.util.find_spec(module) is not None
    name = {"yaml": "pyyaml", "zmq": "pyzmq"}.get(module, module)
    return Finding(what=name, ok=there, detail=version_of(name) if there else f"pip install {name}")


def _optional(module: str, why: str) -> Finding:
    there = importlib.util.find_spec(module) is not None
    versions = map(version_of, (module, *FORKS.get(module, ())))
    version = next((found for found in versions if found != UNKNOWN), UNKNOWN)
    return Finding(what=module, ok=there or None, detail=f"{version}: {why}" if there else why)


def _boards() -> Finding:
    from swarm.core.settings.errors import BadInput
    from swarm.launcher import find
    from swarm.launcher.load import load_boards

    try:
        path = find.boards_file(Path("launch") / find.BOARDS)
        boards = load_boards(path)
    except BadInput as error:
        return Finding(what="boards", ok=False, detail=str(error))
    return Finding(what="boards", ok=bool(boards), detail=f"{', '.join(boards) or 'none'} in {path}")


def _models() -> Finding:
    from models import store

    try:
        for name in store.names():
            store.check(store.load_card(name))
    except store.ModelError as error:
        return Finding(what="models", ok=False, detail=str(error))
    names = store.names()
    return Finding(what="models", ok=bool(names), detail=", ".join(names) or f"none in {store.ARTEFACTS}")
