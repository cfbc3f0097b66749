"""What a board's keeper answers. A board may be anybody's by now, so that each answer is checked before it is used."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from swarm.deploy.keeper.manifest import MOST_NUMBER

Number = Annotated[int, Meta(ge=0, le=MOST_NUMBER)]      # of a release; 0: none
Count = Annotated[int, Meta(ge=0, le=1 << 53)]


class Done(msgspec.Struct, frozen=True):
    """The end of a command of which nothing else is asked."""


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What a board lacks of a release: files by their hashes, each with the bytes of it that have come."""

    missing: list[tuple[str, Count]]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Public keys of its processes, by their names."""

    keys: dict[str, str]


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that its processes logged, oldest first."""

    lines: list[str]


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the last trial; release 0: there was none."""

    release: Number = 0
    outcome: str = ""
    gate: str = ""                   # that failed
    why: str = ""
    log: list[str] = []


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that is loaded."""

    provider: str = ""


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent tells of itself: see agents/board_status.py."""

    pid: Count = 0
    peers: Count = 0
    ended: Count = 0                 # requests in the last minute
    on_time: Count = 0
    leans_on: dict[str, Count] = {}
    temperature_c: float | None = None
    rss_mb: Count = 0                # its resident memory, and the budget of it; 0: not known
    memory_mb: Count = 0
    error: str = ""
    models: list[Model] = []


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What runs on a board, and how it is."""

    name: str                        # empty: it was never set up
    highest: Number                  # that it has accepted
    current: Number
    trial: Number
    last: Last
    units: dict[str, dict[str, str]]         # systemd's properties
    processes: dict[str, Any]        # what each writes of itself, without the keeper's word for it
    power_mode: str
    free_bytes: Count

    @property
    def agent(self) -> AgentState | None:
        """What its agent tells of itself; None: nothing, or nonsense, which the next release may mend."""
        try:
            return msgspec.convert(self.processes.get("agent"), AgentState)
        except msgspec.ValidationError:
            return None


NEVER_SET_UP = Status(name="", highest=0, current=0, trial=0, last=Last(), units={}, processes={}, power_mode="",
                      free_bytes=0)
