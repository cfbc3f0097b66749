"""A board without a machine: the real keeper in a folder, with a systemd that does as it is told."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from swarm.core.settings import yaml_text
from swarm.deploy import inventory
from swarm.deploy.boards.facts import RELEASE_PYTHON
from swarm.deploy.boards.ports import Ran, Unreachable
from swarm.deploy.bundles.store import Files
from swarm.deploy.keeper import units
from swarm.deploy.keeper.commands import Keeper
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places
from swarm.deploy.keeper.system import System
from swarm.deploy.keeper.trial import Trial
from swarm.deploy.rollout.fleet import Fleet
from swarm.deploy.rollout.one_board import Made
from swarm.deploy.targets import Target
from tests.clock import FakeClock

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = Target("here", PYTHON, platform.machine(), (2, 17), "this machine")
KEY = "k" * 40
LARGE = bytes(range(256)) * 4000
PROGRAM = b"program " * 1000


def signature(content: bytes) -> bytes:
    return hashlib.sha256(b"signed" + content).hexdigest().encode()


class FakeSystem(System):
    """A board on which `agent` says how the process of each release behaves, by the text of its `note.txt`.

    `synced`: the paths that were brought to the disk. `commands`: all others.
    """

    def __init__(self, places: Places, name: str) -> None:
        self.clock = self.time = FakeClock()  # pyright: ignore[reportAttributeAccessIssue]
        self.places, self.name = places, name
        self.boots, self.starts, self.free = 1, 0, 1 << 40
        self.behaves = "well"
        self.running = False
        self.restarts = 0
        self.synced: list[Path] = []
        self.commands: list[tuple[str, ...]] = []

    def boot(self) -> str:
        return f"boot {self.boots}"

    def sync(self, path: Path) -> None:
        self.synced.append(path)

    def free_bytes(self, path: Path) -> int:
        return self.free

    def power_mode(self) -> str:
        return "15W"

    def verify(self, signers: Path, signature_at: Path, content: bytes) -> bool:
        return signature_at.read_bytes() == signature(content)

    def run(self, *command: str, stdin: bytes = b"", check: bool = True, as_user: str = "") -> str:
        self.commands.append(command)
        if command[2:5] == ("-m", "swarm.cli.main", "keys"):
            name, role = command[6], command[command.index("--role") + 1]
            (self.places.keys / f"{name}.pub").write_text(f"name: {name}\npublic: {public_of(name)}\nrole: {role}\n")
        return ""

    def systemctl(self, *words: str, check: bool = True) -> str:
        self.commands.append(("systemctl", *words))
        if words[0] in ("start", "restart") and units.AGENT in words:
            self.start()
        return ""

    def reboot(self) -> None:
        """The power is cut, and comes back: what systemd finds then starts."""
        self.boots += 1
        self.running = False
        wanted = self.places.units / units.WANTS / units.AGENT
        if wanted.is_symlink() and self.places.number(self.places.current):
            self.start()

    def start(self) -> None:
        """The agent of `current` starts, and writes its state."""
        self.starts += 1
        self.running = True
        self.restarts = 0
        note = self.places.current / "config" / "note.txt"
        self.behaves = note.read_text() if note.exists() else "well"
        if self.behaves != "never ready":
            self.places.runtime.mkdir(parents=True, exist_ok=True)
            (self.places.runtime / "agent.json").write_text(json.dumps({
                "role": "agent", "pid": self.starts, "peers": 0 if self.behaves == "alone" else 3,
                "models": [{"model": "detector", "variant": "int8", "runs": 50, "profiled_ms": 10.0,
                            "provider": "other" if self.behaves == "wrong provider" else "cpu",
                            "p95_ms": 99.0 if self.behaves == "slow" else 9.0}]}))

    def units(self, names: Any) -> list[dict[str, str]]:
        if not self.running:
            return [{"InvocationID": "", "ActiveState": "inactive"} for _ in names]
        ready = self.behaves != "never ready"
        return [{"InvocationID": f"start {self.starts}", "MainPID": str(self.starts),
                "ActiveState": "active" if ready else "activating",
                "NRestarts": str(int(self.behaves == "crashes" or f"{name} crashes" == self.behaves))}
                for name in names]

    def log(self, units: Any, lines: int) -> list[str]:
        return [f"it {self.behaves}"]


def public_of(name: str) -> str:
    """A public key in Z85."""
    return (hashlib.sha256(name.encode()).hexdigest() + "0" * 40)[:40]


class FakeBoard:
    """The port to a board that is a folder. It can be cut off, for good or after some commands."""

    def __init__(self, folder: Path, name: str) -> None:
        self.places = Places(folder)
        self.system = FakeSystem(self.places, name)
        self.keeper = Keeper(self.places, self.system)
        self.keeper.trial = self.trial()
        self.sent_bytes = self.received_bytes = 0
        self.reachable = True
        self.uploaded = b""                              # the keeper that was copied to the board
        self.most_bytes: int | None = None               # of a stream of files, before the link is cut
        self.facts: dict[str, Any] = {
            "machine": platform.machine(), "python": PYTHON, "glibc": "2.36", "system": "Debian", "jetpack": "",
            "gpu": [], "libraries": [], "free_bytes": 1 << 40, "memory_bytes": 1 << 33, "power_mode": "15W",
            "unix_s": 0, "systemd": True}
        self.runtime: dict[str, Any] = {"version": "1.23", "providers": ["CPUExecutionProvider"]}

    def trial(self) -> Trial:
        def wait(for_s: float) -> bool:
            self.system.time.advance(for_s)
            return True

        return Trial(self.places, self.system, wait)

    def run(
        self, *command: str, stdin: bytes | Iterable[bytes] = b"", root: bool = False, limit_s: float = 60.0
    ) -> Ran:
        """See BoardPort. The service of the trial runs as soon as it is asked for."""
        if not self.reachable:
            raise Unreachable("no route to host")
        content = stdin if isinstance(stdin, bytes) else b"".join(stdin)
        self.sent_bytes += len(content)
        if command[0] == RELEASE_PYTHON:                 # its ONNX Runtime is asked for
            return self._said(self.runtime) if self.runtime else Ran(127, b"", "no such file")
        if command[-1] == "-":
            return self._said({**self.facts, "keeper": self.places.board.exists()})
        if command[0] != "python3":
            if command[0] == "sh":
                self.uploaded = content
            return Ran(0, hashlib.sha256(self.uploaded).hexdigest().encode() if command[0] == "sha256sum" else b"", "")
        try:
            if command[-1] == "receive":
                answer = self.keeper.receive(io.BytesIO(content[:self.most_bytes]))
            else:
                answer = getattr(self.keeper, command[-1])(json.loads(content or b"{}"))
        except Refused as error:
            return self._said({"refused": str(error)})
        if command[-1] == "switch" and self.places.trial.exists():
            self.keeper.trial.watch()
        return self._said(answer)

    def _said(self, answer: Any) -> Ran:
        out = json.dumps(answer).encode()
        self.received_bytes += len(out)
        return Ran(0, out, "")

    def close(self) -> None:
        pass


class FakeSigner:
    """Signs as FakeSystem verifies."""

    def allowed(self) -> str:
        return "swarm key\n"

    def sign(self, content: bytes) -> bytes:
        return signature(content)


class SmallReleases(Made):
    """Releases of a few bytes. `notes`: how the release of each board behaves."""

    def __init__(self, fleet: Fleet, notes: dict[str, str]) -> None:
        super().__init__(fleet)
        self._files, self.notes = fleet.files, notes

    def release(self, robot: str, target: Target) -> Any:
        site = self._files.tree({"share/program": PROGRAM})
        config = self._files.tree({
            "units/swarm-agent.service": b"[Unit]\n", "note.txt": self.notes.get(robot, "well").encode(),
            "trial.json": json.dumps({"units": ["swarm-agent.service"], "ready_s": 30.0, "trial_s": 5.0,
                                      "providers": ["cpu"], "models": ["detector"]}).encode()})
        return self._fleet.release(robot, target.name, site, config, target.python, target.machine)


def inventory_file(folder: Path, robots: int, **changes: Any) -> Path:
    """An inventory of robots rover_0, ..."""
    path = folder / "fleet.yaml"
    path.write_text(yaml_text.dump({
        "version": 1, "swarm": "test", "policy": "greedy",
        "fleet": [{"name": "rover", "count": robots, "board": "host"}],
        "streams": [{"name": "detect", "on": ["rover"], "model": "detector", "rate_hz": 2, "deadline_s": 0.5}],
        "at": {f"rover_{i}": {"address": f"10.0.0.{i + 1}"} for i in range(robots)}, **changes}))
    return path


class Boards:
    """A fleet of fake boards and its operator."""

    def __init__(self, folder: Path, robots: int, **changes: Any) -> None:
        self.folder = folder
        self.path = inventory_file(folder, robots, **changes)
        self.boards = {f"rover_{i}": FakeBoard(folder / f"board_{i}", f"rover_{i}") for i in range(robots)}

    def read(self) -> inventory.Read:
        from swarm.launcher import find

        return inventory.read(self.path, find.boards_file(self.path), ["detector", "segmenter"])

    def fleet(self) -> Fleet:
        fleet = Fleet(self.read(), connect=lambda robot: self.boards[robot], signer=FakeSigner())
        fleet.files = Files(self.folder / "files")
        return fleet


class Operator:
    """Makes releases of one board."""

    def __init__(self, board: FakeBoard, folder: Path) -> None:
        self.board, self.files = board, Files(folder)
        self.number = 0

    def offer(self, note: str = "well", *, older: bool = False, signed: bytes | None = None, **changes: Any) -> Any:
        self.number = changes.get("number", self.number + 1)
        site = self.files.tree({"share/program": LARGE, "share/small": b"small"})
        config = self.files.tree({"units/swarm-agent.service": b"[Unit]\n", "note.txt": note.encode(),
                                  "trial.json": json.dumps({"units": ["swarm-agent.service"], "ready_s": 20.0,
                                                            "trial_s": 5.0, "providers": ["cpu"]}).encode()})
        content = json.dumps({"version": 1, "swarm": "test", "board": "rover_0", "number": self.number,
                              "python": PYTHON, "machine": os.uname().machine, "site": site, "config": config,
                              **changes}).encode()
        return self.board.keeper.offer({
            "manifest": base64.b64encode(content).decode(), "older": older,
            "signature": base64.b64encode(signature(content) if signed is None else signed).decode()})

    def send(self, missing: Any, most: int | None = None) -> None:
        self.board.keeper.receive(io.BytesIO(b"".join(self.files.stream(missing))[:most]))

    def staged(self, note: str = "well") -> int:
        """A release that is complete on the board. Returns its number."""
        missing = self.offer(note)["missing"]
        while missing:
            self.send(missing)
            missing = self.offer(note, number=self.number)["missing"]
        self.board.keeper.stage({"release": self.number})
        return self.number

    def tried(self, note: str = "well") -> str:
        """A release that is put on trial, until its end."""
        number = self.staged(note)
        self.board.keeper.switch({"release": number})
        return self.board.keeper.trial.watch()
