"""An agent on 64-bit ARM, emulated by qemu, from the bundle for boards: it runs models for an agent of this machine."""

from __future__ import annotations

import argparse
import io
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agents.runtime import recording
from models import store, tasks
from models.session import Session
from swarm.bench.deploy import root
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.messages import Member
from swarm.core.protocol.world import Detections, Outcome
from swarm.core.settings import yaml_text
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile, BodyFile, ProcessFile
from swarm.deploy.bundles import bundle
from swarm.deploy.bundles.store import Files
from swarm.deploy.keeper.places import Places
from swarm.deploy.keeper.store import Store
from swarm.deploy.keeper.system import System
from swarm.deploy.keeper.trees import Trees
from swarm.deploy.targets import TARGETS

WHERE = "swarm bench board-arm64"
TARGET = TARGETS["debian-arm64"]
SYSTEM_PYTHON = Path(f"/usr/bin/python{TARGET.python}")
RATE_HZ = 2.0                        # an emulated processor is some twenty times slower
INSIDE = 'mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$@"'
MOST_S, ENOUGH, PORT = 180.0, 55, 47_400
BOX_PX, SCORE = 0.5, 0.01            # results of other processors differ in the last digits


class Emulated(System):
    """The system of a root of another processor."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def run(self, *command: str, stdin: bytes = b"", check: bool = True, as_user: str = "") -> str:
        inside = [word.replace(f"{self._folder}/", "/") for word in command]
        return super().run("chroot", str(self._folder), *inside, stdin=stdin, check=check)

    def python(self) -> Path:
        return SYSTEM_PYTHON

    def sync(self, path: Path) -> None:
        os.sync()


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """Raises: BadInput without root, debootstrap or qemu."""
    root.check_privilege(WHERE)
    folder = root.foreign_system(WHERE, "arm64", "aarch64", progress)
    progress("putting the bundle together")
    files = Files(bundle.cache() / "files")
    made = bundle.make(TARGET, ["agent"], files, [])
    bundle.check_complete(made, WHERE)
    places = Places(folder)
    shutil.rmtree(places.home, ignore_errors=True)
    system = Emulated(folder)
    trees = Trees(places, system, keeper_store := Store(places, system))
    for wanted in ([(made.tree, 0)], [(entry.hash, 0) for entry in files.entries(made.tree)]):
        keeper_store.receive(io.BytesIO(b"".join(files.stream(dict(wanted).items()))))
    trees.build(made.tree)
    python = f"/opt/swarm/trees/{made.tree}/bin/python"
    arch = system.run(python, "-I", "-c", "import platform; print(platform.machine())").strip()
    with tempfile.TemporaryDirectory(prefix="swarm-arm64-") as work:
        records, frames, left = _flight(Path(work), folder, python, progress)
    theirs = [record for record in records if record.agents == ["arm"]]
    return {"arch": arch, "host": platform.machine(), "completed": len(theirs), "at_home": len(records) - len(theirs),
            "lost": left, "same_as_host": sum(_same(record, frames) for record in theirs), "wheels": made.wheels}


def _flight(
    work: Path, folder: Path, python: str, progress: Callable[[str], None]
) -> tuple[list[recording.Record], np.ndarray, int]:
    """Both agents and a body, until enough requests ran on the other processor. Returns records, frames, the lost."""
    draw = np.random.default_rng(7)
    np.savez(work / "frames.npz", frames=draw.integers(0, 255, (50, 72, 96, 3), np.uint8))
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(store.ARTEFACTS, models)
    members = {name: Member(name=name, role=role, urgent=f"tcp://127.0.0.1:{PORT + 2 * k}",
                            bulk=f"tcp://127.0.0.1:{PORT + 2 * k + 1}")
               for k, (name, role) in enumerate((("host", "agent"), ("arm", "agent"), ("body", "world")))}
    board = Board(speed={"fp32": 1.0, "int8": 1.0}, power_w=15, source="this machine", emulated=False)
    stream = StreamSpec(name="detect", model="detector", rate_hz=RATE_HZ, deadline_s=10.0)

    def common(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
        return {"version": 1, "swarm": "arm64", "name": name, "bind": f"127.0.0.1:{members[name].urgent.split(':')[2]}",
                "roster": [members[one] for one in seen]}

    settings: dict[str, ProcessFile] = {
        "host": AgentFile(board_name="host", board=board, streams=[stream], policy="random", body="body",
                          record=str(work), **common("host", ("arm", "body"))),
        "arm": AgentFile(board_name="host", board=board, streams=[], policy="random", body="", load=["detector"],
                         models="/models", **common("arm", ("host",))),
        "body": BodyFile(robot="host", recording=str(work / "frames.npz"), frame_hz=RATE_HZ,
                         **common("body", ("host",)))}
    for name, file in settings.items():
        (folder / "arm.yaml" if name == "arm" else work / f"{name}.yaml").write_text(yaml_text.dump(file))
    own = [sys.executable, "-m", "swarm.cli.main"]
    inside = ["unshare", "--mount", "sh", "-c", INSIDE, "sh", str(folder)]
    commands = {"arm": [*inside, python, "-I", "-m", "swarm.cli.main", "agent", "/arm.yaml"],
                "host": [*own, "agent", str(work / "host.yaml")], "body": [*own, "body", str(work / "body.yaml")]}
    own_environment = {"host": {"RUNTIME_DIRECTORY": str(work)}, "arm": {"SWARM_CACHE": "/tmp/swarm"}, "body": {}}
    children = {name: subprocess.Popen(command, env={**os.environ, **own_environment[name]}, start_new_session=True)
                for name, command in commands.items()}
    try:
        _wait(work, progress)
    finally:
        children["host"].send_signal(signal.SIGTERM)
        children["host"].wait(30.0)
        for child in children.values():
            child.kill()
            child.wait()
    state = yaml_text.parse((work / "agent.json").read_text(), "agent.json")
    records, frames = recording.parse((work / "host.npz").read_bytes())
    return records, frames, int(state["open"])


def _wait(work: Path, progress: Callable[[str], None]) -> None:
    """Until enough requests were served by the other agent."""
    clock = MonotonicClock()
    until_ns = clock.now_ns() + round(MOST_S * 1e9)
    while clock.now_ns() < until_ns:
        path = work / "agent.json"
        state = yaml_text.parse(path.read_text(), str(path)) if path.exists() else {}
        served = state.get("leans_on", {}).get("arm", 0) if isinstance(state, dict) else 0
        progress(f"{served} requests of the last minute ran on the emulated board")
        if served > ENOUGH:
            return
        threading.Event().wait(1.0)


_wholes: dict[str, tuple[Session, tasks.Task]] = {}


def _same(record: recording.Record, frames: np.ndarray) -> bool:
    """Whether this machine finds the same boxes in the frame."""
    if record.variant not in _wholes:
        card = store.load_card(record.model)
        _wholes[record.variant] = Session(store.artefact(card, record.variant)), tasks.task(card)
    session, task = _wholes[record.variant]
    ours = task.postprocess(session.run(task.preprocess(frames[record.frame])))
    return _boxes_alike(ours, record.outcome)


def _boxes_alike(one: Outcome, other: Outcome) -> bool:
    if not isinstance(one, Detections) or not isinstance(other, Detections) or len(one.boxes) != len(other.boxes):
        return False
    return all(
        a.label == b.label and abs(a.score - b.score) <= SCORE
        and all(abs(getattr(a, side) - getattr(b, side)) <= BOX_PX for side in ("x0_px", "y0_px", "x1_px", "y1_px"))
        for a, b in zip(one.boxes, other.boxes, strict=True))


def as_text(figures: dict[str, Any]) -> str:
    return "\n".join(f"{key:14} {value}" for key, value in figures.items())

