"""Reads the state of a Linux board from sysfs: battery, temperature, and whether it is throttled.

Sources: Linux, Documentation/ABI/testing/sysfs-class-power and sysfs-class-thermal. What is missing, cannot be read or
makes no sense is not known.
"""

from __future__ import annotations

from pathlib import Path

from swarm.core.ports import Health

SYSFS = Path("/sys")
COLDEST_C, HOTTEST_C = -40.0, 150.0  # a zone that reports less or more is not in use
SLOWING = ("processor", "cpufreq", "devfreq")
"""Cooling devices that slow computing down have one of these in their type; fans do not."""


def health(root: Path = SYSFS) -> Health:
    """What the files below `root`, /sys of a board, say now."""
    batteries = [folder for folder in sorted(root.glob("class/power_supply/*")) if _is_of_the_board(folder)]
    charges = [charge for folder in batteries if (charge := _number(folder / "capacity")) is not None]
    energies_wh = [energy_wh for folder in batteries if (energy_wh := _energy_wh(folder)) is not None]
    temperatures_c = [milli_c / 1e3 for file in sorted(root.glob("class/thermal/thermal_zone*/temp"))
                      if (milli_c := _number(file)) is not None and COLDEST_C <= milli_c / 1e3 <= HOTTEST_C]
    slowing = [state for folder in sorted(root.glob("class/thermal/cooling_device*"))
               if any(word in _text(folder / "type").lower() for word in SLOWING)
               and (state := _number(folder / "cur_state")) is not None]
    return Health(
        battery=min(max(sum(charges) / len(charges) / 100.0, 0.0), 1.0) if charges else None,
        battery_wh=sum(energies_wh) if energies_wh else None,
        temperature_c=max(temperatures_c) if temperatures_c else None,
        throttled=any(state > 0 for state in slowing) if slowing else None)


def _is_of_the_board(folder: Path) -> bool:
    """Whether it is a battery, and not that of a mouse or a joystick."""
    return _text(folder / "type") == "Battery" and _text(folder / "scope") != "Device"


def _energy_wh(folder: Path) -> float | None:
    """From microwatt hours, or from microampere hours and microvolts."""
    energy = _number(folder / "energy_now")
    if energy is not None:
        return energy / 1e6 if energy >= 0 else None
    charge, voltage = _number(folder / "charge_now"), _number(folder / "voltage_now")
    if charge is None or voltage is None or charge < 0 or voltage < 0:
        return None
    return charge * voltage / 1e12


def _number(file: Path) -> int | None:
    try:
        return int(_text(file))
    except ValueError:
        return None


def _text(file: Path) -> str:
    """A driver may refuse to be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
