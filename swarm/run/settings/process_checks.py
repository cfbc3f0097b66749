"""Checks the files of all processes of a run by the rules of these processes, before any of them is started."""

from __future__ import annotations

from collections.abc import Collection

from swarm.core.protocol.messages import Member
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.core.settings.links import fleet_of
from swarm.core.settings.process_files import AgentFile, WorldFile
from swarm.run.settings.known import Known
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Resolved

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:1")
LONGEST_BOOT = "f" * 16              # follows the scenario in the swarm's name


def check_processes(resolved: Resolved, known: Known, where: str) -> None:
    """What a process would refuse at its start is refused now. where: the launch file. Raises: BadInput."""
    held: dict[str, Collection[str]] = {}            # by fleet: models that its boards can hold
    behaviours = known.behaviours()
    for spec in process_specs(resolved, f"{resolved.launch.scenario}-{LONGEST_BOOT}", LAUNCHER, keys=""):
        at = f"{where}: {spec.name}"
        match spec.settings:
            case AgentFile() as agent:
                rules.agent_file(agent, at, behaviours)
                fleet = fleet_of(spec.name)
                if fleet not in held:                # its robots are all alike
                    held[fleet] = _models(agent, known, where)
            case WorldFile() as world:
                rules.world_file(world, at, known.scenarios(), known.kinds())
            case planner:
                rules.planner_file(planner, at)
    for i, stream in enumerate(resolved.launch.streams):
        if not any(stream.model in models for models in held.values()):
            raise BadInput(f"{where}: streams[{i}].model", f"no robot's board has the memory for any variant of "
                           f"{stream.model}", "a larger memory_mb of one board, or variants that are smaller")


def _models(agent: AgentFile, known: Known, where: str) -> Collection[str]:
    """Those that the agent's board can hold. Raises: BadInput, with the launch file."""
    try:
        return known.check_models(agent)
    except BadInput as error:
        raise BadInput(f"{where}: {error.where}", error.what, error.want) from None
