"""The speed of this host relative to the cards' one, and what of it is kept."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from models import host_speed as module
from models import profiles, store
from models.host_speed import BUSY, host_speed
from models.store import ARTEFACTS, load_card
from swarm.core.settings.cards import Card, RunTime


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def as_if_run_took(monkeypatch: pytest.MonkeyPatch, ms: float) -> None:
    """All cards say that a run takes so long."""

    def card(name: str, folder: Path | None = None) -> Card:
        real = load_card(name, ARTEFACTS)
        time = RunTime(quantiles_ms=[ms] * 21, runs=21)
        return msgspec.structs.replace(
            real, variants={key: msgspec.structs.replace(v, run_time=time) for key, v in real.variants.items()})

    monkeypatch.setattr(store, "load_card", card)


def as_if_speed_were(monkeypatch: pytest.MonkeyPatch, speeds: Mapping[str, float]) -> None:
    """By model: how much faster it runs here than its card says."""

    def run_times(paths: Mapping[str, Path], runs: int) -> dict[str, RunTime]:
        card_ms = {}
        for name in paths:
            card = load_card(name, ARTEFACTS)
            times = {key: variant.run_time for key, variant in card.variants.items()}
            card_ms[name] = times[profiles.chosen(card, times)].p50_ms
        return {name: RunTime(quantiles_ms=[ms / speeds[name]] * 21, runs=runs) for name, ms in card_ms.items()}

    monkeypatch.setattr(module, "run_times", run_times)


def test_speed_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_run_took(monkeypatch, 1e6)                     # so this host is much faster than that of the cards
    first = host_speed(["detector"])
    assert first.speed > 1e3
    assert not first.kept
    monkeypatch.setattr(module, "run_times", None)       # it is not called again
    again = host_speed(["detector", "detector"])
    assert again.speed == first.speed
    assert again.kept


def test_speed_of_a_busy_moment_is_measured_again(monkeypatch: pytest.MonkeyPatch, cache_folder: Path) -> None:
    as_if_run_took(monkeypatch, 1e-2)
    assert 0.0 < host_speed(["detector"]).speed < BUSY
    assert not list(cache_folder.glob("speed-*"))


def test_lowest_speed_of_all_models_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    as_if_speed_were(monkeypatch, {"detector": 1.5, "segmenter": 0.9})
    assert host_speed(["detector", "segmenter"]).speed == 0.9


@pytest.mark.parametrize("content", [b"", b"{", b'{"speed": "fast"}'])
def test_damaged_file_is_measured_again(monkeypatch: pytest.MonkeyPatch, cache_folder: Path, content: bytes) -> None:
    as_if_speed_were(monkeypatch, {"detector": 1.25})
    host_speed(["detector"])
    (entry,) = cache_folder.glob("speed-*.json")
    entry.write_bytes(content)
    assert not host_speed(["detector"]).kept
    assert host_speed(["detector"]).kept


def test_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, cache_folder: Path) -> None:
    cache_folder.write_text("a file, not a folder")
    as_if_speed_were(monkeypatch, {"detector": 1.25})
    assert host_speed(["detector"]).speed == 1.25
