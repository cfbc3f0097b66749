"""docs/run_folder.md says what is so: it is made from the types, and all that can happen is in it."""

from __future__ import annotations

import re

import pytest

from swarm.telemetry.file_types import EVENTS, EventRecord
from swarm.telemetry.recorder import FILES, FOLDERS
from tests.docs.folder import HOUSE, MADE, same

TOLD = re.compile(r"""(?:Happened\(\s*what=|_(?:tell|record)\(|Report\(|, self\._own_name, )f?"(\w+)(\{\w+\})?\"""")


def test_the_page_is_the_one_that_the_types_make() -> None:
    assert (HOUSE / "docs" / "run_folder.md").read_text() == MADE["page"](), "run `make docs`"


def test_every_file_is_described_and_every_key_has_a_meaning() -> None:
    assert set(MADE["ABOUT"]) == {*FILES, *FOLDERS}
    rows = [line for line in MADE["page"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 200
    assert [row for row in rows if not row.rstrip(" |").split(" | ")[-1].strip() or row.endswith("|  |")] == []


@pytest.mark.parametrize(("name", "unit"), [
    ("solve_ms_p50", "ms"), ("rss_bytes_max", "bytes"), ("bytes", "bytes"), ("captured_ns", "ns"), ("ran_s", "s"),
    ("on_time_ratio", "0..1"), ("share", "0..1"), ("rate_hz", "Hz"), ("x_m", "m"),
    ("started_unix_s", "s since 1970"), ("per_minute", "1/min"), ("robots", ""), ("status", ""), ("times", ""),
])
def test_units_are_read_off_the_names(name: str, unit: str) -> None:
    assert MADE["unit_of"](name) == unit


def test_every_event_that_a_process_may_tell_of_is_described() -> None:
    packages = (
        "agents", "swarm/launcher", "swarm/membership", "swarm/run", "swarm/telemetry", "swarm/planner", "sim_worlds")
    sources = [path for package in packages for path in (HOUSE / package).rglob("*.py")]
    kinds = {(kind, bool(more)) for path in sources for kind, more in TOLD.findall(path.read_text())}
    kinds |= {(kind, False) for kind in ("killed", "crashed")}       # one of the two, by how it ended
    assert len(kinds) > 12
    assert [kind for kind, more in kinds if not more and kind not in EVENTS] == []
    begun = tuple(kind for kind, more in kinds if more)
    assert [kind for kind in EVENTS if (kind, False) not in kinds and not kind.startswith(begun)] == []


def test_a_key_too_many_or_too_few_is_noticed() -> None:
    event = {"at_s": 1.0, "who": "launcher", "what": "started", "detail": {}}
    same(event, EventRecord, "events.jsonl")
    for other in (event | {"deteil": {}}, {k: v for k, v in event.items() if k != "detail"}):
        with pytest.raises(AssertionError):
            same(other, EventRecord, "events.jsonl")
