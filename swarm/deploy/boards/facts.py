"""What a board says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from swarm.deploy.boards.ports import BoardPort, NotUsable
from swarm.deploy.targets import TARGETS, Target, target_of

PROBE = Path(__file__).with_name("probe.py")
RELEASE_PYTHON = "/opt/swarm/current/site/bin/python"
RUNTIME_PROBE = b"""import json, onnxruntime as it
print(json.dumps({"version": it.__version__, "providers": it.get_available_providers()}))"""
Text = Annotated[str, Meta(max_length=200)]
Bytes = Annotated[int, Meta(ge=0, le=1 << 62)]
NONSENSE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One board."""

    machine: Text
    python: Text
    glibc: Text
    system: Text
    jetpack: Text                    # major version; empty: no Jetson
    gpu: list[Text]                  # device files of a GPU
    libraries: list[Text]            # of a GPU: CUDA, cuDNN, TensorRT
    free_bytes: Bytes
    memory_bytes: Bytes
    power_mode: Text                 # nvpmodel's, else the governor of the clock
    unix_s: Annotated[int, Meta(ge=-1 << 62, le=1 << 62)]        # its clock
    systemd: bool
    keeper: bool                     # whether it was set up before


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """ONNX Runtime of the release that a board runs."""

    version: Text
    providers: list[Text]            # that it was built with, by its own names


def ask(board: BoardPort) -> Facts:
    """Raises: Unreachable, NotUsable."""
    done = board.run("python3", "-I", "-", stdin=PROBE.read_bytes())
    try:
        return msgspec.json.decode(done.out, type=Facts)
    except NONSENSE:
        said = done.err.strip().splitlines()
        raise NotUsable(f"python3 does not run there: {said[-1] if said else f'exit code {done.code}'}") from None


def runtime(board: BoardPort) -> Runtime | None:
    """ONNX Runtime of the release that the board runs; None: there is none that can be loaded.

    Raises: Unreachable, NotUsable.
    """
    done = board.run(RELEASE_PYTHON, "-I", "-", stdin=RUNTIME_PROBE)
    try:
        return msgspec.json.decode(done.out, type=Runtime)
    except NONSENSE:
        return None


def target_for(facts: Facts, wanted: str) -> Target:
    """The target of a board. wanted: that of the inventory; empty: as the board says. Raises: NotUsable."""
    if facts.jetpack in ("4", "5"):
        raise NotUsable(f"it has JetPack {facts.jetpack}, whose Python {facts.python} is too old for this runtime: "
                        "JetPack 6 or 7")
    found = target_of(facts.machine, facts.python, facts.jetpack)
    if wanted and (found is None or found.name != wanted):
        raise NotUsable(f"it is {facts.machine} with Python {facts.python}, and the inventory says {wanted}: "
                        f"{TARGETS[wanted].machine} with Python {TARGETS[wanted].python}")
    if found is None:
        raise NotUsable(f"{facts.machine} with Python {facts.python} ({facts.system}) is no target: "
                        + ", ".join(f"{one.name} ({one.machine}, {one.python})" for one in TARGETS.values()))
    if not facts.systemd:
        raise NotUsable("systemd does not run there")
    return found
