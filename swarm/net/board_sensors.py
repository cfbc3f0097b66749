"""Reads the state of a Linux board from sysfs: battery, temperature, and whether it is throttled.

Sources: Linux, Documentation/ABI/testing/sysfs-class-power and sysfs-class-thermal. What is missing, cannot be read or
makes no sense is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from swarm.core.ports import Health

SYSFS = Path("/sys")
COLDEST_C, HOTTEST_C = -40.0, 150.0  # a zone that reports less or more is not in use
MOST = 2**63                         # of any figure: the kernel's numbers have 64 bits
SLOWING = ("processor", "cpufreq", "devfreq")
"""Cooling devices that slow computing down have one of these in their type; fans do not."""


class BoardSensors:
    """The sensors that a board has now. root: its /sys. Looking for them takes longer than reading them."""

    def __init__(self, root: Path = SYSFS) -> None:
        self._batteries = [folder for folder in sorted(root.glob("class/power_supply/*")) if _is_of_the_board(folder)]
        self._zones = sorted(root.glob("class/thermal/thermal_zone*/temp"))
        self._slowing = [folder / "cur_state" for folder in sorted(root.glob("class/thermal/cooling_device*"))
                         if any(word in _text(folder / "type").lower() for word in SLOWING)]

    def health(self) -> Health:
        """What they say now."""
        shares = _known(_number(folder / "capacity") for folder in self._batteries)
        energies_wh = _known(_energy_wh(folder) for folder in self._batteries)
        temperatures_c = [milli_c / 1e3 for milli_c in _known(map(_number, self._zones))
                          if COLDEST_C <= milli_c / 1e3 <= HOTTEST_C]
        states = _known(map(_number, self._slowing))
        return Health(
            battery=min(max(sum(shares) / len(shares) / 100.0, 0.0), 1.0) if shares else None,
            battery_wh=sum(energies_wh) if energies_wh else None,
            temperature_c=max(temperatures_c) if temperatures_c else None,
            throttled=any(state > 0 for state in states) if states else None)


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


def _known(figures: Iterable[float | None]) -> list[float]:
    return [figure for figure in figures if figure is not None]


def _number(file: Path) -> int | None:
    try:
        number = int(_text(file))
    except ValueError:
        return None
    return number if abs(number) < MOST else None


def _text(file: Path) -> str:
    """A driver may refuse to be read."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
