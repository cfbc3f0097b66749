"""Real agents that have nothing to do, their planner, and, here, their launcher: for what presence costs and can do."""

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
from swarm.core.settings import reading
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile, PlannerFile
from swarm.core.units import ns, seconds
from swarm.membership.outbox import Outbox
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop
from swarm.net.process import LIFELINE_VARIABLE

BOARD = Board(speed={"fp32": 1.0, "int8": 1.0}, memory_mb=1024, power_w=1.0, source="this host", emulated=False)
LOOK_NS = ns(0.005)
PATIENCE_S = 60.0


class BandError(RuntimeError):
    """What was waited for did not come."""


class Band:
    """`size` agents and a planner in plaintext on loopback. To be used with `with`; leaving it ends them all."""

    def __init__(self, size: int) -> None:
        self.names = [f"agent_{i}" for i in range(size)]
        self._all = [*self.names, "planner"]
        self.clock = MonotonicClock()
        self.changes: list[tuple[int, str, str, str]] = []       # when, who says so, peer_lost or peer_back, of whom
        self.news: dict[str, collections.deque[tuple[int, msg.AgentNews]]] = {
            name: collections.deque(maxlen=600) for name in self.names}
        self._swarm = f"band-{WallClock().new_boot():x}"
        self._loop = Loop(self.clock)
        self._net = Endpoint(self._loop, swarm=self._swarm, name="launcher", role="launcher",
                             boot=WallClock().new_boot(), handler=self._received)
        self._members: dict[str, msg.Member] = {}                # that are ready
        self._boots: dict[str, int] = {}
        self._tell: dict[str, Outbox] = {}
        self._agents: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-band-")
        self._lifeline, self._ours = os.pipe()                   # they end when we do

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

    # --- what is done to it ---

    def start(self, name: str) -> None:
        path = Path(self._folder.name) / f"{name}.yaml"
        role = "agent" if name in self.names else "planner"
        path.write_text(reading.dump(AgentFile(
            version=1, name=name, swarm=self._swarm, board_name="host", board=BOARD, streams=[], body="",
            launcher=self._net.member) if role == "agent" else PlannerFile(
            version=1, swarm=self._swarm, ray="none", launcher=self._net.member)))
        self._agents[name] = subprocess.Popen(
            [sys.executable, *ISOLATED, "-m", "swarm.cli.main", role, str(path)], pass_fds=[self._lifeline],
            env={**os.environ, **ENVIRONMENT, LIFELINE_VARIABLE: str(self._lifeline)}, stdin=subprocess.DEVNULL,
        )

    def kill(self, name: str) -> int:
        """Returns when."""
        now = self.clock.now_ns()
        agent = self._agents.pop(name)
        agent.kill()
        agent.wait()
        del self._members[name]
        self._net.leave(name)
        return now

    def stop(self, name: str) -> int:
        """Until `go_on`. Returns when."""
        now = self.clock.now_ns()
        self._agents[name].send_signal(signal.SIGSTOP)
        return now

    def go_on(self, name: str) -> int:
        now = self.clock.now_ns()
        self._agents[name].send_signal(signal.SIGCONT)
        return now

    def afflict(self, names: Iterable[str], ills: msg.InjectedFaults) -> None:
        for name in names:
            self._tell[name].put(ills)

    # --- what is seen of it ---

    def is_ready(self, name: str) -> bool:
        """Whether its last start has said so."""
        return name in self._members

    def said(self, what: str, of: str, since_ns: int) -> dict[str, float]:
        """Who has said so of a member since then, and how many seconds after that."""
        return {who: seconds(at - since_ns) for at, who, change, about in reversed(self.changes)
                if change == what and about == of and at >= since_ns}

    def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Raises: BandError when it does not come true, or an agent ends that was not killed."""
        end_ns = self.clock.now_ns() + ns(patience_s)
        held = False
        ended: list[str] = []

        def look() -> None:
            nonlocal held, ended
            held = condition()
            ended = [name for name, agent in self._agents.items() if agent.poll() is not None]
            if held or ended or self.clock.now_ns() > end_ns:
                self._loop.stop()
            else:
                self._loop.after(LOOK_NS, look)

        self._loop.post(look)
        self._loop.run()
        if not held:
            raise BandError(f"{', '.join(ended)} ended" if ended else f"not within {patience_s:g} s")

    def wait(self, for_s: float) -> None:
        end_ns = self.clock.now_ns() + ns(for_s)
        self.until(lambda: self.clock.now_ns() >= end_ns, for_s + PATIENCE_S)

    # --- how ---

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        match body:
            case msg.Ready(member=member) if sender in self._agents and self._boots.get(sender) != message.boot:
                self._members[sender], self._boots[sender] = member, message.boot
                self._net.join([member])
                self._tell[sender] = Outbox(self._loop, partial(self._net.send, sender))
                if len(self._members) == len(self._all):
                    for name in self._all:
                        self._tell[name].put(msg.Roster(members=list(self._members.values())))
            case msg.Happened(what=what, detail=detail):
                self.changes.append((message.at_ns, sender, what, str(detail.get("peer", ""))))
            case msg.AgentNews():
                self.news[sender].append((message.at_ns, body))
            case _:
                pass
