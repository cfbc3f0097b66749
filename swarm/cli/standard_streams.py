"""Standard input, output and error, usable however the caller has left them.

They may be closed, full, ASCII, or a pipe whose reader has gone. No command ends early because of that: what cannot be
written is counted, and said once at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

LAST = 2                             # descriptors 0, 1 and 2 are the standard streams


class ForgivingStream:
    """A text stream that raises no OSError. `lost`: writes that failed; `why`: the first error."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.lost = 0
        self.why: OSError | None = None

    def write(self, text: str) -> int:
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def finish(self) -> None:
        """Write what is left. After an error, nothing is left for the interpreter to write at its end."""
        self.flush()
        if self.why is not None:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self.lost += 1
            self.why = self.why or error


@contextlib.contextmanager
def standard_streams() -> Iterator[tuple[ForgivingStream, ForgivingStream]]:
    """Within, sys.stdout and sys.stderr are these two streams."""
    _open_missing()
    before = sys.stdout, sys.stderr
    for stream in filter(None, before):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")    # pyright: ignore[reportAttributeAccessIssue]
    with open(os.devnull, "w") as null:
        streams = ForgivingStream(before[0] or null), ForgivingStream(before[1] or null)
        sys.stdout, sys.stderr = streams                     # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield streams
        finally:
            sys.stdout, sys.stderr = before
            for stream in streams:
                stream.finish()


def said_of(out: ForgivingStream) -> str:
    """The line for the user if standard output failed; empty if only its reader has gone, as with `head`."""
    if out.why is None or out.why.errno == errno.EPIPE:
        return ""
    return f"standard output: {out.why.strerror}"


def _open_missing() -> None:
    """Open what is closed, so that no file of ours gets the number of a standard stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= LAST:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
