"""The bench of two lanes on a slow link, and the namespaces that it makes and removes."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from swarm.bench.lanes import bench as lanes
from swarm.cli.main import main
from swarm.netns import namespaces

NEEDED = ("swarm-bench", "10mbit", "32kb", "400ms")


def may_make_namespaces() -> bool:
    """Whether this process has the tools and the privilege."""
    if not (shutil.which("ip") and shutil.which("tc")):
        return False
    name = f"swarm-test-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return True


privileged = pytest.mark.skipif(not may_make_namespaces(), reason="needs root, ip and tc")


@privileged
@pytest.mark.long
def test_the_lanes_are_measured_beside_plain_tcp_and_nothing_is_left_behind() -> None:
    figures = lanes.measure(rounds=1, urgent=50, rate="200mbit")
    assert 0 < figures.urgent_alone_p50_us <= figures.urgent_alone_p99_us
    assert 0 < figures.urgent_beside_bulk_p50_us <= figures.urgent_beside_bulk_p99_us
    assert figures.added_ms_rounds == [figures.added_ms]
    assert figures.urgent_messages == 50
    assert figures.tensors > 0
    assert 0 < figures.link_mbps < 200                      # shaped: loopback would carry thousands
    assert 0 < figures.bulk_mbps < 200
    assert not ours()


def ours() -> list[str]:
    """Namespaces of this process."""
    return [name for name in namespaces.present() if f"-{os.getpid()}-" in name]


@privileged
def test_namespaces_go_when_the_bench_fails_or_is_interrupted() -> None:
    def fail(error: type[BaseException]) -> None:
        with namespaces.joined(*NEEDED) as (a, b):
            assert sorted(ours()) == [a.namespace, b.namespace]
            raise error

    for error in (RuntimeError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            fail(error)
        assert not ours()


@privileged
def test_what_a_killed_bench_left_behind_is_removed_but_not_what_another_one_uses() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    stale, used = f"swarm-bench-{gone.pid}-a", "swarm-bench-1-b"
    for name in (stale, used):
        subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with namespaces.joined(*NEEDED):
            assert stale not in namespaces.present()
            assert used in namespaces.present()
    finally:
        subprocess.run(["ip", "netns", "delete", used], check=True)


def test_without_the_tools_it_is_bad_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["bench", "lanes", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "swarm: swarm bench lanes: ip is not installed; root, with ip and tc (package iproute2)\n"


def test_without_the_privilege_it_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*command: str) -> str:
        if command == ("ip", "netns", "list"):
            return ""
        raise subprocess.CalledProcessError(1, command, stderr="mount --make-shared /run/netns failed: not permitted\n")

    monkeypatch.setattr(namespaces, "_run", refused)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    assert main(["bench", "lanes"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("swarm: swarm bench lanes: `ip netns add swarm-bench-")
    assert err.endswith("; root, with ip and tc (package iproute2)\n")
    assert err.count("\n") == 1
