"""`swarm launch --require-accepted`: the exit code says whether the rules of the launch file hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.cli.main import main

LAUNCH = """\
version: 1
scenario: patrol
duration_s: 1
clock: virtual
policy: local
fleet: [{name: rover, count: 1, board: orin_nano, physics: kinematic}]
streams: [{name: detect, on: [rover], model: detector, rate_hz: 2, deadline_s: 0.5}]
"""


@pytest.mark.parametrize(("accept", "code", "says"), [
    ('accept: {lost: "== 0"}', 0, ""),
    ('accept: {lost: "== 0", offload.share: "> 0.5"}', 1, "swarm: the run is not accepted: offload.share > 0.5\n"),
    ("", 2, "swarm: --require-accepted: the launch file has no `accept`; a launch file with rules\n"),
])
def test_the_exit_code_says_whether_the_rules_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], accept: str, code: int, says: str
) -> None:
    file, out = tmp_path / "one.yaml", tmp_path / "run"
    file.write_text(LAUNCH + accept)
    assert main(["launch", str(file), "--require-accepted", "--json", "--out", str(out)]) == code
    assert capsys.readouterr().err.endswith(says)
    assert (out / "summary.json").exists() is (code != 2)
