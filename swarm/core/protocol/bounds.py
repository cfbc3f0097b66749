"""Bounds of numbers and names in messages and files: a value outside is refused where it enters.

msgspec checks them. `settings/validation.py` explains in words what is wrong in a file.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# --- numbers in messages ---

Finite = Annotated[float, Meta(ge=-1e12, le=1e12)]               # rejects nan and infinity
Seconds = Annotated[float, Meta(ge=0.0, le=1e7)]                 # a duration
PositiveSeconds = Annotated[float, Meta(gt=0.0, le=1e7)]
Joules = Annotated[float, Meta(ge=0.0, le=1e12)]
Rate = Annotated[float, Meta(gt=0.0, le=1e12)]                   # bytes per second
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Nanoseconds = Annotated[int, Meta(ge=-(2**62), le=2**62)]        # a time on the clock of one robot
Count = Annotated[int, Meta(ge=0, le=2**62)]
Factor = Annotated[float, Meta(ge=1.0, le=1e6)]
Bias = Annotated[float, Meta(ge=-1e6, le=1e6)]                   # of a sensor, in its unit
Priority = Annotated[int, Meta(ge=-1000, le=1000)]
BoxNumber = Annotated[int, Meta(ge=1, le=16)]
ShortText = Annotated[str, Meta(max_length=64)]                  # a name that only people and look-ups need
LongText = Annotated[str, Meta(max_length=2048)]                 # an explanation, for people
MOST_MEMBERS = 1100                  # in one message: the robots of the largest run, and what else belongs to it

# --- numbers in files ---

Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ROBOTS_MAX = 1000                    # of a run
Robots = Annotated[int, Meta(ge=1, le=ROBOTS_MAX)]
RateHz = Annotated[float, Meta(ge=1e-3, le=240.0)]               # from once in 1000 s to every step of the world
Deadline = Annotated[float, Meta(gt=0.0, le=3600.0)]             # seconds
WattHours = Annotated[float, Meta(ge=1e-3, le=1e5)]             # of a full battery
RunSeconds = Annotated[float, Meta(gt=0.0, le=86_400.0)]         # within a run, of one day at most
Executors = Annotated[int, Meta(ge=1, le=64)]                    # of a board: models that run at the same time
Speed = Annotated[float, Meta(ge=1e-3, le=1e3)]                  # of a board, relative to the host

# --- names and addresses in files ---


def _name(longest: int) -> str:
    return rf"\A[A-Za-z][A-Za-z0-9_-]{{0,{longest - 1}}}\Z"


NAME_MAX = 64                        # of a process: a fleet's name and a number
FLEET_NAME_MAX = 48
_RAY = r"\A(local|none|(ray://)?[\w.-]+:\d{1,5})\Z"
Name = Annotated[str, Meta(pattern=_name(NAME_MAX))]             # of a process; also of its files, and in addresses
FleetName = Annotated[str, Meta(pattern=_name(FLEET_NAME_MAX))]
RayAddress = Annotated[str, Meta(pattern=_RAY)]

PATTERNS = {
    **{_name(n): ("name", f"a letter, then up to {n - 1} letters, digits, _ or -") for n in (NAME_MAX, FLEET_NAME_MAX)},
    _RAY: ("address of a cluster", "local, none, or HOST:PORT"),
}
"""For messages to people: the noun for a text of each pattern, and a description of its form."""
