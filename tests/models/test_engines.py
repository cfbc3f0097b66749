"""Engines of TensorRT on the disk: their keys, builds that fail, what is removed; and the releases of this machine."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import providers
from models.gpu import engines
from models.gpu.engines import BUILDING, building, folder_of, stands
from models.gpu.versions import GpuVersions, gpu_versions
from models.store import ModelError

SHA = "ab" * 32
HERE = GpuVersions(gpu="Orin", compute="8.7", tensorrt="10.3.0", cuda="12.6", l4t="36.4.3", runtime="1.23.2")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    return tmp_path


def build(versions: GpuVersions = HERE, content: str = "engine", sha: str = SHA) -> Path:
    """As TensorRT does: files in the folder that it is given."""
    folder = folder_of(sha, "int8", versions)
    with building(folder, versions) as given:
        (given / "x.engine").write_text(content)
    return folder


def test_all_that_an_engine_depends_on_is_in_its_key() -> None:
    other = [msgspec.structs.replace(HERE, **{field: "other"}) for field in HERE.__struct_fields__]
    keys = [folder_of(SHA, "int8", HERE), folder_of("cd" * 32, "int8", HERE), folder_of(SHA, "fp16", HERE),
            *(folder_of(SHA, "int8", one) for one in other)]
    assert len(set(keys)) == len(keys) == 9
    assert folder_of(SHA, "int8", HERE) == keys[0]


def test_an_engine_is_built_once_and_then_found() -> None:
    folder = folder_of(SHA, "int8", HERE)
    assert not stands(folder)
    assert build() == folder
    assert stands(folder)
    with building(folder, HERE) as given:
        assert given == folder                           # a hit: the folder that stands
    assert (folder / "x.engine").read_text() == "engine"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def half_built(folder: Path, versions: GpuVersions, error: Any) -> None:
    """A build that ends by an error."""
    with building(folder, versions) as given:
        (given / "half.engine").write_text("half")
        raise error


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ModelError("m", "out of memory")])
def test_a_build_that_fails_leaves_the_old_engines(error: Any) -> None:
    old = build()
    newer = msgspec.structs.replace(HERE, tensorrt="10.7.0")
    new = folder_of(SHA, "int8", newer)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        half_built(new, newer, error)
    assert stands(old)
    assert not new.exists()
    assert [path.name for path in old.parent.iterdir()] == [old.name]
    assert stands(build(newer))
    assert not old.exists()                              # only now, since the new one stands


def test_what_a_killed_build_has_left_is_removed_and_that_of_a_living_one_is_not() -> None:
    folder = folder_of(SHA, "int8", HERE)
    dead, living = (folder.with_name(f"x{BUILDING}{pid}") for pid in (2**22 + 1, os.getppid()))
    for path in (dead, living):
        path.mkdir(parents=True)
    build()
    assert (dead.exists(), living.exists()) == (False, True)


def test_engines_of_another_gpu_and_of_other_models_stay() -> None:
    first, second = build(msgspec.structs.replace(HERE, gpu="Thor", compute="11.0")), build(sha="cd" * 32)
    newer = build(msgspec.structs.replace(HERE, cuda="13.0"))
    assert all(stands(folder) for folder in (first, second, newer))


def test_what_another_process_has_built_meanwhile_is_taken() -> None:
    folder = folder_of(SHA, "int8", HERE)
    with building(folder, HERE) as given:
        (given / "x.engine").write_text("ours")
        folder.mkdir()
        (folder / engines.KEY_FILE).write_bytes(msgspec.json.encode(HERE))
    assert [path.name for path in folder.iterdir()] == [engines.KEY_FILE]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("a file")
    with pytest.raises(ModelError, match=r"a folder that can be written: \$SWARM_CACHE"):
        build()


def test_tensorrt_may_use_what_the_variant_needs() -> None:
    def told(precision: Any) -> tuple[str, str]:
        options = providers.options("tensorrt", precision, Path("/e"))
        assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == "/e"
        return options["trt_fp16_enable"], options["trt_int8_enable"]

    assert (told("fp32"), told("fp16"), told("int8")) == (("0", "0"), ("1", "0"), ("1", "1"))
    assert providers.options("cuda", "fp16", None) == providers.options("cpu", "fp32", None) == {}


class Library:
    """A shared library whose functions answer with these values, or fill what they are given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        return self.answers[name]


def of_a_jetson(name: str) -> Any:
    """The libraries of an Orin with JetPack 6."""
    def attribute(to: Any, which: int, device: object) -> int:
        to._obj.value = {75: 8, 76: 7}[which]
        return 0

    def device_name(to: Any, size: int, device: object) -> int:
        to.value = b"Orin"
        return 0

    def runtime_version(to: Any) -> int:
        to._obj.value = 12060
        return 0

    found = {
        "libcuda.so.1": Library(cuInit=lambda flags: 0, cuDeviceGet=lambda to, number: 0,
                                cuDeviceGetName=device_name, cuDeviceGetAttribute=attribute),
        "libnvinfer.so.10": Library(getInferLibVersion=lambda: 100300),
        "libcudart.so.12": Library(cudaRuntimeGetVersion=runtime_version),
    }
    if name not in found:
        raise OSError(name)
    return found[name]


def nothing(name: str) -> Any:
    raise OSError(name)


def test_the_releases_of_a_jetson_are_found_without_tensorrts_package(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 38968081\n")
    assert gpu_versions("1.23.2", of_a_jetson, tmp_path) == HERE
    assert str(HERE) == ("Orin (compute capability 8.7), TensorRT 10.3.0, CUDA 12.6, L4T 36.4.3, ONNX Runtime 1.23.2")


def test_what_is_not_there_is_empty_and_files_tell_the_rest(tmp_path: Path) -> None:
    assert gpu_versions("1", nothing, tmp_path) == GpuVersions(
        gpu="", compute="", tensorrt="", cuda="", l4t="", runtime="1")
    (tmp_path / "usr" / "local" / "cuda").mkdir(parents=True)
    (tmp_path / "usr" / "local" / "cuda" / "version.json").write_text('{"cuda": {"version": "12.6.11"}}')
    (tmp_path / "proc" / "device-tree").mkdir(parents=True)
    (tmp_path / "proc" / "device-tree" / "model").write_text("NVIDIA Jetson Orin Nano\0")
    found = gpu_versions("1", nothing, tmp_path)
    assert (found.gpu, found.cuda) == ("NVIDIA Jetson Orin Nano", "12.6.11")


def test_a_driver_that_fails_names_no_gpu() -> None:
    def broken(name: str) -> Any:
        return Library(cuInit=lambda flags: 100, cudaRuntimeGetVersion=lambda to: 35, getInferLibVersion=lambda: 100300)

    assert gpu_versions("1", broken, Path("/nowhere")).compute == ""
    assert ctypes.c_int().value == 0
