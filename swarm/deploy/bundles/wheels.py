"""The wheels of a target: what a part of the runtime needs, for another Python and processor than this one's.

They come from a folder that is named, else by pip, which fetches wheels for any platform and installs nothing. What was
fetched once for the same requirements is used again.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import swarm
from swarm.core.settings.errors import BadInput
from swarm.deploy.targets import Target

PARTS = {
    "agent": ("msgpack", "msgspec", "numpy", "onnxruntime", "psutil", "pyyaml", "pyzmq"),
    "names": ("ifaddr", "zeroconf"),
    "planner": ("numba", "llvmlite"),
    "collector": ("contourpy", "cycler", "fonttools", "jinja2", "kiwisolver", "markupsafe", "matplotlib", "packaging",
                  "pillow", "pyarrow", "pyparsing", "python-dateutil", "scipy", "six"),
}
"""What each part imports on a board, with all that this imports in turn; all boards need the first one."""
FETCH_S = 900.0
GPU = "onnxruntime-gpu"
PIN = re.compile(r"([A-Za-z0-9_.-]+)==([^\s;]+)(?:\s*;\s*python_version\s*(<|>=)\s*\"(\d+)\.(\d+)\")?\s*$")
WHEEL = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-\d[^-]*)?-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>.+)\.whl")


def pins(target: Target) -> dict[str, str]:
    """The versions of the checkout's constraints for a target's Python, by name; empty without a checkout."""
    path = Path(swarm.__file__ or "").parent.parent / "constraints.txt"
    version = tuple(int(part) for part in target.python.split("."))
    found: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        if (match := PIN.match(line)) is None:
            continue
        limit = (int(match[4]), int(match[5])) if match[3] else None
        if limit is None or (version < limit) == (match[3] == "<"):
            found[normal(match[1])] = match[2]
    return found


def normal(name: str) -> str:
    """A package's name as all tools compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fits(wheel: str, target: Target) -> bool:
    """Whether a wheel of this name runs on the target."""
    match = WHEEL.fullmatch(wheel)
    if match is None:
        return False
    tag = f"cp{target.python.replace('.', '')}"
    pythons, abis = match["python"].split("."), match["abi"].split(".")
    right_python = tag in pythons or "py3" in pythons or ("abi3" in abis and any(
        one.startswith("cp3") and int(one[3:]) <= int(tag[3:]) for one in pythons))
    platforms = match["platform"].split(".")
    return right_python and ("any" in platforms or bool(set(platforms) & {*target.platforms(),
                                                                          f"linux_{target.machine}"}))


def wheels_of(
    target: Target, parts: Sequence[str], cache: Path, given: Sequence[Path], gpu: bool
) -> tuple[list[Path], list[str]]:
    """The wheels of these parts, and the names of those that are missing.

    given: folders of wheels that are taken first. gpu: whether ONNX Runtime must be that for the GPU, which only these
    folders have. Raises: BadInput if pip is not there.
    """
    names = [GPU if gpu and name == "onnxruntime" else name for part in parts for name in PARTS[part]]
    here = {normal(match["name"]): path for folder in given for path in sorted(folder.glob("*.whl"))
            if fits(path.name, target) and (match := WHEEL.fullmatch(path.name))}
    found = [here[name] for name in names if name in here]
    known = pins(target)
    wanted = [f"{name}=={known[name]}" if name in known else name for name in names
              if name not in here and name != GPU]
    fetched = _fetch(target, wanted, cache)
    found += fetched
    have = {normal(match["name"]) for path in found if (match := WHEEL.fullmatch(path.name))}
    return found, [name for name in names if name not in have]


def _fetch(target: Target, wanted: Sequence[str], cache: Path) -> list[Path]:
    """The wheels that pip finds for these requirements. What one of them lacks does not stop the others."""
    if not wanted:
        return []
    key = hashlib.sha256("\0".join([*target.platforms(), *sorted(wanted)]).encode()).hexdigest()[:16]
    folder = cache / target.name
    record = folder / f"{key}.json"
    if record.is_file():
        names = json.loads(record.read_bytes())
        if all((folder / name).is_file() for name in names):
            return [folder / name for name in names]
    folder.mkdir(parents=True, exist_ok=True)
    got = wanted if _pip(target, wanted, folder) else [one for one in wanted if _pip(target, [one], folder)]
    names = [path.name for one in got if (path := _newest(folder, one, target)) is not None]
    if len(names) == len(wanted):
        record.write_text(json.dumps(names))
    return [folder / name for name in names]


def _pip(target: Target, wanted: Sequence[str], folder: Path) -> bool:
    platforms = [word for tag in target.platforms() for word in ("--platform", tag)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--implementation", "cp", "--python-version", target.python, *platforms,
               "--dest", str(folder), *wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_S)
    except subprocess.TimeoutExpired:
        return False
    if "No module named pip" in done.stderr:
        raise BadInput("swarm deploy bundle", "pip is not installed", "pip, or all wheels in --wheels DIR")
    return done.returncode == 0


def _newest(folder: Path, requirement: str, target: Target) -> Path | None:
    name, _, version = requirement.partition("==")
    found = [path for path in folder.glob("*.whl") if (match := WHEEL.fullmatch(path.name)) and fits(path.name, target)
             and normal(match["name"]) == name and (not version or match["version"] == version)]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel by their path in site-packages. Raises: BadInput if it is none."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(str(wheel), f"it is no wheel: {error}", "a whole one") from None
    found: dict[str, bytes] = {}
    for path, content in files.items():
        root, _, rest = path.partition(".data/")
        if rest and "/" not in root:
            kind, _, inner = rest.partition("/")
            if kind not in ("purelib", "platlib"):
                continue                             # commands and headers: nothing on a board asks for them
            path = inner
        if not _for_developers(path):
            found[path] = content
    return found


def _for_developers(path: str) -> bool:
    """Tests, headers and stubs: a third of the files, and no board imports them."""
    parts = path.split("/")
    return "tests" in parts[:-1] or path.endswith((".pyi", ".h", ".hpp", ".pxd", ".a", ".lib"))
