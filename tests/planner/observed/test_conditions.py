"""What the planner takes from adverts: figures that make sense; and when a board needs relief."""

from __future__ import annotations

import math

import pytest

from swarm.core.policy.plan import NotLoaded
from swarm.core.protocol.messages import Advert
from swarm.core.units import ns
from swarm.planner.observed.conditions import QUIET_S, Strains, agent_info
from swarm.planner.problem import AgentInfo


def advert(**known: object) -> Advert:
    return Advert(board="b", executors=1, profiles=[], streams=[], **known)      # type: ignore[arg-type]


def test_what_an_advert_says_of_its_board_is_taken_over() -> None:
    left_out = NotLoaded("m", "int8", 0.1)
    info = agent_info("a", advert(battery=0.1, temperature_c=-5.0, memory_free_bytes=0, not_loaded=[left_out]))
    assert info == AgentInfo(name="a", profiles=(), strain="low battery", not_loaded=(left_out,))


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e300, -1e3])
def test_nonsense_is_not_known(odd: float) -> None:
    info = agent_info("a", advert(battery_wh=odd, power_w=odd, temperature_c=odd))
    assert info == AgentInfo(name="a", profiles=())


@pytest.mark.parametrize(("known", "strain"), [
    ({}, ""),
    ({"throttled": False, "battery": 0.2, "temperature_c": 99.0}, ""),
    ({"throttled": True}, "throttled"),
    ({"battery": 0.19}, "low battery"),
    ({"battery_wh": 4.9, "power_w": 15.0}, "low battery"),          # 20 minutes at 15 W take 5 Wh
    ({"battery_wh": 5.1, "power_w": 15.0}, ""),
    ({"battery_wh": 0.1}, ""),                                      # nobody knows for how long it lasts
])
def test_an_agent_is_strained_if_it_is_throttled_or_low_on_battery(known: dict[str, object], strain: str) -> None:
    assert agent_info("a", advert(**known)).strain == strain


def test_a_strain_that_begins_is_told_once_and_one_that_flaps_seldom() -> None:
    strains = Strains()
    told = [strains.began("a", why, ns(at_s)) for at_s, why in enumerate(["", "hot", "hot", "", "hot", ""])]
    assert told == ["", "hot", "", "", "", ""]
    assert strains.began("a", "hot", ns(1 + QUIET_S)) == "hot"
    assert strains.began("b", "hot", ns(1 + QUIET_S)) == "hot"
