"""The failure detector of one process, on a stage: what it does beside its view of the members (test_view.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarm.core.settings.process_files import ProcessFile
from swarm.membership.events import Failed
from swarm.membership.failure_detector import CLOSE_S, Changed, FailureDetector
from swarm.membership.participant import Participant
from swarm.membership.view import LOST_S
from tests.one_thread.hosts import FakeHost, Stage


def _ignore(_: object) -> None:
    """What a handler returns is of no use."""


def _detector(
    host: FakeHost, others: Sequence[FakeHost], changed: Callable[[Sequence[Changed]], None] = _ignore
) -> FailureDetector:
    """The detector of a process that has begun and knows these others."""
    roster = [other.transport.member for other in others]
    participant = Participant(
        host, ProcessFile(version=1, swarm="s", name=host.transport.member.name, roster=roster),
        lambda message: _ignore(detector.heard(message)), met=lambda names: detector.met(names))
    detector = FailureDetector(host, participant, changed)
    participant.begin()
    return detector


class Watching:
    """`rover_0` watches `rover_1`, which answers unless it is silent."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.host, mate = self.stage.host("rover_0"), self.stage.host("rover_1")
        self.detector = _detector(self.host, [mate])
        _detector(mate, [self.host])
        self.stage.until(lambda: self.detector.view.state("rover_1") == "alive")
        self.before = self.host.transport.link("rover_1")

    def is_connected_anew(self) -> bool:
        return self.host.transport.link("rover_1") is not self.before


def test_a_member_that_stays_lost_gets_a_new_connection_over_which_it_comes_back() -> None:
    watching = Watching()
    watching.stage.silent.add("rover_1")
    watching.stage.until(lambda: watching.detector.view.state("rover_1") == "lost")
    watching.stage.wait(CLOSE_S - 0.01)
    assert not watching.is_connected_anew()
    watching.stage.wait(0.02)
    assert watching.is_connected_anew()
    watching.stage.silent.clear()
    watching.stage.until(lambda: watching.detector.view.state("rover_1") == "alive")


def test_a_member_that_is_back_in_time_keeps_its_connection() -> None:
    watching = Watching()
    watching.stage.silent.add("rover_1")
    watching.stage.wait(2 * LOST_S)
    watching.stage.silent.clear()
    watching.stage.until(lambda: watching.detector.view.state("rover_1") == "alive")
    watching.stage.wait(2 * CLOSE_S)
    assert not watching.is_connected_anew()


def test_members_that_are_lost_together_are_told_together() -> None:
    stage, told = Stage(), list[list[str]]()
    hosts = [stage.host(f"rover_{k}") for k in range(4)]

    def lost(changes: Sequence[Changed]) -> None:
        told.append([change.name for change in changes if isinstance(change, Failed)])

    detector = _detector(hosts[0], hosts[1:], lost)
    for host in hosts[1:]:
        _detector(host, [other for other in hosts if other is not host])
    stage.until(lambda: all(detector.view.state(f"rover_{k}") == "alive" for k in (1, 2, 3)))
    told.clear()
    stage.silent.update({"rover_1", "rover_3"})
    stage.until(lambda: detector.view.state("rover_1") == detector.view.state("rover_3") == "lost")
    assert [sorted(names) for names in told if names] == [["rover_1", "rover_3"]]
