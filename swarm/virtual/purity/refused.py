"""Calls that no run in virtual time can repeat: the names by which code reaches them, and guards in their place."""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What such a call does, and what is right in its place."""

    does: str
    instead: str


CLOCK = Kind("reads the clock", "use `now`, which comes with each event")
WAIT = Kind("waits", "return at once, and act on a later event")
THREAD = Kind("starts a thread or a process", "return at once, and act on a later event")
SOCKET = Kind("opens a socket", "send a Note to teammates")
DRAW = Kind("draws without the run's seed", "draw with swarm.core.policy.draw, from the seed and names")

ALWAYS = 1000                        # no call has so many arguments
TABLE = (
    (CLOCK, "time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns", ALWAYS),
    (CLOCK, "time", "clock_gettime clock_gettime_ns process_time process_time_ns thread_time thread_time_ns", ALWAYS),
    (CLOCK, "time", "localtime gmtime ctime asctime", 1),
    (CLOCK, "time", "strftime", 2),
    (WAIT, "time", "sleep", ALWAYS),
    (WAIT, "threading", "Event.wait Condition.wait", ALWAYS),
    (WAIT, "select", "select", ALWAYS),
    (THREAD, "threading", "Thread.start", ALWAYS),
    (THREAD, "_thread", "start_new_thread", ALWAYS),
    (THREAD, "subprocess", "Popen.__init__", ALWAYS),
    (THREAD, "os", "system fork posix_spawn", ALWAYS),
    (SOCKET, "socket", "socket.__init__", ALWAYS),
    (DRAW, "os", "urandom getrandom", ALWAYS),
    (DRAW, "random", "SystemRandom.random SystemRandom.getrandbits", ALWAYS),
    (DRAW, "uuid", "uuid1 uuid4", ALWAYS),
    (DRAW, "secrets", "token_bytes choice randbelow randbits", ALWAYS),
    (DRAW, "random", "Random.seed", 2),                                      # its first argument is the generator
    (DRAW, "numpy.random", "default_rng", 1),
    (DRAW, "numpy.random", "seed sample ranf", ALWAYS),
)
"""Kind, module, names, and with how many arguments a call is harmless: without one they ask the clock or the system."""
DATES = (("datetime", "now utcnow today"), ("date", "today"))
GENERATORS = (("random", "_inst"), ("numpy.random", "mtrand._rand"))
"""The generators that all code of a process shares: each function of the module that draws from it."""


@dataclass(frozen=True)
class Place:
    """A name that can be reached: `getattr(owner, name)` is `real`, and `guard` while a run is watched."""

    owner: Any
    name: str
    real: Any
    guard: Any


_refuse: Callable[[Kind, str], None] | None = None


def refuse_by(refuse: Callable[[Kind, str], None] | None) -> None:
    """Before each of these calls, `refuse` is called with its kind and name. None: not any more."""
    global _refuse
    _refuse = refuse


@functools.cache
def places() -> tuple[Place, ...]:
    """All of them. A guard that somebody has kept lets all calls pass while no run is watched."""
    found = []
    for kind, name, attributes, least in TABLE:
        module = importlib.import_module(name)
        for path in attributes.split():
            owner_path, _, last = path.rpartition(".")
            owner = operator.attrgetter(owner_path)(module) if owner_path else module
            real = getattr(owner, last)
            guard = _guarded(real, kind, f"{name}.{path.removesuffix('.__init__')}", least)
            found.append(Place(owner, last, real, guard))
    for name, generator in GENERATORS:
        module = importlib.import_module(name)
        shared = operator.attrgetter(generator)(module)
        found += [Place(module, key, real, _guarded(real, DRAW, f"{name}.{key}", ALWAYS))
                  for key, real in vars(module).items() if getattr(real, "__self__", None) is shared]
    dates = importlib.import_module("datetime")
    for name, methods in DATES:
        real = getattr(dates, name)
        found.append(Place(dates, name, real, _guarded_type(real, methods.split())))
    return tuple(found)


def _guarded(real: Callable[..., Any], kind: Kind, name: str, least: int) -> Callable[..., Any]:
    @functools.wraps(real)
    def guard(*args: Any, **named: Any) -> Any:
        if _refuse is not None and sum(value is not None for value in (*args, *named.values())) < least:
            _refuse(kind, name)
        return real(*args, **named)

    return guard


def _guarded_type(real: type, methods: list[str]) -> type:
    """A type that passes for `real` and whose constructors of the present are guarded."""
    class Same(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, real)

    guards = {name: staticmethod(_guarded(getattr(real, name), CLOCK, f"datetime.{real.__name__}.{name}", ALWAYS))
              for name in methods}
    return Same(real.__name__, (real,), {**guards, "__module__": real.__module__, "__slots__": ()})
