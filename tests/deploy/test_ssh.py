"""A board over ssh: its answers, and what goes wrong, in one line each. `ssh` is a script here."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from swarm.deploy.boards.answers import Status
from swarm.deploy.boards.facts import ask
from swarm.deploy.boards.ports import NotUsable, Unreachable, keeper
from swarm.deploy.boards.ssh import SshBoard
from swarm.deploy.inventory import BoardAt

HERE = """#!/bin/sh
# Runs the command here. -N: the shared connection; -O: its end.
for word in "$@"; do
  case "$word" in
    -N|-O) exit 0;;
  esac
  last=$word
done
exec sh -c "$last"
"""
CHANGED = "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed."


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshBoard:
    ssh(tmp_path, HERE)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("swarm.deploy.boards.ssh.look_up_ipv4", lambda host: "10.0.0.7")
    return SshBoard(BoardAt(address="rover.local", login="root"), tmp_path / "known_hosts")


def ssh(folder: Path, text: str) -> None:
    (folder / "ssh").write_text(text)
    (folder / "ssh").chmod(0o755)


def says(folder: Path, text: str, code: int = 255) -> None:
    """ssh cannot connect."""
    ssh(folder, f'#!/bin/sh\nwhile [ "$1" != "" ]; do [ "$1" = -E ] && log=$2; shift; done\n'
                f'printf "%s\\n" "{text}" > "$log"\nexit {code}\n')


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOPKG, NotUsable), (errno.EHOSTUNREACH, Unreachable)])
def test_a_local_name_that_is_not_found_is_one_line(
    board: SshBoard, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def fails(host: str) -> str:
        raise OSError(number, "zeroconf is not installed")

    monkeypatch.setattr("swarm.deploy.boards.ssh.look_up_ipv4", fails)
    with pytest.raises(kind, match=r"^rover\.local cannot be found: zeroconf is not installed$"):
        board.run("true")


def test_a_local_name_is_asked_for_anew_at_each_connection(
    board: SshBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, HERE.replace("-N|-O)", f'-oHostName=*) echo "$word" >> {tmp_path}/told;;\n    -N|-O)'))
    board.run("true")
    monkeypatch.setattr("swarm.deploy.boards.ssh.look_up_ipv4", lambda host: "10.0.0.8")
    board._up = False                                # the connection was lost
    board.run("true")
    board.close()
    assert set((tmp_path / "told").read_text().split()) == {"-oHostName=10.0.0.7", "-oHostName=10.0.0.8"}


def test_a_command_takes_input_and_gives_output(board: SshBoard) -> None:
    done = board.run("sh", "-c", "cat; echo said >&2; exit 3", stdin=[b"one ", b"two"])
    assert (done.code, done.out, done.err) == (3, b"one two", "said\n")
    board.close()


def test_a_board_says_what_it_is(board: SshBoard) -> None:
    facts = ask(board)
    assert facts.python.startswith("3.")
    assert facts.memory_bytes > 0
    board.close()


@pytest.mark.parametrize(("text", "kind", "said"), [
    (CHANGED, NotUsable, "its host key has changed"),
    ("pilot@rover.local: Permission denied (publickey).", NotUsable, "does not accept the login"),
    ("ssh: connect to host rover.local port 22: No route to host", Unreachable, "No route to host"),
])
def test_what_ssh_says_is_told_in_a_line(
    board: SshBoard, tmp_path: Path, text: str, kind: type[Exception], said: str
) -> None:
    says(tmp_path, text)
    with pytest.raises(kind, match=said):
        board.run("true")
    board.close()


def test_a_login_without_sudo_is_told(tmp_path: Path, board: SshBoard) -> None:
    (tmp_path / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    (tmp_path / "sudo").chmod(0o755)
    pilot = SshBoard(BoardAt(address="rover.local", login="pilot"), tmp_path / "known_hosts")
    with pytest.raises(NotUsable, match="sudo"):
        pilot.run("true", root=True)
    for one in (board, pilot):
        one.close()


def test_a_keeper_that_does_not_answer_in_json_is_told(board: SshBoard) -> None:
    with pytest.raises(NotUsable, match="its keeper failed"):
        keeper(board, "status", Status, at="/nowhere/keeper.pyz")
    board.close()


def test_a_handshake_that_stalls_is_a_board_that_cannot_be_reached(
    board: SshBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stalls(words: list[str], timeout: float, **more: object) -> None:
        raise subprocess.TimeoutExpired(words, timeout)

    board.run("true")
    board._log.write_text("Transferred: sent 5, received 6 bytes")
    monkeypatch.setattr("swarm.deploy.boards.ssh.subprocess.run", stalls)
    board._up = False                                # the connection was lost
    with pytest.raises(Unreachable, match="no login within 30 s"):
        board.run("true")
    board._up = True                                 # its end stalls, too
    board.close()
    assert (board.sent_bytes, board.received_bytes) == (5, 6)


def test_the_length_of_an_answer_is_bounded(board: SshBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarm.deploy.boards.ssh.MOST_BYTES", 10)
    done = board.run("sh", "-c", "printf %20s | tee /dev/stderr")
    assert (len(done.out), len(done.err)) == (10, 10)
    board.close()
