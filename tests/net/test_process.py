"""The host of a process: what it does before its policy runs."""

from __future__ import annotations

import gc

import pytest

from swarm.core.settings.process_files import ProcessFile
from swarm.net import process as host
from swarm.net.process import Process


def test_what_a_process_starts_with_is_left_out_of_garbage_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each full collection holds the loop up for tens of milliseconds."""
    monkeypatch.setattr(host, "catch", lambda *_: {})        # the signals are the tests' own
    process, frozen = Process(ProcessFile(version=1, swarm="s", name="a"), "agent"), list[int]()

    def look() -> None:
        frozen.append(gc.get_freeze_count())
        process.loop.stop()

    try:
        process.run(lambda: process.loop.post(look))
    finally:
        gc.unfreeze()
        process.loop.close()
    assert frozen[0] > 10_000


def test_a_process_without_keys_says_loudly_that_it_speaks_plaintext(caplog: pytest.LogCaptureFixture) -> None:
    process = Process(ProcessFile(version=1, swarm="s", name="a"), "agent")
    process.net.close(0)
    process.loop.close()
    assert [record.levelname for record in caplog.records if "a speaks plaintext" in record.getMessage()] == ["WARNING"]
