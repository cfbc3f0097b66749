"""What a machine says of itself: its name, the power mode of a Jetson, the highest clocks that are permitted now."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

from models.build.measure.board_file import Machine
from models.build.measure.profiler import host_processor
from models.session import VERSION

ROOT = Path("/")
NVPMODEL_S = 5.0                     # for its answer
MODE = re.compile(r"NV Power Mode: *(\S+)")
LINE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")
STATUS = re.compile(r"pmode:(\d+)")
L4T = re.compile(r"#\s*(R\d+).*REVISION:\s*([\d.]+)")
LONGEST = 200                        # characters of anything that a file says


def this_machine(root: Path = ROOT) -> Machine:
    """What is known of this machine; what it does not tell is left out. root: of its file system."""
    l4t = L4T.search(_text(root / "etc/nv_tegra_release"))
    versions = {"python": platform.python_version(), "onnxruntime": VERSION, "kernel": platform.release()}
    return Machine(
        name=_text(root / "proc/device-tree/model").strip("\0 \n") or host_processor(),
        power_mode=power_mode(root), clocks_mhz=_clocks_mhz(root),
        versions=versions | ({"l4t": f"{l4t[1]}.{l4t[2]}"} if l4t else {}))


def power_mode(root: Path = ROOT) -> str:
    """The power mode as nvpmodel says, or as its files do; empty: there is none."""
    if root == ROOT and (asked := MODE.search(_asked())) is not None:
        return asked[1]
    status = STATUS.search(_text(root / "var/lib/nvpmodel/status"))
    if status is None:
        return ""
    names = {int(number): name for number, name in LINE.findall(_text(root / "etc/nvpmodel.conf", most=1 << 20))}
    return names.get(int(status[1]), f"mode {int(status[1])}")


def _asked() -> str:
    """What `nvpmodel -q` prints; empty: it is not there, or does not answer."""
    try:
        return subprocess.run(
            ["nvpmodel", "-q"], capture_output=True, text=True, timeout=NVPMODEL_S, check=False).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def _clocks_mhz(root: Path) -> dict[str, float]:
    """The highest clock that each policy of the CPUs, and the GPU, may have now."""
    clocks = {}
    for path in sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*/scaling_max_freq")):
        if (khz := _text(path).strip()).isdigit():
            clocks[f"cpu {path.parent.name}"] = int(khz) / 1e3
    for path in sorted((root / "sys/class/devfreq").glob("*/max_freq")):
        if re.search(r"gpu|ga10b|gb10b|gv11b|gp10b", path.parent.name) and (hertz := _text(path).strip()).isdigit():
            clocks[f"gpu {path.parent.name}"] = int(hertz) / 1e6
    return clocks


def _text(path: Path, most: int = LONGEST) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(most)
    except OSError:
        return ""
