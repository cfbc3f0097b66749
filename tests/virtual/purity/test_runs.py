"""Whole runs of a user's behaviour that fails or cannot be repeated: they end with its line, and a whole folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agents import behaviours
from swarm.core.settings.launch_file import FaultSpec
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.figures.remarks import remarks
from swarm.virtual.explore.explorer import explored
from swarm.virtual.launch import VirtualLaunch
from tests.virtual.flights import events, resolved

ODD = """import signal, time
from swarm.core.protocol.world import Act, Drive, Observation

class odd:
    def __init__(self, robot, team, seed, sensors):
        self.seen = 0

    def on(self, event, now):
        self.seen += 1
        if self.seen == 20:
            {body}
        return [Drive(v_mps=0.1, w_radps=0.5)] if isinstance(event, Observation) else []
"""
READS = "self.began = time.monotonic()"
LEAVES = "raise SystemExit(3)"
HANGS = "while True: signal.raise_signal(signal.SIGALRM)"


@pytest.fixture
def launch_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Resolved]]:
    """Makes a launch whose robots do this at their 20th event."""
    def launch_of(body: str) -> Resolved:
        (tmp_path / "odd.py").write_text(ODD.format(body=body))
        monkeypatch.setattr(behaviours, "__path__", [*behaviours.__path__, str(tmp_path)])
        return msgspec.structs.replace(resolved(FaultSpec(at_s=1.0, kill="carrier_0")), behaviour="odd")

    yield launch_of
    sys.modules.pop("agents.behaviours.odd", None)


@pytest.mark.parametrize(("body", "said"), [
    (READS, r"behaviour 'odd' reads the clock \(time\.monotonic\) at {file}:11: use `now`, .*"),
    (LEAVES, r"SystemExit: 3 at {file}:11"), ("raise BaseException", r"BaseException:  at {file}:11"),
    (HANGS, r"behaviour 'odd' has not returned for 20 s of real time, at {file}:11: return at once, .*"),
])
def test_a_run_ends_with_one_line_and_a_whole_folder(
    launch_of: Callable[[str], Resolved], tmp_path: Path, body: str, said: str
) -> None:
    launch = VirtualLaunch(launch_of(body), tmp_path / "out", command=["test"])
    launch.folder.report = lambda: None          # type: ignore[method-assign]
    outcome = launch.run()
    assert outcome.exit_code == 1
    words = rf"seed 3, event \d+, of (rover_0|carrier_0), \d\.\d+ s after the start: {said}"
    where = re.fullmatch(words.format(file=re.escape(str(tmp_path / "odd.py"))), outcome.error)
    assert where, outcome.error
    assert outcome.summary is not None
    assert outcome.summary["requests"]["submitted"] > 0
    assert (tmp_path / "out" / "summary.json").exists()
    assert "odd.py" in (tmp_path / "out" / "logs" / f"{where[1]}.log").read_text()


def test_the_same_behaviour_without_it_flies_to_the_end(launch_of: Callable[[str], Resolved], tmp_path: Path) -> None:
    launch = VirtualLaunch(launch_of("self.began = now"), tmp_path / "out", command=["test"])
    launch.folder.report = lambda: None          # type: ignore[method-assign]
    assert launch.run().error == ""


def test_nonsense_is_dropped_counted_and_named_once_of_each_kind(
    launch_of: Callable[[str], Resolved], tmp_path: Path
) -> None:
    given = "return ['left', 'left', Drive(v_mps=float('nan'), w_radps=0.0)]"
    launch = VirtualLaunch(launch_of(f"self.seen = 0; {given}"), tmp_path / "out", command=["test"])
    launch.folder.report = lambda: None          # type: ignore[method-assign]
    outcome = launch.run()
    assert (outcome.error, outcome.exit_code) == ("", 0)
    assert outcome.summary is not None
    counted = {name: agent["behaviour_nonsense"] for name, agent in outcome.summary["agents"].items()}
    assert counted["rover_0"] in (3, 6, 9, 12)                   # two words and an act, each 20th event
    told = [event for event in events(tmp_path / "out") if event["what"] == "nonsense"]
    assert [(event["detail"]["kind"], event["detail"]["output"]) for event in told if event["who"] == "rover_0"] == [
        ("output", "'left'"), ("act", "Drive(v_mps=nan, w_radps=0.0, ttl_s=0.5)")]
    (said,) = remarks(outcome.summary)
    assert said.startswith(f"Nonsense: {sum(counted.values())} outputs of behaviours were dropped (rover_0 ")


def test_a_behaviour_that_cannot_be_loaded_is_bad_input(
    launch_of: Callable[[str], Resolved], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARM_PLUGINS", str(tmp_path.parent))
    launch = VirtualLaunch(launch_of("1 +"), tmp_path / "out", command=["test"])
    outcome = launch.run()
    assert outcome.exit_code == 2
    file = re.escape(str(tmp_path / "odd.py"))
    assert re.fullmatch(rf"seed 3, event \d+, of rover_0, .* s after the start: {file}: line 11: SyntaxError: .*; "
                        r"a plug-in that can be loaded", outcome.error)


@pytest.mark.parametrize(("body", "said"), [
    (READS, "behaviour 'odd' reads the clock"), (LEAVES, "SystemExit: 3 at ")])
def test_the_explorer_finds_it_too(launch_of: Callable[[str], Resolved], body: str, said: str) -> None:
    found = explored(launch_of(body)).broken
    assert found is not None
    assert found.invariant == "no code fails"
    assert found.found.startswith(said)
    assert found.where.startswith("event ")
