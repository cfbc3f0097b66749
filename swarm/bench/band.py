"""Real agents that have nothing to do, and, in this process, their launcher: for what presence costs and can do."""

from __future__ import annotations

import collections
import signal
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from swarm.core import config
from swarm.core import messages as msg
from swarm.core.clock import MonotonicClock, new_boot, ns, seconds
from swarm.core.config import AgentFile, Board
from swarm.launcher.members import Members
from swarm.launcher.processes import Child, Children, swarm_command
from swarm.net.endpoint import Endpoint, Received
from swarm.net.loop import Loop

BOARD = Board(speed={"fp32": 1.0, "int8": 1.0}, memory_mb=1024, power_w=1.0, source="this host", emulated=False)
LOOK_NS = ns(0.005)
PATIENCE_S = 60.0


class BandError(RuntimeError):
    """What was waited for did not come."""


class Band:
    """`size` agents in plaintext on loopback. To be used with `with`; leaving it ends them all."""

    def __init__(self, size: int) -> None:
        self.names = [f"agent_{i}" for i in range(size)]
        self.clock = MonotonicClock()
        self.changes: list[tuple[int, str, str, str]] = []       # when, who says so, peer_lost or peer_back, of whom
        self.news: dict[str, collections.deque[tuple[int, msg.AgentNews]]] = {
            name: collections.deque(maxlen=600) for name in self.names}
        self._loop = Loop(self.clock)
        self._swarm = f"band-{new_boot():x}"
        self._net = Endpoint(self._loop, swarm=self._swarm, name="launcher", role="launcher", boot=new_boot(),
                             handler=self._received)
        self._members = Members(self._loop, self._net)
        self._folder = tempfile.TemporaryDirectory(prefix="swarm-band-")
        self._children: Children | None = None
        self._failed = ""

    def __enter__(self) -> Band:
        self._children = Children(self._loop, Path(self._folder.name), self._ended)
        for name in self.names:
            self.start(name)
        self.until(lambda: self._members.names() >= set(self.names))
        return self

    def __exit__(self, *_: object) -> None:
        if self._children is not None:
            self._members.tell_all(msg.Shutdown())
            self._children.close()
        self._net.close()
        self._loop.close()
        self._folder.cleanup()

    # --- what is done to it ---

    def start(self, name: str) -> None:
        path = Path(self._folder.name) / f"{name}.yaml"
        path.write_text(config.dump(AgentFile(
            version=1, name=name, swarm=self._swarm, board_name="host", board=BOARD, streams=[], body="",
            launcher=self._net.member)))
        self._running().spawn(name, "agent", swarm_command("agent", str(path)))

    def kill(self, name: str) -> int:
        """Returns when."""
        now = self.clock.now_ns()
        self._running().kill(name)
        return now

    def stop(self, name: str) -> int:
        """Until `go_on`. Returns when."""
        now = self.clock.now_ns()
        self._running().signal(name, signal.SIGSTOP)
        return now

    def go_on(self, name: str) -> int:
        now = self.clock.now_ns()
        self._running().signal(name, signal.SIGCONT)
        return now

    def afflict(self, names: Iterable[str], ills: msg.Afflicted) -> None:
        for name in names:
            self._members.tell(name, ills)

    # --- what is seen of it ---

    def is_ready(self, name: str) -> bool:
        """Whether its last start has said so."""
        return name in self._members.names()

    def said(self, what: str, of: str, since_ns: int) -> dict[str, float]:
        """Who has said so of a member since then, and how many seconds after that."""
        return {who: seconds(at - since_ns) for at, who, change, about in reversed(self.changes)
                if change == what and about == of and at >= since_ns}

    def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Raises: BandError when it does not come true, or an agent ends that was not killed."""
        end_ns = self.clock.now_ns() + ns(patience_s)
        held = False

        def look() -> None:
            nonlocal held
            held = condition()
            if held or self._failed or self.clock.now_ns() > end_ns:
                self._loop.stop()
            else:
                self._loop.after(LOOK_NS, look)

        self._loop.post(look)
        self._loop.run()
        if not held:
            raise BandError(self._failed or f"not within {patience_s:g} s")

    def wait(self, for_s: float) -> None:
        end_ns = self.clock.now_ns() + ns(for_s)
        self.until(lambda: self.clock.now_ns() >= end_ns, for_s + PATIENCE_S)

    # --- how ---

    def _running(self) -> Children:
        assert self._children is not None
        return self._children

    def _received(self, message: Received) -> None:
        body, sender = message.body, message.sender
        match body:
            case msg.Ready(member=member):
                if self._members.add(member, message.boot) and self._members.names() >= set(self.names):
                    self._members.tell_all(msg.Roster(members=self._members.roster()))
                    self._members.tell_all(msg.Start())
            case msg.Happened(what=what, detail=detail):
                self.changes.append((message.at_ns, sender, what, str(detail.get("peer", ""))))
            case msg.AgentNews():
                self.news[sender].append((message.at_ns, body))
            case _:
                pass

    def _ended(self, child: Child) -> None:
        self._members.lost(child.name)
        if not child.killed:
            self._failed = f"{child.name} {child.ended_how}: {child.last_words()}"
