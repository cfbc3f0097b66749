"""The report's glossary: what its words mean and how its figures were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarm.telemetry.figures import breakdown
from swarm.telemetry.report import page

METHOD = (
    ("request", """Every frame that falls due on a stream is a request. It ends exactly once: completed (by its
        deadline), late (a result after it) or failed with a reason."""),
    ("on time", "completed / submitted. What failed and what is lost counts against it."),
    ("latency", """From the capture of the frame to the end of the request, on the clock of the robot that asked; over
        completed and late requests. Percentiles are interpolated linearly."""),
    ("deadline", "The stream's budget from the capture of the frame; the frame's age at receipt is part of it."),
    ("offloaded", "Completed with any stage on a peer / completed."),
    ("guarded", """An offload sent early enough for the robot's own fallback to make the deadline: the fallback starts
        by itself when it must, and the first answer counts."""),
    ("lost", """Submitted requests of which no ending was ever heard, after the drain at the end; must be 0. Requests of
        a robot that died are not lost: they failed as agent_lost."""),
    ("set aside", """A run at home that was stopped for a more urgent request and finished later: at the end of a stage,
        or terminated within one, which then ran anew."""),
    ("expected", """The latency that a robot expected of a request when it decided where it runs: its age, the work
        ahead of it, the ways, and the runs as its boards' profiles have them."""),
    ("emulated board", """The stage really ran on this host, and its end was held back to a run time drawn from the
        board's profile. A run that took longer than its draw is an overrun; when more than 1 % do, the host was
        overloaded and the figures are too slow."""),
    ("a fault's own, and peers'", """Requests that were open at any moment while it lasted (after a death: for 2 s): of
        the victim, and of others that had asked it; missed: late, failed or lost."""),
    ("served again after", """From the fault's start. Hit: of the requests that fell due within a second, the share on
        time is over 5 points below that of the 5 s before. Served again: it is so no longer, and stays so for 1 s."""),
    ("time axis", "The collector's clock since the streams began; clock readings of two robots are never compared."),
)


def fault_name(fault: Mapping[str, Any]) -> str:
    """Kind and victim of a fault of `summary.json`."""
    groups = " | ".join(", ".join(map(str, group)) for group in fault.get("groups") or [])
    return " ".join(filter(None, (str(fault.get("kind", "")), str(fault.get("target") or groups))))


def parts() -> str:
    """What the parts of a request's time are."""
    return page.table(["part", "meaning"], breakdown.MEANING, (), (1,))


def method() -> str:
    """What the words mean and how figures were made."""
    return page.facts(METHOD)
