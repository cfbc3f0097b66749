"""The supervisor: removes a run's keys and ends its processes when their launcher has died, however it died.

It runs as a program of its own, in its own session, and reads session ids from standard input, one per line (`-ID`:
that session has ended). Only the launcher holds the other end, so end of file means that the launcher has died. A child
that the supervisor has not been told of yet ends by its lifeline. Its argument is the descriptor of the folder with the
keys. The lock of the run folder, which it inherits too, lasts until it ends. Imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterable

LOOK_S = 0.02                        # between two readings of /proc
GRACE_LOOKS = 50                     # 1 s from SIGTERM to SIGKILL
KILL_LOOKS = 150                     # 3 s more


def members(sessions: Iterable[int]) -> list[int]:
    """Pids of the processes that live in these sessions; a zombie counts as dead."""
    wanted = set(sessions)
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return [pid for pid in pids if _session(pid) in wanted and _lives(pid)]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:                       # it ended meanwhile
        return 0


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:                                  # no descriptor is free: nothing says that it has ended
        return True


def remove_folder(descriptor: int) -> None:
    """Remove an open folder with its contents, wherever it has been moved to. Raises: OSError if something stays."""
    with contextlib.suppress(FileNotFoundError):     # it was removed already
        for _, folders, files, at in os.fwalk(".", topdown=False, dir_fd=descriptor):
            for name in files:
                os.unlink(name, dir_fd=at)
            for name in folders:
                os.rmdir(name, dir_fd=at)
        os.rmdir(os.readlink(f"/proc/self/fd/{descriptor}"))


def signal_sessions(sessions: Iterable[int], number: int) -> list[int]:
    """Send a signal to all processes of these sessions. Returns the pids that were alive."""
    living = members(sessions)
    for pid in living:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return living


def end_sessions(sessions: Iterable[int], grace_looks: int = GRACE_LOOKS) -> list[int]:
    """SIGTERM, 1 s of grace, then SIGKILL until none is left or 3 s have passed. Returns the pids that are left."""
    wanted = set(sessions)
    living = signal_sessions(wanted, signal.SIGTERM)
    for _ in range(grace_looks):
        if not living:
            return []
        select.select([], [], [], LOOK_S)
        living = members(wanted)
    for _ in range(KILL_LOOKS):
        living = signal_sessions(wanted, signal.SIGKILL)     # again: one that was forking has a new child
        if not living:
            return []
        select.select([], [], [], LOOK_S)
    return members(wanted)


def main() -> None:
    """Keep the list of sessions. When the launcher has ended, remove its keys and end all sessions of the list."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    with open(0, "rb") as lines:
        for line in lines:
            number = int(line)
            if number > 0:
                sessions.add(number)
            else:
                sessions.discard(-number)
    for descriptor in map(int, sys.argv[1:]):
        with contextlib.suppress(OSError):           # the launcher tells of keys that stay, if it lives
            remove_folder(descriptor)
    end_sessions(sessions)


if __name__ == "__main__":
    main()
