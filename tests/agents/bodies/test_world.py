"""The body in a simulated world: reports travel as claims, and a claim's verdict finds its report again."""

from __future__ import annotations

import pytest

from agents.bodies.world import WorldBody
from swarm.core.protocol.messages import Claimed
from swarm.core.protocol.world import Claim, Report

REPORT = Report(kind="claim", values={"label": "beacon", "x_m": 1.0, "y_m": -2.5})


class Net:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []

    def send(self, peer: str, body: object) -> None:
        self.sent.append((peer, body))


def test_a_report_is_sent_as_a_claim_and_its_verdict_finds_it_again() -> None:
    net = Net()
    body = WorldBody(net, "world")                               # type: ignore[arg-type]
    body.report(REPORT)
    assert net.sent == [("world", Claimed(claim=Claim(label="beacon", x_m=1.0, y_m=-2.5)))]
    assert body.reported(Claim(label="beacon", x_m=1.0, y_m=-2.5)) == REPORT


def test_a_report_that_is_no_claim_is_a_bug() -> None:
    net = Net()
    with pytest.raises(KeyError, match="label"):
        WorldBody(net, "world").report(Report(kind="other", values={}))      # type: ignore[arg-type]
    assert net.sent == []


def test_the_body_states_a_camera_and_a_lidar() -> None:
    sensors = WorldBody(Net(), "world").sensors                  # type: ignore[arg-type]
    assert sensors.camera is not None
    assert sensors.lidar is not None
