"""One agent as its own process; the test plays the launcher, the world and a peer over real sockets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from models.store import load_card
from sim_worlds.sensors.suite import LIDAR, SUITE
from swarm.core.policy.plan import Placement, Plan, StreamSpec
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.protocol.world import Detections, Mask, Pose, in_parts, of_parts
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.settings.yaml_text import dump
from swarm.core.units import seconds
from swarm.net.process import PLAINTEXT
from tests.net.harness import Net
from tests.patience import HANG_S

B = TypeVar("B")
FRAME = np.zeros((72, 96, 3), np.uint8)
IMAGE = FRAME[None]                  # as it travels between robots
SCAN = np.full(LIDAR.beams, 3.0, np.float32)


class Stage:
    """The agent under test and all members that it talks to."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.net = Net()
        self.launcher = self.net.endpoint("launcher", role="launcher")
        self.world = self.net.endpoint("world", role="world")
        self.peer = self.net.endpoint("mule", boot=7, answers=True)
        self.planner = self.net.endpoint("planner", role="planner")
        board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", emulated=False)
        file = AgentFile(**{
            "version": 1, "name": "rover", "swarm": "s", "board_name": "b", "board": board, "policy": "planner",
            "launcher": self.launcher.member, "behaviour": "search_rescue", "team": ["rover", "mule"], "faults": True,
            "streams": [StreamSpec(name="detect", model="detector", rate_hz=5.0, deadline_s=HANG_S)], **settings,
        })
        path = folder / "rover.yaml"
        path.write_text(dump(file))
        self.child = subprocess.Popen(
            [sys.executable, "-m", "swarm.cli.main", "agent", str(path)], stderr=subprocess.PIPE, text=True)
        self.frames = 0

    def up(self, *before: msg.Body) -> None:
        """Wait until it is in the roster and streams. before: the launcher's message just before the start."""
        ready = self.wait("launcher", msg.Ready)
        members = [ready.member, *(e.member for e in (self.world, self.peer, self.planner))]
        for endpoint in self.net.endpoints:
            endpoint.join(members)
        self.send(self.launcher, msg.Roster(members=members))
        self.wait("mule", msg.Heartbeat)                     # it knows its peers
        self.send(self.world, msg.Embodied(sensors=SUITE))
        for body in (*before, msg.Start()):
            self.send(self.launcher, body)

    def send(self, endpoint: Any, body: msg.Body, tensors: Any = (), budget_s: float | None = None) -> None:
        self.net.until(lambda: endpoint.send("rover", body, tensors, budget_s))

    def sense(self, **changes: Any) -> None:
        """An observation with a frame; `changes` replace its fields."""
        self.frames += 1
        sensed = msg.Sensed(**{
            "sequence": self.frames, "at_s": seconds(self.net.loop.clock.now_ns()), "age_s": 0.0,
            "pose": Pose(0.0, 0.0, 0.0), "v_mps": 0.0, "w_radps": 0.0,
            "bumped": False, "frame": True, **changes,
        })
        self.send(self.world, sensed, [SCAN, FRAME])

    def got(self, who: str, kind: type[B]) -> list[B]:
        return [m.body for m in self.net.got[who] if isinstance(m.body, kind)]

    def wait(self, who: str, kind: type[B], count: int = 1) -> B:
        self.net.until(lambda: len(self.got(who, kind)) >= count or self.child.poll() is not None)
        assert len(self.got(who, kind)) >= count, f"the agent ended with {self.child.returncode}"
        return self.got(who, kind)[count - 1]

    def offloaded(self) -> RequestId:
        """Bring the agent up with a plan that places its stream on the peer. Returns the first request that comes."""
        self.up()
        self.send(self.peer, msg.Heartbeat(sequence=1))
        self.send(self.peer, self.wait("mule", msg.Advert))  # the peer can do the same
        placement = Placement(agent="rover", stream="detect", variant="int8", where=["mule"])

        def asked() -> bool:
            self.planner.send("rover", msg.PlanNews(plan=Plan(epoch=1, lease_s=60.0, placements=[placement])))
            self.sense_now()
            return bool(self.got("mule", msg.StageAsk))

        self.net.until(asked)
        return self.got("mule", msg.StageAsk)[0].request

    def first_request(self) -> msg.Submitted:
        """Send frames until one is due: each stream starts at its own phase."""
        def due() -> bool:
            if not self.got("launcher", msg.Submitted):
                self.sense_now()
            return bool(self.got("launcher", msg.Submitted))

        self.net.until(due)
        return self.got("launcher", msg.Submitted)[0]

    def sense_now(self) -> None:
        self.frames += 1
        self.world.send("rover", msg.Sensed(
            sequence=self.frames, at_s=seconds(self.net.loop.clock.now_ns()), age_s=0.0, pose=Pose(0.0, 0.0, 0.0),
            v_mps=0.0, w_radps=0.0, bumped=False, frame=True,
        ), [SCAN, FRAME])

    def end(self) -> tuple[int, str]:
        """The exit code, and what it has logged but for the warning of plaintext, which comes first."""
        self.send(self.launcher, msg.Shutdown())
        _, errors = self.child.communicate(timeout=HANG_S)
        plaintext = f"rover: WARNING {PLAINTEXT % 'rover'}\n"
        assert errors.startswith(plaintext)
        return self.child.returncode, errors.removeprefix(plaintext)

    def close(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()
        self.net.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def test_the_late_word_of_an_older_start_is_no_loss_and_a_newer_start_is_one(stage: Stage) -> None:
    def losses_after(boot: int, count: int) -> int:
        stage.peer._boot = boot
        stage.send(stage.peer, msg.Heartbeat(sequence=count))
        stage.wait("mule", msg.HeartbeatAck, count)
        return sum(h.what == "peer_lost" for h in stage.got("launcher", msg.Happened))

    stage.up()
    stage.wait("mule", msg.Heartbeat, 2)                     # its first answer may have found no connection yet
    assert losses_after(7, 1) == 0
    assert losses_after(6, 2) == 0
    assert losses_after(7, 3) == 0
    losses_after(8, 4)
    stage.net.until(lambda: any(h.what == "peer_lost" for h in stage.got("launcher", msg.Happened)))
    assert losses_after(7, 5) == 1


def test_a_frame_becomes_a_request_a_result_and_an_act(stage: Stage) -> None:
    stage.up()
    request = stage.first_request().request
    span = stage.wait("launcher", msg.Ended).span
    assert (span.request, span.ending, span.ran_on, span.variant) == (request, "completed", "rover", "int8")
    assert 0 < span.captured_ns <= span.submitted_ns <= span.started_ns < span.finished_ns <= span.ended_ns
    stage.wait("world", msg.Acted)
    stage.send(stage.launcher, msg.Drain())
    stage.wait("launcher", msg.Drained)
    ended = len(stage.got("launcher", msg.Ended))
    assert ended == len(stage.got("launcher", msg.Submitted))
    assert stage.end() == (0, "")


def test_it_serves_peers_and_refuses_invalid_requests(stage: Stage) -> None:
    stage.up()

    def ask(sequence: int, tensors: Any = (IMAGE,), *, agent: str = "mule", model: str = "detector",
            budget_s: float | None = HANG_S) -> None:
        body = msg.StageAsk(
            request=RequestId(agent, 7, sequence), frame=Frame(1, "detect", 0), model=model, variant="int8", priority=0)
        stage.send(stage.peer, body, tensors, budget_s)

    ask(1)
    answer = stage.wait("mule", msg.StageAnswer)
    assert answer.request.sequence == 1
    assert isinstance(answer.outcome, Detections)
    ask(2, [np.zeros((1, 3, 3, 3), np.uint8)])               # an image, but not of this model's size
    ask(3, [np.zeros(5, np.float32)])
    ask(4, ())
    ask(5, agent="rover")                                    # in our name
    ask(6, model="unheard_of")
    stage.wait("mule", msg.StageRefusal, 5)                  # so that nothing is in flight: what must wait to be sent
    ask(7, budget_s=1e-4)                                    # is dropped there when its budget is spent
    ask(8, budget_s=None)
    stage.wait("mule", msg.StageRefusal, 7)
    reasons = {r.request.sequence: r.reason for r in stage.got("mule", msg.StageRefusal)}
    assert reasons == {2: "malformed", 3: "malformed", 4: "malformed", 5: "malformed", 6: "unknown_model",
                       7: "too_late", 8: "too_late"}
    ask(9)
    assert stage.wait("mule", msg.StageAnswer, 2).request.sequence == 9
    assert stage.end()[0] == 0


def test_it_offloads_by_plan_and_takes_the_work_home_when_the_peer_falls_silent(stage: Stage) -> None:
    request = stage.offloaded()
    stage.net.silent.add("mule")

    def home() -> list[msg.Ended]:
        return [e for e in stage.got("launcher", msg.Ended) if e.span.request == request]

    stage.net.until(lambda: bool(home()))
    span = home()[0].span
    assert (span.ending, span.ran_on, span.offloaded_to, span.guarded) == ("completed", "rover", "mule", True)
    assert any(h.what == "peer_lost" for h in stage.got("launcher", msg.Happened))


def test_a_mask_of_two_megapixels_comes_from_a_peer_and_is_delivered(stage: Stage) -> None:
    """Beyond 1 MiB, an outcome in a header would be refused by its receiver."""
    request = stage.offloaded()
    boxes, arrays = in_parts(Mask(1080, 1920, bytes(1080 * 1920)))
    stage.send(stage.peer, msg.StageAnswer(request=request, outcome=boxes, run_s=0.1, waited_s=0.0, held_s=0.1), arrays)
    stage.net.until(lambda: request in [ended.span.request for ended in stage.got("launcher", msg.Ended)])
    span = next(ended.span for ended in stage.got("launcher", msg.Ended) if ended.span.request == request)
    assert (span.ending, span.ran_on) == ("completed", "mule")
    assert stage.end()[0] == 0


def test_it_answers_with_a_mask_as_a_tensor(tmp_path: Path) -> None:
    stage = Stage(tmp_path, load=["segmenter"])
    try:
        stage.up()
        (spec,) = load_card("segmenter").inputs
        ask = msg.StageAsk(request=RequestId("mule", 7, 1), frame=Frame(1, "segment", 0), model="segmenter",
                           variant="int8", priority=0)
        stage.send(stage.peer, ask, [np.zeros(spec.shape, np.uint8)], HANG_S)
        answer = stage.wait("mule", msg.StageAnswer)
        (mask,) = next(m.tensors for m in stage.net.got["mule"] if isinstance(m.body, msg.StageAnswer))
        assert answer.outcome is None
        assert isinstance(of_parts(None, [mask]), Mask)
        assert stage.end()[0] == 0
    finally:
        stage.close()


def test_strangers_and_members_without_the_right_are_not_obeyed(stage: Stage) -> None:
    stage.up()
    stage.first_request()
    stranger = stage.net.endpoint("mallory")
    stranger.join([stage.wait("launcher", msg.Ready).member])
    stage.send(stranger, msg.Shutdown())
    stage.send(stage.peer, msg.Shutdown())
    stage.send(stage.peer, msg.PlanNews(plan=Plan(epoch=2**60, lease_s=1e6, placements=[])))
    stage.send(stage.peer, msg.Gone(name="launcher", boot=1))
    stage.send(stage.peer, msg.StageAnswer(
        request=RequestId("rover", 1, 1), outcome=Detections(boxes=[]), run_s=0.0, waited_s=0.0, held_s=0.0))
    for _ in range(20):                                      # what an agent may say, but not to an agent
        stage.send(stage.peer, msg.Feedback())
    stage.sense(sequence=10_000)
    news = stage.wait("launcher", msg.AgentNews, len(stage.got("launcher", msg.AgentNews)) + 2)
    assert news.refused_in >= 4 + 20
    assert stage.child.poll() is None
    status, errors = stage.end()
    assert status == 0
    assert len(errors.splitlines()) == 1                     # the first of all refusals


def test_it_ends_when_its_file_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("version: 1\nnme: rover\n")
    child = subprocess.run(
        [sys.executable, "-m", "swarm.cli.main", "agent", str(path)], capture_output=True, text=True, timeout=HANG_S)
    assert child.returncode == 2
    assert "unknown key 'nme'" in child.stderr
    assert len(child.stderr.splitlines()) == 1
