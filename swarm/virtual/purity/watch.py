"""Sees to it that a run in virtual time can be repeated: its code reads no clock, waits for nothing, and comes back."""

from __future__ import annotations

import functools
import re
import signal
import sys
import sysconfig
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import swarm
from swarm.core.settings.errors import BadInput
from swarm.virtual.purity.refused import Kind, Place, places, refuse_by
from swarm.virtual.timeline import Timeline

TICK_S = 2.0                         # of real time
MOST_TICKS = 10                      # in one event; a process that was stopped gets one tick for all that time
OURS_MAY = 30                        # times as long: a plan for many robots takes seconds, more on a busy host
OURS = re.compile(r"(agents|models|sim_worlds|swarm)(\.|$)")
HOSTS = re.compile(r"(swarm\.(virtual(?!\.perception)|telemetry\.(recorder|table|provenance)|launcher|cli|bench)|"
                   r"sim_worlds\.physics\.bullet)(\.|$)")
HOUSE = str(Path(swarm.__file__).parent.parent)
SHIPPED = tuple(f"{HOUSE}/{name}/" for name in ("agents", "models", "sim_worlds", "swarm"))
CLOCKS = "swarm.core.clock"          # whoever asks it reads the clock
RUNNING = ("logging", "importlib")   # a line of a log has the date; a library that is being imported is not policy
LIBRARY = re.compile(rf"<|{re.escape(sysconfig.get_path('stdlib'))}/|.*/(site|dist)-packages/")


class Impure(BaseException):
    """Code did what no run can repeat. Not an Exception, so that no `except Exception` of that code hides it."""


class Purity:
    """While entered, and while an event happens: code that is not the host's is refused what `refused.py` lists.

    An event in which such code does not return is ended. Raises: Impure, where it happens. Only one at a time.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._happened = self._ticks = 0
        self._timed = threading.current_thread() is threading.main_thread()  # no other one may set a handler
        self._before: Any = None

    def __enter__(self) -> Purity:
        refuse_by(_refuse)
        for place in places():
            setattr(place.owner, place.name, place.guard)
        _rebind(places())
        if self._timed:
            self._before = signal.signal(signal.SIGALRM, self._tick)
            signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timed:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
        for place in places():
            setattr(place.owner, place.name, place.real)
        refuse_by(None)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        self._ticks = self._ticks + 1 if self._timeline.happened == self._happened else 0
        self._happened = self._timeline.happened
        culprit = _culprit(frame) if self._ticks >= MOST_TICKS else None
        if culprit and self._ticks >= MOST_TICKS * (OURS_MAY if culprit.f_code.co_filename.startswith(SHIPPED) else 1):
            raise Impure(f"{_named(culprit)} has not returned for {TICK_S * self._ticks:g} s of real time, at "
                         f"{_line(culprit)}: return at once, and act on a later event")


def in_words(error: BaseException) -> str:
    """An error that ended a run, with file and line: of a plug-in, if one is involved, else of our own code.

    The user's mistakes have words of their own.
    """
    if isinstance(error, (Impure, BadInput)):
        return str(error)
    lines = [one for one in traceback.extract_tb(error.__traceback__) if not LIBRARY.match(one.filename)]
    lines = [one for one in lines if not one.filename.startswith(SHIPPED)] or lines
    return f"{type(error).__name__}: {error}" + (f" at {lines[-1].filename}:{lines[-1].lineno}" if lines else "")


def _refuse(kind: Kind, name: str) -> None:
    if culprit := _culprit(sys._getframe(2)):        # of the call of the guard
        raise Impure(f"{_named(culprit)} {kind.does} ({name}) at {_line(culprit)}: {kind.instead}")


def _culprit(frame: FrameType | None) -> FrameType | None:
    """The innermost call that is not a library's, if an event made it and it is not the host's."""
    allowed = None
    while frame is not None and allowed is None:
        allowed = _allowed(frame.f_globals.get("__name__", ""), frame.f_code.co_filename)
        culprit, frame = frame, frame.f_back
    return culprit if allowed is False and _in_event(frame) else None


def _in_event(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not Timeline.step.__code__:
        frame = frame.f_back
    return frame is not None


@functools.cache
def _allowed(module: str, file: str) -> bool | None:
    """Whether this module may do all. None: it does what its caller wants."""
    if OURS.match(module):
        return None if module == CLOCKS else bool(HOSTS.match(module))
    if module.partition(".")[0] in RUNNING or file.startswith("<frozen importlib"):
        return True
    return None if LIBRARY.match(file) else False


def _rebind(guarded: tuple[Place, ...]) -> None:
    """Put the guards into the modules that have imported these names one by one, as in `from time import sleep`."""
    guards = {id(place.real): place.guard for place in guarded}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and _allowed(getattr(module, "__name__", ""), file) is False:
            for name, value in list(vars(module).items()):
                if id(value) in guards:
                    setattr(module, name, guards[id(value)])


def _named(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__", "")
    behaviour = name.removeprefix("agents.behaviours.")
    return f"behaviour {behaviour!r}" if behaviour != name else f"module {name!r}"


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
