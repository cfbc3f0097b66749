"""Packages that only some commands need. A command says which are missing before it starts anything."""

from __future__ import annotations

import importlib.util

from swarm.core.settings.errors import BadInput

SIM = "pip install 'swarm-edge-runtime[sim]'"
WANT = {
    "pybullet": f"{SIM}; the simulator PyBullet, which draws what robots see, has wheels for x86-64 alone",
    "matplotlib": SIM, "pyarrow": SIM,
    "onnx": "pip install onnx, or all that builds models: pip install 'swarm-edge-runtime[build]'",
}
RUN = ("pybullet", "pyarrow", "matplotlib")
REPORT = ("matplotlib", "pyarrow")


def needed(command: str, *modules: str) -> None:
    """Raises: BadInput that names the modules which are not installed; the advice is that of the first."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        is_are = "is" if len(absent) == 1 else "are"
        raise BadInput(command, f"{' and '.join(absent)} {is_are} not installed", WANT[absent[0]])
