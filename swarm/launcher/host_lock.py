"""Whose turn it is on this host: an experiment measures on it alone, or any number of others share it.

Others are plain runs and experiments in virtual time, which do not measure the host. They wait for an experiment that
measures, and for nothing else; that one waits for all. Two locks make this fair: all pass the gate to get at the
host, and an experiment that waits for the host keeps the gate closed, so that later ones do not overtake it.
The kernel gives up the locks of a process that has ended, however it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator

from swarm.core.clock import local_time
from swarm.core.settings.errors import BadInput
from swarm.launcher.host_folder import host_folder, runs_now, shortened

GATE, HOST = "gate.lock", "host.lock"
MOST_BYTES = 1000                    # of the words in a file

_open: set[int] = set()              # descriptors of all locks of this process
_said: set[str] = set()              # reasons why no lock can be had that the user has been told


@contextlib.contextmanager
def exclusive(what: str, *, wait: bool = True, told: Callable[[str], None]) -> Iterator[None]:
    """This host for an experiment alone, after the runs that are on.

    Its own runs take no lock: `Launch` takes none, nor does `swarm launch --beside`. Runs that wait for it get in
    before its next turn. A process that has a turn must not ask for another one: it would wait for itself.

    Args: what: its name for those that wait for it, as `experiment first`. wait: false: to be refused instead of
    waiting. told: gets a line if it has to wait, and one if no lock can be had: then it goes on without.
    Raises: BadInput if it is refused. Ctrl-C ends the wait.
    """
    with _held(fcntl.LOCK_EX, f"{what} (process {os.getpid()})", wait, told):
        yield


@contextlib.contextmanager
def shared(*, wait: bool = True, told: Callable[[str], None]) -> Iterator[bool]:
    """This host beside others, after the experiments that measure and came before. See `exclusive`.

    Yields whether it had to wait.
    """
    with _held(fcntl.LOCK_SH, "", wait, told) as waited:
        yield waited


@contextlib.contextmanager
def _held(kind: int, who: str, wait: bool, told: Callable[[str], None]) -> Iterator[bool]:
    """who: the holder, if it is alone."""
    with contextlib.ExitStack() as held:
        waited = False
        try:
            waited = _take(held, kind, who, wait, told)
        except OSError as error:
            why = f"runs of this host cannot wait for each other: {error.filename or 'flock'}: {error.strerror}"
            if why not in _said:
                _said.add(why)
                told(why)
        yield waited


def _take(held: contextlib.ExitStack, kind: int, who: str, wait: bool, told: Callable[[str], None]) -> bool:
    """Take the host until `held` ends. Returns whether it had to wait. Raises: BadInput, OSError."""
    folder, waited = host_folder(), False
    held.callback(os.close, folder)
    host = held.enter_context(_Lock(folder, HOST))
    with _Lock(folder, GATE) as gate:
        for lock, how in ((gate, "in line for this host"), (host, "alone on this host")):
            if not lock.take(kind | fcntl.LOCK_NB):
                whom = host.holder() or (gate.holder() if lock is gate else "") or _flying(folder)
                if not wait:
                    raise BadInput("this host", f"it is not free: {whom}",
                                   f"leave out --no-wait to wait{'' if who else ', or run at the same time: --beside'}")
                if not waited:
                    told(f"waiting for {whom}")
                waited = True
                lock.take(kind)
            lock.say(f"{who}, {how} since {local_time()}" if who else "")
    return waited


def _flying(folder: int) -> str:
    return "; ".join(shortened(runs_now(folder))) or "another run of this host"


class _Lock:
    """A file that is locked from `take` to the end of the block. It says what holds it alone, or nothing."""

    def __init__(self, folder: int, name: str) -> None:
        self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        self._taken = False
        _open.add(self._file)

    def __enter__(self) -> _Lock:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):           # the words are of no use to anybody then
            if self._taken:
                self.say("")
        _open.discard(self._file)
        os.close(self._file)

    def take(self, kind: int) -> bool:
        try:
            fcntl.flock(self._file, kind)
        except BlockingIOError:
            return False
        self._taken = True
        return True

    def say(self, words: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, words.encode(errors="backslashreplace")[:MOST_BYTES], 0)

    def holder(self) -> str:
        return os.pread(self._file, MOST_BYTES, 0).decode(errors="replace")


def _let_go() -> None:
    """A forked child gives up its copies: with them it would keep the locks of a parent that has died."""
    for file in _open:
        os.close(file)
    _open.clear()


os.register_at_fork(after_in_child=_let_go)
