"""One robot's process: messages and frames become events, outcomes become acts, and everyone is kept informed."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from agents import behaviours
from agents.bodies.world import WorldBody
from agents.driver import Driver, Input
from agents.peers.advert import OwnAdvert, battery
from agents.peers.link_report import LinkNewsbook
from agents.peers.table import Presence
from agents.runtime.catalogue import Catalogue
from agents.runtime.recording import MOST_FRAMES, Recording
from agents.scheduling import events as ev
from agents.scheduling.due_frames import DueFrames
from agents.scheduling.peer_requests import REFUSALS
from agents.scheduling.scheduler import Scheduler
from swarm.core.clock import ns
from swarm.core.policy import policies
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import LegTimes, RequestId, Span
from swarm.core.protocol.world import Act, Observation, Outcome, Perceived, Report
from swarm.core.settings.process_files import AgentFile
from swarm.membership.events import Came, Doubted, Lost
from swarm.membership.failure_detector import Changed, FailureDetector
from swarm.membership.outbox import Outbox
from swarm.membership.participant import Participant
from swarm.membership.view import HEARTBEAT_S
from swarm.net.process import Process, log_to_stderr

log = logging.getLogger(__name__)
NEWS_S = 1.0
DRAIN_LOOK_S = 0.02
SWITCH_S = 0.0005                    # an executor back from a run waits no longer than this for the interpreter


class Agent:
    """Joins the parts of one robot. All of it runs in the loop's thread but the executor's runs."""

    def __init__(self, settings: AgentFile) -> None:
        self._settings = settings
        folder = Path(settings.models) if settings.models else None
        catalogue = Catalogue(
            [*settings.load, *(s.model for s in settings.streams)], settings.board, folder,
            board_name=settings.board_name, staged=policies.load(settings.policy).uses_stages,
        )
        self._process = Process(settings, "agent", busy_poll_s=settings.board.busy_poll_s)
        self._loop, self._net, self._clock = self._process.loop, self._process.net, self._process.clock
        self._participant = Participant(
            self._process.host, settings, self._received,
            undelivered=lambda peer, tag, reason: self._driver.undelivered(peer, tag, reason),
            busy_s=lambda: self._scheduler.busy_s(self._clock.now_ns()),
            advert_of=lambda peer: self._presence.advert_of(peer), met=lambda names: self._failures.met(names),
        )
        self._own = OwnAdvert(msg.Advert(
            board=settings.board_name, executors=settings.board.executors, profiles=catalogue.announce(),
            streams=settings.streams, battery=battery(),
        ))
        self._advertised_ns: dict[str, int] = {}         # when our advert was last sent to each
        self._presence = Presence()
        self._link_news = LinkNewsbook()
        self._failures = FailureDetector(
            self._process.host, self._participant, self._changed, engaged=self._presence.engaged)
        self._scheduler = Scheduler(
            name=settings.name, policy=settings.policy, profiles=catalogue.profiles, presence=self._presence,
            executors=settings.board.executors, staged=catalogue.staged, own_share=settings.board.own_share,
        )
        self._driver = Driver(settings, self._loop, self._net, self._scheduler, catalogue, self._ended)
        self._outbox = Outbox(self._loop, self._participant.tell_launcher)
        self._body = WorldBody(self._net, settings.body)
        self._behaviour = (
            behaviours.load(settings.behaviour)(settings.name, settings.team, settings.seed, self._body.sensors)
            if settings.behaviour else None
        )
        self._recording = Recording() if settings.record else None
        self._streams = DueFrames(settings.streams, settings.name, settings.seed)
        self._streaming = settings.launcher is None      # on a board nobody says when to start
        self._sequence = 0
        self._ps = psutil.Process()
        self._busy_s = 0.0
        self._given_up: list[str] = []

    def run(self) -> None:
        self._loop.every(ns(HEARTBEAT_S), self._measure)
        self._loop.every(ns(NEWS_S), self._tell_news)
        self._process.run(self._participant.begin)
        self._write_recording()
        self._driver.close()

    # --- messages ---

    def _received(self, message: Received) -> None:
        body, peer = message.body, message.sender
        if self._net.role(peer) == "agent" and not self._failures.heard(message):
            return                                       # of a start that is over
        match body:
            case msg.Sensed():
                observation = self._body.observe(body, message.boot, message.tensors)
                if observation is not None:
                    self._observed(observation, message.at_ns)
            case msg.StageAsk():
                self._driver.asked(body, message)
            case msg.StageAnswer():
                self._driver.handle(
                    ev.AnswerCame(
                        request=body.request, peer=peer, done=body.done, times=LegTimes(
                            run_s=body.run_s, waited_s=body.waited_s, held_s=body.held_s, overrun=body.overrun,
                            batch=body.batch),
                    ),
                    body.outcome,
                )
            case msg.StageRefusal(request=request, reason=reason):
                known = reason if reason in REFUSALS else "refused"
                self._driver.handle(ev.Refused(request=request, peer=peer, reason=known))
            case msg.StageCancel(request=request):
                self._driver.handle(ev.StageCancelled(request=request, peer=peer))
            case msg.Heartbeat(busy_s=busy_s, advert=known) | msg.HeartbeatAck(busy_s=busy_s, advert=known):
                self._life(peer, message.boot, busy_s, known)
            case msg.Rumour():
                self._failures.rumour(body)
            case msg.Advert():
                self._presence.advertised(peer, message.boot, body)
            case msg.PlanNews(plan=plan):
                self._driver.handle(ev.PlanCame(plan=plan))
            case msg.Shared(topic=topic, data=data):
                self._behave(behaviours.Heard(sender=peer, topic=topic, data=data))
            case msg.Judged(claim=claim, verdict=verdict):
                self._behave(behaviours.Verdict(self._body.reported(claim), verdict))
            case msg.Afflicted(slow=slow):
                self._driver.executor.slow_down(slow)
            case msg.Start():
                self._streaming = True
            case msg.Drain():
                self._streaming = False
                self._drain()
            case _:
                log.warning("%s sent %s, which means nothing to an agent", peer, type(body).__name__)

    def _drain(self) -> None:
        """Say so once no request of ours is open, and all that was to be told or written has been."""
        if self._scheduler.open_requests() or len(self._outbox):
            self._loop.after(ns(DRAIN_LOOK_S), self._drain)
            return
        self._write_recording()
        if not self._participant.tell_launcher(msg.Drained()):
            self._loop.after(ns(DRAIN_LOOK_S), self._drain)

    def _write_recording(self) -> None:
        """Once; what ends later is not in it."""
        recording, self._recording = self._recording, None
        if recording is None:
            return
        path = Path(self._settings.record) / f"{self._settings.name}.npz"
        try:
            recording.write(path)
        except OSError as error:
            log.error("what was recorded cannot be written: %s: %s", path, error.strerror)
        if recording.left_out:
            log.warning("%d outcomes were not recorded: there is room for %d frames", recording.left_out, MOST_FRAMES)

    def _life(self, peer: str, boot: int, busy_s: float, known: int) -> None:
        """A heartbeat, or an answer to ours: how busy the peer is, and which of our adverts it knows."""
        now = self._clock.now_ns()
        if self._presence.boot(peer) == boot:
            self._presence.heard(peer, boot, busy_s, now)
        if known < self._own.advert.number and now - self._advertised_ns.get(peer, -ns(HEARTBEAT_S)) >= ns(HEARTBEAT_S):
            self._advertised_ns[peer] = now
            self._net.send(peer, self._own.advert)

    # --- body, streams, behaviour ---

    def _observed(self, observation: Observation, at_ns: int) -> None:
        if observation.frame is not None and self._streaming:
            self._submit(observation, observation.frame, at_ns)
        self._behave(observation)

    def _submit(self, observation: Observation, frame: NDArray[np.uint8], at_ns: int) -> None:
        captured_ns = at_ns - ns(observation.age_s)
        for stream in self._streams.due(captured_ns):
            self._sequence += 1
            request = RequestId(self._settings.name, self._participant.boot, self._sequence)
            self._outbox.put(msg.Submitted(request=request, stream=stream.name))
            self._driver.arrived(
                ev.RequestArrived(
                    request=request, stream=stream, captured_ns=captured_ns,
                    deadline_ns=captured_ns + ns(stream.deadline_s),
                ),
                Input(frame, observation.pose),
            )

    def _ended(self, span: Span, outcome: Outcome | None, data: Input) -> None:
        self._outbox.put(msg.Ended(span=span))
        if outcome is not None:
            if self._recording is not None:
                self._recording.keep(span, outcome, data.frame)
            self._behave(Perceived(stream=span.stream, outcome=outcome, pose=data.pose, age_s=span.latency_s))

    def _behave(self, event: behaviours.Event) -> None:
        if self._behaviour is None:
            return
        for command in self._behaviour.on(event, self._clock.now_ns()):
            match command:
                case Act():
                    self._body.act(command)
                case Report():
                    self._body.report(command)
                case behaviours.Note(topic=topic, data=data):
                    for peer in self._net.peers("agent"):
                        self._net.send(peer, msg.Shared(topic=topic, data=data))

    # --- presence and news ---

    def _advertise(self) -> None:
        """Have a new advert if what we can do has changed; whoever asks or answers next is told."""
        if self._own.changed(self._scheduler.slowness(self._clock.now_ns()), battery()):
            self._advertised_ns.clear()

    def _changed(self, change: Changed) -> None:
        """What the lookout sees of a peer."""
        match change:
            case Came(name=name, boot=boot, back=back):
                self._advertised_ns.pop(name, None)
                self._presence.heard(name, boot, 0.0, self._clock.now_ns())
                if back:
                    self._outbox.put(msg.Happened(what="peer_back", detail={"peer": name}))
            case Doubted(name=name, doubted=doubted):
                self._presence.doubted(name, doubted)
            case Lost(name=name):
                self._presence.lost(name)
                self._outbox.put(msg.Happened(what="peer_lost", detail={"peer": name}))
                self._driver.handle(ev.PeerLost(peer=name))

    def _measure(self) -> None:
        self._advertise()
        for peer, quality in self._net.links().items():
            self._presence.measured(peer, quality)

    def _tell_news(self) -> None:
        net, executor = self._net.statistics(), self._driver.executor.statistics()
        links = self._link_news.due({peer: (q.rtt_s, q.bytes_per_s) for peer, q in self._presence.links().items()})
        for peer in self._net.peers("planner") if links else ():
            self._net.send(peer, msg.LinkNews(links=links))
        self._outbox.put(msg.AgentNews(
            rss_bytes=self._ps.memory_info().rss, runs=executor.runs, overruns=executor.overruns,
            busy_share=(executor.busy_s - self._busy_s) / (NEWS_S * self._settings.board.executors),
            refused_in=sum(net.refused.values()) + self._participant.refused + self._body.malformed,
            duplicates=self._scheduler.statistics().duplicates, control_bytes=net.lanes["urgent"].sent_bytes,
            carried=sum(lane.sent + lane.received for lane in net.lanes.values()),
            carried_bytes=sum(lane.sent_bytes + lane.received_bytes for lane in net.lanes.values()),
            broken_off=sum(lane.broken_off for lane in net.lanes.values()),
        ))
        self._busy_s = executor.busy_s
        given_up = self._scheduler.given_up()
        if given_up != self._given_up:
            self._given_up = given_up
            self._outbox.put(msg.Happened(what="degraded", detail={"given_up": ", ".join(given_up)}))


def main(settings: AgentFile) -> int:
    """Run one agent to its end. Raises: BadInput or ModelError before it starts."""
    log_to_stderr(settings.name)
    sys.setswitchinterval(SWITCH_S)
    Agent(settings).run()
    return 0
