"""Figures that agents report once a second, collected over a run and over restarts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import msgspec

from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.world import BatteryState
from swarm.telemetry.summary_types import AgentFigures, BatteryFigures, ChargeFigures, EnergyFigures

COUNTERS = ("runs", "overruns", "refused_in", "duplicates", "control_bytes", "carried", "carried_bytes", "broken_off",
            "behaviour_missed", "behaviour_nonsense", "loads", "unloads")
LARGEST = ("loop_late_ms_p99", "loop_late_ms_max", "behaviour_ms_p99")      # of the last reports of all starts


class AgentBook:
    """Sums and maxima of each agent's figures. The counters of AgentNews restart at 0 with the process."""

    def __init__(self) -> None:
        self._figures: dict[str, AgentFigures] = {}
        self._last_report: dict[tuple[str, int], AgentNews] = {}
        self._starts: dict[str, set[int]] = {}       # boots that reported, or whose end the parent saw
        self._ended: set[tuple[str, int]] = set()    # starts that have ended
        self._batteries: dict[str, BatteryState] = {}        # as the world has told them last
        self._charges: dict[str, tuple[int, float, float]] = {}      # reports until empty; sum and least of charges

    def handle(self, agent: str, boot: int, report: AgentNews) -> None:
        """One report of an agent."""
        figures = self._of(agent, boot)
        before = self._last_report.get((agent, boot))
        for name in COUNTERS:
            grown = getattr(report, name) - (getattr(before, name) if before else 0)
            setattr(figures, name, getattr(figures, name) + max(grown, 0))
        figures.rss_bytes_max = max(figures.rss_bytes_max, report.rss_bytes)
        if (agent, boot) not in self._ended:         # its last report may arrive after its end
            figures.status = "running"
        self._last_report[agent, boot] = report

    def batteries(self, states: Mapping[str, BatteryState]) -> None:
        """A report of the world, which makes them at a steady rate."""
        for robot, state in states.items():
            if not (robot in self._batteries and self._batteries[robot].empty):
                count, total, least = self._charges.get(robot, (0, 0.0, 1.0))
                self._charges[robot] = count + 1, total + state.charge, min(least, state.charge)
        self._batteries |= states

    def battery(self, robot: str) -> BatteryFigures | None:
        """The battery of a robot. None: it has none."""
        state = self._batteries.get(robot)
        if state is None:
            return None
        count, total, least = self._charges[robot]
        return BatteryFigures(
            charge=round(state.charge, 6), charge_least=round(least, 6),
            charge_mean=round(total / count, 6), compute_j=round(state.compute_j, 3),
            radio_j=round(state.radio_j, 3), motion_j=round(state.motion_j, 3), charged_j=round(state.charged_j, 3),
            empty=state.empty)

    def energy(self) -> tuple[EnergyFigures, ChargeFigures]:
        """Of all batteries together."""
        each = [battery for robot in self._batteries if (battery := self.battery(robot)) is not None]
        if not each:
            return EnergyFigures(), ChargeFigures()
        used = EnergyFigures(**{name: round(sum(getattr(one, f"{name}_j") for one in each), 3)
                                for name in EnergyFigures.__struct_fields__})
        return used, ChargeFigures(
            least=min(one.charge_least for one in each),
            mean=round(statistics.fmean(one.charge_mean for one in each), 6),
            robots_empty=sum(one.empty for one in each))

    def set_status(self, agent: str, boot: int, status: str) -> None:
        """Record how one start of the process ended, as its parent saw it: `ended`, `left`, `killed`, `crashed` or
        `empty`.

        boot: 0 if the start was never ready.
        """
        self._ended.add((agent, boot))
        self._of(agent, boot).status = status

    def figures(self, agent: str) -> AgentFigures:
        """A copy; all zeros for an agent that never reported."""
        reports = [report for (name, _), report in self._last_report.items() if name == agent]
        available_s = sum(report.available_s for report in reports)
        busy_s = sum(report.busy_s for report in reports)
        return msgspec.structs.replace(
            self._figures.get(agent, AgentFigures()), starts=len(self._starts.get(agent, ())),
            busy_share=min(busy_s / available_s, 1.0) if available_s else 0.0,
            **{name: max((getattr(report, name) for report in reports), default=0.0) for name in LARGEST})

    def _of(self, agent: str, boot: int) -> AgentFigures:
        if boot:
            self._starts.setdefault(agent, set()).add(boot)
        return self._figures.setdefault(agent, AgentFigures())
