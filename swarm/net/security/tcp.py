"""Looks at TCP connections that belong to ZeroMQ, by their descriptors: how far they are, and who has them.

ZeroMQ may close a connection at any time, and the kernel may give its descriptor to a later one; a cookie tells them
apart.
"""

from __future__ import annotations

import fcntl
import os
import socket as kernel
import struct
import termios
from typing import NamedTuple

from swarm.net.descriptors import reserved

SO_COOKIE = 57
NO_LINGER = struct.pack("ii", 1, 0)  # the kernel drops its buffers on close
ACKED_AT, INFO_BYTES = 120, 256      # of tcpi_bytes_acked and tcpi_bytes_received in struct tcp_info


class Progress(NamedTuple):
    """What the kernel has moved on a connection."""

    acked: int                       # bytes of ours that the other side has
    received: int


def received_bytes(descriptor: int) -> int:
    """Bytes that the kernel has received so far. Raises: OSError if the connection is closed."""
    return progress(descriptor).received


def progress(descriptor: int) -> Progress:
    """How far a connection is. Raises: OSError if it is closed."""
    view = _view(descriptor)
    try:
        info = view.getsockopt(kernel.IPPROTO_TCP, kernel.TCP_INFO, INFO_BYTES)
    finally:
        view.detach()
    return Progress(*struct.unpack_from("QQ", info, ACKED_AT))


def _view(descriptor: int) -> kernel.socket:
    """A socket object on a descriptor that is not ours; to be detached. No new descriptor is needed for it."""
    # With all four arguments given, Python does not ask the kernel for them.
    return kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, descriptor)


def cookie_and_address(descriptor: int) -> tuple[bytes, str]:
    """Raises: OSError if the connection is closed."""
    view = _view(descriptor)
    try:
        peer = view.getpeername()
        return _cookie(view), str(peer[0]) if isinstance(peer, tuple) else "?"
    finally:
        view.detach()


def is_open(descriptor: int, cookie: bytes) -> bool:
    """Whether a descriptor is still that of this connection."""
    try:
        return cookie_and_address(descriptor)[0] == cookie
    except OSError:
        return False


def taken_bytes(descriptor: int, cookie: bytes) -> int:
    """Bytes that ZeroMQ has taken from the kernel. Raises: OSError if this connection is closed."""
    with _duplicate(descriptor) as view:
        if _cookie(view) != cookie:
            raise OSError("another connection has its descriptor")
        (unread,) = struct.unpack("i", fcntl.ioctl(view, termios.FIONREAD, bytes(4)))
        return received_bytes(view.fileno()) - unread


def close_now(descriptor: int, cookie: bytes) -> bool:
    """Close a connection without sending what waits. Returns whether it was open. Raises: OSError likewise."""
    with _duplicate(descriptor) as view:
        if _cookie(view) != cookie:
            return False
        view.setsockopt(kernel.SOL_SOCKET, kernel.SO_LINGER, NO_LINGER)
        view.shutdown(kernel.SHUT_RDWR)
        return True


def _duplicate(descriptor: int) -> kernel.socket:
    """A duplicate of the descriptor, so that ZeroMQ may close its own meanwhile. Raises: OSError."""
    with reserved():
        return kernel.socket(kernel.AF_INET, kernel.SOCK_STREAM, 0, os.dup(descriptor))


def _cookie(view: kernel.socket) -> bytes:
    return view.getsockopt(kernel.SOL_SOCKET, SO_COOKIE, 8)
