"""The planner and a family: all networks are options, and a less accurate one has its price."""

from __future__ import annotations

import msgspec

from swarm.core.policy.plan import Profile
from swarm.planner.options.instance import Instance
from swarm.planner.options.option import useful_variants
from swarm.planner.options.ways import ACCURACY_PRICE, STUDENT_PRICE
from swarm.planner.problem import AgentInfo, Problem
from swarm.planner.solvers.judge import LATENCY_PRICE, RISK_PRICE
from tests.planner.builders import profile, stream


def form(variant: str, ms: float, accuracy: float, network: float, stages: int = 0) -> Profile:
    return msgspec.structs.replace(
        profile("detector", ms, variant, accuracy, stages=stages), network_accuracy=network)


FAMILY = (form("fp32", 90, 0.943, 0.943), form("int8", 40, 0.934, 0.943, stages=4),
          form("student", 20, 0.93, 0.935, stages=4))


def instance(*profiles: Profile) -> Instance:
    return Instance(Problem(agents=[AgentInfo(name="a", profiles=profiles)], links={},
                            streams=[stream("a", "s", "detector", 5.0, 0.2, 1)]))


def test_of_one_network_the_fastest_form_is_an_option_and_so_is_each_student() -> None:
    assert [p.variant for p in useful_variants(FAMILY)] == ["student", "int8"]


def test_a_teacher_that_its_student_beats_is_no_option() -> None:
    better = form("student", 20, 0.94, 0.95)
    assert [p.variant for p in useful_variants([*FAMILY[:2], better])] == ["student"]


def test_a_student_costs_more_than_all_the_latency_that_it_saves() -> None:
    (options,) = instance(*FAMILY).options
    costs = {option.variant: option.accuracy_cost for option in options}
    assert costs["int8"] == 0.0
    assert costs["student"] == STUDENT_PRICE + ACCURACY_PRICE * (FAMILY[1].accuracy - FAMILY[2].accuracy)
    assert STUDENT_PRICE > LATENCY_PRICE + RISK_PRICE


def test_without_its_teacher_a_student_costs_nothing() -> None:
    (options,) = instance(FAMILY[2]).options
    assert [option.accuracy_cost for option in options] == [0.0]
