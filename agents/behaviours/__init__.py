"""Behaviours of robots: one module per behaviour, and the directory listing is the registry.

A behaviour module defines a function of its own name, `NAME(robot, team, seed, sensors) -> Behaviour`; see `Maker`.
Its parts are in packages beside it (`search/`), which the registry does not list. A behaviour is a deterministic
policy: events in; acts, reports and notes out. It reads no clock, does no I/O and draws only from
`swarm.core.policy.draw`. Only the behaviour knows the meaning of its models' classes: the protocol has numbers only.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from swarm import plugins
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Drive, Observation, Perceived, Report
from swarm.core.settings.errors import BadInput

__path__ = plugins.extended(__path__, "behaviours")


@dataclass(frozen=True, slots=True)
class Heard:
    """A note from a teammate's behaviour. Notes may be lost, late, out of order, or nonsense."""

    sender: str                      # the robot that sent it, authenticated by the network
    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note from this robot to its teammates."""

    topic: str
    data: bytes
    to: tuple[str, ...] = ()         # their names; empty: to all that the robot knows to be alive


@dataclass(frozen=True, slots=True)
class Verdict:
    """The world's judgement of a report of this robot."""

    report: Report
    verdict: str                     # a word that the scenario defines, such as found, duplicate or wrong


Event = Observation | Perceived | Heard | Verdict
Output = Act | Report | Note

STAY = Drive(v_mps=0.0, w_radps=0.0)
"""The act of a robot that drives by its lidar, while the lidar gives nothing."""


class Behaviour(Protocol):
    """The policy of one robot."""

    def on(self, event: Event, now: int) -> list[Output]:
        """Outputs for an event at `now` (ns, never goes back): one Act for each Observation, else none."""
        ...


Maker = Callable[[str, list[str], int, SensorSuite], Behaviour]
"""Makes the behaviour of one robot, called with (robot, team, seed, sensors).

Raises BadInput if a sensor that the behaviour needs is missing.
"""

_Sensor = TypeVar("_Sensor")


def available() -> list[str]:
    """Names of all behaviours, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)


def load(name: str) -> Maker:
    """The maker of a behaviour.

    Raises BadInput if there is no behaviour of this name.
    """
    if name not in available():
        raise BadInput("behaviour", f"there is no {name!r}", f"known are {', '.join(available())}")
    return getattr(plugins.load(f"{__name__}.{name}", name), name)


def required(behaviour: str, kind: str, sensor: _Sensor | None) -> _Sensor:
    """The sensor of this kind.

    Raises BadInput if the robot has none: the behaviour cannot run on it.
    """
    if sensor is None:
        raise BadInput(f"behaviour {behaviour!r}", f"needs a {kind}, and the robot has none", f"a body with a {kind}")
    return sensor
