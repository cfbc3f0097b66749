"""The story of a finding: the messages and events of a run that concern its requests and processes, in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from swarm.core.ports import Host, Received
from swarm.core.protocol import messages as msg
from swarm.core.units import seconds
from swarm.virtual.process import VirtualProcess
from swarm.virtual.run import VirtualRun

FIRST, LAST = 12, 36                 # lines that are told; those between are counted
KEPT = 400_000                       # lines of one run
SILENT = (msg.Sensed, msg.Acted, msg.AgentNews, msg.WorldNews, msg.Scene, msg.Credit, msg.Chunk, msg.Shared,
          msg.Advert, msg.Feedback, msg.Happened, msg.PlannerNews, msg.Embodied)
"""Messages that no story needs; events (`Happened`) are recorded by the collector."""

BEATS = (msg.Heartbeat, msg.HeartbeatAck)
"""Of these only an answer that is received, or what cannot be sent, is told."""


class Line(NamedTuple):
    """What happened, when, and whom it concerns."""

    at_ns: int                       # on the timeline
    text: str
    message: bool                    # sent or received; else: recorded
    request: str                     # that it is about; empty: none
    names: tuple[str, ...]           # processes; of a message, sender and receiver; none: it concerns everybody


def _nothing(to: str, tag: Hashable, reason: str) -> None: ...


class Story:
    """Records a run. Told afterwards, when it is known what to tell."""

    def __init__(self, run: VirtualRun) -> None:
        self._run = run
        self._lines: list[Line] = []

    def watch(self, process: VirtualProcess, host: Host) -> None:
        """Record what a new process sends and receives."""
        net: Any = host.transport
        send, attach, name = net.send, net.attach, process.name
        self._add(f"{name} is started as boot {net.member.boot}", name)

        def recorded_send(
            to: str, body: msg.Body, tensors: Sequence[NDArray[Any]] = (), budget_s: float | None = None,
            tag: Hashable = None,
        ) -> bool:
            accepted = send(to, body, tensors, budget_s, tag)
            if not (isinstance(body, SILENT) or (accepted and isinstance(body, BEATS))):
                failed = "" if accepted else ", which cannot be reached"
                self._message(f"{name} sends {{}} to {to}{failed}", body, name, to)
            return accepted

        def recorded_attach(received: Callable[[Received], None], undelivered: Any = _nothing) -> None:
            def recorded(message: Received) -> None:
                if not isinstance(message.body, (*SILENT, msg.Heartbeat)):
                    self._message(f"{name} gets {{}} from {message.sender}", message.body, name, message.sender)
                received(message)

            attach(recorded, undelivered)

        net.send, net.attach = recorded_send, recorded_attach

    def recorded(self, who: str, what: str, detail: Any) -> None:
        """An event of the run was recorded."""
        words = " ".join(f"{key}={value}" for key, value in (detail or {}).items())
        names = [str(value) for key, value in (detail or {}).items() if key in ("peer", "agent", "process")]
        fault = what in ("fault", "fault_over")          # concerns everybody
        self._add(f"{who} records {what} {words}".rstrip(), *(() if fault else (who, *names)))

    def told(self, about: Collection[str]) -> list[str]:
        """The lines that concern these requests and processes, the first and the last ones, each with its time.

        Times are seconds since the streams began.
        """
        owners = {request.split("/")[0] for request in about if "/" in request}
        requests = {name for name in about if "/" in name}
        told = [line for line in self._lines if _concerns(line, requests, set(about) - requests, owners)]
        lines = _together(told, self._run.start_ns)
        if len(lines) > FIRST + LAST:
            lines[FIRST:-LAST] = [f"... {len(lines) - FIRST - LAST} more ..."]
        return lines

    def _message(self, text: str, body: msg.Body, *names: str) -> None:
        request = getattr(body, "request", None)
        about = ""
        match body:
            case msg.Ended(span=span):
                request = span.request
                about = f" ({span.ending}{', ' + span.reason if span.reason else ''})"
            case msg.StageAsk(model=model):
                about = f" for {model}"
            case msg.StageRefusal(reason=reason):
                about = f" ({reason})"
            case msg.Gossip(about=other, silent=silent):
                about, names = f" that {other} is {'silent' if silent else 'back'}", (*names, other)
            case msg.PlanNews(plan=plan):
                about = f" of epoch {plan.epoch}"
            case msg.InjectedFaults():
                about = f" {_faults(body)}"
            case _:
                pass
        what = type(body).__name__ + (f" {request}" if request is not None else "") + about
        self._add(text.format(what), *names, request=str(request or ""), message=True)

    def _add(self, text: str, *names: str, request: str = "", message: bool = False) -> None:
        if len(self._lines) < KEPT:
            self._lines.append(Line(self._run.timeline.now_ns, text, message, request, names))


def _concerns(line: Line, requests: set[str], names: set[str], owners: set[str]) -> bool:
    """Whether a line is part of the story: of its requests; else, if it is about no request, of its processes."""
    if line.request:
        return line.request in requests
    if line.message:
        return names.issuperset(line.names)
    return not line.names or line.names[0] in (names or owners)


def _together(told: list[Line], start_ns: int) -> list[str]:
    """The lines as text; equal ones that follow each other as one."""
    lines: list[str] = []
    since, count = 0, 0
    for number, line in enumerate(told):
        if number and line.text == told[since].text:
            count += 1
            from_s, until_s = seconds(told[since].at_ns - start_ns), seconds(line.at_ns - start_ns)
            lines[-1] = f"{from_s:.6f} {line.text} ({count + 1} times, until {until_s:.6f})"
            continue
        since, count = number, 0
        lines.append(f"{seconds(line.at_ns - start_ns):.6f} {line.text}")
    return lines


def _faults(body: msg.InjectedFaults) -> str:
    default = msg.InjectedFaults()
    given = {key: getattr(body, key) for key in ("deaf_to", "lose", "corrupt", "slow", "clock_step_s", "sensors")
             if getattr(body, key) != getattr(default, key)}
    return " ".join(f"{key}={value}" for key, value in given.items()) or "none"
