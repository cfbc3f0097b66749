"""What a run needs of this host."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from swarm.core.settings.errors import BadInput
from swarm.launcher import host_checks


def test_the_loopback_of_this_host_is_up() -> None:
    host_checks.check_loopback()


def test_a_loopback_that_is_down_is_said_in_one_line() -> None:
    with pytest.raises(BadInput, match=r"loopback: processes on this host cannot connect to each other: .+; the "):
        host_checks.check_loopback("192.0.2.1")              # an address of no machine


@pytest.mark.parametrize(("wanted", "cores", "robots"), [
    (5, 2.0, 5),                                         # the launch file's fleet, on two cores as fast as the cards'
    (5, 0.95, 4),
    (5, 0.1, 3),                                         # never fewer
    (2, 0.1, 2),                                         # unless no more are wanted
])
def test_host_bears_so_many_robots(wanted: int, cores: float, robots: int) -> None:
    assert host_checks.bearable_robots(wanted, cores) == robots


@pytest.mark.parametrize(("display", "told"), [
    ("", "there is no display: DISPLAY is not set"), ("screen", "DISPLAY is 'screen'"), (":x", "DISPLAY is ':x'"),
    (":4", "the display :4 cannot be reached: No such file"), ("unix:4.0", "the display unix:4.0 cannot be reached")])
def test_a_window_without_a_display_is_refused(
    display: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_checks, "X_SOCKET", f"{tmp_path}/X{{}}")
    with pytest.raises(BadInput, match=rf"^--gui: {told}.*; a desktop, or `xvfb-run swarm ...`$"):
        host_checks.check_display("--gui", display)


def test_a_display_is_a_socket_of_this_host_or_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_checks, "X_SOCKET", f"{tmp_path}/X{{}}")
    with socket.socket(socket.AF_UNIX) as own, socket.create_server(("127.0.0.1", 0)) as other:
        own.bind(f"{tmp_path}/X3")
        own.listen()
        host_checks.check_display("--gui", ":3")
        host_checks.check_display("--gui", "unix:3.1")
        monkeypatch.setattr(host_checks, "X_PORT", other.getsockname()[1] - 10)
        host_checks.check_display("--gui", "127.0.0.1:10.0")
