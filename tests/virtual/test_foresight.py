"""The links' future in virtual time: rates by hand, what cannot be known, and no foresight in real time."""

from __future__ import annotations

from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import pytest

from swarm.cli.commands import planner
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.shaped_link import ShapedLink
from swarm.core.policy.trace import RateTrace
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import PlannerFile
from swarm.core.settings.yaml_text import dump
from swarm.core.units import ns
from swarm.virtual.costs import MESSAGE_NS
from swarm.virtual.network import Network
from swarm.virtual.planning.foresight import Foresight
from swarm.virtual.timeline import Timeline

MEASURED = LinkQuality(rtt_s=0.5, bytes_per_s=77.0, samples=3)
FALLS = RateTrace.of([(0.0, 8.0), (1.0, 2.0), (3.0, 2.0)])       # a million bytes per second, then a quarter of it
ENDS = RateTrace.of([(0.0, 8.0), (1.0, 0.0), (9.0, 8.0), (10.0, 8.0)])


def foreseen(trace: RateTrace | None, at_s: float, scale: float = 1.0) -> LinkQuality | None:
    """The link from a to b, a planning period of 1 s before it is known, with a trace that began at 0."""
    timeline = Timeline()
    links = {way: ShapedLink(trace, delay_ns=ns(0.03), scale=scale) for way in (("a", "b"), ("b", "a"))}
    network = Network(timeline, lambda sender, to: links.get((sender, to)))
    for link in links.values():
        link.arrives_ns(1, 0)
    timeline.now_ns = ns(at_s)
    return Foresight(network, 1.0).links({("a", "b"): MEASURED}).get(("a", "b"))


@pytest.mark.parametrize(("at_s", "scale", "bytes_per_s"), [
    (0.0, 1.0, 4 / (2 / 1e6 + 2 / 0.25e6)),          # two of four half seconds are fast
    (0.5, 1.0, 4 / (1 / 1e6 + 3 / 0.25e6)),
    (1.0, 1.0, 0.25e6),
    (1.0, 2.0, 0.5e6),
])
def test_the_rate_is_that_of_a_transfer_in_two_periods(at_s: float, scale: float, bytes_per_s: float) -> None:
    link = foreseen(FALLS, at_s, scale)
    assert link is not None
    assert link.bytes_per_s == pytest.approx(bytes_per_s)
    assert link.rtt_s == pytest.approx(2 * 0.03 + 2 * MESSAGE_NS / 1e9)


def test_a_link_that_will_stand_still_cannot_be_used_from_before_on() -> None:
    assert [foreseen(ENDS, at_s) is None for at_s in (0.0, 1.0, 4.0, 8.5, 9.0)] == [True, True, True, True, False]


def test_where_nothing_slows_a_link_down_it_stays_as_measured() -> None:
    assert Foresight(Network(Timeline()), 1.0).links({("a", "b"): MEASURED}) == {("a", "b"): MEASURED}
    link = foreseen(None, 0.0)
    assert link is not None
    assert link.bytes_per_s == 77.0


def test_a_planner_on_a_board_has_no_foresight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `planner` is a process in real time; a launch is checked by the same rule (test_resolve.py)."""
    for places, refused in (("oracle", True), ("static", False)):
        file = tmp_path / f"{places}.yaml"
        file.write_text(dump(PlannerFile(version=1, swarm="s", places=places)))
        monkeypatch.setattr("swarm.planner.process.main", lambda settings: 0)
        with pytest.raises(BadInput, match="places: oracle knows the links' future") if refused else nullcontext():
            assert planner.run(Namespace(file=str(file))) == 0
