"""Addresses: which can be right, and which stay on this machine."""

from __future__ import annotations

import pytest

from swarm.core.settings import addresses


@pytest.mark.parametrize("host", [
    "10.0.0.7", "rover-1", "rover_1.local", "a.b.example.", "[::1]", "[fe80::1%eth0]", "[2001:db8::7]",
    "[::ffff:10.0.0.1]"])
def test_hosts(host: str) -> None:
    assert addresses.is_endpoint(f"tcp://{host}:7000")
    assert addresses.is_bind(host)
    assert addresses.is_bind(f"{host}:7000")
    assert addresses.split(f"{host}:7000") == (host, "7000")
    assert addresses.host_of(f"tcp://{host}:7000") == host


@pytest.mark.parametrize("host", [
    "", "10.0.0", "10.0.0.256", "10.0.0.0.1", "1", "-a", "a-", "a..b", "a b", "é", "a/b", "::1", "fe80::1", "[::1",
    "::1]", "[]", "[:::]", "[1.2.3.4]", "[::1%]", "[::g]", "x" * 64, "a." * 127, "\0", "a\n"])
def test_what_cannot_be_a_host(host: str) -> None:
    assert not addresses.is_endpoint(f"tcp://{host}:7000")
    assert not addresses.is_bind(f"{host}:7000")


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "http", "²", "\u0667", "9" * 400])
def test_ports_that_cannot_be_right(port: str) -> None:
    assert not addresses.is_endpoint(f"tcp://a:{port}")
    assert not addresses.is_bind(f"a:{port}")


def test_the_bulk_lane_needs_the_next_port() -> None:
    assert addresses.is_endpoint("tcp://a:65535")
    assert not addresses.is_bind("a:65535")


@pytest.mark.parametrize(("address", "local"), [
    ("127.0.0.1", True), ("127.3.2.1:7000", True), ("localhost", True), ("tcp://[::1]:7000", True), ("[::1]", True),
    ("127.evil.example", False), ("127.0.0.256", False), ("[::]", False), ("[fe80::1]", False), ("*", False),
    ("::1", False), ("localhost.example", False),
])
def test_what_stays_on_this_machine(address: str, local: bool) -> None:
    assert addresses.on_loopback(address) is local
