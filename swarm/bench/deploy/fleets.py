"""A fleet of a bench: boards that run, an inventory of them, and a login key."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models import store
from swarm.bench.deploy import boards as boxes
from swarm.bench.deploy import root
from swarm.deploy import inventory
from swarm.deploy.rollout.fleet import Fleet
from swarm.launcher import find
from swarm.net.process import catch

FRAMES, HEIGHT_PX, WIDTH_PX = 50, 72, 96
Progress = Callable[[str], None]


class Rig:
    """Boards rover_0, rover_1, ... and their inventory in a folder."""

    def __init__(self, folder: Path, network: boxes.Network, system: Path) -> None:
        self.folder, self.network, self.system = folder, network, system
        self.path = folder / "fleet.yaml"
        self.boards: dict[str, boxes.Board] = {}
        (folder / "fleet.fleet").mkdir(mode=0o700)
        self._key = folder / "fleet.fleet" / "login_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)], check=True)
        (folder / "recording.npz").write_bytes(_recording())

    def add(self, name: str, **more: Any) -> boxes.Board:
        """One more board, off."""
        number = len(self.boards)
        board = boxes.Board(self.network, number, name, self.system, self.folder / "boards" / name,
                            self._key.with_suffix(".pub").read_text(), **more)
        self.boards[name] = board
        return board

    def start(self, count: int) -> None:
        """So many boards, all of them up."""
        for i in range(count):
            self.add(f"rover_{i}")
        for board in self.boards.values():
            board.power_on()
        for board in self.boards.values():
            board.up()

    def write(self, **changes: Any) -> Fleet:
        """The inventory of all boards, with changes of its keys; read anew.

        Boards that this host emulates beside others are late at times, so a trial bears a larger p95.
        """
        content: dict[str, Any] = {
            "version": 1, "swarm": "bench", "policy": "greedy",
            "fleet": [{"name": "rover", "count": len(self.boards), "board": "raspberry_pi_4"}],
            "streams": [{"name": "detect", "on": ["rover"], "model": "detector", "rate_hz": 2, "deadline_s": 0.5}],
            "at": {name: {"address": board.address, "login": root.LOGIN, "body": "recorded"}
                   for name, board in self.boards.items()},
            "recording": "recording.npz", "trial": {"ready_s": 60.0, "healthy_s": 8.0, "p95_factor": 20.0}}
        self.path.write_text(json.dumps(_merged(content, changes)))
        return Fleet(inventory.read(self.path, find.boards_file(self.path), store.names()))


@contextlib.contextmanager
def rig(where: str, progress: Progress) -> Iterator[Rig]:
    """A rig without boards. Raises: BadInput without the privilege."""
    root.check_privilege(where)
    system = root.system(where, progress)
    catch((signal.SIGTERM,), lambda *_: sys.exit(128 + signal.SIGTERM))      # boards end then, too
    with tempfile.TemporaryDirectory(prefix=f"{boxes.FOLDER}-{os.getpid()}-") as folder, boxes.network() as network:
        made = Rig(Path(folder), network, system)
        try:
            yield made
        finally:
            for board in made.boards.values():
                board.close()


def _recording() -> bytes:
    """Frames of noise: what is in them does not matter for times."""
    content = io.BytesIO()
    draw = np.random.default_rng(7)
    np.savez(content, frames=draw.integers(0, 255, (FRAMES, HEIGHT_PX, WIDTH_PX, 3), np.uint8))
    return content.getvalue()


def _merged(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: _merged(content[key], value) if isinstance(value := changes.get(key, old), dict)
            and isinstance(old, dict) and key in changes else value
            for key, old in {**dict.fromkeys(changes), **content}.items()}
