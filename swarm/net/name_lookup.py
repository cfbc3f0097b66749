"""Looks up names of hosts in threads of their own, because a look-up can take many seconds.

ZeroMQ looks names up in the thread that moves all messages, and says nothing where a name is unknown. So it is given
only names that are known to resolve.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from swarm.net.loop import Loop

LookUp = Callable[[str], object]


def look_up_ipv4(host: str) -> object:
    """Raises: OSError for a name that does not resolve."""
    return socket.getaddrinfo(host, None, socket.AF_INET)


class NameLookup:
    """Calls back in the loop's thread. look_up: returns if the name of a host resolves, else raises OSError."""

    def __init__(self, loop: Loop, look_up: LookUp = look_up_ipv4) -> None:
        self._loop, self._look_up = loop, look_up

    def start(self, host: str, done: Callable[[str], None]) -> None:
        """Look up the name of a host. done: called with the cause if it does not resolve, else with an empty text."""
        def run() -> None:
            try:
                self._look_up(host)
                cause = ""
            except (OSError, UnicodeError) as error:
                cause = getattr(error, "strerror", None) or str(error)
            self._loop.post(lambda: done(cause))

        threading.Thread(target=run, name=f"look-up of {host}", daemon=True).start()
