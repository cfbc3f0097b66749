"""The supervisor: ends the sessions of a run's processes when their launcher has died, however it died.

It runs as a program of its own, in its own session, and reads session ids from standard input, one per line (`-ID`:
that session has ended). Only the launcher holds the other end, so end of file means that the launcher has died. A child
that the supervisor has not been told of yet ends by its lifeline. Imports nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable

LOOK_S = 0.02                        # between two readings of /proc
GRACE_LOOKS = 50                     # 1 s from SIGTERM to SIGKILL
KILL_LOOKS = 150                     # 3 s more


def members(sessions: Iterable[int]) -> list[int]:
    """Pids of the processes that live in these sessions; a zombie counts as dead."""
    wanted = {str(session).encode() for session in sessions}
    found: list[int] = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    state, _ppid, _group, session = stat.read().rpartition(b")")[2].split()[:4]
            except OSError:
                continue                             # it ended meanwhile
            if session in wanted and state not in (b"Z", b"X"):
                found.append(int(entry))
    return found


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
    """Keep the list of sessions. When the launcher has ended, end all sessions of the list."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sessions: set[int] = set()
    with open(0, "rb") as lines:
        for line in lines:
            number = int(line)
            if number > 0:
                sessions.add(number)
            else:
                sessions.discard(-number)
    end_sessions(sessions)


if __name__ == "__main__":
    main()
