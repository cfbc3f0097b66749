"""Threads within a run: as many as were asked for, and none that spins while others want the cores."""

from __future__ import annotations

import os

import pytest

from models import session
from models.session import Session
from models.store import ARTEFACTS, artefact, load_card


@pytest.mark.parametrize("threads", [1, 3])
def test_a_session_has_as_many_threads_as_it_was_given(threads: int) -> None:
    path = artefact(load_card("detector", ARTEFACTS), "int8", ARTEFACTS)
    Session(path, threads)                                   # the first load of a process starts threads that stay
    before = set(os.listdir("/proc/self/task"))
    held = Session(path, threads)
    started = set(os.listdir("/proc/self/task")) - before
    assert len(started) == threads - 1                       # the caller is the first of them
    del held


def test_no_thread_spins() -> None:
    """Else the threads of one executor would take the cores from another's between two operators."""
    options = session._options(3)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    for key in ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning"):
        assert options.get_session_config_entry(key) == "0"
