"""Two network namespaces joined by a link of a known rate, made for one bench and removed after it.

Shaping is a token bucket (`tbf`) on both ends of a veth pair. Needs root, `ip` and `tc`. Each name contains the pid of
its bench, so that the next bench finds and removes the namespaces of a killed one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import msgspec

from swarm.core.settings.errors import BadInput

NAME = re.compile(r"swarm-bench-(\d+)-[ab]")
DEVICE = "swarm0"
WANT = "root, with ip and tc (package iproute2)"


class Side(msgspec.Struct, frozen=True):
    """One end of the link: a command line after `prefix` runs there."""

    namespace: str
    address: str

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace]


@contextlib.contextmanager
def joined(where: str, rate: str, burst: str, latency: str) -> Iterator[tuple[Side, Side]]:
    """Two sides and the link between them, removed at the end of the block, also after an error.

    Args: where: the bench, for the error. rate, burst, latency: of the token bucket, in tc's units.
    Raises: BadInput without the privilege or the tools.
    """
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            raise BadInput(where, f"{tool} is not installed", WANT)
    a, b = (Side(f"swarm-bench-{os.getpid()}-{end}", f"10.213.0.{i}") for i, end in ((1, "a"), (2, "b")))
    try:
        try:
            _remove_stale()
            for side in (a, b):
                _run("ip", "netns", "add", side.namespace)
            _run("ip", "-n", a.namespace, "link", "add", DEVICE, "type", "veth",
                 "peer", "name", DEVICE, "netns", b.namespace)
            for side in (a, b):
                _run("ip", "-n", side.namespace, "address", "add", f"{side.address}/30", "dev", DEVICE)
                _run("ip", "-n", side.namespace, "link", "set", "lo", "up")
                _run("ip", "-n", side.namespace, "link", "set", DEVICE, "up")
                _run("tc", "-n", side.namespace, "qdisc", "add", "dev", DEVICE, "root", "tbf",
                     "rate", rate, "burst", burst, "latency", latency)
        except subprocess.CalledProcessError as error:
            raise BadInput(where, f"`{' '.join(error.cmd)}` says {error.stderr.strip()!r}", WANT) from None
        yield a, b
    finally:
        for side in (a, b):
            _remove(side.namespace)


def congestion_control(side: Side) -> str:
    """TCP's congestion control there: `cubic` fills the queue before a slow link, `bbr` hardly does."""
    return _run(*side.prefix, "cat", "/proc/sys/net/ipv4/tcp_congestion_control").strip()


def present() -> list[str]:
    """Namespaces of all benches on this machine."""
    return [line.split()[0] for line in _run("ip", "netns", "list").splitlines() if NAME.match(line)]


def _remove_stale() -> None:
    for namespace in present():
        match = NAME.match(namespace)
        if match is not None and not os.path.exists(f"/proc/{match[1]}"):
            _remove(namespace)


def _remove(namespace: str) -> None:
    """Delete a namespace and its veth pair. Processes in it lose their network."""
    if namespace in present():
        _run("ip", "netns", "delete", namespace)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
