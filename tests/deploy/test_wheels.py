"""Which wheels a target takes, and what of them travels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from swarm.deploy.bundles import bundle, wheels
from swarm.deploy.bundles.store import Files
from swarm.deploy.targets import TARGETS, target_of

JETPACK6, DEBIAN = TARGETS["jetpack6"], TARGETS["debian"]


@pytest.mark.parametrize(("name", "takes"), [
    ("numpy-2.2.6-cp310-cp310-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", True),
    ("numpy-2.2.6-cp312-cp312-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", False),
    ("numpy-2.2.6-cp310-cp310-manylinux_2_17_x86_64.whl", False),
    ("onnxruntime-1.23.2-cp310-cp310-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", True),
    ("new-1.0-cp310-cp310-manylinux_2_39_aarch64.whl", False),
    ("psutil-7.2.2-cp36-abi3-manylinux2014_aarch64.whl", True),
    ("later-1.0-cp312-abi3-manylinux2014_aarch64.whl", False),
    ("onnxruntime_gpu-1.23.0-cp310-cp310-linux_aarch64.whl", True),
    ("rich-15.0.0-py3-none-any.whl", True),
    ("rich-15.0.0.tar.gz", False),
])
def test_the_tags_of_a_wheel_decide(name: str, takes: bool) -> None:
    assert wheels.fits(name, JETPACK6) is takes


def test_a_board_is_a_target_by_its_python_and_processor() -> None:
    assert target_of("x86_64", "3.11", "") == DEBIAN
    assert target_of("aarch64", "3.10", "6") == JETPACK6
    assert target_of("aarch64", "3.8", "") is None


def test_pins_are_those_of_the_targets_python() -> None:
    assert wheels.pins(JETPACK6)["onnxruntime"] == "1.23.2"
    assert wheels.pins(DEBIAN)["onnxruntime"] != "1.23.2"


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for inner, content in files.items():
            archive.writestr(inner, content)
    return path


def test_tests_headers_and_commands_do_not_travel(tmp_path: Path) -> None:
    path = wheel(tmp_path, "a-1.0-py3-none-any.whl", {
        "a/__init__.py": b"", "a/tests/test_a.py": b"", "a/a.pyi": b"", "a/include/a.h": b"",
        "a-1.0.data/purelib/b.py": b"", "a-1.0.data/scripts/run": b""})
    assert sorted(wheels.contents(path)) == ["a/__init__.py", "b.py"]


def test_a_bundle_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "_pip", lambda target, wanted, folder: False)
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    given = tmp_path / "given"
    given.mkdir()
    wheel(given, "numpy-2.4.6-cp311-cp311-manylinux2014_x86_64.whl", {"numpy/__init__.py": b"# numpy"})
    made = bundle.make(DEBIAN, ["agent"], Files(tmp_path / "files"), [given])
    assert made.wheels == ["numpy-2.4.6-cp311-cp311-manylinux2014_x86_64.whl"]
    assert "onnxruntime" in made.missing
    assert "numpy" not in made.missing
    paths = {entry.path for entry in Files(tmp_path / "files").entries(made.tree)}
    assert {"lib/python3.11/site-packages/numpy/__init__.py", "lib/python3.11/site-packages/agents/robot.py"} <= paths
    assert not any("artefacts" in path or "__pycache__" in path or "/bench/" in path for path in paths)


def test_a_gpu_runtime_comes_from_a_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(wheels, "_pip", lambda target, wanted, folder: asked.extend(wanted) or False)
    found, missing = wheels.wheels_of(JETPACK6, ["agent"], tmp_path / "cache", [tmp_path], True)
    assert not found
    assert "onnxruntime-gpu" in missing
    assert not any("onnxruntime" in one for one in asked)
    wheel(tmp_path, "onnxruntime_gpu-1.23.0-cp310-cp310-linux_aarch64.whl", {})
    found, missing = wheels.wheels_of(JETPACK6, ["agent"], tmp_path / "cache", [tmp_path], True)
    assert [path.name for path in found] == ["onnxruntime_gpu-1.23.0-cp310-cp310-linux_aarch64.whl"]
    assert "onnxruntime-gpu" not in missing
