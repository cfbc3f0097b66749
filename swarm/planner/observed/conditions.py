"""What the planner takes from an advert, and when the state of a board makes a plan due. Deterministic.

Figures that make no sense, whatever a peer says, count as not known; profiles that make no sense are left out.
"""

from __future__ import annotations

from swarm.core.policy.plan import Profile
from swarm.core.protocol.messages import Advert
from swarm.core.units import ns
from swarm.planner.problem import LONGEST_S, AgentInfo

MOST_WH, MOST_W = 1e5, 1e6           # of a battery, of a board: as in a file of boards
LOW_BATTERY = 0.2                    # of the charge: UPower calls less low (`PercentageLow`) ...
LOW_BATTERY_S = 1200.0               # ... and less time (`TimeLow`), here at the full power of the board
QUIET_S = 10.0                       # one agent makes no more plans due in this time, however its state flaps


def agent_info(name: str, advert: Advert) -> AgentInfo:
    """An agent by its advert."""
    return AgentInfo(
        name=name, profiles=tuple(filter(_is_plausible, advert.profiles)), executors=advert.executors,
        own_share=advert.own_share, strain=strain(advert), not_loaded=tuple(advert.not_loaded))


def strain(advert: Advert) -> str:
    """Why an agent should be relieved of work; empty: it need not be."""
    if advert.throttled:
        return "throttled"
    battery_wh, power_w = _within(advert.battery_wh, 0.0, MOST_WH), _within(advert.power_w, 0.0, MOST_W)
    short = battery_wh is not None and power_w is not None and 3600.0 * battery_wh < LOW_BATTERY_S * power_w
    return "low battery" if short or (advert.battery is not None and advert.battery < LOW_BATTERY) else ""


class Strains:
    """Which agents are strained."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._told_ns: dict[str, int] = {}

    def began(self, agent: str, why: str, now: int) -> str:
        """Why an agent is strained, if it was not, or not so, before; empty otherwise, and shortly after the last time.
        """
        before, self._known[agent] = self._known.get(agent, ""), why
        told_ns = self._told_ns.get(agent)
        if why in ("", before) or (told_ns is not None and now - told_ns < ns(QUIET_S)):
            return ""
        self._told_ns[agent] = now
        return why


def _within(value: float | None, least: float, most: float) -> float | None:
    """NaN fails every comparison."""
    return value if value is not None and least <= value <= most else None


def _is_plausible(profile: Profile) -> bool:
    """Whether a search can calculate with it."""
    return (0.0 < profile.p50_s <= LONGEST_S and 0.0 < profile.p95_s <= LONGEST_S
            and 0.0 <= profile.accuracy <= 1.0 and 0.0 <= profile.network_accuracy <= 1.0 and profile.input_bytes >= 0)
