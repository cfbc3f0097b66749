"""Agents on boards, without a launcher: they find each other through any member."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from swarm.core.protocol import messages as msg
from swarm.core.protocol import wire
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.settings.yaml_text import dump
from swarm.transport import endpoint
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.patience import HANG_S

B = TypeVar("B", bound=msg.Message)
BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", emulated=False)


class Field:
    """A real agent, `rover`, that knows only `mule`; the test plays all others."""

    def __init__(self, folder: Path) -> None:
        self.net, self.folder = Net(), folder
        self.mule = self.net.endpoint("mule", boot=7, answers=True)
        path = folder / "rover.yaml"
        path.write_text(dump(AgentFile(
            version=1, name="rover", swarm="s", board_name="b", board=BOARD, streams=[], body="",
            roster=[self.mule.member])))
        self.child = subprocess.Popen([sys.executable, "-m", "swarm.cli.main", "agent", str(path)],
                                      env={**os.environ, "RUNTIME_DIRECTORY": str(folder)})
        try:
            self.rover = self.heard("mule", msg.Introduction).members[0]
        except AssertionError:
            self.close()
            raise
        self.mule.join([self.rover])

    def close(self) -> int | None:
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(HANG_S)
        finally:
            self.child.kill()
            self.net.close()

    def heard(self, who: str, kind: type[B], count: int = 1) -> B:
        def bodies() -> list[B]:
            return [m.body for m in self.net.got[who] if isinstance(m.body, kind)]

        self.net.until(lambda: len(bodies()) >= count)
        return bodies()[count - 1]

    def state(self) -> dict[str, Any]:
        """What the agent writes of itself once a second; nothing before the first time."""
        path = self.folder / "agent.json"
        return json.loads(path.read_bytes()) if path.exists() else {"peers": 0, "error": ""}

    def newcomer(self, name: str, *, role: str = "agent", boot: int = 1) -> Endpoint:
        """It knows rover's address, and introduces itself."""
        late = self.net.endpoint(name, role=role, boot=boot, answers=True)
        late.join([self.rover])
        self.net.until(lambda: late.send("rover", msg.Introduction(members=[late.member])))
        return late


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    field = Field(tmp_path)
    yield field
    assert field.close() == 0


def test_a_newcomer_learns_of_all_members_and_they_of_it(field: Field) -> None:
    field.heard("mule", msg.Heartbeat)
    late = field.newcomer("late")
    assert {m.name for m in field.heard("late", msg.Introduction).members} == {"rover", "mule"}
    field.net.until(lambda: late.member in [
        one for m in field.net.got["mule"] if isinstance(m.body, msg.Introduction) for one in m.body.members])
    field.heard("late", msg.Heartbeat)                       # from now on it is watched
    field.net.until(lambda: late.send("rover", msg.Heartbeat(sequence=1)))
    assert field.heard("late", msg.HeartbeatAck).sequence == 1
    field.heard("late", msg.Advert)


def test_a_member_that_returns_at_another_address_is_found_there(field: Field) -> None:
    first = field.newcomer("late")
    field.heard("late", msg.Heartbeat)
    first.close()
    field.net.endpoints.remove(first)
    field.net.got["late"].clear()
    field.newcomer("late", boot=2)
    field.heard("late", msg.Heartbeat)


def test_nobody_is_let_in_by_anothers_word_or_in_another_role(field: Field) -> None:
    field.heard("mule", msg.Heartbeat)
    boss = field.newcomer("boss", role="planner")
    liar = field.net.endpoint("liar")
    liar.join([field.rover])
    other = field.net.endpoint("other")
    field.net.until(lambda: liar.send("rover", msg.Introduction(members=[other.member])))
    stranger = msg.Member(name="mule", role="agent", urgent="tcp://127.0.0.1:9", bulk="tcp://127.0.0.1:9")
    late = field.newcomer("late")
    field.heard("late", msg.Introduction)
    field.net.until(lambda: late.send("rover", msg.Introduction(members=[stranger])))      # of a third that is known
    count = len(field.net.got["mule"])
    field.net.until(lambda: len(field.net.got["mule"]) > count + 5)
    assert {boss.member.name, "other", "liar"}.isdisjoint(
        one.name for m in field.net.got["mule"] if isinstance(m.body, msg.Introduction) for one in m.body.members)
    assert not field.net.got["boss"] + field.net.got["other"] + field.net.got["liar"]


def test_a_peer_with_a_release_of_another_protocol_is_refused_with_a_reason(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    field.net.until(lambda: field.state()["peers"] == 1)
    ours, theirs = wire.PROTOCOL, wire.PROTOCOL + 1
    with monkeypatch.context() as release:
        for module in (wire, endpoint):
            release.setattr(module, "PROTOCOL", theirs)
        field.net.until(lambda: "version" in field.mule.statistics().refused)          # each refuses the other
        field.net.until(lambda: field.mule.send("rover", msg.Heartbeat(sequence=1)) and field.state()["peers"] == 0)
        assert f"from mule: this process speaks protocol {ours}, not {theirs}" in field.state()["error"]
    field.net.until(lambda: field.mule.send("rover", msg.Heartbeat(sequence=2)) and field.state()["peers"] == 1)
