"""Two robots on a stage: no threads, no sockets, no real time."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.performer import Holding
from agents.ports import Asides, Made, RunOrder
from agents.robot import Robot
from agents.runtime import recording
from agents.runtime.offer import Offer, transfer_limits
from agents.runtime.sessions import read_offer
from models.store import ARTEFACTS
from sim_worlds.sensors.suite import LIDAR, SUITE
from swarm.core.policy.cost import by_speed, faithful
from swarm.core.policy.plan import Placement, Plan, StreamSpec
from swarm.core.ports import Health
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Span
from swarm.core.protocol.world import Detection, Detections, Pose
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.units import NS, ns, seconds
from swarm.virtual.runner import AT_ONCE, AtOnce
from tests.agents.slow_aside import Slow
from tests.one_thread.hosts import LATENCY_S, FakeHost, Stage
from tests.one_thread.runner import FakeRunner

SCAN, FRAME = np.full(LIDAR.beams, 3.0, np.float32), np.zeros((72, 96, 3), np.uint8)
STREAM = StreamSpec(name="detect", model="detector", rate_hz=5.0, deadline_s=0.3)
STRONG, WEAK = 0.5, 0.02             # speeds
FRAME_S = 0.2


def board(speed: float) -> Board:
    return Board(speed={"fp32": speed, "int8": speed}, power_w=1, source="test")


def boxes(score: float) -> Detections:
    return Detections(boxes=[Detection(1, score, 1.0, 2.0, 3.0, 4.0)])


class Duo:
    """`rover` with the stream and a weak board, `mule` with a strong board, a launcher and a world.

    for_s: how long the streams run. asides: of `rover`.
    """

    def __init__(self, for_s: float | None = None, asides: Asides = AT_ONCE) -> None:
        self.stage = Stage()
        self.launcher, self.world = self.stage.host("launcher", "launcher"), self.stage.host("world", "world")
        self.hosts: dict[str, FakeHost] = {}
        self.robots: dict[str, Robot] = {}
        self.offers: dict[str, Offer] = {}
        self._add("rover", WEAK, [STREAM], boxes(0.25), zero_ns=7 * NS, asides=asides)
        self._add("mule", STRONG, [], boxes(0.75), zero_ns=1000 * NS)
        members = [host.transport.member for host in (self.world, *self.hosts.values())]
        for host in (self.launcher, self.world):
            host.transport.join(members)
        for name, robot in self.robots.items():
            robot.begin()
            self.launcher.transport.send(name, msg.Roster(members=members))
            self.launcher.transport.send(name, msg.Start(for_s=for_s))
            self.world.transport.send(name, msg.Embodied(sensors=SUITE))
        self._frames = 0
        self.world.timers.every(ns(FRAME_S), self._sense)

    def _add(self, name: str, speed: float, streams: list[StreamSpec], says: Detections, zero_ns: int,
             asides: Asides = AT_ONCE) -> None:
        host = self.hosts[name] = self.stage.host(name, zero_ns=zero_ns)
        settings = AgentFile(
            version=1, name=name, swarm="s", board_name="b", board=board(speed), streams=streams, policy="greedy",
            launcher=self.launcher.transport.member, load=["detector"], record="somewhere")
        offer = self.offers[name] = read_offer(["detector"], settings.board, Path(ARTEFACTS))

        def made(order: RunOrder) -> Made:
            return says

        runner = FakeRunner(host.clock, host.timers, offer, made)
        self.robots[name] = Robot(settings, host, runner, asides, offer, host.files)

    def _sense(self) -> None:
        self._frames += 1
        self.world.transport.send("rover", msg.Sensed(
            sequence=self._frames, at_s=seconds(self.stage.clock.at_ns), age_s=0.0, pose=Pose(0.0, 0.0, 0.0),
            v_mps=0.0, w_radps=0.0, bumped=False,
            frame=True), [SCAN, FRAME])

    def ended(self) -> list[Span]:
        return [m.body.span for m in self.launcher.got if isinstance(m.body, msg.Ended)]

    def last_on(self, name: str) -> Span:
        """The next request of this robot that ends."""
        seen = len(self.ended())
        self.stage.until(lambda: any(span.ran_on == name for span in self.ended()[seen:]))
        return next(span for span in self.ended()[seen:] if span.ran_on == name)


@pytest.fixture
def duo() -> Duo:
    return Duo()


def test_a_request_is_offloaded_run_and_delivered_and_its_outcome_is_recorded(duo: Duo) -> None:
    span = duo.last_on("mule")
    profile = faithful(by_speed(duo.offers["mule"].announce()))[0]
    assert (span.ending, span.offloaded_to, span.variant) == ("completed", "mule", profile.variant)
    assert span.run_s == pytest.approx(profile.p50_s, abs=1e-9)
    assert span.ended_ns - span.captured_ns == pytest.approx(ns(profile.p50_s + 2 * LATENCY_S), abs=2)
    duo.launcher.transport.send("rover", msg.Drain())
    duo.stage.until(lambda: any(isinstance(m.body, msg.Drained) for m in duo.launcher.got))
    records, frames = recording.parse(duo.hosts["rover"].files.content["rover.npz"])
    record = next(r for r in records if r.request == span.request)
    assert (record.agents, record.outcome) == (["mule"], boxes(0.75))
    np.testing.assert_array_equal(frames[record.frame], FRAME)


def test_a_variant_that_a_peer_has_made_up_gets_no_work_though_it_claims_to_be_the_best(duo: Duo) -> None:
    duo.last_on("mule")
    claim = msgspec.structs.replace(
        duo.offers["mule"].announce()[0], variant="made_up", p50_s=0.001, p95_s=0.001, network_accuracy=1.0)
    told = duo.robots["mule"]._own_advert.advert
    duo.hosts["mule"].transport.send("rover", msgspec.structs.replace(
        told, number=told.number + 1, profiles=[*told.profiles, claim]))
    known = duo.robots["rover"]._peers
    duo.stage.until(lambda: known.advert_of("mule") > told.number)
    assert {one.variant for one in known.views(duo.hosts["rover"].clock.now_ns())["mule"].profiles["detector"]} == {
        one.variant for one in told.profiles}


def test_when_the_peer_falls_silent_requests_are_run_at_home(duo: Duo) -> None:
    duo.last_on("mule")
    duo.stage.silent.add("mule")
    span = duo.last_on("rover")
    assert (span.ending, span.offloaded_to, span.guarded) == ("completed", "mule", True)
    duo.stage.until(lambda: any(isinstance(m.body, msg.Happened) for m in duo.launcher.got))
    happened = (m.body for m in duo.launcher.got if isinstance(m.body, msg.Happened))
    assert [(one.what, one.detail) for one in happened] == [("peer_lost", {"peer": "mule"})]


def test_it_holds_what_its_work_needs_and_nothing_when_that_is_done(duo: Duo) -> None:
    rover, mule = duo.robots["rover"], duo.robots["mule"]
    duo.stage.until(lambda: mule.holds.peer_inputs > 0)
    assert mule.holds == Holding(open=0, runs=1, inputs=0, peer_inputs=1, timed=0, reports=0)
    assert rover.holds == Holding(open=1, runs=0, inputs=1, peer_inputs=0, timed=1, reports=0)
    duo.launcher.transport.send("rover", msg.Drain())
    duo.stage.until(lambda: any(isinstance(m.body, msg.Drained) for m in duo.launcher.got))
    assert rover.holds == mule.holds == Holding(open=0, runs=0, inputs=0, peer_inputs=0, timed=0, reports=0)


def test_the_state_of_a_board_is_advertised_unless_it_is_emulated(duo: Duo) -> None:
    for name, emulated in (("rover", True), ("mule", False)):
        robot = duo.robots[name]
        robot._battery._settings = msgspec.structs.replace(
            robot._settings, board=msgspec.structs.replace(robot._settings.board, emulated=emulated))
        duo.hosts[name].machine.is_so = Health(battery=0.4, throttled=True)
    duo.stage.wait(1.5)
    rover, mule = (duo.robots[name]._own_advert.advert for name in ("rover", "mule"))
    assert (rover.battery, rover.throttled) == (None, None)
    assert (mule.battery, mule.throttled) == (0.4, True)


def test_a_placement_holds_as_long_as_the_lease_of_its_plan(duo: Duo) -> None:
    rover, planner = duo.robots["rover"], duo.stage.host("planner", "planner")
    duo.hosts["rover"].transport.join([planner.transport.member])
    planner.transport.join([duo.hosts["rover"].transport.member])
    placed = Placement(agent="rover", stream=STREAM.name, variant="int8", where=["mule"])
    planner.transport.send("rover", msg.PlanNews(plan=Plan(epoch=1, lease_s=0.5, placements=[placed])))
    assert rover.placement(STREAM.name) is None
    duo.stage.until(lambda: rover.placement(STREAM.name) == placed)
    since_ns = duo.stage.clock.at_ns
    duo.stage.until(lambda: rover.placement(STREAM.name) is None)
    assert duo.stage.clock.at_ns - since_ns == pytest.approx(ns(0.5), abs=ns(0.25))


def test_its_load_counts_from_start_to_drain(duo: Duo) -> None:
    def reports() -> list[msg.AgentNews]:
        return [m.body for m in duo.launcher.got if m.sender == "mule" and isinstance(m.body, msg.AgentNews)]

    duo.stage.wait(4.03)
    assert len(reports()) == 4                               # once a second
    duo.launcher.transport.send("mule", msg.Drain())
    duo.stage.wait(0.01)
    drained = reports()[4]                                   # at once
    duo.stage.wait(3.0)
    assert drained.available_s == pytest.approx(4.03, abs=1e-6)
    p50_s = faithful(by_speed(duo.offers["mule"].announce()))[0].p50_s
    served = sum(span.ran_on == "mule" and span.ended_ns < ns(4.03) + 7 * NS for span in duo.ended())
    assert served >= 10
    assert drained.busy_s == pytest.approx(served * p50_s, abs=p50_s)
    for later in reports()[5:]:
        assert (later.busy_s, later.available_s) == (drained.busy_s, drained.available_s)
        assert later.runs > drained.runs                     # it went on serving the rover
    assert len(reports()) >= 7


def test_the_same_happens_each_time() -> None:
    def spans() -> list[Span]:
        duo = Duo()
        duo.stage.until(lambda: len(duo.ended()) >= 20)
        return duo.ended()

    assert spans() == spans()


def test_shutdown_stops_the_machine_and_the_end_writes_the_recording(duo: Duo) -> None:
    duo.launcher.transport.send("rover", msg.Shutdown())
    duo.stage.until(lambda: duo.hosts["rover"].machine.stopped)
    assert duo.hosts["rover"].files.content == {}
    duo.robots["rover"].end()
    assert list(duo.hosts["rover"].files.content) == ["rover.npz"]


def test_the_streams_end_at_their_time_though_the_launcher_says_nothing() -> None:
    duo = Duo(for_s=2.0)
    duo.stage.wait(4.0)
    submitted = [m for m in duo.launcher.got if isinstance(m.body, msg.Submitted)]
    assert 8 <= len(submitted) <= 10                         # 2 s at 5 a second, less the phase
    assert len(duo.ended()) == len(submitted)


def test_a_runner_that_had_to_replace_an_executor_is_reported_once(duo: Duo) -> None:
    runner = duo.robots["rover"]._runner
    assert isinstance(runner, FakeRunner)
    runner.stuck = 1
    duo.stage.wait(3.0)
    happened = [m.body for m in duo.launcher.got if isinstance(m.body, msg.Happened)]
    assert happened == [msg.Happened(what="executor_replaced", detail={"stuck": 1})]


def test_a_run_that_does_not_end_is_aborted_its_request_fails_and_its_executor_is_given_up(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up: list[int] = []
    monkeypatch.setattr(FakeRunner, "_wait", lambda runner, run: None)       # every run hangs
    monkeypatch.setattr(FakeRunner, "_cut_short", lambda runner, run: None)  # and cannot be ended
    monkeypatch.setattr(FakeRunner, "give_up", lambda runner, work: given_up.append(work))
    duo = Duo()
    duo.stage.silent.add("mule")
    duo.stage.until(lambda: bool(given_up))
    assert [(span.ending, span.reason) for span in duo.ended() if span.started_ns or span.reason == "overdue"] == [
        ("failed", "overdue")]


def test_what_peers_may_send_in_chunks_is_limited_by_its_models() -> None:
    duo = Duo()
    for name, host in duo.hosts.items():
        assert host.transport.limits == transfer_limits(duo.offers[name]) != (0, 0)


def test_a_preparation_that_never_ends_costs_no_request_and_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Offer, "prepares_at_once", lambda offer, model, frame: False)
    slow = Slow()
    duo = Duo(asides=Asides(AtOnce(), slow))
    duo.stage.until(lambda: any(isinstance(m.body, msg.Happened) for m in duo.launcher.got))
    assert len(slow.calls) == slow.given_up == 1
    away = [span for span in duo.ended() if span.offloaded_to]
    ended = len(duo.ended())
    assert away
    assert {(span.ending, span.ran_on, span.guard_fired) for span in away} == {("completed", "rover", True)}
    duo.stage.wait(3.0)
    assert {(span.offloaded_to, span.ran_on) for span in duo.ended()[ended + 1:]} == {("", "rover")}
    happened = [m.body for m in duo.launcher.got if isinstance(m.body, msg.Happened)]
    assert happened == [msg.Happened(what="task_stuck", detail={"model": "detector"})]
    assert (len(slow.calls), duo.robots["rover"].view.state("mule")) == (1, "alive")


def test_what_is_prepared_beside_the_loop_is_sent_when_it_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Offer, "prepares_at_once", lambda offer, model, frame: False)
    slow = Slow()
    duo = Duo(asides=Asides(AtOnce(), slow))
    duo.stage.until(lambda: bool(slow.calls))
    assert duo.robots["mule"].holds.peer_inputs == 0
    slow.end()
    duo.stage.until(lambda: bool(duo.robots["mule"].holds.peer_inputs))
    assert duo.last_on("mule").ending == "completed"
