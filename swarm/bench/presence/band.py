"""Idle real agents and a planner, with this process as their launcher, for measuring failure detection."""

from __future__ import annotations

import collections
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from swarm.bench.support.child import ENVIRONMENT, ISOLATED
from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.settings import yaml_text
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile, PlannerFile
from swarm.core.units import ns, seconds
from swarm.membership.outbox import Outbox
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.process import LIFELINE_VARIABLE

BOARD = Board(speed={"fp32": 1.0, "int8": 1.0}, memory_mb=1024, power_w=1.0, source="this host", emulated=False)
LOOK_NS = ns(0.005)
PATIENCE_S = 60.0


class BandError(RuntimeError):
    """An awaited condition did not become true."""


class Band:
    """`size` agents and a planner in plaintext on loopback. Use it with `with`; leaving it ends all processes."""

    def __init__(self, size: int) -> None:
        self.names = [f"agent_{i}" for i in range(size)]
        self._all = [*self.names, "planner"]
        self.clock = MonotonicClock()
        self.changes: list[tuple[int, str, str, str]] = []       # time, reporter, peer_lost or peer_back, peer
        self.reports: dict[str, collections.deque[tuple[int, msg.AgentNews]]] = {
            name: collections.deque(maxlen=600) for name in self.names}
        self._swarm = f"band-{WallClock().new_boot():x}"
        self._loop = Loop(self.clock)
        self._net = open_endpoint(self._loop, swarm=self._swarm, name="launcher", role="launcher",
                             boot=WallClock().new_boot(), handler=self._received)
        self._members: dict[str, msg.Member] = {}                # members that are ready
        self._boots: dict[str, int] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._agents: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-band-")
        self._lifeline, self._ours = os.pipe()                   # the processes end when ours ends

    def __enter__(self) -> Band:
        try:
            for name in self._all:
                self.start(name)
            self.until(lambda: len(self._members) == len(self._all))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ours)
        os.close(self._lifeline)
        for agent in self._agents.values():
            agent.kill()
            agent.wait()
        self._net.close()
        self._loop.close()
        self._folder.cleanup()

    # --- actions ---

    def start(self, name: str) -> None:
        path = Path(self._folder.name) / f"{name}.yaml"
        role = "agent" if name in self.names else "planner"
        path.write_text(yaml_text.dump(AgentFile(
            version=1, name=name, swarm=self._swarm, board_name="host", board=BOARD, streams=[], body="",
            launcher=self._net.member, faults=True) if role == "agent" else PlannerFile(
            version=1, swarm=self._swarm, ray="none", launcher=self._net.member)))
        self._agents[name] = subprocess.Popen(
            [sys.executable, *ISOLATED, "-m", "swarm.cli.main", role, str(path)], pass_fds=[self._lifeline],
            env={**os.environ, **ENVIRONMENT, LIFELINE_VARIABLE: str(self._lifeline)}, stdin=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> int:
        """Kill an agent. Returns the time, ns."""
        now = self.clock.now_ns()
        agent = self._agents.pop(name)
        agent.kill()
        agent.wait()
        del self._members[name]
        self._net.leave(name)
        return now

    def stop(self, name: str) -> int:
        """Stop an agent until `resume`. Returns the time, ns."""
        now = self.clock.now_ns()
        self._agents[name].send_signal(signal.SIGSTOP)
        return now

    def resume(self, name: str) -> int:
        """Returns the time, ns."""
        now = self.clock.now_ns()
        self._agents[name].send_signal(signal.SIGCONT)
        return now

    def inject(self, names: Iterable[str], faults: msg.InjectedFaults) -> None:
        for name in names:
            self._outboxes[name].put(faults)

    # --- observations ---

    def is_ready(self, name: str) -> bool:
        """Whether its last start has reported ready."""
        return name in self._members

    def reported(self, what: str, of: str, since_ns: int) -> dict[str, float]:
        """Members that reported `what` of a member since then, with the seconds until their report."""
        return {reporter: seconds(at - since_ns) for at, reporter, change, peer in reversed(self.changes)
                if change == what and peer == of and at >= since_ns}

    def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Run until the condition is true. Raises: BandError on timeout, or if an agent ends that was not killed."""
        end_ns = self.clock.now_ns() + ns(patience_s)
        fulfilled = False
        ended: list[str] = []

        def look() -> None:
            nonlocal fulfilled, ended
            fulfilled = condition()
            ended = [name for name, agent in self._agents.items() if agent.poll() is not None]
            if fulfilled or ended or self.clock.now_ns() > end_ns:
                self._loop.stop()
            else:
                self._loop.after(LOOK_NS, look)

        self._loop.post(look)
        self._loop.run()
        if not fulfilled:
            raise BandError(f"{', '.join(ended)} ended" if ended else f"not within {patience_s:g} s")

    def wait(self, for_s: float) -> None:
        end_ns = self.clock.now_ns() + ns(for_s)
        self.until(lambda: self.clock.now_ns() >= end_ns, for_s + PATIENCE_S)

    # --- messages ---

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        match body:
            case msg.Ready(member=member) if sender in self._agents and self._boots.get(sender) != message.boot:
                self._members[sender], self._boots[sender] = member, message.boot
                self._net.join([member])
                self._outboxes[sender] = Outbox(self._loop, partial(self._net.send, sender))
                if len(self._members) == len(self._all):
                    for name in self._all:
                        self._outboxes[name].put(msg.Roster(members=list(self._members.values())))
            case msg.Happened(what=what, detail=detail):
                self.changes.append((message.at_ns, sender, what, str(detail.get("peer", ""))))
            case msg.AgentNews():
                self.reports[sender].append((message.at_ns, body))
            case _:
                pass
