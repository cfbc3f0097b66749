"""Packages that only some commands need. A command reports missing packages before it starts anything."""

from __future__ import annotations

import importlib.util

from swarm.core.settings.errors import BadInput

SIM = "pip install 'swarm-edge-runtime[sim]'"
GYM = "pip install 'swarm-edge-runtime[gym]'"
WANT = {
    "gymnasium": GYM, "pettingzoo": GYM,
    "pybullet": f"{SIM}; the simulator PyBullet has wheels only for x86-64",
    "jinja2": SIM, "matplotlib": SIM, "numba": SIM, "pyarrow": SIM, "scipy": SIM,
    "onnx": "pip install onnx, or everything for building models: pip install 'swarm-edge-runtime[build]'",
}
REPORT = ("matplotlib", "pyarrow", "jinja2")
COLLECT = (*REPORT, "scipy")
RUN = ("pybullet", "numba", *COLLECT)


def needed(command: str, *modules: str) -> None:
    """Raises: BadInput with the modules that are not installed, and how to install the first one."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        is_are = "is" if len(absent) == 1 else "are"
        raise BadInput(command, f"{' and '.join(absent)} {is_are} not installed", WANT[absent[0]])
