"""The failure detector of one process, on a stage: what it does beside its view of the members (test_view.py)."""

from __future__ import annotations

from swarm.core.settings.process_files import ProcessFile
from swarm.membership.failure_detector import CLOSE_S, FailureDetector
from swarm.membership.participant import Participant
from swarm.membership.view import LOST_S
from tests.one_thread.hosts import FakeHost, Stage


def _ignore(_: object) -> None:
    """What a handler returns is of no use."""


class Watching:
    """`rover_0` watches `rover_1`, which answers unless it is silent."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.host, mate = self.stage.host("rover_0"), self.stage.host("rover_1")
        self.detector = self._add(self.host, mate)
        self._add(mate, self.host)
        self.stage.until(lambda: self.detector.view.state("rover_1") == "alive")
        self.before = self.host.transport.link("rover_1")

    def _add(self, host: FakeHost, other: FakeHost) -> FailureDetector:
        participant = Participant(
            host, ProcessFile(version=1, swarm="s", name=host.transport.member.name, roster=[other.transport.member]),
            lambda message: _ignore(detector.heard(message)), met=lambda names: detector.met(names))
        detector = FailureDetector(host, participant, lambda change: None)
        participant.begin()
        return detector

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
