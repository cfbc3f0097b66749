"""What exists for the launches of an experiment to name. Thousands ask the same: each question is asked once."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from sim_worlds.maps import FloorPlan
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.settings.process_files import AgentFile, RobotSpec
from swarm.launcher.load import Installed
from swarm.virtual.perception import check_models


class KnownOnce(Installed):
    """As `Installed`, as it was when it was first asked. A check that has failed is made again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.scenarios = lru_cache(super().scenarios)
        self.models = lru_cache(super().models)
        self.behaviour = lru_cache(super().behaviour)
        self.behaviours = lru_cache(super().behaviours)
        self.trace = lru_cache(None)(super().trace)
        self.floor = lru_cache(None)(super().floor)
        self.check_spawn = lru_cache(None)(super().check_spawn)
        self.check_model = lru_cache(super().check_model)
        self.frame_px = lru_cache(super().frame_px)
        self.check_virtual = lru_cache(check_models)
        self._checked = set[Hashable]()
        self._held = dict[Hashable, Collection[str]]()
        self._suites = dict[Hashable, Mapping[str, SensorSuite]]()

    def check_behaviour(
        self, behaviour: str, robots: Sequence[RobotSpec], seed: int, suites: Mapping[str, SensorSuite]
    ) -> None:
        if (key := (behaviour, repr(robots), seed, repr(suites))) not in self._checked:
            super().check_behaviour(behaviour, robots, seed, suites)
            self._checked.add(key)

    def sensors(
        self, scenario: str, robots: Sequence[RobotSpec], seed: int, floor: FloorPlan | None = None
    ) -> Mapping[str, SensorSuite]:
        key = (scenario, repr(robots), seed, floor and floor.path)
        if key not in self._suites:
            self._suites[key] = super().sensors(scenario, robots, seed, floor)
        return self._suites[key]

    def check_models(self, agent: AgentFile) -> Collection[str]:
        streams = [(stream.model, stream.source, stream.priority) for stream in agent.streams]
        key = repr((streams, agent.load, agent.variants, agent.board, agent.board_name, agent.models, agent.policy))
        if key not in self._held:
            self._held[key] = super().check_models(agent)
        return self._held[key]
