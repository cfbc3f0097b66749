"""An agent's report of itself, with a runner and timers of which the test says how busy and how late they are."""

from __future__ import annotations

from typing import Any

from agents.own_figures import OwnFigures
from agents.ports import RunnerStatistics
from swarm.core.policy.lateness import Lateness
from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.messages.telemetry import MOST_LINKS
from swarm.core.units import ns
from tests.one_thread.hosts import Stage


class Runner:
    """Only what it says of itself."""

    busy_s = 0.0

    def statistics(self) -> RunnerStatistics:
        return RunnerStatistics(runs=3, overruns=1, aborted=0, failed=0, busy_s=self.busy_s)


class Acting:
    """The figures of a behaviour."""

    def __init__(self) -> None:
        self.lateness, self.missed, self.nonsense = Lateness(), 0, 0


class Agent:
    """The figures of an agent with two executors."""

    def __init__(self) -> None:
        self.stage, self.runner = Stage(), Runner()
        self.host = self.stage.host("rover", zero_ns=ns(7.0))
        self.acting = Acting()
        self.figures = OwnFigures(self.host, self.runner, self.acting, executors=2)      # type: ignore[arg-type]

    def passes(self, wait_s: float, busy_s: float = 0.0, late_s: float = 0.0) -> None:
        self.stage.wait(wait_s)
        self.runner.busy_s += busy_s
        self.host.timers.lateness.add(ns(late_s))

    def news(self, **changes: Any) -> AgentNews:
        return self.figures.news(**{"links": {}, "queue": 0, "refused_in": 0, "duplicates": 0, **changes})

    def load(self) -> tuple[float, float, float]:
        news = self.news()
        return news.busy_s, news.available_s, news.loop_late_ms_p99


def test_load_and_lateness_count_from_start_to_drain() -> None:
    agent = Agent()
    agent.passes(5.0, busy_s=2.0, late_s=0.4)                # models are loaded
    assert agent.load() == (0.0, 0.0, 0.0)
    agent.figures.streams_began()
    agent.passes(1.5, busy_s=1.0, late_s=0.002)
    assert agent.load() == (1.0, 3.0, 2.0)
    agent.figures.streams_began()                            # said twice
    agent.passes(0.5, busy_s=0.5, late_s=0.003)
    assert agent.load() == (1.5, 4.0, 3.0)
    agent.figures.streams_ended()
    agent.passes(2.0, busy_s=1.0, late_s=0.5)                # the drain
    agent.figures.streams_ended()
    assert agent.load() == (1.5, 4.0, 3.0)


def test_a_report_is_bounded_and_has_what_it_was_given() -> None:
    links = {f"peer_{k}": (0.001, 1e6) for k in range(3 * MOST_LINKS)}
    news = Agent().news(links=links, queue=4, refused_in=2, duplicates=5)
    assert len(news.links) == MOST_LINKS
    assert (news.queue, news.refused_in, news.duplicates, news.runs, news.overruns) == (4, 2, 5, 3, 1)


def test_the_longest_lateness_and_the_behaviour_count_from_start_too() -> None:
    agent = Agent()
    agent.acting.lateness.add(ns(0.5))                       # before the streams
    agent.passes(1.0, late_s=0.4)
    agent.figures.streams_began()
    agent.acting.lateness.add(ns(0.007))
    agent.acting.missed, agent.acting.nonsense = 3, 4
    agent.passes(1.0, late_s=0.009)
    agent.passes(1.0, late_s=0.002)
    news = agent.news()
    assert (news.loop_late_ms_max, news.behaviour_ms_p99) == (9.0, 7.0)
    assert (news.behaviour_missed, news.behaviour_nonsense) == (3, 4)
