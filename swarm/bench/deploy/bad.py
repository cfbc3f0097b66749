"""Releases for benches: wrong in one way, or large."""

from __future__ import annotations

import random
from collections.abc import Callable

from swarm.deploy.rollout.fleet import Fleet
from swarm.deploy.rollout.one_board import Made

Edit = Callable[[dict[str, bytes]], None]
LARGE = "large "                     # and a number
LARGE_BYTES, SMALL, SMALL_BYTES = 24 << 20, 60, 6_000
PYTHON = "/opt/swarm/current/site/bin/python -I"
AGENT = "units/swarm-agent.service"
LOADS = "import json, os, socket, sys, time; "
READY = "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); "
STATE = "open('/run/swarm/agent.json', 'w').write(json.dumps({'role': 'agent', 'pid': os.getpid()})); "
SCRIPTS = {
    "crash at start": "sys.exit(1)",
    "hang": READY + STATE + "time.sleep(3600)",
    "ready then crash": READY + STATE + "time.sleep(3); sys.exit(1)",
    "over memory": READY + STATE + "kept = [bytearray(b'x' * (1 << 20)) for _ in range(100000)]",
}


class Edited(Made):
    """Releases whose configuration was edited."""

    def __init__(self, fleet: Fleet, edit: Edit) -> None:
        super().__init__(fleet)
        self._edit = edit

    def configuration(self, robot: str) -> dict[str, bytes]:
        files = super().configuration(robot)
        self._edit(files)
        return files


def runs(name: str) -> Edit:
    """The agent is replaced by a script that behaves in this way."""
    def edit(files: dict[str, bytes]) -> None:
        unit = files[AGENT].decode()
        begin = unit.index("ExecStart=")
        end = unit.index("\n", begin)
        files["bad.py"] = f"{LOADS}{SCRIPTS[name]}\n".encode()
        unit = f"{unit[:begin]}ExecStart={PYTHON} /opt/swarm/current/config/bad.py{unit[end:]}"
        files[AGENT] = unit.replace("WatchdogSec=10", "WatchdogSec=4").encode()

    return edit


def lacks_provider(files: dict[str, bytes]) -> None:
    """The board's best provider is one that its ONNX Runtime does not have."""
    files["agent.yaml"] = files["agent.yaml"].replace(b"- cpu", b"- cuda")
    assert b"- cuda" in files["agent.yaml"]


def another(number: int) -> Edit:
    """A good release that differs from others."""
    def edit(files: dict[str, bytes]) -> None:
        files["note.txt"] = f"release {number} of a bench\n".encode()

    return edit


def large(number: int) -> Edit:
    """A good release with a large file and many small ones of its own."""
    def edit(files: dict[str, bytes]) -> None:
        draw = random.Random(number)
        files["large.bin"] = draw.randbytes(LARGE_BYTES)
        for k in range(SMALL):
            files[f"small/{k}.bin"] = draw.randbytes(SMALL_BYTES)

    return edit


def named(name: str) -> Edit:
    """A release by its name: that of a script, or `large N`."""
    return large(int(name.removeprefix(LARGE))) if name.startswith(LARGE) else runs(name)
