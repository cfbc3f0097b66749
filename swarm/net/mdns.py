"""Looks up names of the local link (NAME.local) by multicast DNS (RFC 6762), where the system does not.

It alone imports zeroconf, which only boards need whose addresses are such names (extra `boards`).
"""

from __future__ import annotations

import contextlib
import errno

TIMEOUT_MS = 3000.0
MISSING = "the system does not find it, and zeroconf, which would ask the local link, is not installed: extra `boards`"


def is_local(host: str) -> bool:
    """Whether multicast DNS is responsible for a name."""
    return host.lower().rstrip(".").endswith(".local")


def look_up(host: str) -> str:
    """The IPv4 address of a name. Raises: OSError if nobody answers or can be asked, or zeroconf is not installed."""
    try:
        from zeroconf import AddressResolverIPv4, Error, IPVersion, Zeroconf  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise OSError(errno.ENOPKG, MISSING) from None
    try:
        with contextlib.closing(Zeroconf(ip_version=IPVersion.V4Only)) as asking:
            resolver = AddressResolverIPv4(f"{host.rstrip('.')}.")
            resolver.request(asking, TIMEOUT_MS)
            found = resolver.parsed_addresses(IPVersion.V4Only)
    except (Error, RuntimeError) as error:           # as where zeroconf's own thread does not start in time
        raise OSError(errno.EIO, f"the local link cannot be asked: {error!r}") from None
    if not found:
        raise OSError(errno.EHOSTUNREACH, "nobody on the local link has this name")
    return found[0]
