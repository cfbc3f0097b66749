"""The policy of one robot: turns messages and frames into events, and outcomes into acts, and informs the others.

It depends on ports only: the real host drives it in a process, and virtual time can drive many in one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from agents import behaviours
from agents.acting import Acting
from agents.beside import Beside
from agents.bodies.battery import BodyBattery
from agents.bodies.world import WorldBody
from agents.own_events import OwnEvents
from agents.own_figures import OwnFigures
from agents.peers.advert import OwnAdvert, first_advert
from agents.peers.link_report import LinkReporter
from agents.peers.seals import Seals
from agents.peers.table import PeerTable
from agents.performer import Holding, Input, Performer
from agents.ports import Asides, Runner
from agents.request_messages import RequestMessages
from agents.runtime.offer import Offer, transfer_limits
from agents.runtime.recording import Recording
from agents.scheduling import events as ev
from agents.scheduling.scheduler import Scheduler
from agents.streams.stream_feedback import StreamFeedback
from agents.streams.submissions import NO_SOURCE, NOTHING, Submissions, in_frame
from swarm.core.policy.plan import Placement, StreamSpec
from swarm.core.ports import Files, Host, Received, Shelf
from swarm.core.protocol import messages as msg
from swarm.core.protocol.found import in_words
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.protocol.world import Observation, Outcome, Perceived
from swarm.core.settings.process_files import AgentFile
from swarm.core.units import ns, seconds
from swarm.membership.events import Failed, Joined, Suspected
from swarm.membership.failure_detector import Changed, FailureDetector
from swarm.membership.kept_reports import KeptReports
from swarm.membership.outbox import Outbox
from swarm.membership.participant import Participant
from swarm.membership.view import HEARTBEAT_NS, Membership

log = logging.getLogger(__name__)
NEWS_S, DRAIN_CHECK_S = 1.0, 0.02


class Robot:
    """Joins the parts of one robot. Call `begin` once the host runs, and `end` when it has stopped.

    offer: the variants of its board. files: the folder of its recording, if any. ended: told of each own request.
    shelf: where its reports wait for a collector, where no launcher is.
    """

    def __init__(
        self, settings: AgentFile, host: Host, runner: Runner, asides: Asides, offer: Offer, files: Files,
        ended: Callable[[Span], None] = lambda span: None, shelf: Shelf | None = None,
    ) -> None:
        self._settings, self._host, self._runner, self._files, self._ended = settings, host, runner, files, ended
        self._offer = offer
        self._net, self._clock, self._timers = host.transport, host.clock, host.timers
        self._participant = Participant(
            host, settings, self._on_received,
            undelivered=lambda peer, tag, reason: self._performer.undelivered(peer, tag, reason),
            busy_s=lambda: self._scheduler.busy_s(self._clock.now_ns()),
            advert_of=lambda peer: self._peers.advert_of(peer), met=lambda names: self._failures.met(names))
        self._own_advert = OwnAdvert(first_advert(settings, offer), offer)
        self._peers, self._link_reporter = PeerTable(offer.files, offer.own_cards(settings.variants)), LinkReporter()
        self._failures = FailureDetector(
            host, self._participant, self._on_members_changed, active_peers=self._peers.active)
        self._residency = offer.residency()
        self._scheduler = Scheduler(
            name=settings.name, policy=settings.policy, profiles=offer.profiles, peers=self._peers,
            executors=settings.board.executors, staged=offer.staged, own_share=settings.board.own_share,
            streams=settings.streams, seed=settings.seed, residency=self._residency)
        self._seals = Seals(settings.name, host.machine.secret)
        self._own_events = OwnEvents(lambda event: self._outbox.put(event))
        self._beside = Beside(host.timers, asides.tasks, self._own_events.task_stuck)
        self._performer = Performer(
            host, runner, self._scheduler, offer, self._on_ended, self._seals, self._beside, self._own_events.moved)
        self._request_messages = RequestMessages(self._net, self._performer, offer, self._seals)
        self._net.limit_transfers(*transfer_limits(offer))
        self._outbox = Outbox(host.timers, self._participant.report) if settings.launcher else KeptReports(
            host.clock, host.timers, self._participant, shelf)
        self._body = WorldBody(self._net, settings.body)
        self._battery = BodyBattery(settings, host.transport, host.machine)
        self._acting = Acting(settings, host, asides.behaviour, self._body, self._peers.names, self._own_events.dropped)
        self._recording = Recording() if settings.record else None
        self._start_ns = 0                               # when the streams began, on our clock
        self._submissions = Submissions(
            settings, host.clock, host.timers, submit=self._submit, announce=self._announce, ended=self._on_ended)
        self._feedback = StreamFeedback()
        self._figures = OwnFigures(host, runner, self._acting, settings.board.executors)
        self._sequence = 0

    @property
    def view(self) -> Membership:
        """Who is there, as this robot sees it."""
        return self._failures.view

    @property
    def holds(self) -> Holding:
        """What it holds now."""
        return self._performer.holds(reports=len(self._outbox))

    @property
    def kept_reports(self) -> int:
        """Reports that no collector has; 0 where a launcher is."""
        return self._outbox.kept if isinstance(self._outbox, KeptReports) else 0

    def placement(self, stream: str) -> Placement | None:
        """Where the plan that it follows now places one of its streams."""
        return self._scheduler.placement(stream, self._clock.now_ns())

    def begin(self) -> None:
        """Join the swarm."""
        self._timers.every(HEARTBEAT_NS, self._advertise)
        self._timers.every(ns(NEWS_S), self._send_news)
        if self._settings.launcher is None:              # no Start message comes
            self._start(0.0, self._clock.now_ns())
        self._participant.begin()

    def end(self) -> None:
        """Write the recording, unless it was written when the robot had drained, and what no collector has."""
        self._write_recording()
        if isinstance(self._outbox, KeptReports):
            self._outbox.end()

    # --- messages ---

    def _on_received(self, message: Received) -> None:
        body, peer = message.body, message.sender
        if self._net.role(peer) == "agent" and not self._failures.heard(message):
            return                                       # from a boot of the peer that has ended
        match body:
            case msg.Heartbeat(busy_s=busy_s, advert=known) | msg.HeartbeatAck(busy_s=busy_s, advert=known):
                self._heartbeat(peer, message.boot, busy_s, known)
            case msg.Embodied(sensors=sensors, frame_hz=frame_hz) if peer == self._settings.body:
                self._on_embodied(sensors, frame_hz)
            case msg.Sensed():
                if observation := self._body.observe(body, message.boot, message.tensors, message.at_ns):
                    self._on_observed(observation, message.at_ns)
            case msg.StageAsk() | msg.StageAnswer() | msg.StageRefusal() | msg.StageCancel():
                self._request_messages.handle(body, message)
            case msg.Gossip():
                self._failures.gossip(body)
            case msg.Advert():
                if others := self._peers.advertised(peer, message.boot, body):
                    log.warning("%s has other files of %s, as of another release: it is not asked", peer, others)
                self._seals.learn(peer, body.key)
            case msg.PlanNews(plan=plan):
                self._performer.handle(ev.PlanCame(plan=plan, planner=peer, boot=message.boot))
            case msg.KeptReceived() if isinstance(self._outbox, KeptReports):
                self._outbox.received(body)
            case msg.Shared(topic=topic, data=data):
                self._acting.on(behaviours.Heard(sender=peer, topic=topic, data=data))
            case msg.Judged(report=report, verdict=verdict):
                self._acting.on(behaviours.Verdict(report, verdict))
            case msg.InjectedFaults(slow=slow):
                self._runner.slow_down(slow)
            case msg.Start(since_s=since_s, for_s=for_s):
                self._start(since_s, message.at_ns)
                if for_s is not None:                    # also if the launcher cannot say so then
                    end_ns = message.at_ns + ns(for_s)
                    self._timers.at(end_ns, lambda: self.end_streams(end_ns))
            case msg.Drain():
                self.end_streams(message.at_ns)
                self._send_news()
                self._drain()
            case _:
                self._participant.refuse(f"{type(body).__name__} of {peer}, which an agent does not handle")

    def end_streams(self, at_ns: int) -> None:
        self._submissions.end(at_ns)
        self._figures.streams_ended()

    def _drain(self) -> None:
        """Tell the launcher that we have drained: no own request is open, news is sent, the recording is written."""
        if self._scheduler.open_requests() or len(self._outbox):
            self._timers.after(ns(DRAIN_CHECK_S), self._drain)
            return
        self._write_recording()
        self._submissions.end(self._start_ns)            # a frame that comes now is too late
        if not self._participant.report(msg.Drained()):
            self._timers.after(ns(DRAIN_CHECK_S), self._drain)

    def _write_recording(self) -> None:
        """Write the recording once; requests that end later are not in it."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.write(self._files, f"{self._settings.name}.npz")

    def _heartbeat(self, peer: str, boot: int, busy_s: float, known: int) -> None:
        """A heartbeat or its acknowledgement: how busy the peer is, and the number of our newest advert that it has."""
        now = self._clock.now_ns()
        if self._peers.boot(peer) == boot:
            self._peers.update(peer, boot, busy_s, now)
            if (link := self._net.link(peer)) is not None:
                self._peers.measured(peer, link.quality)
        if advert := self._own_advert.due(peer, known, now):
            self._net.send(peer, msgspec.structs.replace(advert, key=self._seals.key_for(peer)))

    # --- body, streams, behaviour ---

    def _on_embodied(self, sensors: SensorSuite, frame_hz: float) -> None:
        """The body announces its sensors, once. Raises: BadInput if the behaviour needs another sensor."""
        if self._body.sensors is not None:
            return
        self._acting.embodied(sensors)
        self._body.sensors, self._body.frame_hz = sensors, frame_hz

    def _on_observed(self, observation: Observation, at_ns: int) -> None:
        self._submissions.observed(observation, at_ns - ns(observation.age_s), self._body.frame_hz)
        self._battery.observed(observation, self._body.sensors)
        self._acting.on(observation)

    def _start(self, since_s: float, now: int) -> None:
        """The streams of the run began `since_s` ago."""
        if not self._submissions.running:
            self._start_ns = now - ns(since_s)
            self._figures.streams_began()
            self._submissions.start(self._start_ns)
            self._own_events.not_loaded(self._own_advert.advert.not_loaded)
            self._own_events.other_provider(self._offer.elsewhere)

    def _announce(self, stream: StreamSpec, data: Input, captured_ns: int) -> RequestId:
        self._sequence += 1
        request = RequestId(self._settings.name, self._participant.boot, self._sequence)
        self._outbox.put(msg.Submitted(
            request=request, frame=data.frame, due_s=seconds(captured_ns - self._start_ns)))
        return request

    def _submit(self, stream: StreamSpec, data: Input, captured_ns: int) -> RequestId:
        request = self._announce(stream, data, captured_ns)
        self._performer.arrived(ev.RequestArrived(
            request=request, stream=stream, captured_ns=captured_ns, deadline_ns=captured_ns + ns(stream.deadline_s),
        ), data)
        return request

    def _on_ended(self, span: Span, outcome: Outcome | None, data: Input) -> None:
        labels = self._offer.labels(span.model) if outcome is not None else ()
        if outcome is not None:
            span.found = in_words(outcome, labels)
        self._outbox.put(msg.Ended(span=span))
        self._ended(span)
        if span.reason != NO_SOURCE and (outcome is None or span.variant):   # else nothing was to be run
            self._feedback.ended(span, self.placement(span.stream), self._clock.now_ns())
        on_frame = partial(self._offer.on_frame, span.model, data.picture.shape)
        unseen = msgspec.structs.replace(data, picture=NOTHING)      # a behaviour that is slow holds no pictures
        if outcome is not None:
            if self._recording is not None and span.variant:
                self._recording.keep(span, outcome, data.picture, other=data.box is not None or data.picture.ndim != 3)
            self._acting.on(lambda: Perceived(
                stream=span.stream, outcome=in_frame(on_frame(outcome), unseen), pose=unseen.pose, age_s=span.latency_s,
                labels=labels, box=unseen.box))
        self._submissions.look_closer(span, outcome, data, on_frame)

    # --- peers and news ---

    def _advertise(self) -> None:
        """Make a new advert if our speed, board or models have changed. Peers get it after their next heartbeats."""
        absent = sorted(self._residency.absent()) if self._residency else []
        slowness = self._scheduler.slowness(self._clock.now_ns())
        self._own_advert.changed(slowness, self._battery.health, absent)

    def _on_members_changed(self, changes: Sequence[Changed]) -> None:
        """The failure detector has changed its view of peers."""
        for change in changes:
            match change:
                case Joined(name=name, boot=boot, back=back):
                    self._own_advert.joined(name)
                    self._peers.update(name, boot, 0.0, self._clock.now_ns())
                    if back:
                        self._outbox.put(msg.Happened(what="peer_back", detail={"peer": name}))
                case Suspected(name=name, suspected=suspected):
                    self._peers.suspected(name, suspected)
                case Failed(name=name):
                    self._peers.lost(name)
                    self._outbox.put(msg.Happened(what="peer_lost", detail={"peer": name}))
                    self._performer.handle(ev.PeerLost(peer=name))

    def _send_news(self) -> None:
        links = self._link_reporter.due({peer: (q.rtt_s, q.bytes_per_s) for peer, q in self._peers.links().items()})
        feedback = msg.Feedback(links=links, streams=self._feedback.report(),
                                plan=self._scheduler.plan_followed(self._clock.now_ns()))
        for peer in self._net.peers("planner") if links or feedback.streams or feedback.plan else ():
            self._net.send(peer, feedback)
        self._outbox.put(news := self._figures.news(
            links=links, queue=self._scheduler.queued(), refused_in=self._participant.refused + self._body.malformed,
            duplicates=self._scheduler.statistics().duplicates))
        self._battery.tell(news)
        self._own_events.look(self._runner.statistics().stuck, self._scheduler.shed())
        if self._residency is not None and self._residency.is_short((memory := self._runner.memory()).rss_bytes):
            self._performer.handle(ev.MemoryMeasured(memory=memory))
