"""Looks up names of hosts in threads of their own, because a look-up can take many seconds.

ZeroMQ would look names up, at every try to connect, in the thread that moves all messages. So it is given numbers only.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from swarm.net import mdns
from swarm.net.loop import Loop

LookUp = Callable[[str], str]


def look_up_ipv4(host: str) -> str:
    """The address of a host: as the system finds it, else by multicast DNS. Raises: OSError if it cannot be found."""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
    except OSError:
        if not mdns.is_local(host):
            raise
        return mdns.look_up(host)


class NameLookup:
    """Calls back in the loop's thread. look_up: the address of a host; raises OSError if there is none."""

    def __init__(self, loop: Loop, look_up: LookUp = look_up_ipv4) -> None:
        self._loop, self._look_up = loop, look_up

    def start(self, host: str, done: Callable[[str, str], None]) -> None:
        """Look up the name of a host. done: called with its address, and the cause if it is not found."""
        def run() -> None:
            address = cause = ""
            try:
                address = self._look_up(host)
            except (OSError, UnicodeError) as error:
                cause = getattr(error, "strerror", None) or str(error)
            self._loop.post(lambda: done(address, cause))

        threading.Thread(target=run, name=f"look-up of {host}", daemon=True).start()
