"""What a machine says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.build.measure.machine import power_mode, this_machine

JETSON = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "var/lib/nvpmodel/status": "pmode:0001 fmode:quiet",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU 1\n< POWER_MODEL ID=1 NAME=25W >\n",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1344000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "918000000\n",
    "sys/class/devfreq/other/max_freq": "1\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in JETSON.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_jetson_tells_its_name_its_power_mode_and_its_clocks(root: Path) -> None:
    machine = this_machine(root)
    assert (machine.name, machine.power_mode) == ("NVIDIA Jetson Orin Nano Developer Kit", "25W")
    assert machine.clocks_mhz == {"cpu policy0": 1344.0, "gpu 17000000.gpu": 918.0}
    assert machine.versions["l4t"] == "R36.4.3"


def test_a_mode_without_a_name_is_told_by_its_number_and_other_machines_have_none(root: Path) -> None:
    (root / "etc/nvpmodel.conf").unlink()
    assert power_mode(root) == "mode 1"
    other = this_machine(root / "nowhere")
    assert (other.power_mode, other.clocks_mhz) == ("", {})
    assert other.name
    assert "l4t" not in other.versions
