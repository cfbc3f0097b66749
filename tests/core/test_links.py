"""Links in settings: which entry a pair of robots has, and traces as text."""

from __future__ import annotations

import pytest

from swarm.core.policy.trace import PacketTrace, RateTrace
from swarm.core.settings.errors import BadInput
from swarm.core.settings.links import LinkSpec, check_links, link_between
from swarm.core.settings.named_files.traces import parse_trace


def test_the_name_of_a_robot_comes_before_that_of_its_fleet_in_either_order() -> None:
    far, near, own, one = (LinkSpec(delay_ms=ms) for ms in (40.0, 10.0, 5.0, 1.0))
    links = {"rover:carrier": far, "carrier_1:rover": near, "rover:rover": own, "rover_2:carrier_1": one}
    for a, b, spec in (
        ("rover_0", "carrier_0", far), ("rover_0", "carrier_1", near), ("rover_2", "carrier_1", one),
        ("rover_2", "carrier_0", far), ("rover_0", "rover_1", own), ("carrier_0", "carrier_1", None),
        ("rover_0", "planner", None), ("world", "rover_0", None),
    ):
        assert link_between(links, a, b) is link_between(links, b, a) is spec


@pytest.mark.parametrize(("links", "told"), [
    ({"rover": {}}, "f: links.rover: it names no pair; two fleets or robots, like rover:carrier"),
    ({"a:b:c": {}}, "links.a:b:c: it names no pair"),
    ({":b": {}}, "links.:b: it names no pair"),
    ({"a:b": {}, "b:a": {}}, "links.b:a: it is the pair a:b, which is there already; each pair once"),
    ({"a:b": {"trace": "t", "rate_mbps": 1.0}}, "links.a:b: it has both rate_mbps and trace; one of the two"),
    ({"a:b": {"scale": (0.8, 1.25)}}, "links.a:b.scale: there is no trace to scale"),
    ({"a:b": {"trace": "t", "scale": (1.25, 0.8)}}, "links.a:b.scale: 1.25 is above 0.8"),
    ({"a:b": {"delay_ms": 1.0, "airtime": "hall"}}, "links.a:b.airtime: a link of any rate takes no airtime"),
])
def test_links_that_make_no_sense(links: dict[str, dict[str, object]], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_links({key: LinkSpec(**spec) for key, spec in links.items()}, "f")     # pyright: ignore[reportArgumentType]
    assert told in str(caught.value)


@pytest.mark.parametrize("text", [
    "0,8\n1,4\n", "0.0\t8\r\n1.0\t4\r\n", "time_s,mbit_s\n0,8\n1,4", "# a comment\n\n0; 8\n 1; 4;\n", "3 8\n4 4",
])
def test_forms_of_seconds_and_rates(text: str) -> None:
    assert parse_trace(text, "t") == RateTrace.of([(0.0, 8.0), (1.0, 4.0)])


def test_the_form_of_mahimahi() -> None:
    assert parse_trace("10\n10\n30\n", "t") == PacketTrace.of([10, 10, 30])


@pytest.mark.parametrize(("text", "told"), [
    ("", "t: it is empty; lines of seconds and Mbit/s"),
    ("# nothing\n\n", "t: it is empty"),
    ("time,rate\n", "t: it is empty"),
    ("0 8\n1 x\n", "t: line 2: '1 x'; lines of seconds"),
    ("0 8\n1\n", "t: line 2: '1'"),
    ("0 8 3\n", "t: line 1: '0 8 3'"),
    ("hello\n", "t: line 1: 'hello'"),
    ("x" * 5000, "t: line 1: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"),
    ("0 8\n2 4\n2 3\n", "t: line 3: 2 comes after 2; ascending times"),
    ("0 8\n\n-1 4\n", "t: line 3: -1 s and 4 Mbit/s"),
    ("0 8\n1 -4\n", "t: line 2: 1 s and -4 Mbit/s"),
    ("0 8\n1 nan\n", "t: line 2: '1 nan'"),
    ("0 inf\n", "t: line 1: '0 inf'"),
    ("0 0\n1 0\n", "t: it carries nothing"),
    ("10\n9\n", "t: line 2: 9 comes after 10"),
    ("1.5\n", "t: line 1: 1.5 ms; a whole number"),
    ("-3\n", "t: line 1: -3 ms"),
    ("0\n0\n", "t: it carries nothing"),
])
def test_what_is_no_trace(text: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_trace(text, "t")
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
