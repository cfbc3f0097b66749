"""The folder in which the real-time runs of one user on this host see each other.

Each run keeps a file there, and keeps it locked: the kernel gives the lock up when its process has ended, however it
ended. A run that begins adds its name to the files of those that are on. So the later one of two sees the earlier one
at its begin, and the earlier one finds the later one in its own file at its end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from swarm.core.clock import WallClock

TEMPORARY = Path("/tmp")             # not $TMPDIR: a batch system gives each job one of its own
RUN = ".run"                         # suffix of the file of a run
LONGEST_NAME = 300                   # letters
MOST_BYTES = 64 << 10                # of a file: names of at least 200 runs
SHOWN = 5                            # runs that are named; the others are counted


def host_folder() -> int:
    """A descriptor of the folder, which is made if need be; no other user can write into it. Raises: OSError.

    It is in $XDG_RUNTIME_DIR, or where that usually is, else in /tmp.
    """
    user = os.geteuid()
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}")
    with contextlib.suppress(OSError, ValueError):   # it is no folder of ours, or no path at all
        if runtime.is_absolute() and runtime.stat().st_uid == user:
            return _opened(runtime / "swarm")
    return _opened(TEMPORARY / f"swarm-{user}")


def _opened(place: Path) -> int:
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700)
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    of = os.fstat(folder)
    if of.st_uid != os.geteuid() or of.st_mode & 0o022:
        os.close(folder)
        raise PermissionError(errno.EPERM, "other users can write into it", str(place))
    return folder


def runs_now(folder: int) -> list[str]:
    """The names of the runs that are on. folder: from `host_folder`. Raises: OSError."""
    return [name for name, _ in _runs(folder)]


def shortened(items: Sequence[str]) -> list[str]:
    """The first few, and how many more there are."""
    more = len(items) - SHOWN
    return [*items[:SHOWN], *([f"{more} more"] if more > 0 else [])]


class ListedRun:
    """This run, listed for the others of this host while it is entered."""

    def __init__(self, name: str) -> None:
        """name: for people."""
        words = " ".join(f"{name[-LONGEST_NAME:]} (process {os.getpid()})".split())
        self._line = f"{words}\n".encode(errors="backslashreplace")
        self._before: list[str] | None = None        # runs that were on at the begin; None: there is no folder
        self._held = contextlib.ExitStack()
        self._file = -1

    def __enter__(self) -> ListedRun:
        with contextlib.suppress(OSError):           # then this run and the others do not see each other
            folder = host_folder()
            self._held.callback(os.close, folder)
            own, before = self._list(folder), list[str]()
            for name, file in _runs(folder, own):
                before.append(name)
                if os.fstat(file).st_size < MOST_BYTES:
                    os.write(file, self._line)
            self._before = before
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):           # somebody has removed the file, or the folder
            self._held.close()

    def overlapped(self) -> list[str] | None:
        """The other runs that were on at any time since this one began, in words; None: it cannot be known.

        It must be entered.
        """
        if self._before is None:
            return None
        later = [name for name in dict.fromkeys(_lines(self._file)[1:]) if name not in self._before]
        found = [f"{name} was on when this run began" for name in self._before]
        found += [f"{name} began while this run was on" for name in later]
        return shortened(found)

    def _list(self, folder: int) -> str:
        """Make this run's file, and lock it. Returns its name."""
        while True:
            own = f"{os.getpid()}-{WallClock().new_boot()}{RUN}"
            self._file = os.open(own, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600, dir_fd=folder)
            self._held.callback(os.close, self._file)
            os.write(self._file, self._line)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_nlink:        # else another run took it for a dead one's before it was locked
                self._held.callback(os.unlink, own, dir_fd=folder)
                return own


def _runs(folder: int, own: str = "") -> Iterator[tuple[str, int]]:
    """Name and open file of each run that is on, but for `own`; the files of dead ones are removed."""
    for entry in sorted(os.listdir(folder)):
        if not entry.endswith(RUN) or entry == own:
            continue
        with contextlib.ExitStack() as opened, contextlib.suppress(FileNotFoundError):
            file = os.open(entry, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW, dir_fd=folder)
            opened.callback(os.close, file)
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)     # shared: two that look do not see each other
            except BlockingIOError:
                yield (_lines(file) or ["a run"])[0], file
            else:
                os.unlink(entry, dir_fd=folder)


def _lines(file: int) -> list[str]:
    return os.pread(file, MOST_BYTES + LONGEST_NAME, 0).decode(errors="replace").splitlines()
