"""What `swarm launch` says at the end."""

from __future__ import annotations

from pathlib import Path

from swarm.cli.commands.launch import _result
from tests.telemetry import fakes


def test_a_report_is_named_only_if_it_was_written(tmp_path: Path) -> None:
    of = fakes.launch(duration_s=1, faults=[])
    summary = fakes.summary(of, fakes.ledger(of))
    assert "report:" not in _result(summary, tmp_path)
    (tmp_path / "report.html").touch()
    assert _result(summary, tmp_path).endswith(f"report: {tmp_path / 'report.html'}")
