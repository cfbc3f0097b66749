"""The line that says what a long command is doing."""

from __future__ import annotations

import io
import sys

import pytest

from swarm.cli import status_line
from swarm.cli.status_line import StatusLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_newest_text_and_nothing_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with StatusLine() as status:
        status("measuring [fp32]")
        status("measuring int8")
        assert "measuring [fp32]" in terminal.getvalue()
        assert "measuring int8" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")       # the line is cleared


def test_elsewhere_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with StatusLine() as status:
        status("soon")
        monkeypatch.setattr(status_line, "EVERY_S", 0.0)
        status("later")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "later\n")
