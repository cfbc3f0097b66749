"""The victim's launcher, world and honest peer in one process, on the victim's core. Run as a child of the bench."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sim_worlds.sensors.suite import LIDAR, SUITE
from swarm.bench.siege.words import ATTACKER, HONEST, SWARM, VICTIM, Allies, Measure, Measured, Up
from swarm.bench.support.peer import receive_from_parent, send_to_parent
from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Member
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.protocol.world import Pose
from swarm.core.units import ns, seconds
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.security.keyring import Keyring
from swarm.transport.endpoint import Endpoint

FRAME_HZ, ASK_HZ = 20.0, 10.0
ASK_BUDGET_S = 0.2
PICTURE = np.zeros((72, 96, 3), np.uint8)            # of the detector
WARM_UP_NS = ns(1.5)
REPORT_S = 1.0                       # the victim reports its own figures this often
UP_NS = ns(60.0)


class Friends:
    """Three endpoints on one loop, and what they have counted since `measure`."""

    def __init__(self, keys: Path) -> None:
        self.clock = MonotonicClock()
        self.loop = Loop(self.clock)
        self._boot = WallClock().new_boot()
        self.launcher = self._endpoint(keys, "launcher", "launcher", self._to_launcher)
        self.world = self._endpoint(keys, "world", "world", lambda _: None)
        self.honest = self._endpoint(keys, HONEST, "agent", self._to_honest)
        self.victim: Member | None = None
        self._sequence = self._frames = 0
        self._streams, self._served = False, False
        self._asked: dict[int, int] = {}             # sequence -> until when an answer counts
        self._news: msg.AgentNews | None = None
        self._begin()

    def _endpoint(self, keys: Path, name: str, role: str, handler: object) -> Endpoint:
        return open_endpoint(
            self.loop, swarm=SWARM, name=name, role=role, boot=self._boot, keyring=Keyring(keys, name),
            handler=handler)  # pyright: ignore[reportArgumentType]

    # --- until the victim serves ---

    def bring_up(self) -> None:
        """Run until the victim's stream flows, and the honest peer has had an answer."""
        until_ns = self.clock.now_ns() + UP_NS

        def look() -> None:
            if self._streams and self._served:
                self.loop.after(WARM_UP_NS, self.loop.stop)
            elif self.clock.now_ns() > until_ns:
                raise TimeoutError("the victim does not serve")
            else:
                self.loop.after(ns(0.05), look)

        self.loop.every(ns(1.0 / FRAME_HZ), self._sense)
        self.loop.every(ns(1.0 / ASK_HZ), self._ask)
        look()
        self.loop.run()

    def _ready(self, member: Member) -> None:
        if self.victim is not None:
            return
        self.victim = member
        nobody = msg.Member(name=ATTACKER, role="agent", urgent="tcp://127.0.0.1:9", bulk="tcp://127.0.0.1:9")
        members = [member, self.world.member, self.honest.member, nobody]
        for endpoint in (self.launcher, self.world, self.honest):
            endpoint.join([member])
        for body in (msg.Roster(members=members), msg.Start()):
            self._tell(self.launcher, body)

    def _tell(self, by: Endpoint, body: msg.Body) -> None:
        """Send it as soon as there is a connection."""
        if not by.send(VICTIM, body):
            self.loop.after(ns(0.02), lambda: self._tell(by, body))

    # --- what they do all the time ---

    def _sense(self) -> None:
        self._frames += 1
        if self._frames % FRAME_HZ == 1:             # as a world does: the first one may come before the roster
            self.world.send(VICTIM, msg.Embodied(sensors=SUITE, frame_hz=FRAME_HZ))
        self.world.send(VICTIM, msg.Sensed(
            sequence=self._frames, at_s=seconds(self.clock.now_ns()), age_s=0.0, pose=Pose(0.0, 0.0, 0.0), v_mps=0.0,
            w_radps=0.0, bumped=False, frame=True), [np.full(LIDAR.beams, 3.0, np.float32), PICTURE])

    def _ask(self) -> None:
        self._sequence += 1
        self._count.asked += 1
        self._asked[self._sequence] = self.clock.now_ns() + ns(ASK_BUDGET_S)
        self.honest.send(VICTIM, msg.StageAsk(
            request=RequestId(HONEST, self._boot, self._sequence), frame=Frame(1, "detect", self._sequence),
            model="detector", variant="int8", priority=0), [PICTURE[None]], ASK_BUDGET_S)

    def _to_honest(self, message: Received) -> None:
        match message.body:
            case msg.Heartbeat(sequence=sequence):
                self.honest.send(VICTIM, msg.HeartbeatAck(sequence=sequence, held_s=0.0))
            case msg.StageAnswer(request=request):
                self._served = True
                self._count.served += self.clock.now_ns() <= self._asked.pop(request.sequence, 0)
            case _:
                pass

    def _to_launcher(self, message: Received) -> None:
        body = message.body
        match body:
            case msg.Ready(member=member) if message.sender == VICTIM:
                self._ready(member)
            case msg.Submitted(request=request) if request.agent != message.sender:
                self._count.not_theirs += 1
            case msg.Ended(span=span) if span.request.agent == message.sender == VICTIM:
                self._streams = True
                self._count.own += 1
                self._count.own_on_time += span.ending == "completed"
                self._count.forged += span.ran_on == ATTACKER
            case msg.AgentNews() if message.sender == VICTIM:
                self._count.rss_most_bytes = max(self._count.rss_most_bytes, body.rss_bytes)
                self._news = body
            case _:
                pass

    # --- counting ---

    def _begin(self) -> None:
        self._count = _Count(self._news.rss_bytes if self._news else 0)

    def measure(self, for_s: float) -> Measured:
        """Count for so long, and 1 s more for what is under way and the victim's own report."""
        self._begin()
        count = self._count
        self.loop.after(ns(for_s + REPORT_S), self.loop.stop)
        self.loop.run()
        late_ms = self._news.loop_late_ms_p99 if self._news else 0.0
        return Measured(
            own=count.own, own_on_time=count.own_on_time, asked=count.asked, served=count.served, late_ms_p99=late_ms,
            rss_before_bytes=count.rss_before_bytes, rss_most_bytes=count.rss_most_bytes, forged=count.forged)


class _Count:
    def __init__(self, rss_bytes: int) -> None:
        self.own = self.own_on_time = self.asked = self.served = self.forged = self.not_theirs = 0
        self.rss_before_bytes = self.rss_most_bytes = rss_bytes


def main(keys: Path) -> None:
    """Say where the launcher is, bring the victim up, and measure whenever the parent says so."""
    allies = Friends(keys)
    send_to_parent(Allies(launcher=allies.launcher.member))
    allies.bring_up()
    assert allies.victim is not None
    send_to_parent(Up(victim=allies.victim, launcher=allies.launcher.member))
    while True:
        send_to_parent(allies.measure(receive_from_parent(Measure).for_s))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
