"""The state that an agent writes for its board, and how it leaves."""

from __future__ import annotations

import logging

from agents.board_status import BoardStatus, Warned
from agents.leaving import Leaving
from agents.performer import Holding
from swarm.core.policy.plan import Profile
from swarm.core.protocol.spans import RequestId, Span
from tests.agents.test_robot import Duo
from tests.one_thread.hosts import Stage

PROFILE = Profile(model="detector", variant="int8", p50_s=0.01, p95_s=0.02, memory_bytes=1, accuracy=1.0, input_bytes=1)


def span(number: int, ending: str = "completed", ran_on: str = "rover", run_s: float = 0.01) -> Span:
    return Span(request=RequestId("rover", 1, number), stream="detect", model="detector", variant="int8", priority=0,
                captured_ns=0, submitted_ns=0, deadline_ns=1, ending=ending, ran_on=ran_on,  # pyright: ignore
                run_s=run_s)


def test_the_state_is_of_the_last_minute_and_names_the_helpers() -> None:
    stage = Stage()
    host = stage.host("rover", "agent")
    node = {"model": "detector", "variant": "int8", "stage": "whole", "node": "top", "operator": "TopK",
            "provider": "CUDAExecutionProvider", "share": 0.25}
    status = BoardStatus("rover", host, {("detector", "int8"): (PROFILE, "cpu")}, [node, node | {"variant": "fp32"}])
    status.ended(span(1, "failed"))
    stage.wait(61.0)
    for number in range(20):
        status.ended(span(number, ran_on="mule" if number < 5 else "rover", run_s=0.01 + number / 1e3))
    state = status.state(peers=2, open_requests=1)
    assert (state["ended"], state["on_time"], state["total"], state["in_time"]) == (20, 20, 21, 20)
    assert (state["leans_on"], state["peers"], state["open"]) == ({"mule": 5}, 2, 1)
    assert state["models"] == [{"model": "detector", "variant": "int8", "provider": "cpu", "runs": 15, "p95_ms": 28.0,
                                "profiled_ms": 20.0, "elsewhere": [{
                                    "stage": "whole", "node": "top", "operator": "TopK",
                                    "provider": "CUDAExecutionProvider", "share": 0.25}]}]


def test_the_last_warning_is_kept() -> None:
    status = BoardStatus("rover", Stage().host("rover", "agent"), {})
    handler = Warned(status.failed)
    handler.handle(logging.LogRecord("x", logging.WARNING, "", 1, "the disk is %s", ("full",), None))
    assert status.state(0, 0)["error"] == "the disk is full"


class Holder:
    """A robot that holds requests until it is told that they have ended."""

    def __init__(self) -> None:
        self.open = 1
        self.ended_at: list[int] = []

    @property
    def holds(self) -> Holding:
        return Holding(open=self.open, runs=0, inputs=0, peer_inputs=0, timed=0, reports=0)

    def end_streams(self, at_ns: int) -> None:
        self.ended_at.append(at_ns)


def test_an_agent_that_leaves_ends_what_it_has_begun_but_not_for_ever() -> None:
    stage = Stage()
    host, robot = stage.host("rover", "agent"), Holder()
    Leaving(robot, host, 5.0).begin()                # pyright: ignore[reportArgumentType]
    stage.wait(1.0)
    assert (len(robot.ended_at), host.machine.stopped) == (1, False)
    robot.open = 0
    stage.wait(0.1)
    assert host.machine.stopped

    stuck = stage.host("mule", "agent")
    leaving = Leaving(Holder(), stuck, 5.0)          # pyright: ignore[reportArgumentType]
    leaving.begin()
    stage.wait(4.0)
    assert not stuck.machine.stopped
    leaving.begin()
    assert stuck.machine.stopped


def test_a_robot_that_holds_nothing_leaves_at_once() -> None:
    duo = Duo()
    host, robot = duo.hosts["rover"], duo.robots["rover"]
    Leaving(robot, host, 5.0).begin()
    assert host.machine.stopped
