"""What exists for a launch to name. The host knows it, because it may look into files; the checks only ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from sim_worlds.maps import FloorPlan
from swarm.core.policy.trace import Trace
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.settings.process_files import AgentFile, RobotSpec


class Known(Protocol):
    """Scenarios, kinds of robot and models."""

    def scenarios(self) -> Collection[str]: ...

    def kinds(self) -> Collection[str]:
        """Kinds of robot."""
        ...

    def models(self) -> Collection[str]: ...

    def behaviours(self) -> Collection[str]: ...

    def behaviour(self, scenario: str) -> str:
        """The behaviour of a scenario's robots."""
        ...

    def check_behaviour(
        self, behaviour: str, robots: Sequence[RobotSpec], seed: int, suites: Mapping[str, SensorSuite]
    ) -> None:
        """Raises: BadInput if one of these robots, with its sensors, cannot behave so, as it lacks one."""
        ...

    def measures(self, scenario: str) -> Collection[str]:
        """Names of what a scenario measures of the mission."""
        ...

    def urdf(self, name: str) -> tuple[str, str]:
        """The path of a robot's URDF file, which holds everywhere, and its text. Raises: BadInput."""
        ...

    def takes_map(self, scenario: str) -> bool:
        """Whether robots of this scenario can be on the floor of a map."""
        ...

    def floor(self, name: str) -> FloorPlan:
        """The floor of a map, whose path then holds everywhere. Raises: BadInput."""
        ...

    def sensors(
        self, scenario: str, robots: Sequence[RobotSpec], seed: int, floor: FloorPlan | None = None
    ) -> Mapping[str, SensorSuite]:
        """The sensors of each of these robots. floor: of a map, if it has one.

        Raises: ValueError if the scenario cannot hold these robots with this seed.
        """
        ...

    def takes_spawns(self, scenario: str) -> bool:
        """Whether a launch file may say where robots start; otherwise the scenario places them itself."""
        ...

    def check_spawn(self, scenario: str, seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
        """Raises: ValueError if a robot of this kind, one of `robots`, cannot start at this place."""
        ...

    def policy_file(self, name: str) -> str:
        """The path of a placing policy's file, which holds everywhere. Raises: BadInput if it is none."""
        ...

    def trace(self, name: str) -> tuple[str, Trace]:
        """The path of a link's trace, which holds everywhere, and what is in it. Raises: BadInput."""
        ...

    def check_models(self, agent: AgentFile) -> Collection[str]:
        """Those of an agent's models that its board can hold. Raises: BadInput if such an agent would not start."""
        ...

    def frame_px(self, model: str) -> tuple[int, int] | None:
        """Width and height of the only frames that a model takes; None: it takes others, too, or none at all."""
        ...

    def check_model(self, name: str) -> None:
        """Raises: BadInput for the first file of the model that is not what the model's card says."""
        ...
