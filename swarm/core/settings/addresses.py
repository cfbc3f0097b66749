"""Addresses in files and messages: a host (a name, IPv4, or IPv6 in brackets), and a port."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*\.?")
IPV4 = re.compile(r"[0-9.]+")
IPV6 = re.compile(r"\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]")
SPLIT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", re.DOTALL)
TCP = "tcp://"
ANY_HOST = "*"
REMEMBERED = 4096                    # addresses whose form is known: each is checked by every process of a simulation
HOST_FORM = "HOST is a name, IPv4, or IPv6 in brackets"


def split(address: str) -> tuple[str, str | None]:
    """Host and port of HOST or HOST:PORT, not checked; no port: None. Of other text: itself, as the host."""
    match = SPLIT.fullmatch(address)
    return (match[1], match[2]) if match else (address, None)


def host_of(endpoint: str) -> str:
    """The host of tcp://HOST:PORT, not checked."""
    return split(endpoint.removeprefix(TCP))[0]


def at_host(endpoint: str, host: str) -> str:
    """tcp://HOST:PORT with another host."""
    return f"{TCP}{host}:{split(endpoint.removeprefix(TCP))[1]}"


@lru_cache(REMEMBERED)
def is_number(host: str) -> bool:
    """Whether it is a valid IPv4 or IPv6 address."""
    try:
        return bool(
            (IPV4.fullmatch(host) and ipaddress.IPv4Address(host))
            or (IPV6.fullmatch(host) and ipaddress.IPv6Address(host[1:-1])))
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Whether it can be a host: a valid number, or a name that may exist."""
    return is_number(host) or (NAME.fullmatch(host) is not None and IPV4.fullmatch(host) is None)


def is_ipv6(address: str) -> bool:
    return "[" in address


def is_port(digits: str | None, most: int = 65_535) -> bool:
    return digits is not None and re.fullmatch(r"[0-9]{1,5}", digits) is not None and 1 <= int(digits) <= most


def is_bind(address: str) -> bool:
    """Whether it is HOST or HOST:PORT, where HOST may be `*`. The bulk lane uses the next port."""
    host, port = split(address)
    return (host == ANY_HOST or is_host(host)) and (port is None or is_port(port, 65_534))


@lru_cache(REMEMBERED)
def is_endpoint(address: str) -> bool:
    """Whether it is tcp://HOST:PORT."""
    host, port = split(address.removeprefix(TCP))
    return address.startswith(TCP) and is_host(host) and is_port(port)


@lru_cache(REMEMBERED)
def on_loopback(address: str) -> bool:
    """Whether traffic with this host or endpoint stays on this machine."""
    host = host_of(address)
    return host in ("localhost", "[::1]") or (is_number(host) and host.startswith("127."))
