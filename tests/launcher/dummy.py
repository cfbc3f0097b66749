"""A child that speaks the protocol and does nothing else. Usage: dummy.py ROLE FILE MANNER."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.scene import Measure, Mission
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.settings.process_files import AgentFile, PlannerFile, WorldFile
from swarm.core.units import ns
from swarm.membership.participant import Participant
from swarm.net.process import Process
from swarm.settings_files import read

KINDS = {"agent": AgentFile, "planner": PlannerFile, "world": WorldFile}
SLOWLY_S = 0.8                       # to drain
FOREVER = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"]


class Dummy:
    def __init__(self, role: str, file: Path, manner: str) -> None:
        self.settings = read(file, KINDS[role])
        self.role, self.manner = role, manner
        self.process = Process(self.settings, role)
        self.participant = Participant(self.process.host, self.settings, self.handle)
        self.sequence = 0
        self.streaming = False

    def handle(self, message: Received) -> None:
        body = message.body
        if isinstance(body, msg.Start):
            self.streaming = True
            self.tell(msg.Happened(what="roster", detail={"members": len(self.process.net.peers())}))
            self.process.loop.every(ns(0.02), self.stream)
            if self.role == "world":
                self.tell(msg.WorldNews(time_s=0.1, steps=24, real_time_factor=1.0, lag_ms_p99=1.0, poses={},
                                        mission=Mission(headline="found", measures=[Measure(name="found", value=3)])))
        elif isinstance(body, msg.Drain):
            self.streaming = False
            if self.role == "agent" and self.manner != "mute":
                self.process.loop.after(ns(SLOWLY_S if self.manner == "slow" else 0.0), self.drained)
        elif isinstance(body, (msg.Gone, msg.Back)):
            self.tell(msg.Happened(what=f"heard_{type(body).__name__.lower()}", detail={"name": body.name}))
        elif isinstance(body, msg.InjectedFaults):
            self.tell(msg.Happened(what="afflicted", detail={"ills": msgspec.json.encode(body).decode()}))

    def drained(self) -> None:
        """What was on its way when the streams stopped, then the word that it was the last."""
        self.request()
        self.tell(msg.Happened(what="last_request"))
        self.tell(msg.Drained())

    def stream(self) -> None:
        if self.role == "agent" and self.streaming:
            self.request()

    def request(self) -> None:
        self.sequence += 1
        request = RequestId(self.settings.name, self.participant.boot, self.sequence)
        now = self.process.clock.now_ns()
        self.tell(msg.Submitted(
            request=request, frame=Frame(1, "detect", self.sequence), due_s=0.2 * self.sequence))
        if self.manner != "loses":
            self.tell(msg.Ended(span=Span(
                request=request, stream="detect", model="detector", priority=2, captured_ns=now - ns(0.01),
                submitted_ns=now, deadline_ns=now + ns(0.1), ran_on=self.settings.name, ended_ns=now,
                ending="completed")))

    def tell(self, body: msg.Body) -> None:
        self.participant.report(body)


def main() -> int:
    role, file, manner = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if manner == "refuses" and role == "agent":
        print("swarm: agent.yaml: board: too small", file=sys.stderr)
        return 2
    if manner == "crashes" and role == "agent":
        raise RuntimeError("out of solder")
    if role == "planner" or manner == "stubborn":
        subprocess.Popen(FOREVER, preexec_fn=os.setpgrp)     # like Ray's helpers: another group of the same session
    if manner == "silent" and role == "agent":
        signal.pause()
    if manner == "stubborn":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.pause()
    dummy = Dummy(role, file, manner)
    dummy.process.run(dummy.participant.begin)
    return 0


sys.exit(main())
