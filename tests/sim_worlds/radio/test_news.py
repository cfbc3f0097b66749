"""Members are told whom they hear: when that changes, when they can be reached, and again after a new start."""

from __future__ import annotations

import numpy as np
import pytest

from sim_worlds.radio.news import ReachNews
from swarm.core.protocol.messages import InReach
from swarm.core.settings.launch_file import Base
from swarm.core.settings.process_files import RadioSpec


class Told:
    """Takes what is sent; members that are `away` cannot be reached."""

    def __init__(self, base: Base | None, planners: list[str]) -> None:
        self.away: set[str] = set()
        self.sent: list[tuple[str, list[str]]] = []
        self.news = ReachNews(RadioSpec(reach_m=8.0, base=base, planners=planners), ["a", "b"], self._send)

    def _send(self, name: str, news: InReach) -> bool:
        if name not in self.away:
            self.sent.append((name, news.members))
        return name not in self.away

    def look(self, *x_m: float) -> list[tuple[str, list[str]]]:
        self.sent = []
        self.news.look(np.array([[x, 0.0] for x in x_m]))
        return self.sent


def test_without_a_base_the_planner_is_heard_by_all_and_told_nothing() -> None:
    told = Told(None, ["planner"])
    assert told.look(0.0, 5.0) == [("a", ["b", "planner"]), ("b", ["a", "planner"])]
    assert told.look(0.0, 6.0) == []
    assert told.look(0.0, 9.0) == [("a", ["planner"]), ("b", ["planner"])]
    assert told.news.share_apart == pytest.approx(1 / 3)


def test_a_planner_at_a_base_is_out_of_reach_as_a_robot_is() -> None:
    told = Told(Base(x_m=-4.0, y_m=0.0), ["planner", "standby"])
    assert told.look(0.0, 5.0) == [
        ("a", ["b", "planner", "standby"]), ("b", ["a"]), ("planner", ["a", "standby"]), ("standby", ["a", "planner"])]


def test_who_cannot_be_reached_is_told_later_and_as_it_is_then() -> None:
    told = Told(None, [])
    told.away = {"b"}
    assert told.look(0.0, 5.0) == [("a", ["b"])]
    assert told.look(0.0, 9.0) == [("a", [])]
    told.away.clear()
    assert told.look(0.0, 9.0) == [("b", [])]


def test_a_new_start_is_told_again_and_strangers_are_not() -> None:
    told = Told(None, [])
    told.look(0.0, 5.0)
    told.news.forget("b")
    told.news.forget("stranger")
    assert told.look(0.0, 5.0) == [("b", ["a"])]
