"""Accuracies that agents tell the planner: one liar moves nothing."""

from __future__ import annotations

import msgspec

from swarm.core.policy.plan import Profile
from swarm.planner.observed.accuracies import agreed
from swarm.planner.options.instance import Instance
from swarm.planner.problem import AgentInfo, Problem
from tests.planner.builders import links, profile, stream, team
from tests.planner.drive import Drive


def form(variant: str, ms: float, network: float, stages: int = 0) -> Profile:
    return msgspec.structs.replace(
        profile("detector", ms, variant, network, stages=stages), network_accuracy=network)


def agents(**profiles: list[Profile]) -> list[AgentInfo]:
    return [AgentInfo(name=name, profiles=tuple(some)) for name, some in profiles.items()]


def test_an_accuracy_is_the_median_of_what_agents_tell_and_of_two_the_lower() -> None:
    for told, expected in (([0.93, 0.93, 1.0], 0.93), ([0.93, 0.0, 0.93], 0.93), ([0.93, 1.0], 0.93), ([0.9], 0.9)):
        team = agreed(agents(**{f"a{n}": [form("int8", 10, one)] for n, one in enumerate(told)}))
        assert {p.network_accuracy for one in team for p in one.profiles} == {expected}
        assert {p.accuracy for one in team for p in one.profiles} == {expected}


def test_an_agent_that_tells_a_variant_many_times_counts_once() -> None:
    team = agreed(agents(a=[form("int8", 10, 0.9)], b=[form("int8", 10, 0.9)], liar=[form("int8", 10, 1.0)] * 5))
    assert {p.network_accuracy for one in team for p in one.profiles} == {0.9}


def costs(owner: str, *infos: AgentInfo) -> dict[str, float]:
    problem = Problem(agents=infos, links=links([one.name for one in infos]),
                      streams=[stream(owner, "s", "detector", 5.0, 0.2, 1)])
    (options,) = Instance(problem).options
    return {option.variant: option.accuracy_cost for option in options if len(option.where) == 1}


def test_what_one_peer_alone_claims_makes_no_student_of_what_home_has() -> None:
    problem = Problem(
        agents=agents(a=[form("int8", 40, 0.93, stages=4)], b=[form("int8", 20, 0.93, stages=4)],
                      liar=[form("made_up", 50, 1.0, stages=4)]),
        links=links(["a", "b", "liar"]), streams=[stream("a", "s", "detector", 5.0, 0.2, 1)])
    (options,) = Instance(problem).options
    assert {option.accuracy_cost for option in options} == {0.0}
    assert {"int8"} <= {option.variant for option in options if len(option.where) > 1}


def test_what_two_peers_or_the_own_robot_offer_makes_students_of_the_rest() -> None:
    student, teacher = form("student", 5, 0.93), form("int8", 20, 0.943)
    one, two, three = agents(a=[student], b=[teacher], c=[teacher])
    assert costs("a", one, two)["student"] == 0.0
    assert costs("a", one, two, three)["student"] > 0.0
    assert costs("b", one, two)["student"] > 0.0


def test_what_the_only_agent_says_that_has_the_model_counts() -> None:
    alone, helped = agents(a=[form("student", 5, 0.93), form("int8", 20, 0.943)], b=[])
    assert costs("b", alone, helped)["student"] > 0.0


def test_the_planner_takes_the_accuracy_that_most_adverts_tell() -> None:
    problem = team(2, 1)
    liar = msgspec.structs.replace(problem.agents[-1], profiles=tuple(
        msgspec.structs.replace(one, accuracy=1.0, network_accuracy=1.0) for one in problem.agents[-1].profiles))
    drive = Drive(msgspec.structs.replace(problem, agents=(*problem.agents[:-1], liar)), hold=True)
    drive.advertise()
    assert [one.profiles for one in drive.state.problem().agents] == [
        one.profiles for one in sorted(problem.agents, key=lambda one: one.name)]
