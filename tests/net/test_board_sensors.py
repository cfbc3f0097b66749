"""The state of a board by its sysfs, in a tree that is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.ports import Health
from swarm.net.board_sensors import BoardSensors

BATTERY = {"type": "Battery\n", "capacity": "47\n", "energy_now": "31500000\n"}


def tree(root: Path, folders: dict[str, dict[str, str]]) -> Path:
    for name, files in folders.items():
        folder = root / "class" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text)
    return root


def test_of_a_machine_without_sensors_nothing_is_known(tmp_path: Path) -> None:
    assert BoardSensors(tmp_path).health() == Health()


def test_a_figure_beyond_all_bounds_is_not_known(tmp_path: Path) -> None:
    folders = {"thermal/thermal_zone0": {"temp": "9" * 400}, "power_supply/BAT0": BATTERY | {"energy_now": "9" * 400}}
    health = BoardSensors(tree(tmp_path, folders)).health()
    assert (health.temperature_c, health.battery_wh) == (None, None)


def test_the_sensors_are_read_anew_each_time(tmp_path: Path) -> None:
    sensors = BoardSensors(tree(tmp_path, {"power_supply/BAT0": BATTERY}))
    (tmp_path / "class/power_supply/BAT0/capacity").write_text("46")
    assert sensors.health().battery == pytest.approx(0.46)
    (tmp_path / "class/power_supply/BAT0/capacity").unlink()
    assert sensors.health() == Health(battery_wh=31.5)


@pytest.mark.parametrize(("folders", "state"), [
    ({"power_supply/BAT0": BATTERY}, Health(battery=0.47, battery_wh=31.5)),
    ({"power_supply/BAT0": {"type": "Battery", "charge_now": "2000000", "voltage_now": "11100000"}},
     Health(battery_wh=22.2)),
    ({"power_supply/BAT0": BATTERY, "power_supply/BAT1": BATTERY | {"capacity": "20"}},
     Health(battery=0.335, battery_wh=63.0)),
    ({"power_supply/BAT0": BATTERY | {"capacity": "104", "energy_now": "-1"}}, Health(battery=1.0)),
    ({"power_supply/AC": {"type": "Mains", "online": "1"}, "power_supply/mouse": BATTERY | {"scope": "Device"}},
     Health()),
    ({"thermal/thermal_zone0": {"temp": "48500"}, "thermal/thermal_zone1": {"temp": "61250"},
      "thermal/thermal_zone2": {"temp": "-256000"}, "thermal/thermal_zone3": {"temp": "hot"}},
     Health(temperature_c=61.25)),
    ({"thermal/cooling_device0": {"type": "pwm-fan", "cur_state": "3"},
      "thermal/cooling_device1": {"type": "cpufreq-cpu0", "cur_state": "0"}}, Health(throttled=False)),
    ({"thermal/cooling_device0": {"type": "Processor", "cur_state": "0"},
      "thermal/cooling_device1": {"type": "thermal-devfreq-0", "cur_state": "2"}}, Health(throttled=True)),
    ({"thermal/cooling_device0": {"type": "pwm-fan", "cur_state": "3"}}, Health()),
])
def test_the_state_is_what_the_files_say(tmp_path: Path, folders: dict[str, dict[str, str]], state: Health) -> None:
    found = BoardSensors(tree(tmp_path, folders)).health()
    assert (found.battery, found.battery_wh) == (pytest.approx(state.battery), pytest.approx(state.battery_wh))
    assert (found.temperature_c, found.throttled) == (state.temperature_c, state.throttled)
