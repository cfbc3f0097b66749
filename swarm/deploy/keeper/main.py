"""`keeper.pyz COMMAND`: JSON on standard input (for `receive`: files), JSON on standard output. 2: refused."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from swarm.deploy.keeper.commands import Keeper, locked
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import Places
from swarm.deploy.keeper.system import System

READING = ("status", "logs")
CHANGING = ("install", "offer", "stage", "sweep", "keys", "enrol", "switch", "put_back")
ROOT_VARIABLE = "SWARM_KEEPER_ROOT"  # another root than `/`


def main(arguments: Sequence[str], system: System | None = None) -> int:
    """Do one command. Returns the exit code."""
    os.umask(0o022)
    places = Places(Path(os.environ.get(ROOT_VARIABLE) or "/"))
    keeper = Keeper(places, system or System())
    command = arguments[0] if arguments else ""
    try:
        if command == "watch":
            print(keeper.trial.watch(), flush=True)
            return 0
        if command in READING:
            answer = getattr(keeper, command)(_given())
        elif command in CHANGING:
            with locked(places):
                answer = getattr(keeper, command)(_given())
        elif command == "receive":
            with locked(places):
                answer = keeper.receive(sys.stdin.buffer)
        else:
            raise Refused(f"the keeper has no command {command!r}")
    except Refused as error:
        print(json.dumps({"refused": str(error)}))
        return 2
    except OSError as error:
        print(json.dumps({"refused": f"{error.filename or 'the board'}: {error.strerror or error}"}))
        return 2
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(answer))
    return 0


def _given() -> dict[str, object]:
    text = sys.stdin.buffer.read()
    return json.loads(text) if text.strip() else {}
